/** What a silence held back is told when it is over, if that was asked for, on a real nats-server. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { pino } from "pino";
import { PermanentError } from "../../../../functions/kit/outcome.ts";
import { createHeldBackBook } from "../../../../functions/kit/silence/held-back.ts";
import { endSilence } from "../../../../functions/kit/silence/silence-bucket.ts";
import { until } from "../delivery/rig.ts";
import { createHistory } from "../timer/history.ts";
import { failed, idOf, startScene } from "./silence-scene.ts";

describe("a summary", () => {
  test("is the last event of each object, for functions that take one at a time", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const running = scene.start();
    const a = createHistory("a");
    const id = await scene.silence({ summary: true });
    const events = [a.moved("Failed"), a.moved("Running"), a.moved("Failed"), failed("b")];
    await scene.publish(...events);
    await until(() => running.status().silenced === 3);
    await scene.untilAcked();
    assert.deepEqual(scene.calls, []);
    await endSilence(scene.jetStream, id, "me");
    await until(() => running.status().done === 2);
    await until(async () => (await scene.heldBack(id))[0]?.told === 2);
    assert.deepEqual(new Set(scene.ids()), new Set(events.slice(2).map(idOf)));
    assert.deepEqual((await scene.heldBack(id))[0]?.events, 3);
  });

  test("is one call for functions that take many, also where the subscription names no batch", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const running = scene.start({ batches: true });
    const id = await scene.silence({ summary: true });
    await scene.publish(...Array.from({ length: 30 }, (_, i) => failed(`o${i}`)));
    await until(() => running.status().silenced === 30);
    await endSilence(scene.jetStream, id, "me");
    await until(() => running.status().done === 30);
    assert.deepEqual(
      scene.calls.map(({ names }) => new Set(names).size),
      [30],
    );
    await until(async () => (await scene.heldBack(id))[0]?.untold === 0);
    await until(async () => (await scene.waiting()).length === 0);
  });

  test("comes by itself when the time is up, and wakes a subscription that sleeps; a killed NATS forgets nothing", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const first = scene.start();
    const id = await scene.silence({ summary: true, forMs: 10_000 });
    const event = failed("a");
    await scene.publish(event);
    await until(() => first.status().silenced === 1);
    await scene.untilAcked();
    await until(async () => (await scene.due().catch(() => undefined)) !== undefined);
    await first.stop();
    await scene.nats.kill();
    await scene.nats.restart();
    await scene.jetStream.whenConnected(AbortSignal.timeout(60_000));
    await until(async () => (await scene.due().catch(() => undefined))?.num_pending === 1);
    assert.deepEqual(scene.calls, []);
    const second = scene.start();
    await until(() => second.status().done === 1);
    assert.deepEqual(scene.ids(), [idOf(event)]);
    await until(async () => (await scene.heldBack(id))[0]?.told === 1);
  });

  test("of a process that dies in the middle is told by the next one, and what was told is not told again", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const told: string[] = [];
    const first = scene.start({ concurrency: 1, limits: { drainMs: 0, graceMs: 0 } }, async ({ event: { name } }) => {
      if (told.length === 2) await new Promise(() => undefined);
      told.push(name);
    });
    const id = await scene.silence({ summary: true });
    await scene.publish(...["a", "b", "c", "d"].map((name) => failed(name)));
    await until(() => first.status().silenced === 4);
    await endSilence(scene.jetStream, id, "me");
    await until(() => told.length === 2 && first.status().runs === 3);
    await until(async () => (await scene.heldBack(id))[0]?.told === 2);
    await first.stop();
    const second = scene.start({}, async ({ event: { name } }) => void told.push(name));
    await until(async () => (await scene.heldBack(id))[0]?.told === 4);
    assert.equal(second.status().done, 2);
    assert.deepEqual(told.toSorted(), ["a", "b", "c", "d"]);
  });

  test("whose process is told to stop while it is looked up is not taken for told", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const running = scene.start();
    const id = await scene.silence({ summary: true });
    const event = failed("a");
    await scene.publish(event);
    await until(() => running.status().silenced === 1);
    const book = createHeldBackBook(scene.jetStream, "test", pino({ enabled: false }));
    const partition = event.subject.slice(event.subject.lastIndexOf(".") + 1);
    const stop = new AbortController();
    const untold = book.untold(id, partition, stop.signal);
    stop.abort();
    await assert.rejects(untold);
    assert.equal((await book.untold(id, partition, new AbortController().signal)).length, 1);
  });

  test("that fails for good is a dead letter of each event, and is not told again", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const running = scene.start({}, async () => {
      throw new PermanentError("no");
    });
    const id = await scene.silence({ summary: true });
    await scene.publish(failed("a"), failed("b"));
    await until(() => running.status().silenced === 2);
    await endSilence(scene.jetStream, id, "me");
    await until(() => running.status().deadLetters === 2);
    await until(async () => (await scene.heldBack(id))[0]?.told === 2);
  });

  test("that another silence is about goes over to that one", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const running = scene.start();
    const id = await scene.silence({ summary: true });
    const event = failed("a");
    await scene.publish(event);
    await until(() => running.status().silenced === 1);
    const other = await scene.silence({ summary: true });
    await endSilence(scene.jetStream, id, "me");
    await until(async () => (await scene.heldBack(other))[0]?.untold === 1);
    assert.deepEqual(scene.calls, []);
    await endSilence(scene.jetStream, other, "me");
    await until(() => running.status().done === 1);
    assert.deepEqual(scene.ids(), [idOf(event)]);
  });

  test("tells only what still holds, with for", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const running = scene.start({ for: "1s" });
    const id = await scene.silence({ summary: true });
    const [left, stays] = [createHistory("left"), createHistory("stays")];
    const entered = stays.moved("Failed");
    await scene.publish(left.moved("Failed"), entered);
    await until(() => running.status().silenced === 2);
    await scene.publish(left.moved("Running"));
    await endSilence(scene.jetStream, id, "me");
    await until(async () => (await scene.heldBack(id))[0]?.told === 2);
    assert.deepEqual(scene.ids(), [idOf(entered)]);
  });
});

describe("a silence and an incident", () => {
  const RESOLVE = { resolve: { phase: { to: "Running" } } } as const;

  test("that was opened before is resolved in it, and not updated", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const running = scene.start(RESOLVE);
    const a = createHistory("a");
    await scene.publish(a.moved("Failed"));
    await until(() => running.status().done === 1);
    await scene.silence();
    await scene.publish(a.moved("Pending"), a.moved("Failed"), a.moved("Running"));
    await until(() => running.status().done === 2);
    assert.equal(running.status().silenced, 1);
    assert.deepEqual(
      scene.calls.map(({ incident }) => incident),
      ["opened", "resolved"],
    );
  });

  test("that opens in it is told to nobody, whenever it resolves; the next one is", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const running = scene.start(RESOLVE);
    const [inside, after] = [createHistory("inside"), createHistory("after")];
    const id = await scene.silence({ when: { phase: { to: "Failed" } } });
    await scene.publish(inside.moved("Failed"), inside.moved("Running"), after.moved("Failed"));
    await until(() => running.status().silenced === 2);
    await endSilence(scene.jetStream, id, "me");
    const resolving = after.moved("Running");
    await scene.publish(resolving);
    await until(() => running.status().skipped === 2);
    assert.equal(scene.calls.length, 0);
    await running.stop();
    const next = scene.start({ ...RESOLVE, silences: [] });
    await scene.publish(after.moved("Failed"));
    await until(() => next.status().done === 1);
    assert.deepEqual(scene.calls[0]?.incident, "opened");
  });

  test("is opened afterwards where the object is still in trouble, with a summary", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const running = scene.start({ ...RESOLVE, batches: true });
    const [stays, inside] = [createHistory("stays"), createHistory("inside")];
    const id = await scene.silence({ summary: true });
    const opening = stays.moved("Failed");
    await scene.publish(opening, inside.moved("Failed"), inside.moved("Running"));
    await until(() => running.status().silenced === 2);
    await endSilence(scene.jetStream, id, "me");
    await until(async () => (await scene.heldBack(id))[0]?.told === 2);
    assert.deepEqual(
      scene.calls.map(({ id: event, incident }) => [event, incident]),
      [[idOf(opening), "opened"]],
    );
    await scene.publish(stays.moved("Running"));
    await until(() => running.status().done === 2);
    const incidents = scene.calls.map(({ incident }) => incident);
    assert.deepEqual(incidents, ["opened", "resolved"]);
  });
});
