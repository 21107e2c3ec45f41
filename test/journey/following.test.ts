/**
 * A bridge that is told a pattern: it follows the kinds as their definitions come, change and go, under it and while it is down.
 */
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { openEmbedded } from "../kit/embedded-kube.ts";
import { until } from "../kit/until.ts";
import { openBridgeScene } from "./bridge-scene.ts";

const definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const captured = { resources: [{ apiVersion: "*.shop.example.com/*", kind: "*" }] };

function definition(kind: string, versions: readonly string[] = ["v1"], listType?: "set" | "atomic") {
  const singular = kind.toLowerCase();
  const hosts = { type: "array", items: { type: "string" }, ...(listType && { "x-kubernetes-list-type": listType }) };
  const spec = { type: "object", "x-kubernetes-preserve-unknown-fields": true, properties: { hosts } };
  const openAPIV3Schema = { type: "object", properties: { spec } };
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${singular}s.a.shop.example.com` },
    spec: {
      group: "a.shop.example.com",
      scope: "Namespaced",
      names: { kind, listKind: `${kind}List`, plural: `${singular}s`, singular },
      versions: versions.map((name, index) => ({
        name,
        served: true,
        storage: index === 0,
        schema: { openAPIV3Schema },
      })),
    },
  };
}

async function openScene(t: TestContext) {
  const { client, kubeconfigPath } = await openEmbedded(t);
  const bridges = await openBridgeScene(t, kubeconfigPath);
  if (bridges === undefined) return undefined;
  const path = (kind: string, name?: string) =>
    `/apis/a.shop.example.com/v1/namespaces/default/${kind.toLowerCase()}s${name === undefined ? "" : `/${name}`}`;
  return {
    ...bridges,
    define: (kind: string, versions?: readonly string[], listType?: "set" | "atomic") =>
      client.applyCrd(definition(kind, versions, listType)),
    order: (kind: string, name: string, hosts: readonly string[]) =>
      client.patch(path(kind, name), { spec: { hosts } }),
    async undefine(kind: string) {
      const own = `${definitions}/${kind.toLowerCase()}s.a.shop.example.com`;
      await client.delete(own);
      await client.waitFor<undefined>(own, (object) => object === undefined);
    },
    create: (kind: string, name: string) =>
      client.create(path(kind), {
        apiVersion: "a.shop.example.com/v1",
        kind,
        metadata: { name, namespace: "default" },
        spec: { size: 1 },
      }),
    resize: (kind: string, name: string, size: number) => client.patch(path(kind, name), { spec: { size } }),
  };
}

describe("a pattern", () => {
  test("follows kinds that come: what was there is existing, what came with a new kind is created", async (t) => {
    const scene = await openScene(t);
    if (scene === undefined) return;
    const { startBridge, define, create, told, events } = scene;
    await define("Apple");
    await create("Apple", "old");
    const bridge = startBridge(captured);
    await told("default/old existing");
    await define("Bean");
    await create("Bean", "new");
    await told("default/new created");
    await create("Apple", "later");
    await told("default/later created");
    await bridge.stop();
    const withoutGap = (await events()).map((event) => event.replace(" gap", ""));
    assert.deepEqual(withoutGap, ["default/old existing", "default/new created", "default/later created"]);
  });

  test("tells the objects of a kind that is taken away, under the bridge and while it is down", async (t) => {
    const scene = await openScene(t);
    if (scene === undefined) return;
    const { startBridge, define, undefine, create, told, events } = scene;
    for (const kind of ["Apple", "Bean"]) await define(kind);
    await create("Apple", "one");
    await create("Bean", "two");
    const first = startBridge(captured);
    await first.live(2);
    await undefine("Apple");
    await told("default/one deleted");
    await first.stop();
    await undefine("Bean");
    const second = startBridge(captured);
    await told("default/two deleted gap");
    await define("Bean");
    await create("Bean", "two");
    await create("Bean", "three");
    await told("default/two created");
    await told("default/three created");
    await second.stop();
    const withoutGap = (await events()).slice(2).map((event) => event.replace(" gap", ""));
    assert.deepEqual(withoutGap.toSorted(), [
      "default/one deleted",
      "default/three created",
      "default/two created",
      "default/two deleted",
    ]);
  });

  test("compares lists as the schema says today: the order of a set is nothing, of an atomic list a change", async (t) => {
    const scene = await openScene(t);
    if (scene === undefined) return;
    const { startBridge, define, create, order, told, events } = scene;
    await define("Apple", ["v1"], "set");
    await create("Apple", "one");
    const bridge = startBridge(captured);
    await bridge.live(1);
    await order("Apple", "one", ["a", "b"]);
    await told("default/one updated");
    const turn = async (count: number) => {
      await order("Apple", "one", count % 2 === 0 ? ["b", "a"] : ["a", "b"]);
      await create("Apple", `mark-${count}`);
      await told(`default/mark-${count} created`);
      return (await events()).filter((event) => event.startsWith("default/one updated")).length;
    };
    assert.equal(await turn(0), 1);
    await define("Apple", ["v1"], "atomic");
    let count = 1;
    await until(async () => (await turn(count++)) > 1, { what: "the new schema to count", pollMs: 1_000 });
    await bridge.stop();
    assert.ok((await events()).includes("default/one updated replace /spec/hosts"));
  });

  test("goes over to another version without an event, and tells changes in it", async (t) => {
    const scene = await openScene(t);
    if (scene === undefined) return;
    const { startBridge, define, create, resize, told, events, envelopes } = scene;
    await define("Apple");
    await create("Apple", "one");
    const bridge = startBridge(captured);
    await bridge.live(1);
    await define("Apple", ["v1", "v2"]);
    await bridge.live(2);
    await resize("Apple", "one", 2);
    await told("default/one updated");
    await bridge.stop();
    assert.deepEqual(
      (await events()).map((event) => event.replace(" gap", "")),
      ["default/one existing", "default/one updated replace /spec/size"],
    );
    assert.equal((await envelopes()).at(-1)?.apiversion, "a.shop.example.com/v2");
  });
});
