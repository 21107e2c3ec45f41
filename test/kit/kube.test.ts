/** What the kit promises about the real kube-apiserver: users and their rights, the kind Database, restarts, feature gates. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { parse } from "yaml";
import { isAlive } from "./data-folder.ts";
import { database, databasePath } from "./database-crd.ts";
import type { KubeAccess } from "./kube-access.ts";
import { kubeClient } from "./kube-client.ts";
import { mintUser, needKube, sharedKube, uniqueNamespace } from "./shared-kube.ts";
import { until } from "./until.ts";

const users: { name: string; token: (kube: KubeAccess) => string; expected: number }[] = [
  { name: "the admin may list", token: (kube) => kube.adminToken, expected: 200 },
  { name: "the restricted user may not", token: (kube) => kube.token("restricted"), expected: 403 },
  { name: "an unknown token is nobody's", token: () => "unknown", expected: 401 },
];

for (const { name, token, expected } of users) {
  test(name, async (t) => {
    const kube = await sharedKube(t);
    if (kube === undefined) return;
    const namespace = await uniqueNamespace(kube);
    const client = kubeClient({ ...kube, token: token(kube) });
    const listed = client.list(databasePath(namespace));
    if (expected === 200) assert.deepEqual(await listed, []);
    else await assert.rejects(listed, { code: "KUBE_STATUS", status: expected });
  });
}

test("a minted user may do what a test grants, and nothing else", async (t) => {
  const kube = await sharedKube(t);
  if (kube === undefined) return;
  const namespace = await uniqueNamespace(kube);
  const { user, token } = await mintUser(kube, namespace);
  const client = kubeClient({ ...kube, token });
  await assert.rejects(client.list(databasePath(namespace)), { status: 403 });
  const rbac = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}`;
  const rules = [{ apiGroups: ["demo.example.com"], resources: ["databases"], verbs: ["list"] }];
  await kube.client.create(`${rbac}/roles`, { metadata: { name: "lister" }, rules });
  const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "lister" };
  const subjects = [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: user }];
  await kube.client.create(`${rbac}/rolebindings`, { metadata: { name: "lister" }, roleRef, subjects });
  // The server learns of its own role bindings through a watch, so a moment later.
  await until(() =>
    client.list(databasePath(namespace)).then(
      () => true,
      () => false,
    ),
  );
  await assert.rejects(client.create(databasePath(namespace), database("a", namespace)), { status: 403 });
});

const objects: { name: string; spec: object; status?: object; expected: 201 | 422 }[] = [
  { name: "a small postgres", spec: {}, expected: 201 },
  { name: "nine replicas", spec: { replicas: 9 }, expected: 201 },
  { name: "ten replicas", spec: { replicas: 10 }, expected: 422 },
  { name: "no replicas", spec: { replicas: 0 }, expected: 422 },
  { name: "an engine of another kind", spec: { engine: "oracle" }, expected: 422 },
  { name: "a version that is a number", spec: { version: 17 }, expected: 422 },
  { name: "a known phase", spec: {}, status: { phase: "Failed", message: "disk full" }, expected: 201 },
  { name: "an unknown phase", spec: {}, status: { phase: "Gone" }, expected: 422 },
  {
    name: "one condition of a type twice",
    spec: {},
    status: {
      conditions: [
        { type: "Ready", status: "True" },
        { type: "Ready", status: "False" },
      ],
    },
    expected: 422,
  },
];

for (const { name, spec, status, expected } of objects) {
  test(`a Database with ${name} is ${expected === 201 ? "accepted" : "refused"}`, async (t) => {
    const kube = await sharedKube(t);
    if (kube === undefined) return;
    const namespace = await uniqueNamespace(kube);
    const written = kube.client
      .create(databasePath(namespace), {
        ...database("a", namespace),
        spec: { ...database("a", namespace).spec, ...spec },
      })
      .then((created) =>
        status ? kube.client.patch(databasePath(namespace, "a"), { status }, { subresource: "status" }) : created,
      );
    if (expected === 422) await assert.rejects(written, { status: 422, reason: "Invalid" });
    else assert.deepEqual((await written)["status"], status);
  });
}

test("the client patches status as a field manager, replaces with a precondition, and deletes", async (t) => {
  const kube = await sharedKube(t);
  if (kube === undefined) return;
  const namespace = await uniqueNamespace(kube);
  const path = databasePath(namespace, "a");
  const { client } = kube;
  const created = await client.create(databasePath(namespace), database("a", namespace));
  const failed = await client.patch(
    path,
    { status: { phase: "Failed" } },
    { subresource: "status", fieldManager: "operator" },
  );
  const managers = failed.metadata["managedFields"] as { manager: string; subresource?: string }[];
  assert.deepEqual(
    managers.map(({ manager, subresource }) => [manager, subresource]),
    [
      ["cr-reactor-test", undefined],
      ["operator", "status"],
    ],
  );
  await assert.rejects(client.replace(path, { ...created, spec: { engine: "mysql" } }), {
    status: 409,
    reason: "Conflict",
  });
  assert.equal((await client.replace(path, { ...failed, spec: { engine: "mysql" } }))["spec"].engine, "mysql");
  await client.delete(path);
  assert.equal(await client.waitFor(path, (object) => object === undefined), undefined);
  await assert.rejects(
    client.waitFor(path, (object) => object !== undefined, { waitMsMax: 10 }),
    /did not hold within/,
  );
});

test("a kubeconfig has a context for each user", async (t) => {
  const kube = await sharedKube(t);
  if (kube === undefined) return;
  const config = parse(kube.kubeconfig("restricted"));
  const names = config.contexts.map((context: { name: string }) => context.name);
  assert.deepEqual([config["current-context"], names], ["restricted", ["admin", "restricted"]]);
  assert.throws(() => kube.token("nobody"), /no user "nobody"; there are admin, restricted/);
});

test("kube-apiserver keeps its objects, port and certificate over a kill and a restart, and ends with its etcd", async (t) => {
  const kube = await needKube(t, { featureGates: { WatchList: false }, users: { guest: ["visitors"] } });
  if (kube === undefined) return;
  const path = "/api/v1/namespaces/kept";
  const { metadata } = await kube.client.createNamespace("kept");
  const pids = [kube.pid, kube.etcd.pid];
  await kube.kill();
  await assert.rejects(kube.client.get(path), { code: "ECONNREFUSED" });
  await kube.restart();
  assert.equal((await kube.client.get(path)).metadata.uid, metadata.uid);
  assert.notEqual(kube.pid, pids[0]);
  assert.equal(kube.etcd.pid, pids[1]);

  // The feature gate reached the server: a streaming list is refused.
  const streaming =
    "/api/v1/namespaces?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&timeoutSeconds=1";
  await assert.rejects(kube.client.get(streaming), { status: 422 });
  const guest = kubeClient({ ...kube, token: kube.token("guest") });
  await assert.rejects(guest.get(path), /User "guest" cannot get/);

  const last = [kube.pid ?? 0, kube.etcd.pid ?? 0];
  await kube.stop();
  assert.deepEqual(last.map(isAlive), [false, false]);
});
