/** What the observer tells of objects whose states are beyond its limit of memory. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { databases, openScene } from "./observing.ts";

describe("beyond the memory limit", () => {
  /** Room for the state of one object, whatever its event takes. */
  const stateBytesMax = 2_400;

  test("a change is told without its patch, says so, and the next one has its patch again", async (t) => {
    const { create, phase, observe } = await openScene(t);
    await create("a", "Running");
    await create("b", "Running");
    const { listed, tells, told, states } = await observe({ stateBytesMax });
    await listed(1);
    await phase("a", "Failed");
    await phase("a", "Running");
    await tells("updated a replace /status/phase Failed → Running");
    assert.deepEqual(states.at(1), { type: "watching", objects: 2, stateless: 1 });
    assert.deepEqual(told(), ["existing a gap", "updated a replace /status/phase Failed → Running"]);
  });

  test("deletions are told, seen or inferred", async (t) => {
    const { create, remove, outage, observe } = await openScene(t);
    await create("a", "Running");
    const { metadata } = await create("b", "Running");
    const { listed, tells, told, changes } = await observe({ stateBytesMax });
    await listed(1);
    await create("c");
    await remove("a");
    await tells("deleted a");
    await outage(() => remove("b"));
    await tells("deleted b gap");
    assert.deepEqual(told(), ["created c", "deleted a", "deleted b gap"]);
    const { uid, resourceVersion } = metadata;
    const { apiVersion, kind } = databases;
    const identity = { apiVersion, kind, metadata: { name: "b", namespace: "prod", uid, resourceVersion } };
    assert.deepEqual(changes.at(-1)?.data.object, identity);
  });
});
