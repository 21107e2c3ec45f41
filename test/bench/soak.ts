/**
 * The soak: updates for some minutes, at a steady rate, and the bridge's memory every few seconds, each time after its garbage is collected: what it
 * holds. The lowest value of each window after it has run in must not rise, by a test that one outlier does not decide.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { INSPECTED, openCollector } from "./collector.ts";
import { type Peer, type PeerTask, startPeer } from "./peer/peer.ts";
import { cpuUsOf, residentBytes } from "./process-meter.ts";
import { openStage } from "./run.ts";
import { openStand } from "./stand.ts";
import { driftOf, lowestOfEach, type Point } from "./statistics.ts";
import { lastSequence } from "./stored.ts";

const OBJECTS = 2_000;
const BYTES = 2 * 1024;
const GROUP = "soak.bench.example.com";
const WRITES_PER_SECOND = 500;
const SECOND_MS = 1_000;
/** Between two collections, which take the bridge some 50 ms. */
const SAMPLE_SECONDS = 5;
/** A first part of the time is for compiling, filling caches, and the first event of each object. */
const RUN_IN = 0.3;
/** So many windows of the rest: a test on fewer says nothing. */
const WINDOWS = 20;
const MIB = 1024 ** 2;
/** 14 bytes an event at this rate: less than anything that would be kept of one by mistake. */
const NEGLIGIBLE_PER_HOUR = 24 * MIB;
const PROGRESS_SAMPLES = 3;

/** What came of it. */
export interface SoakResult {
  readonly rises: boolean;
  readonly text: string;
}

/** Runs it for so many seconds. */
export async function soak(
  seconds: number,
  bundle: string | undefined,
  progress: (text: string) => void,
): Promise<SoakResult> {
  await using cleanup = new AsyncDisposableStack();
  const { stage } = await openStage({ size: "full", bundle, progress, only: ["us"] }, cleanup);
  const stand = cleanup.use(await openStand({ group: GROUP, objects: OBJECTS, bytes: BYTES }));
  const [ours] = stage.peers;
  if (ours === undefined) throw new Error("there is nothing to soak");
  const peer = inspected(ours);
  const task: PeerTask = { kubeconfigPath: stand.kubeconfigPath, natsUrl: stage.nats.url, group: GROUP };
  const bridge = cleanup.use(startPeer(peer, task));
  const collector = cleanup.use(await openCollector(bridge));
  await bridge.synced;
  const points: Point[] = [];
  const startedAt = performance.now();
  let written = 0;
  for (let second = 1; second <= seconds; second++) {
    await sleep(Math.max(0, startedAt + second * SECOND_MS - performance.now()));
    written += await stand.change(WRITES_PER_SECOND);
    if (second % SAMPLE_SECONDS !== 0) continue;
    await collector.collect();
    points.push({ seconds: (performance.now() - startedAt) / 1000, value: residentBytes(bridge.pid, "VmRSS") });
    if (points.length % PROGRESS_SAMPLES === 0)
      progress(`soak: ${second} of ${seconds} s, ${written} writes, ${mib(points.at(-1)?.value ?? 0)} MiB`);
  }
  const published = await lastSequence(stage.jetStream, peer);
  const late = points.filter(({ seconds: at }) => at >= seconds * RUN_IN);
  const low = lowestOfEach(late, (seconds * (1 - RUN_IN)) / WINDOWS);
  const drift = driftOf(low, NEGLIGIBLE_PER_HOUR);
  const [first, last] = [low[0]?.value ?? 0, low.at(-1)?.value ?? 0];
  const text =
    `${written} writes of ${OBJECTS} objects in ${seconds} s, ${published} events published, ${(cpuUsOf(bridge.pid) / 1e6).toFixed(1)} s of CPU\n` +
    `held memory: ${mib(first)} MiB after running in, ${mib(last)} MiB at the end; ` +
    `slope ${mib(drift.perHour)} MiB an hour, ${(drift.perHour / 3600 / WRITES_PER_SECOND).toFixed(1)} bytes an event (median of all pairs), z = ${drift.z.toFixed(2)}\n` +
    `${drift.rises ? "it RISES" : "it does not rise"} (a rise has z above 2.33 and more than ${mib(NEGLIGIBLE_PER_HOUR)} MiB an hour)\n`;
  return { rises: drift.rises, text };
}

/** Its garbage can be collected from outside. */
function inspected(peer: Peer): Peer {
  return {
    ...peer,
    launch(task, folder) {
      const launch = peer.launch(task, folder);
      return { ...launch, args: [INSPECTED, ...launch.args] };
    },
  };
}

function mib(bytes: number): string {
  return (bytes / MIB).toFixed(1);
}
