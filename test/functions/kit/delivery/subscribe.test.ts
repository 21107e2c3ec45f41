import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { JetStream } from "../../../../bridge/nats/jetstream.ts";
import { RequestLostError } from "../../../../bridge/nats/jetstream-error.ts";
import { phase } from "../../../../functions/kit/filter/builder.ts";
import * as event from "../event-factory.ts";
import { replicasOf } from "../event-factory.ts";
import { door, startRig, until } from "./rig.ts";

const scaled = (name: string, replicas: number) =>
  event.updated({ name, spec: { replicas: replicas - 1 } }, { name, spec: { replicas } });

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
    await until(() => lost >= 2);
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
      // Three signs within that time: it is long enough for a machine that is busy elsewhere to give the next one late.
      { jetStream: counting, limits: { ackWaitMs: 4_000 } },
    );
    await until(() => signs >= 4);
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

  test("one whose filter somebody changed by hand is made again where it was; one with other settings is brought up to date", async (t) => {
    const rig = await startRig(t);
    if (rig === undefined) return;
    await rig.publish(event.created({ phase: "Failed" }));
    const first = rig.start(async () => undefined, { when: phase({ to: "Failed" }) });
    await until(() => first.status().done === 1);
    await rig.untilAcked();
    await first.stop();
    const { config } = await rig.consumer();
    const edited = { ...config, filter_subjects: ["cr.*.demo_example_com.Database.*.*.*.*.*.Ready.*"] };
    await rig.jetStream.api("CONSUMER.CREATE.CR_EVENTS.cr-test", {
      stream_name: "CR_EVENTS",
      config: edited,
      action: "",
    });
    await rig.publish(event.created({ name: "b", phase: "Failed" }));
    const second = rig.start(async () => undefined, { when: phase({ to: "Failed" }) });
    await until(() => second.status().done === 1);
    assert.ok(second.lines.some(({ msg }) => msg === "consumer remade"));
    await rig.untilAcked();
    await second.stop();
    const third = rig.start(async () => undefined, { when: phase({ to: "Failed" }), limits: { ackWaitMs: 2_000 } });
    await until(() => third.lines.some(({ msg }) => msg === "consumer updated"));
    await third.stop();
    const fourth = rig.start(async () => undefined, { when: phase({ to: "Failed" }), limits: { ackWaitMs: 2_000 } });
    await until(() => fourth.lines.some(({ msg }) => msg === "consumer kept"));
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
