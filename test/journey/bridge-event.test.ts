/**
 * What a bridge tells of itself in its cluster: a permission taken away and given back on a real API server with its RBAC; kinds that come and
 * go, a history that is gone and an etcd that is restored on the embedded one.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { DATABASE, documentsOf, mintBridge, pathOf, rbac } from "../cli/checking.ts";
import { database, databaseCrd, databasePath } from "../kit/database-crd.ts";
import { openEmbedded } from "../kit/embedded-kube.ts";
import type { KubeClient } from "../kit/kube-client.ts";
import { sharedKube, uniqueNamespace } from "../kit/shared-kube.ts";
import { until } from "../kit/until.ts";
import { openBridgeScene } from "./bridge-scene.ts";

const podIn = (namespace: string) => ({ namespace, name: "bridge-0", uid: "1111" });
const NOBODY = { ...DATABASE, kind: "Nobody" };
const CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

/** The Events of a namespace as `reason note`, oldest first. */
function reader(client: KubeClient, namespace: string) {
  const told = async () => {
    // A restored API server has cut the connection.
    const events = await client.list(`/apis/events.k8s.io/v1/namespaces/${namespace}/events`).catch(() => []);
    const times = events.toSorted((a, b) => (String(a["eventTime"]) < String(b["eventTime"]) ? -1 : 1));
    return times.map(({ reason, note }) => `${reason} ${note}`);
  };
  const tells = (pattern: RegExp) =>
    until(async () => (await told()).some((each) => pattern.test(each)), {
      what: `an Event ${pattern}`,
      waitMsMax: 60_000,
      pollMs: 100,
    });
  return { told, tells };
}

describe("a bridge tells of itself as Kubernetes Events", () => {
  test("that a permission is gone, with the rule that is missing, and that it is back", async (t) => {
    const kube = await sharedKube(t);
    if (kube === undefined) return;
    const namespace = await uniqueNamespace(kube);
    const { kubeconfigPath, apply } = await mintBridge(t, kube, namespace);
    const scene = await openBridgeScene(t, kubeconfigPath);
    if (scene === undefined) return;
    const { told, tells } = reader(kube.client, namespace);
    const resources = [{ ...DATABASE, namespaces: [namespace] }];
    const { out } = await rbac(t, kubeconfigPath, resources);
    const { rules } = documentsOf(out)[0] ?? assert.fail();
    const events = { apiGroups: ["events.k8s.io"], resources: ["events"], verbs: ["create", "patch"] };
    await apply(out);
    const path = pathOf(documentsOf(out)[0] ?? assert.fail());
    await kube.client.patch(path, { rules: [events] });
    const bridge = scene.startBridge({ resources }, undefined, podIn(namespace));
    await tells(
      /^WatchForbidden databases\.demo\.example\.com in test-\w+: forbidden \(403\)\. Add this rule to the Role in/,
    );
    await kube.client.patch(path, { rules: [...(rules ?? []), events] });
    await tells(/^WatchRestored databases\.demo\.example\.com in test-\w+: is watched$/);
    await bridge.stop();
    assert.ok((await told()).every((each) => /^Watch(Forbidden|Restored) /.test(each)));
  });

  test("that a kind is missing and is there, that history is gone, gaps, and that etcd was restored", async (t) => {
    const { client, server, kubeconfigPath, outage } = await openEmbedded(t);
    const scene = await openBridgeScene(t, kubeconfigPath);
    if (scene === undefined) return;
    await client.createNamespace("cr-reactor");
    const { tells, told } = reader(client, "cr-reactor");
    await client.delete(`${CRDS}/${databaseCrd.metadata.name}`);
    scene.startBridge({ resources: [DATABASE] }, undefined, podIn("cr-reactor"));
    await tells(/^KindMissing Database of demo\.example\.com\/v1 is not served/);
    await client.applyCrd(databaseCrd);
    await tells(/^WatchRestored Database of demo\.example\.com\/v1: is watched$/);
    await client.create(databasePath("default"), database("orders", "default"));
    await scene.told("default/orders created");
    await outage(() => client.patch(databasePath("default", "orders"), { spec: { replicas: 5 } }));
    await tells(/^WatchExpired databases\.demo\.example\.com: /);
    await tells(/^GapPublished databases\.demo\.example\.com: /);
    const restored = server.resourceVersion;
    await client.delete(databasePath("default", "orders"));
    await scene.told("default/orders deleted");
    server.restore(restored);
    await tells(/^HistoryRewound databases\.demo\.example\.com: /);
    assert.deepEqual(
      (await told()).filter(
        (each) => !/^(KindMissing|Watch(Restored|Expired)|GapPublished|HistoryRewound) /.test(each),
      ),
      [],
    );
  });

  test("of two replicas the one that captures alone, and the other one when it takes over", async (t) => {
    const { client, kubeconfigPath } = await openEmbedded(t);
    const scene = await openBridgeScene(t, kubeconfigPath);
    if (scene === undefined) return;
    await client.createNamespace("cr-reactor");
    const leaderElection = { enabled: true, namespace: "cr-reactor", retrySeconds: 0.1 };
    const start = (name: string) =>
      scene.startBridge({ resources: [NOBODY], leaderElection }, undefined, { ...podIn("cr-reactor"), name });
    const reporting = async () => {
      const events = await client.list("/apis/events.k8s.io/v1/namespaces/cr-reactor/events");
      return [...new Set(events.map(({ reportingInstance }) => String(reportingInstance)))].toSorted();
    };
    const first = start("bridge-0");
    await until(async () => (await reporting()).length === 1);
    const second = start("bridge-1");
    await until(() => second.lines.some(({ msg }) => msg.startsWith("standby of ")));
    assert.deepEqual(await reporting(), ["bridge-0"]);
    await first.stop();
    await until(async () => (await reporting()).includes("bridge-1"));
  });

  test("and without a Pod of its own says that it does not", async (t) => {
    const { kubeconfigPath, client } = await openEmbedded(t);
    const scene = await openBridgeScene(t, kubeconfigPath);
    if (scene === undefined) return;
    const bridge = scene.startBridge({ resources: [NOBODY] });
    await until(() => bridge.problems().length > 0);
    assert.ok(bridge.lines.some(({ msg }) => /^no Kubernetes Events about the bridge: POD_NAME/.test(msg)));
    assert.deepEqual(await client.list("/api/v1/events"), []);
  });
});
