/**
 * Label and field selectors: an object that leaves its selection is unselected, not deleted, and existing when it comes back; live, while
 * the bridge is down, and when the history is gone. On the real API server; the embedded one where history has to be forgotten.
 */
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { database, databasePath } from "../kit/database-crd.ts";
import { openEmbedded } from "../kit/embedded-kube.ts";
import type { KubeClient } from "../kit/kube-client.ts";
import { sharedKube, uniqueNamespace } from "../kit/shared-kube.ts";
import { until } from "../kit/until.ts";
import { openBridgeScene } from "./bridge-scene.ts";

const GOLD = { labelSelector: "tier in (gold),!canary" };

async function openScene(t: TestContext, client: KubeClient, kubeconfigPath: string, namespace: string) {
  const bridges = await openBridgeScene(t, kubeconfigPath);
  if (bridges === undefined) return undefined;
  const path = (name?: string) => databasePath(namespace, name);
  const short = (events: readonly string[]) => events.map((event) => event.replace(`${namespace}/`, ""));
  return {
    ...bridges,
    start: () =>
      bridges.startBridge({
        resources: [{ apiVersion: "demo.example.com/v1", kind: "Database", namespaces: [namespace], ...GOLD }],
      }),
    events: async () => short(await bridges.events()),
    told: (event: string) => bridges.told(`${namespace}/${event}`),
    create: (name: string, tier: string) => {
      const object = database(name, namespace);
      return client.create(path(), { ...object, metadata: { ...object.metadata, labels: { tier } } });
    },
    /** With a change of its spec, which nobody is told when it is outside. */
    move: (name: string, tier: string, replicas: number) =>
      client.patch(path(name), { metadata: { labels: { tier } }, spec: { replicas } }),
    remove: (name: string) => client.delete(path(name)),
    age: (name: string) =>
      until(
        async () =>
          Date.now() - Date.parse(String((await client.get(path(name))).metadata["creationTimestamp"])) > 2_000,
      ),
  };
}

const real = async (t: TestContext) => {
  const kube = await sharedKube(t);
  return kube && (await openScene(t, kube.client, kube.kubeconfigPath, await uniqueNamespace(kube)));
};

describe("an object that leaves the selection", () => {
  test("is unselected, comes back as existing, and is deleted only while it is selected", async (t) => {
    const scene = await real(t);
    if (scene === undefined) return;
    const { start, create, move, remove, age, told, events, envelopes } = scene;
    const bridge = start();
    await bridge.live(1);
    await create("one", "gold");
    await create("two", "gold");
    await create("outside", "tin");
    await told("two created");
    await move("one", "tin", 3);
    await told("one unselected");
    await move("one", "tin", 4);
    await move("one", "gold", 5);
    await told("one existing");
    await move("one", "gold", 6);
    await told("one updated");
    await remove("one");
    await told("one deleted");
    await move("two", "tin", 2);
    await told("two unselected");
    await remove("two");
    await age("outside");
    await move("outside", "gold", 2);
    await told("outside existing");
    await bridge.stop();
    assert.deepEqual(await events(), [
      "one created",
      "two created",
      "one unselected",
      "one existing",
      "one updated replace /spec/replicas",
      "one deleted",
      "two unselected",
      "outside existing",
    ]);
    const [first, , left, back] = await envelopes();
    assert.deepEqual(left?.data.object.spec, first?.data.object.spec); // the last state that was selected
    assert.ok(left && back && left.sequence < back.sequence);
    assert.match(left.id, /^[^.]+\.\d+\.unselected$/);
  });

  const meanwhile = async ({ create, move, remove }: NonNullable<Awaited<ReturnType<typeof openScene>>>) => {
    await move("leaves", "tin", 2);
    await move("returns", "tin", 2);
    await move("returns", "gold", 3);
    await move("leaves-and-dies", "tin", 2);
    await remove("leaves-and-dies");
    await remove("dies");
    await move("left", "gold", 3);
    await create("born", "gold");
    await create("born-outside", "tin");
  };
  const begin = async ({ start, create, move, told }: NonNullable<Awaited<ReturnType<typeof openScene>>>) => {
    const bridge = start();
    await bridge.live(1);
    for (const name of ["leaves", "returns", "leaves-and-dies", "dies", "left"]) await create(name, "gold");
    await told("left created");
    await move("left", "tin", 2);
    await told("left unselected");
    await bridge.stop();
  };

  test("is told so after a restart", async (t) => {
    const scene = await real(t);
    if (scene === undefined) return;
    await begin(scene);
    const before = (await scene.events()).length;
    await meanwhile(scene);
    for (const round of ["one", "two"]) {
      const bridge = scene.start();
      await scene.create(round, "gold");
      await scene.told(`${round} created`);
      await bridge.stop();
    }
    assert.deepEqual((await scene.events()).slice(before).toSorted(), [
      "born created",
      "dies deleted",
      "leaves unselected",
      "leaves-and-dies deleted",
      "left existing",
      "one created",
      "returns existing",
      "returns unselected",
      "two created",
    ]);
  });

  test("is told so after a restart without history", async (t) => {
    const { server, client, kubeconfigPath } = await openEmbedded(t);
    await client.createNamespace("shop");
    const scene = await openScene(t, client, kubeconfigPath, "shop");
    if (scene === undefined) return;
    await begin(scene);
    const before = (await scene.events()).length;
    await meanwhile(scene);
    for (const round of ["one", "two"]) {
      server.compact();
      const bridge = scene.start();
      await bridge.live(1);
      await scene.create(round, "gold");
      await scene.told(`${round} created`);
      await bridge.stop();
    }
    const withoutOurs = (await scene.events()).slice(before).filter((event) => !/^(one|two) /.test(event));
    assert.deepEqual(withoutOurs.toSorted(), [
      "born created gap",
      "dies deleted gap",
      "leaves unselected gap",
      "leaves-and-dies deleted gap",
      "left existing gap",
      "returns updated gap replace /spec/replicas",
    ]);
  });
});

test("whether an object was deleted is asked again until there is an answer", async (t) => {
  const { server, client, kubeconfigPath } = await openEmbedded(t);
  await client.createNamespace("shop");
  const scene = await openScene(t, client, kubeconfigPath, "shop");
  if (scene === undefined) return;
  const bridge = scene.start();
  await bridge.live(1);
  await scene.create("leaves", "gold");
  await scene.told("leaves created");
  let refused = 0;
  const effect = { type: "refuse", status: 500, reason: "InternalError" } as const;
  server.faults.add({
    meets: ({ method, path }) => method === "GET" && path.endsWith("/leaves") && ++refused > 0,
    times: 2,
    effect,
  });
  await scene.move("leaves", "tin", 2);
  await scene.told("leaves unselected");
  await bridge.stop();
  assert.ok(refused >= 2);
  assert.deepEqual(await scene.events(), ["leaves created", "leaves unselected"]);
});

describe("a field selector", () => {
  const group = "selector.example.com";
  const tier = { type: "object", properties: { spec: { type: "object", properties: { tier: { type: "string" } } } } };
  const definition = {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `boxes.${group}` },
    spec: {
      group,
      scope: "Namespaced",
      names: { kind: "Box", listKind: "BoxList", plural: "boxes", singular: "box" },
      versions: [
        {
          name: "v1",
          served: true,
          storage: true,
          selectableFields: [{ jsonPath: ".spec.tier" }],
          schema: { openAPIV3Schema: tier },
        },
      ],
    },
  };

  test("selects by a field that the definition allows, and says what to do about any other", async (t) => {
    const kube = await sharedKube(t);
    const bridges = kube && (await openBridgeScene(t, kube.kubeconfigPath));
    if (kube === undefined || bridges === undefined) return;
    const { client } = kube;
    await client.applyCrd(definition);
    const namespace = await uniqueNamespace(kube);
    const path = (name = "") => `/apis/${group}/v1/namespaces/${namespace}/boxes${name && `/${name}`}`;
    const box = { apiVersion: `${group}/v1`, kind: "Box", namespaces: [namespace] };
    const bridge = bridges.startBridge({ resources: [{ ...box, fieldSelector: "spec.tier=gold" }] });
    await bridge.live(1);
    const create = (name: string, tier: string) =>
      client.create(path(), { apiVersion: `${group}/v1`, kind: "Box", metadata: { name }, spec: { tier } });
    await create("tin", "tin");
    await create("gold", "gold");
    await client.patch(path("gold"), { spec: { tier: "tin" } });
    await bridges.told(`${namespace}/gold unselected`);
    await bridge.stop();
    assert.deepEqual(await bridges.events(), [`${namespace}/gold created`, `${namespace}/gold unselected`]);

    const wrong = bridges.startBridge({ resources: [{ ...box, fieldSelector: "spec.size=1" }] });
    await until(() => wrong.problems().length > 0);
    await wrong.stop();
    assert.match(
      wrong.problems()[0] ?? "",
      /boxes\.selector\.example\.com in .*cannot select by the field spec\.size \(400\).*selectableFields/,
    );
  });
});
