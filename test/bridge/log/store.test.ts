import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { ObservedState } from "../../../bridge/event/seal.ts";
import { type Absence, createStore, type KnownObject } from "../../../bridge/log/store.ts";

const known = (sequence: number, absence?: Absence): KnownObject => ({
  uid: "u",
  resourceVersion: "1",
  sequence,
  fence: sequence,
  absence,
});
const state = (name: string): ObservedState => ({
  object: { apiVersion: "v1", kind: "K", metadata: { name, uid: "u", resourceVersion: "1" } },
  phase: undefined,
});

describe("the store", () => {
  test("knows every object, but keeps only as many states as the budget allows, the latest used", () => {
    const store = createStore(350);
    for (const name of ["a", "b"]) store.set(name, known(1), state(name), 100);
    assert.ok(store.stateOf("a"));
    store.set("c", known(1), state("c"), 100);
    assert.deepEqual(
      ["a", "b", "c"].map((name) => store.stateOf(name) !== undefined),
      [true, false, true],
    );
    assert.equal(store.size, 3);
    assert.ok(store.stateBytes <= 350);
  });

  test("never counts a replaced state twice", () => {
    const store = createStore(10_000);
    for (let i = 0; i < 5; i++) store.set("a", known(i), state("a"), 100);
    assert.equal(store.stateBytes, 170);
  });

  test("keeps a tombstone without its state", () => {
    const store = createStore(10_000);
    store.set("a", known(1), state("a"), 100);
    store.set("a", known(2, "deleted"), state("a"), 100);
    assert.deepEqual([store.get("a"), store.stateOf("a"), store.stateBytes], [known(2, "deleted"), undefined, 0]);
  });

  test("keeps the state when only the version moves on", () => {
    const store = createStore(10_000);
    store.set("a", known(1), state("a"), 100);
    store.set("a", { ...known(1), resourceVersion: "2" });
    assert.deepEqual([store.get("a")?.resourceVersion, store.stateOf("a")], ["2", state("a")]);
  });

  test("forgets an object that the log does not have", () => {
    const store = createStore(10_000);
    store.set("a", known(1), state("a"), 100);
    store.delete("a");
    assert.deepEqual([store.get("a"), store.stateOf("a"), store.size, store.stateBytes], [undefined, undefined, 0, 0]);
  });

  test("with no budget keeps no state at all", () => {
    const store = createStore(0);
    store.set("a", known(1), state("a"), 100);
    assert.equal(store.stateOf("a"), undefined);
  });

  test("keeps nothing of the texts that names and versions were cut out of", () => {
    const [count, bytes] = [300, 100_000];
    const store = createStore(0);
    const before = heapUsed();
    for (let index = 0; index < count; index++) {
      const message = Buffer.alloc(bytes, `${index} is a long message `).toString();
      const [key, uid, resourceVersion] = [message.slice(1, 80), message.slice(2, 38), message.slice(3, 23)];
      store.set(key, { ...known(1), uid, resourceVersion });
      store.set(key, { ...known(2), uid, resourceVersion });
    }
    assert.equal(store.size, count);
    const grown = heapUsed() - before;
    assert.ok(grown < (count * bytes) / 10, `${grown} bytes for ${count} objects`);
  });
});

/** Bytes of the heap that something still refers to. */
function heapUsed(): number {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
  return process.memoryUsage().heapUsed;
}
