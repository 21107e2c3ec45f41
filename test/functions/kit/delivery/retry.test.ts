import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { readDeadLetter } from "../../../../functions/kit/delivery/dead-letter.ts";
import { PermanentError, RetryAfterError } from "../../../../functions/kit/outcome.ts";
import * as event from "../event-factory.ts";
import { replicasOf } from "../event-factory.ts";
import { door, startRig, until } from "./rig.ts";

const scaled = (name: string, replicas: number) =>
  event.updated({ name, spec: { replicas: replicas - 1 } }, { name, spec: { replicas } });

describe("failures", () => {
  test("a failed event is tried again; a later one of its object waits, one of another does not", async (t) => {
    const rig = await startRig(t);
    if (rig === undefined) return;
    const other = door();
    const runs: string[] = [];
    await rig.publish(scaled("a", 1), scaled("a", 2), scaled("b", 1));
    const running = rig.start(
      async ({ object, attempt }) => {
        const run = `${object.metadata.name}${replicasOf(object)}`;
        runs.push(`${run} try ${attempt}`);
        if (run === "b1") other.open();
        if (run === "a1" && attempt < 3) throw new Error("not yet");
        if (run === "a1") await other.passed;
      },
      { concurrency: 1 + 1 },
    );
    await until(() => running.status().done === 3);
    assert.deepEqual(
      runs.filter((run) => run.startsWith("a")),
      ["a1 try 1", "a1 try 2", "a1 try 3", "a2 try 1"],
    );
    assert.equal(running.status().retried, 2);
  });

  test("an object that waits for its next try takes no slot from others", async (t) => {
    const rig = await startRig(t);
    if (rig === undefined) return;
    let others = 0;
    await rig.publish(scaled("a", 1), ...Array.from({ length: 20 }, (_, i) => scaled(`b${i}`, 1)));
    const running = rig.start(
      async ({ object }) => {
        if (object.metadata.name === "a") throw new RetryAfterError("busy", 3_600_000);
        others++;
      },
      { concurrency: 1 },
    );
    await until(() => others === 20);
    await until(() => running.status().state === "running");
  });

  test("a receiver's Retry-After is kept to", async (t) => {
    const rig = await startRig(t);
    if (rig === undefined) return;
    const triedAtMs: number[] = [];
    await rig.publish(scaled("a", 1));
    const running = rig.start(async ({ attempt }) => {
      triedAtMs.push(performance.now());
      if (attempt === 1) throw new RetryAfterError("busy", 300);
    });
    await until(() => running.status().done === 1);
    const [first = 0, second = 0] = triedAtMs;
    assert.ok(second - first >= 299, `tried again after ${second - first} ms`);
  });

  test("after its last try an event is a dead letter, and the next one of its object runs", async (t) => {
    const rig = await startRig(t);
    if (rig === undefined) return;
    const tries: number[] = [];
    await rig.publish(scaled("a", 1), scaled("a", 2));
    const running = rig.start(
      async ({ object, attempt }) => {
        if (replicasOf(object) === 2) return;
        tries.push(attempt);
        throw new Error(`failure ${attempt}`);
      },
      { attempts: 3 },
    );
    await until(() => running.status().done === 1);
    assert.deepEqual(tries, [1, 2, 3]);
    const letters = await rig.deadLetters();
    assert.deepEqual(
      letters.map(({ headers }) => [headers["Cr-Reason"], headers["Cr-Attempts"]]),
      [["failure 3", "3"]],
    );
  });

  test("a try that takes too long is told to end, and counts as failed", async (t) => {
    const rig = await startRig(t);
    if (rig === undefined) return;
    await rig.publish(scaled("obedient", 1), scaled("deaf", 1), scaled("late", 1));
    const running = rig.start(
      async ({ object, signal, attempt }) => {
        const { name } = object.metadata;
        if (name === "obedient" && attempt === 1) await sleep(3_600_000, undefined, { signal });
        if (name === "deaf" && attempt === 1) await new Promise(() => undefined);
        // Done although the time was up: an effect that happened is not made to happen again.
        if (name === "late") await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
      },
      { timeoutSeconds: 0.1 },
    );
    await until(() => running.status().done === 3);
    assert.equal(running.status().retried, 2);
    assert.match(running.status().lastError ?? "", /did not end within 0\.1 s/);
  });

  test("a permanent error makes a dead letter at once, with the reason and the event's own bytes", async (t) => {
    const rig = await startRig(t);
    if (rig === undefined) return;
    const wrong = scaled("a", 1);
    await rig.publish(wrong, scaled("a", 2));
    const running = rig.start(async ({ object }) => {
      if (replicasOf(object) === 1) throw new PermanentError("no such channel:\r\n#ops\u0000");
    });
    await until(() => running.status().done === 1);
    await rig.untilAcked();
    const [letter] = await rig.deadLetters();
    assert.equal(letter?.subject, `crdead.test.${wrong.subject}`);
    assert.equal(letter?.payload, wrong.payload);
    const { "Cr-First-Tried": first = "", "Cr-Last-Tried": last = "", ...headers } = letter?.headers ?? {};
    assert.ok(Date.parse(first) <= Date.parse(last));
    assert.deepEqual(headers, {
      "content-type": "application/cloudevents+json",
      "Cr-Reason": "no such channel: #ops",
      "Cr-Attempts": "1",
      "Cr-Error": "PermanentError",
      "Cr-Subscription": "test",
      "Cr-Function": "test-function",
      "Cr-Stream-Sequence": "1",
      "Nats-Msg-Id": "test/1",
    });
    const read = readDeadLetter({ subject: letter.subject, header: (name) => letter.headers[name] });
    assert.deepEqual(
      [read.subscription, read.subject, read.error, read.payloadOmitted],
      ["test", wrong.subject, "PermanentError", false],
    );
  });

  test("malformed events become dead letters, and the rest goes on", async (t) => {
    const rig = await startRig(t);
    if (rig === undefined) return;
    const good = scaled("a", 2);
    const contradiction = JSON.stringify({
      ...good.envelope,
      data: { ...good.envelope.data, patch: [{ op: "add", path: "/spec/no/such/place", value: 1 }] },
    });
    await rig.publish({ subject: good.subject, payload: "{ not json" });
    await rig.publish({ subject: good.subject, payload: '{"specversion":"1.0"}' });
    await rig.publish({ subject: good.subject, payload: contradiction }, good);
    const running = rig.start(async () => undefined, { when: { field: { path: "spec" } } });
    await until(() => running.status().done === 1);
    await rig.untilAcked();
    const reasons = (await rig.deadLetters()).map(({ headers }) => headers["Cr-Reason"] ?? "");
    assert.match(reasons[0] ?? "", /not JSON/);
    assert.match(reasons[1] ?? "", /not an event of cr-reactor: id: /);
    assert.match(reasons[2] ?? "", /contradicts itself/);
    assert.equal(running.status().deadLetters, 3);
  });

  test("a dead letter is stored before its event is acknowledged, however long that takes", async (t) => {
    const rig = await startRig(t);
    if (rig === undefined) return;
    const running = rig.start(async () => {
      throw new PermanentError("never");
    });
    await until(() => running.status().state === "running");
    const { config } = await rig.jetStream.api<{ config: object }>("STREAM.INFO.CR_DEAD_LETTERS");
    await rig.jetStream.api("STREAM.UPDATE.CR_DEAD_LETTERS", { ...config, max_msg_size: 1 });
    await rig.publish(scaled("a", 1));
    await until(() => running.lines.some(({ msg }) => msg.startsWith("the dead letter is not stored yet")));
    assert.equal((await rig.consumer()).num_ack_pending, 1);
    assert.equal(running.status().deadLetters, 0);
    await rig.jetStream.api("STREAM.UPDATE.CR_DEAD_LETTERS", config);
    await until(() => running.status().deadLetters === 1);
    await rig.untilAcked();
    assert.equal((await rig.deadLetters()).length, 1);
  });

  test("the dead letters' stream is made again when somebody removed it", async (t) => {
    const rig = await startRig(t);
    if (rig === undefined) return;
    const running = rig.start(async () => {
      throw new PermanentError("never");
    });
    await until(() => running.status().state === "running");
    await rig.jetStream.api("STREAM.DELETE.CR_DEAD_LETTERS");
    await rig.publish(scaled("a", 1));
    await until(() => running.status().deadLetters === 1);
    assert.equal((await rig.deadLetters()).length, 1);
  });
});
