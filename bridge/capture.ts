/**
 * The pipe of one watch: reflector → store → change → sink → checkpoint. It starts from the log's own index, so that nothing is
 * published about an object that has not changed since its last event, and it publishes each object's events in order while
 * objects go in parallel. The checkpoint follows behind: it names the newest version with nothing unpublished before it.
 */
import { type Checkpoint, createLowWater, loadCheckpoint, saveCheckpoint } from "./checkpoint.ts";
import { knownAfter } from "./event-log.ts";
import { createLanes, type Lanes } from "./lane.ts";
import { createPublisher, type Publisher, type PublisherOptions } from "./publisher.ts";
import { type ReflectorState, reflect, type WatchEvent } from "./reflector.ts";
import { checkpointKey, resourceSubjects, resourceTitle, type WatchedResource } from "./resource.ts";
import { keyOf, missingFrom } from "./sighting.ts";
import { createStore, type Store } from "./store.ts";

/** Everything one watch needs; watches share no state. */
export interface CaptureOptions extends Omit<PublisherOptions, "store" | "onStored"> {
  readonly stateBytesMax: number;
  readonly onState: (state: CaptureState) => void;
  /** Stops reading; what was read is still published until `deadline`. */
  readonly signal: AbortSignal;
}

/** What a watch is doing: reading the log's index, listing, watching, or waiting with a problem. */
export type CaptureState = { readonly type: "starting" } | ReflectorState;

/** Objects on their way to NATS at once, of one watch: the knee of the throughput curve. */
const IN_FLIGHT_MAX = 256;
/** How much of the watch is read and skipped again at the next start, at most. */
const CHECKPOINT_INTERVAL_MS = 1_000;

/** Captures the resource until `signal` aborts. Rejects when the log or the checkpoint cannot be read, or at the deadline. */
export async function capture(options: CaptureOptions): Promise<void> {
  const { resource, jetStream, logger, metrics, onState } = options;
  const title = resourceTitle(resource);
  onState({ type: "starting" });
  const store = await readStore(options);
  const progress = createProgress(resource, await loadCheckpoint(jetStream, checkpointKey(resource)));
  const lanes = createLanes(IN_FLIGHT_MAX);
  const publisher = createPublisher({ ...options, store, onStored: progress.stored });
  const { resumeFrom } = progress;
  logger.info(
    { resource: title, known: store.size, resumeFrom },
    resumeFrom ? "resuming behind the checkpoint" : "no checkpoint: listing",
  );

  const save = async () => {
    const checkpoint = progress.unsaved();
    if (checkpoint === undefined || !jetStream.connected) return;
    try {
      await saveCheckpoint(jetStream, checkpointKey(resource), checkpoint);
      progress.saved(checkpoint);
    } catch (error) {
      logger.warn({ resource: title, error: (error as Error).message }, "the checkpoint was not saved: trying again");
    }
  };
  const timer = setInterval(() => {
    metrics.watched(title, store.size, store.stateBytes, lanes.size);
    void save();
  }, CHECKPOINT_INTERVAL_MS);
  const tell = (state: ReflectorState) => {
    onState(state);
    if (state.type === "waiting") logger.warn({ resource: title, attempt: state.attempt }, state.problem);
  };
  const pipe = createPipe(resource, store, lanes, publisher, progress);
  try {
    for await (const event of reflect({ ...options, onState: tell, ...(resumeFrom !== undefined && { resumeFrom }) })) {
      metrics.seen(title, event.type);
      await pipe(event);
      if (event.type !== "listed") continue;
      logger.info({ resource: title, known: store.size }, "the list is compared with the log");
      // At once: from here on an unknown object is a new one, also for the next process.
      await save();
    }
    await lanes.idle();
    await save();
  } finally {
    clearInterval(timer);
  }
}

async function readStore({ resource, log, stateBytesMax, signal }: CaptureOptions): Promise<Store> {
  const store = createStore(stateBytesMax);
  for await (const entry of log.readIndex(resourceSubjects(resource), signal)) {
    store.set(entry.object, knownAfter(store.get(entry.object), entry));
  }
  return store;
}

/** Handles one watch event; resolves when there is room for the next one. */
function createPipe(resource: WatchedResource, store: Store, lanes: Lanes, publisher: Publisher, progress: Progress) {
  const seen = new Set<string>();
  const finishList = async (resourceVersion: string) => {
    await lanes.idle();
    for (const object of missingFrom(seen, store)) {
      await lanes.enqueue(object, () => publisher.publishAbsence(object, resourceVersion));
    }
    await lanes.idle();
    seen.clear();
    progress.listed(resourceVersion);
  };
  return async (event: WatchEvent): Promise<void> => {
    switch (event.type) {
      case "listing":
        return seen.clear();
      case "listed":
        return await finishList(event.resourceVersion);
      case "bookmark":
        return progress.begin(event.resourceVersion)();
      case "initial": {
        const object = keyOf(resource, event.object);
        const firstSight = !progress.complete;
        seen.add(object);
        return await lanes.enqueue(object, () => publisher.publish(object, { ...event, firstSight }));
      }
      case "added":
      case "modified":
      case "deleted": {
        const object = keyOf(resource, event.object);
        const done = progress.begin(event.object.metadata.resourceVersion);
        return await lanes.enqueue(object, () => publisher.publish(object, event).then(done));
      }
      default:
        return event satisfies never;
    }
  };
}

/** How far the watch is, and what of that is not saved yet. */
interface Progress {
  readonly resumeFrom: string | undefined;
  /** Whether a list of this watch was ever finished, in this process or before: unknown objects are then new ones. */
  readonly complete: boolean;
  begin(resourceVersion: string): () => void;
  listed(resourceVersion: string): void;
  stored(id: string, sequence: number): void;
  unsaved(): Checkpoint | undefined;
  saved(checkpoint: Checkpoint): void;
}

function createProgress({ settingsHash }: WatchedResource, found: Checkpoint | undefined): Progress {
  const valid = found?.settingsHash === settingsHash ? found : undefined;
  const resumeFrom = valid?.resourceVersion;
  let lowWater = createLowWater(resumeFrom);
  let complete = valid !== undefined;
  let newest = { sequence: valid?.sequence ?? 0, id: valid?.id ?? "" };
  let savedVersion = resumeFrom;
  return {
    resumeFrom,
    get complete() {
      return complete;
    },
    begin: (resourceVersion) => lowWater.begin(resourceVersion),
    listed(resourceVersion) {
      complete = true;
      lowWater = createLowWater(resourceVersion);
    },
    stored(id, sequence) {
      if (sequence > newest.sequence) newest = { sequence, id };
    },
    unsaved() {
      const { resourceVersion } = lowWater;
      if (!complete || resourceVersion === undefined || resourceVersion === savedVersion) return undefined;
      return { version: 1, settingsHash, resourceVersion, ...newest, savedAt: new Date().toISOString() };
    },
    saved({ resourceVersion }) {
      savedVersion = resourceVersion;
    },
  };
}
