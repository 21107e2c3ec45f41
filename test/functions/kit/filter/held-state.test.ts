/** Which filters have a state that can hold, for `for`, and what that state is. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { Duration, msOf } from "../../../../functions/kit/duration.ts";
import { Filter } from "../../../../functions/kit/filter/filter.ts";
import { heldStateOf, StatelessFilterError } from "../../../../functions/kit/filter/held-state.ts";
import { bindAll } from "../../../../functions/main.ts";
import type { DatabaseFields } from "../event-factory.ts";
import * as event from "../event-factory.ts";

const SO: DatabaseFields = {
  phase: "Failed",
  labels: { tier: "gold" },
  spec: { replicas: 5, restoreFrom: "x" },
  status: {
    replicas: 3,
    conditions: [{ type: "Ready", status: "False", reason: "Stuck", lastTransitionTime: "2025-12-31T23:00:00Z" }],
  },
};
const OTHER: DatabaseFields = {
  ...SO,
  phase: "Running",
  labels: { tier: "tin" },
  spec: { replicas: 3, paused: true },
  status: { replicas: 3 },
};

describe("the state behind a filter", () => {
  const rows: { when: object; since?: string }[] = [
    { when: { phase: { to: "Failed" } } },
    { when: { phase: { from: "Running", to: ["Failed", "Lost"] } } },
    { when: { condition: { type: "Ready", to: "False" } }, since: "2025-12-31T23:00:00Z" },
    { when: { condition: { type: "Ready", to: false, reason: "Stuck" } } },
    { when: { field: { path: "spec.replicas", to: 5 } } },
    { when: { field: { path: "spec.restoreFrom", present: true } } },
    { when: { field: { path: "spec.paused", absent: true } } },
    { when: { diverged: { spec: "spec.replicas", status: "status.replicas" } } },
    { when: { phase: { to: "Failed" }, labels: { tier: "gold" } } },
    { when: { all: [{ phase: { to: "Failed" } }, { not: { labels: { tier: "tin" } } }] } },
    { when: { any: [{ phase: { to: "Failed" } }, { condition: { type: "Ready", to: "Unknown" } }] } },
    { when: { phase: { to: "Failed" }, manager: "kubectl*", cel: "patch.size() > 0" } },
  ];
  for (const { when, since } of rows) {
    test(JSON.stringify(when), () => {
      const state = heldStateOf(Filter.parse(when));
      const entered = event.updated(OTHER, SO).envelope;
      const later = event.updated(SO, { ...SO, annotations: { note: "x" } }).envelope;
      assert.deepEqual([state.isSo(entered), state.isSo(later)], [true, true], "it is so, whatever else changes");
      assert.equal(state.isSo(event.updated(SO, OTHER).envelope), false, "it is so no more");
      assert.equal(state.isSo(event.deleted(SO).envelope), false, "an object that is gone is in no state");
      assert.equal(state.since(entered), since ?? entered.time);
    });
  }

  test("terminating, until the object is gone", () => {
    const state = heldStateOf({ terminating: true });
    const ending = { ...SO, metadata: { deletionTimestamp: "2026-01-01T00:00:00Z", finalizers: ["x/y"] } };
    assert.equal(state.isSo(event.updated(SO, ending).envelope), true);
    assert.equal(state.isSo(event.deleted(ending).envelope), false);
  });
});

describe("a filter without such a state is refused with what is missing", () => {
  const rows: { when: object | undefined; expected: RegExp }[] = [
    { when: undefined, expected: /becomes so/ },
    { when: { op: "updated" }, expected: /phase with to/ },
    { when: { phase: {} }, expected: /phase with to/ },
    { when: { phase: { from: "Running" } }, expected: /phase with to/ },
    { when: { field: { path: "spec.replicas", increased: true } }, expected: /phase with to/ },
    { when: { labels: { tier: "gold" } }, expected: /phase with to/ },
    { when: { cel: "object.spec.replicas > 4" }, expected: /phase with to/ },
    { when: { any: [{ phase: { to: "Failed" } }, { op: "deleted" }] }, expected: /each part of any/ },
    { when: { not: { phase: { to: "Failed" } } }, expected: /name the opposite/ },
  ];
  for (const { when, expected } of rows) {
    test(`${JSON.stringify(when)}`, () => {
      const filter = when && Filter.parse(when);
      assert.throws(
        () => heldStateOf(filter),
        (error) => error instanceof StatelessFilterError && expected.test(error.message),
      );
    });
  }
});

test("the example of functions/README.md is accepted", async () => {
  const readme = readFileSync(join(import.meta.dirname, "../../../../functions/README.md"), "utf8");
  const [, text = ""] = /^## For how long\n\n```yaml\n(.*?)^```/ms.exec(readme) ?? [];
  const subscriptions = { text: `subscriptions:\n${text}`, fileName: "README.md" };
  const [binding] = await bindAll({ subscriptions });
  assert.equal(binding?.matcher.window?.ms, 600_000);
});

test("a filter without a state is refused at start, with the subscription's name", async () => {
  const entry = {
    name: "any",
    function: "relay",
    apiVersion: "v1",
    kind: "Pod",
    for: "10m",
    config: { url: "http://x/" },
  };
  const subscriptions = { text: JSON.stringify({ subscriptions: [entry] }), fileName: "subs.yaml" };
  await assert.rejects(bindAll({ subscriptions }), /subscription "any": for: needs a filter/);
});

describe("a time", () => {
  const rows = [
    ["1s", 1_000],
    ["90s", 90_000],
    ["1h30m", 5_400_000],
    ["30d", 2_592_000_000],
    ["0s", undefined],
    ["31d", undefined],
    ["10", undefined],
    ["", undefined],
    ["1.5h", undefined],
  ] as const;
  for (const [text, expected] of rows) {
    test(`${text || "nothing"} is ${expected === undefined ? "refused" : `${expected} ms`}`, () => {
      const parsed = Duration.safeParse(text);
      assert.equal(parsed.success ? msOf(parsed.data) : undefined, expected);
    });
  }
});
