import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { phase } from "../../../../functions/kit/filter/builder.ts";
import * as event from "../event-factory.ts";
import { replicasOf } from "../event-factory.ts";
import { door, startRig, until } from "./rig.ts";

const scaled = (name: string, replicas: number) =>
  event.updated({ name, spec: { replicas: replicas - 1 } }, { name, spec: { replicas } });

describe("delivery", () => {
  test("events of one object run one at a time and in order, those of others at the same time", async (t) => {
    const rig = await startRig(t);
    if (rig === undefined) return;
    const names = ["a", "b", "c", "d", "e"];
    const seen = new Map<string, number[]>(names.map((name) => [name, []]));
    const busy = new Set<string>();
    let busiest = 0;
    for (let replicas = 1; replicas <= 30; replicas++)
      for (const name of names) await rig.publish(scaled(name, replicas));
    rig.start(
      async ({ object }) => {
        const { name } = object.metadata;
        assert.ok(!busy.has(name), `two events of ${name} at once`);
        busy.add(name);
        busiest = Math.max(busiest, busy.size);
        await sleep(Math.random() * 3);
        seen.get(name)?.push(replicasOf(object));
        busy.delete(name);
      },
      { concurrency: 3 },
    );
    await until(() => [...seen.values()].every((list) => list.length === 30));
    await rig.untilAcked();
    for (const [name, list] of seen)
      assert.deepEqual(
        list,
        Array.from({ length: 30 }, (_, i) => i + 1),
        name,
      );
    assert.equal(busiest, 3);
  });

  test("a function gets the event, both states, its settings and a key that stays the same", async (t) => {
    const rig = await startRig(t);
    if (rig === undefined) return;
    const change = event.updated({ phase: "Running" }, { phase: "Failed" });
    await rig.publish(change);
    const keys: string[] = [];
    const running = rig.start(
      async ({ event, object, before, change, config, subscription, attempt, idempotencyKey, signal }) => {
        keys.push(idempotencyKey);
        if (attempt === 1) throw new Error("once more");
        assert.equal(event.type, "dev.cr-reactor.resource.updated");
        assert.deepEqual(object["status"], { phase: "Failed" });
        assert.deepEqual(before?.["status"], { phase: "Running" });
        assert.equal(change.transitions.phase?.from, "Running");
        assert.deepEqual(config, { channel: "#ops" });
        assert.equal(subscription, "test");
        assert.equal(signal.aborted, false);
        return "told";
      },
      { config: { channel: "#ops" }, when: phase({ to: "Failed" }) },
    );
    await until(() => running.status().done === 1);
    assert.deepEqual(keys, Array(2).fill(`test/${change.envelope.id}`));
    assert.equal(running.lines.find(({ msg }) => msg === "done")?.["note"], "told");
  });

  test("what the server lets through and the filter does not want is skipped", async (t) => {
    const rig = await startRig(t);
    if (rig === undefined) return;
    await rig.publish(
      event.created({ labels: { tier: "gold" } }),
      event.created({ name: "b", labels: { tier: "silver" } }),
    );
    const names: string[] = [];
    const running = rig.start(async ({ object }) => void names.push(object.metadata.name), {
      when: { labels: { tier: "silver" } },
    });
    await until(() => running.status().done === 1);
    await rig.untilAcked();
    assert.deepEqual(names, ["b"]);
    assert.equal(running.status().skipped, 1);
  });

  test("another API version of the kind is skipped, and told once with both", async (t) => {
    const rig = await startRig(t);
    if (rig === undefined) return;
    const apiVersion = "demo.example.com/v2";
    await rig.publish(
      event.created({ apiVersion }),
      event.created({ apiVersion, name: "b" }),
      event.created({ name: "c" }),
    );
    const running = rig.start(async () => undefined);
    await until(() => running.status().done === 1 && running.status().skipped === 2);
    const warnings = running.lines.filter(({ msg }) => msg.includes("another API version"));
    assert.deepEqual(
      warnings.map(({ wanted, found }) => [wanted, found]),
      [["demo.example.com/v1", apiVersion]],
    );
  });

  test("an event for which an expression has no value is skipped and counted, and each reason is told once", async (t) => {
    const rig = await startRig(t);
    if (rig === undefined) return;
    const zoned = event.created({ name: "c", spec: { zone: "eu" } });
    await rig.publish(event.created({}), event.created({ name: "b" }), zoned);
    const running = rig.start(async () => undefined, { when: { cel: "object.spec.zone == 'eu'" } });
    await until(() => running.status().done === 1 && running.status().skipped === 2);
    assert.equal(running.status().undecided, 2);
    const warnings = running.lines.filter(({ msg }) => msg.includes("no value"));
    assert.equal(warnings.length, 1);
    assert.match(String(warnings[0]?.["reason"]), /^cel object\.spec\.zone == 'eu': .*is not there/);
  });

  test("never more events are in hand than the limit; the server keeps the rest", async (t) => {
    const rig = await startRig(t);
    if (rig === undefined) return;
    const gate = door();
    await rig.publish(...Array.from({ length: 50 }, (_, i) => scaled(`a${i % 2}`, i + 1)));
    const running = rig.start(() => gate.passed, { limits: { heldMax: 10 } });
    await until(async () => running.status().state === "running" && (await rig.consumer()).num_ack_pending === 10);
    assert.equal((await rig.consumer()).num_pending, 40);
    gate.open();
    await until(() => running.status().done === 50);
  });
});
