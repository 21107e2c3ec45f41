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
  ownedBy,
  phase,
} from "../../../../functions/kit/filter/builder.ts";
import type { Explanation } from "../../../../functions/kit/filter/clause.ts";
import type { Filter } from "../../../../functions/kit/filter/filter.ts";
import { compileFilter, explainMatch } from "../../../../functions/kit/filter/match.ts";
import * as event from "../event-factory.ts";
import { happened, selection, tellingSelection } from "./arbitrary.ts";

const kind = { apiVersion: "demo.example.com/v1", kind: "Database" };
const ready = (status: string, reason: string) => ({ status: { conditions: [{ type: "Ready", status, reason }] } });

/** A line for each part of the tree, indented. */
function lines({ holds, wanted, found, parts }: Explanation): string[] {
  return [`${holds} ${wanted}${found && `: ${found}`}`, ...parts.flatMap(lines).map((line) => `  ${line}`)];
}

/** The lines of the filter alone, without those of kind, version and what happened. */
function told(when: Filter, { envelope }: event.TestEvent): string[] {
  const all = lines(explainMatch({ ...kind, when }, envelope));
  return all.slice(4).map((line) => line.slice(2));
}

describe("explaining", () => {
  test("comes out as matching does, whatever the filter and the event", () => {
    const seen = { matched: 0, resolving: 0, unmatched: 0, undecided: 0 };
    const agrees = fc.property(fc.oneof(selection, tellingSelection), happened, (given, { envelope }) => {
      const matcher = compileFilter(given);
      const { type } = matcher.match(envelope);
      const explanation = matcher.explain(envelope);
      seen[type]++;
      const holds = { matched: true, resolving: true, unmatched: false, undecided: "undecided" }[type];
      assert.deepEqual(explanation.holds, holds);
      for (const line of lines(explanation)) assert.match(line, /^ *(true|false|undecided) \S/);
    });
    fc.assert(agrees, { numRuns: 3000 });
    for (const [what, count] of Object.entries(seen)) assert.ok(count > 20, `${what}: only ${count}`);
  });

  for (const { name, when, on, expected } of [
    {
      name: "a transition that was another",
      when: phase({ to: "Failed" }),
      on: event.updated({ phase: "Creating" }, { phase: "Running" }),
      expected: ["false phase to Failed: the phase went Creating → Running"],
    },
    {
      name: "a phase that stayed",
      when: phase({ from: ["Running", "Ready"], to: "Failed" }),
      on: event.updated({ phase: "Failed" }, { phase: "Failed", spec: {} }),
      expected: ["false phase from Running or Ready to Failed: the phase is Failed as before"],
    },
    {
      name: "a value that stayed",
      when: field({ path: "spec.replicas", to: 3 }),
      on: event.updated({}, { phase: "Running" }),
      expected: ["false spec.replicas to 3: spec.replicas is 3 as before"],
    },
    {
      name: "a value that fell",
      when: field({ path: "spec.replicas", increased: true }),
      on: event.updated({}, { spec: { replicas: 1 } }),
      expected: ["false spec.replicas increased: spec.replicas went 3 → 1"],
    },
    {
      name: "a condition that stayed, and why",
      when: condition({ type: "Ready", to: "False" }),
      on: event.updated({ ...ready("False", "Stuck"), spec: {} }, ready("False", "Stuck")),
      expected: ["false condition Ready to False: Ready is False as before (Stuck)"],
    },
    {
      name: "every part, also those that settle nothing any more",
      when: all(names("x*"), any(phase(), not(labels({ tier: "gold" })))),
      on: event.created({ labels: { tier: "silver" } }),
      expected: [
        "false all",
        "  false name x*: the name is orders",
        "  true any",
        "    false phase, any transition: there is no phase",
        "    true not",
        "      false labels tier=gold: tier is silver",
      ],
    },
    {
      name: "owners, and long lists in short",
      when: all(ownedBy({ kind: "Cart" }), labels(Object.fromEntries([..."abcdefg"].map((key) => [key, "1"])))),
      on: event.created({
        metadata: {
          ownerReferences: [
            { kind: "Shop", name: "eu" },
            { kind: "Shop", name: "us" },
          ],
        },
      }),
      expected: [
        "false all",
        "  false owned by Cart: its owners are Shop eu, Shop us",
        '  false labels a="1", b="1", c="1", d="1", e="1" and 2 others: a is absent',
      ],
    },
    {
      name: "an expression that has no value",
      when: cel("object.spec.nothing > 1"),
      on: event.created({}),
      expected: [/^undecided cel object\.spec\.nothing > 1: .*is not there/],
    },
  ] as { name: string; when: Filter; on: event.TestEvent; expected: (string | RegExp)[] }[]) {
    test(`tells ${name}`, () => {
      const found = told(when, on);
      assert.equal(found.length, expected.length, found.join("\n"));
      for (const [i, line] of found.entries()) {
        const wanted = expected[i] ?? "";
        if (typeof wanted === "string") assert.equal(line, wanted);
        else assert.match(line, wanted);
      }
    });
  }

  test("tells what is wrong around the filter", () => {
    const { envelope } = event.existing({ apiVersion: "demo.example.com/v2" });
    assert.deepEqual(lines(explainMatch(kind, envelope)), [
      "false all",
      "  true kind Database: the kind is Database",
      "  false apiVersion demo.example.com/v1: the apiVersion is demo.example.com/v2",
      "  false anything that happened: it was there before the bridge; say includeExisting to get it",
    ]);
  });
});
