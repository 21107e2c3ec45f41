/**
 * An etcd that is restored from a backup, under a running and under a stopped bridge: the log tells what is there now, and
 * nothing that is not. Once with a real etcd whose data folder is put back, once with the embedded API server.
 */
import assert from "node:assert/strict";
import { cpSync, rmSync } from "node:fs";
import { describe, type TestContext, test } from "node:test";
import { opOf } from "../../bridge/contract.ts";
import { database, databaseCrd, databasePath } from "../kit/database-crd.ts";
import { openEmbedded } from "../kit/embedded-kube.ts";
import type { KubeClient } from "../kit/kube-client.ts";
import { needKube } from "../kit/shared-kube.ts";
import { until } from "../kit/until.ts";
import { startJourney } from "./rig.ts";

const DATABASES = [{ apiVersion: "demo.example.com/v1", kind: "Database", namespaces: ["default"] }];
/** More than a starting API server writes by itself: else the versions would not have gone back. */
const WRITES_ELSEWHERE = 300;

/** A cluster whose etcd can be backed up and restored. */
interface Restorable {
  readonly client: KubeClient;
  readonly kubeconfigPath: string;
  backUp(): Promise<() => Promise<void>>;
  /** Forgets the history. */
  compact(): Promise<void>;
}

async function embedded(t: TestContext): Promise<Restorable> {
  const { server, client, kubeconfigPath } = await openEmbedded(t);
  const backUp = async () => {
    const version = server.resourceVersion;
    return async () => server.restore(version);
  };
  return { client, kubeconfigPath, backUp, compact: async () => server.compact() };
}

async function real(t: TestContext): Promise<Restorable | undefined> {
  const kube = await needKube(t);
  if (kube === undefined) return undefined;
  const { etcd, client, kubeconfigPath } = kube;
  await client.applyCrd(databaseCrd);
  const copy = `${etcd.dataDir}-backup`;
  const whileDown = async (work: () => void) => {
    await kube.kill();
    await etcd.kill("SIGTERM");
    work();
    await etcd.restart();
    await kube.restart();
  };
  const backUp = async () => {
    await whileDown(() => cpSync(etcd.dataDir, copy, { recursive: true }));
    return () =>
      whileDown(() => {
        rmSync(etcd.dataDir, { recursive: true });
        cpSync(copy, etcd.dataDir, { recursive: true });
      });
  };
  return { client, kubeconfigPath, backUp, compact: () => kube.restart() };
}

async function openScene(t: TestContext, open: (t: TestContext) => Promise<Restorable | undefined>) {
  const cluster = await open(t);
  const journey = cluster && (await startJourney(t));
  if (cluster === undefined || journey === undefined) return undefined;
  const { client, kubeconfigPath, backUp, compact } = cluster;
  const path = (name?: string) => databasePath("default", name);
  const events = async () =>
    (await journey.events()).map((envelope) => {
      const { gap, object } = envelope.data;
      const epoch = /\.e(\d+)$/.exec(envelope.id)?.[1] ?? "1";
      const replicas = (object["spec"] as { replicas?: number }).replicas;
      return `${envelope.name} ${opOf(envelope)} ${replicas}${gap ? " gap" : ""} in ${epoch}`;
    });
  return {
    backUp,
    compact,
    startBridge: () => journey.startBridge({ resources: DATABASES, kubernetes: { kubeconfig: kubeconfigPath } }),
    create: (name: string) => client.create(path(), database(name, "default", { replicas: 1 })),
    scale: (name: string, replicas: number) => client.patch(path(name), { spec: { replicas } }),
    remove: (name: string) => client.delete(path(name)),
    async writeElsewhere() {
      const configMaps = "/api/v1/namespaces/default/configmaps";
      for (let count = 0; count < WRITES_ELSEWHERE; count++)
        await client.create(configMaps, { metadata: { generateName: "elsewhere-" } });
    },
    /** NATS loses the log and the checkpoints. */
    async wipeLog() {
      const { nats } = journey;
      await nats.kill("SIGTERM");
      rmSync(nats.storeDir, { recursive: true });
      await nats.restart();
    },
    events,
    told: (event: string | RegExp) =>
      until(
        async () => (await events()).some((each) => (typeof event === "string" ? each === event : event.test(each))),
        {
          what: `the log to have "${event}"`,
          waitMsMax: 60_000,
        },
      ),
  };
}

/**
 * Starts the bridge on a cluster that has gone on since its backup: `kept` is as in it, `scaled` went on, `gone` was deleted, `new` was
 * made. The backup comes first, because a real one takes the API server down, and the bridge would wait longer each time.
 */
async function live(scene: NonNullable<Awaited<ReturnType<typeof openScene>>>) {
  const { backUp, create, scale, remove, writeElsewhere, startBridge, told } = scene;
  for (const name of ["kept", "scaled", "gone"]) await create(name);
  const restore = await backUp();
  const bridge = await startBridge();
  await told("gone existing 1 in 1");
  await scale("scaled", 5);
  await remove("gone");
  await writeElsewhere();
  await create("new");
  await told("new created 1 in 1");
  return { bridge, restore };
}

/** Connections are cut by a restore. */
const isDone = [() => true, () => false] as const;

/** What a restore changes, in any order: it is one comparison. */
const RESTORED = ["gone created 1 gap in 2", "new deleted 1 gap in 2", "scaled updated 1 gap in 2"];

test("a log that is wiped after a restore goes on in the epoch that it was in: no id is given a second time", async (t) => {
  const scene = await openScene(t, embedded);
  if (scene === undefined) return;
  const { scale, wipeLog, events, told } = scene;
  const { restore } = await live(scene);
  await restore();
  for (const event of RESTORED) await told(event);
  await wipeLog();
  await told(/^kept existing/);
  await scale("kept", 3);
  await told(/^kept updated 3/);
  const after = ["gone existing 1 gap in 2", "kept existing 1 gap in 2", "scaled existing 1 gap in 2"];
  assert.deepEqual((await events()).toSorted(), [...after, "kept updated 3 in 2"].toSorted());
});

test("an etcd that is restored, and has passed the newest version that the bridge knew, is found by the next list", async (t) => {
  const scene = await openScene(t, embedded);
  if (scene === undefined) return;
  const { writeElsewhere, startBridge, events, told, compact } = scene;
  const { bridge, restore } = await live(scene);
  await bridge.stop();
  await restore();
  await until(() => writeElsewhere().then(...isDone), { what: "the API server to take writes again" });
  await writeElsewhere(); // what was undone took as many versions
  await compact(); // as \`etcdutl snapshot restore --mark-compacted\` does
  await startBridge();
  for (const event of RESTORED) await told(event);
  assert.deepEqual((await events()).slice(6).toSorted(), RESTORED);
});

for (const [title, open] of [["a real etcd", real] as const, ["the embedded API server's storage", embedded] as const])
  describe(`${title} that is restored from a backup`, () => {
    test("under a running bridge is noticed, and the log follows it", async (t) => {
      const scene = await openScene(t, open);
      if (scene === undefined) return;
      const { scale, events, told } = scene;
      const { bridge, restore } = await live(scene);
      const before = (await events()).length;
      await restore();
      for (const event of RESTORED) await told(event);
      assert.deepEqual((await events()).slice(before).toSorted(), RESTORED);
      await scale("kept", 3);
      await told("kept updated 3 in 2");
      assert.match(bridge.logTail(), /etcd was restored from a backup/);
    });

    test("under a stopped bridge is noticed at its start, and not again at the next", async (t) => {
      const scene = await openScene(t, open);
      if (scene === undefined) return;
      const { startBridge, scale, events, told } = scene;
      const { bridge: first, restore } = await live(scene);
      const before = (await events()).length;
      await first.stop();
      await restore();
      const second = await startBridge();
      for (const event of RESTORED) await told(event);
      assert.deepEqual((await events()).slice(before).toSorted(), RESTORED);
      await scale("kept", 3);
      await told("kept updated 3 in 2");
      await second.stop();
      const after = await events();
      const third = await startBridge();
      assert.doesNotMatch(third.logTail(), /etcd was restored/);
      await scale("kept", 4);
      await told("kept updated 4 in 2");
      assert.deepEqual(await events(), [...after, "kept updated 4 in 2"]);
    });
  });
