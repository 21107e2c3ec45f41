import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { diff } from "../../../bridge/event/diff.ts";
import { connectApiServer } from "../../../bridge/kube/api-server.ts";
import { createCatalogReader } from "../../../bridge/kube/catalog.ts";
import type { Json } from "../../../bridge/kube/kube-object.ts";
import { openEmbedded } from "../../kit/embedded-kube.ts";
import type { KubeAccess } from "../../kit/kube-access.ts";
import { sharedKube } from "../../kit/shared-kube.ts";
import { until } from "../../kit/until.ts";

const list = (type: string, rest: object = {}) => ({
  type: "array",
  "x-kubernetes-list-type": type,
  items: { type: "string" },
  ...rest,
});

/** A CRD of a group of its own, whose `spec.hosts` is of this list type. */
function crd(group: string, listType: string, versions = ["v1"]) {
  const schema = { type: "object", properties: { spec: { type: "object", properties: { hosts: list(listType) } } } };
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `gates.${group}` },
    spec: {
      group,
      scope: "Namespaced",
      names: { kind: "Gate", listKind: "GateList", plural: "gates", singular: "gate" },
      versions: versions.map((name, index) => ({
        name,
        served: true,
        storage: index === 0,
        schema: { openAPIV3Schema: schema },
      })),
    },
  };
}
const [before, after] = [
  ["a", "b"],
  ["b", "a"],
].map((hosts) => ({ spec: { hosts } }) as Json) as [Json, Json];

type Kube = Pick<KubeAccess, "client" | "kubeconfigPath">;

async function openCatalog(kube: Kube, group: string) {
  const apiServer = await connectApiServer({ kubeconfig: kube.kubeconfigPath });
  const { signal } = new AbortController();
  const reader = createCatalogReader(apiServer, (name) => name === group || name === "apps" || name === "");
  const find = async (version = "v1") => (await reader.look(signal)).find(`${group}/${version}`, "Gate");
  return { apiServer, reader, signal, find, [Symbol.asyncDispose]: () => apiServer.close() };
}

const servers = [
  { server: "the embedded API server", open: (t: TestContext): Promise<Kube | undefined> => openEmbedded(t) },
  { server: "kube-apiserver", open: (t: TestContext): Promise<Kube | undefined> => sharedKube(t) },
];
for (const { server, open } of servers) {
  describe(`the catalog of ${server}`, () => {
    test("has a kind as soon as its CRD is there, its versions as they come, and loses it with the CRD", async (t) => {
      const kube = await open(t);
      if (kube === undefined) return;
      const group = `catalog-${Date.now()}.example.com`;
      await using catalog = await openCatalog(kube, group);
      assert.equal(await catalog.find(), undefined);
      await kube.client.applyCrd(crd(group, "set"));
      await until(async () => (await catalog.find()) !== undefined, { what: "the kind is in the catalog" });
      assert.deepEqual(await catalog.find(), {
        apiVersion: `${group}/v1`,
        kind: "Gate",
        plural: "gates",
        namespaced: true,
      });
      await kube.client.applyCrd(crd(group, "set", ["v1", "v2"]));
      await until(async () => (await catalog.find("v2")) !== undefined, {
        what: "the second version is in the catalog",
      });
      const { preferred } = await catalog.reader.look(catalog.signal);
      assert.deepEqual(
        preferred.filter(({ kind }) => kind === "Gate").map(({ apiVersion }) => apiVersion),
        [`${group}/v2`],
      );
      await kube.client.delete(`/apis/apiextensions.k8s.io/v1/customresourcedefinitions/gates.${group}`);
      await until(async () => (await catalog.find()) === undefined, { what: "the kind has left the catalog" });
    });

    test("follows how a kind's lists are compared", async (t) => {
      const kube = await open(t);
      if (kube === undefined) return;
      const group = `shapes-${Date.now()}.example.com`;
      await using catalog = await openCatalog(kube, group);
      const operations = async () => {
        const look = await catalog.reader.look(catalog.signal);
        const gate = look.find(`${group}/v1`, "Gate");
        return gate && diff(before, after, { shape: await look.shape(gate) }).length;
      };
      await kube.client.applyCrd(crd(group, "set"));
      await until(async () => (await operations()) === 0, { what: "the list is a set" });
      await kube.client.applyCrd(crd(group, "atomic"));
      await until(async () => (await operations()) === 1, { what: "the list is atomic" });
    });

    test("knows built-in kinds by their documents", async (t) => {
      const kube = await open(t);
      if (kube === undefined || server !== "kube-apiserver") return;
      await using catalog = await openCatalog(kube, "apps");
      const look = await catalog.reader.look(catalog.signal);
      const deployment = look.find("apps/v1", "Deployment");
      assert.ok(deployment);
      const containers = (...names: string[]) =>
        ({ spec: { template: { spec: { containers: names.map((name) => ({ name })) } } } }) as Json;
      assert.deepEqual(diff(containers("a", "b"), containers("b", "a"), { shape: await look.shape(deployment) }), []);
    });
  });
}
