/** Each filter in its finer points; what it says of each kind of event is in what-matches.test.ts. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parse } from "yaml";
import type { Json } from "../../../../bridge/kube/kube-object.ts";
import {
  all,
  annotations,
  any,
  cel,
  condition,
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
  prefix,
  sql,
  suffix,
  terminating,
} from "../../../../functions/kit/filter/builder.ts";
import { Filter } from "../../../../functions/kit/filter/filter.ts";
import { compileFilter } from "../../../../functions/kit/filter/match.ts";
import * as event from "../event-factory.ts";

const running = { phase: "Running" };
const failed = { phase: "Failed" };
const ready = (status: string, reason?: string) => ({
  status: {
    conditions: [
      { type: "Ready", status, ...(reason && { reason }) },
      { type: "Synced", status: "True" },
    ],
  },
});
const replicas = (value: Json) => ({ spec: { replicas: value } });
const generation = (asked: number, observedGeneration: number, value: number) => ({
  ...replicas(value),
  metadata: { generation: asked },
  status: { observedGeneration },
});
const rows: { filter: Filter; yaml: string; on: Readonly<Record<string, [event.TestEvent, boolean]>> }[] = [
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
    filter: diverged({ spec: "metadata.generation", status: "status.observedGeneration" }),
    yaml: "diverged: { spec: metadata.generation, status: status.observedGeneration }",
    on: {
      "the spec changed": [event.updated(generation(2, 2, 3), generation(3, 2, 5)), true],
      "the spec changed again, before the controller looked": [
        event.updated(generation(3, 2, 5), generation(4, 2, 6)),
        false,
      ],
      "the spec changed over a gap": [event.updated(generation(3, 3, 5), { ...generation(7, 3, 9), gap: true }), true],
      "the controller looked at one of two": [event.updated(generation(4, 2, 6), generation(4, 3, 6)), false],
      "the controller caught up": [event.updated(generation(4, 3, 6), generation(4, 4, 6)), false],
      "it forgot": [event.updated(generation(4, 4, 6), generation(4, 3, 6)), true],
      "its deletion began": [
        event.updated(generation(2, 2, 3), {
          ...generation(3, 2, 3),
          metadata: { generation: 3, deletionTimestamp: "2026-01-01T00:00:00Z", finalizers: ["x/y"] },
        }),
        true,
      ],
      "a label changed meanwhile": [
        event.updated(generation(3, 2, 3), { ...generation(3, 2, 3), labels: { a: "b" } }),
        false,
      ],
      "born, and nobody has looked": [event.created({ ...replicas(3), metadata: { generation: 1 } }), true],
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
  for (const { filter, yaml, on } of rows) {
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

/** What was already there counts, so that every event is considered. */
function matches(when: Filter, on: event.TestEvent["envelope"]): boolean {
  const selection = { apiVersion: on.apiversion, kind: on.kind, includeExisting: true, when };
  return compileFilter(selection).match(on).type === "matched";
}
