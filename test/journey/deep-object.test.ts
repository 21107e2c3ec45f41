/** Objects that are nested as deeply as an API server takes them: what cannot be told is said, and everything else goes on. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { sharedKube, uniqueNamespace } from "../kit/shared-kube.ts";
import { until } from "../kit/until.ts";
import { workflowCrds } from "../kit/workflow-crd.ts";
import { openBridgeScene } from "./bridge-scene.ts";

const deep = (levels: number, value: number) => `${'{"a":'.repeat(levels)}${value}${"}".repeat(levels)}`;

test("an object of thousands of levels does not stop a watch, whether it can be told or not", async (t) => {
  const kube = await sharedKube(t);
  const scene = kube && (await openBridgeScene(t, kube.kubeconfigPath));
  if (kube === undefined || scene === undefined) return;
  for (const crd of workflowCrds) await kube.client.applyCrd(crd);
  const namespace = await uniqueNamespace(kube);
  const path = `/apis/argoproj.io/v1alpha1/namespaces/${namespace}/workflows`;
  const about = (name: string) => `"apiVersion":"argoproj.io/v1alpha1","kind":"Workflow","metadata":{"name":"${name}"}`;
  const create = (name: string, levels: number) =>
    kube.client.request("POST", path, `{${about(name)},"spec":${deep(levels, 1)}}`, "application/json");
  const change = (name: string, levels: number) =>
    kube.client.request("PATCH", `${path}/${name}`, `{"spec":${deep(levels, 2)}}`, "application/merge-patch+json");
  const resources = [{ apiVersion: "argoproj.io/v1alpha1", kind: "Workflow", namespaces: [namespace] }];
  const untold = () => bridge.lines.filter(({ msg }) => msg.startsWith("this object is not told"));

  await create("deep", 2_000);
  await create("too-deep", 9_000);
  let bridge = scene.startBridge({ resources });
  await bridge.live(1);
  await change("deep", 2_000);
  await change("too-deep", 9_000);
  await create("flat", 1);
  await scene.told(`${namespace}/flat created`);
  assert.equal(untold().length, 2);
  await bridge.stop();

  bridge = scene.startBridge({ resources });
  await bridge.live(1);
  await change("deep", 1_000);
  await change("flat", 1);
  await scene.told(`${namespace}/flat updated`);
  await until(async () => (await scene.events()).length === 5);
  const told = (await scene.events()).map((each) => each.replace(/(\/a)+/, "/…").replace(`${namespace}/`, ""));
  assert.deepEqual(told.toSorted(), [
    "deep existing",
    "deep updated replace /spec/…",
    "deep updated replace /spec/…",
    "flat created",
    "flat updated replace /spec/…",
  ]);
});
