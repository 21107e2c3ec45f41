import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parse } from "yaml";
import type { Json } from "../../../../bridge/kube-object.ts";
import {
  all,
  annotations,
  any,
  cel,
  condition,
  created,
  deleted,
  diverged,
  exact,
  field,
  labels,
  manager,
  names,
  namespaces,
  not,
  op,
  ownedBy,
  phase,
  prefix,
  sql,
  suffix,
  terminating,
} from "../../../../functions/kit/filter/builder.ts";
import { Filter, type Selection } from "../../../../functions/kit/filter/filter.ts";
import { compileGlob } from "../../../../functions/kit/filter/glob.ts";
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

const ready = (status: string, reason?: string) => ({
  status: {
    conditions: [
      { type: "Ready", status, ...(reason && { reason }) },
      { type: "Synced", status: "True" },
    ],
  },
});
const replicas = (value: Json) => ({ spec: { replicas: value } });
const moreRows: { filter: Filter; yaml: string; on: Readonly<Record<string, [event.TestEvent, boolean]>> }[] = [
  {
    filter: op("created", "deleted"),
    yaml: "op: [created, deleted]",
    on: {
      "a creation": [event.created({}), true],
      "a deletion": [event.deleted({}), true],
      "an update": [event.updated(running, failed), false],
      "a first sight, which is no creation": [event.existing({}), false],
    },
  },
  {
    filter: op("unselected"),
    yaml: "op: [unselected]",
    on: { "what left the bridge's selection, once named": [event.unselected({}), true] },
  },
  {
    filter: any(op("unselected"), labels({ tier: "gold" })),
    yaml: "any: [{ op: [unselected] }, { labels: { tier: gold } }]",
    on: { "what left, by any part, once one part names it": [event.unselected({ labels: { tier: "gold" } }), true] },
  },
  {
    filter: not(op("updated")),
    yaml: "not: { op: [updated] }",
    on: {
      "a creation": [event.created({}), true],
      "not what left the bridge's selection": [event.unselected({}), false],
    },
  },
  {
    filter: terminating(),
    yaml: "terminating: true",
    on: {
      "the deletion began": [event.updated({}, { metadata: { deletionTimestamp: "2026-01-01T00:00:00Z" } }), true],
      "it had begun before": [
        event.updated(
          { metadata: { deletionTimestamp: "2026-01-01T00:00:00Z" } },
          { metadata: { deletionTimestamp: "2026-01-01T00:00:00Z" }, ...failed },
        ),
        false,
      ],
      "first told of when it had begun": [
        event.created({ metadata: { deletionTimestamp: "2026-01-01T00:00:00Z" } }),
        true,
      ],
      "deleted at once, without finalizers": [event.deleted({}), false],
    },
  },
  {
    filter: condition({ type: "Ready" }),
    yaml: "condition: { type: Ready }",
    on: {
      "any transition": [event.updated(ready("True"), ready("Unknown")), true],
      "it came": [event.updated({}, ready("False")), true],
      "it went": [event.updated(ready("True"), {}), true],
      "born with it": [event.created(ready("True")), true],
      "born without": [event.created({}), false],
      "another reason": [event.updated(ready("False", "a"), ready("False", "b")), false],
      "another condition": [
        event.updated(ready("True"), { status: { conditions: [{ type: "Ready", status: "True" }] } }),
        false,
      ],
    },
  },
  {
    filter: condition({ type: "Ready", from: ["True", "Unknown"], to: "False", reason: ["Stuck", "Lost"] }),
    yaml: "condition: { type: Ready, from: ['True', Unknown], to: 'False', reason: [Stuck, Lost] }",
    on: {
      "from and to, for the reason": [event.updated(ready("True"), ready("False", "Lost")), true],
      "from and to, for another reason": [event.updated(ready("True"), ready("False", "Busy")), false],
      "from another status": [event.updated(ready("False", "Busy"), ready("False", "Lost")), false],
    },
  },
  {
    filter: condition({ type: "Ready", to: false, reason: "Stuck" }),
    yaml: "condition: { type: Ready, to: False, reason: Stuck }",
    on: {
      "an unquoted False is the status False": [event.updated(ready("True"), ready("False", "Stuck")), true],
      "False before too, and now for this reason": [
        event.updated(ready("False", "Busy"), ready("False", "Stuck")),
        true,
      ],
      "False for this reason before too": [
        event.updated(ready("False", "Stuck"), { ...ready("False", "Stuck"), ...failed }),
        false,
      ],
    },
  },
  {
    filter: condition({ type: "constructor" }),
    yaml: "condition: { type: constructor }",
    on: { "a name of JavaScript's own": [event.updated(ready("True"), ready("False")), false] },
  },
  {
    filter: field({ path: "spec.replicas", increased: true }),
    yaml: "field: { path: spec.replicas, increased: true }",
    on: {
      more: [event.updated(replicas(3), replicas(5)), true],
      less: [event.updated(replicas(5), replicas(3)), false],
      "more as a quantity": [event.updated(replicas("900Mi"), replicas("1Gi")), true],
      "as much in other words": [event.updated(replicas("1Gi"), replicas("1024Mi")), false],
      "from nothing": [event.updated({ spec: {} }, replicas(5)), false],
      "no amounts": [event.updated(replicas("a"), replicas("b")), false],
    },
  },
  {
    filter: field({ path: "spec.replicas", decreased: true, to: 0 }),
    yaml: "field: { path: spec.replicas, decreased: true, to: 0 }",
    on: {
      "down to it": [event.updated(replicas(3), replicas(0)), true],
      "down to another": [event.updated(replicas(3), replicas(1)), false],
    },
  },
  {
    filter: field({ path: "spec.replicas", changed: true, to: 5 }),
    yaml: "field: { path: spec.replicas, changed: true, to: 5 }",
    on: {
      "changed to it": [event.updated(replicas(3), replicas(5)), true],
      "a birth is no change": [event.created(replicas(5)), false],
    },
  },
  {
    filter: field({ path: "spec.replicas", present: true }),
    yaml: "field: { path: spec.replicas, present: true }",
    on: {
      "it came": [event.updated({ spec: {} }, replicas(5)), true],
      "it came as null, which is a value": [event.updated({ spec: {} }, replicas(null)), true],
      "it was there": [event.updated(replicas(3), replicas(5)), false],
      "born with it": [event.created(replicas(5)), true],
      "born without": [event.created({ spec: {} }), false],
    },
  },
  {
    filter: field({ path: "spec.replicas", absent: true }),
    yaml: "field: { path: spec.replicas, absent: true }",
    on: {
      "it went": [event.updated(replicas(5), { spec: {} }), true],
      "it became null, which is a value": [event.updated(replicas(5), replicas(null)), false],
      "the whole object went": [event.deleted(replicas(5)), false],
      "born without": [event.created({ spec: {} }), false],
    },
  },
  {
    filter: field({ path: "spec.__proto__" }),
    yaml: "field: { path: spec.__proto__ }",
    on: { "a name of JavaScript's own": [event.updated(replicas(3), replicas(5)), false] },
  },
  {
    filter: diverged({ spec: "spec.replicas", status: "status.replicas" }),
    yaml: "diverged: { spec: spec.replicas, status: status.replicas }",
    on: {
      "asked for more": [
        event.updated({ ...replicas(3), status: { replicas: 3 } }, { ...replicas(5), status: { replicas: 3 } }),
        true,
      ],
      "one was lost": [
        event.updated({ ...replicas(3), status: { replicas: 3 } }, { ...replicas(3), status: { replicas: 2 } }),
        true,
      ],
      "further apart": [
        event.updated({ ...replicas(3), status: { replicas: 2 } }, { ...replicas(3), status: { replicas: 1 } }),
        false,
      ],
      "they agree again": [
        event.updated({ ...replicas(3), status: { replicas: 2 } }, { ...replicas(3), status: { replicas: 3 } }),
        false,
      ],
      "the status says no more": [event.updated({ ...replicas(3), status: { replicas: 3 } }, replicas(3)), true],
      "the spec asks no more": [
        event.updated({ ...replicas(3), status: { replicas: 3 } }, { spec: {}, status: { replicas: 3 } }),
        false,
      ],
      "as much in other words": [
        event.updated({ ...replicas("1"), status: { replicas: 1 } }, { ...replicas("1000m"), status: { replicas: 1 } }),
        false,
      ],
      "born with no status yet": [event.created(replicas(3)), true],
    },
  },
  {
    filter: all(names("ord*"), namespaces("prod", "dev-*"), annotations({ owner: ["a*", "b"] })),
    yaml: "all: [{ names: ['ord*'] }, { namespaces: [prod, 'dev-*'] }, { annotations: { owner: ['a*', b] } }]",
    on: {
      "all fit": [event.created({ annotations: { owner: "anna" } }), true],
      "no such annotation": [event.created({}), false],
      "another name": [event.created({ name: "x", annotations: { owner: "b" } }), false],
      "no namespace": [event.created({ namespace: "", annotations: { owner: "b" } }), false],
    },
  },
  {
    filter: labels({ tier: "*" }),
    yaml: "labels: { tier: '*' }",
    on: { "it is there": [event.created({ labels: { tier: "" } }), true], "it is not": [event.created({}), false] },
  },
  {
    filter: not(labels({ tier: "*" })),
    yaml: "not: { labels: { tier: '*' } }",
    on: { "it is there": [event.created({ labels: { tier: "" } }), false], "it is not": [event.created({}), true] },
  },
  {
    filter: ownedBy({ apiVersion: "demo.example.com/v1", kind: "Shop", name: "eu-*" }),
    yaml: "ownedBy: { apiVersion: demo.example.com/v1, kind: Shop, name: 'eu-*' }",
    on: {
      "one of its owners": [event.created(owners(["Shop", "us-1"], ["Shop", "eu-1"])), true],
      "parts of two owners": [event.created(owners(["Shop", "us-1"], ["Cart", "eu-1"])), false],
      "no owner": [event.created({}), false],
      "owners that are no list": [event.created({ metadata: { ownerReferences: "x" } }), false],
    },
  },
  {
    filter: manager("kubectl*"),
    yaml: "manager: ['kubectl*']",
    on: {
      "it made the change": [event.created(managedBy("kubectl-edit")), true],
      "another one did": [event.created(managedBy("argocd")), false],
      "nobody can tell": [event.created({}), false],
    },
  },
  {
    filter: not(manager("*")),
    yaml: "not: { manager: ['*'] }",
    on: {
      "nobody can tell": [event.created({}), true],
      "it is told": [event.created(managedBy("argocd")), false],
    },
  },
  {
    filter: exact({ type: "dev.cr-reactor.resource.updated", phase: "Failed", phasefrom: "Running" }),
    yaml: "exact: { type: dev.cr-reactor.resource.updated, phase: Failed, phasefrom: Running }",
    on: {
      "every attribute": [event.updated(running, failed), true],
      "one is another": [event.updated(failed, running), false],
      "one is not there": [event.updated({}, failed), false],
    },
  },
  {
    filter: any(prefix({ source: "/clusters/" }), suffix({ name: "x" })),
    yaml: "any: [{ prefix: { source: /clusters/ } }, { suffix: { name: x } }]",
    on: { "case and place count": [event.created({}), true] },
  },
  {
    filter: suffix({ name: "ERS" }),
    yaml: "suffix: { name: ERS }",
    on: { "in another case": [event.created({}), false] },
  },
  {
    filter: exact({ terminating: "true" }),
    yaml: "exact: { terminating: 'true' }",
    on: {
      "a truth value is its text": [event.created({ metadata: { deletionTimestamp: "2026-01-01T00:00:00Z" } }), true],
      "not there": [event.created({}), false],
    },
  },
  {
    filter: sql("phase = 'Failed' AND name LIKE 'ord%'"),
    yaml: "sql: phase = 'Failed' AND name LIKE 'ord%'",
    on: { true: [event.created(failed), true], false: [event.created(running), false] },
  },
  {
    filter: { cesql: "kind = 'Database'" },
    yaml: "cesql: kind = 'Database'",
    on: { "Knative's key for the same": [event.created({}), true] },
  },
  {
    filter: cel("object.spec.replicas > before.spec.replicas + 1"),
    yaml: "cel: object.spec.replicas > before.spec.replicas + 1",
    on: {
      true: [event.updated(replicas(1), replicas(5)), true],
      false: [event.updated(replicas(1), replicas(2)), false],
    },
  },
];

function owners(...named: [kind: string, name: string][]): event.DatabaseFields {
  const ownerReferences = named.map(([kind, name]) => ({ apiVersion: "demo.example.com/v1", kind, name, uid: name }));
  return { metadata: { ownerReferences } };
}

function managedBy(manager: string): event.DatabaseFields {
  return { metadata: { managedFields: [{ manager, operation: "Update", time: "2026-01-01T00:00:00Z" }] } };
}

describe("each filter", () => {
  for (const { filter, yaml, on } of moreRows) {
    test(`${yaml}: the builder gives the same data`, () => {
      assert.deepEqual(Filter.parse(parse(yaml)), filter);
      assert.deepEqual(Filter.parse(filter), filter);
    });
    for (const [name, [{ envelope }, expected]] of Object.entries(on)) {
      test(`${yaml}: ${name}: ${expected ? "yes" : "no"}`, () => assert.equal(matches(filter, envelope), expected));
    }
  }

  test("a keyed list that only changes its order has not changed", () => {
    const moved = event.updated({ ...replicas(3), ...ready("True") }, { ...replicas(5), ...ready("True") }).envelope;
    const [first, second] = [moved.data.object["status"] as { conditions: Json[] }].map((s) => s.conditions)[0] ?? [];
    assert.ok(first !== undefined && second !== undefined);
    moved.data.patch = [
      { op: "replace", path: "/spec/replicas", value: 5, oldValue: 3 },
      { op: "move", from: "/status/conditions/0", path: "/status/conditions/1" },
    ];
    assert.equal(matches(field({ path: "status" }), moved), false);
    assert.equal(matches(field({ path: "status.conditions[0]" }), moved), false);
    assert.equal(matches(field({ path: "spec" }), moved), true);
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
    const broken = structuredClone(event.updated(replicas(3), replicas(5)).envelope);
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

describe("globs", () => {
  for (const [glob, text, expected] of [
    ["prod", "prod", true],
    ["prod", "prod-1", false],
    ["*", "", true],
    ["*", "anything", true],
    ["prod-*", "prod-1", true],
    ["prod-*", "prod", false],
    ["*-eu", "prod-eu", true],
    ["a*a", "a", false],
    ["a*b*c", "a-b-b-c", true],
    ["a*b*c", "a-c", false],
    ["*b*b*", "b", false],
    ["a.c", "abc", false],
    [`${"a*".repeat(30)}b`, "a".repeat(63), false],
  ] as const) {
    test(`${glob} ${expected ? "fits" : "does not fit"} "${text}"`, () =>
      assert.equal(compileGlob(glob)(text), expected));
  }
});
