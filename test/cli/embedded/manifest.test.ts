/** Manifest files at the start of the embedded API server: in whatever order they are written, and with errors that say where. */
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { stringify } from "yaml";
import { startEmbeddedKube } from "../../../cli/embedded/embedded.ts";
import { database, databaseCrd, databasePath } from "../../kit/database-crd.ts";
import { type KubeClient, kubeClient } from "../../kit/kube-client.ts";

const CRD = stringify(databaseCrd);
const PROD = "apiVersion: v1\nkind: Namespace\nmetadata: { name: prod, labels: { team: a } }\n";
const ORDERS = stringify(database("orders", "prod"));
const SETTINGS = "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: settings }\ndata: { a: b }\n";
const documents = (...texts: readonly string[]) => texts.join("---\n");

async function openScene(t: TestContext) {
  const server = await startEmbeddedKube();
  const client = kubeClient({ url: server.url, token: "", caPem: "" });
  t.after(async () => {
    await client.close();
    await server.stop();
  });
  return { server, client, load: (text: string) => server.load([{ name: "shop.yaml", text }]) };
}

const ordersAreThere = async (client: KubeClient) => {
  const { metadata, spec } = await client.get(databasePath("prod", "orders"));
  assert.deepEqual([metadata.namespace, spec], ["prod", database("orders", "prod").spec]);
};

describe("a manifest", () => {
  const rows: readonly {
    readonly name: string;
    readonly text: string;
    readonly count: number;
    readonly holds?: (client: KubeClient) => Promise<unknown>;
  }[] = [
    {
      name: "has its kinds, namespaces and objects",
      text: documents(CRD, PROD, ORDERS),
      count: 3,
      holds: ordersAreThere,
    },
    { name: "may have them in any order", text: documents(ORDERS, PROD, CRD), count: 3, holds: ordersAreThere },
    {
      name: "may have them in a List",
      text: stringify({
        apiVersion: "v1",
        kind: "List",
        items: [
          database("orders", "prod"),
          databaseCrd,
          { apiVersion: "v1", kind: "Namespace", metadata: { name: "prod" } },
        ],
      }),
      count: 3,
      holds: ordersAreThere,
    },
    { name: "may be JSON", text: JSON.stringify(databaseCrd), count: 1 },
    { name: "may have empty documents and comments", text: documents("", "# nothing\n", SETTINGS, ""), count: 1 },
    { name: "may be empty", text: "", count: 0 },
    {
      name: "without a namespace goes to default",
      text: SETTINGS,
      count: 1,
      holds: async (client) =>
        assert.deepEqual((await client.get("/api/v1/namespaces/default/configmaps/settings"))["data"], { a: "b" }),
    },
    {
      name: "is applied by cr-reactor, as kubectl would",
      text: SETTINGS,
      count: 1,
      async holds(client) {
        const { metadata } = await client.get("/api/v1/namespaces/default/configmaps/settings");
        const [entry] = metadata["managedFields"] as { manager: string; operation: string }[];
        assert.deepEqual([entry?.manager, entry?.operation], ["cr-reactor", "Apply"]);
      },
    },
    {
      name: "has the last word about an object that it has twice",
      text: documents(SETTINGS, SETTINGS.replace("a: b", "a: c")),
      count: 2,
      holds: async (client) =>
        assert.deepEqual((await client.get("/api/v1/namespaces/default/configmaps/settings"))["data"], { a: "c" }),
    },
  ];
  for (const { name, text, count, holds } of rows) {
    test(name, async (t) => {
      const { load, client } = await openScene(t);
      assert.equal(await load(text), count);
      await holds?.(client);
    });
  }

  test("may be several files, in any order", async (t) => {
    const { server, client } = await openScene(t);
    const texts = [ORDERS, PROD, CRD];
    assert.equal(await server.load(texts.map((text, index) => ({ name: `${index}.yaml`, text }))), 3);
    await ordersAreThere(client);
  });

  test("that cannot be read keeps all of them from being loaded", async (t) => {
    const { server } = await openScene(t);
    const { resourceVersion } = server;
    const files = [
      { name: "good.yaml", text: SETTINGS },
      { name: "bad.yaml", text: "a: [" },
    ];
    await assert.rejects(server.load(files), { message: /^bad\.yaml: / });
    assert.equal(server.resourceVersion, resourceVersion);
  });

  test("may be loaded again, and changes nothing then", async (t) => {
    const { server, load } = await openScene(t);
    await load(documents(CRD, PROD, ORDERS));
    const { resourceVersion } = server;
    assert.equal(await load(documents(CRD, PROD, ORDERS)), 3);
    assert.equal(server.resourceVersion, resourceVersion);
  });
});

describe("a manifest that cannot be loaded is told with file, object and reason", () => {
  const rows: readonly { readonly name: string; readonly text: string; readonly expected: RegExp }[] = [
    {
      name: "an unknown kind",
      text: ORDERS,
      expected:
        /^shop\.yaml: Database prod\/orders: demo\.example\.com\/v1 Database is no kind that is served here: load its CustomResourceDefinition as well$/,
    },
    {
      name: "a kind in a version that is not served",
      text: documents(CRD, PROD, ORDERS.replace("com/v1", "com/v2")),
      expected:
        /^shop\.yaml: Database prod\/orders: demo\.example\.com\/v2 Database is no kind that is served here \(it is in v1\)/,
    },
    {
      name: "a namespace that is not there",
      text: documents(CRD, ORDERS),
      expected: /^shop\.yaml: Database prod\/orders: namespaces "prod" not found$/,
    },
    {
      name: "a value that breaks the schema",
      text: documents(CRD, PROD, ORDERS.replace("engine: postgres", "engine: oracle")),
      expected:
        /^shop\.yaml: Database prod\/orders: Database\.demo\.example\.com "orders" is invalid: spec\.engine: Unsupported value/,
    },
    {
      name: "a field that the schema does not have",
      text: documents(CRD, PROD, ORDERS.replace("engine:", "motor: x\n  engine:")),
      expected: /^shop\.yaml: Database prod\/orders: .*\.spec\.motor: field not declared in schema/,
    },
    {
      name: "an object without a name",
      text: SETTINGS.replace("name: settings", "labels: {}"),
      expected: /^shop\.yaml: ConfigMap: .*name/,
    },
    {
      name: "a generated name, which would be another one each time",
      text: SETTINGS.replace("name: settings", "generateName: settings-"),
      expected: /^shop\.yaml: ConfigMap settings-: it has generateName: give it a name$/,
    },
    {
      name: "an object without a kind",
      text: "metadata: { name: a }",
      expected: /^shop\.yaml: an object without kind a: /,
    },
    {
      name: "a definition that is invalid",
      text: CRD.replace("name: databases.demo.example.com", "name: other"),
      expected: /^shop\.yaml: CustomResourceDefinition other: .*metadata\.name: Invalid value/,
    },
    { name: "what is no object", text: "- a\n", expected: /^shop\.yaml: a document is not an object/ },
    { name: "what is no YAML, with its line", text: `${SETTINGS}broken: [\n`, expected: /^shop\.yaml: .* at line \d+/ },
    {
      name: "a List of something else",
      text: "kind: List\napiVersion: v1\nitems: [1]\n",
      expected: /^shop\.yaml: .*not an object/,
    },
  ];
  for (const { name, text, expected } of rows) {
    test(name, async (t) => {
      const { load } = await openScene(t);
      await assert.rejects(load(text), (error: { readonly code: string; readonly message: string }) => {
        assert.equal(error.code, "MANIFEST_INVALID");
        assert.match(error.message, expected);
        return true;
      });
    });
  }
});
