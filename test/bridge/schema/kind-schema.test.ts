/** The schemas that functions get: reduced without saying anything wrong, published when they change, and never in the way of capture. */
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { OpenApiDocument } from "../../../bridge/kube/list-shape.ts";
import { SCHEMAS_BUCKET } from "../../../bridge/nats/stream.ts";
import {
  type KindSchema,
  kindSchemaKey,
  parseKindSchema,
  type SchemaNode,
} from "../../../bridge/schema/kind-schema.ts";
import { fitInto, reduceFromDocument, reduceSchema } from "../../../bridge/schema/kind-schema-reduction.ts";
import { openBridgeScene } from "../../journey/bridge-scene.ts";
import { database, databaseCrd, databasePath } from "../../kit/database-crd.ts";
import { openEmbedded } from "../../kit/embedded-kube.ts";
import type { KubeAccess } from "../../kit/kube-access.ts";
import { sharedKube } from "../../kit/shared-kube.ts";
import { until } from "../../kit/until.ts";

const PRUNED = { "x-kubernetes-preserve-unknown-fields": true, "x-cr-reactor-pruned": true };
const specOf = (schema: object, schemas: Record<string, unknown> = {}) =>
  reduceSchema({ properties: { spec: schema } }, schemas).properties?.["spec"];

const reductions: readonly { name: string; given: object; schemas?: Record<string, unknown>; expected: SchemaNode }[] =
  [
    {
      name: "a scalar",
      given: { type: "string", format: "uuid", maxLength: 3 },
      expected: { type: "string", format: "uuid" },
    },
    { name: "values", given: { type: "string", enum: ["a", "b"] }, expected: { type: "string", enum: ["a", "b"] } },
    {
      name: "a map and a list",
      given: { type: "object", additionalProperties: { type: "array", items: { type: "integer" } } },
      expected: { type: "object", additionalProperties: { type: "array", items: { type: "integer" } } },
    },
    {
      name: "a map of anything",
      given: { type: "object", additionalProperties: true },
      expected: { type: "object", additionalProperties: {} },
    },
    {
      name: "an object that is closed by additionalProperties: false",
      given: { type: "object", properties: { a: { type: "string" } }, additionalProperties: false },
      expected: { type: "object", properties: { a: { type: "string" } } },
    },
    {
      name: "int-or-string of a definition",
      given: { "x-kubernetes-int-or-string": true, anyOf: [{ type: "integer" }, { type: "string" }] },
      expected: { "x-kubernetes-int-or-string": true },
    },
    {
      name: "a quantity of a built-in kind",
      given: { allOf: [{ $ref: "#/components/schemas/Quantity" }] },
      schemas: { Quantity: { oneOf: [{ type: "string" }, { type: "number" }] } },
      expected: { "x-kubernetes-int-or-string": true },
    },
    {
      name: "a choice of objects says nothing",
      given: { oneOf: [{ properties: { a: {} } }, { properties: { b: {} } }] },
      expected: {},
    },
    {
      name: "a reference with a description beside it, and Go's zero value",
      given: { description: "Mine.", default: {}, allOf: [{ $ref: "#/components/schemas/Thing" }] },
      schemas: { Thing: { description: "Its own.", type: "object", properties: { a: { type: "string" } } } },
      expected: { description: "Mine.", type: "object", properties: { a: { type: "string" } } },
    },
    {
      name: "a schema that contains itself",
      given: { $ref: "#/components/schemas/Tree" },
      schemas: { Tree: { type: "object", properties: { left: { $ref: "#/components/schemas/Tree" } } } },
      expected: { type: "object", properties: { left: PRUNED } },
    },
    { name: "a reference to nothing", given: { $ref: "#/components/schemas/Gone" }, expected: {} },
    {
      name: "a property with a hostile name is left out",
      given: JSON.parse('{"type":"object","properties":{"__proto__":{"type":"string"}}}') as object,
      expected: { type: "object", properties: {} },
    },
    { name: "what is no schema", given: { type: 3, enum: "a", required: {}, properties: [] }, expected: {} },
  ];

describe("a schema that is reduced", () => {
  for (const { name, given, schemas, expected } of reductions) {
    test(name, () => assert.deepEqual(specOf(given, schemas), expected));
  }

  test("has the metadata of every kind, whatever the document says of it", () => {
    const { properties } = reduceSchema({ properties: { metadata: { type: "object" } } });
    assert.ok(properties?.["metadata"]?.properties?.["labels"]);
  });

  test("ends at a depth, where it is marked", () => {
    let deep: object = { type: "string" };
    for (let level = 0; level < 500; level++) deep = { type: "object", properties: { a: deep } };
    let node = specOf(deep);
    let levels = 0;
    while (node?.properties !== undefined) {
      node = node.properties["a"];
      levels++;
    }
    assert.deepEqual(node, PRUNED);
    assert.ok(levels < 50, String(levels));
  });

  test("ends at a number of nodes, however references multiply them", () => {
    const schemas: Record<string, unknown> = {};
    for (let level = 0; level < 30; level++) {
      const next = { $ref: `#/components/schemas/L${level + 1}` };
      schemas[`L${level}`] = { type: "object", properties: { a: next, b: next, c: next } };
    }
    assert.ok(JSON.stringify(specOf({ $ref: "#/components/schemas/L0" }, schemas)).length < 10_000_000);
  });
});

describe("a schema that is too large for a message", () => {
  const field = { type: "string", description: "x".repeat(200) } as const;
  const level = (below: SchemaNode): SchemaNode => ({
    type: "object",
    properties: Object.fromEntries(Array.from({ length: 5 }, (_, index) => [`f${index}`, index === 0 ? below : field])),
  });
  const kind: KindSchema = {
    version: 1,
    cluster: "test",
    apiVersion: "example.com/v1",
    kind: "Large",
    plural: "larges",
    namespaced: true,
    phases: ["status.phase"],
    schema: level(level(level(level({ type: "string" })))),
  };
  const rows = [
    { name: "fits as it is", bytesMax: 100_000, pruned: undefined },
    { name: "goes without its descriptions", bytesMax: 1_200, pruned: "descriptions" },
    { name: "goes without its deepest levels", bytesMax: 600, pruned: "levels" },
    { name: "is told to be there at least", bytesMax: 1, pruned: "levels" },
  ];
  for (const { name, bytesMax, pruned } of rows) {
    test(name, () => {
      const fitted = fitInto(kind, bytesMax);
      assert.equal(fitted.pruned, pruned);
      assert.ok(bytesMax === 1 || Buffer.byteLength(fitted.text) <= bytesMax, String(fitted.text.length));
      assert.equal(parseKindSchema(fitted.text)?.pruned, pruned);
    });
  }
});

describe("a value of the bucket", () => {
  for (const text of ["", "no JSON", "null", '{"version":2}', `{"version":1,"schema":${"[".repeat(100_000)}`]) {
    test(`that is none of ours is passed over: ${text.slice(0, 20)}`, () =>
      assert.equal(parseKindSchema(text), undefined));
  }
});

test("a built-in kind has a schema too, from the real API server", async (t) => {
  const kube = await sharedKube(t);
  if (kube === undefined) return;
  const document = OpenApiDocument.parse(await kube.client.get("/openapi/v3/apis/apps/v1"));
  const schema = reduceFromDocument(document, { group: "apps", version: "v1", kind: "Deployment" });
  const spec = schema?.properties?.["spec"]?.properties;
  assert.equal(spec?.["replicas"]?.type, "integer");
  const container = spec?.["template"]?.properties?.["spec"]?.properties?.["containers"]?.items;
  assert.equal(container?.properties?.["image"]?.type, "string");
  const limits = container?.properties?.["resources"]?.properties?.["limits"];
  assert.deepEqual(limits?.additionalProperties, {
    ...limits?.additionalProperties,
    "x-kubernetes-int-or-string": true,
  });
});

type Kube = Pick<KubeAccess, "client" | "kubeconfigPath">;
const servers = [
  { server: "the embedded API server", open: (t: TestContext): Promise<Kube | undefined> => openEmbedded(t) },
  { server: "kube-apiserver", open: (t: TestContext): Promise<Kube | undefined> => sharedKube(t) },
];

/** The definition of our tests as another kind in a group of its own, with further fields in its spec. */
function ledgerIn(group: string, fields: object): typeof databaseCrd {
  const crd = structuredClone(databaseCrd);
  crd.metadata.name = `ledgers.${group}`;
  crd.spec.group = group;
  // Another name than that of the kind of all tests, which would be ambiguous on their API server.
  Object.assign(crd.spec.names, {
    plural: "ledgers",
    singular: "ledger",
    kind: "Ledger",
    listKind: "LedgerList",
    shortNames: [],
  });
  for (const { schema } of crd.spec.versions) Object.assign(schema.openAPIV3Schema.properties.spec.properties, fields);
  return crd;
}

describe("a bridge", () => {
  for (const { server, open } of servers) {
    test(`publishes the schemas of ${server} at start and when a definition changes, and nothing twice`, async (t) => {
      const kube = await open(t);
      const scene = kube && (await openBridgeScene(t, kube.kubeconfigPath));
      if (scene === undefined) return;
      const group = `schemas-${Date.now()}.example.com`;
      const subject = `$KV.${SCHEMAS_BUCKET}.${kindSchemaKey({ cluster: "test", group, version: "v1", kind: "Ledger" })}`;
      const stored = async () => {
        const query = { last_by_subj: subject };
        const { message } = await scene.jetStream.api<{ message: { seq: number; data: string } }>(
          `STREAM.MSG.GET.KV_${SCHEMAS_BUCKET}`,
          query,
        );
        return { sequence: message.seq, kind: parseKindSchema(Buffer.from(message.data, "base64")) };
      };
      const published = (bridge: ReturnType<typeof scene.startBridge>) =>
        bridge.lines.filter(({ msg }) => msg === `the schema of Ledger of ${group}/v1 is published`).length;
      await kube?.client.applyCrd(ledgerIn(group, {}));
      const captured = { resources: [{ apiVersion: `${group}/v1`, kind: "Ledger", phase: "status.message" }] };
      const first = scene.startBridge(captured);
      await until(() => published(first) === 1, { what: "the schema to be published", waitMsMax: 60_000 });
      const { sequence, kind } = await stored();
      assert.deepEqual([kind?.cluster, kind?.phases], ["test", ["status.message"]]);
      assert.equal(kind?.schema.properties?.["spec"]?.properties?.["replicas"]?.type, "integer");
      await kube?.client.applyCrd(ledgerIn(group, { tier: { type: "string" } }));
      await until(() => published(first) === 2, { what: "the changed schema to be published", waitMsMax: 60_000 });
      const after = await stored();
      assert.equal(after.kind?.schema.properties?.["spec"]?.properties?.["tier"]?.type, "string");
      assert.ok(after.sequence > sequence);
      await first.stop();
      const second = scene.startBridge({ resources: [...captured.resources, { apiVersion: "v1", kind: "ConfigMap" }] });
      // Groups are published in their order, so this one's turn has been.
      await until(() => second.lines.some(({ msg }) => msg === "the schema of ConfigMap of v1 is published"), {
        waitMsMax: 60_000,
      });
      await second.stop();
      assert.equal((await stored()).sequence, after.sequence);
      assert.equal(published(second), 0);
    });
  }

  test("captures all the same where it may not publish schemas", async (t) => {
    const captured = { resources: [{ apiVersion: "demo.example.com/v1", kind: "Database" }] };
    const { client, kubeconfigPath } = await openEmbedded(t);
    const scene = await openBridgeScene(t, kubeconfigPath);
    if (scene === undefined) return;
    // Somebody else's stream has the subjects.
    await scene.jetStream.api("STREAM.CREATE.OTHER", { name: "OTHER", subjects: [`$KV.${SCHEMAS_BUCKET}.>`] });
    const bridge = scene.startBridge(captured);
    await bridge.live(1);
    await until(() => bridge.lines.some(({ msg }) => msg.startsWith("schemas are not published, trying again")));
    await client.create(databasePath("default"), database("one", "default"));
    await scene.told("default/one created");
    await bridge.stop();
  });
});
