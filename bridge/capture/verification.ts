/**
 * Verification: whether the log has what the cluster has, looked at while everything runs, and what differs brought into the log. Repairs
 * go the way of every event — the log's word about the object is taken over, then the publisher decides, behind the fence — so that they
 * cannot double or reorder anything, and a difference that somebody else has repaired meanwhile is none.
 *
 * It belongs to a watch and ends with it; whatever keeps a verification from its end is told and tried again an interval later.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { ApiServer } from "../kube/api-server.ts";
import { compareResourceVersions } from "../kube/kube-object.ts";
import { describeProblem } from "../kube/problem.ts";
import { versionIn } from "../log/epoch.ts";
import type { EventLog } from "../log/event-log.ts";
import type { Store } from "../log/store.ts";
import { parseObjectSubject } from "../log/subject.ts";
import { isWitnessed } from "../log/witness.ts";
import type { Logger } from "../logger.ts";
import type { Metrics } from "../metrics/metrics.ts";
import type { JetStream } from "../nats/jetstream.ts";
import { compareWithLog, type Difference, isCaughtUp, sightingOf } from "./comparison.ts";
import type { Lanes } from "./lane.ts";
import type { Progress } from "./progress.ts";
import type { Publisher } from "./publisher.ts";
import { resourceTitle, type WatchedResource } from "./resource.ts";

/** When a watch is verified. Milliseconds. */
export interface VerificationSchedule {
  /** 0: never. */
  readonly everyMs: number;
  readonly graceMs: number;
}

/** The parts of the watch, and whom to tell. */
export interface VerificationOptions {
  readonly resource: WatchedResource;
  readonly apiServer: ApiServer;
  readonly jetStream: JetStream;
  readonly log: EventLog;
  readonly store: Store;
  readonly lanes: Lanes;
  readonly publisher: Publisher;
  readonly progress: Progress;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly schedule: VerificationSchedule;
  /** Whether the watch is established now. */
  readonly isLive: () => boolean;
  /** Hears that the log no longer has what it acknowledged: a repair object by object would not do. */
  readonly onLost: () => void;
  readonly signal: AbortSignal;
  readonly random?: () => number;
}

/** `unrepaired`: the log says something that no event can follow, such as the death of an object that lives. */
export type RepairOutcome = "repaired" | "caught-up" | "unrepaired";

type NamedDifference = Pick<Difference, "kind" | "object">;

/** Many watches must not list at the same moment: each interval is longer by up to this part of it. */
const JITTER_MAX = 0.2;
/** How often a watch that is not live is looked at again. */
const POLL_MS_MAX = 1_000;
/** Of what differed, named in the bridge's own log: `cr-reactor verify` names the rest. */
const NAMES_LOGGED_MAX = 5;

/** Verifies again and again until `signal` aborts, or until the answered function is called. */
export function startVerifying(options: VerificationOptions): () => void {
  const ended = new AbortController();
  void keepVerifying({ ...options, signal: AbortSignal.any([options.signal, ended.signal]) });
  return () => ended.abort();
}

async function keepVerifying(options: VerificationOptions): Promise<void> {
  const { schedule, signal, random = Math.random } = options;
  if (schedule.everyMs === 0) return;
  try {
    for (;;) {
      await untilReady(options);
      await sleep(schedule.everyMs * (1 + JITTER_MAX * random()), undefined, { signal });
      await untilReady(options);
      await verifyOrTell(options);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

/** While the watch is being established, or NATS is away, there is other work to do. */
async function untilReady({ progress, jetStream, schedule, isLive, signal }: VerificationOptions): Promise<void> {
  while (!(progress.acknowledged !== undefined && isLive() && jetStream.connected)) {
    await sleep(Math.min(schedule.everyMs, POLL_MS_MAX), undefined, { signal });
  }
}

async function verifyOrTell(options: VerificationOptions): Promise<void> {
  const { resource, logger, signal } = options;
  try {
    await verify(options);
  } catch (error) {
    signal.throwIfAborted();
    const problem = describeProblem(error, resource);
    logger.warn(
      { resource: resourceTitle(resource), problem },
      "the log could not be compared with the cluster: it is tried again an interval later",
    );
  }
}

/** One comparison with its repairs. Throws what keeps it from its end. */
async function verify(options: VerificationOptions): Promise<void> {
  const { resource, lanes, store, progress, logger, metrics, schedule, signal, onLost } = options;
  if (!(await isLogWhole(options))) return onLost();
  const title = resourceTitle(resource);
  const { epoch } = progress;
  const repaired: NamedDifference[] = [];
  const unrepaired: NamedDifference[] = [];
  const { objects } = await compareWithLog({
    ...options,
    epoch,
    graceMs: schedule.graceMs,
    isSettled: (object, version, sequence) => {
      const known = store.get(object);
      return known?.sequence === sequence && compareResourceVersions(known.resourceVersion, version) >= 0;
    },
    isBehind: (version) => lanes.size > 0 && compareResourceVersions(progress.acknowledged ?? "", version) < 0,
    async onDifference(difference) {
      const outcome = await inLane(lanes, difference.object, signal, async () =>
        progress.epoch === epoch ? await repair(options, difference, epoch) : "caught-up",
      );
      if (outcome === "caught-up") return;
      const { kind, object } = difference; // without the object itself: there may be many
      metrics.differed(title, kind);
      (outcome === "repaired" ? repaired : unrepaired).push({ kind, object });
    },
  });
  metrics.verified(title);
  if (repaired.length > 0)
    logger.error(
      { resource: title, ...summaryOf(repaired) },
      "the log differed from the cluster: what was missing is published now",
    );
  if (unrepaired.length > 0)
    logger.error(
      { resource: title, ...summaryOf(unrepaired) },
      "the log differs from the cluster in what no event can follow: purge the subjects of these objects (nats stream purge CR_EVENTS --subject)",
    );
  if (repaired.length + unrepaired.length === 0)
    logger.debug({ resource: title, objects }, "the log has what the cluster has");
}

/** Asked twice: under a busy object with a short history the witness may be pushed out between the question and its answer. */
async function isLogWhole({ log, store, progress, schedule, signal }: VerificationOptions): Promise<boolean> {
  if (await isWitnessed(log, store, progress.witness)) return true;
  await sleep(schedule.graceMs, undefined, { signal });
  return await isWitnessed(log, store, progress.witness);
}

/** Runs the task behind what is on its way for the object. Rejects when `signal` aborts. */
async function inLane<T>(lanes: Lanes, object: string, signal: AbortSignal, task: () => Promise<T>): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const stop = () => reject(signal.reason);
  signal.addEventListener("abort", stop, { once: true });
  lanes.enqueue(object, async () => (signal.aborted ? undefined : resolve(await task())))?.catch(reject);
  return await promise.finally(() => signal.removeEventListener("abort", stop));
}

/**
 * Brings what differs into the log: nothing else may publish about the object meanwhile. Rejects only when the publisher's deadline
 * aborts.
 */
export async function repair(
  { store, publisher }: { readonly store: Store; readonly publisher: Publisher },
  { object, listed, found, listVersion }: Difference,
  epoch: number,
): Promise<RepairOutcome> {
  await publisher.adopt(object);
  const before = store.get(object);
  if (isCaughtUp(listed, before, versionIn(epoch, listVersion))) return "caught-up";
  if (found === undefined && (before === undefined || before.absence)) return "caught-up";
  if (found === undefined) await publisher.publishAbsence(object, listVersion, epoch);
  else await publisher.publish(object, sightingOf(found, epoch));
  const after = store.get(object);
  if (after?.sequence !== before?.sequence) return "repaired";
  // The publisher found nothing to tell.
  return after?.resourceVersion === before?.resourceVersion ? "unrepaired" : "caught-up";
}

/** Counts by kind, and the first few names. */
function summaryOf(differences: readonly NamedDifference[]) {
  const counts: Partial<Record<Difference["kind"], number>> = {};
  for (const { kind } of differences) counts[kind] = (counts[kind] ?? 0) + 1;
  return { ...counts, objects: differences.slice(0, NAMES_LOGGED_MAX).map(({ object }) => nameOf(object)) };
}

/** `namespace/name`, or the name alone. */
export function nameOf(object: string): string {
  const { namespace, name } = parseObjectSubject(object);
  return namespace === "" ? name : `${namespace}/${name}`;
}
