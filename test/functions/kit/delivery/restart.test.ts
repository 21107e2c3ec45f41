import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import * as event from "../event-factory.ts";
import { replicasOf } from "../event-factory.ts";
import { door, HASTY, type Rig, startRig, until } from "./rig.ts";

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
    const next = rig.start(async ({ object }) => void seen.push(replicasOf(object)), { membershipLimits: HASTY });
    await until(() => next.status().done === 5);
    assert.deepEqual(seen, [2, 3, 4, 5, 6]);
    await killed.stop();
  });

  test("an event that kills every process becomes a dead letter, and those near it do not", async (t) => {
    const rig = await startRig(t);
    if (rig === undefined) return;
    await rig.publish(scaled("killer", 1), scaled("near", 1));
    let begun = 0;
    const first = rig.start(
      () => {
        begun++;
        return never();
      },
      { limits: { drainMs: 0, graceMs: 0 }, attempts: 2 },
    );
    await until(() => begun === 2);
    await first.stop();
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
