/**
 * A cluster that goes on while the bridge is stopped and starts with other settings: Databases in the namespaces a and b of an embedded
 * API server, whose history can be forgotten, and what the log has in the end.
 */
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { database, databaseCrd, databasePath } from "../kit/database-crd.ts";
import { openEmbedded } from "../kit/embedded-kube.ts";
import { type Captured, openBridgeScene } from "./bridge-scene.ts";

/** The hand on the cluster; objects are `namespace/name`. */
type Hand = Scene["hand"];
/** What is done to the cluster. */
export type Work = (hand: Hand) => Promise<unknown>;

/** Which settings follow each other, and what happens in between. */
export interface Play {
  /** Each starts where the one before has stopped. */
  readonly configs: readonly [Captured, ...Captured[]];
  /** Under the first configuration, and told. */
  readonly first?: Work;
  /** Between the first configuration and the second. */
  readonly down?: Work;
  /** The history is forgotten before the last configuration starts. */
  readonly forgets?: boolean;
  /** Under the last configuration. */
  readonly afterwards?: Work;
}

/** Databases in these namespaces, or in all; `v2` and what else is set differ from the defaults. */
export const watching = (namespaces: string, settings: object = {}): Captured => ({
  resources: [
    {
      apiVersion: "demo.example.com/v1",
      kind: "Database",
      ...(namespaces !== "all" && { namespaces: namespaces.split(" ") }),
      ...settings,
    },
  ],
});
const nothing: Work = async () => undefined;
async function openScene(t: TestContext) {
  const { server, client, kubeconfigPath } = await openEmbedded(t);
  const bridges = await openBridgeScene(t, kubeconfigPath);
  if (bridges === undefined) return undefined;
  const [v1] = databaseCrd.spec.versions;
  const versions = [v1, { ...v1, name: "v2", storage: false }];
  await client.applyCrd({ ...databaseCrd, spec: { ...databaseCrd.spec, versions } } as typeof databaseCrd);
  const path = (object: string) => databasePath(...(object.split("/") as [string, string]));
  const status = (object: string, change: object) =>
    client.patch(path(object), { status: change }, { subresource: "status" });
  const hand = {
    create: async (object: string) => {
      const [namespace = "", name = ""] = object.split("/");
      await client.create(databasePath(namespace), database(name, namespace));
    },
    scale: (object: string, replicas: number) => client.patch(path(object), { spec: { replicas } }),
    heartbeat: (object: string) => status(object, { message: "beat" }),
    ready: (object: string, ready: string) => status(object, { conditions: [{ type: "Ready", status: ready }] }),
    remove: (object: string) => client.delete(path(object)),
  };
  for (const namespace of ["a", "b"]) {
    await client.createNamespace(namespace);
    for (const name of ["quiet", "changed", "removed", "beating"]) {
      await hand.create(`${namespace}/${name}`);
      await status(`${namespace}/${name}`, { phase: "Running", conditions: [{ type: "Ready", status: "True" }] });
    }
  }
  return { ...bridges, server, hand };
}

type Scene = NonNullable<Awaited<ReturnType<typeof openScene>>>;

/** Starts the bridge, does the work, and stops it when everything is told. */
async function run({ startBridge, hand, told }: Scene, config: Captured, name: string, work: Work = nothing) {
  const bridge = startBridge(config);
  const entries = config.resources as readonly { kind: string; namespaces?: readonly string[] }[];
  const watches = entries.flatMap(({ namespaces }) => namespaces ?? ["all"]);
  await bridge.live(watches.length);
  await work(hand);
  // A watch tells in order: behind a new object of each namespace there is nothing left.
  const markers = watches.flatMap((namespace) => (namespace === "all" ? ["a", "b"] : [namespace]));
  for (const namespace of entries[0]?.kind === "Database" ? markers : []) {
    await hand.create(`${namespace}/marker-${name}`);
    await told(`${namespace}/marker-${name} created`);
  }
  await bridge.stop();
  assert.ok(
    !bridge.lines.some(({ msg }) => /restored from a backup/.test(msg)),
    "no settings look like a restored etcd",
  );
}

/** The events behind the first configuration's start, without the markers. */
export async function play(t: TestContext, { configs, first, down, forgets, afterwards }: Play) {
  const scene = await openScene(t);
  if (scene === undefined) return undefined;
  const [before, ...later] = configs;
  await run(scene, before, "0");
  const start = (await scene.events()).length;
  if (first) await run(scene, before, "first", first);
  await down?.(scene.hand);
  for (const [index, config] of later.entries()) {
    const isLast = index === later.length - 1;
    if (isLast && forgets) scene.server.compact();
    await run(scene, config, String(index + 1), isLast ? afterwards : undefined);
  }
  return (await scene.events()).slice(start).filter((event) => !event.includes("/marker-"));
}
