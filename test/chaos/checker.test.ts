/**
 * The checker finds what it is there to find: a small run without a flaw passes, and each way in which a log can be wrong, put into
 * it by hand, is named with its object, version and place in the stream.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { opOf } from "#contract";
import { ALWAYS_IGNORED } from "../../bridge/capture/resource.ts";
import { check } from "./checker.ts";
import { type Evidence, type ViolationKind, violationLine } from "./evidence.ts";
import {
  blindAround,
  DEEDS,
  deedsHiding,
  deedsWith,
  faultless,
  START_MS,
  widget,
  withEnvelope,
  withEvents,
} from "./example-run.ts";
import { stateDigest } from "./ledger.ts";

describe("a run without a flaw", () => {
  const rows: readonly { name: string; evidence: Evidence; counts: object }[] = [
    {
      name: "has nothing wrong",
      evidence: faultless(),
      counts: { writes: 9, quiet: 0, events: 9, gaps: 0, covered: 0, unseen: 0, undone: 0, forgotten: 0 },
    },
    {
      name: "may tell a net change where the history was cut, when it says so",
      evidence: {
        ...faultless(deedsHiding(13).map((deed) => (deed.version === 14 ? { ...deed, gap: true as const } : deed))),
        ...blindAround(13, 14),
      },
      counts: { writes: 9, quiet: 0, events: 8, gaps: 1, covered: 1, unseen: 0, undone: 0, forgotten: 0 },
    },
    {
      name: "says nothing of an object that came and went while nobody could see",
      evidence: {
        ...faultless([
          ...DEEDS,
          { name: "brief", uid: "u4", version: 20, size: 1, hidden: true },
          { name: "brief", uid: "u4", version: 21, size: null, hidden: true },
        ]),
        ...blindAround(20, 21),
      },
      counts: { writes: 11, quiet: 0, events: 9, gaps: 0, covered: 0, unseen: 2, undone: 0, forgotten: 0 },
    },
    {
      name: "has no event for a write that changed nothing",
      evidence: faultless([...DEEDS, { name: "other", uid: "u2", version: 20, size: 8, phase: "*", hidden: true }]),
      counts: { writes: 9, quiet: 1, events: 9, gaps: 0, covered: 0, unseen: 0, undone: 0, forgotten: 0 },
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

describe("what is wrong is named", () => {
  const run = faultless();
  const rows: readonly { name: string; evidence: Evidence; kind: ViolationKind; line: RegExp }[] = [
    {
      name: "a lost event",
      evidence: withEvents(run, (events) => events.toSpliced(4, 1)),
      kind: "lost",
      line: /shop\/other resourceVersion 15 .*the next event \(updated, sequence 7\) is not marked as a gap/,
    },
    {
      name: "a lost last event",
      evidence: withEvents(run, (events) => events.slice(0, -1)),
      kind: "lost",
      line: /shop\/a\.b resourceVersion 19 .*nor has anything after it/,
    },
    {
      name: "a lost deletion",
      evidence: withEvents(run, (events) => events.toSpliced(5, 1)),
      kind: "lost",
      line: /shop\/a\.b .*the deletion of uid u1/,
    },
    {
      name: "an event that is there twice",
      evidence: withEvents(run, (events) => [...events, events[7]]),
      kind: "twice",
      line: /shop\/other resourceVersion 18 \(stream sequence 10\): u2\.18 is already at sequence 8/,
    },
    {
      name: "two events in the wrong order",
      evidence: withEvents(run, ([a, b, c, d, ...rest]) => [a, b, d, c, ...rest]),
      kind: "out of order",
      line: /shop\/a\.b resourceVersion 13 \(stream sequence 4\): it comes behind version 14/,
    },
    {
      name: "an event of a write that nobody made",
      evidence: { ...run, ledger: run.ledger.filter(({ resourceVersion }) => resourceVersion !== "18") },
      kind: "false event",
      line: /shop\/other resourceVersion 18 \(stream sequence 8\): nobody wrote this version/,
    },
    {
      name: "an event for an unchanged object",
      evidence: withEvents(run, (events) =>
        events.flatMap((event) => {
          if (event.messageId !== "u2.18") return [event];
          const copy = structuredClone(event.envelope);
          Object.assign(copy, { id: "u2.20", sequence: "20".padStart(20, "0") });
          copy.data.object.metadata.resourceVersion = "20";
          return [event, { ...event, messageId: "u2.20", envelope: copy }];
        }),
      ),
      kind: "false event",
      line: /shop\/other resourceVersion 20 \(stream sequence 9\): nothing changed since the event before/,
    },
    {
      name: "a creation of what was there before the bridge",
      evidence: { ...run, start: { fromMs: START_MS + 12_000, toMs: START_MS + 12_500 } },
      kind: "false event",
      line: /shop\/a\.b resourceVersion 11 \(stream sequence 1\): the object was there before the bridge was started/,
    },
    {
      name: "a deletion that did not happen",
      evidence: { ...run, ledger: run.ledger.filter(({ resourceVersion }) => resourceVersion !== null) },
      kind: "false event",
      line: /shop\/a\.b resourceVersion 16 \(stream sequence 6\): nobody deleted this object/,
    },
    {
      name: "a patch that does not lead back",
      evidence: withEnvelope(run, 2, ({ data }) => {
        data.patch = [{ op: "replace", path: "/spec/size", value: 2, oldValue: 5 }];
      }),
      kind: "wrong patch",
      line: /shop\/a\.b resourceVersion 13 \(stream sequence 3\): undone, it does not give the state/,
    },
    {
      name: "a net change that is not marked as a gap",
      evidence: { ...faultless(deedsHiding(13)), ...blindAround(13, 14) },
      kind: "lost",
      line: /shop\/a\.b resourceVersion 13 .*\(updated, sequence 3\) is not marked as a gap/,
    },
    {
      name: "a gap where the history was not cut",
      evidence: faultless(deedsWith(15, { gap: true })),
      kind: "false gap",
      line: /shop\/other resourceVersion 15 \(stream sequence 5\)/,
    },
    {
      name: "a final state that the log does not have",
      evidence: { ...run, final: run.final.map((object) => ({ ...object, spec: { size: 99 } })) },
      kind: "wrong final state",
      line: /shop\/other resourceVersion 18 \(stream sequence 8\): the API server has another state/,
    },
    {
      name: "an object that is gone, and alive in the log",
      evidence: { ...run, final: [] },
      kind: "wrong final state",
      line: /shop\/a\.b resourceVersion 19 .*shows it alive/,
    },
    {
      name: "an object that the log never heard of",
      evidence: faultless([...DEEDS, { name: "new", uid: "u4", version: 20, size: 1, hidden: true }]),
      kind: "wrong final state",
      line: /shop\/new resourceVersion 20 \(not in the stream\): the API server has it and the log has no event/,
    },
    {
      name: "another object than the one that was written",
      evidence: { ...run, ledger: run.ledger.map((line) => ({ ...line, digest: line.digest && "other" })) },
      kind: "wrong object",
      line: /shop\/a\.b resourceVersion 11 \(stream sequence 1\): the object is not the one/,
    },
    {
      name: "a subject that speaks of another object",
      evidence: withEvents(run, (events) =>
        events.map((event) => ({ ...event, subject: event.subject.replace(".other.", ".another.") })),
      ),
      kind: "wrong subject",
      line: /shop\/other resourceVersion 12 .*the subject's name is another, not other/,
    },
    {
      name: "events that were trimmed before anybody read them",
      evidence: { ...run, events: run.events.map((event) => ({ ...event, sequence: event.sequence + 3 })) },
      kind: "unread",
      line: /stream sequence 4/,
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

test("what counts as bookkeeping is what the bridge always ignores", () => {
  const object = widget({ name: "a", uid: "u", version: 1, size: 1 });
  const fields = ALWAYS_IGNORED.map((path) => path.split("/").at(-1) ?? "");
  const other = { ...object, metadata: { ...object.metadata, ...Object.fromEntries(fields.map((key) => [key, "9"])) } };
  assert.equal(stateDigest(other), stateDigest(object));
  assert.deepEqual(
    faultless().events.map(({ envelope }) => opOf(envelope)),
    ["created", "created", "updated", "updated", "updated", "deleted", "created", "updated", "updated"],
  );
});
