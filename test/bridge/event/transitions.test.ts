import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  conditionTransitions,
  parsePhaseSource,
  phaseOf,
  phaseThen,
  phaseTransition,
} from "../../../bridge/event/transitions.ts";
import type { KubeObject } from "../../../bridge/kube/kube-object.ts";

const AT = "2026-03-01T12:00:00Z";
const metadata = { name: "a", uid: "u", resourceVersion: "1" };
const object = (status: unknown): KubeObject => ({ apiVersion: "v1", kind: "K", metadata, status });
const ready = (status: string, lastTransitionTime?: string) => ({
  type: "Ready",
  status,
  ...(lastTransitionTime && { lastTransitionTime }),
});

describe("the phase of an object", () => {
  const rows = [
    {
      name: "is read from status.phase",
      source: "status.phase",
      status: { phase: "Failed" },
      expected: { name: "Failed", since: AT },
    },
    {
      name: "has held since before when it is the same",
      source: "status.phase",
      status: { phase: "Running" },
      expected: { name: "Running", since: "2026-03-01T10:00:00Z" },
    },
    { name: "can be a number", source: "status.phase", status: { phase: 3 }, expected: { name: "3", since: AT } },
    { name: "is none when the field is missing", source: "status.phase", status: {}, expected: undefined },
    { name: "is none when the field is empty", source: "status.phase", status: { phase: "" }, expected: undefined },
    { name: "is none when the field is a map", source: "status.phase", status: { phase: {} }, expected: undefined },
    {
      name: "can be a condition, which knows since when",
      source: "condition:Ready",
      status: { conditions: [ready("False", "2026-03-01T11:00:00Z")] },
      expected: { name: "False", since: "2026-03-01T11:00:00Z" },
    },
    {
      name: "has held since it was seen when the condition's own time is none, so that the event can be read",
      source: "condition:Ready",
      status: { conditions: [ready("False", "yesterday")] },
      expected: { name: "False", since: AT },
    },
    {
      name: "is none when the condition is missing",
      source: "condition:Ready",
      status: { conditions: [] },
      expected: undefined,
    },
    {
      name: "is none when the conditions are no list",
      source: "condition:Ready",
      status: { conditions: "x" },
      expected: undefined,
    },
  ];
  for (const { name, source, status, expected } of rows) {
    test(name, () => {
      const before = { name: "Running", since: "2026-03-01T10:00:00Z" };
      assert.deepEqual(phaseOf(object(status), parsePhaseSource(source), before, AT), expected);
    });
  }

  test("a source without a condition's name is refused with the two forms", () => {
    assert.throws(() => parsePhaseSource("condition:"), /condition:Ready.*status\.phase/);
  });
});

describe("a transition", () => {
  const running = { name: "Running", since: "2026-03-01T09:44:37Z" };
  const failed = { name: "Failed", since: AT };
  const rows = [
    {
      name: "tells how long the phase before had held",
      before: running,
      after: failed,
      expected: { from: "Running", to: "Failed", heldSeconds: 8123 },
    },
    { name: "is none when the phase is the same", before: running, after: { ...running }, expected: undefined },
    {
      name: "comes from nothing at the first phase",
      before: undefined,
      after: failed,
      expected: { from: null, to: "Failed", heldSeconds: null },
    },
    {
      name: "goes to nothing when the phase is removed",
      before: running,
      after: undefined,
      expected: { from: "Running", to: null, heldSeconds: 8123 },
    },
    {
      name: "never held a negative time",
      before: { name: "A", since: "2026-03-01T13:00:00Z" },
      after: failed,
      expected: { from: "A", to: "Failed", heldSeconds: 0 },
    },
    {
      name: "held for an unknown time when the clock cannot be read",
      before: { name: "A", since: "yesterday" },
      after: failed,
      expected: { from: "A", to: "Failed", heldSeconds: null },
    },
  ];
  for (const { name, before, after, expected } of rows) {
    test(name, () => assert.deepEqual(phaseTransition(before, after, AT), expected));
  }
});

describe("conditions", () => {
  test("whose status changed are told with reason and message, whatever their place in the list", () => {
    const before = object({ conditions: [ready("True", "2026-03-01T11:00:00Z"), { type: "Synced", status: "True" }] });
    const after = object({
      conditions: [
        { type: "Synced", status: "True" },
        { ...ready("False", AT), reason: "DiskFull", message: "no space" },
      ],
    });
    assert.deepEqual(conditionTransitions(before, after, AT), {
      Ready: { from: "True", to: "False", reason: "DiskFull", message: "no space", heldSeconds: 3600 },
    });
  });

  test("that appear or disappear are transitions from and to nothing", () => {
    const [one, other] = [
      object({ conditions: [ready("True")] }),
      object({ conditions: [{ type: "Synced", status: "True" }] }),
    ];
    assert.deepEqual(conditionTransitions(one, other, AT), {
      Ready: { from: "True", to: null, reason: null, message: null, heldSeconds: null },
      Synced: { from: null, to: "True", reason: null, message: null, heldSeconds: null },
    });
  });

  test("that only changed their message are no transition", () => {
    const before = object({ conditions: [{ ...ready("False"), message: "a" }] });
    const after = object({ conditions: [{ ...ready("False"), message: "b" }] });
    assert.equal(conditionTransitions(before, after, AT), undefined);
  });
});

describe("the phase of a published state, read as today", () => {
  const rows = [
    {
      name: "is the one that was told, since when it was told",
      told: { name: "Running", since: AT },
      expected: { name: "Running", since: AT },
    },
    {
      name: "is not the one that was told when the phase stood elsewhere, and since when it holds is unknown",
      told: { name: "True", since: AT },
      expected: { name: "Running", since: undefined },
    },
    { name: "is there although none was told", told: undefined, expected: { name: "Running", since: undefined } },
  ];
  for (const { name, told, expected } of rows)
    test(name, () => {
      const then = phaseThen(object({ phase: "Running" }), parsePhaseSource("status.phase"), told);
      assert.deepEqual(then, expected);
      const failed = { name: "Failed", since: AT };
      assert.equal(phaseTransition(then, failed, AT)?.heldSeconds, expected.since === undefined ? null : 0);
    });

  test("is none where the object has none", () => {
    assert.equal(phaseThen(object({}), parsePhaseSource("status.phase"), { name: "True", since: AT }), undefined);
  });
});
