/**
 * The Tables that `kubectl get` prints and the metadata that controllers ask for, of a definition whose columns have every type, and of
 * the built-in kinds. Ages are compared by their form, since the two servers are not asked at the same time.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Answer, accepted, raw, refusal } from "./raw.ts";
import { conform, type Target } from "./target.ts";
import { uniqueName } from "./widget.ts";

const GROUP = "table.example.com";
const TABLE =
  "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json";
const metadataAs = (as: string, version = "v1") => `application/json;as=${as};v=${version};g=meta.k8s.io`;

/** A column, and its cell for the full animal and for the empty one. */
const columns: readonly (readonly [type: string, jsonPath: string, full: unknown, empty: unknown])[] = [
  ["string", ".spec.text", "text", null],
  ["string", ".spec.whole", "42", null],
  ["string", ".spec.fraction", "-3.7", null],
  ["string", ".spec.tiny", "1e-05", null],
  ["string", ".spec.flag", "true", null],
  ["string", ".spec.time", "2026-01-01T00:00:00Z", null],
  ["string", ".spec.list", '["x","y"]', null],
  ["string", ".spec.map", '{"a":"\\u003c\\u0026\\u003e","a.b":"dotted","z":1}', null],
  ["string", ".spec.list[*]", "x", null],
  ["string", ".spec.list[-1:]", "y", null],
  ["string", ".spec.list[1]", "y", null],
  ["string", ".spec.list[7]", null, null],
  ["string", ".spec.list[0,1]", "x", null],
  ["string", ".spec.map.a\\.b", "dotted", null],
  ["string", ".spec['map']['a\\.b']", "dotted", null],
  ["string", '.spec.conditions[?(@.type=="Ready")].status', "True", null],
  ["string", ".spec.conditions[?(@.type=='Nope')].status", null, null],
  ["string", ".spec.conditions[?(@.type!='Ready')].status", "False", null],
  ["string", ".spec.conditions[?(@.extra)].type", "Synced", null],
  ["string", '.spec.conditions[?(@.extra=="e")].type', "Synced", null],
  ["integer", ".spec.conditions[?(@.weight>1)].weight", 2, null],
  ["string", ".spec.conditions[?(@.weight==2.0)].type", null, null],
  ["string", ".spec..type", "Ready", null],
  ["string", ".metadata.name", "full", "empty"],
  ["string", ".metadata.labels.app\\.kubernetes\\.io/name", "zoo", null],
  ["integer", ".spec.whole", 42, null],
  ["integer", ".spec.fraction", -3, null],
  ["integer", ".spec.text", null, null],
  ["integer", ".spec.flag", null, null],
  ["number", ".spec.whole", 42, null],
  ["number", ".spec.fraction", -3.7, null],
  ["number", ".spec.text", null, null],
  ["boolean", ".spec.flag", true, null],
  ["boolean", ".spec.text", null, null],
  ["date", ".spec.time", "<age>", null],
  ["date", ".spec.ahead", "<invalid>", null],
  ["date", ".spec.text", "<invalid>", null],
  ["date", ".spec.whole", null, null],
  ["date", ".metadata.creationTimestamp", "<age>", "<age>"],
];

const free = { type: "object", "x-kubernetes-preserve-unknown-fields": true };
const schema = (description: string) => ({
  openAPIV3Schema: { type: "object", description, properties: { spec: free } },
});
const animalCrd = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: `animals.${GROUP}` },
  spec: {
    group: GROUP,
    scope: "Namespaced",
    names: { kind: "Animal", listKind: "AnimalList", plural: "animals", singular: "animal" },
    versions: [
      {
        ...{ name: "v1", served: true, storage: true, schema: schema("with columns") },
        additionalPrinterColumns: columns.map(([type, jsonPath], index) => ({
          ...{ name: `C${index}`, type, jsonPath },
          ...(index === 1 && { priority: 1, description: "The whole.", format: "byte" }),
        })),
      },
      { name: "v2", served: true, storage: false, schema: schema("without columns") },
      {
        ...{ name: "v3", served: true, storage: false, schema: schema("with a column that cannot be read") },
        additionalPrinterColumns: [".spec.text", '.spec["text"]', ".spec.whole"].map((jsonPath) => ({
          ...{ name: jsonPath, type: "string", jsonPath },
        })),
      },
    ],
  },
};

const spec = {
  ...{ text: "text", whole: 42, fraction: -3.7, tiny: 0.00001, flag: true, list: ["x", "y"] },
  ...{ time: "2026-01-01T00:00:00Z", ahead: "2286-01-01T00:00:00Z", map: { z: 1, "a.b": "dotted", a: "<&>" } },
  conditions: [
    { type: "Ready", status: "True", weight: 1 },
    { type: "Synced", status: "False", weight: 2, extra: "e" },
  ],
};

interface Zoo {
  readonly namespace: string;
  get(path: string, accept?: string): Promise<Answer>;
  /** The path of the namespace's animals, or of one. */
  animals(version: string, name?: string): string;
}

const zoos = new Map<string, Promise<Zoo>>(); // by server: the cases only read

async function openZoo(target: Target): Promise<Zoo> {
  const { client } = target;
  await client.applyCrd(animalCrd);
  const namespace = uniqueName("zoo");
  await client.createNamespace(namespace);
  const animals = (version: string, name?: string) =>
    [`/apis/${GROUP}/${version}/namespaces/${namespace}/animals`, name].filter(Boolean).join("/");
  const animal = { apiVersion: `${GROUP}/v1`, kind: "Animal" };
  const labels = { "app.kubernetes.io/name": "zoo" };
  await client.create(animals("v1"), { ...animal, metadata: { name: "empty" } });
  await client.create(animals("v1"), { ...animal, metadata: { name: "full", labels }, spec });
  const core = `/api/v1/namespaces/${namespace}`;
  await client.create(`${core}/configmaps`, {
    ...{ metadata: { name: "one" }, data: { a: "1", b: "2" }, binaryData: { c: "AA==" } },
  });
  await client.create(`${core}/secrets`, { metadata: { name: "one" }, stringData: { a: "1" } });
  const leases = `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`;
  await client.create(leases, { metadata: { name: "held" }, spec: { holderIdentity: "me" } });
  await client.create(leases, { metadata: { name: "open" } });
  for (const event of events(namespace)) await client.create(`${core}/events`, event);
  return { namespace, animals, get: (path, accept = TABLE) => raw(target, "GET", path, { accept }) };
}

function events(namespace: string): readonly object[] {
  const involvedObject = { kind: "Animal", name: "full", namespace };
  return [
    {
      ...{ metadata: { name: "counted" }, involvedObject, type: "Warning", reason: "Bad", message: " it broke  " },
      ...{ source: { component: "operator", host: "node" }, count: 3 },
      ...{ firstTimestamp: "2026-01-01T00:00:00Z", lastTimestamp: "2026-01-02T00:00:00Z" },
    },
    {
      ...{ metadata: { name: "once" }, involvedObject: { ...involvedObject, fieldPath: "spec.text" } },
      ...{ type: "Normal", reason: "Fed", message: "well", action: "Feed" },
      ...{ eventTime: "2026-01-02T00:00:00.123456Z", reportingComponent: "keeper", reportingInstance: "keeper-1" },
    },
  ];
}

/** What a Table shows: its columns' names and its rows' cells. */
function shown(answer: Answer): { readonly columns: readonly string[]; readonly rows: readonly unknown[] } {
  const { kind, apiVersion, columnDefinitions, rows } = accepted(answer);
  assert.deepEqual([kind, apiVersion], ["Table", "meta.k8s.io/v1"]);
  const aged = (cell: unknown) => (/^(\d+[smhdy]){1,2}$/.test(String(cell)) ? "<age>" : cell);
  return {
    columns: columnDefinitions.map(({ name }: { name: string }) => name),
    rows: rows.map(({ cells }: { cells: readonly unknown[] }) => cells.map(aged)),
  };
}

interface Case {
  readonly name: string;
  readonly run: (zoo: Zoo) => Promise<unknown>;
  readonly expected: unknown;
}

const eventColumns = [
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

const cases: readonly Case[] = [
  {
    name: "each column of a definition shows the first value that its path finds, if it has the column's type",
    run: async ({ get, animals }) => {
      const { rows } = shown(await get(animals("v1")));
      return columns.map(([type, jsonPath], index) => [type, jsonPath, ...rows.map((row) => at(row, index + 1))]);
    },
    expected: columns.map(([type, jsonPath, full, empty]) => [type, jsonPath, empty, full]),
  },
  {
    name: "a column is described by its definition, or by its path",
    run: async ({ get, animals }) => accepted(await get(animals("v1")))["columnDefinitions"].slice(1, 3),
    expected: [
      {
        ...{ name: "C0", type: "string", format: "", priority: 0 },
        description: "Custom resource definition column (in JSONPath format): .spec.text",
      },
      { name: "C1", type: "string", format: "byte", priority: 1, description: "The whole." },
    ],
  },
  {
    name: "a version without columns shows the age",
    run: async ({ get, animals }) => shown(await get(animals("v2"))),
    expected: {
      columns: ["Name", "Age"],
      rows: [
        ["empty", "<age>"],
        ["full", "<age>"],
      ],
    },
  },
  {
    name: "the columns end before the first path that cannot be read",
    run: async ({ get, animals }) => shown(await get(animals("v3"))),
    expected: {
      columns: ["Name", ".spec.text"],
      rows: [
        ["empty", null],
        ["full", "text"],
      ],
    },
  },
  {
    name: "a single object is a Table of one row, at its resourceVersion",
    run: async ({ get, animals }) => {
      const { metadata, rows } = accepted(await get(animals("v2", "full")));
      return [rows.length, Object.keys(metadata), metadata.resourceVersion === rows[0].object.metadata.resourceVersion];
    },
    expected: [1, ["resourceVersion"], true],
  },
  {
    name: "a row carries the metadata of its object, the object, or nothing",
    run: async ({ get, animals }) => {
      const paths = ["", "?includeObject=Metadata", "?includeObject=Object", "?includeObject=None"];
      const answers = await Promise.all(paths.map((query) => get(`${animals("v2", "full")}${query}`)));
      const objects = answers.map((answer) => accepted(answer)["rows"][0].object);
      return objects.map((object) => object && [object.kind, object.metadata.name, object.spec?.text]);
    },
    expected: [
      ["PartialObjectMetadata", "full", undefined],
      ["PartialObjectMetadata", "full", undefined],
      ["Animal", "full", "text"],
      null,
    ],
  },
  {
    name: "a row cannot carry anything else",
    run: async ({ get, animals }) => refusal(await get(`${animals("v2")}?includeObject=Spec`)),
    expected: {
      code: 400,
      reason: "BadRequest",
      message:
        "Unable to convert to Table as requested: includeObject: Invalid value: \"Spec\": must be 'Metadata', 'Object', 'None', or empty",
    },
  },
  {
    name: "a page of a list is a Table with the token of the next one",
    run: async ({ get, animals }) => {
      const answer = await get(`${animals("v2")}?limit=1`);
      const { metadata } = accepted(answer);
      return [shown(answer).rows, typeof metadata["continue"], metadata["remainingItemCount"]];
    },
    expected: [[["empty", "<age>"]], "string", 1],
  },
  {
    name: "metadata alone is given of one object and of a list",
    run: async ({ get, animals }) => {
      const one = accepted(await get(animals("v1", "full"), metadataAs("PartialObjectMetadata")));
      const list = accepted(await get(animals("v1"), metadataAs("PartialObjectMetadataList", "v1beta1")));
      const { kind, apiVersion, metadata } = list["items"][1];
      return [
        Object.keys(one),
        one.kind,
        one.metadata.name,
        list.kind,
        list.apiVersion,
        kind,
        apiVersion,
        metadata.name,
      ];
    },
    expected: [
      ...[["kind", "apiVersion", "metadata"], "PartialObjectMetadata", "full"],
      ...["PartialObjectMetadataList", "meta.k8s.io/v1beta1", "PartialObjectMetadata", "meta.k8s.io/v1beta1", "full"],
    ],
  },
  {
    name: "the metadata of one object is not given for a list",
    run: async ({ get, animals }) => {
      const { code, reason } = refusal(await get(animals("v1"), metadataAs("PartialObjectMetadata")));
      return { code, reason };
    },
    expected: { code: 406, reason: "NotAcceptable" },
  },
  {
    name: "a kind that nobody knows is not given",
    run: async ({ get, animals }) => {
      const { code, reason } = refusal(await get(animals("v1"), metadataAs("Picture")));
      return { code, reason };
    },
    expected: { code: 406, reason: "NotAcceptable" },
  },
  {
    name: "a config map shows how many entries it has",
    run: async ({ get, namespace }) => shown(await get(`/api/v1/namespaces/${namespace}/configmaps/one`)),
    expected: { columns: ["Name", "Data", "Age"], rows: [["one", 3, "<age>"]] },
  },
  {
    name: "a secret shows its type and how many entries it has",
    run: async ({ get, namespace }) => shown(await get(`/api/v1/namespaces/${namespace}/secrets/one`)),
    expected: { columns: ["Name", "Type", "Data", "Age"], rows: [["one", "Opaque", 1, "<age>"]] },
  },
  {
    name: "a lease shows who holds it",
    run: async ({ get, namespace }) => shown(await get(`/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`)),
    expected: {
      columns: ["Name", "Holder", "Age"],
      rows: [
        ["held", "me", "<age>"],
        ["open", "", "<age>"],
      ],
    },
  },
  {
    name: "a namespace shows its phase",
    run: async ({ get }) => shown(await get("/api/v1/namespaces/default")),
    expected: { columns: ["Name", "Status", "Age"], rows: [["default", "Active", "<age>"]] },
  },
  {
    name: "a definition shows when it was created",
    run: async ({ get }) => {
      const answer = await get(`/apis/apiextensions.k8s.io/v1/customresourcedefinitions/animals.${GROUP}`);
      const { creationTimestamp } = accepted(answer)["rows"][0].object.metadata;
      const { columns, rows } = shown(answer);
      return [columns, at(rows[0], 1) === creationTimestamp];
    },
    expected: [["Name", "Created At"], true],
  },
  {
    name: "an event shows what happened to whom",
    run: async ({ get, namespace }) => shown(await get(`/api/v1/namespaces/${namespace}/events`)),
    expected: {
      columns: eventColumns,
      rows: [
        ["<age>", "Warning", "Bad", "animal/full", "", "operator, node", "it broke", "<age>", 3, "counted"],
        ["<age>", "Normal", "Fed", "animal/full", "spec.text", "keeper, keeper-1", "well", "<age>", 1, "once"],
      ],
    },
  },
];

function at(row: unknown, index: number): unknown {
  return Array.isArray(row) ? row[index] : undefined;
}

conform("Tables and metadata", (open) => {
  for (const { name, run, expected } of cases) {
    test(name, async (t) => {
      const target = await open(t);
      if (target === undefined) return;
      const zoo = zoos.get(target.name) ?? openZoo(target);
      zoos.set(target.name, zoo);
      assert.deepEqual(await run(await zoo), expected);
    });
  }
});
