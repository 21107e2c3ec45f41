/**
 * The proof of incidents: objects fail and recover while look-alikes of Slack and GitHub fail at random, before and after they did what
 * they were asked, and the real process of functions is killed at random points. The outside world ends with one thread and one ticket for
 * each incident, in the true last state, and nothing said twice. An incoming webhook cannot be asked what it has posted: of its messages
 * those are doubled, and no others, that were posted when the process was killed before it had recorded them.
 */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { encodeToken } from "../../bridge/log/subject.ts";
import { getStored } from "../../bridge/nats/stored-message.ts";
import { hasMarker } from "../../functions/actions/ticket/marker.ts";
import { type Rig, startRig } from "../functions/kit/delivery/rig.ts";
import type { TestEvent } from "../functions/kit/event-factory.ts";
import { life } from "../functions/kit/incident/incident-scene.ts";
import { startGitHub } from "../kit/github-server.ts";
import { PROMPT_FAULTS } from "../kit/misbehaviour.ts";
import { createRandom, type Random } from "../kit/random.ts";
import { startSlack } from "../kit/slack-server.ts";
import { until } from "../kit/until.ts";
import { startFunctionProcess } from "./function-process.ts";
import { armKill, type KillPoint } from "./kill-point.ts";

const SEED = Number(process.env["CR_REACTOR_TEST_SEED"] ?? 20_261_121);
const OBJECTS = 5;
const WAVES = 7;
const CHANGES_EACH_WAVE = 6;
const FAULT_SHARE = 0.2;
const WAIT_MS_MAX = 60_000;
/** Anything that happens before the effect. */
const REFUSALS = PROMPT_FAULTS.filter((fault) => fault === "reset" || typeof fault === "object");
const POST = "api/chat.postMessage";
const ISSUES = "repos/acme/ops/issues";
const POINTS: readonly KillPoint[] = [
  ...(["before-run", "before-incident", "incident-stored", "after-run", "before-ack"] as const),
  ...([`before-send:${POST}`, `answered:${POST}`, "answered:api/chat.update"] as const),
  ...([`before-send:${ISSUES}`, `answered:${ISSUES}`, "before-record:open", "recorded:open"] as const),
  ...(["claimed:post", "before-record:post", "before-record:post", "recorded:post", "before-record:comment"] as const),
];

/** What happened to one object from the event that opened its incident on; the ids of its events. */
interface Incident {
  readonly opened: string;
  readonly updated: string[];
  resolved?: string;
}

test("one thread and one ticket for each incident, in the true last state, whatever fails or is killed", async (t) => {
  const rig = await startRig(t);
  if (rig === undefined) return;
  t.diagnostic(`CR_REACTOR_TEST_SEED=${SEED}`);
  const scene = await startScene(t, rig);
  const { slack, github, hook, functions, isIdle } = scene;
  const random = createRandom(SEED);
  const world = createWorld(random);
  const doubled = createDoubles(rig, hook.messages);
  slack.at(FAULT_SHARE, SEED);
  github.at(FAULT_SHARE, SEED + 1);
  hook.at(FAULT_SHARE, SEED + 2, REFUSALS);
  let hits = 0;
  for (let wave = 0; wave < WAVES; wave++) {
    armKill(functions.folder, random.pick(POINTS), 1 + Math.floor(random.next() * 3));
    await rig.publish(...Array.from({ length: CHANGES_EACH_WAVE }, world.change));
    await until(async () => functions.pid === undefined || (await isIdle()), { waitMsMax: WAIT_MS_MAX });
    if (functions.pid === undefined) hits++;
    await functions.kill();
    await scene.untilDisconnected();
    await doubled.look();
    if (wave === 3) await rig.jetStream.api("STREAM.PURGE.KV_CR_INCIDENTS");
    await functions.restart();
  }
  await until(isIdle, { waitMsMax: WAIT_MS_MAX, what: "every event is acknowledged" });
  assert.ok(hits > 2, `only ${hits} of the points were passed`);
  assert.ok(world.incidents.length > 5);

  for (const { opened, updated, resolved } of world.incidents) {
    const thread = `thread/${opened}`;
    const [first, ...others] = slack.messages.filter(({ threadTs, key }) => threadTs === undefined && key === thread);
    assert.ok(first && others.length === 0, `${thread} has ${others.length + 1} threads`);
    assert.equal(first.attachments[0]?.color, resolved === undefined ? "danger" : "good", thread);
    const replies = slack.messages.filter(({ threadTs }) => threadTs === first.ts);
    const expected = [...updated, resolved].filter((id) => id !== undefined).length;
    assert.deepEqual([replies.length, new Set(replies.map(({ key }) => key)).size], [expected, expected], thread);

    const ticket = `ticket/${opened}`;
    const [issue, ...twins] = github.issues.filter(({ body }) => hasMarker(body, ticket));
    assert.ok(issue && twins.length === 0, `${ticket} has ${twins.length + 1} issues`);
    assert.equal(issue.state, resolved === undefined ? "open" : "closed", ticket);
    const comments = github.comments.filter((comment) => comment.issue === issue.number);
    const marks = new Set(comments.map(({ body }) => body.split("\n").at(-1)));
    assert.deepEqual([comments.length, marks.size], [expected, expected], ticket);
  }
  assert.equal(slack.messages.filter(({ threadTs }) => threadTs === undefined).length, world.incidents.length);
  assert.equal(github.issues.length, world.incidents.length);
  const wanted = world.incidents.flatMap(({ opened, resolved }) => [opened, ...(resolved ? [resolved] : [])]);
  assert.deepEqual(
    doubled.counts(),
    Object.fromEntries(wanted.toSorted().map((id) => [id, 1 + (doubled.expected.get(id) ?? 0)])),
  );
  const extra = hook.messages.length - wanted.length;
  t.diagnostic(
    `${world.incidents.length} incidents, ${hits} of ${WAVES} kills at their point, ${slack.requests.length + github.requests.length + hook.requests.length} calls; the webhook doubled ${extra}`,
  );
});

async function startScene(t: TestContext, rig: Rig) {
  const { nats } = rig;
  const [slack, github, hook] = await Promise.all([startSlack(), startGitHub(), startSlack()]);
  t.after(() => Promise.all([slack.stop(), github.stop(), hook.stop()]));
  const secrets = { TEST_PROOF_BOT: slack.token, TEST_PROOF_GITHUB: github.token, TEST_PROOF_HOOK: hook.webhookUrl };
  Object.assign(process.env, secrets);
  const of = (name: string, uses: string, config: object) => ({
    ...{ name, function: uses, apiVersion: "demo.example.com/v1", kind: "Database", start: "all", attempts: 500 },
    ...{ when: { phase: { to: "Failed" } }, resolve: { phase: { to: "Running" } }, config },
  });
  const bot = { botToken: { env: "TEST_PROOF_BOT" }, channel: slack.channelId, slackApiUrl: slack.apiUrl };
  const repository = { repository: github.repository, apiUrl: github.origin, token: { env: "TEST_PROOF_GITHUB" } };
  const config = {
    nats: { servers: [nats.url] },
    subscriptions: [
      of("thread", "notify-slack", bot),
      of("ticket", "open-ticket", {
        ...{ target: { type: "github", ...repository }, commentEveryMinutes: 0, reopenWithinHours: 0 },
      }),
      of("hook", "notify-slack", { webhookUrl: { env: "TEST_PROOF_HOOK" }, title: "{{ event.id }}" }),
    ],
  };
  const functions = await startFunctionProcess(t, { config });
  return {
    ...{ slack, github, hook, functions },
    async isIdle() {
      for (const { name } of config.subscriptions) {
        const state = await rig.consumer(name).catch(() => undefined);
        if (state === undefined || state.num_ack_pending + state.num_pending > 0) return false;
      }
      return true;
    },
    /** The server has seen the end of the killed process, and with it all that it had sent. */
    untilDisconnected: () =>
      until(async () => {
        const answer = await fetch(`${nats.monitorUrl}/connz`);
        const { connections } = (await answer.json()) as { connections: { name: string }[] };
        return !connections.some(({ name }) => name === "cr-reactor functions");
      }),
  };
}

/** Objects that go from phase to phase at this very time, and the incidents that follow from it. */
function createWorld(random: Random) {
  const incidents: Incident[] = [];
  const objects = Array.from({ length: OBJECTS }, (_, number) => ({
    life: life({ name: `db-${number}` }),
    phase: "Creating",
    open: undefined as Incident | undefined,
  }));
  return {
    incidents,
    change(): TestEvent {
      const object = random.pick(objects);
      object.phase = random.pick(["Failed", "Failed", "Running", "Other"].filter((phase) => phase !== object.phase));
      const event = happenedNow(object.life.to(object.phase));
      const { id } = event.envelope;
      if (object.phase === "Failed" && object.open === undefined) {
        object.open = { opened: id, updated: [] };
        incidents.push(object.open);
      } else if (object.phase === "Failed") object.open?.updated.push(id);
      else if (object.phase === "Running" && object.open !== undefined) {
        object.open.resolved = id;
        object.open = undefined;
      }
      return event;
    },
  };
}

function happenedNow({ subject, envelope }: TestEvent): TestEvent {
  const now = new Date().toISOString();
  const event = { ...envelope, time: now, recordedtime: now };
  return { subject, envelope: event, payload: JSON.stringify(event) };
}

/** Counts the webhook's messages of each event, and those that will come again: posted, and not recorded when the process was killed. */
function createDoubles({ jetStream }: Rig, messages: readonly { readonly text: string }[]) {
  const expected = new Map<string, number>();
  const counted = new Map<string, number>();
  const counts = () => {
    const ids = messages.map(({ text }) => /uid-[a-z0-9-]+\.\d+/.exec(text)?.[0] ?? text).toSorted();
    return Object.fromEntries([...Map.groupBy(ids, (id) => id)].map(([id, all]) => [id, all.length]));
  };
  const isRecorded = async (id: string) => {
    const key = `$KV.CR_STEPS.hook.${encodeToken(id)}.post`;
    const stored = await getStored(jetStream, "KV_CR_STEPS", { last_by_subj: key });
    const text = Buffer.from(stored?.data ?? []).toString();
    return text !== "" && (JSON.parse(text) as { state: string }).state === "done";
  };
  return {
    expected,
    counts,
    async look() {
      for (const [id, count] of Object.entries(counts())) {
        if (count === counted.get(id) || (await isRecorded(id))) continue;
        counted.set(id, count);
        expected.set(id, (expected.get(id) ?? 0) + 1);
      }
    },
  };
}
