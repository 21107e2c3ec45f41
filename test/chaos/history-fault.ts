/**
 * Faults of the cluster's own history: etcd is put back to an older copy, or forgets what was before now, and the kind is taken away
 * with all its objects and made again. Nothing of it is simulated: what the bridge sees is what the API server makes of it.
 */
import { cp, rm } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { request } from "undici";
import { until } from "../kit/until.ts";
import { type Breakable, type Fault, SHORT_MS, SOME_SECONDS_MS } from "./breakable.ts";
import { partsOf } from "./ledger.ts";

/** What is done before it breaks; answers how that is taken back. */
type Before = (system: Breakable) => Promise<(() => Promise<void>) | undefined>;

/**
 * What else is written in a cluster while our objects are: without it the versions would soon be where they were before the restore,
 * because a starting API server writes some hundred by itself, and the writer goes on before the bridge has had a look. A restore
 * after which more was written than it had undone cannot be told from a resourceVersion.
 */
const WRITES_ELSEWHERE = 6_000;
const WRITES_AT_ONCE = 16;
const ELSEWHERE_KEY = "/elsewhere";

/** By name. */
export const HISTORY_FAULTS = {
  "etcd-restored": restored("etcd is put back to an older copy", async () => undefined),
  "etcd-restored-bridge-away": restored("etcd is put back to an older copy while no bridge runs", killBridges),
  "etcd-compacted": {
    about: "etcd forgets its history while the bridges are away or hear nothing, and the API server is started again",
    cutsHistory: true,
    async play(system, random) {
      const { bridge, kube, kubeProxy } = system;
      const isAway = random.next() < 0.5;
      if (isAway) await bridge.kill("SIGKILL");
      else kubeProxy.set({ type: "stall" });
      await delay(random.between(...SOME_SECONDS_MS));
      const revision = await revisionOf(kube.etcd.url);
      await etcd(kube.etcd.url, "kv/compaction", { revision, physical: true });
      await kube.kill("SIGKILL");
      await kube.restart();
      const mendedMs = Date.now();
      kubeProxy.set({ type: "pass" });
      if (isAway) await bridge.restart();
      return mendedMs;
    },
  },
  "crd-recreated": recreated("the kind is deleted with all its objects, and made again", async () => undefined),
  "crd-recreated-bridge-away": recreated(
    "the kind is deleted with all its objects, and made again, while no bridge runs",
    killBridges,
  ),
} as const satisfies Readonly<Record<string, Fault>>;

/** Answers how they are started again. */
async function killBridges({ bridge }: Breakable): Promise<() => Promise<void>> {
  await bridge.kill("SIGKILL");
  return () => bridge.restart();
}

function restored(about: string, before: Before): Fault {
  return {
    about,
    cutsHistory: true,
    async play(system, random) {
      const { kube, orderWriter, losses } = system;
      const copy = `${kube.etcd.dataDir}-copy`;
      const fromMs = Date.now();
      // What is written has left etcd with its last system call: a stopped process leaves what a crash would.
      await kube.etcd.kill("SIGSTOP");
      await cp(kube.etcd.dataDir, copy, { recursive: true });
      await kube.etcd.kill("SIGCONT");
      await untilFarBehind(system);
      await delay(random.between(...SHORT_MS));
      const restart = await before(system);
      if (restart !== undefined) await delay(random.between(...SHORT_MS));
      await orderWriter("pause");
      await kube.kill("SIGKILL");
      await kube.etcd.kill("SIGKILL");
      await rm(kube.etcd.dataDir, { recursive: true });
      await cp(copy, kube.etcd.dataDir, { recursive: true });
      await rm(copy, { recursive: true });
      losses.restores.push({ fromMs, toMs: Date.now() });
      await kube.etcd.restart();
      await kube.restart();
      await orderWriter("reread");
      if (restart !== undefined) await delay(random.between(...SHORT_MS));
      const mendedMs = Date.now();
      await restart?.();
      return mendedMs;
    },
  };
}

/** Writes elsewhere until the log knows of versions that a restored etcd is far from. */
async function untilFarBehind({ kube, log }: Breakable): Promise<void> {
  const { url } = kube.etcd;
  const key = base64(ELSEWHERE_KEY);
  const goal = BigInt(await revisionOf(url)) + BigInt(WRITES_ELSEWHERE);
  const writeSome = async () => {
    for (let count = 0; count < WRITES_ELSEWHERE / WRITES_AT_ONCE; count++)
      await etcd(url, "kv/put", { key, value: base64(String(count)) });
  };
  await Promise.all(Array.from({ length: WRITES_AT_ONCE }, writeSome));
  const isFar = () => BigInt(partsOf(BigInt(log.events.at(-1)?.envelope.sequence ?? 0)).resourceVersion) > goal;
  await until(isFar, { what: `the log knows a version behind ${goal}` });
}

function recreated(about: string, before: Before): Fault {
  return {
    about,
    cutsHistory: true,
    async play(system, random) {
      const restart = await before(system);
      await system.orderWriter("remove kind");
      await delay(random.between(...SOME_SECONDS_MS));
      const mendedMs = Date.now();
      await system.orderWriter("make kind");
      if (restart !== undefined) await delay(random.between(...SHORT_MS));
      await restart?.();
      return mendedMs;
    },
  };
}

/** etcd's own, the one that resourceVersions are made of. */
async function revisionOf(url: string): Promise<string> {
  const { header } = await etcd<{ header: { revision: string } }>(url, "kv/range", { key: base64(ELSEWHERE_KEY) });
  return header.revision;
}

/** A request of etcd's API in JSON. Source: etcd.io/docs, "Why gRPC gateway". */
async function etcd<T>(url: string, path: string, body: object): Promise<T> {
  const answer = await request(`${url}/v3/${path}`, { method: "POST", body: JSON.stringify(body) });
  const text = await answer.body.text();
  if (answer.statusCode === 200) return JSON.parse(text) as T;
  throw new Error(`etcd answers ${answer.statusCode} to ${path}: ${text}`);
}

const base64 = (text: string): string => Buffer.from(text).toString("base64");
