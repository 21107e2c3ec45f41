import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { sharesOf } from "../../../../functions/kit/ownership/share.ts";

const shares = (partitions: number, held: Record<string, number>) =>
  Object.fromEntries(sharesOf("s", partitions, new Map(Object.entries(held))));

describe("shares", () => {
  for (const { name, partitions, held, expected } of [
    { name: "one process has everything", partitions: 8, held: { a: 0 }, expected: { a: 8 } },
    { name: "two have half each", partitions: 8, held: { a: 8, b: 0 }, expected: { a: 4, b: 4 } },
    {
      name: "who holds most keeps the extra ones",
      partitions: 8,
      held: { a: 2, b: 4, c: 2 },
      expected: { a: 2, b: 3, c: 3 },
    },
    {
      name: "the one partition stays where it is",
      partitions: 1,
      held: { a: 0, b: 1, c: 0 },
      expected: { a: 0, b: 1, c: 0 },
    },
  ]) {
    test(name, () => {
      const found = shares(partitions, held);
      assert.deepEqual(Object.values(found).toSorted(), Object.values(expected).toSorted());
      for (const [id, count] of Object.entries(held))
        if (count > 0 && count <= Math.ceil(partitions / Object.keys(held).length))
          assert.ok((found[id] ?? 0) >= Math.min(count, Math.floor(partitions / Object.keys(held).length)));
    });
  }

  test("settle, whoever comes and goes: the difference is one at most, and what need not move does not", () => {
    for (const partitions of [1, 2, 4, 8, 16, 32, 64]) {
      for (const members of [1, 2, 3, 5, 7]) {
        const held = new Map(Array.from({ length: members }, (_, i) => [`p${i}`, i === 0 ? partitions : 0]));
        const first = sharesOf("s", partitions, held);
        const counts = [...first.values()];
        assert.equal(
          counts.reduce((sum, count) => sum + count, 0),
          partitions,
        );
        assert.ok(Math.max(...counts) - Math.min(...counts) <= 1);
        assert.deepEqual(sharesOf("s", partitions, first), first, "who has its share keeps it");
      }
    }
  });

  test("subscriptions of one partition spread over the processes", () => {
    const ids = ["a", "b", "c", "d"];
    const holders = Array.from({ length: 40 }, (_, i) => {
      const found = sharesOf(`s${i}`, 1, new Map(ids.map((id) => [id, 0])));
      return ids.find((id) => found.get(id) === 1);
    });
    for (const id of ids) assert.ok(holders.filter((holder) => holder === id).length >= 3);
  });
});
