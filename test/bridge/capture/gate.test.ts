import assert from "node:assert/strict";
import { describe, mock, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { createGate } from "../../../bridge/capture/gate.ts";

/** Comes to the gate; `isIn` once it was let in. */
function visitor(gate: ReturnType<typeof createGate>, signal = new AbortController().signal) {
  const state = { isIn: false, leave: () => {}, problem: "" };
  gate.enter(signal).then(
    (leave) => Object.assign(state, { isIn: true, leave }),
    (error: Error) => Object.assign(state, { problem: error.name }),
  );
  return state;
}

describe("a gate", () => {
  test("lets so many through at a time, the others in the order in which they came", async () => {
    const gate = createGate(2, 60_000);
    const visitors = Array.from({ length: 5 }, () => visitor(gate));
    await turn();
    assert.deepEqual(
      visitors.map(({ isIn }) => isIn),
      [true, true, false, false, false],
    );
    visitors[1]?.leave();
    visitors[1]?.leave(); // counts once
    await turn();
    assert.deepEqual(
      visitors.map(({ isIn }) => isIn),
      [true, true, true, false, false],
    );
    for (const each of visitors.slice(0, 3)) each.leave();
    await turn();
    assert.deepEqual(
      visitors.map(({ isIn }) => isIn),
      [true, true, true, true, true],
    );
    for (const each of visitors) each.leave();
  });

  test("lets nobody wait for ever behind those who hang", async (t) => {
    mock.timers.enable({ apis: ["setTimeout"] });
    t.after(() => mock.timers.reset());
    const gate = createGate(1, 30_000);
    visitor(gate);
    const patient = visitor(gate);
    await turn();
    mock.timers.tick(29_999);
    await turn();
    assert.equal(patient.isIn, false);
    mock.timers.tick(1);
    await turn();
    assert.equal(patient.isIn, true);
  });

  test("is left by whoever gives up while waiting, and the next one has the place", async () => {
    const gate = createGate(1, 60_000);
    const first = visitor(gate);
    const stop = new AbortController();
    const second = visitor(gate, stop.signal);
    const third = visitor(gate);
    await turn();
    stop.abort();
    await turn();
    assert.deepEqual([second.isIn, second.problem], [false, "AbortError"]);
    first.leave();
    await turn();
    assert.equal(third.isIn, true);
    third.leave();
  });
});
