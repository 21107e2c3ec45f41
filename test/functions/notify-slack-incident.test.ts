import assert from "node:assert/strict";
import { describe, test } from "node:test";
import notifySlack from "../../functions/notify-slack.ts";
import type { Fault } from "../kit/misbehaviour.ts";
import { type SlackServer, startSlack } from "../kit/slack-server.ts";
import { until } from "../kit/until.ts";
import { sampleEvent } from "./actions/sample-event.ts";
import { failureOf } from "./actions/thrown.ts";
import { type IncidentStage, type Remembered, rememberingContext, remembersNothing } from "./remembered.ts";

const EVENTS = {
  opened: sampleEvent({ before: { status: { phase: "Running" } }, after: { status: { phase: "Failed" } } }),
  updated: sampleEvent({
    before: { status: { phase: "Failed" } },
    after: { status: { phase: "Failed", message: "disk full" } },
  }),
  resolved: sampleEvent({ before: { status: { phase: "Failed" } }, after: { status: { phase: "Running" } } }),
} as const;

/** A bot at a local Slack, and what is remembered between its events. */
async function withBot(
  use: (scene: { slack: SlackServer; remembered: Remembered; tell: typeof tell }) => Promise<void>,
  settings: object = {},
): Promise<void> {
  await using slack = await startSlack();
  process.env["TEST_SLACK_INCIDENT"] = slack.token;
  const remembered = remembersNothing();
  const config = notifySlack.config.parse({
    botToken: { env: "TEST_SLACK_INCIDENT" },
    slackApiUrl: slack.apiUrl,
    channel: slack.channelId,
    mentions: [{ who: ["here"] }],
    ...settings,
  });
  const bound: typeof tell = (type, options) => tell(type, { config, remembered, ...options });
  await use({ slack, remembered, tell: bound }).finally(() => delete process.env["TEST_SLACK_INCIDENT"]);
}

interface Telling {
  readonly attempt?: number;
  readonly config?: unknown;
  readonly remembered?: Remembered;
  readonly signal?: AbortSignal;
}

async function tell(type: IncidentStage["type"], { attempt = 1, ...options }: Telling = {}): Promise<string> {
  // Each event of an incident has an id of its own, and was captured just now.
  const event = { ...EVENTS[type], id: `${EVENTS[type].id}.${type}`, recordedtime: new Date().toISOString() };
  const stage = { type, updateCount: type === "opened" ? 0 : 1 };
  const { config, remembered = remembersNothing(), signal } = options;
  const context = rememberingContext(event, config as never, remembered, stage, signal);
  return (await notifySlack.run({ ...context, attempt })) ?? "";
}

/** The channel as people see it: colour and headline of each message, replies indented. */
function seen(slack: SlackServer): string[] {
  return slack.messages.map(({ threadTs, blocks, attachments, isBroadcast, updates }) => {
    const [top] = blocks;
    const headline = top !== undefined && "text" in top && top.text ? top.text.text : "";
    const marks = `${isBroadcast ? " (also in the channel)" : ""}${updates > 0 ? ` (updated ${updates}×)` : ""}`;
    return `${threadTs === undefined ? "" : "  "}${attachments[0]?.color}: ${headline}${marks}`;
  });
}

const OPENED = "danger: Database prod/orders: Running → Failed";
const UPDATED = "  danger: *changed*";
const RESOLVED_REPLY = "  good: *Resolved: Failed → Running*";
const GREEN_ONCE = "good: Resolved: Database prod/orders: Failed → Running";
const GREEN = `${GREEN_ONCE} (updated 1×)`;

/** A try that meets a fault at one of its calls. Where Slack says nothing, the process is told to stop instead of waiting. */
async function failOnce(
  slack: SlackServer,
  telling: typeof tell,
  type: IncidentStage["type"],
  before: number,
  fault: Fault,
): Promise<void> {
  const stop = new AbortController();
  const requests = slack.requests.length + before + 1;
  for (let i = 0; i < before; i++) slack.next("none");
  slack.next(fault);
  const failed = failureOf(async () => telling(type, { signal: stop.signal }));
  if (fault === "hang" || fault === "stall-answer") {
    await until(() => slack.requests.length >= requests);
    stop.abort();
  }
  assert.equal((await failed).treated, "retry");
}

describe("an incident in Slack", () => {
  test("is one thread, whose first message turns green", async () => {
    await withBot(async ({ slack, tell }) => {
      assert.match(await tell("opened"), /^opened a thread in C0CRREACT/);
      assert.deepEqual(seen(slack), [OPENED]);
      assert.match(await tell("updated"), /^replied/);
      assert.match(await tell("resolved"), /^resolved the thread/);
      assert.deepEqual(seen(slack), [GREEN, UPDATED, RESOLVED_REPLY]);
      const first = JSON.stringify(slack.messages[0]);
      assert.match(first, /\*Resolved\* after 1 h 6 m .*`Running → Failed`.* 1 update/);
    });
  });

  test("calls people once, when it opens", async () => {
    await withBot(async ({ slack, tell }) => {
      await tell("opened");
      assert.match(JSON.stringify(slack.messages), /<!here>/);
      for (const type of ["updated", "resolved"] as const) await tell(type);
      assert.doesNotMatch(JSON.stringify(slack.messages), /<!here>/);
    });
  });

  test("shows its replies in the channel when that is asked for", async () => {
    await withBot(
      async ({ slack, tell }) => {
        for (const type of ["opened", "updated", "resolved"] as const) await tell(type);
        assert.deepEqual(seen(slack), [GREEN, UPDATED, `${RESOLVED_REPLY} (also in the channel)`]);
      },
      { broadcast: "resolved" },
    );
  });

  const calls = [
    { name: "its first message", type: "opened", before: 0 },
    { name: "a reply", type: "updated", before: 0 },
    { name: "the last reply", type: "resolved", before: 0 },
    { name: "the first message's change", type: "resolved", before: 1 },
  ] as const;
  for (const fault of ["lose-answer", "empty-answer", "cut-answer", "stall-answer", "reset", "hang"] as const) {
    for (const { name, type: at, before } of calls) {
      test(`is whole, and nothing of it is there twice, when ${name} meets: ${fault}`, async () => {
        await withBot(async ({ slack, tell }) => {
          for (const type of ["opened", "updated", "resolved"] as const) {
            if (type === at) await failOnce(slack, tell, type, before, fault);
            await tell(type, { attempt: type === at ? 2 : 1 });
          }
          assert.deepEqual(
            seen(slack).map((line) => line.replace(/ \(updated \d×\)$/, "")),
            [GREEN_ONCE, UPDATED, RESOLVED_REPLY],
          );
        });
      });
    }
  }

  test("finds its thread again when the receipt was lost", async () => {
    await withBot(async ({ slack, remembered, tell }) => {
      await tell("opened");
      delete remembered.receipts["slack"];
      await tell("updated");
      delete remembered.receipts["slack"];
      await tell("resolved");
      assert.deepEqual(seen(slack), [GREEN, UPDATED, RESOLVED_REPLY]);
    });
  });

  test("goes on in a new message that says so when the first one cannot be found", async () => {
    await withBot(async ({ slack, remembered, tell }) => {
      await tell("opened");
      slack.scopes.delete("channels:history");
      delete remembered.receipts["slack"];
      assert.match(await tell("updated"), /^the thread is gone: updated in a new one/);
      await tell("resolved");
      assert.deepEqual(seen(slack), [
        OPENED,
        "good: Resolved: Database prod/orders: Failed → Running (updated 1×)",
        RESOLVED_REPLY,
      ]);
    });
  });

  test("goes on in a new message when somebody deleted the first one", async () => {
    await withBot(async ({ slack, tell }) => {
      await tell("opened");
      slack.remove(slack.messages[0]?.ts ?? "");
      assert.match(await tell("resolved"), /^the thread is gone: resolved in a new one/);
      assert.deepEqual(seen(slack), ["good: Resolved: Database prod/orders: Failed → Running"]);
      assert.match(JSON.stringify(slack.messages), /could not be found: this one takes its place/);
    });
  });

  test("keeps its channel when the rules or the object have changed meanwhile", async () => {
    await withBot(async ({ slack, remembered, tell }) => {
      await tell("opened");
      const config = notifySlack.config.parse({
        botToken: { env: "TEST_SLACK_INCIDENT" },
        slackApiUrl: slack.apiUrl,
        channel: "#elsewhere",
      });
      const event = { ...EVENTS.resolved, id: "other" };
      await notifySlack.run(rememberingContext(event, config, remembered, { type: "resolved" }));
      assert.deepEqual(seen(slack), [GREEN, RESOLVED_REPLY]);
    });
  });

  test("asks for no history when an event is new", async () => {
    await withBot(async ({ slack, tell }) => {
      await tell("opened");
      assert.deepEqual(
        slack.requests.map(({ path }) => path),
        ["/api/chat.postMessage"],
      );
    });
  });

  test("is two messages through an incoming webhook", async () => {
    await using slack = await startSlack();
    process.env["TEST_SLACK_WEBHOOK"] = slack.webhookUrl;
    const config = notifySlack.config.parse({ webhookUrl: { env: "TEST_SLACK_WEBHOOK" } });
    const remembered = remembersNothing();
    for (const type of ["opened", "updated", "resolved"] as const) await tell(type, { config, remembered });
    assert.deepEqual(seen(slack), [OPENED, "good: Resolved: Database prod/orders: Failed → Running"]);
  });

  test("that Slack refuses for good says why, and is told whole when it is resolved", async () => {
    await withBot(async ({ slack, tell }) => {
      const channel = slack.channels.get(slack.channelId) ?? assert.fail();
      channel.isArchived = true;
      const failure = await failureOf(async () => tell("opened"));
      assert.deepEqual([failure.treated, /is_archived.*unarchive/.test(failure.message)], ["dead-letter", true]);
      channel.isArchived = false;
      await tell("resolved");
      assert.deepEqual(seen(slack), ["good: Resolved: Database prod/orders: Failed → Running"]);
    });
  });
});
