/**
 * Drain: a backlog is there, and the watcher is the limit. Ours resumes at its checkpoint behind 20,000 updates of 5,000 objects; the peers, which have
 * no checkpoint, list 20,000 objects at their start. Served by the embedded API server from its memory, since a real one would be
 * measured instead. The rate is that between the first and the last message, as nats-server stored them; so is the processor time.
 */
import { grouped } from "../measure.ts";
import { type Peer, type PeerTask, resetStreams, startPeer } from "../peer/peer.ts";
import { cpuUsOf } from "../process-meter.ts";
import type { Scenario, Stage } from "../scenario.ts";
import { openStand } from "../stand.ts";
import { eventsBehind, lastSequence, storedAtMs, untilStored } from "../stored.ts";

const SIZES = { quick: { objects: 500, backlog: 2_000 }, full: { objects: 5_000, backlog: 20_000 } } as const;
const GROUP = "drain.bench.example.com";
const BYTES = 2 * 1024;

/** The scenario. */
export const drain: Scenario = {
  name: "drain",
  about: "events per second and processor time, from a backlog that is there at the start",
  needs: "all peers",
  async open(stage) {
    const { objects, backlog } = SIZES[stage.size];
    const work = `${grouped(backlog)} events of 2 KB objects`;
    await using opening = new AsyncDisposableStack();
    const changing = opening.use(await openStand({ group: GROUP, objects, bytes: BYTES }));
    const listed = opening.use(await openStand({ group: GROUP, objects: backlog, bytes: BYTES }));
    const opened = opening.move();
    const taskOn = ({ kubeconfigPath }: { kubeconfigPath: string }): PeerTask => {
      return { kubeconfigPath, natsUrl: stage.nats.url, group: GROUP };
    };
    /** Leaves a checkpoint behind which there are so many updates. */
    const prepare = async (peer: Peer) => {
      await changing.compact();
      const process = startPeer(peer, taskOn(changing));
      await process.synced;
      await untilStored(stage.jetStream, peer, objects);
      await process.stop();
      await changing.change(backlog);
    };
    return {
      async round({ peers, tell, attempt }) {
        for (const peer of peers)
          await attempt(peer, async () => {
            stage.progress(peer.name);
            await resetStreams(stage.jetStream, peers);
            const isResuming = peer.name === "us";
            if (isResuming) await prepare(peer);
            const { rate, cpuUs, doubled } = await drained(
              stage,
              peer,
              taskOn(isResuming ? changing : listed),
              backlog,
            );
            tell(work, "rate", "events/s", peer.name, rate);
            tell(work, "CPU", "µs CPU/event", peer.name, cpuUs);
            tell(work, "doubled", "count", peer.name, doubled);
          });
      },
      [Symbol.asyncDispose]: () => opened.disposeAsync(),
    };
  },
};

async function drained({ jetStream }: Stage, peer: Peer, task: PeerTask, backlog: number) {
  const before = await lastSequence(jetStream, peer);
  const seen: { sequence: number; cpuUs: number }[] = [];
  await using process = startPeer(peer, task);
  const last = await untilStored(jetStream, peer, before + backlog, (sequence) => {
    if (sequence > before) seen.push({ sequence, cpuUs: cpuUsOf(process.pid) });
  });
  if (last < before + backlog)
    throw new Error(`${peer.name} has stored ${last - before} of ${backlog} events: ${process.log()}`);
  const [firstMs, lastMs] = [await storedAtMs(jetStream, peer, before + 1), await storedAtMs(jetStream, peer, last)];
  const [first, end] = [seen[0], seen.at(-1)];
  const events = await eventsBehind(jetStream, peer, before);
  return {
    rate: ((backlog - 1) / (lastMs - firstMs)) * 1000,
    cpuUs:
      first && end && end.sequence > first.sequence ? (end.cpuUs - first.cpuUs) / (end.sequence - first.sequence) : 0,
    doubled: events.length - new Set(events.map(({ key }) => key)).size,
  };
}
