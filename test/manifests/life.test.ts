/**
 * The life of an installation on a real API server, from nothing: `kubectl apply` makes all of it at once, a second time changes nothing, and
 * `kubectl delete` leaves nothing behind. There are no controllers here, so what those would make of it (Pods, volumes) is not said.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { createDataFolder } from "../kit/data-folder.ts";
import { databaseCrd } from "../kit/database-crd.ts";
import { needKube, needKubectl } from "../kit/shared-kube.ts";
import { foreignKinds } from "./foreign-kind.ts";
import { type Rendering, withFolder } from "./rendering.ts";

const LABEL = "app.kubernetes.io/part-of=cr-reactor";
const NAMESPACE = "/api/v1/namespaces/cr-reactor";
/** Made by the API server itself of other objects, or not to be asked for any more. */
const NOT_OURS = /^(events|endpoints$|namespaces$|apiservices)/;

const COMPONENTS = ["functions-access", "keda", "knative", "monitoring", "argo-events"];
const INSTALLATIONS: readonly Rendering[] = [
  { name: "quickstart", folder: "overlays/quickstart" },
  { name: "a leaf", folder: "overlays/multi-cluster/leaf" },
  {
    name: "a hub with every component",
    folder: "overlays/multi-cluster/hub",
    components: COMPONENTS.map((name) => `components/${name}`),
  },
];

/** An API server with all kinds, and kubectl for it, which must not fail or warn. */
async function open(t: TestContext) {
  const path = await needKubectl(t);
  const kube = path === undefined ? undefined : await needKube(t);
  if (path === undefined || kube === undefined) return undefined;
  for (const definition of [databaseCrd, ...foreignKinds()])
    await kube.client.applyCrd(definition as typeof databaseCrd);
  const kubectl = (...args: readonly string[]): string[] => {
    const { status, stdout, stderr } = spawnSync(path, ["--kubeconfig", kube.kubeconfigPath, ...args], {
      encoding: "utf8",
      maxBuffer: 16 * 1024 ** 2,
    });
    assert.deepEqual([status, stderr], [0, ""], args.join(" "));
    return stdout.split("\n").filter(Boolean);
  };
  const kindsOf = (namespaced: boolean) =>
    kubectl("api-resources", `--namespaced=${namespaced}`, "--verbs=list,delete", "-o", "name")
      .filter((kind) => !NOT_OURS.test(kind))
      .join(",");
  const [inNamespaces, ofCluster] = [kindsOf(true), kindsOf(false)];
  return {
    kube,
    kubectl,
    /** All objects of all kinds, by their names. */
    everything: () => [
      ...kubectl("get", inNamespaces, "--namespace", "cr-reactor", "-o", "name", "--ignore-not-found"),
      ...kubectl("get", ofCluster, "-o", "name", "--ignore-not-found"),
    ],
    /** As the controller of namespaces would, which is not there. */
    async finalize(): Promise<void> {
      const namespace = await kube.client.get(NAMESPACE);
      await kube.client.request("PUT", `${NAMESPACE}/finalize`, { ...namespace, spec: { finalizers: [] } });
    },
  };
}

test("an installation", async (t) => {
  const server = await open(t);
  if (server === undefined) return;
  const { kubectl, everything, finalize } = server;
  const folder = createDataFolder("life");
  t.after(() => folder.remove());
  for (const rendering of INSTALLATIONS) {
    const { name } = rendering;
    await t.test(
      `of ${name} is made from nothing at once, stays as it is, and is removed without a trace`,
      async () => {
        const text = await withFolder(rendering, async (own) => kubectl("kustomize", own).join("\n"));
        const file = join(folder.path, `${name}.yaml`);
        writeFileSync(file, text);
        const before = new Set(everything());
        const made = kubectl("apply", "-f", file);
        assert.ok(made.length > 10);
        for (const line of made) assert.match(line, / created$/);

        const versions = () =>
          kubectl("get", "-f", file, "-o", "jsonpath={range .items[*]}{.metadata.resourceVersion} {end}");
        const first = versions();
        kubectl("apply", "-f", file);
        assert.deepEqual(versions(), first);
        const found = kubectl("get", "clusterroles,clusterrolebindings", "-l", LABEL, "-o", "name");
        assert.equal(found.length, text.match(/^kind: ClusterRole/gm)?.length, "what is in no namespace can be found");

        kubectl("delete", "-f", file, "--wait=false");
        const left = everything().filter((each) => !before.has(each));
        assert.deepEqual(left, []);
        await finalize();
        assert.deepEqual(kubectl("get", "namespace", "cr-reactor", "--ignore-not-found"), []);
      },
    );
  }
});
