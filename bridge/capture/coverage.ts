/**
 * What was captured before, by any watch of a resource with the same selectors or none, whatever its settings are: where one has listed
 * everything once, an object that the log does not know is a new one, not one that was there all along. So a creation stays one when the
 * settings change meanwhile, and when a namespace goes from one watch to another.
 */
import { isDeepStrictEqual } from "node:util";
import { type Checkpoint, loadCheckpoints } from "../log/checkpoint.ts";
import type { EventLog } from "../log/event-log.ts";
import type { Store } from "../log/store.ts";
import { isWitnessed } from "../log/witness.ts";
import type { JetStream } from "../nats/jetstream.ts";
import { checkpointKey, checkpointKeys, selectorQuery, type WatchedResource } from "./resource.ts";

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
  const { resource, jetStream, log, store } = question;
  if (found !== undefined && isAsWide(found, resource)) return () => true;
  const covered = new Set<string>();
  for (const [key, checkpoint] of await loadCheckpoints(jetStream, checkpointKeys(resource))) {
    if (isAsWide(checkpoint, resource) && (await isWitnessed(log, store, checkpoint))) covered.add(key);
  }
  return (namespace) =>
    [undefined, namespace].some((scope) => covered.has(checkpointKey({ ...resource, namespace: scope })));
}

/** Whether what the checkpoint's watch selects has all that the resource's does: it has the same selectors, or none. */
function isAsWide({ watch }: Checkpoint, resource: WatchedResource): boolean {
  const was = selectorQuery(watch ?? {});
  return Object.keys(was).length === 0 || isDeepStrictEqual(was, selectorQuery(resource));
}
