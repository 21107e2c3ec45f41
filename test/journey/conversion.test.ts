/**
 * A kind with two versions and a conversion webhook between them, on a real API server: while the webhook is down the version that
 * is not in storage can be neither listed nor watched, and nothing of that may be mistaken for something that happened.
 */
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { serveConvertedKind } from "../kit/conversion-webhook.ts";
import { database, databasePath } from "../kit/database-crd.ts";
import { sharedKube, uniqueNamespace } from "../kit/shared-kube.ts";
import { until } from "../kit/until.ts";
import { openBridgeScene } from "./bridge-scene.ts";

/** How the log says what happened while the webhook was down depends on whether the API server still has it. */
const withoutGap = (event: string) => event.replace(" gap", "");

async function openScene(t: TestContext) {
  const kube = await sharedKube(t);
  const bridges = kube && (await openBridgeScene(t, kube.kubeconfigPath));
  if (kube === undefined || bridges === undefined) return undefined;
  const namespace = await uniqueNamespace(kube);
  const kind = await serveConvertedKind(kube, `${namespace}.example.com`);
  t.after(() => kind[Symbol.asyncDispose]());
  const v1 = (name?: string) => kind.path("v1", namespace, name);
  const gadgets = (version: string) => ({
    apiVersion: `${kind.group}/${version}`,
    kind: "Gadget",
    namespaces: [namespace],
  });
  return {
    ...bridges,
    kind,
    gadgets,
    databases: { apiVersion: "demo.example.com/v1", kind: "Database", namespaces: [namespace] },
    create: (name: string) =>
      kube.client.create(v1(), {
        apiVersion: `${kind.group}/v1`,
        kind: "Gadget",
        metadata: { name },
        spec: { replicas: 1 },
      }),
    createDatabase: (name: string) => kube.client.create(databasePath(namespace), database(name, namespace)),
    scale: (name: string, replicas: number) => kube.client.patch(v1(name), { spec: { replicas } }),
    remove: (name: string) => kube.client.delete(v1(name)),
    /** Without the namespace. */
    events: async () => (await bridges.events()).map((event) => event.replace(`${namespace}/`, "")),
    told: (event: string) => bridges.told(`${namespace}/${event}`),
  };
}

describe("a conversion webhook", () => {
  test("that is down is named as the reason, others are captured meanwhile, and when it is up nothing is lost or false", async (t) => {
    const scene = await openScene(t);
    if (scene === undefined) return;
    const { kind, gadgets, databases, create, createDatabase, scale, remove, events, told, startBridge } = scene;
    kind.setDown(true); // first: what the API server has converted already, it would still serve
    for (const name of ["quiet", "changed", "removed"]) await create(name);
    await createDatabase("orders");
    const bridge = startBridge({ resources: [gadgets("v2"), databases] });
    const complaints = () => bridge.lines.filter(({ resource, attempt }) => resource?.startsWith("gadgets") && attempt);
    await told("orders existing");
    await until(() => complaints().length >= 2, { what: "two attempts", waitMsMax: 60_000 });
    for (const { msg } of complaints()) assert.match(msg, /500: conversion webhook for .* Kind=Gadget failed/);
    const attempts = complaints().map(({ attempt }) => attempt);
    assert.deepEqual(attempts, [1, 2], "counted, so that each waits longer than the one before");
    kind.setDown(false);
    await told("quiet existing");
    await bridge.live(2);
    kind.setDown(true);
    await scale("changed", 5);
    await create("born");
    await remove("removed");
    await createDatabase("invoices");
    await told("invoices created");
    kind.setDown(false);
    await told("removed deleted");
    await bridge.stop();
    assert.deepEqual((await events()).map(withoutGap).toSorted(), [
      "born created",
      "changed existing",
      "changed updated replace /spec/size/count",
      "invoices created",
      "orders existing",
      "quiet existing",
      "removed deleted",
      "removed existing",
    ]);
  });

  test("makes no events by itself when the configuration goes over to the other version", async (t) => {
    const scene = await openScene(t);
    if (scene === undefined) return;
    const { gadgets, create, scale, remove, events, envelopes, told, startBridge } = scene;
    for (const name of ["quiet", "changed", "removed"]) await create(name);
    const first = startBridge({ resources: [gadgets("v1")] });
    await told("removed existing");
    await first.live(1);
    await first.stop();
    await scale("changed", 5);
    await remove("removed");
    await create("born");
    const second = startBridge({ resources: [gadgets("v2")] });
    await second.live(1);
    await scale("changed", 6);
    await told("changed updated replace");
    await second.stop();
    assert.deepEqual((await events()).slice(3).toSorted(), [
      "born created gap",
      "changed updated gap remove /spec/replicas, add /spec/size",
      "changed updated replace /spec/size/count",
      "removed deleted gap",
    ]);
    const [changed] = (await envelopes()).filter(({ type }) => type.endsWith("updated"));
    assert.deepEqual(
      [changed?.apiversion, changed?.data.object["spec"]],
      [gadgets("v2").apiVersion, { size: { count: 5 } }],
    );
  });
});
