/** `batch`: many events, one call, on a real nats-server. */
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { PermanentError } from "../../../../functions/kit/outcome.ts";
import notifySlack from "../../../../functions/notify-slack.ts";
import { startSlack } from "../../../kit/slack-server.ts";
import { type Run, type StartOptions, startRig, until } from "../delivery/rig.ts";
import { createHistory } from "./history.ts";

async function startScene(t: TestContext) {
  const rig = await startRig(t);
  if (rig === undefined) return undefined;
  const calls: string[][] = [];
  const note: Run = async ({ events = [] }) => void calls.push(events.map(({ name }) => name));
  const failed = (count: number, from = 0) =>
    Array.from({ length: count }, (_, i) => createHistory(`o${from + i}`).moved("Failed"));
  return {
    ...rig,
    calls,
    failed,
    startAny: rig.start,
    start: (run: Run = note, options: StartOptions = {}) =>
      rig.start(run, {
        when: { phase: { to: "Failed" } },
        batch: { window: "1s", max: 100 },
        batches: true,
        ...options,
      }),
    subjects: async () => {
      const { state } = await rig.jetStream.api<{ state: { subjects?: Record<string, number> } }>(
        "STREAM.INFO.CR_TIMERS",
        { subjects_filter: "crtimer.>" },
      );
      return Object.keys(state.subjects ?? {}).filter((each) => !each.startsWith("crtimer.done."));
    },
  };
}

describe("batch", () => {
  test("thirty objects that fail within a window are one call, and nothing is left", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const running = scene.start();
    await scene.publish(...scene.failed(30));
    await until(() => running.status().done === 30);
    await scene.untilAcked();
    await until(async () => (await scene.subjects()).length === 0);
    assert.deepEqual(
      scene.calls.map((names) => new Set(names).size),
      [30],
    );
    await scene.publish(...scene.failed(2, 30));
    await until(() => running.status().done === 32);
    assert.deepEqual(scene.calls[1], ["o30", "o31"]);
  });

  test("more than fit are several calls", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const running = scene.start(undefined, { batch: { window: "2s", max: 2 } });
    await scene.publish(...scene.failed(5));
    await until(() => running.status().done === 5);
    assert.deepEqual(
      scene.calls.map((names) => names.length),
      [2, 2, 1],
    );
  });

  test("waits through restarts of the process and of NATS", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const first = scene.start();
    await scene.publish(...scene.failed(3));
    await until(() => first.status().waiting === 3);
    await scene.untilAcked();
    await first.stop();
    await scene.nats.restart();
    await scene.jetStream.whenConnected(AbortSignal.timeout(20_000));
    const second = scene.start();
    await until(() => second.status().done === 3);
    assert.deepEqual(scene.calls, [["o0", "o1", "o2"]]);
  });

  test("a call that fails is tried again with the same events, whatever came meanwhile", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    let tries = 0;
    const running = scene.start(async ({ events = [] }) => {
      if (++tries === 1) {
        await scene.publish(...scene.failed(1, 9));
        await until(() => running.status().waiting === 3);
        throw new Error("not yet");
      }
      scene.calls.push(events.map(({ name }) => name));
    });
    await scene.publish(...scene.failed(2));
    await until(() => running.status().done === 3);
    assert.deepEqual(scene.calls, [["o0", "o1"], ["o9"]]);
  });

  test("a process that ends in the middle leaves the same call to the next one", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    let begun = false;
    const first = scene.start(
      async () => {
        begun = true;
        await new Promise(() => undefined);
      },
      { limits: { drainMs: 0, graceMs: 0 } },
    );
    await scene.publish(...scene.failed(2));
    await until(() => begun);
    await first.stop();
    await scene.publish(...scene.failed(1, 9));
    const second = scene.start();
    await until(() => second.status().done === 3);
    assert.deepEqual(scene.calls, [["o0", "o1"], ["o9"]]);
  });

  test("a call that cannot succeed is a dead letter for each of its events, and each of them runs alone", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const running = scene.start(async () => {
      throw new PermanentError("no such channel");
    });
    await scene.publish(...scene.failed(3));
    await until(() => running.status().deadLetters === 3);
    await until(async () => (await scene.subjects()).length === 0);
    const letters = await scene.deadLetters();
    assert.deepEqual(
      letters.map(({ subject }) => subject.split(".")[7]),
      ["o0", "o1", "o2"],
    );
  });

  test("thirty objects are one message in Slack, with a list", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    await using slack = await startSlack();
    slack.channels.set("C0123456789", { name: "prod", isMember: true, isArchived: false });
    process.env["SLACK_BOT_TOKEN"] = slack.token;
    t.after(() => delete process.env["SLACK_BOT_TOKEN"]);
    const config = notifySlack.config.parse({
      botToken: { env: "SLACK_BOT_TOKEN" },
      channel: "C0123456789",
      slackApiUrl: slack.apiUrl,
    });
    const running = scene.start((context) => notifySlack.run({ ...context, config }));
    await scene.publish(...scene.failed(30));
    await until(() => running.status().done === 30);
    assert.equal(slack.messages.length, 1);
    const shown = JSON.stringify(slack.messages[0]);
    assert.match(shown, /30 × Database/);
    assert.match(shown, /prod\/o0.*prod\/o29/);
  });

  test("is refused for a function that takes one event at a time, and for several partitions", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    assert.equal(notifySlack.batches, true);
    const batch = { window: "1s", max: 9 } as const;
    const run = async () => undefined;
    assert.throws(() => scene.startAny(run, { batch }), /takes one event at a time/);
    assert.throws(() => scene.start(undefined, { partitions: 2 }), /set partitions to 1/);
  });
});
