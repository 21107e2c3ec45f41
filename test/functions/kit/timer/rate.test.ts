/** What is decided about the events of a group, without NATS: the records, and more groups than can be remembered. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { pino } from "pino";
import { compileGrouping } from "../../../../functions/kit/filter/grouping.ts";
import type { Rate } from "../../../../functions/kit/filter/time-plan.ts";
import { createRates, type FoundRate, type RateMemory } from "../../../../functions/kit/timer/rate.ts";
import { decide, freeAtMs, type RateRecord } from "../../../../functions/kit/timer/rate-record.ts";
import { created } from "../event-factory.ts";

const rateOf = (type: Rate["type"], number: number): Rate => ({
  ...{ type, number, withinMs: 1_000, groupOf: compileGrouping("metadata.name") },
});

describe("what becomes of the next event of a group", () => {
  const rows: readonly {
    readonly name: string;
    readonly rate: Rate;
    /** `<id> <milliseconds>`, and whether it is run. */
    readonly events: readonly (readonly [string, boolean])[];
  }[] = [
    {
      name: "count: each third, counted anew",
      rate: rateOf("count", 3),
      events: ["a 0", "b 1", "c 2", "d 3", "e 4", "f 5"].map((each, i) => [each, i % 3 === 2]),
    },
    {
      name: "count: not those of longer ago",
      rate: rateOf("count", 2),
      events: [
        ["a 0", false],
        ["b 1000", false],
        ["c 1999", true],
      ],
    },
    {
      name: "rateLimit: two, and two more when the time is over",
      rate: rateOf("rateLimit", 2),
      events: [
        ["a 0", true],
        ["b 10", true],
        ["c 999", false],
        ["d 1000", true],
        ["e 1009", false],
        ["f 1010", true],
      ],
    },
    {
      name: "one that comes again is told what it was told, and counts once",
      rate: rateOf("rateLimit", 1),
      events: [
        ["a 0", true],
        ["b 1", false],
        ["a 0", true],
        ["b 1", false],
        ["c 1000", true],
        ["a 0", true],
      ],
    },
  ];
  for (const { name, rate, events } of rows) {
    test(name, () => {
      let record: RateRecord | undefined;
      for (const [event, expected] of events) {
        const [id = "", at] = event.split(" ");
        const decided = decide(record, { id, atMs: Number(at) }, rate);
        assert.equal(decided.isRun, expected, event);
        record = decided.record ?? record;
      }
    });
  }

  test("a record does not grow without end", () => {
    let record: RateRecord | undefined;
    for (let i = 0; i < 1_000; i++)
      record = decide(record, { id: `${i}`, atMs: i }, rateOf("count", 5)).record ?? record;
    assert.equal(record?.decisions.length, 26);
  });

  test("throttle: the next one is free when the one so many before is over", () => {
    let record: RateRecord | undefined;
    for (const atMs of [0, 100, 200]) record = decide(record, { id: `${atMs}`, atMs }, rateOf("throttle", 3)).record;
    assert.deepEqual(
      [freeAtMs(record, 300, rateOf("throttle", 3)), freeAtMs(record, 5_000, rateOf("throttle", 3))],
      [1_000, 5_000],
    );
  });
});

describe("more groups than there is room for", () => {
  const rows = [
    { type: "rateLimit", expected: [true, true, false] },
    { type: "oncePer", expected: [true, true, true] },
  ] as const;
  for (const { type, expected } of rows) {
    test(`${type}: ${type === "oncePer" ? "are run each time" : "share one"}, and that is told once`, async () => {
      const lines: string[] = [];
      const log = pino({ level: "warn" }, { write: (line: string) => lines.push(line) });
      const rates = createRates(rateOf(type, 1), createMemory(1), log);
      const seen: boolean[] = [];
      for (const name of ["known", "further", "furthest"]) {
        const { envelope } = created({ name, phase: "Failed" });
        seen.push(await rates.isRun(envelope, AbortSignal.timeout(60_000)));
      }
      assert.deepEqual(seen, expected);
      assert.equal(lines.length, 1);
      assert.match(lines[0] ?? "", /too many/);
    });
  }
});

/** With room for so many groups. */
function createMemory(groupsMax: number): RateMemory {
  const records = new Map<string, FoundRate>();
  return {
    read: async (group) => records.get(group) ?? { record: undefined, revision: 0 },
    async write(group, record, revision) {
      records.set(group, { record, revision: revision + 1 });
      return true;
    },
    hasRoom: async () => records.size < groupsMax,
  };
}
