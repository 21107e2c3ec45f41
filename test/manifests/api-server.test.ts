/**
 * What a real API server says about the manifests: every object is accepted by a strict dry run without a warning (a deprecated API, a Pod that
 * the namespace would warn about), every Pod by the Pod Security Standard that the namespace enforces, and the bridge's rights are
 * those that its configuration needs. `CR_REACTOR_CRDS=<folder>` checks the objects of other projects against their real definitions.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { parse, stringify } from "yaml";
import { documentsOf, file, runCommand } from "../cli/checking.ts";
import { databaseCrd } from "../kit/database-crd.ts";
import { type KubeObject, KubeStatusError } from "../kit/kube-client.ts";
import { needKube, needKubectl } from "../kit/shared-kube.ts";
import { foreignKinds } from "./foreign-kind.ts";
import { build, configOf, find, podsOf, RENDERINGS, render, renderChart, withFolder } from "./rendering.ts";

/** An API server that has all the kinds and namespaces, and kubectl for it. */
async function open(t: TestContext) {
  const kubectlPath = await needKubectl(t);
  const kube = kubectlPath === undefined ? undefined : await needKube(t);
  if (kubectlPath === undefined || kube === undefined) return undefined;
  await kube.client.applyCrd(databaseCrd);
  for (const definition of foreignKinds()) await kube.client.applyCrd(definition as typeof databaseCrd);
  const base = (await render(t, { name: "base", folder: "base" })) ?? [];
  const { labels } = find(base, "Namespace cr-reactor").metadata;
  for (const name of ["cr-reactor", "argocd", "flux-system"]) await kube.client.createNamespace(name);
  await kube.client.patch("/api/v1/namespaces/cr-reactor", { metadata: { labels } });
  const dryRun = (objects: readonly object[]) => {
    const text = objects.map((object) => stringify(object)).join("---\n");
    const args = ["--kubeconfig", kube.kubeconfigPath, ...DRY_RUN, "-f", file(t, "objects.yaml", text)];
    return spawnSync(kubectlPath, args, { encoding: "utf8" });
  };
  return {
    kube,
    base,
    dryRun,
    accepts(objects: readonly KubeObject[]): void {
      const { status, stdout, stderr } = dryRun(objects);
      assert.equal(stderr, "");
      assert.equal(status, 0);
      assert.equal(stdout.trim().split("\n").length, objects.length);
    },
    createPod(template: KubeObject) {
      const metadata = { ...template.metadata, generateName: "pod-" };
      const pod = { apiVersion: "v1", kind: "Pod", ...template, metadata };
      return kube.client.request("POST", "/api/v1/namespaces/cr-reactor/pods?dryRun=All&fieldValidation=Strict", pod);
    },
  };
}

const CONFIG_MAPS = { apiVersion: "v1", kind: "ConfigMap" };
const DRY_RUN = ["apply", "--server-side", "--dry-run=server", "--validate=strict", "--warnings-as-errors"];

test("an API server", async (t) => {
  const server = await open(t);
  if (server === undefined) return;
  const { kube, base, dryRun, accepts, createPod } = server;

  for (const rendering of RENDERINGS) {
    await t.test(`accepts what ${rendering.name} makes, and its Pods`, async (t) => {
      const objects = (await render(t, rendering)) ?? [];
      accepts(objects);
      for (const { template } of podsOf(objects)) await createPod(filled(template));
    });
  }

  await t.test("accepts what the Helm chart makes", async (t) => {
    const objects = await renderChart(t);
    if (objects === undefined) return;
    accepts(objects);
    for (const { template } of podsOf(objects)) await createPod(template);
  });

  await t.test("would refuse a Pod with more rights, an unknown field, and warn of an API that goes away", async () => {
    const bridge = structuredClone(find(base, "Deployment bridge"));
    const template = structuredClone(bridge["spec"].template);
    template.spec.containers[0].securityContext.allowPrivilegeEscalation = true;
    await assert.rejects(
      async () => createPod(template),
      (error) => error instanceof KubeStatusError && error.status === 403 && /restricted/.test(error.message),
    );
    bridge["spec"].replica = 2;
    assert.match(dryRun([bridge]).stderr, /unknown field|field not declared/);
    const endpoints = { apiVersion: "v1", kind: "Endpoints", metadata: { name: "x", namespace: "cr-reactor" } };
    assert.match(dryRun([endpoints]).stderr, /deprecated/);
  });

  await t.test("has the Roles that cr-reactor rbac prints as patches, as the README has it", async (t) => {
    const kubectl = await needKubectl(t);
    if (kubectl === undefined) return;
    const bridge = { ...parse(configOf(base, "bridge-config", "bridge.yaml")), resources: [CONFIG_MAPS] };
    const inPod = { enabled: true, namespace: "cr-reactor", ...bridge.leaderElection };
    const subscription = { name: "seen", function: "record-event", ...CONFIG_MAPS, config: { reason: "Seen" } };
    const files = {
      "--config": stringify({ ...bridge, leaderElection: inPod }),
      "--subscriptions": stringify({ subscriptions: [subscription] }),
    };
    const given = Object.entries(files).flatMap(([option, text]) => [option, file(t, "config.yaml", text)]);
    const { out, err } = await runCommand("rbac", ...given, "--kubeconfig", kube.kubeconfigPath);
    assert.equal(err, "");
    const rendering = { name: "own", folder: "base", components: ["components/functions-access"] };
    const objects = await withFolder(rendering, async (folder) => {
      const path = join(folder, "kustomization.yaml");
      const kustomization = { ...parse(readFileSync(path, "utf8")), patches: [{ path: "access.yaml" }] };
      writeFileSync(path, stringify(kustomization));
      writeFileSync(join(folder, "access.yaml"), out);
      return await build(kubectl, folder);
    });
    for (const account of ["bridge", "functions"]) {
      const printed = rights(documentsOf(out), account);
      assert.ok(printed.length >= 2);
      assert.deepEqual(rights(objects, account), printed);
    }
  });

  // The others have the subscriptions of one of these, or none.
  for (const rendering of RENDERINGS.filter(({ name }) => /^(quickstart|production|functions-access)$/.test(name))) {
    await t.test(`gives functions of ${rendering.name} the rights that they need, and no other`, async (t) => {
      const objects = (await render(t, rendering)) ?? [];
      const subscriptions = file(t, "s.yaml", configOf(objects, "functions-config", "subscriptions.yaml"));
      const { out, err } = await runCommand(
        ...["rbac", "--subscriptions", subscriptions, "--kubeconfig", kube.kubeconfigPath],
      );
      assert.equal(err, "");
      assert.deepEqual(rights(objects, "functions"), rights(documentsOf(out), "functions"));
    });
  }

  for (const rendering of RENDERINGS.filter(({ name }) => name !== "gitops")) {
    await t.test(`gives the bridge of ${rendering.name} the rights that it needs, and no other`, async (t) => {
      const objects = (await render(t, rendering)) ?? [];
      const config = file(t, "bridge.yaml", configOf(objects, "bridge-config", "bridge.yaml"));
      const { out, err } = await runCommand("rbac", "--config", config, "--kubeconfig", kube.kubeconfigPath);
      assert.equal(err, "");
      assert.deepEqual(rights(objects, "bridge"), rights(documentsOf(out), "bridge"));
    });
  }
});

function rights(objects: readonly (KubeObject | null)[], account: string) {
  return objects
    .filter((object) => object !== null)
    .filter(({ kind, metadata }) => /Role/.test(kind ?? "") && metadata.name.includes(account))
    .map(({ kind, metadata, rules, roleRef, subjects }) => ({
      ...{ title: `${kind} ${metadata.name}`, rules, roleRef },
      subjects: subjects?.map(({ kind, name, namespace }: { kind: string; name: string; namespace: string }) => [
        kind,
        name,
        namespace,
      ]),
    }))
    .sort((a, b) => (a.title < b.title ? -1 : 1));
}

/** With what Knative fills in before it makes a Pod: the container's name, and the port of a probe. */
function filled(template: KubeObject): KubeObject {
  const [first] = template["spec"].containers;
  const container = { name: "user-container", ...first };
  const probe = container.readinessProbe;
  if (probe?.httpGet !== undefined && probe.httpGet.port === undefined)
    container.readinessProbe = { httpGet: { ...probe.httpGet, port: container.ports[0].containerPort } };
  const { containerConcurrency: _, timeoutSeconds: __, ...spec } = template["spec"];
  return { ...template, spec: { ...spec, containers: [container] } };
}
