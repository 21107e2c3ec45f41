/** `batch`: many events, one call, on a real nats-server. */
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { getStored } from "../../../../bridge/nats/stored-message.ts";
import { PermanentError } from "../../../../functions/kit/outcome.ts";
import notifySlack from "../../../../functions/notify-slack.ts";
import { startSlack } from "../../../kit/slack-server.ts";
import { type Run, type StartOptions, startRig, until } from "../delivery/rig.ts";
import * as event from "../event-factory.ts";
import { createHistory } from "./history.ts";
import { holdDue } from "./hold-due.ts";

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
    holdDue: (subscription?: string) => holdDue(rig.jetStream, subscription),
    subjects: async () => {
      const { state } = await rig.jetStream.api<{ state: { subjects?: Record<string, number> } }>(
        "STREAM.INFO.CR_TIMERS",
        { subjects_filter: "crtimer.>" },
      );
      return Object.keys(state.subjects ?? {}).filter((each) => /^crtimer\.(member|wait|due|call)\./.test(each));
    },
  };
}

describe("batch", () => {
  test("thirty objects that fail within a window are one call, and nothing is left", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const running = scene.start();
    const release = await scene.holdDue();
    await scene.publish(...scene.failed(30));
    await until(() => running.status().waiting === 30);
    await release();
    await until(() => running.status().done === 30);
    await scene.untilAcked();
    await until(async () => (await scene.subjects()).length === 0);
    assert.deepEqual(
      scene.calls.map((names) => new Set(names).size),
      [30],
    );
    const releaseMore = await scene.holdDue();
    await scene.publish(...scene.failed(2, 30));
    await until(() => running.status().waiting === 32);
    await releaseMore();
    await until(() => running.status().done === 32);
    assert.deepEqual(scene.calls[1], ["o30", "o31"]);
  });

  test("the window ends by itself, and not before its time", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const publishedMs = Date.now();
    const running = scene.start(undefined, { batch: { window: "1s" } });
    await scene.publish(...scene.failed(1));
    await until(() => running.status().done === 1);
    assert.ok(Date.now() - publishedMs >= 1_000);
  });

  test("more than fit are several calls", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const running = scene.start(undefined, { batch: { window: "1s", max: 2 } });
    const release = await scene.holdDue();
    await scene.publish(...scene.failed(5));
    await until(() => running.status().waiting === 5);
    await release();
    await until(() => running.status().done === 5);
    assert.deepEqual(
      scene.calls.map((names) => names.length),
      [2, 2, 1],
    );
  });

  test("as soon as so many are there as fit, they are a call, long before the window is over", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const running = scene.start(undefined, { batch: { window: "1h", max: 3 } });
    await scene.publish(...scene.failed(7));
    await until(() => running.status().done === 6);
    assert.deepEqual(
      scene.calls.map((names) => names.length),
      [3, 3],
    );
    await scene.publish(...scene.failed(2, 7));
    await until(() => running.status().done === 9);
  });

  test("by namespace, each has its own call, its own window and its own order", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const running = scene.start(
      async ({ events = [] }) => void scene.calls.push(events.map(({ namespace, name }) => `${namespace}/${name}`)),
      { batch: { window: "1s", by: "namespace" }, concurrency: 1 },
    );
    const release = await scene.holdDue();
    const failed = (namespace: string, name: string) => event.created({ namespace, name, phase: "Failed" });
    await scene.publish(failed("prod", "a"), failed("dev", "a"), failed("prod", "b"), failed("dev", "b"));
    await until(() => running.status().waiting === 4);
    await release();
    await until(() => running.status().done === 4);
    assert.deepEqual(scene.calls.toSorted(), [
      ["dev/a", "dev/b"],
      ["prod/a", "prod/b"],
    ]);
  });

  test("an event that leaves no room beside it waits by its place in the log, and one that the log has no more is a dead letter", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const spec = { text: "x".repeat(1_043_000) };
    const large = (name: string) => event.created({ name, phase: "Failed", spec });
    for (const time of [{ batch: { window: "1s" } }, { throttle: { max: 1, per: "1s" } }, { for: "1s" }] as const) {
      const [name = ""] = Object.keys(time);
      const read: string[] = [];
      const running = scene.startAny(
        async ({ events = [] }) =>
          void read.push(...events.map(({ name: each, data }) => `${each} ${JSON.stringify(data.object.spec).length}`)),
        { name, when: { phase: { to: "Failed" } }, start: "now", batches: true, ...time },
      );
      await until(() => running.status().state === "running");
      const release = await scene.holdDue(name);
      const own = ["small", "kept", "gone"].map((each) => `${name}-${each}`);
      const [small = "", kept = "", gone = ""] = own;
      const isHeldBack = (each: string) => name !== "throttle" || each !== small;
      await scene.publish(event.created({ name: small, phase: "Failed" }));
      await until(() => running.status().done + running.status().waiting === 1);
      await scene.publish(large(kept), large(gone));
      await until(() => running.status().waiting === own.filter(isHeldBack).length);
      const filter = `cr.lab.demo_example_com.Database.prod.${gone}.>`;
      await scene.jetStream.api("STREAM.PURGE.CR_EVENTS", { filter });
      await release();
      await until(() => running.status().done + running.status().deadLetters === 3);
      const size = JSON.stringify(spec).length;
      assert.deepEqual(read.toSorted(), [`${kept} ${size}`, `${small} 14`].toSorted(), name);
      const [letter] = (await scene.deadLetters()).slice(-1);
      assert.match(letter?.subject ?? "", new RegExp(gone));
      assert.match(JSON.stringify(letter?.headers), /too large to wait/);
      await running.stop();
    }
  });

  test("of a subscription that is deleted, what waits goes by itself", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const running = scene.start(undefined, { batch: { window: "1h" } });
    await scene.publish(...scene.failed(1));
    await until(() => running.status().waiting === 1);
    await running.stop();
    const member = await getStored(scene.jetStream, "CR_TIMERS", { last_by_subj: "crtimer.member.test.>" });
    assert.equal(member?.header("Nats-TTL"), "960h");
  });

  test("waits through restarts of the process and of NATS", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const first = scene.start();
    const release = await scene.holdDue();
    await scene.publish(...scene.failed(3));
    await until(() => first.status().waiting === 3);
    await scene.untilAcked();
    await first.stop();
    await scene.nats.restart();
    await scene.jetStream.whenConnected(AbortSignal.timeout(60_000));
    await release();
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
    const release = await scene.holdDue();
    await scene.publish(...scene.failed(2));
    await until(() => running.status().waiting === 2);
    await release();
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
    const release = await scene.holdDue();
    await scene.publish(...scene.failed(2));
    await until(() => first.status().waiting === 2);
    await release();
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
    const release = await scene.holdDue();
    await scene.publish(...scene.failed(30));
    await until(() => running.status().waiting === 30);
    await release();
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
