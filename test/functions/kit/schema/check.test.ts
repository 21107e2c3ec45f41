import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { KindSchema } from "../../../../bridge/schema/kind-schema.ts";
import { reduceSchema } from "../../../../bridge/schema/kind-schema-reduction.ts";
import type { Filter } from "../../../../functions/kit/filter/filter.ts";
import { checkSelection } from "../../../../functions/kit/schema/check.ts";
import { databaseCrd } from "../../../kit/database-crd.ts";

const [version] = databaseCrd.spec.versions;
const base: KindSchema = {
  version: 1,
  cluster: "east",
  apiVersion: "demo.example.com/v1",
  kind: "Database",
  plural: "databases",
  namespaced: true,
  phases: ["status.phase"],
  schema: reduceSchema(version?.schema.openAPIV3Schema),
};
const odd = {
  ...base,
  schema: reduceSchema({
    properties: {
      spec: {
        type: "object",
        properties: {
          free: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
          half: {
            type: "object",
            "x-kubernetes-preserve-unknown-fields": true,
            properties: { known: { type: "string" } },
          },
          bare: { type: "object" },
          anything: {},
          map: { type: "object", additionalProperties: { type: "integer" } },
          list: {
            type: "array",
            items: { type: "object", properties: { port: { "x-kubernetes-int-or-string": true } } },
          },
          "odd.name/x": { type: "boolean" },
          maybe: { type: "string", nullable: true },
          size: { type: "string" },
        },
      },
    },
  }),
};

interface Row {
  readonly name: string;
  readonly when: Filter;
  readonly kinds?: readonly KindSchema[];
  readonly expected: readonly (string | RegExp)[];
}

const field = (path: string, rest: object = {}): Filter => ({ field: { path, ...rest } });

const rows: readonly Row[] = [
  { name: "a right path", when: field("spec.replicas"), expected: [] },
  {
    name: "a path with a typing mistake",
    when: field("spec.replcas"),
    expected: [
      'when.field: spec.replcas is not in Database demo.example.com/v1 (did you mean "spec.replicas"?), so it never holds',
    ],
  },
  {
    name: "a mistake in the middle of a path, the rest is kept",
    when: field("status.condition[0].reason"),
    expected: [/did you mean "status\.conditions\[0\]\.reason"/],
  },
  { name: "a JSON Pointer", when: field("/spec/replcas"), expected: [/did you mean "spec\.replicas"/] },
  {
    name: "a name that is near to none: what there is",
    when: field("spec.unrelated"),
    expected: [/spec\.unrelated is not in .*: spec has engine, version, replicas, storageGb, so it never holds/],
  },
  { name: "a part that no object has", when: field("specs.replicas"), expected: [/did you mean "spec\.replicas"/] },
  {
    name: "below a scalar",
    when: field("spec.replicas.max"),
    expected: [/spec\.replicas is a whole number, with nothing below it/],
  },
  {
    name: "into a list without a position",
    when: field("status.conditions.type"),
    expected: [/status\.conditions is a list/],
  },
  { name: "into a list with a position", when: field("status.conditions[0].type"), expected: [] },
  { name: "metadata of every kind", when: field("metadata.labels.tier"), expected: [] },
  {
    name: "metadata that no kind has",
    when: field("metadata.label.tier"),
    expected: [/did you mean "metadata\.labels\.tier"/],
  },
  { name: "what keeps unknown fields", when: field("spec.free.a.b"), kinds: [odd], expected: [] },
  { name: "beside what is known of such", when: field("spec.half.other"), kinds: [odd], expected: [] },
  { name: "an object of which nothing is said", when: field("spec.bare.a"), kinds: [odd], expected: [] },
  { name: "a place of which nothing is said", when: field("spec.anything.a"), kinds: [odd], expected: [] },
  { name: "a map's key", when: field('spec.map["a.b"]'), kinds: [odd], expected: [] },
  {
    name: "below a map's scalar",
    when: field("spec.map.a.b"),
    kinds: [odd],
    expected: [/spec\.map\.a is a whole number/],
  },
  { name: "an odd name", when: field('spec["odd.name/x"]'), kinds: [odd], expected: [] },
  {
    name: "inherited names are none",
    when: field("spec.constructor"),
    kinds: [odd],
    expected: [/spec\.constructor is not in/],
  },
  { name: "a value that may be", when: field("spec.engine", { to: "mysql" }), expected: [] },
  {
    name: "a value that never is",
    when: field("spec.engine", { to: "mysq" }),
    expected: [
      /when\.field\.to: spec\.engine is never "mysq" \(did you mean "mysql"\?\): its values are postgres, mysql/,
    ],
  },
  { name: "a value to come from", when: field("spec.engine", { from: "oracle" }), expected: [/when\.field\.from: /] },
  {
    name: "a fraction for a whole number",
    when: field("spec.replicas", { to: 1.5 }),
    expected: [/is a whole number, and never 1\.5/],
  },
  { name: "a boolean for a number", when: field("spec.replicas", { to: true }), expected: [/never true/] },
  { name: "null where it cannot be", when: field("spec.replicas", { to: null }), expected: [/is never null/] },
  { name: "null where it can be", when: field("spec.maybe", { to: null }), kinds: [odd], expected: [] },
  { name: "a number or text", when: field("spec.list[0].port", { to: "http" }), kinds: [odd], expected: [] },
  {
    name: "one mistake is told once, at the path",
    when: field("spec.replcas", { to: "x" }),
    expected: [/when\.field: /],
  },
  { name: "a phase that is", when: { phase: { to: "Failed" } }, expected: [] },
  {
    name: "a phase with a typing mistake",
    when: { phase: { to: "Fialed" } },
    expected: [
      /when\.phase\.to: the phase \(status\.phase\) is never Fialed \(did you mean "Failed"\?\): its values are Pending, /,
    ],
  },
  { name: "one of several phases", when: { phase: { to: ["Failed", "Gone"] } }, expected: [/never Gone/] },
  {
    name: "a phase that the kind does not have where the bridge reads it",
    when: { phase: { to: "Failed" } },
    kinds: [{ ...base, phases: ["status.state"] }],
    expected: [/the bridge reads the phase at status\.state; set its phase: status\.state is not in/],
  },
  {
    name: "a phase that is a condition",
    when: { phase: { to: "true" } },
    kinds: [{ ...base, phases: ["condition:Ready"] }],
    expected: [/the phase \(condition:Ready\) is never true \(did you mean "True"\?\)/],
  },
  {
    name: "a phase that one of the places knows",
    when: { phase: { to: "True" } },
    kinds: [{ ...base, phases: ["condition:Ready", "status.phase"] }],
    expected: [],
  },
  { name: "a number that grows", when: field("spec.replicas", { increased: true }), expected: [] },
  { name: "text that may be a quantity", when: field("spec.size", { decreased: true }), kinds: [odd], expected: [] },
  {
    name: "one of listed words that grows",
    when: field("spec.engine", { increased: true }),
    expected: [/^when\.field\.increased: spec\.engine is text, which has no more and no less, so it never holds$/],
  },
  {
    name: "an object that shrinks",
    when: field("spec.map", { decreased: true }),
    kinds: [odd],
    expected: [/an object, which has/],
  },
  { name: "a condition", when: { condition: { type: "Ready", to: "False" } }, expected: [] },
  { name: "a condition with YAML's True", when: { condition: { type: "Ready", to: true } }, expected: [] },
  {
    name: "a condition's status that never is",
    when: { condition: { type: "Ready", to: ["False", "flase"] } },
    expected: [/^when\.condition\.to: the status of the condition Ready is never flase \(did you mean "False"\?\)/],
  },
  {
    name: "a condition of a kind that has none",
    when: { condition: { type: "Ready" } },
    kinds: [odd],
    expected: [/^when\.condition: status\.conditions is not in/],
  },
  {
    name: "a divergence of paths of which one is wrong",
    when: { diverged: { spec: "spec.replicas", status: "status.replicas" } },
    expected: [/^when\.diverged\.status: status\.replicas is not in/],
  },
  { name: "an expression", when: { cel: "object.spec.replicas > 3 && before.status.phase == 'Failed'" }, expected: [] },
  {
    name: "an expression with a typing mistake",
    when: { cel: "object.spec.replcas > 3" },
    expected: [
      'when.cel: spec.replcas is not in Database demo.example.com/v1 (did you mean "spec.replicas"?), so it is never there',
    ],
  },
  {
    name: "an expression that asks whether there is one",
    when: { cel: "has(before.spec.replcas)" },
    expected: [/replcas/],
  },
  {
    name: "an expression over the elements of a list",
    when: { cel: "object.status.conditions.exists(c, c.type == 'Ready') && size(object.metadata.name) > 3" },
    expected: [],
  },
  { name: "an expression into an element", when: { cel: "object.status.conditions[0].type == 'Ready'" }, expected: [] },
  { name: "an expression over the event alone", when: { cel: "event.cluster == 'a'" }, expected: [] },
  {
    name: "all mistakes of a filter, each with its place",
    when: { all: [field("spec.replcas"), { any: [field("spec.replicas"), field("spec.enginee")] }] },
    expected: [/^when\.all\[0\]\.field: /, /^when\.all\[1\]\.any\[1\]\.field: /],
  },
  {
    name: "under not it always holds",
    when: { not: field("spec.replcas") },
    expected: [/^when\.not\.field: .*so it always holds$/],
  },
  { name: "labels and namespaces are no fields", when: { labels: { a: "b" }, namespaces: ["x"] }, expected: [] },
  { name: "no schema, nothing to say", when: field("spec.replcas"), kinds: [], expected: [] },
  {
    name: "a schema of another version says nothing",
    when: field("spec.replcas"),
    kinds: [{ ...base, apiVersion: "demo.example.com/v2" }],
    expected: [],
  },
  {
    name: "one cluster that knows the path is enough",
    when: field("spec.tier"),
    kinds: [
      base,
      {
        ...base,
        cluster: "west",
        schema: reduceSchema({ properties: { spec: { properties: { tier: { type: "string" } } } } }),
      },
    ],
    expected: [],
  },
  {
    name: "no cluster that knows it: which they are",
    when: field("spec.replcas"),
    kinds: [{ ...base, cluster: "west" }, base],
    expected: [/\(in each of the clusters east, west\), so it never holds/],
  },
];

describe("a filter is checked against the schema of its kind", () => {
  for (const { name, when, kinds = [base], expected } of rows) {
    test(name, () => {
      const found = checkSelection({ apiVersion: "demo.example.com/v1", kind: "Database", when }, kinds);
      const messages = found.map(({ message }) => message);
      assert.equal(messages.length, expected.length, messages.join("\n"));
      for (const [index, each] of expected.entries()) {
        if (typeof each === "string") assert.equal(messages[index], each);
        else assert.match(messages[index] ?? "", each);
      }
    });
  }

  test("of the cluster that the subscription means", () => {
    const selection = {
      apiVersion: "demo.example.com/v1",
      kind: "Database",
      cluster: "west",
      when: field("spec.replcas"),
    };
    assert.deepEqual(checkSelection(selection, [base]), []);
    assert.equal(checkSelection(selection, [{ ...base, cluster: "west" }]).length, 1);
  });
});
