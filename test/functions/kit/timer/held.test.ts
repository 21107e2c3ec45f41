/** `for`: a function is called when a state has held for a while, and only then, on a real nats-server. */
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { pino } from "pino";
import type { JetStream } from "../../../../bridge/nats/jetstream.ts";
import { unlessMissing } from "../../../../bridge/nats/jetstream-error.ts";
import { getStored } from "../../../../bridge/nats/stored-message.ts";
import { findLetter, orderRetry } from "../../../../functions/kit/delivery/dead-letter-box.ts";
import { compileFilter } from "../../../../functions/kit/filter/match.ts";
import { createTimers } from "../../../../functions/kit/timer/timers.ts";
import type { Run, StartOptions } from "../delivery/rig.ts";
import { startRig, until } from "../delivery/rig.ts";
import type { TestEvent } from "../event-factory.ts";
import * as event from "../event-factory.ts";
import { createHistory as history } from "./history.ts";
import { holdDue } from "./hold-due.ts";

const FAILED = { when: { phase: { to: "Failed" } }, for: "2s" } as const;
/** A server may be early by less than this. */
const EARLY_MS_MAX = 10;

async function startScene(t: TestContext) {
  const rig = await startRig(t);
  if (rig === undefined) return undefined;
  const seen: { id: string; replicas: number; incident: string | undefined }[] = [];
  const calledAtMs = new Map<string, number>();
  const run: Run = async ({ object, event: { id }, heldSince, incident }) => {
    if (incident?.type !== "resolved") assert.ok(heldSince);
    seen.push({ id, replicas: event.replicasOf(object), incident: incident?.type });
    calledAtMs.set(id, Date.now());
  };
  /** How many there are that wait or are due, and how many messages there were ever. */
  const timers = async () => {
    type Info = { state: { subjects?: Record<string, number>; last_seq: number } };
    const asked = rig.jetStream.api<Info>("STREAM.INFO.CR_TIMERS", { subjects_filter: "crtimer.>" });
    const { subjects = {}, last_seq = 0 } = (await unlessMissing("stream", asked))?.state ?? {};
    return { open: Object.keys(subjects).filter((each) => /^crtimer\.(wait|due)\./.test(each)).length, last_seq };
  };
  return {
    ...rig,
    seen,
    ids: () => seen.map(({ id }) => id),
    assertHeldFor: ({ envelope: { id, time } }: TestEvent, ms: number) => {
      const heldMs = (calledAtMs.get(id) ?? 0) - Date.parse(time);
      assert.ok(heldMs >= ms - EARLY_MS_MAX, `called after ${heldMs} ms`);
    },
    start: (options: StartOptions = {}, own = run) => rig.start(own, { ...FAILED, ...options }),
    /** Until nothing waits and nothing is due any more. */
    untilQuiet: () => until(async () => (await timers()).open === 0 && (await timers()).last_seq > 0),
    timers,
    due: () => rig.jetStream.api<{ num_pending: number; num_ack_pending: number }>("CONSUMER.INFO.CR_TIMERS.cr-test"),
  };
}
const idOf = ({ envelope }: TestEvent) => envelope.id;

describe("for", () => {
  test("calls the function once when the state has held, with the event that entered it and the object as it is by now", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const a = history("a");
    const entered = a.moved("Failed");
    await scene.publish(entered, a.moved("Failed"));
    const running = scene.start();
    await until(() => running.status().waiting === 1);
    await scene.untilAcked();
    await scene.untilQuiet();
    assert.deepEqual(scene.seen, [{ id: idOf(entered), replicas: 2, incident: undefined }]);
    assert.equal(running.status().done, 1);
    scene.assertHeldFor(entered, 2_000);
  });

  test("does nothing for a state that was left, and times one that was entered again from there", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const [left, back, born] = [history("left"), history("back"), history("born")];
    const first = back.moved("Failed");
    await scene.publish(left.moved("Failed"), first, born.created("Failed"), left.moved("Running"));
    await sleep(1_000);
    await scene.publish(back.moved("Running"));
    const again = back.moved("Failed");
    await scene.publish(again, born.moved("Running"));
    const running = scene.start();
    await until(() => running.status().state === "running");
    await scene.untilAcked();
    await scene.untilQuiet();
    assert.deepEqual(scene.ids(), [idOf(again)]);
    scene.assertHeldFor(again, 2_000);
  });

  test("does nothing for an object that was deleted, nor for another one of its name", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const [gone, again] = [history("gone"), history("again")];
    const another = history("again", { uid: "another" });
    await scene.publish(gone.moved("Failed"), again.moved("Failed"), gone.deleted(), again.deleted());
    const entered = another.created("Failed");
    await scene.publish(entered);
    const running = scene.start();
    await until(() => running.status().waiting === 3);
    await scene.untilQuiet();
    assert.deepEqual(scene.ids(), [idOf(entered)]);
  });

  test("counts from when the state began, where the object was there before the bridge", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const long = history("long").existing("Failed", Date.now() - 7_200_000);
    const recent = history("recent").existing("Failed", Date.now());
    const running = scene.start({ includeExisting: true, for: "1h" });
    await scene.publish(recent, long);
    await until(() => running.status().waiting === 2 && running.status().done === 1);
    await until(async () => (await scene.timers()).open === 1);
    assert.deepEqual(scene.ids(), [idOf(long)]);
  });

  test("waits in NATS: with no process, and with NATS itself restarted, what is due wakes a scaler", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const [held, left] = [history("held"), history("left")];
    const entered = held.moved("Failed");
    const first = scene.start();
    const release = await holdDue(scene.jetStream);
    await scene.publish(entered, left.moved("Failed"));
    await until(() => first.status().waiting === 2);
    await scene.untilAcked();
    await first.stop();
    await scene.publish(left.moved("Running"));
    await scene.nats.kill();
    await scene.nats.restart();
    await scene.jetStream.whenConnected(AbortSignal.timeout(60_000));
    await until(async () => (await scene.due().catch(() => undefined))?.num_pending === 2);
    assert.deepEqual(scene.seen, []);
    await release();
    scene.start();
    await scene.untilQuiet();
    assert.deepEqual(scene.ids(), [idOf(entered)]);
    await until(async () => (await scene.due()).num_ack_pending === 0);
    assert.deepEqual([(await scene.due()).num_pending, (await scene.due()).num_ack_pending], [0, 0]);
  });

  test("tries a function again that fails, and keeps a dead letter of it, which runs when it is tried again", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const entered = history("a").moved("Failed");
    const attempts: number[] = [];
    const running = scene.start({ attempts: 2, for: "1s" }, async ({ attempt }) => {
      attempts.push(attempt);
      throw new Error("no");
    });
    await scene.publish(entered);
    await until(() => running.status().deadLetters === 1);
    await scene.untilQuiet();
    assert.deepEqual(attempts, [1, 2]);
    const [letter] = await scene.deadLetters();
    assert.equal(JSON.parse(letter?.payload ?? "{}").id, idOf(entered));
    await running.stop();
    const found = await findLetter(scene.jetStream, 1);
    assert.ok(found);
    await orderRetry(scene.jetStream, found);
    scene.start({ for: "1s" });
    await until(async () => (await findLetter(scene.jetStream, 1)) === undefined);
    assert.deepEqual(scene.ids(), [idOf(entered)]);
  });

  test("opens an incident when the state has held, and resolves only what it opened", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const [short, long] = [history("short"), history("long")];
    const [entered, shortly] = [long.moved("Failed"), short.moved("Failed")];
    await scene.publish(entered, shortly, short.moved("Running"));
    const running = scene.start({ resolve: { phase: { to: "Running" } } });
    await until(() => running.status().waiting === 2);
    await scene.untilQuiet();
    await scene.publish(long.moved("Running"), short.moved("Pending"));
    await until(() => running.status().done === 2);
    await scene.untilAcked();
    assert.deepEqual(
      scene.seen.map(({ incident, replicas }) => [incident, replicas]),
      [
        ["opened", 1],
        ["resolved", 2],
      ],
    );
    assert.equal(scene.ids()[0], idOf(entered));
  });

  test("judges what waits by the filter as it is when it is due", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const [gold, lead] = [history("gold"), history("lead")];
    const first = scene.start();
    const release = await holdDue(scene.jetStream);
    const entered = gold.moved("Failed", { labels: { tier: "gold" } });
    await scene.publish(entered, lead.moved("Failed"));
    await until(() => first.status().waiting === 2);
    await scene.untilAcked();
    await first.stop();
    await release();
    scene.start({ when: { phase: { to: "Failed" }, labels: { tier: "gold" } }, for: "3s" });
    await scene.untilQuiet();
    assert.deepEqual(scene.ids(), [idOf(entered)]);
    scene.assertHeldFor(entered, 3_000);
  });

  test("what the log delivers again, from its beginning, is told as if it came once", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const a = history("a");
    const [first, out, again] = [a.moved("Failed"), a.moved("Running"), a.moved("Failed")];
    const running = scene.start();
    await scene.publish(first, out, again);
    await until(() => running.status().waiting === 2);
    await scene.untilAcked();
    await running.stop();
    await forget(scene);
    const next = scene.start();
    await scene.untilQuiet();
    assert.deepEqual(scene.ids(), [idOf(again)]);
    await next.stop();
    await forget(scene);
    const last = scene.start();
    await until(() => last.status().waiting === 2);
    await scene.untilAcked();
    await scene.untilQuiet();
    assert.deepEqual(scene.ids(), [idOf(again)], "it was told before");
  });

  test("an older event that comes again alone does not take the place of a newer one's timer", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const a = history("a");
    const [first, , again] = [a.moved("Failed"), a.moved("Running"), a.moved("Failed")];
    const matcher = compileFilter({ apiVersion: "demo.example.com/v1", kind: "Database", ...FAILED });
    assert.ok(matcher.window);
    const timers = createTimers(
      scene.jetStream,
      "test",
      { ...matcher, window: matcher.window },
      pino({ enabled: false }),
    );
    const wait = ({ subject, payload, envelope }: TestEvent, streamSequence: number) => {
      const message = {
        subject,
        data: Buffer.from(payload),
        reply: undefined,
        status: 0,
        description: "",
        header: () => undefined,
      };
      return timers.wait(
        { message, streamSequence, storedAtMs: Date.now(), event: envelope },
        AbortSignal.timeout(60_000),
      );
    };
    await wait(again, 3);
    await wait(first, 1);
    const waiting = await getStored(scene.jetStream, "CR_TIMERS", { last_by_subj: "crtimer.wait.test.>" });
    assert.equal(waiting?.header("Cr-Sequence"), "3");
  });
});

/** As a subscription that nobody knows any more: everything in the log is delivered again. */
async function forget({ jetStream }: { readonly jetStream: JetStream }): Promise<void> {
  await jetStream.api("CONSUMER.DELETE.CR_EVENTS.cr-test");
  await jetStream.api("STREAM.PURGE.KV_CR_SUBSCRIPTIONS");
}
