/** A schedule can be had again from its seed, and leaves no fault out. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createRandom } from "../kit/random.ts";
import { FAULT_NAMES, faultsFor, needsOf } from "./fault.ts";
import { schedule, type Turn } from "./schedule.ts";

function draw(seed: number, count: number): Turn[] {
  const turns = schedule(FAULT_NAMES, createRandom(seed));
  return Array.from({ length: count }, () => turns.next().value);
}

test("the same seed gives the same schedule, another seed another", () => {
  assert.deepEqual(draw(7, 50), draw(7, 50));
  assert.notDeepEqual(draw(7, 50), draw(8, 50));
});

test("every fault comes before one comes again", () => {
  const names = draw(3, FAULT_NAMES.length).map(({ fault }) => fault);
  assert.deepEqual(names.toSorted(), FAULT_NAMES.toSorted());
});

test("one NATS server is spared the faults of a cluster, and a cluster those of one server", () => {
  const needs = (topology: "one" | "cluster") => new Set(faultsFor(topology).map((name) => needsOf(name)));
  assert.deepEqual([needs("one").has("cluster"), needs("cluster").has("one")], [false, false]);
  assert.deepEqual(new Set([...faultsFor("one"), ...faultsFor("cluster")]), new Set(FAULT_NAMES));
});

test("a schedule of nothing is refused", () => {
  assert.throws(() => schedule([], createRandom(1)).next(), /--faults/);
});
