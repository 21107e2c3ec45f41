import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { recordUpdate } from "../../../cli/embedded/field/managed-fields.ts";
import { withoutNewTimes } from "../../../cli/embedded/field/managers.ts";
import type { JsonObject, KubeObject, ManagedFieldsEntry } from "../../../cli/embedded/object/object.ts";
import { sharedKube, uniqueNamespace } from "../../kit/shared-kube.ts";
import { CONFIG_MAP, EVENT, LEASE, SHELF, shelfCrd } from "./field-case.ts";
import { replay, type Scenario, type Write } from "./field-replay.ts";

const NOW = "2026-01-01T00:00:09Z";
const EARLIER = "2026-01-01T00:00:01Z";

function shelf(spec: JsonObject, managedFields?: readonly JsonObject[]): KubeObject {
  const entries = managedFields as readonly ManagedFieldsEntry[] | undefined; // a client may send anything
  const metadata = { name: "one", ...(entries && { managedFields: entries }) };
  return { apiVersion: "fieldsets.example.com/v1", kind: "Shelf", metadata, spec };
}
function entry(manager: string, fields: JsonObject, more: Partial<ManagedFieldsEntry> = {}): ManagedFieldsEntry {
  return {
    manager,
    operation: "Update",
    apiVersion: "fieldsets.example.com/v1",
    time: EARLIER,
    fieldsType: "FieldsV1",
    fieldsV1: fields,
    ...more,
  };
}
const spec = (...names: string[]): JsonObject => ({
  "f:spec": Object.fromEntries(names.map((name) => [`f:${name}`, {}])),
});
const write = { kind: SHELF, subresource: "", time: NOW };

describe("the managers after a write", () => {
  const rows: readonly {
    name: string;
    before: KubeObject;
    after: KubeObject;
    expected: readonly ManagedFieldsEntry[];
  }[] = [
    {
      name: "are what they were when the write changes nothing, to the second",
      before: shelf({ size: 1 }, [entry("two", spec("size"))]),
      after: shelf({ size: 1 }),
      expected: [entry("two", spec("size"))],
    },
    {
      name: "have the writer as the manager of what it changed, and nobody else",
      before: shelf({ size: 1, owner: "o" }, [entry("one", spec("owner", "size"))]),
      after: shelf({ size: 2, owner: "o" }),
      expected: [entry("one", spec("owner")), entry("two", spec("size"), { time: NOW })],
    },
    {
      name: "have a new time for a writer that changes what it manages already",
      before: shelf({ size: 1 }, [entry("two", spec("size"))]),
      after: shelf({ size: 2 }),
      expected: [entry("two", spec("size"), { time: NOW })],
    },
    {
      name: "keep their times when fields only go",
      before: shelf({ size: 1, owner: "o" }, [entry("two", spec("owner", "size"))]),
      after: shelf({ size: 1 }),
      expected: [entry("two", spec("size"))],
    },
    {
      name: "lose whoever manages nothing any more",
      before: shelf({ size: 1 }, [entry("ap", spec("size"), { operation: "Apply" }), entry("one", spec("size"))]),
      after: shelf({ size: 2 }),
      expected: [entry("two", spec("size"), { time: NOW })],
    },
    {
      name: "are appliers first, and then by age",
      before: shelf({ size: 1, owner: "o" }, [
        entry("young", spec("open"), { time: "2026-01-01T00:00:05Z" }),
        entry("old", spec("owner")),
        entry("ap", spec("ratio"), { operation: "Apply", time: "2026-01-01T00:00:08Z" }),
      ]),
      after: shelf({ size: 2, owner: "o" }),
      expected: [
        entry("ap", spec("ratio"), { operation: "Apply", time: "2026-01-01T00:00:08Z" }),
        entry("old", spec("owner")),
        entry("young", spec("open"), { time: "2026-01-01T00:00:05Z" }),
        entry("two", spec("size"), { time: NOW }),
      ],
    },
    {
      name: "are none for an object whose managers were cleared before",
      before: shelf({ size: 1 }),
      after: shelf({ size: 2 }),
      expected: [],
    },
    {
      name: "are those of the storage when a client garbles them",
      before: shelf({ size: 1 }, [entry("one", spec("size"))]),
      after: shelf({ size: 1 }, [{ manager: "x" }]),
      expected: [entry("one", spec("size"))],
    },
    {
      name: "are those that a client writes",
      before: shelf({ size: 1 }, [entry("one", spec("size"))]),
      after: shelf({ size: 1 }, [entry("mine", spec("size"))]),
      expected: [entry("mine", spec("size"))],
    },
  ];
  for (const { name, before, after, expected } of rows) {
    test(name, () => {
      const given = structuredClone([before, after]);
      assert.deepEqual(recordUpdate({ ...write, before, after, manager: "two" }), expected);
      assert.deepEqual([before, after], given, "nothing given is changed");
    });
  }

  test("are at most ten for updates: the oldest become one", () => {
    const names = Array.from({ length: 10 }, (_, index) => `k${index}`);
    const managedFields = names.map((name, index) => {
      return entry(
        name,
        { "f:data": { [`f:${name}`]: {} } },
        { time: `2026-01-01T00:00:0${index}Z`.replace("09", "08") },
      );
    });
    const before = { ...shelf({}, managedFields), data: Object.fromEntries(names.map((name) => [name, "v"])) };
    const entries = recordUpdate({ ...write, before, after: { ...before, spec: { size: 1 } }, manager: "two" });
    assert.equal(entries.length, 10);
    assert.deepEqual(
      entries.find(({ manager }) => manager === "ancient-changes"),
      entry("ancient-changes", { "f:data": { "f:k0": {}, "f:k1": {} } }, { time: "2026-01-01T00:00:01Z" }),
    );
  });
});

describe("an object that is stored", () => {
  const before = shelf({ size: 1 }, [entry("one", spec("size"))]);
  test("stays as it is when nothing but times is new", () => {
    assert.equal(withoutNewTimes(shelf({ size: 1 }, [entry("one", spec("size"), { time: NOW })]), before), before);
  });
  test("is a new one when anything else is", () => {
    const after = shelf({ size: 2 }, [entry("one", spec("size"), { time: NOW })]);
    assert.equal(withoutNewTimes(after, before), after);
  });
});

const everything = {
  metadata: {
    labels: { a: "1", b: "2" },
    annotations: { x: "y" },
    finalizers: ["example.com/f"],
    ownerReferences: [{ apiVersion: "v1", kind: "X", name: "x", uid: "u1" }],
  },
  data: { k: "v", "a.b/c": "w", constructor: "x" },
  spec: {
    ...{
      size: 1,
      replicas: 2,
      ratio: 0.5,
      open: true,
      owner: "me",
      since: "2026-01-01T00:00:00Z",
      maybe: null,
      amount: "5%",
    },
    nested: { a: "1", b: { c: "2", d: 3 } },
    names: { n: "m" },
    limits: { x: { cpu: "1", memory: "2" } },
    whole: { a: "1" },
    tags: ["x", "a<b>&c", "ü"],
    numbers: [3, 1, 10],
    list: ["a", "b"],
    plain: [{ a: "1" }],
    ports: [{ port: 80, protocol: "UDP", name: "n" }, { port: 443 }, { port: 9, protocol: 'a"q' }],
    free: { deep: { er: [1, { a: 2 }], e: {}, n: null } },
    any: [{ b: 1 }],
    half: { known: { a: "1" }, unknown: { x: { y: 1 } } },
    template: { apiVersion: "v1", kind: "P", metadata: { name: "p", labels: { q: "r" } }, spec: { z: 1 } },
  },
  status: { phase: "dropped" },
};
const containers = ["names", "tags", "ports", "nested", "free", "list", "limits", "whole"];
const emptied = Object.fromEntries(containers.map((name) => [name, null]));
const own = { manager: "own", operation: "Update", apiVersion: "fieldsets.example.com/v1", fieldsType: "FieldsV1" };
const additions = Array.from({ length: 13 }, (_, index): Write => {
  return { by: `m${String(index).padStart(2, "0")}`, verb: "merge", body: { data: { [`k${index}`]: "v" } } };
});

const scenarios: readonly Scenario[] = [
  {
    name: "of everything that a schema can say, and of status",
    kind: SHELF,
    writes: [
      { by: "one", verb: "create", body: everything },
      {
        by: "two",
        verb: "merge",
        body: {
          spec: {
            ...{ size: 5, names: null, tags: ["x", "z"], whole: { b: "2" }, any: { now: "map" } },
            nested: { b: { c: "9" } },
            ports: [{ port: 80, protocol: "UDP", name: "m" }],
            free: { deep: { er: [2] } },
          },
        },
      },
      { by: "two", verb: "merge", body: { spec: { size: 5 } } },
      {
        by: "controller",
        verb: "merge",
        subresource: "status",
        body: { status: { phase: "Up", seen: ["a"] }, spec: { size: 99 }, metadata: { labels: { z: "z" } } },
      },
      {
        by: "one",
        verb: "replace",
        body: {
          spec: {
            list: ["b"],
            limits: { x: { cpu: "7" }, y: {} },
            numbers: [],
            tags: null,
            half: { unknown: { x: 1 } },
          },
          status: { phase: "no" },
        },
      },
      {
        by: "controller",
        verb: "replace",
        subresource: "status",
        body: { status: { seen: ["b"] }, spec: { owner: "no" } },
      },
      { by: "one", verb: "replace", subresource: "status", body: { status: null } },
      {
        by: "x",
        verb: "merge",
        body: { metadata: { labels: null, finalizers: null, annotations: { x: null, n: "1" } } },
      },
    ],
  },
  {
    name: "of what is empty, is filled, is emptied and goes",
    kind: SHELF,
    writes: [
      {
        by: "one",
        verb: "create",
        body: {
          metadata: { labels: {} },
          spec: { names: {}, tags: [], ports: [], nested: {}, free: {}, list: [], limits: { x: {} }, whole: {} },
          data: {},
        },
      },
      {
        by: "two",
        verb: "merge",
        body: {
          spec: {
            ...{
              names: { a: "b" },
              tags: ["a"],
              ports: [{ port: 1 }],
              nested: { a: "1" },
              free: { x: {} },
              list: ["a"],
            },
            ...{ limits: { x: { cpu: "1" } }, whole: { a: "1" } },
          },
          data: { a: "1" },
        },
      },
      {
        by: "three",
        verb: "merge",
        body: {
          spec: {
            ...{ names: { a: null }, tags: [], ports: [], nested: { a: null }, free: { x: null }, list: [] },
            ...{ limits: { x: null }, whole: { a: null } },
          },
          data: { a: null },
        },
      },
      { by: "four", verb: "merge", body: { spec: emptied, data: null } },
    ],
  },
  {
    name: "of values that change their type",
    kind: SHELF,
    writes: [
      { by: "one", verb: "create", body: { spec: { any: { a: { b: 1 } }, free: { x: { y: 1 } }, amount: 5 } } },
      { by: "two", verb: "merge", body: { spec: { any: "text", free: { x: [1] }, amount: "5" } } },
      { by: "three", verb: "merge", body: { spec: { any: [1], free: { x: { z: 1 } } } } },
      { by: "four", verb: "merge", body: { spec: { any: { q: 1 }, free: { x: 3 } } } },
      { by: "five", verb: "replace", body: { spec: { any: null, free: null } } },
    ],
  },
  {
    name: "of managers that a client clears, writes or garbles",
    kind: SHELF,
    writes: [
      { by: "one", verb: "create", body: { spec: { size: 1 } } },
      { by: "two", verb: "merge", body: { metadata: { managedFields: [] }, spec: { size: 2 } } },
      { by: "two", verb: "replace", body: { metadata: { managedFields: [] }, spec: { size: 3 } } },
      {
        by: "two",
        verb: "merge",
        subresource: "status",
        body: { metadata: { managedFields: [{}] }, status: { phase: "a" } },
      },
      {
        by: "two",
        verb: "replace",
        body: { metadata: { managedFields: [{ ...own, time: EARLIER, fieldsV1: spec("owner") }] } },
      },
      {
        by: "two",
        verb: "replace",
        body: { metadata: { managedFields: [{ ...own, operation: "?" }] }, spec: { size: 9 } },
      },
      { by: "two", verb: "merge", body: { metadata: { managedFields: [{}] }, spec: { size: 2 } } },
      { by: "three", verb: "merge", body: { spec: { size: 3 } } },
    ],
  },
  {
    name: "of an object that is created with cleared managers",
    kind: SHELF,
    writes: [{ by: "one", verb: "create", body: { metadata: { managedFields: [{}] }, spec: { size: 1 } } }],
  },
  {
    name: "of more managers than there can be",
    kind: SHELF,
    writes: [
      { by: "first", verb: "create", body: { spec: { size: 1 } } },
      ...additions,
      { by: "controller", verb: "merge", subresource: "status", body: { status: { phase: "a" } } },
    ],
  },
  {
    name: "of the scale subresource",
    kind: SHELF,
    writes: [
      { by: "one", verb: "create", body: { spec: { size: 1, replicas: 1 } } },
      { by: "autoscaler", verb: "merge", subresource: "scale", body: { spec: { replicas: 4 } } },
      { by: "autoscaler", verb: "merge", subresource: "scale", body: { spec: { replicas: 5 } } },
      { by: "one", verb: "merge", body: { spec: { replicas: 6 } } },
    ],
  },
  {
    name: "of a ConfigMap, where an empty list clears",
    kind: CONFIG_MAP,
    writes: [
      { by: "one", verb: "create", body: { data: { a: "1" } } },
      { by: "two", verb: "merge", body: { data: { a: "2", b: "" } } },
      { by: "two", verb: "replace", body: { data: { b: null } } },
      { by: "two", verb: "merge", body: { metadata: { managedFields: [] } } },
      { by: "two", verb: "merge", body: { data: { a: "3" } } },
    ],
  },
  {
    name: "of a Lease",
    kind: LEASE,
    writes: [
      { by: "one", verb: "create", body: { spec: { holderIdentity: "a" } } },
      { by: "two", verb: "merge", body: { spec: { leaseDurationSeconds: 4 } } },
    ],
  },
  {
    name: "of an Event",
    kind: EVENT,
    writes: [
      {
        by: "one",
        verb: "create",
        body: {
          ...{ reason: "R", type: "Normal", count: 1, reportingComponent: "", eventTime: null },
          involvedObject: { kind: "X", name: "x" },
          source: { component: "c" },
          firstTimestamp: EARLIER,
        },
      },
      { by: "two", verb: "merge", body: { count: 2, reportingComponent: "r" } },
    ],
  },
];

describe("the real kube-apiserver has the same managers after every write", () => {
  for (const scenario of scenarios) {
    test(scenario.name, async (t) => {
      const kube = await sharedKube(t);
      if (kube === undefined) return;
      await kube.client.applyCrd(shelfCrd);
      const namespace = await uniqueNamespace(kube);
      const object = { involvedObject: { kind: "X", name: "x", namespace } };
      const writes = scenario.writes.map((each) =>
        each.body["involvedObject"] ? { ...each, body: { ...each.body, ...object } } : each,
      );
      await replay(kube, namespace, { ...scenario, writes });
    });
  }
});
