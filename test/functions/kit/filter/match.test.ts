import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parse } from "yaml";
import {
  all,
  any,
  cel,
  created,
  deleted,
  field,
  labels,
  namespaces,
  not,
  phase,
} from "../../../../functions/kit/filter/builder.ts";
import { Filter, type Selection } from "../../../../functions/kit/filter/filter.ts";
import { compileFilter } from "../../../../functions/kit/filter/match.ts";
import * as event from "../event-factory.ts";

const running = { phase: "Running" };
const failed = { phase: "Failed" };
const events = {
  "created without a phase": event.created({}),
  "created Failed": event.created(failed),
  "existing Failed": event.existing(failed),
  "Running to Failed": event.updated(running, failed),
  "Failed to Running": event.updated(failed, running),
  "Failed to no phase": event.updated(failed, {}),
  "no phase to Failed": event.updated({}, failed),
  "replicas 3 to 5": event.updated({ spec: { replicas: 3 } }, { spec: { replicas: 5 } }),
  "replicas 5 to 3 while Failed": event.updated(
    { ...failed, spec: { replicas: 5 } },
    { ...failed, spec: { replicas: 3 } },
  ),
  "created with 5 replicas": event.created({ spec: { replicas: 5 } }),
  "replicas added": event.updated({ spec: {} }, { spec: { replicas: 5 } }),
  "replicas removed": event.updated({ spec: { replicas: 5 } }, { spec: {} }),
  "annotation changed": event.updated({ annotations: { a: "1" } }, { annotations: { a: "2" } }),
  "deleted Failed": event.deleted(failed),
  "unselected Failed": event.unselected(failed),
};
type EventName = keyof typeof events;

/** What was already there counts, so that every event is considered. */
function matches(when: Filter, on: (typeof events)[EventName]["envelope"]): boolean {
  const selection = { apiVersion: on.apiversion, kind: on.kind, includeExisting: true, when };
  return compileFilter(selection).match(on).type === "matched";
}

const rows: { name: string; filter: Filter; yaml: string; expected: EventName[] }[] = [
  {
    name: "created: births only, the first sight of an object included",
    filter: created(),
    yaml: "created: true",
    expected: ["created without a phase", "created Failed", "existing Failed", "created with 5 replicas"],
  },
  { name: "deleted: deletions only", filter: deleted(), yaml: "deleted: true", expected: ["deleted Failed"] },
  {
    name: "phase to: transitions into it, and births in it",
    filter: phase({ to: "Failed" }),
    yaml: "phase: { to: Failed }",
    expected: ["created Failed", "existing Failed", "Running to Failed", "no phase to Failed"],
  },
  {
    name: "phase from: transitions out of it, to none too",
    filter: phase({ from: "Failed" }),
    yaml: "phase: { from: Failed }",
    expected: ["Failed to Running", "Failed to no phase"],
  },
  {
    name: "phase from and to: only from the one to the other, never a birth",
    filter: phase({ from: "Running", to: "Failed" }),
    yaml: "phase: { from: Running, to: Failed }",
    expected: ["Running to Failed"],
  },
  {
    name: "phase with lists: any of them",
    filter: phase({ from: ["Running", "Failed"], to: ["Failed", "Running"] }),
    yaml: "phase: { from: [Running, Failed], to: [Failed, Running] }",
    expected: ["Running to Failed", "Failed to Running"],
  },
  {
    name: "phase without from and to: any transition, and births with a phase",
    filter: phase(),
    yaml: "phase: {}",
    expected: [
      "created Failed",
      "existing Failed",
      "Running to Failed",
      "Failed to Running",
      "Failed to no phase",
      "no phase to Failed",
    ],
  },
  {
    name: "field: updates in which the value differs, came or went; births are no change",
    filter: field({ path: "spec.replicas" }),
    yaml: "field: { path: spec.replicas }",
    expected: ["replicas 3 to 5", "replicas 5 to 3 while Failed", "replicas added", "replicas removed"],
  },
  {
    name: "field to: updates that changed it to this value, and births with it",
    filter: field({ path: "/spec/replicas", to: 5 }),
    yaml: "field: { path: /spec/replicas, to: 5 }",
    expected: ["replicas 3 to 5", "created with 5 replicas", "replicas added"],
  },
  {
    name: "field from: updates that changed it from this value",
    filter: field({ path: "spec.replicas", from: 5 }),
    yaml: "field: { path: spec.replicas, from: 5 }",
    expected: ["replicas 5 to 3 while Failed", "replicas removed"],
  },
  {
    name: "field from and to: only from the one to the other",
    filter: field({ path: "spec.replicas", from: 3, to: 5 }),
    yaml: "field: { path: spec.replicas, from: 3, to: 5 }",
    expected: ["replicas 3 to 5"],
  },
  {
    name: "field with a value of another type: the text 5 is not the number 5",
    filter: field({ path: "spec.replicas", to: "5" }),
    yaml: 'field: { path: spec.replicas, to: "5" }',
    expected: [],
  },
  {
    name: "field of a whole part: anything below it, its coming and going included",
    filter: field({ path: "status" }),
    yaml: "field: { path: status }",
    expected: ["Running to Failed", "Failed to Running", "Failed to no phase", "no phase to Failed"],
  },
  {
    name: "field of a whole part with a value: deep equality",
    filter: field({ path: "spec", to: { replicas: 5 } }),
    yaml: "field: { path: spec, to: { replicas: 5 } }",
    expected: ["replicas 3 to 5", "created with 5 replicas", "replicas added"],
  },
  {
    name: "several keys: all of them",
    filter: { ...field({ path: "spec.replicas" }), ...namespaces("prod"), not: { phase: {} } },
    yaml: "{ field: { path: spec.replicas }, namespaces: [prod], not: { phase: {} } }",
    expected: ["replicas 3 to 5", "replicas 5 to 3 while Failed", "replicas added", "replicas removed"],
  },
  {
    name: "all: every one",
    filter: all(phase({ to: "Failed" }), created()),
    yaml: "all: [{ phase: { to: Failed } }, { created: true }]",
    expected: ["created Failed", "existing Failed"],
  },
  {
    name: "any: at least one",
    filter: any(deleted(), field({ path: "metadata.annotations.a" })),
    yaml: "any: [{ deleted: true }, { field: { path: metadata.annotations.a } }]",
    expected: ["annotation changed", "deleted Failed"],
  },
  {
    name: "not: everything else, except an object that left the selection",
    filter: not(any(created(), phase(), field({ path: "spec" }))),
    yaml: "not: { any: [{ created: true }, { phase: {} }, { field: { path: spec } }] }",
    expected: ["annotation changed", "deleted Failed"],
  },
  {
    name: "namespaces: deletions too",
    filter: all(namespaces("pr*"), deleted()),
    yaml: "all: [{ namespaces: ['pr*'] }, { deleted: true }]",
    expected: ["deleted Failed"],
  },
  { name: "namespaces: another one", filter: namespaces("dev"), yaml: "namespaces: [dev]", expected: [] },
];

describe("filters", () => {
  for (const { name, filter, yaml, expected } of rows) {
    test(name, () => {
      const matched = Object.entries(events).filter(([, { envelope }]) => matches(filter, envelope));
      assert.deepEqual(
        matched.map(([eventName]) => eventName),
        expected,
      );
    });
    test(`the builder and YAML give the same data: ${yaml}`, () => {
      assert.deepEqual(Filter.parse(parse(yaml)), filter);
      assert.deepEqual(Filter.parse(filter), filter);
    });
  }

  const labelled = event.created({ labels: { "app.kubernetes.io/name": "db", tier: "gold" } }).envelope;
  for (const { name, filter, expected } of [
    { name: "a label with this value", filter: labels({ tier: "gold" }), expected: true },
    { name: "a label with one of these values", filter: labels({ tier: ["silver", "gold"] }), expected: true },
    { name: "a label with another value", filter: labels({ tier: "silver" }), expected: false },
    { name: "a label that is not there", filter: labels({ zone: "a" }), expected: false },
    { name: "a label with dots and slashes", filter: labels({ "app.kubernetes.io/name": "db" }), expected: true },
    { name: "all labels, of which one is wrong", filter: labels({ tier: "gold", zone: "a" }), expected: false },
    { name: "a name of JavaScript's own", filter: labels({ constructor: "x" }), expected: false },
  ]) {
    test(`labels: ${name}: ${expected}`, () => assert.equal(matches(filter, labelled), expected));
  }

  test("labels are those after the change", () => {
    const moved = event.updated({ labels: { tier: "gold" } }, { labels: { tier: "silver" } }).envelope;
    assert.equal(matches(labels({ tier: "silver" }), moved), true);
    assert.equal(matches(labels({ tier: "gold" }), moved), false);
  });

  test("an element that goes moves its neighbours: the field behind it counts as changed", () => {
    const shorter = event.updated({ spec: { zones: ["a", "b", "c"] } }, { spec: { zones: ["b", "c"] } }).envelope;
    assert.equal(matches(field({ path: "spec.zones[0]", from: "a", to: "b" }), shorter), true);
    const inMiddle = structuredClone(shorter);
    inMiddle.data.patch = [{ op: "remove", path: "/spec/zones/0", oldValue: "a" }];
    assert.equal(matches(field({ path: "spec.zones[1]", from: "b", to: "c" }), inMiddle), true);
  });
});

describe("an expression that has no value", () => {
  const none = cel("object.spec.nothing > 1");
  const selection = { apiVersion: "demo.example.com/v1", kind: "Database" };
  const matched = { type: "matched" };
  const unmatched = { type: "unmatched" };
  for (const { name, when, expected } of [
    { name: "is no match", when: none, expected: undefined },
    { name: "is none turned round either", when: not(none), expected: undefined },
    {
      name: "does not matter where all must hold and another does not",
      when: all(none, deleted()),
      expected: unmatched,
    },
    { name: "does not matter where any will do and another does", when: any(none, created()), expected: matched },
    { name: "decides where all others hold", when: all(created(), none), expected: undefined },
    { name: "decides where no other holds", when: any(deleted(), none), expected: undefined },
    { name: "does not matter in several keys of one filter", when: { ...none, ...deleted() }, expected: unmatched },
  ]) {
    test(name, () => {
      const result = compileFilter({ ...selection, when }).match(event.created({}).envelope);
      if (expected !== undefined) assert.deepEqual(result, expected);
      else assert.match(result.type === "undecided" ? result.reason : result.type, /^cel object\.spec\.nothing > 1: /);
    });
  }

  test("an event that contradicts itself is no fault of the expression", () => {
    const broken = structuredClone(event.updated({ spec: { replicas: 3 } }, { spec: { replicas: 5 } }).envelope);
    broken.data.patch = [{ op: "remove", path: "/spec/no/such", oldValue: 1 }];
    for (const when of [cel("before.spec.replicas < 4"), field({ path: "spec" })]) {
      assert.throws(() => compileFilter({ ...selection, when }).match(broken), /the patch does not fit the object/);
    }
  });
});

describe("a selection", () => {
  const selection: Selection = { apiVersion: "demo.example.com/v1", kind: "Database" };
  for (const { name, given, on, expected } of [
    { name: "everything that happens to the kind", given: selection, on: event.created({}), expected: true },
    { name: "not another kind", given: { ...selection, kind: "Cache" }, on: event.created({}), expected: false },
    {
      name: "not another version",
      given: { ...selection, apiVersion: "demo.example.com/v2" },
      on: event.created({}),
      expected: false,
    },
    {
      name: "only the named cluster",
      given: { ...selection, cluster: "prod" },
      on: event.created({}),
      expected: false,
    },
    { name: "the named cluster", given: { ...selection, cluster: "lab" }, on: event.created({}), expected: true },
    { name: "not what was already there", given: selection, on: event.existing({}), expected: false },
    {
      name: "what was already there, when asked for",
      given: { ...selection, includeExisting: true },
      on: event.existing({}),
      expected: true,
    },
    {
      name: "not what left the selection of the bridge",
      given: { ...selection, includeExisting: true },
      on: event.unselected({}),
      expected: false,
    },
    {
      name: "not what was already there, whatever the filter says",
      given: { ...selection, when: not(deleted()) },
      on: event.existing({}),
      expected: false,
    },
  ]) {
    test(name, () => assert.equal(compileFilter(given).match(on.envelope).type === "matched", expected));
  }
});
