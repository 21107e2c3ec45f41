import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { startRig, until } from "./delivery/rig.ts";
import { created, updated } from "./event-factory.ts";

describe("a function's history", () => {
  test("is what the log has of its object before the event, oldest first, and nothing of what comes later or of others", async (t) => {
    const rig = await startRig(t);
    if (rig === undefined) return;
    const spec = (replicas: number, name = "orders") => ({ name, spec: { replicas } });
    const events = [created(spec(1)), updated(spec(1), spec(2)), updated(spec(2), spec(3)), updated(spec(3), spec(4))];
    const [first, , third] = events;
    await rig.publish(created(spec(9, "others")), ...events);
    const told = new Map<string, readonly string[]>();
    rig.start(async ({ event, history }) => {
      assert.ok(history);
      told.set(
        event.id,
        (await Array.fromAsync(history())).map(({ id }) => id),
      );
    });
    await until(() => told.size === events.length + 1);
    assert.deepEqual(told.get(first?.envelope.id ?? ""), []);
    assert.deepEqual(
      told.get(third?.envelope.id ?? ""),
      events.slice(0, 2).map(({ envelope }) => envelope.id),
    );
  });
});
