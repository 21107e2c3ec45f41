/**
 * What a subscription did: one log line for each event that ended, and counts for health and metrics.
 */
import { type Logger, traceFields } from "#contract";
import type { Dropper } from "../outcome.ts";
import type { Settled } from "./settle.ts";

/** Counted since the process started. */
export interface DeliveryCounts {
  /** Events that the filter matched, and so were tried. */
  matched: number;
  /** Tries, first and further ones. */
  runs: number;
  done: number;
  skipped: number;
  /** They have to wait first (`for`, `debounce`, `batch`, `throttle`); each comes again when that is over. */
  waiting: number;
  /** A silence held them back. */
  silenced: number;
  /** Of the skipped: those that match, by what left them out. */
  readonly dropped: Record<Dropper, number>;
  /** Of the skipped: those for which an expression of the filter could not be evaluated. */
  undecided: number;
  /** Failed tries that are tried again. */
  retried: number;
  deadLetters: number;
  lastError: string | undefined;
}

/** All zero. */
export function newCounts(): DeliveryCounts {
  return {
    ...{ matched: 0, runs: 0, done: 0, skipped: 0, waiting: 0, silenced: 0, undecided: 0, retried: 0, deadLetters: 0 },
    dropped: { count: 0, rateLimit: 0, oncePer: 0, sample: 0 },
    lastError: undefined,
  };
}

/** Counts and logs how an event ended; `letter` is the sequence of its dead letter. */
export function report(
  log: Logger,
  counts: DeliveryCounts,
  event: { readonly subject: string; readonly streamSequence: number },
  settled: Settled,
  letter?: number,
): void {
  const fields = { ...event, id: settled.eventId, attempt: settled.attempts, ...traceFields(settled.trace) };
  switch (settled.type) {
    case "done":
      counts.done++;
      log.info({ ...fields, ...(settled.note !== undefined && { note: settled.note }) }, "done");
      break;
    case "skipped":
      counts.skipped++;
      if (settled.droppedBy !== undefined) counts.dropped[settled.droppedBy]++;
      log.debug({ ...fields, reason: settled.reason }, "skipped");
      break;
    case "waiting":
      counts.waiting++;
      break;
    case "silenced":
      counts.silenced++;
      log.info({ ...fields, silence: settled.silence }, "held back by a silence");
      break;
    case "dead-letter":
      counts.deadLetters++;
      counts.lastError = settled.error.message;
      log.error(
        { ...fields, letter, err: settled.error },
        `given up: the event is a dead letter now (cr-reactor dead-letters show ${letter})`,
      );
      break;
    default:
      settled satisfies never;
  }
}
