/**
 * Several clusters share one NATS: a bridge each, told apart in source and subject, so that objects of one name never meet.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { database, databasePath } from "../kit/database-crd.ts";
import { openEmbedded } from "../kit/embedded-kube.ts";
import { until } from "../kit/until.ts";
import { openBridgeScene } from "./bridge-scene.ts";

const resources = [{ apiVersion: "demo.example.com/v1", kind: "Database" }];

test("two clusters on one NATS: objects of the same name have each their own history, also through a restart", async (t) => {
  const [east, west] = [await openEmbedded(t), await openEmbedded(t)];
  const scene = await openBridgeScene(t, east.kubeconfigPath);
  if (scene === undefined) return;
  const { startBridge, envelopes } = scene;
  const start = (cluster: string, kubeconfig: string) =>
    startBridge({ cluster, kubernetes: { kubeconfig }, resources });
  const told = async () =>
    (await envelopes()).map(({ source, type, data, partitionkey }) => {
      const { replicas } = data.object["spec"] as { replicas: number };
      return `${source} ${type.split(".").at(-1)} ${replicas} ${partitionkey.split(".")[1]}`;
    });
  const first = [start("east", east.kubeconfigPath), start("west", west.kubeconfigPath)];
  for (const bridge of first) await bridge.live(1);
  const path = databasePath("default");
  await east.client.create(path, database("orders", "default", { replicas: 1 }));
  await west.client.create(path, database("orders", "default", { replicas: 7 }));
  await until(async () => (await told()).length === 2);
  for (const bridge of first) await bridge.stop();
  await west.client.patch(databasePath("default", "orders"), { spec: { replicas: 8 } });
  await east.client.delete(databasePath("default", "orders"));
  const second = [start("east", east.kubeconfigPath), start("west", west.kubeconfigPath)];
  await until(async () => (await told()).length === 4);
  for (const bridge of second) await bridge.stop();
  assert.deepEqual((await told()).toSorted(), [
    "/clusters/east created 1 east",
    "/clusters/east deleted 1 east",
    "/clusters/west created 7 west",
    "/clusters/west updated 8 west",
  ]);
});
