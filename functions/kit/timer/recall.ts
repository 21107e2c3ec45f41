/**
 * What CR_TIMERS has lost, found again in the log: the events that were handled, and by whose times something is still to come, are told to the
 * timing once more, which knows what it has already. Nothing is run here. What the log has dropped meanwhile is not found.
 */
import {
  BlobLostError,
  type Delivered,
  type Envelope,
  type JetStream,
  MalformedEventError,
  read,
  readEvent,
} from "#contract";
import { findPlace } from "../delivery/consumer.ts";
import { isMatch, type Matcher } from "../filter/match.ts";
import type { Timing } from "./timing.ts";

/** What was handled, and what of it is over. */
export interface RecallOptions {
  readonly jetStream: JetStream;
  /** What the consumer filters on. */
  readonly subjects: readonly string[];
  readonly matcher: Matcher;
  readonly timing: Timing;
  /** Events behind the first and up to the second were handled by this subscription. */
  readonly handled: { readonly afterSequence: number; readonly upToSequence: number };
  /** Of the events up to there, what was due until then (epoch milliseconds), or waited in a queue, was carried out. */
  readonly over: { readonly upToSequence: number; readonly dueUntilMs: number };
  readonly signal: AbortSignal;
}

/** Resolves to how many events wait again. Rejects with what keeps the log from being read: call it again then. */
export async function recall(options: RecallOptions): Promise<number> {
  const { jetStream, subjects, matcher, handled, signal } = options;
  const after = Math.max(handled.afterSequence, await placeBefore(options));
  if (after >= handled.upToSequence) return 0;
  const reading = { filter_subjects: subjects, deliver_policy: "by_start_sequence", opt_start_seq: after + 1 } as const;
  let count = 0;
  for await (const delivered of read(jetStream, reading, signal, false)) {
    const { streamSequence, message } = delivered;
    if (streamSequence > handled.upToSequence) break;
    const event = await readWhole(jetStream, message.data, signal);
    if (event !== undefined && isMatch(matcher.match, event) && (await recallOne(event, delivered, options))) count++;
  }
  signal.throwIfAborted(); // which ends the reading without an error
  return count;
}

/** The sequence up to which nothing can matter any more. */
async function placeBefore({ jetStream, matcher, timing, over }: RecallOptions): Promise<number> {
  const { window, rate } = matcher;
  const before = async (fromMs: number) => (await findPlace(jetStream, { fromMs })).afterSequence;
  if (window !== undefined) return Math.min(over.upToSequence, await before(over.dueUntilMs - window.ms));
  if (timing.delay !== undefined || rate === undefined) return over.upToSequence;
  return await before(Date.now() - rate.withinMs);
}

/** Resolves to whether it waits, as far as is known. */
async function recallOne(
  event: Envelope,
  { message, streamSequence, storedAtMs }: Delivered,
  { timing: { rates, delay }, over, signal }: RecallOptions,
): Promise<boolean> {
  const entry = { event, message, streamSequence, storedAtMs };
  if (delay === undefined) await rates?.isRun(event, signal);
  if (delay === undefined) return false;
  const isOver =
    streamSequence <= over.upToSequence && (delay.type !== "window" || delay.dueAtMs(entry) <= over.dueUntilMs);
  if (isOver) return false;
  await delay.wait(entry, signal);
  return true;
}

/** What cannot be read was a dead letter. */
async function readWhole(jetStream: JetStream, data: Uint8Array, signal: AbortSignal): Promise<Envelope | undefined> {
  try {
    return await readEvent(jetStream, data, signal);
  } catch (error) {
    if (error instanceof BlobLostError || error instanceof MalformedEventError) return undefined;
    throw error;
  }
}
