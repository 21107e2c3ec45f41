import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  firstRecord,
  forAnotherLog,
  newestOf,
  SubscriptionRecord,
  verdictOn,
  type Wanted,
  withEdit,
  withEditInForce,
  withPlace,
} from "../../../../functions/kit/ownership/subscription-record.ts";

const wanted = (digest: string, partitions: Wanted["partitions"] = 1): Wanted => ({
  digest,
  function: "f",
  selection: { apiVersion: "v1", kind: "Pod" },
  subjects: ["cr.>"],
  partitions,
});
const place = (upToSequence: number, storedUntilMs: number) => ({ upToSequence, storedUntilMs });
const event = (streamSequence: number, storedAtMs: number) => ({ streamSequence, storedAtMs });
const begun = firstRecord(wanted("a"), "log 1", place(10, 1_000));
const proposed = withEdit(begun, wanted("b"), place(50, 5_000));
const placed = withPlace(proposed, place(60, 6_000));

describe("what becomes of an event", () => {
  for (const { name, record, generation, given, expected } of [
    { name: "without an edit it is run", record: begun, generation: 1, given: event(99, 9_000), expected: "run" },
    { name: "before a proposal it is run", record: proposed, generation: 1, given: event(50, 5_000), expected: "run" },
    { name: "behind a proposal it waits", record: proposed, generation: 1, given: event(51, 5_001), expected: "hold" },
    { name: "before the place it is run", record: placed, generation: 1, given: event(60, 5_900), expected: "run" },
    {
      name: "behind the place it is the next one's",
      record: placed,
      generation: 1,
      given: event(61, 6_001),
      expected: "pass",
    },
    {
      name: "with a sequence that a restored log gave again, too",
      record: placed,
      generation: 1,
      given: event(55, 7_000),
      expected: "pass",
    },
    {
      name: "of a generation that is over, it is nobody's",
      record: withEditInForce(placed),
      generation: 1,
      given: event(5, 1),
      expected: "hold",
    },
    {
      name: "of the new generation it is run",
      record: withEditInForce(placed),
      generation: 2,
      given: event(61, 6_001),
      expected: "run",
    },
  ]) {
    test(name, () => assert.equal(verdictOn(record, generation, given), expected));
  }
});

describe("the record", () => {
  test("an edit comes into force only when its place is fixed, and begins there", () => {
    assert.deepEqual(withEditInForce(proposed), proposed);
    const { current, next } = withEditInForce(placed);
    assert.deepEqual([current.generation, current.digest, current.from, next], [2, "b", place(60, 6_000), undefined]);
  });

  test("a second edit takes the place of the first, in the log too", () => {
    const second = withEdit(placed, wanted("c", 8), place(99, 9_000));
    assert.deepEqual([second.next?.from, second.next?.generation, newestOf(second).digest], [place(60, 6_000), 2, "c"]);
  });

  test("for another log a pending edit is in force from its beginning", () => {
    const { current, next, logCreatedAt } = forAnotherLog(placed, "log 2");
    assert.deepEqual(
      [current.digest, current.from, current.generation, next, logCreatedAt],
      ["b", place(0, 0), 3, undefined, "log 2"],
    );
  });

  test("is the same after it was stored", () => {
    for (const record of [begun, proposed, placed, withEditInForce(placed)])
      assert.deepEqual(SubscriptionRecord.parse(JSON.parse(JSON.stringify(record))), record);
  });
});
