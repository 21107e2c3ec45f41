/** Past events that are replayed to one subscription, on a real nats-server: what runs once more, in which order, and what does not. */
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { findLetter, orderRetry, readLetters } from "../../../../functions/kit/delivery/dead-letter-box.ts";
import {
  cancelReplays,
  handledBy,
  orderReplay,
  type Replay,
  waitingReplays,
} from "../../../../functions/kit/delivery/replay.ts";
import { PermanentError } from "../../../../functions/kit/outcome.ts";
import * as event from "../event-factory.ts";
import { replicasOf } from "../event-factory.ts";
import { door, type Run, startRig, until } from "./rig.ts";

const scaled = (name: string, replicas: number) =>
  event.updated({ name, spec: { replicas: replicas - 1 } }, { name, spec: { replicas } });

async function startScene(t: TestContext) {
  const rig = await startRig(t);
  if (rig === undefined) return undefined;
  const { jetStream } = rig;
  return {
    ...rig,
    /** Orders the events with these sequences, in this order. */
    async replay({ run, again = false }: { run: string } & Partial<Replay>, ...sequences: readonly number[]) {
      for (const streamSequence of sequences) {
        const { message } = await jetStream.api<{ message: { subject: string } }>("STREAM.MSG.GET.CR_EVENTS", {
          seq: streamSequence,
        });
        const past = { streamSequence, subject: message.subject, messageId: undefined };
        assert.equal(await orderReplay(jetStream, "test", { run, again }, past), true);
      }
    },
    async untilReplayed() {
      await until(async () => (await waitingReplays(jetStream, "test")).size === 0);
    },
    /** A subscription that is through with the log, and its retry desk open. */
    async startDone(run: Run, options = {}) {
      const running = rig.start(run, options);
      await rig.untilAcked().catch(() => undefined);
      await until(async () => {
        const info = await jetStream
          .api<{ num_waiting: number }>("CONSUMER.INFO.CR_RETRIES.cr-test")
          .catch(() => undefined);
        return (info?.num_waiting ?? 0) > 0;
      });
      return running;
    },
  };
}

describe("events that are replayed", () => {
  test("reach their subscription alone, and say so", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    await scene.publish(scaled("a", 1), scaled("b", 1));
    const seen: unknown[] = [];
    const note: Run = async ({ subscription, object, replay, idempotencyKey, event: { id } }) => {
      seen.push([subscription, object.metadata.name, replay]);
      assert.equal(idempotencyKey, `${subscription}/${id}`);
    };
    scene.start(note, { name: "other" });
    await until(() => seen.length === 2);
    await scene.startDone(note);
    await until(() => seen.length === 4);
    seen.length = 0;
    await scene.replay({ run: "one" }, 1, 2);
    await scene.untilReplayed();
    assert.deepEqual(seen.toSorted(), [
      ["test", "a", "one"],
      ["test", "b", "one"],
    ]);
    assert.equal((await scene.consumer()).num_ack_pending, 0);
  });

  test("do not run the steps again that are done, and fill in what is missing", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    await scene.publish(scaled("a", 1));
    const effects: string[] = [];
    let isNew = false;
    await scene.startDone(async ({ step }) => {
      await step("open", () => void effects.push("open"));
      if (isNew) await step("tell", () => void effects.push("tell"));
    });
    await until(() => effects.length === 1);
    isNew = true;
    await scene.replay({ run: "one" }, 1);
    await scene.untilReplayed();
    await scene.replay({ run: "two" }, 1);
    await scene.untilReplayed();
    assert.deepEqual(effects, ["open", "tell"]);
  });

  test("run all steps anew with --again, under keys of the run, and not twice when the run goes on", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    await scene.publish(scaled("a", 1));
    const keys: string[] = [];
    await scene.startDone(async ({ step, idempotencyKey, event: { id } }) => {
      await step("open", (call) => void keys.push(call.idempotencyKey.replace(id, "ID")));
      keys.push(idempotencyKey.replace(id, "ID"));
    });
    await until(() => keys.length === 2);
    await scene.replay({ run: "r1", again: true }, 1);
    await scene.untilReplayed();
    await scene.replay({ run: "r1", again: true }, 1);
    await scene.untilReplayed();
    assert.deepEqual(keys, ["test/ID/open", "test/ID", "test/ID/open@r1", "test/ID@r1", "test/ID@r1"]);
  });

  test("keep the order of each object, with two replays at once and a process that stops in the middle", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const replicas = [1, 2, 3, 4, 5, 6];
    for (const each of replicas) await scene.publish(scaled("a", each), scaled("b", each));
    const first = await scene.startDone(async () => undefined);
    await until(() => first.status().done === 12);
    await first.stop();
    const sequences = Array.from({ length: 12 }, (_, index) => index + 1);
    await Promise.all([scene.replay({ run: "one" }, ...sequences), scene.replay({ run: "two" }, ...sequences)]);
    const gate = door();
    const ran: { run: string | undefined; name: string; replicas: number }[] = [];
    const active = new Set<string>();
    const note: Run = async ({ object, replay }) => {
      const { name } = object.metadata;
      assert.ok(!active.has(name), "one of an object at a time");
      active.add(name);
      await gate.passed;
      ran.push({ run: replay, name, replicas: replicasOf(object) });
      active.delete(name);
    };
    const second = scene.start(async () => await new Promise<undefined>(() => undefined), {
      limits: { drainMs: 0, graceMs: 0 },
      attempts: 1,
    });
    await until(async () => {
      const info = await scene.jetStream
        .api<{ num_ack_pending: number }>("CONSUMER.INFO.CR_RETRIES.cr-test")
        .catch(() => undefined);
      return info?.num_ack_pending === 16;
    });
    await second.stop();
    scene.start(note, { attempts: 1 });
    gate.open();
    await scene.untilReplayed();
    for (const run of ["one", "two"])
      for (const name of ["a", "b"])
        assert.deepEqual(
          ran.filter((each) => each.run === run && each.name === name).map((each) => each.replicas),
          replicas,
          `${run} ${name}`,
        );
  });

  test("that fail are dead letters of their own, whose retry belongs to the same run", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const { jetStream } = scene;
    await scene.publish(scaled("a", 1));
    const keys: string[] = [];
    let isOpen = true;
    const running = await scene.startDone(async ({ step, replay, event: { id } }) => {
      await step("open", (call) => void keys.push(`${replay} ${call.idempotencyKey.replace(id, "ID")}`));
      if (!isOpen) throw new PermanentError("no such channel");
      await step("tell", (call) => void keys.push(`${replay} ${call.idempotencyKey.replace(id, "ID")}`));
    });
    await until(() => keys.length === 2);
    isOpen = false;
    await scene.replay({ run: "r1", again: true }, 1);
    await scene.untilReplayed();
    const [letter] = await Array.fromAsync(readLetters(jetStream, {}, AbortSignal.timeout(60_000)));
    assert.deepEqual([letter?.letter.replay, letter?.letter.again, letter?.letter.attempts], ["r1", true, 1]);
    isOpen = true;
    const found = await findLetter(jetStream, letter?.number ?? 0);
    assert.ok(found);
    await orderRetry(jetStream, found);
    await until(() => running.status().done === 2);
    assert.deepEqual(keys.slice(2), ["r1 test/ID/open@r1", "r1 test/ID/tell@r1"]);
  });

  test("that the log has no more are passed over", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    await scene.publish(scaled("a", 1), scaled("a", 2));
    let runs = 0;
    const running = await scene.startDone(async () => void runs++);
    await until(() => runs === 2);
    const first = scaled("a", 1);
    const gone = { streamSequence: 7, subject: first.subject, messageId: undefined };
    await orderReplay(scene.jetStream, "test", { run: "one", again: false }, gone);
    const other = { streamSequence: 2, subject: first.subject, messageId: "another-log" };
    await orderReplay(scene.jetStream, "test", { run: "one", again: false }, other);
    await scene.untilReplayed();
    assert.equal(runs, 2);
    assert.equal(running.lines.filter(({ msg }) => /in the log no more/.test(msg)).length, 2);
  });

  test("do not run any more when they were called off while they waited for their turn", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    await scene.publish(scaled("a", 1), scaled("a", 2));
    const gate = door();
    const ran: number[] = [];
    const running = await scene.startDone(async ({ object, replay }) => {
      if (replay === undefined) return;
      ran.push(replicasOf(object));
      await gate.passed;
    });
    await until(() => running.status().done === 2);
    await scene.replay({ run: "one" }, 1, 2);
    await until(() => ran.length === 1);
    assert.equal(await cancelReplays(scene.jetStream, "test"), 2);
    gate.open();
    await until(async () => {
      const info = await scene.jetStream.api<{ num_ack_pending: number }>("CONSUMER.INFO.CR_RETRIES.cr-test");
      return info.num_ack_pending === 0;
    });
    assert.deepEqual(ran, [1]);
  });

  test("are those that the subscription is through with: the others come by themselves", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const events = [scaled("a", 1), scaled("a", 2)];
    await scene.publish(...events);
    assert.equal(await handledBy(scene.jetStream, "test"), undefined);
    const gate = door();
    scene.start(async ({ object }) => {
      if (replicasOf(object) === 2) await gate.passed;
    });
    const isHandled = async (streamSequence: number) =>
      (await handledBy(scene.jetStream, "test"))?.({ subject: events[0]?.subject ?? "", streamSequence });
    await until(async () => (await isHandled(1)) === true);
    assert.equal(await isHandled(2), false);
    gate.open();
    await until(async () => (await isHandled(2)) === true);
  });
});
