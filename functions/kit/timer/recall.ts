/**
 * What CR_TIMERS has lost, found again in the log: the events that were handled, and by whose times something is still to come, are told to the
 * timing once more, which knows what it has already. Nothing is run here. What the log has dropped meanwhile is not found.
 */
import { type Envelope, EVENTS_STREAM, findEvent, getStored, type JetStream, type StoredMessage } from "#contract";
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
  let count = 0;
  for await (const stored of storedBetween(jetStream, subjects, after, handled.upToSequence)) {
    signal.throwIfAborted();
    const event = await findEvent(jetStream, stored.data, signal);
    if (event !== undefined && isMatch(matcher.match, event) && (await recallOne(event, stored, options))) count++;
  }
  return count;
}

/**
 * What the log has behind the first sequence and up to the second, in its order. One by one, since a consumer of its own is more than a user of
 * the subscription's may have.
 */
async function* storedBetween(
  jetStream: JetStream,
  subjects: readonly string[],
  afterSequence: number,
  upToSequence: number,
): AsyncGenerator<StoredMessage, void, void> {
  const next = (subject: string, seq: number) =>
    getStored(jetStream, EVENTS_STREAM, { next_by_subj: subject, seq }).then((stored) => ({ subject, stored }));
  let heads = await Promise.all(subjects.map((subject) => next(subject, afterSequence + 1)));
  for (;;) {
    const sequences = heads.map(({ stored }) => stored?.sequence ?? Number.POSITIVE_INFINITY);
    const sequence = Math.min(...sequences);
    const first = heads.find(({ stored }) => stored?.sequence === sequence);
    if (first?.stored === undefined || sequence > upToSequence) return;
    yield first.stored;
    heads = await Promise.all(
      heads.map((head) => (head.stored?.sequence === sequence ? next(head.subject, sequence + 1) : head)),
    );
  }
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
  { sequence: streamSequence, storedAtMs, subject, data, header }: StoredMessage,
  { timing: { rates, delay }, over, signal }: RecallOptions,
): Promise<boolean> {
  const message = { subject, data, header, reply: undefined, status: 0, description: "" };
  const entry = { event, message, streamSequence, storedAtMs };
  if (delay === undefined) await rates?.isRun(event, signal);
  if (delay === undefined) return false;
  const isOver =
    streamSequence <= over.upToSequence && (delay.type !== "window" || delay.dueAtMs(entry) <= over.dueUntilMs);
  if (isOver) return false;
  await delay.wait(entry, signal);
  return true;
}
