/**
 * Start and memory: how long a peer takes until it is in step with so many objects, what that costs the API server, and how much memory it has then and
 * at most; for the first time ever, and started again after one object has changed. On the embedded API server, which counts requests and
 * bytes, sends everything uncompressed, and has 100,000 objects in seconds. Twenty kilobytes instead of two show what grows with objects' size.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { grouped, type Unit } from "../measure.ts";
import { type Peer, resetStreams, startPeer } from "../peer/peer.ts";
import { cpuUsOf, residentBytes } from "../process-meter.ts";
import type { Scenario, Stage } from "../scenario.ts";
import { openStand, type Stand } from "../stand.ts";
import { lastSequence, storedAtMs, untilStored } from "../stored.ts";

/** Objects, and kilobytes of each. */
const SIZES = {
  quick: [[1_000, 2]],
  full: [
    [1_000, 2],
    [10_000, 2],
    [100_000, 2],
    [1_000, 20],
    [10_000, 20],
  ],
} as const;
/** What a peer does when it is in step, such as reading more than it had to, counts as well. */
const SETTLE_MS = { quick: 500, full: 3_000 } as const;
const GROUP = "start.bench.example.com";
const MIB = 1024 ** 2;

/** The scenario. */
export const start: Scenario = {
  name: "start",
  about: "time, requests, bytes and memory until everything that is there is stored; first ever, and after a restart",
  needs: "all peers",
  async open(stage) {
    return {
      async round({ peers, tell, attempt }) {
        for (const [objects, kilobytes] of SIZES[stage.size]) {
          const work = `${grouped(objects)} objects of ${kilobytes} KB`;
          await using stand = await openStand({ group: GROUP, objects, bytes: kilobytes * 1024 });
          for (const peer of peers)
            await attempt(peer, async () => {
              stage.progress(`${peer.name}, ${work}`);
              await resetStreams(stage.jetStream, peers);
              const told = (measure: string, unit: Unit, value: number) => tell(work, measure, unit, peer.name, value);
              await measureStart(stage, stand, peer, objects, (measure, ...rest) => told(`first: ${measure}`, ...rest));
              await stand.change(1);
              const again = peer.name === "us" ? 1 : objects;
              await measureStart(stage, stand, peer, again, (measure, ...rest) => told(`restart: ${measure}`, ...rest));
            });
        }
      },
      async [Symbol.asyncDispose]() {},
    };
  },
};

type Tell = (measure: string, unit: Unit, value: number) => void;

/** Starts the peer, waits for so many messages, and stops it. */
async function measureStart(stage: Stage, stand: Stand, peer: Peer, expected: number, tell: Tell): Promise<void> {
  const { jetStream, nats } = stage;
  const [before, sequence] = [await stand.traffic(), await lastSequence(jetStream, peer)];
  await using process = startPeer(peer, { kubeconfigPath: stand.kubeconfigPath, natsUrl: nats.url, group: GROUP });
  const syncedMs = await process.synced;
  const last = await untilStored(jetStream, peer, sequence + expected);
  if (last < sequence + expected)
    throw new Error(`${peer.name} has stored ${last - sequence} of ${expected} objects: ${process.log()}`);
  await sleep(SETTLE_MS[stage.size]);
  const [rss, peak] = [residentBytes(process.pid, "VmRSS"), residentBytes(process.pid, "VmHWM")];
  const cpuUs = cpuUsOf(process.pid);
  const sinceStart = async (of: number) => (await storedAtMs(jetStream, peer, of)) - process.startedAtMs;
  const after = await stand.traffic();
  tell("first event", "ms", await sinceStart(sequence + 1));
  tell("synced", "ms", syncedMs);
  tell("all stored", "ms", await sinceStart(last));
  tell("CPU", "s", cpuUs / 1e6);
  tell("requests", "count", after.requests - before.requests);
  tell("lists", "count", after.lists - before.lists);
  tell("from the API server", "MiB", (after.sentBytes - before.sentBytes) / MIB);
  tell("RSS in step", "MiB", rss / MIB);
  tell("highest RSS", "MiB", peak / MIB);
}
