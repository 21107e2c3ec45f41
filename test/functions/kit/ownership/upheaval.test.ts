/** What becomes of shared subscriptions when the bucket is lost, or consumers are there that no record tells of; and where new ones begin. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { JetStream } from "../../../../bridge/nats/jetstream.ts";
import { HASTY, startRig, until } from "../delivery/rig.ts";
import { createCrew, isShared } from "./crew.ts";

const OBJECTS = Array.from({ length: 8 }, (_, i) => `o${i}`);
const PATTERN = "cr.*.demo_example_com.Database.*.*.*.*.*.*.*";

/** As a cr-reactor without records made it. */
async function makeOldConsumer(jetStream: JetStream, subject: string, after: number): Promise<void> {
  const place = { deliver_policy: "by_start_sequence", opt_start_seq: after + 1 };
  const config = {
    name: "cr-test",
    durable_name: "cr-test",
    ack_policy: "explicit",
    filter_subjects: [subject],
    ...place,
  };
  await jetStream.api("CONSUMER.CREATE.CR_EVENTS.cr-test", { stream_name: "CR_EVENTS", config, action: "" });
}

describe("the bucket is lost", () => {
  test("while processes run: they share the work again, and nothing is lost or out of order", async (t) => {
    const rig = await startRig(t, { eventsPerSubjectMax: 10_000 });
    if (rig === undefined) return;
    const crew = createCrew(rig, { partitions: 4, membershipLimits: HASTY });
    const members = [await crew.join(), await crew.join()];
    await until(() => isShared(members, 4));
    for (let i = 0; i < 5; i++) await crew.publish(OBJECTS);
    await rig.jetStream.api("STREAM.DELETE.KV_CR_SUBSCRIPTIONS");
    for (let i = 0; i < 5; i++) await crew.publish(OBJECTS);
    await until(() => crew.isComplete() && isShared(members, 4));
    for (let i = 0; i < 5; i++) await crew.publish(OBJECTS);
    await until(crew.isComplete);
    crew.assertOrder({ repetitions: true });
  });
});

describe("a consumer from before there were records", () => {
  test("with the same filter is taken over where it is", async (t) => {
    const rig = await startRig(t);
    if (rig === undefined) return;
    const crew = createCrew(rig, { membershipLimits: HASTY });
    await crew.publish(OBJECTS);
    await crew.publish(OBJECTS);
    await makeOldConsumer(rig.jetStream, PATTERN, OBJECTS.length);
    const member = await crew.join();
    await until(() => member.status().done === OBJECTS.length);
    assert.ok(crew.ledger.every(({ number }) => number === 2));
    assert.ok(member.lines.some(({ msg }) => msg === "the consumers that are there are taken over"));
  });

  test("with another filter is an edit from now on: what it had left is judged by today's", async (t) => {
    const rig = await startRig(t);
    if (rig === undefined) return;
    const crew = createCrew(rig, { membershipLimits: HASTY });
    await makeOldConsumer(rig.jetStream, "cr.*.demo_example_com.Database.*.*.*.*.*.Failed.*", 0);
    await crew.publish(OBJECTS, "Failed");
    await crew.publish(OBJECTS, "Ready");
    const member = await crew.join();
    await until(() => member.lines.some(({ msg }) => msg === "the edit is in force"));
    await crew.publish(OBJECTS, "Ready");
    await until(() => member.status().done === 2 * OBJECTS.length);
    assert.deepEqual([...new Set(crew.ledger.map(({ number }) => number))], [1, 3]);
    crew.assertOrder({ repetitions: false });
  });
});

describe("where a new subscription begins", () => {
  test("at a time: with what was stored from then on", async (t) => {
    const rig = await startRig(t);
    if (rig === undefined) return;
    const crew = createCrew(rig);
    await crew.publish(OBJECTS);
    const { state } = await rig.jetStream.api<{ state: { last_ts: string } }>("STREAM.INFO.CR_EVENTS");
    const start = new Date(Date.parse(state.last_ts) + 1).toISOString();
    await until(() => Date.now() > Date.parse(start));
    await crew.publish(OBJECTS);
    const member = await crew.join({ start });
    await until(() => member.status().done === OBJECTS.length);
    assert.ok(crew.ledger.every(({ number }) => number === 2));
    assert.ok(
      member.lines.some(
        ({ msg, afterSequence }) => msg === "the subscription begins" && afterSequence === OBJECTS.length,
      ),
    );
  });

  test("a consumer that is deleted while nobody runs begins where the subscription was, not at what comes", async (t) => {
    const rig = await startRig(t);
    if (rig === undefined) return;
    const crew = createCrew(rig, { start: "now" });
    const first = await crew.join();
    await until(() => first.status().state === "running");
    await crew.publish(OBJECTS);
    await until(crew.isComplete);
    await first.stop();
    await rig.jetStream.api("CONSUMER.DELETE.CR_EVENTS.cr-test");
    await crew.publish(OBJECTS);
    await crew.join();
    await until(crew.isComplete);
    crew.assertOrder({ repetitions: false });
  });
});
