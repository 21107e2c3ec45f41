import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import applyManifest from "../../functions/apply-manifest.ts";
import { failureOf } from "./actions/thrown.ts";
import { openKubeScene } from "./kube-scene.ts";

const configMap = {
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name: "{{ event.name }}-size", labels: { team: "data" } },
  data: { replicas: "{{ object.spec.replicas | append: '' }}", note: "key: {{ object.spec.version }}" },
};

async function openScene(t: TestContext) {
  const scene = await openKubeScene(t);
  if (scene === undefined) return undefined;
  const before = await scene.createDatabase("orders", { replicas: 1 });
  const after = await scene.setSpec("orders", { replicas: 2, version: "18\nevil: true" });
  const { kubernetes, namespace } = scene;
  return {
    ...scene,
    before,
    after,
    event: scene.updated(before, after),
    mapPath: `/api/v1/namespaces/${namespace}/configmaps/orders-size`,
    apply: (manifest: object, more: object = {}, event = scene.updated(before, after)) =>
      scene.run(applyManifest, { manifest, kubernetes, ...more }, event),
  };
}

describe("apply-manifest", () => {
  test("applies an object whose values come from the change, and no value becomes structure", async (t) => {
    const scene = await openScene(t);
    if (scene === undefined) return;
    const note = await scene.apply(configMap, { owner: true });
    const map = await scene.client.get(scene.mapPath);
    assert.deepEqual(map["data"], { replicas: "2", note: "key: 18\nevil: true" });
    assert.equal((map.metadata["ownerReferences"] as { uid: string }[])[0]?.uid, scene.after.metadata.uid);
    assert.equal(
      note,
      `ConfigMap ${scene.namespace}/orders-size applied, resourceVersion ${map.metadata.resourceVersion}`,
    );
    await scene.apply(configMap, { owner: true });
    assert.equal((await scene.client.get(scene.mapPath)).metadata.resourceVersion, map.metadata.resourceVersion);
  });

  test("keeps the type of a value that stands alone, and leaves out what is not there", async (t) => {
    const scene = await openScene(t);
    if (scene === undefined) return;
    const spec = {
      engine: "{{ object.spec.engine }}",
      replicas: "{{ object.spec.replicas }}",
      storageGb: "{{ object.spec.none }}",
    };
    const copy = { apiVersion: "demo.example.com/v1", kind: "Database", metadata: { name: "copy" }, spec };
    await scene.apply(copy);
    assert.deepEqual((await scene.client.get(scene.path("copy")))["spec"], { engine: "postgres", replicas: 2 });
  });

  test("leaves fields to their managers and names them, unless it is told to take them", async (t) => {
    const scene = await openScene(t);
    if (scene === undefined) return;
    await scene.client.apply(
      scene.mapPath,
      { ...configMap, metadata: { name: "orders-size" }, data: { replicas: "9" } },
      "argocd-controller",
    );
    const failure = await failureOf(() => scene.apply(configMap));
    assert.equal(failure.treated, "dead-letter");
    assert.match(failure.message, /conflict with "argocd-controller".*\.data\.replicas.*set force: true/s);
    await scene.apply(configMap, { force: true });
    assert.equal((await scene.client.get(scene.mapPath))["data"].replicas, "2");
  });

  test("does not bring back the event's own object when it was deleted meanwhile", async (t) => {
    const scene = await openScene(t);
    if (scene === undefined) return;
    const own = {
      ...{ apiVersion: "demo.example.com/v1", kind: "Database", metadata: { name: "{{ event.name }}" } },
      spec: { engine: "postgres", storageGb: 20 },
    };
    await scene.client.delete(scene.path("orders"));
    const failure = await failureOf(() => scene.apply(own));
    assert.equal(failure.treated, "dead-letter");
    await assert.rejects(scene.client.get(scene.path("orders")), { status: 404 });
  });

  const refused = [
    {
      name: "a kind that is not served",
      manifest: { apiVersion: "none.example.com/v1", kind: "None", metadata: { name: "x" } },
      treated: "retry",
      says: /404/,
    },
    {
      name: "a name that would lead elsewhere",
      manifest: { ...configMap, metadata: { name: "../secrets/{{ event.name }}" } },
      treated: "dead-letter",
      says: /"\.\.\/secrets\/orders" is no name of Kubernetes/,
    },
  ] as const;
  for (const { name, manifest, treated, says } of refused) {
    test(`${name} is told`, async (t) => {
      const scene = await openScene(t);
      if (scene === undefined) return;
      const failure = await failureOf(() => scene.apply(manifest));
      assert.match(failure.message, says);
      assert.equal(failure.treated, treated);
    });
  }

  test("refuses a manifest whose kind is not written out, or whose name the server would make up", () => {
    const parse = (manifest: object) => applyManifest.config.safeParse({ manifest }).success;
    assert.ok(parse(configMap));
    assert.ok(!parse({ ...configMap, kind: "{{ event.kind }}" }));
    assert.ok(!parse({ ...configMap, metadata: { name: "x", generateName: "x-" } }));
    assert.ok(!parse({ ...configMap, data: { a: "{{ nothing.known }}" } }));
  });
});
