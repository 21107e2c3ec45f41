/**
 * What `kubectl get` is given to print. The cells of each row here are those of kube-apiserver 1.36 for the same object; the conformance
 * cases hold the answers of both servers to each other.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { BUILT_IN_KINDS } from "../../../cli/embedded/kind/built-in.ts";
import { kindsOf } from "../../../cli/embedded/kind/crd.ts";
import type { PrinterColumn, ResourceKind } from "../../../cli/embedded/object/kind.ts";
import type { Json, JsonObject, KubeObject } from "../../../cli/embedded/object/object.ts";
import { ageOf, humanDuration } from "../../../cli/embedded/view/human-duration.ts";
import {
  includeObjectOf,
  type TableOptions,
  toPartialObjectMetadata,
  toPartialObjectMetadataList,
  toTable,
} from "../../../cli/embedded/view/table.ts";

const NOW = "2026-01-02T00:00:00Z";
const DAY_AGO = "2026-01-01T00:00:00Z";
const options: TableOptions = {
  listMetadata: { resourceVersion: "9" },
  includeObject: "None",
  nowMs: Date.parse(NOW),
};

function builtIn(name: string): ResourceKind {
  const found = BUILT_IN_KINDS.find(({ kind }) => kind === name);
  assert.ok(found, name);
  return found;
}

function custom(columns: readonly PrinterColumn[]): ResourceKind {
  const version = { name: "v1", served: true, storage: true, schema: { openAPIV3Schema: { type: "object" } } };
  const versions = [{ ...version, additionalPrinterColumns: columns }];
  const [kind] = kindsOf({
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: "things.example.com" },
    spec: { group: "example.com", scope: "Namespaced", names: { plural: "things", kind: "Thing" }, versions },
  });
  assert.ok(kind);
  return kind;
}

function object(parts: JsonObject = {}): KubeObject {
  return { apiVersion: "v1", kind: "Any", metadata: { name: "one", creationTimestamp: DAY_AGO }, ...parts };
}

function tableOf(kind: ResourceKind, shown: KubeObject): { columns: readonly string[]; cells: Json | undefined } {
  const { columnDefinitions, rows } = toTable(kind, [shown], options);
  assert.ok(Array.isArray(columnDefinitions) && Array.isArray(rows));
  return { columns: columnDefinitions.map(({ name }) => name), cells: rows[0]?.cells };
}

describe("the columns of a built-in kind", () => {
  const events = [
    "Last Seen",
    "Type",
    "Reason",
    "Object",
    "Subobject",
    "Source",
    "Message",
    "First Seen",
    "Count",
    "Name",
  ];
  const involvedObject = { kind: "Database", name: "db" };
  const rows: readonly {
    readonly name: string;
    readonly kind: string;
    readonly given: JsonObject;
    readonly columns: readonly string[];
    readonly cells: readonly Json[];
  }[] = [
    {
      name: "a namespace has its phase",
      kind: "Namespace",
      given: { status: { phase: "Active" } },
      columns: ["Name", "Status", "Age"],
      cells: ["one", "Active", "24h"],
    },
    {
      name: "a config map has the number of its entries, text and binary",
      kind: "ConfigMap",
      given: { data: { a: "1", b: "2" }, binaryData: { c: "" } },
      columns: ["Name", "Data", "Age"],
      cells: ["one", 3, "24h"],
    },
    {
      name: "a secret shows none of its values",
      kind: "Secret",
      given: { type: "Opaque", data: { a: "MQ==" } },
      columns: ["Name", "Type", "Data", "Age"],
      cells: ["one", "Opaque", 1, "24h"],
    },
    {
      name: "a lease has its holder, or none",
      kind: "Lease",
      given: {},
      columns: ["Name", "Holder", "Age"],
      cells: ["one", "", "24h"],
    },
    {
      name: "a definition has the time of its creation",
      kind: "CustomResourceDefinition",
      given: {},
      columns: ["Name", "Created At"],
      cells: ["one", DAY_AGO],
    },
    {
      name: "an event that counts",
      kind: "Event",
      given: {
        involvedObject,
        type: "Warning",
        reason: "Bad",
        message: " it broke  ",
        source: { component: "operator", host: "node" },
        firstTimestamp: DAY_AGO,
        lastTimestamp: "2026-01-01T23:00:00Z",
        count: 3,
      },
      columns: events,
      cells: ["60m", "Warning", "Bad", "database/db", "", "operator, node", "it broke", "24h", 3, "one"],
    },
    {
      name: "an event that happened once at its time, from a reporting component",
      kind: "Event",
      given: { involvedObject, eventTime: "2026-01-01T23:59:00.123456Z", reportingComponent: "bridge" },
      columns: events,
      cells: ["59s", "", "", "database/db", "", "bridge", "", "59s", 1, "one"],
    },
    {
      name: "an event with a series counts there",
      kind: "Event",
      given: {
        involvedObject: { kind: "Node", fieldPath: "spec.x" },
        eventTime: DAY_AGO,
        count: 1,
        series: { count: 12, lastObservedTime: "2026-01-01T23:59:50.000000Z" },
      },
      columns: events,
      cells: ["10s", "", "", "node", "spec.x", "", "", "24h", 12, "one"],
    },
  ];
  for (const { name, kind, given, columns, cells } of rows) {
    test(name, () => assert.deepEqual(tableOf(builtIn(kind), object(given)), { columns, cells }));
  }
});

describe("a cell of a custom kind is its value as the column's type, or empty", () => {
  const values: JsonObject = {
    text: "text",
    whole: 42,
    fraction: -3.7,
    tiny: 0.00001,
    flag: true,
    time: DAY_AGO,
    ahead: "2036-01-01T00:00:00Z",
    none: null,
    list: ["x", "y"],
    map: { b: { z: 1, y: null }, a: "<&>" },
  };
  const rows: readonly { readonly type: string; readonly expected: JsonObject }[] = [
    {
      type: "string",
      expected: {
        ...{ text: "text", whole: "42", fraction: "-3.7", tiny: "1e-05", flag: "true", time: DAY_AGO },
        ...{ ahead: "2036-01-01T00:00:00Z", none: "<no value>", list: '["x","y"]', missing: null },
        map: '{"a":"\\u003c\\u0026\\u003e","b":{"y":null,"z":1}}',
      },
    },
    { type: "integer", expected: { whole: 42, fraction: -3, tiny: 0 } },
    { type: "number", expected: { whole: 42, fraction: -3.7, tiny: 0.00001 } },
    { type: "boolean", expected: { flag: true } },
    { type: "date", expected: { text: "<invalid>", time: "24h", ahead: "<invalid>" } },
  ];
  for (const { type, expected } of rows) {
    const names = [...Object.keys(values), "missing"];
    const columns = names.map((name) => ({ name, type, jsonPath: `.spec.${name}` }));
    test(type, () => {
      const { cells } = tableOf(custom(columns), object({ spec: values }));
      assert.deepEqual(cells, ["one", ...names.map((name) => expected[name] ?? null)]);
    });
  }
});

describe("the columns of a custom kind", () => {
  test("say what their definition says", () => {
    const columns = [
      { name: "Phase", type: "string", jsonPath: ".status.phase" },
      { name: "Size", type: "integer", jsonPath: ".spec.size", description: "How big.", format: "int32", priority: 1 },
    ];
    const { columnDefinitions } = toTable(custom(columns), [], options);
    assert.ok(Array.isArray(columnDefinitions));
    assert.deepEqual(columnDefinitions.slice(1), [
      {
        ...{ name: "Phase", type: "string", format: "", priority: 0 },
        description: "Custom resource definition column (in JSONPath format): .status.phase",
      },
      { name: "Size", type: "integer", format: "int32", priority: 1, description: "How big." },
    ]);
  });
  test("are its age when the definition has none", () => {
    assert.deepEqual(tableOf(custom([]), object()), { columns: ["Name", "Age"], cells: ["one", "24h"] });
  });
  test("end before the first path that cannot be read", () => {
    const columns = ['.spec["a"]', ".spec.b"].map((jsonPath) => ({ name: jsonPath, type: "string", jsonPath }));
    assert.deepEqual(tableOf(custom(columns), object()), { columns: ["Name"], cells: ["one"] });
  });
  test("show the first of many values", () => {
    const columns = [{ name: "Hosts", type: "string", jsonPath: ".spec.hosts[*]" }];
    assert.deepEqual(tableOf(custom(columns), object({ spec: { hosts: ["a", "b"] } })).cells, ["one", "a"]);
  });
});

describe("a row carries", () => {
  const shown = object({ spec: { a: 1 } });
  const rows = [
    { name: "nothing", includeObject: "None", expected: null },
    {
      name: "the metadata",
      includeObject: "Metadata",
      expected: { kind: "PartialObjectMetadata", apiVersion: "meta.k8s.io/v1", metadata: shown.metadata },
    },
    { name: "the object", includeObject: "Object", expected: shown },
  ] as const;
  for (const { name, includeObject, expected } of rows) {
    test(name, () => {
      const table = toTable(builtIn("ConfigMap"), [shown], { ...options, includeObject });
      assert.deepEqual(table["rows"], [{ cells: ["one", 0, "24h"], object: expected }]);
    });
  }
  test("the metadata, unless it is asked for another part that there is", () => {
    assert.equal(includeObjectOf(null), "Metadata");
    assert.equal(includeObjectOf("Object"), "Object");
    assert.throws(() => includeObjectOf("Foo"), {
      message:
        "Unable to convert to Table as requested: includeObject: Invalid value: \"Foo\": must be 'Metadata', 'Object', 'None', or empty",
    });
  });
});

test("the later events of a watch repeat no columns, and a bookmark has no name", () => {
  const bookmark: KubeObject = JSON.parse('{"apiVersion":"v1","kind":"Thing","metadata":{"resourceVersion":"7"}}');
  const columns = [{ name: "Phase", type: "string", jsonPath: ".status.phase" }];
  const listMetadata = { resourceVersion: "7" };
  assert.deepEqual(toTable(custom(columns), [bookmark], { ...options, listMetadata, hasColumns: false }), {
    kind: "Table",
    apiVersion: "meta.k8s.io/v1",
    metadata: listMetadata,
    columnDefinitions: null,
    rows: [{ cells: ["", null], object: null }],
  });
});

test("metadata alone comes in the version that was asked for", () => {
  const { metadata } = object();
  const item = { kind: "PartialObjectMetadata", apiVersion: "meta.k8s.io/v1beta1", metadata };
  assert.deepEqual(toPartialObjectMetadata(object(), "v1beta1"), item);
  assert.deepEqual(toPartialObjectMetadataList([object()], { resourceVersion: "9" }, "v1beta1"), {
    kind: "PartialObjectMetadataList",
    apiVersion: "meta.k8s.io/v1beta1",
    metadata: { resourceVersion: "9" },
    items: [item],
  });
});

describe("an age", () => {
  const S = 1;
  const M = 60;
  const H = 60 * M;
  const D = 24 * H;
  const rows: readonly (readonly [seconds: number, expected: string])[] = [
    [-2, "<invalid>"],
    [-1, "0s"],
    [0, "0s"],
    [2 * M - S, "119s"],
    [2 * M, "2m"],
    [10 * M - S, "9m59s"],
    [10 * M + S, "10m"],
    [3 * H - S, "179m"],
    [3 * H, "3h"],
    [8 * H - S, "7h59m"],
    [2 * D - S, "47h"],
    [2 * D, "2d"],
    [8 * D - S, "7d23h"],
    [8 * D, "8d"],
    [730 * D - S, "729d"],
    [730 * D, "2y"],
    [731 * D, "2y1d"],
    [8 * 365 * D, "8y"],
    [9.9 * 365 * D, "9y"],
  ];
  for (const [seconds, expected] of rows) {
    test(`of ${seconds} s is ${expected}`, () => assert.equal(humanDuration(seconds * 1000), expected));
  }
  test("of no time is unknown, of a text that is no time invalid", () => {
    assert.deepEqual(
      [undefined, "", "yesterday", "2026"].map((time) => ageOf(time, 0)),
      ["<unknown>", "<unknown>", "<invalid>", "<invalid>"],
    );
  });
});
