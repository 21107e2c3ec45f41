/**
 * One sweep of the janitor: what it works with, and what keeps it from doing harm. A sweep is trusted for as long as NATS is the one
 * that was asked at its begin: behind a reconnect, the log may be an older one than memory knows, and what was an older event of an
 * object its last.
 */
import type { Lanes } from "../capture/lane.ts";
import type { WatchedResource } from "../capture/resource.ts";
import type { Logger } from "../logger.ts";
import type { Metrics } from "../metrics/metrics.ts";
import type { JetStream } from "../nats/jetstream.ts";
import type { Checkpoint } from "./checkpoint.ts";
import type { EventLog } from "./event-log.ts";
import type { Store } from "./store.ts";

/** The same for all sweeps of a watch. */
export interface SweepOptions {
  readonly resource: WatchedResource;
  readonly jetStream: JetStream;
  readonly log: EventLog;
  readonly store: Store;
  readonly lanes: Lanes;
  readonly logger: Logger;
  readonly metrics: Pick<Metrics, "trimmed" | "logUsage">;
  /** A deletion that was stored longer ago than this is forgotten; fractions count. */
  readonly deletedDays: number;
  /** The checkpoint as it was last saved, which the next start will trust; `undefined` before there is one. */
  readonly saved: () => Checkpoint | undefined;
}

/** One sweep. */
export interface Sweep extends SweepOptions {
  /** Asked before each step. */
  readonly isTrusted: () => boolean;
  /** Aborts when the watch ends. */
  readonly signal: AbortSignal;
  /** What has this sequence or a later one may be the witness of the next start, or of this one: it stays. */
  readonly keptFrom: number;
}

/** Enough to keep the server busy, few enough beside 256 publishes. */
const PURGES_IN_FLIGHT = 8;

/** Runs `work` for each item, a few at a time, for as long as the sweep is trusted. */
export async function eachInFlight<T>(
  items: readonly T[],
  { isTrusted }: Pick<Sweep, "isTrusted">,
  work: (item: T) => Promise<void>,
): Promise<void> {
  for (let first = 0; first < items.length && isTrusted(); first += PURGES_IN_FLIGHT) {
    await Promise.all(items.slice(first, first + PURGES_IN_FLIGHT).map(work));
  }
}
