import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { applyConfiguration } from "../../../cli/embedded/field/apply.ts";
import type { JsonObject, KubeObject, ManagedFieldsEntry } from "../../../cli/embedded/object/object.ts";
import { StatusError } from "../../../cli/embedded/object/status-error.ts";
import { sharedKube, uniqueNamespace } from "../../kit/shared-kube.ts";
import { CONFIG_MAP, DATABASE, LEASE, SHELF, shelfCrd } from "./field-case.ts";
import { replay, type Scenario, type Write } from "./field-replay.ts";

const NOW = "2026-01-01T00:00:09Z";
const EARLIER = "2026-01-01T00:00:01Z";
const API_VERSION = "fieldsets.example.com/v1";

function shelf(spec?: JsonObject, managedFields?: readonly ManagedFieldsEntry[]): KubeObject {
  const metadata = { name: "one", ...(managedFields && { managedFields }) };
  return { apiVersion: API_VERSION, kind: "Shelf", metadata, ...(spec && { spec }) };
}
function entry(manager: string, operation: "Apply" | "Update", fields: JsonObject, time = EARLIER): ManagedFieldsEntry {
  return { manager, operation, apiVersion: API_VERSION, time, fieldsType: "FieldsV1", fieldsV1: { "f:spec": fields } };
}
const application = { kind: SHELF, manager: "ap", force: false, subresource: "", time: NOW };

describe("an applied object", () => {
  const rows: readonly { name: string; current: KubeObject; applied: KubeObject; expected: KubeObject }[] = [
    {
      name: "takes along what nobody manages, and its applier manages what it says",
      current: shelf({ owner: "o" }, [entry("one", "Update", { "f:owner": {} })]),
      applied: shelf({ size: 1 }),
      expected: shelf({ owner: "o", size: 1 }, [
        entry("ap", "Apply", { "f:size": {} }, NOW),
        entry("one", "Update", { "f:owner": {} }),
      ]),
    },
    {
      name: "changes nothing, not even the time, when it is applied again",
      current: shelf({ size: 1 }, [entry("ap", "Apply", { "f:size": {} })]),
      applied: shelf({ size: 1 }),
      expected: shelf({ size: 1 }, [entry("ap", "Apply", { "f:size": {} })]),
    },
    {
      name: "loses what its applier does not say any more",
      current: shelf({ size: 1, owner: "o" }, [entry("ap", "Apply", { "f:size": {}, "f:owner": {} })]),
      applied: shelf({ owner: "o" }),
      expected: shelf({ owner: "o" }, [entry("ap", "Apply", { "f:owner": {} }, NOW)]),
    },
    {
      name: "keeps what its applier does not say any more, but somebody else manages too",
      current: shelf({ size: 1 }, [entry("ap", "Apply", { "f:size": {} }), entry("b", "Apply", { "f:size": {} })]),
      applied: shelf(),
      expected: shelf({ size: 1 }, [entry("b", "Apply", { "f:size": {} })]),
    },
    {
      name: "shares a field with another manager that says the same",
      current: shelf({ size: 1, owner: "o" }, [entry("one", "Update", { "f:size": {} })]),
      applied: shelf({ size: 1, open: true }),
      expected: shelf({ size: 1, owner: "o", open: true }, [
        entry("ap", "Apply", { "f:open": {}, "f:size": {} }, NOW),
        entry("one", "Update", { "f:size": {} }),
      ]),
    },
    {
      name: "has null for a list that has lost its elements and that somebody still manages; its schema refuses that",
      current: shelf({ tags: ["a"] }, [
        entry("ap", "Apply", { "f:tags": { 'v:"a"': {} } }),
        entry("one", "Update", { "f:tags": {} }),
      ]),
      applied: shelf(),
      expected: shelf({ tags: null }, [entry("one", "Update", { "f:tags": {} })]),
    },
  ];
  for (const { name, current, applied, expected } of rows) {
    test(name, () => {
      const given = structuredClone(current);
      const { object } = applyConfiguration({ ...application, current, applied });
      assert.deepEqual(object, expected);
      assert.deepEqual(current, given, "nothing given is changed");
    });
  }

  test("conflicts with every manager of what it changes, and takes all of it over when it is forced", () => {
    const managedFields = [
      entry("b", "Apply", { "f:size": {} }),
      entry("one", "Update", { "f:owner": {}, "f:size": {} }),
    ];
    const given = {
      ...application,
      current: shelf({ size: 1, owner: "o" }, managedFields),
      applied: shelf({ size: 2 }),
    };
    const causes = [
      { reason: "FieldManagerConflict", message: 'conflict with "b"', field: ".spec.size" },
      { reason: "FieldManagerConflict", message: `conflict with "one" using ${API_VERSION}`, field: ".spec.size" },
    ];
    assert.throws(
      () => applyConfiguration(given),
      (error) => {
        assert.ok(error instanceof StatusError);
        assert.deepEqual([error.status.code, error.status["details"]], [409, { causes }]);
        return true;
      },
    );
    const { object } = applyConfiguration({ ...given, force: true });
    assert.deepEqual(
      object,
      shelf({ size: 2, owner: "o" }, [
        entry("ap", "Apply", { "f:size": {} }, NOW),
        entry("one", "Update", { "f:owner": {} }),
      ]),
    );
  });

  test("of a built-in kind does not get the structs that it says nothing about", () => {
    const applied: KubeObject = { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: { name: "one" } };
    const { object } = applyConfiguration({ ...application, kind: LEASE, current: undefined, applied });
    assert.deepEqual(object, applied);
  });
});

const LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration";
const lastApplied = (spec: JsonObject): JsonObject => {
  const text = JSON.stringify({ apiVersion: API_VERSION, kind: "Shelf", metadata: { name: "one" }, spec });
  return { annotations: { [LAST_APPLIED]: text } };
};
const apply = (by: string, body: JsonObject, more: Partial<Write> = {}): Write => ({
  by,
  verb: "apply",
  body,
  ...more,
});
const create = (by: string, body: JsonObject): Write => ({ by, verb: "create", body });
const forced = { force: true };
const status = { subresource: "status" } as const;
const port = (number: number, name?: string): JsonObject => ({ port: number, protocol: "X", ...(name && { name }) });

const misfits: readonly JsonObject[] = [
  { spec: { nope: 1 } },
  { top: 1 },
  { metadata: { nope: 1 } },
  { metadata: { labels: { a: 1 } } },
  { metadata: { managedFields: [] } },
  { metadata: { managedFields: [{}] } },
  { kind: "Other" },
  { apiVersion: "v1" },
  { spec: "x" },
  ...["1", true, [1], { a: 1 }].map((size) => ({ spec: { size } })),
  ...[1, 1.5, ["a", 1], { b: 2, a: [1, "x"] }].map((owner) => ({ spec: { owner } })),
  ...["yes", { a: "b" }].map((open) => ({ spec: { open } })),
  ...["x", { a: 1 }, ["a", "a"], [1], [{}], [null], [[]]].map((tags) => ({ spec: { tags } })),
  ...[[{ port: 1 }, { port: 1 }], [null], ["a"]].map((ports) => ({ spec: { ports } })),
  { spec: { nested: "x" } },
  { spec: { list: [1] } },
  { spec: { since: {} } },
  { spec: { limits: { a: { cpu: 2 } } } },
  { spec: { plain: [{ a: "b", c: "d" }] } },
  { spec: { template: { apiVersion: 3 } } },
];

const scenarios: readonly Scenario[] = [
  {
    name: "of an object that is applied by two, and by nobody any more",
    kind: SHELF,
    writes: [
      apply("a", {
        metadata: { labels: { a: "1" }, finalizers: ["example.com/x"] },
        spec: {
          ...{ size: 1, tags: ["x", "y"], ports: [{ port: 80 }], whole: { a: "1" }, free: { x: { y: [1] } } },
          ...{ nested: { b: {} }, names: {}, list: [], plain: [{ a: "1" }] },
        },
        status: { phase: "x" },
      }),
      apply("a", {
        metadata: { labels: { a: "1" } },
        spec: { size: 1, tags: ["y"], ports: [{ port: 81, protocol: "UDP" }], whole: { b: "1" }, free: { x: {} } },
      }),
      apply("b", { spec: { size: 1 } }),
      apply("b", { spec: { size: 1 } }),
      apply("a", { spec: { tags: ["y"] } }),
      apply("b", {}),
      apply("a", {}),
    ],
  },
  {
    name: "of conflicts with updates, applies and writes to status",
    kind: SHELF,
    writes: [
      create("one", {
        metadata: { labels: { l: "1" } },
        spec: { size: 1, owner: "o", tags: ["x"], ports: [port(80, "n")], list: ["a"] },
      }),
      { by: "two", verb: "merge", body: { spec: { owner: "p" } } },
      { by: "controller", verb: "merge", ...status, body: { status: { phase: "a", seen: ["q"] } } },
      apply("ap", { spec: { size: 2, owner: "q", tags: ["x", "z"], ports: [port(80, "m")], list: ["b"] } }),
      apply("ap", { spec: { size: 2 } }),
      apply("ap", { spec: { size: null, maybe: null, tags: null } }),
      apply("ap", { status: { phase: "b" } }, status),
      apply("ap", { status: { phase: "b" } }),
      apply("ap", { spec: { size: 77 }, status: { seen: ["r"] } }, status),
      apply("ap", { spec: { size: 2, owner: "q", tags: ["x", "z"], ports: [port(80, "m")], list: ["b"] } }, forced),
      apply("bp", { spec: { size: 3, owner: "r" } }),
      apply("bp", { status: { seen: ["r", "q"], phase: "c" } }, status),
      apply("ap", { spec: { ports: [] } }),
      apply("ap", {}, forced),
    ],
  },
  {
    name: "of the order of merged lists",
    kind: SHELF,
    writes: [
      create("one", { spec: { tags: ["a", "b", "c", "d"], ports: [port(1), port(2), port(3)] } }),
      apply("ap", { spec: { tags: ["e", "c", "a", "f"], ports: [port(3, "t"), port(9), port(1)] } }),
      apply("bp", { spec: { tags: ["z", "d", "y", "b", "x"], ports: [port(2), port(1)] } }),
      apply("ap", { spec: { tags: ["f", "a"] } }),
      apply("cp", { spec: { tags: ["f", "e", "d", "c", "b", "a"] } }),
    ],
  },
  {
    name: "of keys that mean something elsewhere",
    kind: SHELF,
    writes: [
      create("a", {
        data: { constructor: "x", toString: "1", "f:a": "b", ".": "c" },
        spec: { ports: [port(10), port(9), { port: 9, protocol: 'a"q' }] },
      }),
      apply("ap", { data: { constructor: "y" } }),
      apply("ap", { data: { "a b": "c" }, spec: { ports: [{ port: 9, protocol: 'a"q', name: "z" }] } }),
    ],
  },
  {
    name: "of kubectl, which takes over what client-side apply has set",
    kind: SHELF,
    writes: [
      create("kubectl-client-side-apply", {
        metadata: lastApplied({ size: 1, owner: "o", tags: ["x"] }),
        spec: { size: 1, owner: "o", tags: ["x"] },
      }),
      apply("kubectl", { spec: { size: 2, owner: "o", tags: ["x"] } }),
      apply("kubectl", { metadata: { annotations: { q: "r" } }, spec: { size: 3, tags: ["x"] } }),
      apply("kubectl", { metadata: { annotations: { [LAST_APPLIED]: "mine" } }, spec: { size: 3, tags: ["x"] } }),
      apply("kubectl", { metadata: { annotations: { [LAST_APPLIED]: "<&>", q: "<b>" } }, spec: { size: 3 } }, forced),
    ],
  },
  {
    name: "of kubectl, which does not take over what others have changed since, and of others, which take over nothing",
    kind: SHELF,
    writes: [
      create("kubectl-client-side-apply", {
        metadata: lastApplied({ size: 1, owner: "o", open: true }),
        spec: { size: 1, owner: "o", open: true },
      }),
      { by: "else", verb: "merge", body: { spec: { owner: "p" } } },
      apply("kubectl", { spec: { size: 2, owner: "q" } }),
      apply("other", { spec: { size: 2 } }),
    ],
  },
  {
    name: "of objects that do not fit the schema",
    kind: SHELF,
    writes: [create("one", { spec: { size: 1, owner: "o" } }), ...misfits.map((body) => apply("ap", body))],
  },
  {
    name: "of what the schema does not know, where it keeps that",
    kind: SHELF,
    writes: [apply("ap", { spec: { half: { known: { b: "x" }, other: { c: 1 } }, any: { d: [1] } } })],
  },
  {
    name: "of conditions in a status",
    kind: DATABASE,
    writes: [
      create("one", { spec: { engine: "postgres" } }),
      apply("op", { status: { phase: "Pending", conditions: [{ type: "Ready", status: "False" }] } }, status),
      apply("op2", { status: { conditions: [{ type: "Synced", status: "False" }] } }, status),
      apply("op", { status: { phase: "Pending" } }, status),
      apply("op2", { status: { phase: "Running", conditions: [{ type: "Synced", status: "True" }] } }, status),
      {
        by: "op3",
        verb: "merge",
        ...status,
        body: { status: { conditions: [{ type: "Synced", status: "Unknown" }] } },
      },
      apply("op2", { status: { conditions: [{ type: "Synced", status: "True" }] } }, status),
    ],
  },
  {
    name: "of an object whose managers somebody has cleared",
    kind: DATABASE,
    writes: [
      create("one", { spec: { engine: "postgres", replicas: 1 } }),
      { by: "one", verb: "replace", body: { metadata: { managedFields: [{}] } } },
      apply("op", { status: { phase: "Pending" } }, status),
      apply("ap", { spec: { engine: "postgres", replicas: 2 } }),
    ],
  },
  {
    name: "of a ConfigMap",
    kind: CONFIG_MAP,
    writes: [
      apply("a", { metadata: { labels: { x: "y" } }, data: { a: "1" } }),
      apply("b", { data: { a: "1", b: "2" } }),
      apply("b", { nope: 1 }),
      apply("a", { data: {} }),
      { by: "one", verb: "merge", body: { data: { a: "2" } } },
      apply("a", { data: { a: "3" } }),
      apply("a", { data: { a: "3" } }, forced),
      apply("a", {}),
      { by: "one", verb: "replace", body: { metadata: { managedFields: [] } } },
      apply("a", { data: { a: "5" } }, forced),
    ],
  },
  {
    name: "of a Lease",
    kind: LEASE,
    writes: [
      apply("a", { spec: { holderIdentity: "x" } }),
      apply("a", { spec: { leaseDurationSeconds: 1 } }),
      apply("b", { spec: { leaseTransitions: 1 } }),
    ],
  },
];

describe("the real kube-apiserver makes the same of every apply", () => {
  for (const scenario of scenarios) {
    test(scenario.name, async (t) => {
      const kube = await sharedKube(t);
      if (kube === undefined) return;
      await kube.client.applyCrd(shelfCrd);
      await replay(kube, await uniqueNamespace(kube), scenario);
    });
  }
});
