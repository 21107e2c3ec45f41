/**
 * Capture: all peers watch the same objects on a real kube-apiserver while these are updated as fast as it takes the writes. It takes a few hundred a
 * second on two cores, which no peer is busy with: so what is measured is the processor time that each takes for an event, and whether a
 * change is missing in its stream or there twice. All at once, since that is the same load for all, and none is measured in time.
 */
import { openCollection, timesAtOnce } from "../collection.ts";
import { grouped } from "../measure.ts";
import { type PeerProcess, resetStreams, startPeer } from "../peer/peer.ts";
import { cpuUsOf } from "../process-meter.ts";
import type { Scenario } from "../scenario.ts";
import { eventsBehind, lastSequence, tallyOf, untilStored } from "../stored.ts";

const SIZES = { quick: { objects: 200, updates: 600 }, full: { objects: 5_000, updates: 20_000 } } as const;
const GROUP = "capture.bench.example.com";
const PROGRESS_WRITES = 1_000;

/** The scenario. */
export const capture: Scenario = {
  name: "capture",
  about: "processor time per event, lost and doubled, while a real kube-apiserver takes updates as fast as it can",
  needs: "all peers",
  async open(stage) {
    const { jetStream, nats } = stage;
    const { objects, updates } = SIZES[stage.size];
    const work = `${grouped(objects)} objects of 2 KB, ${grouped(updates)} updates`;
    const kube = await stage.kube();
    const collection = await openCollection(stage, kube, GROUP, objects);
    const task = { kubeconfigPath: kube.kubeconfigPath, natsUrl: nats.url, group: GROUP };
    return {
      async round({ peers, tell, attempt }) {
        await resetStreams(jetStream, peers);
        await using cleanup = new AsyncDisposableStack();
        const watching = new Map<(typeof peers)[number], { process: PeerProcess; sequence: number; cpuUs: number }>();
        for (const peer of peers)
          await attempt(peer, async () => {
            const process = cleanup.use(startPeer(peer, task));
            watching.set(peer, { process, sequence: await untilStored(jetStream, peer, objects), cpuUs: 0 });
          });
        for (const each of watching.values()) each.cpuUs = cpuUsOf(each.process.pid);
        const written = new Set<string>();
        await timesAtOnce(updates, async (index) => {
          written.add((await collection.write()).key);
          if (index % PROGRESS_WRITES === 0) stage.progress(`${index} of ${updates} updates written`);
        });
        for (const [peer, { process, sequence, cpuUs }] of watching)
          await attempt(peer, async () => {
            await untilStored(jetStream, peer, sequence + updates);
            const spentUs = cpuUsOf(process.pid) - cpuUs;
            const count = (await lastSequence(jetStream, peer)) - sequence;
            if (count === 0) throw new Error(`${peer.name} has stored nothing: ${process.log()}`);
            tell(work, "CPU", "µs CPU/event", peer.name, spentUs / count);
            const { lost, doubled } = tallyOf(await eventsBehind(jetStream, peer, sequence), written);
            tell(work, "lost", "count", peer.name, lost);
            tell(work, "doubled", "count", peer.name, doubled);
          });
      },
      async [Symbol.asyncDispose]() {},
    };
  },
};
