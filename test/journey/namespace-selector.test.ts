/**
 * Namespaces by label: the bridge follows them as their labels come and go, with no permission beyond listing namespaces and the kind in
 * those that match.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { database, databasePath } from "../kit/database-crd.ts";
import { openEmbedded } from "../kit/embedded-kube.ts";
import { until } from "../kit/until.ts";
import { openBridgeScene } from "./bridge-scene.ts";

/** The second tells when the bridge has looked. */
const captured = {
  resources: [
    { apiVersion: "demo.example.com/v1", kind: "Database", namespaceSelector: "team=a" },
    { apiVersion: "v1", kind: "ConfigMap", namespaces: ["three"] },
  ],
};

describe("a namespace selector", () => {
  test("means the namespaces that match now", async (t) => {
    const { client, kubeconfigPath } = await openEmbedded(t);
    const scene = await openBridgeScene(t, kubeconfigPath);
    if (scene === undefined) return;
    const label = (namespace: string, team: string | null) =>
      client.patch(`/api/v1/namespaces/${namespace}`, { metadata: { labels: { team } } });
    const create = (namespace: string, name: string) =>
      client.create(databasePath(namespace), database(name, namespace));
    for (const namespace of ["one", "two", "three"]) {
      await client.createNamespace(namespace);
      await create(namespace, "old");
    }
    await label("three", "b");
    const bridge = scene.startBridge(captured);
    await bridge.live(1);
    await label("one", "a");
    await scene.told("one/old existing");
    await label("two", "a");
    await scene.told("two/old existing");
    await create("two", "new");
    await scene.told("two/new created");
    await label("one", null);
    await until(async () => Object.keys(await bridge.watches()).length === 2, { waitMsMax: 60_000, pollMs: 200 });
    await create("one", "unseen");
    await create("two", "seen");
    await scene.told("two/seen created");
    await bridge.stop();
    assert.deepEqual(await scene.events(), [
      "one/old existing",
      "two/old existing",
      "two/new created",
      "two/seen created",
    ]);
  });

  test("says which rule is missing, and holds up nothing else", async (t) => {
    const { server, client, kubeconfigPath } = await openEmbedded(t);
    const scene = await openBridgeScene(t, kubeconfigPath);
    if (scene === undefined) return;
    await client.createNamespace("one");
    await client.create(databasePath("one"), database("db", "one"));
    server.faults.add({
      meets: ({ path }) => path === "/api/v1/namespaces",
      times: Infinity,
      effect: { type: "refuse", status: 403, reason: "Forbidden", message: "no" },
    });
    const configMaps = { apiVersion: "v1", kind: "ConfigMap", namespaceSelector: "team=a" };
    const databases = { apiVersion: "demo.example.com/v1", kind: "Database", namespaces: ["one"] };
    const bridge = scene.startBridge({ resources: [configMaps, databases] });
    await scene.told("one/db existing");
    const watches = await bridge.watches();
    assert.match(
      watches["ConfigMap of v1"]?.problem ?? "",
      /^namespaces: forbidden \(403\)\. Add this rule to the ClusterRole: .*resources: \["namespaces"\]/,
    );
    await bridge.stop();
  });
});
