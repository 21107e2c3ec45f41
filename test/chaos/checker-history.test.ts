/**
 * The checker judges across histories that go back, vanish or are told again: what is right after a restored etcd, a wiped log and a
 * kind that was made anew passes, and what is not is named.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { check } from "./checker.ts";
import { type Evidence, type ViolationKind, violationLine } from "./evidence.ts";
import { recreatedRun, restoredRun, unnoticedRun, wipedRun } from "./example-history.ts";
import { deedsWith, faultless, withEnvelope, withEvents } from "./example-run.ts";

describe("a run without a flaw", () => {
  const rows: readonly { name: string; evidence: Evidence; counts: object }[] = [
    {
      name: "goes on from what a restored etcd has, and need not tell what that undid",
      evidence: restoredRun(),
      counts: { writes: 14, quiet: 0, events: 16, gaps: 3, covered: 0, unseen: 0, undone: 1, forgotten: 0 },
    },
    {
      name: "tells nothing where a restore left what the log knew",
      evidence: unnoticedRun(),
      counts: { writes: 11, quiet: 0, events: 10, gaps: 0, covered: 2, unseen: 0, undone: 1, forgotten: 0 },
    },
    {
      name: "tells as existing what a wiped log had known, and nothing of what was gone by then",
      evidence: wipedRun(),
      counts: { writes: 10, quiet: 0, events: 3, gaps: 2, covered: 3, unseen: 4, undone: 0, forgotten: 9 },
    },
    {
      name: "tells each object of a deleted kind as deleted",
      evidence: recreatedRun(),
      counts: { writes: 12, quiet: 0, events: 12, gaps: 1, covered: 0, unseen: 0, undone: 0, forgotten: 0 },
    },
  ];
  for (const { name, evidence, counts } of rows) {
    test(name, () => {
      const verdict = check(evidence);
      assert.deepEqual(verdict.violations.map(violationLine), []);
      assert.deepEqual(verdict.counts, counts);
    });
  }
});

/** The run without the event of this id. */
const without = (run: Evidence, id: string): Evidence =>
  withEvents(run, (events) => events.filter(({ messageId }) => messageId !== id));
/** The run with the event of this id not marked as a gap. */
const ungapped = (run: Evidence, id: string): Evidence => {
  const at = run.events.findIndex(({ messageId }) => messageId === id);
  assert.ok(at >= 0, id);
  return withEnvelope(run, at, ({ data }) => {
    data.gap = false;
  });
};

describe("what is wrong is named", () => {
  const rows: readonly { name: string; evidence: Evidence; kind: ViolationKind; line: RegExp }[] = [
    {
      name: "an event of the time before a restore behind one of the time after it",
      evidence: restoredRun({ name: "other", uid: "u2", version: 22, size: 11, phase: "*", at: 31 }),
      kind: "out of order",
      line: /shop\/other resourceVersion 22 .*behind version 20 of epoch 2/,
    },
    {
      name: "a change that a restore undid and the log still has",
      evidence: without(restoredRun(), "u2.18.e2"),
      kind: "lost",
      line: /shop\/other resourceVersion 18 .*the write \(found\) has no event, and the next event .* is not marked/,
    },
    {
      name: "a creation that a restore undid and the log still has",
      evidence: without(restoredRun(), "u5.deleted.e2"),
      kind: "lost",
      line: /shop\/new .*the deletion of uid u5/,
    },
    {
      name: "a deletion that a restore undid and the log still has",
      evidence: without(restoredRun(), "u3.19.e2"),
      kind: "lost",
      line: /shop\/a\.b resourceVersion 19 .*the write \(found\) has no event, nor has anything after it/,
    },
    {
      name: "an undone write that is told twice",
      evidence: withEvents(restoredRun(), (events) => [
        ...events,
        events.find(({ messageId }) => messageId === "u2.20"),
      ]),
      kind: "twice",
      line: /shop\/other resourceVersion 20 \(stream sequence 17\): u2\.20 is already at sequence 10/,
    },
    {
      name: "an undone write that is told as one of the time after",
      evidence: restoredRun({ name: "new", uid: "u5", version: 21, size: 1, epoch: 2, at: 31, again: true }),
      kind: "false event",
      line: /shop\/new resourceVersion 21 .*nobody wrote this version/,
    },
    {
      name: "an object that lives again, without a word that something is missing",
      evidence: ungapped(restoredRun(), "u3.19.e2"),
      kind: "out of order",
      line: /shop\/a\.b resourceVersion 19 .*behind the object's deletion/,
    },
    {
      name: "the end of an object that a restore undid, as if somebody had seen it",
      evidence: ungapped(restoredRun(), "u5.deleted.e2"),
      kind: "false event",
      line: /shop\/new .*its deletion is not marked as a gap/,
    },
    {
      name: "an epoch that no restore began",
      evidence: restoredRun({
        name: "other",
        uid: "u2",
        version: 21,
        size: 11,
        phase: "*",
        epoch: 3,
        at: 31,
        again: true,
      }),
      kind: "false event",
      line: /shop\/other resourceVersion 21 .*nobody wrote this version/,
    },
    {
      name: "a creation of what was there before the log was wiped",
      evidence: wipedRun({ op: "created" }),
      kind: "false event",
      line: /shop\/other resourceVersion 18 .*the object was there before the log was wiped/,
    },
    {
      name: "a first sight after the log was wiped that is not marked as a gap",
      evidence: ungapped(wipedRun(), "u3.19"),
      kind: "false event",
      line: /shop\/a\.b resourceVersion 19 .*created after the bridge had compared/,
    },
    {
      name: "an object that a wiped log is not told of again",
      evidence: without(wipedRun(), "u3.19"),
      kind: "lost",
      line: /shop\/a\.b resourceVersion 19 .*nor has anything after it/,
    },
    {
      name: "an event that the log lacked before it was wiped",
      evidence: wipedRun(
        {},
        withEvents(faultless(), (events) => events.toSpliced(4, 1)),
      ),
      kind: "lost",
      line: /shop\/other resourceVersion 15 .*the next event \(updated, sequence 7\) is not marked as a gap/,
    },
    {
      name: "an event that was false before the log was wiped",
      evidence: wipedRun({}, faultless(deedsWith(15, { size: 99 }))),
      kind: "wrong object",
      line: /shop\/other resourceVersion 15 .*the object is not the one/,
    },
    {
      name: "an object of a deleted kind whose deletion is missing",
      evidence: without(recreatedRun(), "u2.deleted"),
      kind: "lost",
      line: /shop\/other .*the deletion of uid u2 behind this version has no event/,
    },
    {
      name: "the last object of a deleted kind whose deletion is missing",
      evidence: without(recreatedRun(), "u3.deleted"),
      kind: "lost",
      line: /shop\/a\.b .*the deletion of uid u3 behind this version has no event/,
    },
  ];
  for (const { name, evidence, kind, line } of rows) {
    test(name, () => {
      const found = check(evidence).violations;
      const lines = found.filter((each) => each.kind === kind).map(violationLine);
      assert.ok(
        lines.some((text) => line.test(text)),
        `among ${found.map(violationLine).join("\n")}`,
      );
    });
  }
});
