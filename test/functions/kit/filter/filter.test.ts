import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Filter } from "../../../../functions/kit/filter/filter.ts";
import { parseSubscriptions } from "../../../../functions/kit/subscription.ts";

const entry = `subscriptions:
  - name: s
    function: f
    apiVersion: demo.example.com/v1
    kind: Database
    when: `;

/** What a filter in a subscriptions file is refused with, without its place; `undefined` when it is not. */
function problemOf(when: string): string | undefined {
  try {
    parseSubscriptions(`${entry}${when}\n`, "s.yaml");
    return undefined;
  } catch (error) {
    return (error as Error).message.replace(/^s\.yaml:6:\d+ subscriptions\[0\]\./, "");
  }
}

const nested = (depth: number) => `${"{ not: ".repeat(depth - 1)}{ created: true }${" }".repeat(depth - 1)}`;
const QUOTES = "expected a text or a list of texts; a number, true or false belongs in quotes";

describe("a mistake in a filter is told with its field, and what to write instead:", () => {
  for (const [when, expected] of [
    ["{}", /^when: is empty: name a condition \(op, created, .*, not\), or leave it out/],
    ["{ phse: { to: x } }", 'when.phse: unknown key (did you mean "phase"?)'],
    ["{ any: [{ not: { fild: {} } }] }", 'when.any[0].not.fild: unknown key (did you mean "field"?)'],
    ["{ zzz: 1 }", /^when.zzz: unknown key: known are op, created, /],
    ["failed", 'when: expected a map, got "failed"'],
    ["{ phase: { too: x } }", 'when.phase.too: unknown key (did you mean "to"?)'],
    ["{ phase: { to: True } }", `when.phase.to: ${QUOTES}`],
    ["{ phase: { to: [a, 3] } }", `when.phase.to: ${QUOTES}`],
    ["{ op: updatd }", /^when.op: expected created, .*, or a list of them \(did you mean "updated"\?\)/],
    ["{ op: [created, del] }", /^when.op: expected created, updated, deleted, existing, unselected, or a list/],
    ["{ created: false }", "when.created: expected true: for the opposite write not: { … }"],
    ["{ condition: { to: x } }", "when.condition.type: is missing: add it (expected a string)"],
    ["{ condition: { type: Ready, to: 3 } }", "when.condition.to: expected True, False or Unknown, or a list of them"],
    ["{ field: spec.replicas }", 'when.field: expected a map, got "spec.replicas"'],
    ["{ field: { path: 'spec..x' } }", /^when.field.path: .*write it as spec\.replicas/],
    ["{ field: { path: spec.x, incresed: true } }", 'when.field.incresed: unknown key (did you mean "increased"?)'],
    [
      "{ field: { path: spec.x, increased: true, decreased: true } }",
      "when.field: increased and decreased exclude each other: keep one, or write any: [ … ]",
    ],
    [
      "{ field: { path: spec.x, present: true, from: 1 } }",
      "when.field: present means that there was no value before: leave out from",
    ],
    [
      "{ field: { path: spec.x, absent: true, to: 1 } }",
      "when.field: absent means that there is no value any more: leave out to",
    ],
    ["{ diverged: { spec: spec.x } }", "when.diverged.status: is missing: add it (expected a string)"],
    ["{ ownedBy: { name: x } }", "when.ownedBy.kind: is missing: add it (expected a string)"],
    ["{ labels: { a: true } }", `when.labels.a: ${QUOTES}`],
    ["{ labels: {} }", "when.labels: name at least one"],
    ["{ names: [] }", "when.names: name at least one value"],
    ["{ manager: '' }", "when.manager: expected some text"],
    ["{ exact: { typ: x } }", 'when.exact.typ: no attribute of our events (did you mean "type"?)'],
    ["{ prefix: { data: x } }", /^when.prefix.data: no attribute of our events/],
    ["{ exact: { terminating: true } }", /^when.exact.terminating: expected a text; .* in quotes/],
    ["{ cel: 'object.spec.' }", /^when.cel: line 1, column 13: expected /],
    ["{ cel: 'objct.spec.x > 1' }", /^when.cel: .*did you mean "object"/],
    ["{ sql: 'phase =' }", /^when.sql: line 1, column \d+: expected /],
    ["{ cesql: 3 }", "when.cesql: expected a string, got 3"],
    ["{ any: [] }", "when.any: name at least one filter"],
    ["{ any: { phase: {} } }", "when.any: expected a list, got a map"],
    ["{ not: { all: [{}] } }", /^when.not.all\[0\]: is empty/],
    ["{ constructor: 1 }", /^when.constructor: unknown key/],
    ["{ __proto__: { created: true } }", /^when.__proto__: unknown key/],
    [nested(33), /^when: is nested more than 32 filters deep: make it flatter/],
    [`{ any: [${"{ created: true },".repeat(256)}] }`, /^when: has more than 256 filters in it: use lists/],
  ] as const) {
    test(when.length > 80 ? `${when.slice(0, 80)}…` : when, () => {
      const problem = problemOf(when) ?? "accepted";
      if (typeof expected === "string") assert.equal(problem, expected);
      else assert.match(problem, expected);
    });
  }
});

describe("a filter", () => {
  test("may be 32 deep and have 256 filters in it", () => {
    assert.equal(problemOf(nested(32)), undefined);
    assert.equal(problemOf(`{ any: [${"{ created: true },".repeat(255)}] }`), undefined);
  });

  test("that is built in code is refused before its depth can do harm", () => {
    let deep: Filter = { created: true };
    for (let i = 0; i < 100_000; i++) deep = { not: deep };
    assert.match(Filter.safeParse(deep).error?.issues[0]?.message ?? "accepted", /^is nested more than 32/);
    const circular: Filter = { created: true };
    circular.not = circular;
    assert.match(Filter.safeParse(circular).error?.issues[0]?.message ?? "accepted", /^is nested more than 32/);
  });
});
