/**
 * The janitor of one watch: removes from the log what nobody needs any more. Objects whose deletion, or leaving of the selection, is some
 * days old leave it, and when it is nearly full, the older events of objects do. It removes only what every durable consumer has read,
 * never the last event of an object that is not to leave, never the witness, and never anything while the log may not be what it was.
 * It holds nobody up: what fails is done by a later sweep.
 *
 * A deleted object leaves in two steps, because a killed nats-server may forget a purge that it had confirmed (it writes a purge's own
 * records later: nats-server#6825). First goes what is before the deletion, and only when that must be on the disk, the deletion itself;
 * in one step, an older event could come back without it, and the object would be told deleted a second time.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { resourceTitle } from "../capture/resource.ts";
import { compareResourceVersions } from "../kube/kube-object.ts";
import { RequestLostError } from "../nats/jetstream-error.ts";
import { versionIn } from "./epoch.ts";
import { makeRoom } from "./log-room.ts";
import { readFloor, sequenceAt } from "./log-usage.ts";
import type { KnownObject } from "./store.ts";
import { eachInFlight, type Sweep, type SweepOptions } from "./sweep.ts";
import { isWitnessed, type Witness } from "./witness.ts";

/** How often the janitor works; milliseconds. */
export interface JanitorTiming {
  /** Between two looks for deleted objects. Default 10 min. */
  readonly sweepEveryMs: number;
  /** Between two looks at how full the log is. Default 1 min. */
  readonly lookEveryMs: number;
  /** Between the two steps of a removal. Default 10 min: nats-server syncs to disk every 2 min unless `sync_interval` says otherwise. */
  readonly settleMs: number;
}

/** What the janitor of one watch works with. */
export interface JanitorOptions extends SweepOptions {
  /** The newest acknowledged event of the watch. */
  readonly witness: () => Witness;
  readonly timing?: Partial<JanitorTiming> | undefined;
}

const TIMING: JanitorTiming = { sweepEveryMs: 600_000, lookEveryMs: 60_000, settleMs: 600_000 };
/** Per sweep: half a minute of work; the rest is for the next one. */
const REMOVALS_MAX = 10_000;
/** Forgetting an object goes through its lane, and waits for a later sweep where the lanes are needed for publishing. */
const LANES_BUSY = 64;
const TELL_EVERY_MS = 600_000;
const DAY_MS = 86_400_000;

/** Starts the janitor of a watch; the result stops it at once. */
export function startJanitor(options: JanitorOptions): () => void {
  const { jetStream, logger, resource, saved, witness } = options;
  const { sweepEveryMs, lookEveryMs, settleMs } = { ...TIMING, ...options.timing };
  const stopped = new AbortController();
  const { signal } = stopped;
  let connections = 0;
  const stopListening = jetStream.onConnection(({ type }) => {
    if (type === "disconnected") connections++;
  });
  const begin = async (): Promise<Sweep | undefined> => {
    const connection = connections;
    const isTrusted = () => connection === connections && jetStream.connected && !signal.aborted;
    const proof = witness().sequence > 0 ? witness() : (saved() ?? witness());
    if (!isTrusted() || proof.sequence === 0 || !(await isWitnessed(options.log, options.store, proof)))
      return undefined;
    return { ...options, isTrusted, signal, keptFrom: saved()?.sequence || proof.sequence };
  };
  let toldAtMs = Number.NEGATIVE_INFINITY;
  const repeat = async (everyMs: number, work: (sweep: Sweep) => Promise<void>) => {
    while (!signal.aborted) {
      try {
        const sweep = await begin();
        if (sweep !== undefined) await work(sweep);
      } catch (error) {
        const isExpected = signal.aborted || error instanceof RequestLostError;
        if (!isExpected && performance.now() - toldAtMs >= TELL_EVERY_MS) {
          toldAtMs = performance.now();
          logger.warn(
            { resource: resourceTitle(resource), error: (error as Error).message },
            "the log could not be cleaned up: trying again; capture is not affected",
          );
        }
      }
      await sleep(everyMs, undefined, { signal, ref: false }).catch(() => undefined);
    }
  };
  void repeat(sweepEveryMs, removeDeleted(settleMs));
  void repeat(lookEveryMs, makeRoom(TELL_EVERY_MS));
  return () => {
    stopListening();
    stopped.abort();
  };
}

type Tombstone = readonly [object: string, known: KnownObject];

/** Makes the sweep that removes the deleted; it remembers for which objects the first step is done, and when it was. */
function removeDeleted(settleMs: number): (sweep: Sweep) => Promise<void> {
  const begun = new Map<string, { readonly sequence: number; readonly atMs: number }>();
  return async (sweep) => {
    const { log, store, metrics, logger, resource, deletedDays } = sweep;
    const title = resourceTitle(resource);
    for (const [object, { sequence }] of begun) if (store.get(object)?.sequence !== sequence) begun.delete(object);
    const due = await findDue(sweep);
    let events = 0;
    let objects = 0;
    const finished: Tombstone[] = [];
    await eachInFlight(due, sweep, async ([object, known]) => {
      const step = begun.get(object);
      if (step !== undefined && performance.now() - step.atMs < settleMs) return;
      const removed = await log.purge(object, step === undefined ? known.sequence : known.sequence + 1);
      if (step === undefined) begun.set(object, { sequence: known.sequence, atMs: performance.now() });
      else finished.push([object, known]);
      metrics.trimmed(title, "deleted", removed);
      events += removed;
      objects += step === undefined ? 0 : 1;
    }).finally(() => {
      if (events > 0)
        logger.info({ resource: title, deletedDays, events, objects }, "deleted objects were removed from the log");
    });
    await forget(finished, sweep);
  };
}

/**
 * The tombstones that may go. Those of the newest checkpoint's time and later stay: the watch may be resumed before them, and shown
 * their deletions again.
 */
async function findDue({ jetStream, store, saved, deletedDays, keptFrom, signal }: Sweep): Promise<Tombstone[]> {
  const checkpoint = saved();
  if (checkpoint === undefined) return [];
  const version = versionIn(checkpoint.epoch, checkpoint.resourceVersion);
  const tombstones = [...store.entries()].filter(
    ([, { absence, sequence, resourceVersion }]) =>
      absence !== undefined &&
      sequence > 0 &&
      sequence < keptFrom &&
      compareResourceVersions(resourceVersion, version) <= 0,
  );
  if (tombstones.length === 0) return [];
  const boundary = await sequenceAt(jetStream, Date.now() - deletedDays * DAY_MS);
  const old = tombstones.filter(([, { sequence }]) => sequence < boundary);
  if (old.length === 0) return [];
  const floor = await readFloor(jetStream, signal);
  return old.filter(([, { sequence }]) => sequence <= floor.sequence).slice(0, REMOVALS_MAX);
}

/** Without its tombstone an object is unknown. One that has been heard of since stays. */
async function forget(tombstones: readonly Tombstone[], { store, lanes, signal }: Sweep): Promise<void> {
  for (const [object, known] of tombstones) {
    if (signal.aborted || lanes.size >= LANES_BUSY) return;
    await lanes.enqueue(object, async () => {
      if (store.get(object) === known) store.delete(object);
    });
  }
}
