/**
 * The calls of @kubernetes/client-node, as a user's own program makes them with the server's kubeconfig.
 * Source: kubernetes-client/javascript, README and examples.
 */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import {
  ApiException,
  ApiextensionsV1Api,
  CoordinationV1Api,
  CoreV1Api,
  CustomObjectsApi,
  KubeConfig,
  KubernetesObjectApi,
  makeInformer,
  PatchStrategy,
  setHeaderOptions,
  V1MicroTime,
  Watch,
} from "@kubernetes/client-node";
import { database, databasePath } from "../../../kit/database-crd.ts";
import type { KubeObject } from "../../../kit/kube-client.ts";
import { until } from "../../../kit/until.ts";
import { conform, type Open } from "./target.ts";
import { uniqueName } from "./widget.ts";

const KIND = { apiVersion: "demo.example.com/v1", kind: "Database" };
const OF_DATABASES = { group: "demo.example.com", version: "v1", plural: "databases" };

/** Without a content type the library sends a JSON patch. */
const MERGE = setHeaderOptions("Content-Type", PatchStrategy.MergePatch);

interface Session {
  readonly config: KubeConfig;
  readonly namespace: string;
}

/** The library's configuration, and a namespace of this test's own. */
async function openSession(t: TestContext, open: Open): Promise<Session | undefined> {
  const target = await open(t);
  if (target === undefined) return undefined;
  const config = new KubeConfig();
  config.loadFromFile(target.kubeconfigPath);
  const namespace = uniqueName("client-node");
  await config.makeApiClient(CoreV1Api).createNamespace({ body: { metadata: { name: namespace } } });
  return { config, namespace };
}

async function codeOf(call: Promise<unknown>): Promise<number> {
  const error: unknown = await call.catch((reason: unknown) => reason);
  assert.ok(error instanceof ApiException, `refused was expected: ${String(error)}`);
  return error.code;
}

conform("client-node", (open) => {
  const testWith = (name: string, run: (session: Session, t: TestContext) => Promise<void>) =>
    test(name, async (t) => {
      const session = await openSession(t, open);
      if (session !== undefined) await run(session, t);
    });

  testWith("writes and reads custom objects", async ({ config, namespace }) => {
    const api = config.makeApiClient(CustomObjectsApi);
    const all = { ...OF_DATABASES, namespace };
    const one = { ...all, name: "one" };
    const created: KubeObject = await api.createNamespacedCustomObject({ ...all, body: database("one", namespace) });
    assert.deepEqual([created.kind, created.metadata.generation], ["Database", 1]);
    assert.equal(await codeOf(api.createNamespacedCustomObject({ ...all, body: database("one", namespace) })), 409);
    assert.deepEqual(await api.getNamespacedCustomObject(one), created);
    const patched: KubeObject = await api.patchNamespacedCustomObject(
      { ...one, body: { spec: { replicas: 2 } } },
      MERGE,
    );
    assert.equal(patched["spec"].replicas, 2);
    const byOperations: KubeObject = await api.patchNamespacedCustomObject({
      ...one,
      body: [{ op: "replace", path: "/spec/replicas", value: 3 }],
    });
    assert.equal(byOperations["spec"].replicas, 3);
    const body = { ...byOperations, spec: { ...byOperations["spec"], replicas: 4 } };
    const replaced: KubeObject = await api.replaceNamespacedCustomObject({ ...one, body });
    assert.deepEqual([replaced["spec"].replicas, replaced.metadata.generation], [4, 4]);
    assert.equal(await codeOf(api.replaceNamespacedCustomObject({ ...one, body })), 409);
    const told: KubeObject = await api.patchNamespacedCustomObjectStatus(
      { ...one, body: { status: { phase: "Running" } } },
      MERGE,
    );
    assert.deepEqual([told["status"], told.metadata.generation], [{ phase: "Running" }, 4]);
    const { items } = await api.listNamespacedCustomObject(all);
    assert.deepEqual(items, [told]);
    const everywhere = await api.listClusterCustomObject({
      ...OF_DATABASES,
      fieldSelector: `metadata.namespace=${namespace}`,
    });
    assert.deepEqual(everywhere.items, [told]);
    await api.deleteNamespacedCustomObject(one);
    assert.equal(await codeOf(api.getNamespacedCustomObject(one)), 404);
  });

  testWith("learns what is wrong with an object", async ({ config, namespace }) => {
    const api = config.makeApiClient(CustomObjectsApi);
    const { spec, ...rest } = database("one", namespace);
    const body = { ...rest, spec: { ...spec, replicas: 10 } };
    const error: unknown = await api
      .createNamespacedCustomObject({ ...OF_DATABASES, namespace, body })
      .catch((reason: unknown) => reason);
    assert.ok(error instanceof ApiException);
    assert.equal(error.code, 422);
    assert.match(String(error.body), /spec\.replicas.*less than or equal to 9/);
  });

  testWith("writes and reads config maps, secrets and events", async ({ config, namespace }) => {
    const api = config.makeApiClient(CoreV1Api);
    assert.equal((await api.readNamespace({ name: namespace })).status?.phase, "Active");
    const map = { metadata: { name: "one", labels: { a: "b" } }, data: { key: "value" } };
    await api.createNamespacedConfigMap({ namespace, body: map });
    const merged = await api.patchNamespacedConfigMap(
      { name: "one", namespace, body: { data: { other: "value" } } },
      setHeaderOptions("Content-Type", PatchStrategy.StrategicMergePatch),
    );
    assert.deepEqual(merged.data, { key: "value", other: "value" });
    const { items } = await api.listNamespacedConfigMap({ namespace, labelSelector: "a=b" });
    assert.deepEqual(
      items.map(({ metadata, data }) => ({ metadata, data })),
      [{ metadata: merged.metadata, data: merged.data }],
    );
    await api.createNamespacedSecret({ namespace, body: { metadata: { name: "one" }, stringData: { key: "value" } } });
    assert.deepEqual((await api.readNamespacedSecret({ name: "one", namespace })).data, { key: "dmFsdWU=" });
    const involvedObject = { apiVersion: "demo.example.com/v1", kind: "Database", name: "one", namespace };
    const event = { metadata: { name: "one" }, involvedObject, reason: "Failed", message: "told", type: "Warning" };
    await api.createNamespacedEvent({ namespace, body: event });
    const fieldSelector = "involvedObject.name=one,reason=Failed";
    const events = (await api.listNamespacedEvent({ namespace, fieldSelector })).items;
    assert.deepEqual(
      events.map(({ message }) => message),
      ["told"],
    );
    const { status } = await api.deleteNamespacedConfigMap({ name: "one", namespace });
    assert.equal(status, "Success");
    assert.equal(await codeOf(api.readNamespacedConfigMap({ name: "one", namespace })), 404);
  });

  testWith("takes and renews a lease, which only one can", async ({ config, namespace }) => {
    const api = config.makeApiClient(CoordinationV1Api);
    const at = { name: "leader", namespace };
    const spec = { holderIdentity: "a", leaseDurationSeconds: 15, acquireTime: new V1MicroTime(), leaseTransitions: 0 };
    const lease = await api.createNamespacedLease({ namespace, body: { metadata: { name: "leader" }, spec } });
    assert.equal(String(lease.spec?.acquireTime), JSON.parse(JSON.stringify(spec.acquireTime))); // to the microsecond
    const taken = { ...lease, spec: { ...lease.spec, holderIdentity: "b", leaseTransitions: 1 } };
    await api.replaceNamespacedLease({ ...at, body: taken });
    const late = { ...lease, spec: { ...lease.spec, holderIdentity: "c" } };
    assert.equal(await codeOf(api.replaceNamespacedLease({ ...at, body: late })), 409);
    assert.equal((await api.readNamespacedLease(at)).spec?.holderIdentity, "b");
  });

  testWith("installs a definition, waits until its kind is served, and removes it", async ({ config }) => {
    const api = config.makeApiClient(ApiextensionsV1Api);
    const group = `${uniqueName("client-node")}.example.com`;
    const name = `gems.${group}`;
    const schema = { openAPIV3Schema: { type: "object", x_kubernetes_preserve_unknown_fields: true } };
    const created = await api.createCustomResourceDefinition({
      body: {
        metadata: { name },
        spec: {
          group,
          scope: "Namespaced",
          names: { plural: "gems", kind: "Gem" },
          versions: [{ name: "v1", served: true, storage: true, schema }],
        },
      },
    });
    assert.deepEqual([created.spec.names.singular, created.spec.names.listKind], ["gem", "GemList"]);
    await until(async () => {
      const { status } = await api.readCustomResourceDefinition({ name });
      return status?.conditions?.some(({ type, status: is }) => type === "Established" && is === "True") ?? false;
    });
    const { items } = await api.listCustomResourceDefinition();
    assert.ok(items.some(({ metadata }) => metadata?.name === name));
    await api.deleteCustomResourceDefinition({ name });
    const isGone = async () =>
      await api.readCustomResourceDefinition({ name }).then(
        () => false,
        (error: unknown) => error instanceof ApiException && error.code === 404,
      );
    await until(isGone);
  });

  testWith("handles objects of any kind by what they say of themselves", async ({ config, namespace }) => {
    const api = KubernetesObjectApi.makeApiClient(config);
    const one = database("one", namespace);
    const created = await api.create(one);
    assert.equal(created.spec.replicas, 1);
    const wanted = { ...one, spec: { engine: one.spec.engine, replicas: 5 } };
    const apply = (manager: string, force?: boolean) =>
      api.patch(wanted, undefined, undefined, manager, force, PatchStrategy.ServerSideApply);
    assert.equal(await codeOf(apply("client-node-test")), 409);
    const applied: KubeObject = { ...(await apply("client-node-test", true)), metadata: { name: "one" } };
    assert.equal(applied["spec"].replicas, 5);
    const merge = { ...KIND, metadata: { name: "one", namespace }, spec: { replicas: 6 } };
    await api.patch(merge, undefined, undefined, undefined, undefined, PatchStrategy.MergePatch);
    const read = await api.read({ ...KIND, metadata: { name: "one", namespace } });
    assert.equal((read as KubeObject)["spec"].replicas, 6);
    const { items } = await api.list(KIND.apiVersion, KIND.kind, namespace);
    assert.deepEqual(
      items.map(({ metadata }) => metadata?.name),
      ["one"],
    );
    await api.delete({ ...KIND, metadata: { name: "one", namespace } });
    assert.equal(await codeOf(api.read({ ...KIND, metadata: { name: "one", namespace } })), 404);
  });

  testWith("watches", async ({ config, namespace }, t) => {
    const api = config.makeApiClient(CustomObjectsApi);
    const told: string[] = [];
    const tell = (type: string, object: KubeObject) => told.push(`${type} ${object.metadata.name}`);
    const watching = await new Watch(config).watch(databasePath(namespace), {}, tell, () => undefined);
    t.after(() => watching.abort());
    const one = { ...OF_DATABASES, namespace, name: "one" };
    await api.createNamespacedCustomObject({ ...OF_DATABASES, namespace, body: database("one", namespace) });
    await api.patchNamespacedCustomObject({ ...one, body: { spec: { replicas: 2 } } }, MERGE);
    await api.deleteNamespacedCustomObject(one);
    await until(() => told.length === 3);
    assert.deepEqual(told, ["ADDED one", "MODIFIED one", "DELETED one"]);
  });

  testWith("keeps an informer up to date", async ({ config, namespace }, t) => {
    const api = config.makeApiClient(CustomObjectsApi);
    const all = { ...OF_DATABASES, namespace };
    await api.createNamespacedCustomObject({ ...all, body: database("old", namespace) });
    const informer = makeInformer<KubeObject>(config, databasePath(namespace), () =>
      api.listNamespacedCustomObject(all),
    );
    const told: string[] = [];
    for (const verb of ["add", "update", "delete"] as const)
      informer.on(verb, ({ metadata }) => told.push(`${verb} ${metadata.name}`));
    informer.on("error", (error: unknown) => told.push(`error ${String(error)}`));
    await informer.start();
    t.after(() => informer.stop());
    await until(() => told.length === 1);
    await api.createNamespacedCustomObject({ ...all, body: database("new", namespace) });
    await api.patchNamespacedCustomObject({ ...all, name: "old", body: { spec: { replicas: 2 } } }, MERGE);
    await api.deleteNamespacedCustomObject({ ...all, name: "new" });
    await until(() => told.length >= 4);
    assert.deepEqual(told, ["add old", "add new", "update old", "delete new"]);
    assert.deepEqual(
      informer.list(namespace).map(({ metadata }) => metadata.name),
      ["old"],
    );
  });
});
