/**
 * A CustomResourceDefinition that is deleted, which deletes its objects, and made again with another schema: under a running bridge
 * and while there is none.
 */
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { database, databaseCrd, databasePath } from "../kit/database-crd.ts";
import { openEmbedded } from "../kit/embedded-kube.ts";
import { until } from "../kit/until.ts";
import { openBridgeScene } from "./bridge-scene.ts";

const CRD = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/databases.demo.example.com";
const captured = {
  resources: [{ apiVersion: "demo.example.com/v1", kind: "Database", namespaces: ["default"] }],
};

async function openScene(t: TestContext) {
  const { client, kubeconfigPath } = await openEmbedded(t);
  const bridges = await openBridgeScene(t, kubeconfigPath);
  if (bridges === undefined) return undefined;
  const spec = { type: "object", properties: { engine: { type: "string" }, tier: { type: "string" } } };
  const schema = { openAPIV3Schema: { type: "object", properties: { spec } } };
  const other = {
    ...databaseCrd,
    spec: { ...databaseCrd.spec, versions: databaseCrd.spec.versions.map((version) => ({ ...version, schema })) },
  };
  return {
    ...bridges,
    create: (name: string, spec?: object) =>
      client.create(databasePath("default"), { ...database(name, "default"), ...(spec && { spec }) }),
    async deleteDefinition() {
      await client.delete(CRD);
      await client.waitFor<undefined>(CRD, (object) => object === undefined);
    },
    defineAgain: () => client.applyCrd(other),
  };
}

describe("a definition that is deleted and made again", () => {
  test("under a running bridge: deletions are told, it waits, and goes on with the new schema", async (t) => {
    const scene = await openScene(t);
    if (scene === undefined) return;
    const { startBridge, create, deleteDefinition, defineAgain, told, events } = scene;
    await create("one");
    await create("two");
    const bridge = startBridge(captured);
    await told("default/two existing");
    await bridge.live(1);
    await deleteDefinition();
    for (const name of ["one", "two"]) await told(`default/${name} deleted`);
    await until(() => bridge.problems().some((each) => /waiting for its CustomResourceDefinition/.test(each)));
    await defineAgain();
    await create("one", { tier: "gold" });
    await told("default/one created");
    await bridge.stop();
    const withoutGap = (await events()).map((event) => event.replace(" gap", ""));
    assert.deepEqual(withoutGap.toSorted(), [
      "default/one created",
      "default/one deleted",
      "default/one existing",
      "default/two deleted",
      "default/two existing",
    ]);
  });

  test("while the bridge was down: what it knew is deleted, what is there was created", async (t) => {
    const scene = await openScene(t);
    if (scene === undefined) return;
    const { startBridge, create, deleteDefinition, defineAgain, told, events } = scene;
    await create("one");
    await create("two");
    const first = startBridge(captured);
    await told("default/two existing");
    await first.live(1);
    await first.stop();
    await deleteDefinition();
    const second = startBridge(captured);
    await until(() => second.problems().some((each) => /is not served: waiting/.test(each)));
    await defineAgain();
    await create("one", { tier: "gold" });
    await told("default/one created");
    await told("default/two deleted");
    await second.stop();
    const withoutGap = (await events()).slice(2).map((event) => event.replace(" gap", ""));
    assert.deepEqual(withoutGap.toSorted(), ["default/one created", "default/one deleted", "default/two deleted"]);
  });
});
