/**
 * Incidents in Slack with everything real but Slack: processes of `cr-reactor run` with notify-slack on a real nats-server, which are
 * killed while they talk to the look-alike, and a look-alike that loses calls before and after they took effect. At the end each incident
 * has one thread, with every event of it once, and the first message tells the true last state.
 */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { stringify } from "yaml";
import { startRig } from "../functions/kit/delivery/rig.ts";
import { type TestEvent, updated } from "../functions/kit/event-factory.ts";
import { createDataFolder } from "../kit/data-folder.ts";
import { createRandom } from "../kit/random.ts";
import { startServer } from "../kit/server-process.ts";
import { type SlackServer, startSlack } from "../kit/slack-server.ts";
import { until } from "../kit/until.ts";

const ROOT = join(import.meta.dirname, "../..");
const PRELOAD = join(import.meta.dirname, "kill-point-preload.ts");
const SEED = 7;
const OBJECTS = 4;
const KILLS = 3;
/** A killed process' events come again after two seconds, and retries take their pauses. */
const WAIT_MS_MAX = 240_000;

/** Each object fails twice, changes while it is in trouble, and recovers; the last one stays in trouble. */
function story(): TestEvent[] {
  const names = Array.from({ length: OBJECTS }, (_, i) => `db-${i}`);
  const move = (name: string, from: string, to: string) => updated({ name, phase: from }, { name, phase: to });
  const incident = [
    ["Running", "Failed"],
    ["Failed", "Degraded"],
    ["Degraded", "Running"],
  ] as const;
  const all = [...incident, ...incident].flatMap(([from, to]) => names.map((name) => move(name, from, to)));
  return all.slice(0, -1);
}

async function startFunctions(t: TestContext, natsUrl: string, slack: SlackServer) {
  const folder = createDataFolder("functions");
  const config = { botToken: { file: "token" }, channel: slack.channelId, slackApiUrl: slack.apiUrl };
  const selection = {
    ...{ apiVersion: "demo.example.com/v1", kind: "Database" },
    ...{ when: { phase: { to: ["Failed", "Degraded"] } }, resolve: { phase: { to: "Running" } } },
  };
  const subscription = {
    name: "incidents",
    function: "notify-slack",
    start: "all",
    attempts: 100,
    ...selection,
    config,
  };
  writeFileSync(join(folder.path, "token"), slack.token);
  const file = { nats: { servers: [natsUrl] }, subscriptions: [subscription] };
  writeFileSync(join(folder.path, "subscriptions.yaml"), stringify(file));
  const args = ["--import", PRELOAD, join(ROOT, "cli/main.ts"), "run", "--subscriptions", "subscriptions.yaml"];
  const functions = await startServer({
    ...{ name: "cr-reactor run", command: process.execPath, args: () => args, folder },
    ...{ isReady: /"consumer (created|kept|updated)"/, stopMsMax: 10_000 },
  });
  t.after(() => functions.stop());
  return functions;
}

test("each incident is one thread in Slack, though processes are killed and calls are lost", async (t) => {
  const rig = await startRig(t);
  if (rig === undefined) return;
  await using slack = await startSlack();
  const random = createRandom(SEED);
  slack.at(0.25, SEED);
  await rig.publish(...story());
  const functions = await startFunctions(t, rig.nats.url, slack);
  for (let kill = 0; kill < KILLS; kill++) {
    const calls = slack.requests.length + Math.floor(random.between(2, 8));
    await until(() => slack.requests.length >= calls, { waitMsMax: WAIT_MS_MAX, what: `${calls} calls came to Slack` });
    await functions.kill();
    await functions.restart();
  }
  const isIdle = async () => {
    const { num_ack_pending, num_pending } = await rig.consumer("incidents");
    return num_ack_pending + num_pending === 0;
  };
  await until(isIdle, { waitMsMax: WAIT_MS_MAX, what: "every event is acknowledged" });

  const firsts = slack.messages.filter(({ threadTs }) => threadTs === undefined);
  assert.equal(firsts.length, OBJECTS * 2, "one thread for each incident");
  assert.equal(new Set(firsts.map(({ key }) => key)).size, firsts.length);
  const open = firsts.filter(({ attachments }) => attachments[0]?.color === "danger");
  assert.equal(open.length, 1, "the one that is not resolved is red");
  for (const first of firsts) {
    const replies = slack.messages.filter(({ threadTs }) => threadTs === first.ts);
    assert.equal(replies.length, open.includes(first) ? 1 : 2, `${first.text}: every event once`);
  }
  t.diagnostic(`${slack.requests.length} calls, ${slack.messages.length} messages, ${KILLS} kills`);
});
