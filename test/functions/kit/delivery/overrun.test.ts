/** What the log dropped before a subscription read it: noticed, counted, and told once. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { objectPart } from "../../../../bridge/log/subject.ts";
import type { ConnectionEvent, JetStream } from "../../../../bridge/nats/jetstream.ts";
import { created } from "../../../../functions/kit/filter/builder.ts";
import type { TestEvent } from "../event-factory.ts";
import * as event from "../event-factory.ts";
import { door, type Rig, type Started, startRig, until } from "./rig.ts";

/** Events of one exact subject. */
const updates = (name: string, count: number) =>
  Array.from({ length: count }, (_, i) =>
    event.updated({ name, spec: { replicas: i } }, { name, spec: { replicas: i + 1 } }),
  );
const told = ({ lines }: Started) => lines.filter(({ msg }) => msg.includes("older events were dropped"));
const countsOf = (running: Started) => {
  const { overrunObjects, overrunEventsMax } = running.status();
  return { overrunObjects, overrunEventsMax };
};
const NOTHING = { overrunObjects: 0, overrunEventsMax: 0 };
const ONE_IN_HAND = { heldMax: 1, overrunLookMs: 20 };

/** Makes the consumer, as a process that then stops. */
async function madeAndStopped(rig: Rig, options: Parameters<Rig["start"]>[1] = {}) {
  const running = rig.start(async () => undefined, options);
  await until(() => running.status().state === "running");
  await running.stop();
}

/** The connection with its questions counted, and its events at hand. */
function observed(jetStream: JetStream) {
  const asked: string[] = [];
  const listeners: ((event: ConnectionEvent) => void)[] = [];
  const observing: JetStream = Object.assign(Object.create(jetStream) as JetStream, {
    api: (call: string, body?: unknown) => {
      asked.push(call);
      return jetStream.api(call, body);
    },
    onConnection: (listener: (event: ConnectionEvent) => void) => {
      listeners.push(listener);
      return jetStream.onConnection(listener);
    },
  });
  const looks = () => asked.filter((call) => call.startsWith("STREAM.MSG.GET")).length;
  const tell = (event: ConnectionEvent) => {
    for (const listener of listeners) listener(event);
  };
  return { jetStream: observing, looks, tell };
}

/** As the bridge publishes: with the sequence of the object's event before. */
async function publishFenced(rig: Rig, events: readonly TestEvent[], last = new Map<string, number>()) {
  for (const { subject, payload } of events) {
    const object = objectPart(subject);
    const headers = {
      "Nats-Expected-Last-Subject-Sequence": String(last.get(object) ?? 0),
      "Nats-Expected-Last-Subject-Sequence-Subject": `${object}.>`,
    };
    last.set(object, (await rig.jetStream.publish(subject, payload, headers)).seq);
  }
}

describe("a subscription that was stopped", () => {
  test("is told which objects lost events while it was away, and at most how many", async (t) => {
    const rig = await startRig(t);
    if (rig === undefined) return;
    await madeAndStopped(rig);
    await rig.publish(...updates("hot", 100), ...updates("calm", 5));
    const running = rig.start(async () => undefined);
    await until(() => running.status().done === 37);
    assert.deepEqual(countsOf(running), { overrunObjects: 1, overrunEventsMax: 68 });
    const [line, ...more] = told(running);
    assert.deepEqual(more, []);
    assert.equal(line?.level, 40);
    assert.equal(line?.["subscription"], "test");
    assert.deepEqual(line?.["objects"], ["prod/hot"]);
    assert.match(line?.msg ?? "", /^of 1 object, .*at most 68 events.*the newest 32 .*streams\.eventsPerSubjectMax$/);
  });

  test("is told nothing when it is behind and everything is still there", async (t) => {
    const rig = await startRig(t);
    if (rig === undefined) return;
    await madeAndStopped(rig);
    await rig.publish(...updates("a", 32), ...updates("b", 20));
    const { jetStream, looks } = observed(rig.jetStream);
    const running = rig.start(async () => undefined, { jetStream });
    await until(() => running.status().done === 52);
    assert.ok(looks() > 0);
    assert.deepEqual([countsOf(running), told(running)], [NOTHING, []]);
  });

  test("an object with just as many events as are kept is not among those that lost some", async (t) => {
    const rig = await startRig(t);
    if (rig === undefined) return;
    await madeAndStopped(rig);
    await publishFenced(rig, [event.created({ name: "full" }), ...updates("full", 32), ...updates("over", 40)]);
    const running = rig.start(async () => undefined);
    await until(() => running.status().done === 65);
    assert.deepEqual(
      told(running).map((line) => line["objects"]),
      [["prod/over"]],
    );
    assert.deepEqual(countsOf(running), { overrunObjects: 1, overrunEventsMax: 8 });
  });

  test("is told nothing of objects that it did not ask for", async (t) => {
    const rig = await startRig(t);
    if (rig === undefined) return;
    await madeAndStopped(rig, { when: created() });
    await rig.publish(...updates("hot", 100));
    await rig.publish(...Array.from({ length: 40 }, (_, i) => event.created({ name: `new-${i}` })));
    const running = rig.start(async () => undefined, { when: created() });
    await until(() => running.status().done === 40);
    assert.deepEqual([countsOf(running), told(running)], [NOTHING, []]);
  });
});

describe("a subscription that runs and is slow", () => {
  test("is told once, and again when it had caught up and is overrun once more", async (t) => {
    const rig = await startRig(t);
    if (rig === undefined) return;
    const { jetStream, looks } = observed(rig.jetStream);
    const gates = [door(), door()];
    let gate = gates[0];
    const running = rig.start(async () => gate?.passed, { jetStream, limits: ONE_IN_HAND });
    await until(() => running.status().state === "running");
    for (const [round, next] of gates.entries()) {
      gate = next;
      const before = running.status().done;
      await rig.publish(...updates("hot", 1));
      await until(async () => (await rig.consumer()).num_ack_pending === 1);
      await rig.publish(...updates("hot", 99));
      await until(() => told(running).length === round + 1 && running.status().overrunEventsMax === 67 * (round + 1));
      const looksBefore = looks();
      await until(() => looks() > looksBefore + 6);
      assert.deepEqual(countsOf(running), { overrunObjects: round + 1, overrunEventsMax: 67 * (round + 1) });
      assert.equal(told(running).length, round + 1);
      next.open();
      await until(() => running.status().done === before + 33);
      await rig.untilAcked();
    }
  });

  test("is told after a reconnect", async (t) => {
    const rig = await startRig(t);
    if (rig === undefined) return;
    const { jetStream, tell } = observed(rig.jetStream);
    const gate = door();
    const running = rig.start(() => gate.passed, { jetStream, limits: { heldMax: 1 } });
    await until(() => running.status().state === "running");
    await rig.publish(...updates("hot", 1));
    await until(async () => (await rig.consumer()).num_ack_pending === 1);
    await rig.publish(...updates("hot", 99));
    tell({ type: "connected" });
    await until(() => told(running).length === 1);
    gate.open();
  });

  test("a new one is not told of what was dropped before its time, though it starts with all", async (t) => {
    const rig = await startRig(t);
    if (rig === undefined) return;
    // So the log begins before what was dropped.
    await rig.publish(...updates("calm", 1), ...updates("hot", 100));
    const { jetStream, looks } = observed(rig.jetStream);
    const gate = door();
    const running = rig.start(() => gate.passed, { jetStream, limits: ONE_IN_HAND, start: "all" });
    await until(() => looks() >= 10);
    assert.deepEqual([countsOf(running), told(running)], [NOTHING, []]);
    await rig.publish(...updates("hot", 33));
    await until(() => told(running).length === 1);
    gate.open();
  });

  test("a look that the server does not allow is told once, and holds up nothing", async (t) => {
    const rig = await startRig(t);
    if (rig === undefined) return;
    await madeAndStopped(rig);
    await rig.publish(...updates("hot", 100));
    const refusing: JetStream = Object.assign(Object.create(rig.jetStream) as JetStream, {
      api: (call: string, body?: unknown) =>
        call.startsWith("STREAM.MSG.GET") ? Promise.reject(new Error("no answer")) : rig.jetStream.api(call, body),
    });
    const running = rig.start(async () => undefined, { jetStream: refusing });
    await until(() => running.status().done === 32);
    const lines = running.lines.filter(({ msg }) => msg.startsWith("cannot tell whether events were dropped"));
    assert.deepEqual(
      lines.map((line) => line["reason"]),
      ["no answer"],
    );
  });
});
