/**
 * Latency: from the moment when a write's answer is there to the moment when nats-server has stored its message, at 200 writes a second on a real
 * kube-apiserver; few objects, and many. The watch may be told before the writer is: then it is less than nothing. One peer at a time.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { type Collection, openCollection, type Write } from "../collection.ts";
import { grouped } from "../measure.ts";
import { type Peer, resetStreams, startPeer } from "../peer/peer.ts";
import type { Scenario } from "../scenario.ts";
import { percentile } from "../statistics.ts";
import { eventsBehind, untilStored } from "../stored.ts";

const SIZES = {
  quick: { objects: [200], seconds: 2, warmUp: 100 },
  full: { objects: [1_000, 50_000], seconds: 10, warmUp: 1_000 },
} as const;
const WRITES_PER_SECOND = 200;

/** The scenario. */
export const latency: Scenario = {
  name: "latency",
  about: `from a write's answer to its message, at ${WRITES_PER_SECOND} writes a second on a real kube-apiserver`,
  needs: "all peers",
  async open(stage) {
    const { jetStream, nats } = stage;
    const { objects: counts, seconds, warmUp } = SIZES[stage.size];
    const kube = await stage.kube();
    const groupOf = (objects: number) => `latency${objects}.bench.example.com`;
    const collections: (readonly [number, Collection])[] = [];
    for (const objects of counts)
      collections.push([objects, await openCollection(stage, kube, groupOf(objects), objects)]);
    const latencies = async (peer: Peer, objects: number, collection: Collection) => {
      const task = { kubeconfigPath: kube.kubeconfigPath, natsUrl: nats.url, group: groupOf(objects) };
      await using process = startPeer(peer, task);
      await process.synced;
      await untilStored(jetStream, peer, objects);
      await writeEvenly(collection, warmUp); // what runs for the first time is compiled then
      const before = await untilStored(jetStream, peer, objects + warmUp);
      const writes = await writeEvenly(collection, seconds * WRITES_PER_SECOND);
      await untilStored(jetStream, peer, before + writes.length);
      const stored = new Map<string, number>();
      for (const { key, storedAtMs } of await eventsBehind(jetStream, peer, before)) stored.set(key, storedAtMs);
      const missing = writes.filter(({ key }) => !stored.has(key)).length;
      if (missing > 0) stage.progress(`${peer.name} has lost ${missing} of ${writes.length} writes`);
      const sorted = writes
        .flatMap(({ key, acknowledgedAtMs }) => {
          const at = stored.get(key);
          return at === undefined ? [] : [at - acknowledgedAtMs];
        })
        .toSorted((one, other) => one - other);
      const acknowledged = writes.map(({ acknowledgedAtMs }) => acknowledgedAtMs).toSorted((one, other) => one - other);
      const rate = writes.length / (((acknowledged.at(-1) ?? 0) - (acknowledged[0] ?? 0)) / 1000);
      return { sorted, rate };
    };
    return {
      async round({ peers, tell, attempt }) {
        for (const [objects, collection] of collections)
          for (const peer of peers)
            await attempt(peer, async () => {
              stage.progress(`${peer.name}, ${objects} objects`);
              await resetStreams(jetStream, peers);
              const { sorted, rate } = await latencies(peer, objects, collection);
              const work = `${grouped(objects)} objects`;
              tell(work, "p50", "ms", peer.name, percentile(sorted, 50));
              tell(work, "p99", "ms", peer.name, percentile(sorted, 99));
              tell(work, "max", "ms", peer.name, percentile(sorted, 100));
              tell(work, "writes", "events/s", peer.name, rate); // less than asked for: the API server was the limit
            });
      },
      async [Symbol.asyncDispose]() {},
    };
  },
};

/** Begins each write at its time, however long those before it take. */
async function writeEvenly(collection: Collection, count: number): Promise<Write[]> {
  const startedAt = performance.now();
  const writing: Promise<Write>[] = [];
  for (let index = 0; index < count; index++) {
    await sleep(Math.max(0, startedAt + (index * 1000) / WRITES_PER_SECOND - performance.now()));
    writing.push(collection.write());
  }
  return await Promise.all(writing);
}
