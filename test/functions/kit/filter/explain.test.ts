import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import {
  all,
  any,
  cel,
  condition,
  field,
  labels,
  names,
  not,
  phase,
} from "../../../../functions/kit/filter/builder.ts";
import { distanceOf, explanationText, planText } from "../../../../functions/kit/filter/explain-text.ts";
import type { Filter } from "../../../../functions/kit/filter/filter.ts";
import { compileFilter, explainMatch } from "../../../../functions/kit/filter/match.ts";
import { planSelection } from "../../../../functions/kit/filter/plan.ts";
import * as event from "../event-factory.ts";
import { happened, selection, tellingSelection } from "./arbitrary.ts";

const kind = { apiVersion: "demo.example.com/v1", kind: "Database" };
const ready = (status: string, reason: string) => ({ status: { conditions: [{ type: "Ready", status, reason }] } });

/** The lines of the filter alone, without those of kind, version and what happened. */
function told(when: Filter, { envelope }: event.TestEvent): string[] {
  const lines = explanationText(explainMatch({ ...kind, when }, envelope));
  return lines.slice(4).map((line) => line.slice(2));
}

describe("explaining", () => {
  test("comes out as matching does, whatever the filter and the event", () => {
    const seen = { matched: 0, unmatched: 0, undecided: 0 };
    const agrees = fc.property(fc.oneof(selection, tellingSelection), happened, (given, { envelope }) => {
      const matcher = compileFilter(given);
      const { type } = matcher.match(envelope);
      const explanation = matcher.explain(envelope);
      seen[type]++;
      assert.deepEqual(explanation.holds, { matched: true, unmatched: false, undecided: "undecided" }[type]);
      assert.equal(distanceOf(explanation) === 0, type === "matched");
      for (const line of explanationText(explanation)) assert.match(line, /^ *[✔✖?] \S/);
    });
    fc.assert(agrees, { numRuns: 3000 });
    for (const [what, count] of Object.entries(seen)) assert.ok(count > 20, `${what}: only ${count}`);
  });

  for (const { name, when, on, expected } of [
    {
      name: "a transition that was another",
      when: phase({ to: "Failed" }),
      on: event.updated({ phase: "Creating" }, { phase: "Running" }),
      expected: ["✖ phase to Failed: the phase went Creating → Running"],
    },
    {
      name: "a phase that stayed",
      when: phase({ from: ["Running", "Ready"], to: "Failed" }),
      on: event.updated({ phase: "Failed" }, { phase: "Failed", spec: {} }),
      expected: ["✖ phase from Running or Ready to Failed: the phase is Failed as before"],
    },
    {
      name: "a value that stayed",
      when: field({ path: "spec.replicas", to: 3 }),
      on: event.updated({}, { phase: "Running" }),
      expected: ["✖ spec.replicas to 3: spec.replicas is 3 as before"],
    },
    {
      name: "a value that fell",
      when: field({ path: "spec.replicas", increased: true }),
      on: event.updated({}, { spec: { replicas: 1 } }),
      expected: ["✖ spec.replicas increased: spec.replicas went 3 → 1"],
    },
    {
      name: "a condition that stayed, and why",
      when: condition({ type: "Ready", to: "False" }),
      on: event.updated({ ...ready("False", "Stuck"), spec: {} }, ready("False", "Stuck")),
      expected: ["✖ condition Ready to False: Ready is False as before (Stuck)"],
    },
    {
      name: "every part, also those that settle nothing any more",
      when: all(names("x*"), any(phase(), not(labels({ tier: "gold" })))),
      on: event.created({ labels: { tier: "silver" } }),
      expected: [
        "✖ all",
        "  ✖ name x*: the name is orders",
        "  ✔ any",
        "    ✖ phase, any transition: there is no phase",
        "    ✔ not",
        "      ✖ labels tier=gold: tier is silver",
      ],
    },
    {
      name: "an expression that has no value",
      when: cel("object.spec.nothing > 1"),
      on: event.created({}),
      expected: [/^\? cel object\.spec\.nothing > 1: .*is not there/],
    },
  ] as { name: string; when: Filter; on: event.TestEvent; expected: (string | RegExp)[] }[]) {
    test(`tells ${name}`, () => {
      const lines = told(when, on);
      assert.equal(lines.length, expected.length, lines.join("\n"));
      for (const [i, line] of lines.entries()) {
        const wanted = expected[i] ?? "";
        if (typeof wanted === "string") assert.equal(line, wanted);
        else assert.match(line, wanted);
      }
    });
  }

  test("tells what is wrong around the filter", () => {
    const { envelope } = event.existing({ apiVersion: "demo.example.com/v2" });
    assert.deepEqual(explanationText(explainMatch(kind, envelope)), [
      "✖ all",
      "  ✔ kind Database: the kind is Database",
      "  ✖ apiVersion demo.example.com/v1: the apiVersion is demo.example.com/v2",
      "  ✖ anything that happened: it was there before the bridge; say includeExisting to get it",
    ]);
  });

  test("counts how far an event is from matching", () => {
    const far = (when: Filter) => distanceOf(explainMatch({ ...kind, when }, event.created({}).envelope));
    assert.equal(far(all(names("x"), phase(), labels({ a: "b" }))), 3);
    assert.equal(far(any(all(names("x"), phase()), names("y"))), 1);
    assert.equal(far(names("orders")), 0);
  });
});

describe("a plan in words", () => {
  for (const { name, when, expected } of [
    {
      name: "what NATS decides alone",
      when: phase({ to: "Failed" }),
      expected: [
        "NATS delivers",
        "  cr.*.demo_example_com.Database.*.*.*.*.*.Failed.*",
        "the process decides",
        "  nothing but the API version",
      ],
    },
    {
      name: "what stays",
      when: { ...phase({ to: "Failed" }), ...labels({ tier: "gold" }) },
      expected: [
        "NATS delivers",
        "  cr.*.demo_example_com.Database.*.*.*.*.*.Failed.*",
        "the process decides",
        '  {"labels":{"tier":"gold"}}',
      ],
    },
    {
      name: "what comes along",
      when: not({ op: "existing" }),
      expected: [
        "NATS delivers",
        "  cr.*.demo_example_com.Database.*.*.*.*.*.*.*",
        "the process decides",
        "  nothing of the filter: only the API version, first sights (existing), and what left the bridge's selection",
      ],
    },
    {
      name: "what excludes itself",
      when: { created: true as const, deleted: true as const },
      expected: ["no event can ever match: the parts of the filter exclude each other"],
    },
  ]) {
    test(name, () => assert.deepEqual(planText(planSelection({ ...kind, when })), expected));
  }
});
