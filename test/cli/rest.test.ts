/** Memory is given back by a process that waits, and not by one that works. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { getHeapSpaceStatistics } from "node:v8";
import { giveBackAtRest } from "../../cli/rest.ts";
import { until } from "../kit/until.ts";

const MIB = 1024 ** 2;

const youngBytes = () => getHeapSpaceStatistics().find(({ space_name: name }) => name === "new_space")?.space_size ?? 0;

/** What survives a collection is what makes the young generation grow. */
function work(): void {
  const kept: object[] = [];
  for (let index = 0; index < 400_000; index++) {
    kept.push({ index });
    if (kept.length > 100_000) kept.length = 0;
  }
}

test("a process that was busy gives its empty pages back when it has come to rest", async () => {
  while (youngBytes() < 16 * MIB) work();
  const stopped = new AbortController();
  giveBackAtRest(stopped.signal, { lookMs: 100 });
  await until(() => youngBytes() < 4 * MIB, { what: "the young generation is small again" });
  assert.equal("gc" in globalThis, false, "nothing else can collect");
  stopped.abort();
});
