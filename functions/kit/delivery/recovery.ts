/**
 * After a start or a reconnect, events may be out that no living process holds: they went to one that was killed, or were on the
 * wire when the connection broke. The server gives them again once their time is up, behind newer ones. So nothing new is begun
 * until they are here: an older event is waited for, never overtaken by a newer one of its object. And where a consumer that is gone
 * goes on, in a log that may have been restored from an older copy meanwhile.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Delivered, JetStream } from "#contract";
import type { Place } from "../ownership/subscription-record.ts";
import type { StoredEvent } from "./acknowledgement.ts";
import { findPlace, type StartAt } from "./consumer.ts";
import type { Settled } from "./settle.ts";

/** What waiting needs to know. */
export interface RecoveryOptions {
  /** How many events are delivered and not acknowledged, as the server sees it. */
  readonly unacknowledged: () => Promise<number>;
  /** Which events are here and not yet being acknowledged. */
  readonly inHand: () => ReadonlySet<number>;
  /** After this, what has not come again is in the hands of another process. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** What came while the server was asked is seen at the next look; what another process has takes the server seconds. */
const POLL_MS = { first: 2, max: 100 };

/** Resolves when every event that is out is here, or the time is up. Rejects when `signal` aborts. */
export async function untilAllInHand(options: RecoveryOptions): Promise<"all" | "timeout"> {
  const { unacknowledged, inHand, timeoutMs, signal } = options;
  const deadlineMs = performance.now() + timeoutMs;
  for (let pollMs = POLL_MS.first; ; pollMs = Math.min(pollMs * 2, POLL_MS.max)) {
    const before = inHand();
    const count = await unacknowledged().catch(() => Number.POSITIVE_INFINITY);
    // Only what was here before and still is counts for sure: the answer is as old as the question.
    const now = inHand();
    const certain = [...before].filter((sequence) => now.has(sequence)).length;
    if (count <= certain) return "all";
    if (performance.now() > deadlineMs) return "timeout";
    await sleep(pollMs, undefined, { signal });
  }
}

/**
 * Where a consumer that is made anew goes on. The sequence alone does not tell: a log that was restored from an older copy ends before
 * it, and may have grown past it again with other events. Those were all stored later, so the earlier of the two places is right.
 */
export async function resumeAfter(
  jetStream: JetStream,
  { upToSequence, storedUntilMs }: Place,
): Promise<StartAt & { type: "after" }> {
  // Behind that millisecond, else what is finished and was stored within it would be delivered again.
  const { afterSequence } = await findPlace(jetStream, { fromMs: storedUntilMs + 1 });
  return { type: "after", streamSequence: Math.min(upToSequence, afterSequence) };
}

/** What is finished when these are in hand, and `furthest` is the one furthest in the log of all that came. */
export function finishedBefore(furthest: StoredEvent, inHand: readonly StoredEvent[]): Place {
  const before = { upToSequence: furthest.streamSequence, storedUntilMs: furthest.storedAtMs };
  return inHand.reduce(
    (finished, { streamSequence, storedAtMs }) =>
      streamSequence > finished.upToSequence
        ? finished
        : { upToSequence: streamSequence - 1, storedUntilMs: storedAtMs },
    before,
  );
}

/**
 * Whether a log that was restored from an older copy gives sequences again: within one log nothing that was stored later has a lower
 * sequence, nor does another event have the same.
 */
export function givesAgain(
  { streamSequence, storedAtMs }: StoredEvent,
  furthest: StoredEvent | undefined,
  sameSequence: StoredEvent | undefined,
): boolean {
  if (sameSequence !== undefined) return sameSequence.storedAtMs !== storedAtMs;
  return furthest !== undefined && streamSequence <= furthest.streamSequence && storedAtMs > furthest.storedAtMs;
}

/**
 * The stream sequence of the event that ended the process before this one: the oldest of those that had their tries, and one alone.
 * Those run one by one in the order of the log, so the oldest was running.
 */
export function oldestSuspect(
  events: readonly Pick<Delivered, "streamSequence" | "deliveryCount">[],
  attempts: number,
): number | undefined {
  const suspects = events.filter(({ deliveryCount }) => deliveryCount > attempts + 1);
  return suspects.length === 0 ? undefined : Math.min(...suspects.map(({ streamSequence }) => streamSequence));
}

/** How the suspect ends. */
export function suspected({ deliveryCount }: Pick<Delivered, "deliveryCount">): Settled {
  const attempts = deliveryCount - 1;
  const error = new Error(`the process ended ${attempts} times while it handled this event`);
  return { type: "dead-letter", error, attempts };
}
