/**
 * The manifests, given to a real API server: every object is accepted by a strict dry run, every Pod by the Pod Security Standard that the
 * namespace enforces, and what they say about each other fits. kustomize is not needed: the few of its features that base/ uses are
 * applied here, and any other one fails the test.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, type TestContext, test } from "node:test";
import { parse, parseAllDocuments } from "yaml";
import { z } from "zod";
import { BridgeConfig } from "../bridge/config.ts";
import { parseYamlConfig } from "../bridge/yaml-config.ts";
import { bindAll } from "../functions/main.ts";
import type { KubeAccess } from "./kit/kube-access.ts";
import { type KubeClient, type KubeObject, KubeStatusError } from "./kit/kube-client.ts";
import { sharedKube, uniqueNamespace } from "./kit/shared-kube.ts";

const ROOT = join(import.meta.dirname, "..");
const BASE = join(ROOT, "manifests/base");
const readBase = (file: string) => readFileSync(join(BASE, file), "utf8");

/** What base/kustomization.yaml may use, because `render` knows it. */
const Kustomization = z.strictObject({
  apiVersion: z.literal("kustomize.config.k8s.io/v1beta1"),
  kind: z.literal("Kustomization"),
  namespace: z.string(),
  labels: z.array(z.strictObject({ pairs: z.record(z.string(), z.string()), includeTemplates: z.literal(true) })),
  resources: z.array(z.string()),
  configMapGenerator: z.array(
    z.strictObject({
      name: z.string(),
      files: z.array(z.string()).default([]),
      literals: z.array(z.string()).default([]),
    }),
  ),
  images: z.array(z.strictObject({ name: z.string(), newName: z.string(), newTag: z.string() })),
});

interface Container {
  image: string;
  readonly env?: readonly { name: string; valueFrom?: { secretKeyRef?: { optional?: boolean } } }[];
  readonly envFrom?: readonly { configMapRef?: { name: string } }[];
  readonly ports?: readonly { name: string; containerPort: number }[];
  readonly livenessProbe?: object;
  readonly readinessProbe?: object;
}

interface PodSpec {
  readonly containers: readonly Container[];
  readonly volumes: readonly { configMap: { name: string } }[];
  readonly automountServiceAccountToken: boolean;
  readonly securityContext: { runAsUser: number };
}

const podOf = (deployment: KubeObject): PodSpec => deployment["spec"].template.spec;
const kustomization = Kustomization.parse(parse(readBase("kustomization.yaml")));
const objects = render();
const configMaps = objects.filter(({ kind }) => kind === "ConfigMap");
const deployments = objects.filter(({ kind }) => kind === "Deployment");
const named = (name: string) => deployments.find(({ metadata }) => metadata.name === name) ?? assert.fail(name);
const configOf = (name: string, file: string): string =>
  configMaps.find(({ metadata }) => metadata.name === name)?.["data"][file] ?? assert.fail(`${name} has no ${file}`);

/** What `kubectl kustomize` makes of base/, except for namespaces and the hashes in names. */
function render(): KubeObject[] {
  const { resources, configMapGenerator, labels, images } = kustomization;
  const written = resources.flatMap((file) =>
    parseAllDocuments(readBase(file)).map((each) => each.toJS() as KubeObject),
  );
  const generated = configMapGenerator.map(({ name, files, literals }): KubeObject => {
    const entries = literals.map((literal) => /^([^=]+)=(.*)$/.exec(literal)?.slice(1) as [string, string]);
    const data = Object.fromEntries([...files.map((file) => [file, readBase(file)]), ...entries]);
    return { apiVersion: "v1", kind: "ConfigMap", metadata: { name }, data };
  });
  const label = (metadata: { labels?: Record<string, string> }) =>
    Object.assign(metadata, {
      labels: { ...metadata.labels, ...Object.assign({}, ...labels.map(({ pairs }) => pairs)) },
    });
  for (const object of [...written, ...generated]) {
    label(object.metadata);
    if (object.kind !== "Deployment") continue;
    label(object["spec"].template.metadata);
    for (const container of podOf(object).containers) {
      const image = images.find(({ name }) => name === container.image);
      if (image) container.image = `${image.newName}:${image.newTag}`;
    }
  }
  return [...written, ...generated];
}

/** Where the API server has objects of this kind: it tells itself. */
async function collectionOf(client: KubeClient, { apiVersion = "", kind }: KubeObject, namespace: string) {
  const root = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const { resources } = await client.get<{ resources: { kind: string; name: string; namespaced: boolean }[] }>(root);
  const found = resources.find((each) => each.kind === kind && !each.name.includes("/")) ?? assert.fail(`no ${kind}`);
  return `${root}${found.namespaced ? `/namespaces/${namespace}` : ""}/${found.name}`;
}

describe("the manifests", () => {
  const withCluster = async (t: TestContext): Promise<(KubeAccess & { readonly namespace: string }) | undefined> => {
    const kube = await sharedKube(t);
    if (kube === undefined) return undefined;
    const namespace = await uniqueNamespace(kube);
    const { labels } = objects.find(({ kind }) => kind === "Namespace")?.metadata ?? {};
    await kube.client.patch(`/api/v1/namespaces/${namespace}`, { metadata: { labels } });
    return { ...kube, namespace };
  };
  const podIn = (namespace: string, { metadata, spec }: KubeObject) => {
    const pod = { apiVersion: "v1", kind: "Pod", metadata: { ...metadata, generateName: "pod-" }, spec };
    return [`/api/v1/namespaces/${namespace}/pods?dryRun=All&fieldValidation=Strict`, pod] as const;
  };

  before(() => assert.equal(deployments.length, 2));

  test("are accepted by an API server, without a field that it does not know", async (t) => {
    const kube = await withCluster(t);
    if (kube === undefined) return;
    const query = "dryRun=All&fieldManager=manifests&fieldValidation=Strict";
    for (const object of objects) {
      const path = `${await collectionOf(kube.client, object, kube.namespace)}/${object.metadata.name}`;
      await kube.client.request("PATCH", `${path}?${query}`, object, "application/apply-patch+yaml");
    }
    assert.ok(objects.length >= 10);
  });

  test("make Pods that their namespace's Pod Security Standard accepts", async (t) => {
    const kube = await withCluster(t);
    if (kube === undefined) return;
    for (const deployment of deployments)
      await kube.client.request("POST", ...podIn(kube.namespace, deployment["spec"].template));
    const template = structuredClone(deployments[0]?.["spec"].template) as KubeObject;
    template["spec"].containers[0].securityContext.allowPrivilegeEscalation = true;
    await assert.rejects(
      kube.client.request("POST", ...podIn(kube.namespace, template)),
      (error) => error instanceof KubeStatusError && error.status === 403 && /restricted/.test(error.message),
    );
  });

  test("let the bridge read the resources it captures and hold its Lease, and nothing else", async (t) => {
    const kube = await withCluster(t);
    if (kube === undefined) return;
    const { resources, leaderElection } = parseYamlConfig(
      BridgeConfig,
      configOf("bridge-config", "bridge.yaml"),
      "bridge.yaml",
    );
    const expected = resources.map(async ({ apiVersion, kind }) => {
      const collection = await collectionOf(kube.client, { apiVersion, kind, metadata: { name: "" } }, "any");
      const apiGroup = apiVersion.includes("/") ? apiVersion.split("/")[0] : "";
      return { apiGroups: [apiGroup], resources: [collection.split("/").at(-1)], verbs: ["get", "list", "watch"] };
    });
    const rulesOf = (kind: string) => objects.filter((each) => each.kind === kind).flatMap((role) => role["rules"]);
    assert.deepEqual(rulesOf("ClusterRole"), await Promise.all(expected));
    const leases = { apiGroups: ["coordination.k8s.io"], resources: ["leases"] };
    assert.deepEqual(rulesOf("Role"), [
      { ...leases, verbs: ["create"] },
      { ...leases, resourceNames: [leaderElection.name], verbs: ["get", "update"] },
    ]);
    const subjects = [{ kind: "ServiceAccount", name: "bridge", namespace: kustomization.namespace }];
    assert.deepEqual(
      objects
        .filter(({ kind }) => kind?.endsWith("RoleBinding"))
        .map((binding) => [binding.kind, binding["roleRef"].name, binding["subjects"]]),
      objects
        .filter(({ kind }) => kind?.endsWith("Role"))
        .map(({ kind, metadata }) => [`${kind}Binding`, metadata.name, subjects]),
    );
    assert.equal(podOf(named("functions")).automountServiceAccountToken, false);
  });

  test("have subscriptions that the functions accept, with the secrets they name", async () => {
    const text = configOf("functions-config", "subscriptions.yaml");
    const bindings = await bindAll({ subscriptions: { text, fileName: join(BASE, "subscriptions.yaml") } });
    const [container] = podOf(named("functions")).containers;
    const given = (container?.env ?? []).map(({ name, valueFrom }) => [name, valueFrom?.secretKeyRef?.optional]);
    const secrets = JSON.stringify(bindings.map(({ subscription }) => subscription.config)).matchAll(/"env":"(\w+)"/g);
    assert.deepEqual(
      given,
      [...new Set([...secrets].map(([, name]) => name))].map((name) => [name, false]),
    );
  });

  test("ask the bridge for its health where it answers", () => {
    const config = parseYamlConfig(BridgeConfig, configOf("bridge-config", "bridge.yaml"), "bridge.yaml");
    const [container] = podOf(named("bridge")).containers;
    const port = container?.ports?.[0];
    assert.equal(port?.containerPort, config.health.port);
    const asked = [container?.livenessProbe, container?.readinessProbe].map(
      (probe) => (probe as KubeObject)["httpGet"],
    );
    assert.deepEqual(asked, [
      { path: "/livez", port: port?.name },
      { path: "/readyz", port: port?.name },
    ]);
  });

  test("run this version's image as the user that the Dockerfile names, with configuration that is there", () => {
    const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { version: string };
    const [, user] = /^USER (\d+):/m.exec(readFileSync(join(ROOT, "Dockerfile"), "utf8")) ?? [];
    const names = configMaps.map(({ metadata }) => metadata.name);
    for (const { containers, volumes, securityContext } of deployments.map(podOf)) {
      assert.deepEqual(
        containers.map(({ image }) => image),
        [`cr-reactor:${version}`],
      );
      assert.equal(String(securityContext.runAsUser), user);
      const used = [
        ...volumes.map(({ configMap }) => configMap.name),
        ...containers.flatMap(({ envFrom }) => envFrom?.flatMap((each) => each.configMapRef?.name ?? []) ?? []),
      ];
      assert.deepEqual([used.length, used.filter((name) => !names.includes(name))], [2, []]);
    }
  });
});
