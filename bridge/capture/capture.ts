/**
 * The pipe of one watch: reflector → store → change → sink → checkpoint. It starts from the log's own index, so that nothing is
 * published about an object that has not changed since its last event, and it publishes each object's events in order while
 * objects go in parallel. The checkpoint follows behind: it names the newest version with nothing unpublished before it.
 */
import { compareResourceVersions, type KubeObject } from "../kube/kube-object.ts";
import { type ReflectorState, reflect, type WatchEvent } from "../kube/reflector.ts";
import { loadCheckpoint, saveCheckpoint } from "../log/checkpoint.ts";
import { epochOf, RewoundError, versionIn } from "../log/epoch.ts";
import { readKnown } from "../log/event-log.ts";
import { type JanitorTiming, startJanitor } from "../log/janitor.ts";
import { createStore, type Store } from "../log/store.ts";
import { isWitnessed, LogLostError, startWitnessing } from "../log/witness.ts";
import type { Census } from "../metrics/census.ts";
import { primeCensus } from "../metrics/census-list.ts";
import type { ObjectWishes } from "../metrics/object-metric.ts";
import type { CaptureState } from "./capture-state.ts";
import { readCoverage } from "./coverage.ts";
import type { Gate } from "./gate.ts";
import { createLanes, type Lanes } from "./lane.ts";
import { createProgress, type Progress } from "./progress.ts";
import { createPublisher, type Publisher, type PublisherOptions } from "./publisher.ts";
import { checkpointKey, resourceSubjects, resourceTitle, type WatchedResource } from "./resource.ts";
import { hasEntered, keyOf, missingFrom } from "./sighting.ts";
import { startVerifying, type VerificationSchedule } from "./verification.ts";

/** Everything one watch needs; watches share no state. */
export interface CaptureOptions extends Omit<PublisherOptions, "store" | "onStored"> {
  readonly stateBytesMax: number;
  /** What the metrics tell of each object. Default: nothing. */
  readonly wishes?: ObjectWishes;
  readonly onState: (state: CaptureState) => void;
  /**
   * The log was lost under an earlier capture of this process, which has told so, and the watch was not live since: without a checkpoint
   * nothing says what is new.
   */
  readonly afterLoss: boolean;
  /** The epoch of an earlier capture of this process: a log that was lost may not know of it. 1 without one. */
  readonly epochMin: number;
  /** The kind has come while this process was there: no object of it is older. */
  readonly isNewKind: boolean;
  readonly listGate?: Gate;
  readonly schedule: VerificationSchedule;
  /** After how many days a deleted object leaves the log. */
  readonly deletedDays: number;
  readonly janitor?: Partial<JanitorTiming> | undefined;
  /** Stops reading; what was read is still published until `deadline`. */
  readonly signal: AbortSignal;
}

/** Objects on their way to NATS at once, of one watch: the knee of the throughput curve. */
const IN_FLIGHT_MAX = 256;
/** Of their JSON: 64 KB each on average. A byte of it that waits for NATS takes about three of memory (object, state before, event). */
const IN_FLIGHT_BYTES_MAX = 16 * 1024 ** 2;
/** How much of the watch is read and skipped again at the next start, at most. */
const CHECKPOINT_INTERVAL_MS = 1_000;

/**
 * Captures the resource until `signal` aborts. Rejects when the log or the checkpoint cannot be read, at the deadline, and with
 * LogLostError when NATS turns out to have lost events, RewoundError when a list shows that etcd was restored.
 */
export async function capture(options: CaptureOptions): Promise<void> {
  const { resource, jetStream, log, logger, metrics, onState } = options;
  const title = resourceTitle(resource);
  onState({ type: "starting" });
  const store = createStore(options.stateBytesMax);
  const census = metrics.census(title, resource, options.wishes);
  await readKnown(log, resourceSubjects(resource), store, options.signal, census.indexed);
  if (options.signal.aborted) return; // the index ends early then
  const found = await loadCheckpoint(jetStream, checkpointKey(resource));
  const isLost = found === undefined ? options.afterLoss : !(await isWitnessed(log, store, found));
  const tellLoss = ({ message }: LogLostError) => {
    metrics.recovered(title, "log-lost");
    logger.error({ resource: title }, message);
  };
  if (isLost && !options.afterLoss) tellLoss(new LogLostError(title, options.epochMin));
  const isCovered =
    options.isNewKind && !isLost ? () => true : await readCoverage({ ...options, store, found, isLost });
  const progress = createProgress(resource, found, store, isLost, isCovered, options.epochMin);
  const lanes = createLanes(IN_FLIGHT_MAX, IN_FLIGHT_BYTES_MAX);
  const lost = new AbortController();
  const onLost = () => {
    if (lost.signal.aborted) return;
    const error = new LogLostError(title, progress.epoch);
    tellLoss(error);
    lost.abort(error);
  };
  const signal = AbortSignal.any([options.signal, lost.signal]);
  const witness = () => progress.witness;
  const witnessing = startWitnessing({ jetStream, log, store, witness, onLost, signal });
  const deadline = AbortSignal.any([options.deadline, lost.signal]);
  const publisher = createPublisher({ ...options, deadline, store, onStored: progress.stored });
  const { resumeFrom, newestVersion } = progress;
  logger.info({ resource: title, known: store.size, resumeFrom }, beginningOf(progress));

  let saved = isLost ? undefined : found;
  const save = async () => {
    const checkpoint = progress.unsaved();
    if (checkpoint === undefined || !jetStream.connected || witnessing.isAsking || lost.signal.aborted) return;
    try {
      await saveCheckpoint(jetStream, checkpointKey(resource), checkpoint);
      progress.saved(checkpoint);
      saved = checkpoint;
    } catch (error) {
      logger.warn({ resource: title, error: (error as Error).message }, "the checkpoint was not saved: trying again");
    }
  };
  let currentAtMs = performance.now();
  const timer = setInterval(() => {
    metrics.watched(title, store.size, store.stateBytes, lanes.size);
    if (lanes.size === 0 && progress.unsaved() === undefined) currentAtMs = performance.now();
    metrics.checkpointLag(title, (performance.now() - currentAtMs) / 1000);
    void save();
  }, CHECKPOINT_INTERVAL_MS);
  let isLive = false;
  const tell = (state: ReflectorState) => {
    isLive = state.type === "watching";
    if (isLive) metrics.watchOpened(title);
    onState(state);
    if (state.type === "waiting") logger.warn({ resource: title, attempt: state.attempt }, state.problem);
    if (state.type === "paused")
      logger.info(
        { resource: title, inFlight: lanes.size },
        "what was read cannot be published: the watch is closed until it is",
      );
  };
  const stopJanitor = startJanitor({
    ...options,
    store,
    lanes,
    saved: () => saved,
    witness,
    timing: options.janitor,
  });
  const pipe = createPipe(resource, store, lanes, publisher, progress, census, () => saved?.savedAt);
  const parts = { store, lanes, publisher, progress, onLost, isLive: () => isLive };
  const priming = { ...options, signal, census, asked: metrics.asked };
  const stopPriming = resumeFrom === undefined ? () => undefined : primeCensus(priming);
  const stopVerifying = startVerifying({ ...options, ...parts, signal });
  try {
    const start = {
      ...(resumeFrom !== undefined && { resumeFrom }),
      ...(newestVersion !== undefined && { newestVersion }),
    };
    for await (const event of reflect({ ...options, signal, onState: tell, ...start })) {
      metrics.seen(title, event.type);
      if (event.type === "listing") stopPriming();
      const handled = pipe(event);
      if (handled !== undefined) await handled;
      if (event.type === "rewound") {
        metrics.recovered(title, "rewound");
        logger.error(
          { resource: title, epoch: progress.epoch },
          "resourceVersions have gone back: etcd was restored from a backup. A new epoch begins: everything is listed and compared",
        );
      }
      if (event.type !== "listed") continue;
      logger.info({ resource: title, known: store.size }, "the list is compared with the log");
      // At once: from here on an unknown object is a new one, also for the next process.
      await save();
    }
    lost.signal.throwIfAborted();
    await lanes.idle();
    await save();
  } finally {
    stopPriming();
    stopVerifying();
    stopJanitor();
    witnessing.stop();
    clearInterval(timer);
  }
}

function beginningOf({ resumeFrom, isLost }: Progress): string {
  if (resumeFrom !== undefined) return "resuming behind the checkpoint";
  return isLost
    ? "the checkpoint counts no longer: listing, and comparing with what the log still has"
    : "no checkpoint: listing";
}

/** Handles one watch event; what it answers resolves when there is room for the next one. Without a promise where there is, as there mostly is. */
function createPipe(
  resource: WatchedResource,
  store: Store,
  lanes: Lanes,
  publisher: Publisher,
  progress: Progress,
  census: Census,
  savedAt: () => string | undefined,
) {
  const seen = new Set<string>();
  const redacted = <T extends { readonly object: KubeObject }>(event: T): T => {
    return { ...event, object: resource.redaction.redact(event.object) };
  };
  /** The oldest version of the log that a listed object is behind. */
  let overtaken: string | undefined;
  const lookForRestore = (object: string, { metadata: { uid, resourceVersion } }: KubeObject) => {
    const known = store.get(object);
    if (known?.uid !== uid || epochOf(known.resourceVersion) !== progress.epoch) return;
    const isBehind = compareResourceVersions(versionIn(progress.epoch, resourceVersion), known.resourceVersion) < 0;
    if (known.absence === "unselected" && !progress.isComplete) return; // another selection has it as it was
    if (!isBehind && known.absence !== "deleted") return;
    if (overtaken === undefined || compareResourceVersions(known.resourceVersion, overtaken) < 0)
      overtaken = known.resourceVersion;
  };
  const finishList = async (resourceVersion: string) => {
    const { epoch } = progress;
    await lanes.idle();
    // A version of the log that is newer than the list says nothing: another bridge may have been faster.
    if (overtaken !== undefined && compareResourceVersions(overtaken, versionIn(epoch, resourceVersion)) <= 0)
      throw new RewoundError(resourceTitle(resource), epoch + 1);
    for (const object of missingFrom(seen, store)) {
      await lanes.enqueue(object, () => publisher.publishAbsence(object, resourceVersion, epoch));
    }
    await lanes.idle();
    seen.clear();
    progress.listed(resourceVersion);
  };
  const rewind = async () => {
    await lanes.idle();
    census.rewound();
    progress.rewound();
  };
  return (event: WatchEvent): Promise<void> | undefined => {
    switch (event.type) {
      case "listing":
        overtaken = undefined;
        census.listing();
        return void seen.clear();
      case "rewound":
        return rewind();
      case "listed":
        census.listed();
        return finishList(event.resourceVersion);
      case "bookmark":
        return void progress.begin(event.resourceVersion)();
      case "initial": {
        const object = keyOf(resource, event.object);
        const { epoch, isLost } = progress;
        const firstSight = progress.isFirstSight(event.object.metadata.namespace);
        const entered = hasEntered(resource, event.object, Date.parse(savedAt() ?? ""));
        const newSelection = !progress.isComplete;
        const sighting = { ...redacted(event), firstSight, afterLoss: isLost, epoch, entered, newSelection };
        census.saw(sighting.object);
        seen.add(object);
        lookForRestore(object, event.object);
        return lanes.enqueue(object, () => publisher.publish(object, sighting), event.bytes);
      }
      case "added":
      case "modified":
      case "deleted": {
        const object = keyOf(resource, event.object);
        const done = progress.begin(event.object.metadata.resourceVersion);
        const entered = hasEntered(resource, event.object);
        const sighting = { ...redacted(event), epoch: progress.epoch, entered };
        census[event.type === "deleted" ? "left" : "saw"](sighting.object);
        return lanes.enqueue(object, () => publisher.publish(object, sighting).then(done), event.bytes);
      }
      default:
        return event satisfies never;
    }
  };
}
