/**
 * The Roles that `cr-reactor rbac` prints for a bridge are the ones that a bridge needs: a user without rights is told what is missing, has
 * exactly them applied, and then captures; on a real kube-apiserver with its RBAC.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, type TestContext, test } from "node:test";
import { BridgeConfig } from "../../bridge/config.ts";
import { connectApiServer } from "../../bridge/kube/api-server.ts";
import { bridgeRoles } from "../../cli/bridge-role.ts";
import { planCapture } from "../../cli/doctor/plan.ts";
import { openVerifying } from "../bridge/verifying.ts";
import { databaseCrd } from "../kit/database-crd.ts";
import type { KubeAccess } from "../kit/kube-access.ts";
import { needKube, needKubectl, sharedKube, uniqueNamespace } from "../kit/shared-kube.ts";
import { until } from "../kit/until.ts";
import { check, DATABASE, documentsOf, mintBridge, pathOf, rbac } from "./checking.ts";

const READS = ["get", "list", "watch"];

/**
 * Captures with the kubeconfig: a creation, and a deletion while the bridge is stopped. The settings have changed by then, so that it is a
 * list that lacks the object, and the object is read by itself before its deletion is told.
 */
async function captures(t: TestContext, kube: KubeAccess, namespace: string, kubeconfigPath: string, more: object) {
  const scene = await openVerifying(t, { client: kube.client, kubeconfigPath }, namespace);
  if (scene === undefined) return;
  const first = await scene.startBridge(more);
  await scene.create("orders");
  await until(async () => (await scene.events()).includes("orders created"));
  await first.stop();
  await scene.remove("orders");
  const second = await scene.startBridge({ ...more, ignore: ["metadata.labels"] });
  await until(async () => (await scene.events()).includes("orders deleted gap"));
  await second.stop();
  const said = [...first.lines, ...second.lines].filter(({ level }) => level >= 40).map(({ msg }) => msg);
  assert.deepEqual(
    said.filter((msg) => /forbidden|403/.test(msg)),
    [],
  );
}

describe("the Roles of cr-reactor rbac for a bridge", () => {
  test("in one namespace: what is missing is named, with exactly them a bridge leads and captures, a verb taken away is noticed", async (t) => {
    const kube = await sharedKube(t);
    if (kube === undefined) return;
    const namespace = await uniqueNamespace(kube);
    const { kubeconfigPath, apply } = await mintBridge(t, kube, namespace);
    const more = { leaderElection: { enabled: true, namespace, name: "elected" } };
    const resources = [{ ...DATABASE, namespaces: [namespace] }];
    const run = (...args: string[]) => check(t, kubeconfigPath, resources, args, more);

    const before = await run();
    assert.equal(before.code, 1);
    assert.match(before.out, /✖ Database +demo\.example\.com\/v1 .* \? .* may not get, list, watch\n/);
    assert.match(before.out, /✖ Lease test-\w+\/elected: may not create, get, update\n/);
    assert.match(before.out, /Not everything can be watched\./);

    const { code, out } = await rbac(t, kubeconfigPath, resources, more);
    assert.equal(code, 0);
    const roles = documentsOf(out);
    const lease = { apiGroups: ["coordination.k8s.io"], resources: ["leases"] };
    assert.deepEqual(
      roles.map(({ kind, metadata, rules }) => ({ kind, ...metadata, ...(rules && { rules }) })),
      [
        {
          kind: "Role",
          name: "cr-reactor-bridge",
          namespace,
          rules: [{ apiGroups: ["demo.example.com"], resources: ["databases"], verbs: READS }],
        },
        { kind: "RoleBinding", name: "cr-reactor-bridge", namespace },
        {
          kind: "Role",
          name: "bridge-leader",
          namespace,
          rules: [
            { ...lease, verbs: ["create"] },
            { ...lease, resourceNames: ["elected"], verbs: ["get", "update"] },
          ],
        },
        { kind: "RoleBinding", name: "bridge-leader", namespace },
      ],
    );
    await apply(out);
    await until(async () => (await run()).code === 0, { what: "the rights to count" });
    const after = await run();
    assert.match(after.out, /✔ Database .* 0 .*\n/);
    assert.match(after.out, /✔ Lease test-\w+\/elected\n/);
    assert.match(after.out, /Everything can be watched\./);
    await captures(t, kube, namespace, kubeconfigPath, { ...more, cluster: "access" });

    const [role] = roles;
    assert.ok(role);
    const rules = [{ apiGroups: ["demo.example.com"], resources: ["databases"], verbs: ["get", "list"] }];
    await kube.client.patch(pathOf(role), { rules });
    await until(async () => (await run()).code === 1, { what: "the verb to be gone" });
    assert.match((await run()).out, /✖ Database .* may not watch\n/);
  });

  test("in all namespaces, by a pattern: each group of today has a rule, definitions may be read, and a bridge captures", async (t) => {
    const kube = await needKube(t);
    if (kube === undefined) return;
    await kube.client.applyCrd(databaseCrd);
    const namespace = await uniqueNamespace(kube);
    const { kubeconfigPath, apply } = await mintBridge(t, kube, namespace);
    const resources = [{ apiVersion: "*.example.com/*", kind: "*" }];
    const run = (...args: string[]) => check(t, kubeconfigPath, resources, args);
    const before = await run();
    assert.equal(before.code, 1);
    assert.match(
      before.out,
      /✖ Database +demo\.example\.com\/v1 +databases\.demo\.example\.com +all .* may not get, list, watch/,
    );
    assert.match(before.out, /! may not get customresourcedefinitions \(optional\)/);

    const { code, out, err } = await rbac(t, kubeconfigPath, resources);
    assert.equal(code, 0);
    assert.match(err, /RBAC cannot write "\*\.example\.com" for groups: there is a rule for each group of today/);
    assert.match(out, /# RBAC cannot write "\*\.example\.com"/);
    const [role] = documentsOf(out);
    assert.deepEqual(role?.rules, [
      { apiGroups: ["demo.example.com"], resources: ["*"], verbs: READS },
      { apiGroups: ["apiextensions.k8s.io"], resources: ["customresourcedefinitions"], verbs: ["get"] },
    ]);
    await apply(out);
    await until(async () => (await run()).code === 0, { what: "the rights to count" });
    assert.doesNotMatch((await run()).out, /customresourcedefinitions \(optional\)/);
    await captures(t, kube, namespace, kubeconfigPath, { resources });
  });

  test("by a named kind: its definition alone may be read", async (t) => {
    const kube = await needKube(t);
    if (kube === undefined) return;
    await kube.client.applyCrd(databaseCrd);
    const namespace = await uniqueNamespace(kube);
    const { kubeconfigPath, apply } = await mintBridge(t, kube, namespace);
    const run = (...args: string[]) => check(t, kubeconfigPath, [DATABASE], args);
    const { out } = await rbac(t, kubeconfigPath, [DATABASE]);
    assert.deepEqual(documentsOf(out)[0]?.rules?.[1], {
      apiGroups: ["apiextensions.k8s.io"],
      resources: ["customresourcedefinitions"],
      resourceNames: ["databases.demo.example.com"],
      verbs: ["get"],
    });
    await apply(out);
    await until(async () => (await run()).code === 0, { what: "the rights to count" });
    assert.doesNotMatch((await run()).out, /\(optional\)/);
  });

  test("say in a Pod that it may not write Events about itself, which keeps it from nothing", async (t) => {
    const kube = await sharedKube(t);
    if (kube === undefined) return;
    const namespace = await uniqueNamespace(kube);
    const { kubeconfigPath, apply } = await mintBridge(t, kube, namespace);
    const apiServer = await connectApiServer({ kubeconfig: kubeconfigPath });
    t.after(() => apiServer.close());
    const { KUBECONFIG, ...rest } = process.env;
    process.env = { ...rest, POD_NAMESPACE: namespace, POD_NAME: "bridge-0" };
    t.after(() => {
      process.env = { ...rest, ...(KUBECONFIG !== undefined && { KUBECONFIG }) };
    });
    const config = BridgeConfig.parse({
      ...{ cluster: "test", resources: [{ ...DATABASE, namespaces: [namespace] }] },
      leaderElection: { enabled: false },
    });
    const plan = () => planCapture({ apiServer, config, kubernetes: {}, kubectl: "kubectl" });
    const [note] = (await plan()).notes;
    assert.equal(note?.status, "warning");
    assert.match(note.detail, /^may not create, patch events\.k8s\.io events in test-\w+ \(optional\): /);
    assert.match(note.next ?? "", /^add to a Role in test-\w+, under rules: - \{apiGroups: \["events\.k8s\.io"\]/);
    await apply(bridgeRoles(await plan(), config));
    await until(async () => (await plan()).notes.length === 0, { what: "the rights to count" });
  });

  test("are what kubectl apply takes from a pipe", async (t) => {
    const kube = await sharedKube(t);
    const kubectl = kube && (await needKubectl(t));
    if (kube === undefined || kubectl === undefined) return;
    const namespace = await uniqueNamespace(kube);
    const resources = [DATABASE, { apiVersion: "v1", kind: "ConfigMap", namespaces: [namespace] }];
    const more = { leaderElection: { enabled: true, namespace } };
    const { out } = await rbac(t, kube.kubeconfigPath, resources, more);
    const args = ["--kubeconfig", kube.kubeconfigPath, "apply", "--dry-run=server", "--validate=strict", "-f", "-"];
    const { status, stdout, stderr } = spawnSync(kubectl, args, { input: out, encoding: "utf8" });
    assert.equal(status, 0, stderr);
    assert.equal(stdout.trim().split("\n").length, 6);
  });
});
