/** What becomes of running subscriptions when NATS is wiped, or restored from an older copy of its store, under them. */
import assert from "node:assert/strict";
import { cpSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { connectJetStream, type JetStream } from "../../../../bridge/nats/jetstream.ts";
import { PermanentError } from "../../../../functions/kit/outcome.ts";
import { needNats } from "../../../kit/shared-kube.ts";
import * as event from "../event-factory.ts";
import { replicasOf } from "../event-factory.ts";
import { door, HASTY, type Rig, startRig, until } from "./rig.ts";

const scaled = (name: string, replicas: number) =>
  event.updated({ name, spec: { replicas: replicas - 1 } }, { name, spec: { replicas } });
const tagOf = (object: { metadata: { name: string } }) => `${object.metadata.name}${replicasOf(object)}`;
const lastSequence = async ({ jetStream }: Rig) =>
  (await jetStream.api<{ state: { last_seq: number } }>("STREAM.INFO.CR_EVENTS")).state.last_seq;

/** Keeps a copy of the store as it is now; NATS is down for a moment. */
async function backUp({ nats, jetStream }: Rig): Promise<() => void> {
  const copy = join(dirname(nats.storeDir), "copy");
  await nats.kill("SIGTERM");
  cpSync(nats.storeDir, copy, { recursive: true });
  await nats.restart();
  await jetStream.whenConnected();
  return () => {
    rmSync(nats.storeDir, { recursive: true });
    cpSync(copy, nats.storeDir, { recursive: true });
  };
}

async function whileDown({ nats, jetStream }: Rig, change: () => void): Promise<void> {
  await nats.kill("SIGTERM");
  change();
  await nats.restart();
  await jetStream.whenConnected();
}

/** While NATS is down, another one works on its store: nobody who reconnects is faster than that. */
async function inItsPlace(t: TestContext, { nats }: Rig, work: (jetStream: JetStream) => Promise<unknown>) {
  const other = await needNats(t, { storeDir: nats.storeDir });
  assert.ok(other);
  const jetStream = await connectJetStream({ servers: [other.url] }, "test");
  await work(jetStream);
  await jetStream.close();
  await other.kill("SIGTERM");
}

describe("a NATS that was wiped", () => {
  test("the subscription goes on with the new log, and the dead letters' stream is made again", async (t) => {
    const rig = await startRig(t);
    if (rig === undefined) return;
    await rig.publish(scaled("a", 1), scaled("a", 2));
    const seen: string[] = [];
    const running = rig.start(async ({ object }) => void seen.push(tagOf(object)), { start: "now" });
    await until(() => running.status().state === "running");
    await rig.publish(scaled("a", 3), scaled("b", 1));
    await until(() => running.status().done === 2);
    await whileDown(rig, () => rmSync(rig.nats.storeDir, { recursive: true }));
    await until(() => running.status().state === "waiting");
    await rig.createLog();
    await rig.publish(event.existing({ name: "a", spec: { replicas: 3 } }), event.existing({ name: "b" }));
    await rig.publish(scaled("a", 4));
    await until(() => running.status().done === 3);
    await rig.untilAcked();
    assert.deepEqual(seen, ["a3", "b1", "a4"]);
    assert.deepEqual(await rig.deadLetters(), []);
  });

  test("events are not taken for those with the same sequence before, though another process made the consumer", async (t) => {
    const rig = await startRig(t);
    if (rig === undefined) return;
    const seen: string[] = [];
    const run = async ({ object }: { object: Parameters<typeof tagOf>[0] }) => void seen.push(tagOf(object));
    await rig.publish(scaled("a", 1), scaled("a", 2), scaled("b", 1));
    const running = rig.start(run, { membershipLimits: HASTY }); // a consumer without a lease is left alone for its time
    await until(() => running.status().done === 3);
    const { config } = await rig.consumer();
    await rig.nats.kill("SIGTERM");
    rmSync(rig.nats.storeDir, { recursive: true });
    await inItsPlace(t, rig, async (other) => {
      await other.api("STREAM.CREATE.CR_EVENTS", { name: "CR_EVENTS", subjects: ["cr.>"], max_msgs_per_subject: 32 });
      await other.api("CONSUMER.CREATE.CR_EVENTS.cr-test", { stream_name: "CR_EVENTS", config, action: "" });
    });
    await rig.nats.restart();
    await rig.jetStream.whenConnected();
    await rig.publish(scaled("a", 3), scaled("b", 2), scaled("c", 1));
    await until(() => running.status().done === 6);
    assert.deepEqual(seen.toSorted(), ["a1", "a2", "a3", "b1", "b2", "c1"]);
  });

  test("a dead letter of the new log is not taken for one of the old", async (t) => {
    const rig = await startRig(t);
    if (rig === undefined) return;
    const running = rig.start(async ({ object }) => {
      throw new PermanentError(`no ${tagOf(object)}`);
    });
    const fail = async (replicas: number) => {
      const { subject, payload, envelope } = scaled("a", replicas);
      await rig.jetStream.publish(subject, payload, { "Nats-Msg-Id": envelope.id });
      await until(() => running.status().deadLetters === replicas);
    };
    await until(() => running.status().state === "running");
    await fail(1);
    await rig.jetStream.api("STREAM.DELETE.CR_EVENTS");
    await rig.createLog();
    await fail(2);
    assert.deepEqual(
      (await rig.deadLetters()).map(({ headers }) => headers["Cr-Reason"]),
      ["no a1", "no a2"],
    );
  });
});

describe("a NATS that was restored from an older copy", () => {
  test("other events with the same sequences are delivered, and what was finished is not run again", async (t) => {
    const rig = await startRig(t);
    if (rig === undefined) return;
    const seen: string[] = [];
    const running = rig.start(async ({ object }) => void seen.push(tagOf(object)));
    await until(() => running.status().state === "running");
    await rig.publish(scaled("a", 1), scaled("b", 1));
    await until(() => running.status().done === 2);
    const restore = await backUp(rig);
    await rig.publish(scaled("a", 2), scaled("a", 3), scaled("b", 2));
    await until(() => running.status().done === 5);
    await whileDown(rig, restore);
    assert.equal(await lastSequence(rig), 2);
    await rig.publish(scaled("a", 4), scaled("b", 3), scaled("c", 1), scaled("a", 5));
    await until(() => running.status().done === 9);
    await rig.untilAcked();
    assert.deepEqual(seen.toSorted(), ["a1", "a2", "a3", "a4", "a5", "b1", "b2", "b3", "c1"]);
    assert.deepEqual(
      seen.filter((tag) => tag.startsWith("a")),
      ["a1", "a2", "a3", "a4", "a5"],
    );
  });

  test("events of the lost end that are in hand do not stand for those that have their sequences now", async (t) => {
    const rig = await startRig(t);
    if (rig === undefined) return;
    const gate = door();
    const seen: string[] = [];
    const running = rig.start(async ({ object }) => {
      seen.push(tagOf(object));
      if (tagOf(object) === "a1") await gate.passed;
    });
    await until(() => running.status().state === "running");
    const restore = await backUp(rig);
    // a1 runs, a2 and a3 wait behind it.
    await rig.publish(scaled("a", 1), scaled("a", 2), scaled("a", 3));
    await until(async () => seen.length === 1 && (await rig.consumer()).num_ack_pending === 3);
    await whileDown(rig, restore);
    await rig.publish(scaled("a", 4), scaled("b", 1), scaled("a", 5));
    await until(() => seen.includes("b1"));
    gate.open();
    await until(() => seen.includes("a5"));
    await rig.untilAcked();
    assert.deepEqual(seen, ["a1", "b1", "a4", "a5"]);
    assert.equal(running.lines.filter(({ msg }) => msg.includes("restored from an older copy")).length, 1);
  });

  test("one from before the subscription: its consumer is made again where the copy ends, however far the log has grown", async (t) => {
    const rig = await startRig(t);
    if (rig === undefined) return;
    await rig.publish(scaled("a", 1), scaled("a", 2));
    const restore = await backUp(rig);
    const seen: string[] = [];
    const running = rig.start(async ({ object }) => void seen.push(tagOf(object)));
    await rig.publish(scaled("a", 3), scaled("b", 1));
    await until(() => running.status().done === 4);
    await rig.nats.kill("SIGTERM");
    restore();
    // So the log is longer than before when the subscription looks.
    await inItsPlace(t, rig, async (other) => {
      for (const { subject, payload } of [4, 5, 6, 7, 8].map((n) => scaled("a", n)))
        await other.publish(subject, payload, {});
    });
    await rig.nats.restart();
    await until(() => running.status().done === 9);
    await rig.untilAcked();
    assert.deepEqual(
      seen.filter((tag) => tag.startsWith("a")),
      ["a1", "a2", "a3", "a4", "a5", "a6", "a7", "a8"],
    );
  });
});
