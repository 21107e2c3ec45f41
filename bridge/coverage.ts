/**
 * What was captured before, by any watch of a resource and with any settings: where a watch has listed everything once, an object
 * that the log does not know is a new one, not one that was there all along. So a creation stays one when the settings change
 * meanwhile, and when a namespace goes from one watch to another.
 */
import { type Checkpoint, loadCheckpoints } from "./checkpoint.ts";
import type { EventLog } from "./event-log.ts";
import type { JetStream } from "./jetstream.ts";
import { checkpointKey, checkpointKeys, type WatchedResource } from "./resource.ts";
import type { Store } from "./store.ts";
import { isWitnessed } from "./witness.ts";

/** Whether a whole list of this namespace, or of the objects without one, was ever compared with the log. */
export type Coverage = (namespace: string | undefined) => boolean;

/** What a watch asks. */
export interface CoverageQuestion {
  readonly resource: WatchedResource;
  readonly jetStream: JetStream;
  readonly log: EventLog;
  readonly store: Store;
  /** Of the watch itself. */
  readonly found: Checkpoint | undefined;
  /** The log has lost events: what it does not know is not new for that. */
  readonly isLost: boolean;
}

/** Reads it from the checkpoints, which outlive their watches. Throws when NATS does not answer. */
export async function readCoverage({ found, isLost, ...question }: CoverageQuestion): Promise<Coverage> {
  if (isLost) return () => false;
  if (found !== undefined) return () => true;
  const { resource, jetStream, log, store } = question;
  const covered = new Set<string>();
  for (const [key, checkpoint] of await loadCheckpoints(jetStream, checkpointKeys(resource))) {
    if (await isWitnessed(log, store, checkpoint)) covered.add(key);
  }
  return (namespace) =>
    [undefined, namespace].some((scope) => covered.has(checkpointKey({ ...resource, namespace: scope })));
}
