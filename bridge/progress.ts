/**
 * How far one watch is: what was read, what of it is acknowledged, in which epoch, and which event is the witness that the log still is
 * what it was. It makes the checkpoint, which never runs ahead of what NATS has acknowledged.
 */
import { type Checkpoint, createLowWater } from "./checkpoint.ts";
import { epochOf, resourceVersionOf, versionIn } from "./epoch.ts";
import { compareResourceVersions } from "./kube-object.ts";
import type { WatchedResource } from "./resource.ts";
import type { Store } from "./store.ts";
import type { Witness } from "./witness.ts";

/** How far the watch is, and what of that is not saved yet. */
export interface Progress {
  readonly resumeFrom: string | undefined;
  /** The newest resourceVersion that this epoch is known to have had. */
  readonly newestVersion: string | undefined;
  readonly epoch: number;
  /** Whether the log has lost events, so that what it does not know is not new for that. */
  readonly isLost: boolean;
  readonly witness: Witness;
  /** Whether a list of this watch was ever finished, in this process or before: unknown objects are then new ones. */
  readonly complete: boolean;
  begin(resourceVersion: string): () => void;
  listed(resourceVersion: string): void;
  /** A new epoch begins; what was seen before it is all handled. */
  rewound(): void;
  stored(id: string, sequence: number): void;
  unsaved(): Checkpoint | undefined;
  saved(checkpoint: Checkpoint): void;
}

/** Starts from the checkpoint, where it is for these settings and this epoch; `isLost`: the log has lost events. */
export function createProgress(
  { settingsHash }: WatchedResource,
  found: Checkpoint | undefined,
  store: Store,
  isLost: boolean,
): Progress {
  const valid = !isLost && found?.settingsHash === settingsHash ? found : undefined;
  const newestKnown = newestOf(store, found);
  let epoch = newestKnown === undefined ? 1 : epochOf(newestKnown);
  const resumeFrom = valid?.epoch === epoch ? valid.resourceVersion : undefined;
  let lowWater = createLowWater(resumeFrom);
  let complete = valid !== undefined;
  let newest = { sequence: valid?.sequence ?? 0, id: valid?.id ?? "" };
  let savedVersion = resumeFrom;
  return {
    resumeFrom,
    newestVersion: newestKnown && resourceVersionOf(newestKnown),
    isLost,
    get epoch() {
      return epoch;
    },
    get witness() {
      return newest;
    },
    get complete() {
      return complete;
    },
    begin: (resourceVersion) => lowWater.begin(resourceVersion),
    listed(resourceVersion) {
      complete = true;
      lowWater = createLowWater(resourceVersion);
    },
    rewound() {
      epoch++;
      lowWater = createLowWater(undefined);
      savedVersion = undefined;
    },
    stored(id, sequence) {
      if (sequence > newest.sequence) newest = { sequence, id };
    },
    unsaved() {
      const { resourceVersion } = lowWater;
      if (!complete || resourceVersion === undefined || resourceVersion === savedVersion) return undefined;
      return { version: 1, settingsHash, resourceVersion, epoch, ...newest, savedAt: new Date().toISOString() };
    },
    saved({ resourceVersion }) {
      savedVersion = resourceVersion;
    },
  };
}

/** The newest version that the log or the checkpoint knows of, in the form that orders across epochs. */
function newestOf(store: Store, found: Checkpoint | undefined): string | undefined {
  let newest = found && versionIn(found.epoch, found.resourceVersion);
  for (const [, { resourceVersion }] of store.entries()) {
    if (newest === undefined || compareResourceVersions(resourceVersion, newest) > 0) newest = resourceVersion;
  }
  return newest;
}
