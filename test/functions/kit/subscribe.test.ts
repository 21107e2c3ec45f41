import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type JetStream, RequestLostError } from "../../../bridge/jetstream.ts";
import { phase } from "../../../functions/kit/filter.ts";
import * as event from "./event-factory.ts";
import { door, type Rig, startRig, until } from "./rig.ts";

const replicasOf = (object: object) => (object as unknown as { spec: { replicas: number } }).spec.replicas;
const scaled = (name: string, replicas: number) =>
  event.updated({ name, spec: { replicas: replicas - 1 } }, { name, spec: { replicas } });
const never = () => new Promise<void>(() => undefined);

describe("stopping", () => {
  test("running tries may end and are acknowledged; the rest goes to the next process, nothing twice", async (t) => {
    const rig = await startRig(t);
    if (rig === undefined) return;
    const gate = door();
    const runs: string[] = [];
    await rig.publish(scaled("a", 1), scaled("a", 2), scaled("b", 1));
    const first = rig.start(async ({ object }) => {
      runs.push(`${object.metadata.name}${replicasOf(object)} first`);
      if (object.metadata.name === "a") await gate.passed;
    });
    await until(() => first.status().done === 1 && runs.length === 2);
    const stopped = first.stop();
    await until(() => first.status().state === "draining");
    gate.open();
    await stopped;
    assert.equal(first.status().state, "stopped");
    assert.equal((await rig.consumer()).num_ack_pending, 1);
    const second = rig.start(
      async ({ object }) => void runs.push(`${object.metadata.name}${replicasOf(object)} second`),
    );
    await until(() => second.status().done === 1);
    await rig.untilAcked();
    assert.deepEqual(runs.toSorted(), ["a1 first", "a2 second", "b1 first"]);
  });

  test("a try that does not end in time is told to, and its event is tried by the next process", async (t) => {
    const rig = await startRig(t);
    if (rig === undefined) return;
    let reason: unknown;
    await rig.publish(scaled("a", 1), scaled("b", 1));
    let begun = 0;
    const first = rig.start(
      async ({ object, signal }) => {
        begun++;
        signal.addEventListener("abort", () => {
          reason = signal.reason;
        });
        if (object.metadata.name === "a") await sleep(3_600_000, undefined, { signal });
        await never();
      },
      { limits: { drainMs: 20 } },
    );
    await until(() => begun === 2);
    await first.stop();
    assert.match(String(reason), /the process stops/);
    const attempts: number[] = [];
    const second = rig.start(async ({ attempt }) => void attempts.push(attempt));
    await until(() => second.status().done === 2);
    assert.deepEqual(attempts, [2, 2]);
  });

  test("an event that waits for its next try does not hold up the end", async (t) => {
    const rig = await startRig(t);
    if (rig === undefined) return;
    await rig.publish(scaled("a", 1));
    const running = rig.start(
      async () => {
        throw new Error("not yet");
      },
      { limits: { retry: { firstMs: 3_600_000, maxMs: 3_600_000, resetAfterMs: 1 } } },
    );
    await until(() => running.status().retried === 1);
    await running.stop();
    assert.equal((await rig.consumer()).num_ack_pending, 1);
  });
});

describe("a process that is killed", () => {
  test("the next one gets what was not acknowledged, in order, before anything newer of the object", async (t) => {
    const rig = await startRig(t);
    if (rig === undefined) return;
    const connection = await rig.connect();
    await rig.publish(...[1, 2, 3, 4].map((replicas) => scaled("a", replicas)));
    let begun = 0;
    const killed = rig.start(
      async ({ object }) => {
        begun++;
        if (replicasOf(object) > 1) await never();
      },
      { jetStream: connection, limits: { drainMs: 0, graceMs: 0 } },
    );
    await until(async () => begun === 2 && (await rig.consumer()).num_ack_pending === 3);
    await connection.close();
    await rig.publish(scaled("a", 5), scaled("a", 6));
    const seen: number[] = [];
    const next = rig.start(async ({ object }) => void seen.push(replicasOf(object)));
    await until(() => next.status().done === 5);
    assert.deepEqual(seen, [2, 3, 4, 5, 6]);
    await killed.stop();
  });

  test("an event that kills every process becomes a dead letter, and those near it do not", async (t) => {
    const rig = await startRig(t);
    if (rig === undefined) return;
    await rig.publish(scaled("killer", 1), scaled("near", 1));
    await rig.start(never, { limits: { drainMs: 0, graceMs: 0 }, attempts: 2 }).stop();
    // Two events that were delivered four times: three processes died with both in hand.
    while ((await deliverAndLose(rig)) < 3);
    const ran: string[] = [];
    const running = rig.start(async ({ object }) => void ran.push(object.metadata.name), { attempts: 2 });
    await until(() => running.status().done + running.status().deadLetters === 2);
    assert.deepEqual(ran, ["near"]);
    assert.deepEqual(
      (await rig.deadLetters()).map(({ subject, headers }) => [subject.split(".")[7], headers["Cr-Reason"]]),
      [["killer", "the process ended 3 times while it handled this event"]],
    );
  });
});

describe("the server", () => {
  test("an acknowledgement that gets lost is repeated when the event comes again; it is not run again", async (t) => {
    const rig = await startRig(t);
    if (rig === undefined) return;
    let lost = 0;
    const lossy: JetStream = Object.assign(Object.create(rig.jetStream) as JetStream, {
      request: (...args: Parameters<JetStream["request"]>) => {
        if (args[1] === "+ACK" && lost++ === 0) return Promise.reject(new RequestLostError("lost"));
        return rig.jetStream.request(...args);
      },
    });
    await rig.publish(scaled("a", 1));
    let runs = 0;
    rig.start(async () => void runs++, { jetStream: lossy, limits: { ackWaitMs: 300 } });
    await until(() => lost === 2);
    await rig.untilAcked();
    assert.equal(runs, 1);
  });

  test("an event that takes long is not delivered again meanwhile", async (t) => {
    const rig = await startRig(t);
    if (rig === undefined) return;
    const gate = door();
    let signs = 0;
    const counting: JetStream = Object.assign(Object.create(rig.jetStream) as JetStream, {
      send: (...args: Parameters<JetStream["send"]>) => {
        if (args[1] === "+WPI") signs++;
        rig.jetStream.send(...args);
      },
    });
    await rig.publish(scaled("a", 1));
    const attempts: number[] = [];
    const running = rig.start(
      async ({ attempt }) => {
        attempts.push(attempt);
        await gate.passed;
      },
      { jetStream: counting, limits: { ackWaitMs: 600 } },
    );
    await until(() => signs >= 9);
    assert.equal(((await rig.consumer()) as unknown as { num_redelivered: number }).num_redelivered, 0);
    gate.open();
    await until(() => running.status().done === 1);
    assert.deepEqual(attempts, [1]);
  });

  test("restarting in the middle loses nothing, and the order of each object holds", async (t) => {
    const rig = await startRig(t);
    if (rig === undefined) return;
    const names = ["a", "b", "c"];
    const seen = new Map<string, number[]>(names.map((name) => [name, []]));
    for (let i = 1; i <= 30; i++) for (const name of names) await rig.publish(scaled(name, i));
    const gate = door();
    let runs = 0;
    rig.start(async ({ object }) => {
      if (++runs === 20) gate.open();
      await sleep(2);
      seen.get(object.metadata.name)?.push(replicasOf(object));
    });
    await gate.passed;
    await rig.nats.kill();
    await rig.nats.restart();
    await until(() => [...seen.values()].every((list) => list.includes(30)));
    await rig.jetStream.whenConnected();
    await rig.untilAcked();
    for (const list of seen.values())
      assert.deepEqual(
        list,
        Array.from({ length: 30 }, (_, i) => i + 1),
      );
  });
});

describe("the log", () => {
  test("one that is not there yet is waited for, told once, and read from its beginning", async (t) => {
    const rig = await startRig(t, { withLog: false });
    if (rig === undefined) return;
    const running = rig.start(async () => undefined, { start: "now" });
    await until(() => running.status().state === "waiting");
    await rig.createLog();
    await rig.publish(scaled("a", 1));
    await until(() => running.status().done === 1);
    assert.equal(running.lines.filter(({ msg }) => msg.includes("waiting for a bridge")).length, 1);
  });

  test("start: now begins with what comes, start: all with everything that is retained", async (t) => {
    const rig = await startRig(t);
    if (rig === undefined) return;
    await rig.publish(scaled("a", 1));
    const now = rig.start(async () => undefined, { name: "now", start: "now" });
    const all = rig.start(async () => undefined, { name: "all", start: "all" });
    await until(() => now.status().state === "running" && all.status().done === 1);
    await rig.publish(scaled("a", 2));
    await until(() => now.status().done === 1 && all.status().done === 2);
  });

  test("one that was replaced is read from its beginning", async (t) => {
    const rig = await startRig(t);
    if (rig === undefined) return;
    await rig.publish(...[1, 2, 3].map((replicas) => scaled("a", replicas)));
    const seen: number[] = [];
    const running = rig.start(async ({ object }) => void seen.push(replicasOf(object)));
    await until(() => running.status().done === 3);
    await rig.jetStream.api("STREAM.DELETE.CR_EVENTS");
    await rig.createLog();
    await rig.publish(scaled("a", 4));
    await until(() => running.status().done === 4);
    assert.deepEqual(seen, [1, 2, 3, 4]);
  });
});

describe("the consumer", () => {
  test("one that is deleted is made again behind the last finished event: nothing lost, nothing twice", async (t) => {
    const rig = await startRig(t);
    if (rig === undefined) return;
    const gate = door();
    const seen: string[] = [];
    const running = rig.start(
      async ({ object }) => {
        seen.push(`${object.metadata.name}${replicasOf(object)}`);
        if (object.metadata.name === "slow") await gate.passed;
      },
      { start: "now" },
    );
    await until(() => running.status().state === "running");
    await rig.publish(scaled("a", 1), scaled("slow", 1), scaled("a", 2));
    await until(() => running.status().done === 2 && seen.length === 3);
    await rig.jetStream.api("CONSUMER.DELETE.CR_EVENTS.cr-test");
    await rig.publish(scaled("a", 3), scaled("slow", 2));
    gate.open();
    await until(() => running.status().done === 5);
    await rig.untilAcked();
    assert.deepEqual(seen.toSorted(), ["a1", "a2", "a3", "slow1", "slow2"]);
  });

  test("one that is deleted before the first event is made again where it stood", async (t) => {
    const rig = await startRig(t);
    if (rig === undefined) return;
    await rig.publish(scaled("a", 1));
    const connection = await rig.connect();
    const running = rig.start(async () => undefined, { start: "now", jetStream: connection, when: phase() });
    await until(() => running.status().state === "running");
    await rig.jetStream.api("CONSUMER.DELETE.CR_EVENTS.cr-test");
    await rig.publish(event.created({ name: "b", phase: "Ready" }));
    await until(() => running.status().done === 1);
  });

  test("one with another filter is brought up to date, and keeps its place", async (t) => {
    const rig = await startRig(t);
    if (rig === undefined) return;
    await rig.publish(event.created({ phase: "Failed" }));
    const first = rig.start(async () => undefined, { when: phase({ to: "Failed" }) });
    await until(() => first.status().done === 1);
    await first.stop();
    const second = rig.start(async () => undefined, { when: phase({ to: "Ready" }), concurrency: 2 });
    await until(() => second.status().state === "running");
    const { config } = await rig.consumer();
    assert.deepEqual(config["filter_subjects"], [
      "cr.*.demo_example_com.Database.*.*.created.*.*.Ready.*",
      "cr.*.demo_example_com.Database.*.*.updated.*.*.Ready.*",
    ]);
    assert.ok(second.lines.some(({ msg }) => msg === "consumer updated"));
    await rig.publish(event.created({ name: "b", phase: "Ready" }));
    await until(() => second.status().done === 1);
    await second.stop();
    const third = rig.start(async () => undefined, { when: phase({ to: "Ready" }), concurrency: 2 });
    await until(() => third.lines.some(({ msg }) => msg === "consumer kept"));
  });

  test("one that cannot be used is told with what to do, and does not stop another subscription", async (t) => {
    const rig = await startRig(t);
    if (rig === undefined) return;
    const config = { name: "cr-bad", durable_name: "cr-bad", ack_policy: "none" };
    await rig.jetStream.api("CONSUMER.CREATE.CR_EVENTS.cr-bad", { stream_name: "CR_EVENTS", config, action: "" });
    await rig.publish(scaled("a", 1));
    const bad = rig.start(async () => undefined, { name: "bad" });
    const good = rig.start(async () => undefined, { name: "good" });
    await until(() => bad.status().state === "failing" && good.status().done === 1);
    assert.match(
      bad.status().lastError ?? "",
      /ack_policy none instead of explicit.*nats consumer rm CR_EVENTS cr-bad/,
    );
    await rig.jetStream.api("CONSUMER.DELETE.CR_EVENTS.cr-bad");
    await until(() => bad.status().done === 1);
    assert.equal(bad.status().lastError, undefined);
  });
});

/** Takes everything from the consumer and lets go of it, as a process does that dies; answers how often it was delivered. */
async function deliverAndLose(rig: Rig): Promise<number> {
  const inbox = rig.jetStream.newInbox();
  const replies: string[] = [];
  const unsubscribe = rig.jetStream.subscribe(inbox, ({ status, reply }) => {
    if (status === 0 && reply !== undefined) replies.push(reply);
  });
  const request = { batch: 2, expires: 5e9 };
  rig.jetStream.send("$JS.API.CONSUMER.MSG.NEXT.CR_EVENTS.cr-test", JSON.stringify(request), inbox);
  await until(() => replies.length === 2);
  unsubscribe();
  await Promise.all(replies.map((reply) => rig.jetStream.request(reply, '-NAK {"delay": 1000000}')));
  return Number(replies[0]?.split(".")[4]);
}
