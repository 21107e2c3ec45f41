/**
 * How far one watch is: what was read, what of it is acknowledged, in which epoch, and which event is the witness that the log still is
 * what it was. It makes the checkpoint, which never runs ahead of what NATS has acknowledged.
 */
import { apiVersionOf, compareResourceVersions } from "../kube/kube-object.ts";
import { type Checkpoint, createLowWater } from "../log/checkpoint.ts";
import { epochOf, resourceVersionOf, versionIn } from "../log/epoch.ts";
import type { Store } from "../log/store.ts";
import type { Witness } from "../log/witness.ts";
import type { Coverage } from "./coverage.ts";
import { selectorQuery, type WatchedResource } from "./resource.ts";

/** How far the watch is, and what of that is not saved yet. */
export interface Progress {
  readonly resumeFrom: string | undefined;
  /** The newest resourceVersion that this epoch is known to have had. */
  readonly newestVersion: string | undefined;
  readonly epoch: number;
  /** Whether the log has lost events, so that what it does not know is not new for that. */
  readonly isLost: boolean;
  readonly witness: Witness;
  /** Whether a list was finished with these settings, in this process or before. */
  readonly isComplete: boolean;
  /** Whether an unknown object in a list may have been there all along: where no list was ever finished, in this process or before. */
  isFirstSight(namespace: string | undefined): boolean;
  /** Everything up to this resourceVersion is in the log; `undefined` before the first list or event. */
  readonly acknowledged: string | undefined;
  begin(resourceVersion: string): () => void;
  listed(resourceVersion: string): void;
  /** A new epoch begins; what was seen before it is all handled. */
  rewound(): void;
  stored(id: string, sequence: number): void;
  unsaved(): Checkpoint | undefined;
  saved(checkpoint: Checkpoint): void;
}

/**
 * Starts from the checkpoint, where it is for these settings and this epoch; `isLost`: the log has lost events; `isCovered`: what was
 * captured before, with any settings; `epochMin`: the epoch is at least this, whatever a log that has lost events says.
 */
export function createProgress(
  resource: WatchedResource,
  found: Checkpoint | undefined,
  store: Store,
  isLost: boolean,
  isCovered: Coverage,
  epochMin: number,
): Progress {
  const { settingsHash, kind, plural, namespaced, namespace } = resource;
  const watch = { apiVersion: apiVersionOf(resource), kind, plural, namespaced, namespace, ...selectorQuery(resource) };
  const valid = !isLost && found?.settingsHash === settingsHash ? found : undefined;
  const newestKnown = newestOf(store, found);
  const epochKnown = newestKnown === undefined ? 1 : epochOf(newestKnown);
  let epoch = Math.max(epochKnown, epochMin);
  const resumeFrom = valid?.epoch === epoch ? valid.resourceVersion : undefined;
  let lowWater = createLowWater(resumeFrom);
  let complete = valid !== undefined;
  const witness = isLost ? undefined : found; // other settings do not make it less true
  let newest = { sequence: witness?.sequence ?? 0, id: witness?.id ?? "" };
  let savedVersion = resumeFrom;
  return {
    resumeFrom,
    // A version of an epoch that is over says nothing about this one.
    newestVersion: epochKnown === epoch && newestKnown !== undefined ? resourceVersionOf(newestKnown) : undefined,
    isLost,
    get epoch() {
      return epoch;
    },
    get witness() {
      return newest;
    },
    get isComplete() {
      return complete;
    },
    isFirstSight: (namespace) => !complete && !isCovered(namespace),
    get acknowledged() {
      return lowWater.resourceVersion;
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
      return { version: 1, settingsHash, resourceVersion, epoch, ...newest, watch, savedAt: new Date().toISOString() };
    },
    saved({ resourceVersion }) {
      savedVersion = resourceVersion;
    },
  };
}

/** The newest version that the log or the checkpoint knows of; `undefined` without any. In the form that orders across epochs. */
export function newestOf(store: Store, found?: Checkpoint): string | undefined {
  let newest = found && versionIn(found.epoch, found.resourceVersion);
  for (const [, { resourceVersion }] of store.entries()) {
    if (newest === undefined || compareResourceVersions(resourceVersion, newest) > 0) newest = resourceVersion;
  }
  return newest;
}
