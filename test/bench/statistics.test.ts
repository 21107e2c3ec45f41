/** The benchmark's arithmetic: what it says of a series is what the series does. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createRandom } from "../kit/random.ts";
import { driftOf, lowestOfEach, type Point, percentile, summaryOf } from "./statistics.ts";

describe("a summary", () => {
  const rows = [
    { name: "of one value is that value", values: [7], expected: { median: 7, min: 7, max: 7, count: 1 } },
    { name: "does not depend on the order", values: [9, 1, 5], expected: { median: 5, min: 1, max: 9, count: 3 } },
    {
      name: "of an even number lies between two",
      values: [4, 1, 3, 2],
      expected: { median: 2.5, min: 1, max: 4, count: 4 },
    },
    {
      name: "is not moved by one outlier",
      values: [1, 2, 3, 4, 1e9],
      expected: { median: 3, min: 1, max: 1e9, count: 5 },
    },
  ];
  for (const { name, values, expected } of rows) test(name, () => assert.deepEqual(summaryOf(values), expected));

  test("of nothing is refused", () => assert.throws(() => summaryOf([]), RangeError));

  test("has percentiles between its ends", () => {
    const sorted = Array.from({ length: 101 }, (_, index) => index);
    assert.deepEqual(
      [0, 50, 99, 99.5, 100].map((percent) => percentile(sorted, percent)),
      [0, 50, 99, 99.5, 100],
    );
  });
});

describe("a drift", () => {
  const series = (valueAt: (index: number) => number, count = 60): Point[] =>
    Array.from({ length: count }, (_, index) => ({ seconds: index * 10, value: valueAt(index) }));
  const noise = (seed: number) => {
    const random = createRandom(seed);
    return () => random.between(-5, 5);
  };
  const seeds = [1, 2, 3, 4, 5];

  test("is none where nothing changes", () => {
    assert.deepEqual(
      driftOf(
        series(() => 100),
        0,
      ),
      { perHour: 0, z: 0, rises: false },
    );
  });
  test("has the slope of a straight line, in units an hour", () => {
    const { perHour, rises } = driftOf(
      series((index) => 100 + index),
      0,
    );
    assert.ok(Math.abs(perHour - 360) < 1e-9 && rises);
  });
  test("is not what noise does", () => {
    for (const seed of seeds) {
      const random = noise(seed);
      assert.ok(
        !driftOf(
          series(() => 100 + random()),
          0,
        ).rises,
        `seed ${seed}`,
      );
    }
  });
  test("is found beneath noise", () => {
    for (const seed of seeds) {
      const random = noise(seed);
      assert.ok(
        driftOf(
          series((index) => 100 + index * 0.2 + random()),
          10,
        ).rises,
        `seed ${seed}`,
      );
    }
  });
  test("is not made by a few outliers", () => {
    assert.ok(
      !driftOf(
        series((index) => (index > 56 ? 10_000 : 100 + (index % 3))),
        10,
      ).rises,
    );
  });
  test("is not told when it is too slow to matter", () => {
    assert.ok(
      !driftOf(
        series((index) => 100 + index * 0.001),
        1,
      ).rises,
    );
  });
  test("downwards is no rise", () => {
    const { z, rises } = driftOf(
      series((index) => 100 - index),
      0,
    );
    assert.ok(z < -2 && !rises);
  });
});

test("the lowest of each window is what a process holds between two collections", () => {
  const sawtooth = Array.from({ length: 40 }, (_, index) => ({ seconds: index, value: 100 + (index % 10) * 20 }));
  assert.deepEqual(lowestOfEach(sawtooth, 20), [
    { seconds: 0, value: 100 },
    { seconds: 20, value: 100 },
  ]);
});
