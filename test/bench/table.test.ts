/** What the benchmark prints: rows out of measurements, ratios, verdicts, and the README's part that it writes. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { grouped, type Measurement, rowsOf } from "./measure.ts";
import { BEGIN, END, replaceMarked } from "./readme.ts";
import { tallyOf } from "./stored.ts";
import { measurementTables } from "./table.ts";
import { judge, type Target } from "./target.ts";

const of = (peer: string, value: number, measure = "rate"): Measurement => {
  return { scenario: "drain", work: "2 events", measure, unit: "events/s", peer, value };
};
const MEASURED = [
  of("floor", 1_000),
  of("floor", 3_000),
  of("floor", 2_000),
  of("us", 5_000),
  of("us", 4_000, "other"),
];

test("a row has the median of its rounds, the smallest and the largest, and ours divided by the floor's", () => {
  assert.equal(
    measurementTables(rowsOf(MEASURED), { "client-node": "no network" }),
    `### drain

|          |                 | floor               | client-node | fluent-client | us    | us/floor |
| -------- | --------------- | ------------------- | ----------- | ------------- | ----- | -------- |
| 2 events | rate, events/s  | 2,000 (1,000–3,000) | not built   | –             | 5,000 | 2.50     |
| 2 events | other, events/s | –                   | not built   | –             | 4,000 |          |
`,
  );
});

describe("a target", () => {
  const target: Target = { scenario: "drain", measure: "rate", promise: "fast", against: "floor" };
  const rows: readonly { name: string; target: Target; found?: number; result: string }[] = [
    { name: "is met at its bound", target: { ...target, atLeast: 2.5 }, found: 2.5, result: "met" },
    { name: "is not met below it", target: { ...target, atLeast: 2.6 }, found: 2.5, result: "not met" },
    { name: "is not met above it", target: { ...target, atMost: 2.4 }, found: 2.5, result: "not met" },
    {
      name: "may be about ours alone",
      target: { ...target, against: "nothing", atMost: 6_000 },
      found: 5_000,
      result: "met",
    },
    {
      name: "without the floor is not measured",
      target: { ...target, measure: "other", atLeast: 1 },
      result: "not measured",
    },
    { name: "of another scenario is not measured", target: { ...target, scenario: "capture" }, result: "not measured" },
    { name: "may be about some rows", target: { ...target, work: /^100/ }, result: "not measured" },
  ];
  for (const { name, target: each, found, result } of rows)
    test(name, () => {
      const [verdict, ...others] = judge(rowsOf(MEASURED), [each]);
      assert.deepEqual([verdict?.found, verdict?.result, others], [found, result, []]);
    });

  test("against the fastest library takes the smallest of the others", () => {
    const rows = rowsOf([of("slow", 90), of("fast", 30), of("us", 10)]);
    const fastest: Target = { ...target, against: "fastest other", atMost: 1 / 3 };
    assert.deepEqual(judge(rows, [fastest])[0]?.result, "met");
  });
});

test("a tally counts what is missing and what is there twice, also of what nobody wrote", () => {
  const events = ["a", "b", "b", "x", "x", "x"].map((key) => ({ key }));
  assert.deepEqual(tallyOf(events, new Set(["a", "b", "c"])), { lost: 1, doubled: 3 });
});

test("numbers have separators between thousands", () => {
  assert.deepEqual([0, 999, 1_000, 1_234_567.8].map(grouped), ["0", "999", "1,000", "1,234,568"]);
});

test("the figures in a README are replaced, and nothing else", () => {
  const readme = `before\n${BEGIN}\nold\n${END}\nafter\n`;
  const once = replaceMarked(readme, "\nnew\n");
  assert.equal(once, `before\n${BEGIN}\n\nnew\n\n${END}\nafter\n`);
  assert.equal(replaceMarked(once, "new"), once);
  assert.throws(() => replaceMarked("no markers", "new"), /no place for figures/);
});
