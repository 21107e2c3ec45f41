/**
 * The Roles that `cr-reactor rbac` prints for subscriptions are what their functions need and no more: each function does its work as an account
 * that has exactly them, and for each verb that is taken away one of them is refused; on a real kube-apiserver with its RBAC.
 */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { stringify } from "yaml";
import type { Envelope } from "../../bridge/event/envelope.ts";
import type { FunctionDefinition } from "../../functions/kit/define.ts";
import type { Logger } from "../../functions/kit/kit.ts";
import { BUILT_IN_FUNCTIONS } from "../../functions/main.ts";
import { openKubeScene } from "../functions/kube-scene.ts";
import { createDataFolder } from "../kit/data-folder.ts";
import { kubeconfigText } from "../kit/kube-access.ts";
import type { KubeObject } from "../kit/kube-client.ts";
import { mintUser, sharedKube, uniqueNamespace } from "../kit/shared-kube.ts";
import { until } from "../kit/until.ts";
import { startReceiver } from "../kit/webhook-server.ts";
import { workflowCrds } from "../kit/workflow-crd.ts";
import { DATABASE, documentsOf, file, pathOf, runCommand } from "./checking.ts";

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly verbs: readonly string[];
}
type Role = KubeObject & { readonly rules: readonly Rule[] };

interface Entry {
  readonly name: string;
  readonly function: string;
  readonly config: object;
}

/** Everything that acts on Kubernetes or asks it, in the namespace of the object and in another one. */
const entries = (other: string, webhook: string): readonly Entry[] => [
  {
    name: "resize",
    function: "trigger-workflow",
    config: { target: { type: "argo", workflowTemplate: "resize", namespace: other } },
  },
  { name: "nightly", function: "trigger-workflow", config: { target: { type: "job", cronJob: "nightly" } } },
  { name: "pipeline", function: "trigger-workflow", config: { target: { type: "tekton", pipeline: "resize" } } },
  { name: "seen", function: "record-event", config: { reason: "Seen" } },
  { name: "stamp", function: "annotate", config: { annotations: { "example.com/seen": "yes" } } },
  { name: "undo", function: "rollback", config: { healthy: { phases: ["Running"] } } },
  {
    name: "facts",
    function: "apply-manifest",
    config: {
      manifest: { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "{{ event.name }}-facts" }, data: {} },
    },
  },
  {
    name: "newest",
    function: "apply-manifest",
    config: {
      manifest: { apiVersion: "v1", kind: "Secret", metadata: { name: "newest", namespace: other }, stringData: {} },
    },
  },
  {
    name: "told",
    function: "notify-slack",
    config: {
      webhookUrl: { file: webhook },
      kubernetes: { warnings: 1, owned: [{ apiVersion: "v1", kind: "Pod" }] },
    },
  },
];

const CRON_JOB = {
  metadata: { name: "nightly" },
  spec: {
    ...{ schedule: "0 0 * * *", suspend: true },
    jobTemplate: {
      spec: { template: { spec: { restartPolicy: "Never", containers: [{ name: "x", image: "example.com/x" }] } } },
    },
  },
};

/** The functions, their objects, and an account that has the printed Roles. */
async function openScene(t: TestContext, when: object) {
  const scene = await openKubeScene(t);
  if (scene === undefined) return undefined;
  const { client, kube, namespace } = scene;
  for (const crd of workflowCrds) await client.applyCrd(crd);
  await client.create(`/apis/batch/v1/namespaces/${namespace}/cronjobs`, CRON_JOB);
  const slack = await startReceiver(() => ({ status: 200, body: "ok" }));
  t.after(() => slack.stop());
  const other = await uniqueNamespace(kube);
  const subscribed = entries(other, file(t, "webhook", `${slack.origin}/hook`));
  const filter = typeof when === "function" ? when(namespace) : when;
  const subscriptions = subscribed.map((entry) => ({ ...entry, ...DATABASE, when: filter }));
  const printed = await runCommand(
    ...["rbac", "--subscriptions", file(t, "subscriptions.yaml", stringify({ subscriptions }))],
    ...["--kubeconfig", kube.kubeconfigPath],
  );
  assert.deepEqual([printed.code, printed.err], [0, ""]);
  const { token } = await mintUser(kube, namespace, "functions");
  const kubeconfig = join(createDataFolder("kubeconfig").path, "config");
  writeFileSync(
    kubeconfig,
    kubeconfigText({ url: kube.url, caPem: kube.caPem, tokens: { functions: token } }, "functions"),
  );
  const objects = renamed(documentsOf(printed.out), namespace);
  for (const object of objects) await client.apply(pathOf(object), object);
  t.after(async () => {
    for (const object of objects) await client.delete(pathOf(object));
  });

  const first = await scene.createDatabase("orders", { storageGb: 10 });
  const running = await scene.setStatus("orders", { phase: "Running", observedGeneration: 1 });
  const grown = await scene.setSpec("orders", { storageGb: 200 });
  const failed = await scene.setStatus("orders", { phase: "Failed", observedGeneration: 2 });
  const log = [scene.created(first), scene.updated(first, running), scene.updated(running, grown)];
  const event = scene.updated(grown, failed);
  const run = async (entry: Entry): Promise<string[]> => refusalsOf(scene.run, entry, { event, log, kubeconfig });
  return {
    ...scene,
    roles: objects.filter(({ rules }) => rules !== undefined) as Role[],
    /** Runs all of them, twice, so that each finds what it made; answers what RBAC refused. */
    async runAll(): Promise<string[]> {
      for (const path of [`${namespace}/configmaps/orders-facts`, `${other}/secrets/newest`])
        await client.delete(`/api/v1/namespaces/${path}`).catch(() => undefined); // not there yet
      const refused: string[] = [];
      for (const entry of [...subscribed, ...subscribed]) refused.push(...(await run(entry)));
      return refused;
    },
    /** As the account, whether it may. */
    async may(namespaceOf: string | undefined, verb: string, { apiGroups, resources, resourceNames }: Rule) {
      const spec = {
        user: `system:serviceaccount:${namespace}:functions`,
        resourceAttributes: {
          ...{ group: apiGroups[0], resource: resources[0], verb, namespace: namespaceOf ?? namespace },
          name: resourceNames?.[0],
        },
      };
      const review = { apiVersion: "authorization.k8s.io/v1", kind: "SubjectAccessReview", spec };
      return (await client.create("/apis/authorization.k8s.io/v1/subjectaccessreviews", review))["status"].allowed;
    },
  };
}

/** Names of the cluster's own, and the account of this test. */
function renamed(objects: readonly KubeObject[], namespace: string): KubeObject[] {
  const named = (name: string, isCluster: boolean) => (isCluster ? `${name}-${namespace}` : name);
  return objects.map((object) => {
    const isCluster = object.kind?.startsWith("Cluster") === true;
    const { roleRef, subjects } = object as KubeObject & { roleRef?: { name: string }; subjects?: object[] };
    return {
      ...object,
      metadata: { ...object.metadata, name: named(object.metadata.name, isCluster) },
      ...(roleRef && { roleRef: { ...roleRef, name: named(roleRef.name, isCluster) } }),
      ...(subjects && { subjects: subjects.map((subject) => ({ ...subject, namespace })) }),
    };
  });
}

async function refusalsOf(
  run: NonNullable<Awaited<ReturnType<typeof openKubeScene>>>["run"],
  entry: Entry,
  { event, log, kubeconfig }: { event: Envelope; log: readonly Envelope[]; kubeconfig: string },
): Promise<string[]> {
  const loaded = await BUILT_IN_FUNCTIONS[entry.function]?.();
  const { target, kubernetes } = entry.config as { target?: object; kubernetes?: object };
  const settings = target
    ? { target: { ...target, kubernetes: { kubeconfig } } }
    : { kubernetes: { ...kubernetes, kubeconfig } };
  const said: string[] = [];
  const history = async function* () {
    yield* log;
  };
  const logger = { warn: (_: object, text: string) => said.push(text), info() {}, debug() {} } as unknown as Logger;
  const context = { subscription: entry.name, history, idempotencyKey: `${entry.name}/${event.id}`, log: logger };
  try {
    await run(loaded?.default as FunctionDefinition, { ...entry.config, ...settings }, event, context);
  } catch (error) {
    said.push((error as Error).message);
  }
  return said.filter((text) => /Add this rule/.test(text)).map((text) => `${entry.name}: ${text}`);
}

describe("the Roles of cr-reactor rbac for functions", () => {
  for (const { name, when, kinds } of [
    {
      name: "in the namespaces that the filter and the settings name",
      when: (namespace: string) => ({ namespaces: [namespace] }),
      kinds: ["Role", "Role"],
    },
    { name: "in all, where the filter names none", when: { phase: { to: "Failed" } }, kinds: ["ClusterRole", "Role"] },
  ]) {
    test(`are enough, and with any verb less a function is refused: ${name}`, async (t) => {
      const scene = await openScene(t, when);
      if (scene === undefined) return;
      const { roles, client, runAll, may } = scene;
      assert.deepEqual(roles.map(({ kind }) => kind).toSorted(), kinds);
      const every = roles.flatMap((role) =>
        role.rules.flatMap((rule) => rule.verbs.map((verb) => ({ role, rule, verb }))),
      );
      for (const { role, rule, verb } of every)
        await until(() => may(role.metadata["namespace"], verb, rule), { what: "the rights to count" });
      assert.deepEqual(await runAll(), []);
      for (const { role, rule, verb } of every) {
        const without = role.rules.map((each) =>
          each === rule ? { ...rule, verbs: [...rule.verbs.filter((other) => other !== verb), "none"] } : each,
        );
        await client.patch(pathOf(role), { rules: without });
        await until(async () => !(await may(role.metadata["namespace"], verb, rule)), { what: "the verb to be gone" });
        assert.ok((await runAll()).length > 0, `nobody needs ${verb} on ${rule.resources} in ${role.kind}`);
        await client.patch(pathOf(role), { rules: role.rules });
        await until(() => may(role.metadata["namespace"], verb, rule), { what: "the rights to count again" });
      }
    });
  }

  test("name what is not served, and what needs another account", async (t) => {
    const kube = await sharedKube(t);
    if (kube === undefined) return;
    const subscriptions = [
      { name: "undo", function: "rollback", ...DATABASE, config: { healthy: { condition: "Ready" } } },
      {
        ...{ name: "made", function: "apply-manifest", ...DATABASE },
        config: { manifest: { apiVersion: "example.com/v1", kind: "Nothing", metadata: { name: "x" } } },
      },
      {
        ...{ name: "edge", function: "annotate", ...DATABASE },
        config: { labels: { a: "b" }, kubernetes: { kubeconfig: "/etc/edge", context: "edge" } },
      },
      {
        ...{ name: "tenant", function: "record-event", apiVersion: "v1", kind: "Namespace" },
        config: { reason: "Seen" },
      },
    ];
    const text = file(t, "subscriptions.yaml", stringify({ subscriptions }));
    const { code, out, err } = await runCommand("rbac", "--subscriptions", text, "--kubeconfig", kube.kubeconfigPath);
    assert.equal(code, 1);
    assert.deepEqual(err.trim().split("\n"), [
      "Nothing of example.com/v1 is not served, so the rules for made are missing: make the Roles again when it is.",
      "edge signs in with the kubeconfig /etc/edge, the context edge: that account needs patch on Database of demo.example.com/v1.",
    ]);
    assert.deepEqual(
      documentsOf(out)
        .filter(({ rules }) => rules)
        .map(({ kind, metadata, rules }) => [kind, metadata["namespace"], rules]),
      [
        [
          "ClusterRole",
          undefined,
          [{ apiGroups: ["demo.example.com"], resources: ["databases"], verbs: ["get", "patch"] }],
        ],
        ["Role", "default", [{ apiGroups: ["events.k8s.io"], resources: ["events"], verbs: ["create"] }]],
      ],
    );
  });

  test("ask no cluster where no function acts on one", async (t) => {
    const subscriptions = [{ name: "log", function: "audit-log", ...DATABASE, config: { target: { type: "stdout" } } }];
    const text = file(t, "subscriptions.yaml", stringify({ subscriptions }));
    const { code, out, err } = await runCommand("rbac", "--subscriptions", text);
    assert.deepEqual([code, out, err], [0, "# The functions need no Role.\n", ""]);
  });
});
