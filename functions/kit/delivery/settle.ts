/**
 * From one event in hand to how it ends: judged, then tried until it succeeds, is refused for good, or has had its tries. The wait
 * between two tries is in here, in the process, so that a later event of the same object waits behind it; its slot is free meanwhile.
 */
import { setTimeout as sleep } from "node:timers/promises";
import {
  type BackoffOptions,
  createBackoff,
  type Delivered,
  type Envelope,
  type JetStream,
  type KubeObject,
  type Logger,
  MalformedEventError,
  openEnvelope,
  parseSent,
  type SentEnvelope,
  type TraceContext,
  type Tracing,
} from "#contract";
import type { MatchResult } from "../filter/match.ts";
import type { IncidentMemory } from "../incident/incident-memory.ts";
import { type Outcome, PermanentError } from "../outcome.ts";
import type { StepMemory } from "../step/step-memory.ts";
import type { Binding } from "../subscription.ts";
import type { Batch, Batches } from "../timer/batches.ts";
import { isItsTurn, isMatch } from "../timer/frequency.ts";
import type { Entry, Timers } from "../timer/timers.ts";
import { beginTry, type Try, traceOf } from "../trace/try.ts";
import { attempt } from "./attempt.ts";
import type { Replay } from "./replay.ts";
import type { Slots } from "./slots.ts";
import { type Warning, warnOnce } from "./warning.ts";

/** How an event ended for good, and after how many tries; `firstTriedMs` is when this process began (epoch milliseconds). */
export type Settled = {
  readonly attempts: number;
  readonly eventId?: string;
  readonly firstTriedMs?: number;
  readonly trace?: TraceContext | undefined;
} & (Exclude<Outcome, { type: "retry" }> | Waiting);

/** The event has to wait for a while, with `for` or `debounce`: its timer is stored, and brings it again. */
interface Waiting {
  readonly type: "waiting";
}

/** An event in hand. */
export interface Settling extends Pick<Delivered, "message" | "deliveryCount"> {
  readonly streamSequence?: number;
  readonly storedAtMs?: number;
  /** It has waited, and when it was due (epoch milliseconds). */
  readonly dueAtMs?: number;
  /** `cr-reactor replay` brings it once more. */
  readonly replay?: Replay | undefined;
  /** It is the first of these, which have waited for one call. */
  readonly batch?: Batch;
}

/** What settling needs around it. */
export interface SettleOptions {
  /** Where the data of very large events is; without it they are dead letters. */
  readonly jetStream: JetStream | undefined;
  readonly binding: Binding;
  readonly stepMemory: StepMemory;
  readonly incidentMemory: IncidentMemory;
  /** Where the events of a subscription with `for` or `debounce` wait; without it they are run at once. */
  readonly timers?: Timers | undefined;
  /** Where those of a subscription with `batch` wait. */
  readonly batches?: Batches | undefined;
  readonly log: Logger;
  /** Left out: tries are not told as spans. */
  readonly tracing?: Tracing | undefined;
  readonly slots: Slots;
  readonly retry: BackoffOptions;
  readonly graceMs: number;
  readonly running: Set<AbortController>;
  /** Whether an edit that is pending lets the event be run. */
  readonly isWanted?: (event: Envelope) => boolean;
  /** Aborts when no further try is to be begun. */
  readonly stopping: AbortSignal;
  readonly onRetry: (error: Error) => void;
  /** An expression of the filter could not be evaluated. */
  readonly onUndecided: () => void;
  /** What was warned about, so that each is warned about once. */
  readonly warned: Set<string>;
  /** Waits between two tries; resolves to false when no further one is wanted. Default: as long as it takes. */
  readonly wait?: (waitMs: number, stopping: AbortSignal) => Promise<boolean>;
  /** From 0 to 1, for the jitter of the waits; default `Math.random`. */
  readonly random?: () => number;
}

/** To store a timer takes milliseconds; what takes longer is NATS that is away. */
const WAIT_ATTEMPT_MS = 30_000;
/** The longest time a timer of Node can wait, 24.8 days; a longer one would fire at once. */
const WAIT_MS_MAX = 2 ** 31 - 1;

/**
 * Settles one event. `slotsTaken` are the caller's, and are given back in here. Each delivery before this one counts as a try,
 * because a process may have died of it. Resolves to `undefined` when the process stops before the event has ended. Never rejects.
 */
export async function settle(
  settling: Settling,
  slotsTaken: number,
  options: SettleOptions,
): Promise<Settled | undefined> {
  const { message, deliveryCount } = settling;
  const { slots, stopping, wait = waited } = options;
  let taken = slotsTaken;
  try {
    const backoff = createBackoff(options.retry, options.random);
    const firstTriedMs = Date.now();
    let judgement: Judgement | undefined;
    for (let number = deliveryCount; ; number++) {
      if (judgement?.type !== "run" && judgement?.type !== "wait") judgement = await judge(settling, options);
      if (judgement.type === "ended") {
        if (judgement.warning !== undefined) warnOnce(judgement.warning, options);
        const { event, outcome } = judgement;
        const isTold = outcome.type !== "skipped" || options.log.isLevelEnabled("debug");
        return { ...ended(outcome, 0), ...(event && isTold && { eventId: event.id, trace: traceOf(event) }) };
      }
      const tried = beginTry(judgement, number, { subject: message.subject }, options);
      const outcome = await tryToEnd(judgement, tried, { ...options, replay: settling.replay });
      const isLast = number >= options.binding.subscription.attempts && !stopping.aborted;
      tried.end(outcome, isLast);
      slots.give(taken);
      taken = 0;
      const about = { eventId: judgement.event.id, firstTriedMs, trace: tried.trace.context };
      if (outcome.type !== "retry") return { ...outcome, attempts: number, ...about };
      if (isLast) return { ...ended(outcome, number), ...about };
      if (stopping.aborted) return undefined;
      const waitMs = Math.min(backoff.nextMs(outcome.afterMs), WAIT_MS_MAX);
      options.onRetry(outcome.error);
      tried.log.warn(
        { error: outcome.error.message, waitMs: Math.round(waitMs) },
        "failed; trying again after a while",
      );
      if (!(await wait(waitMs, stopping)) || !(await slots.take(1))) return undefined;
      taken = 1;
    }
  } finally {
    slots.give(taken);
  }
}

/** The event to run, the outcome that the message has without being run, or why its data could not be had this time. */
export type Judgement =
  | {
      readonly type: "run";
      readonly event: Envelope;
      readonly match: Extract<MatchResult["type"], "matched" | "resolving">;
      readonly held?: Held;
      /** With `batch`: all of the call. */
      readonly events?: readonly Envelope[];
    }
  | ({ readonly type: "wait"; readonly timers: Pick<Timers, "wait"> } & Entry)
  | {
      readonly type: "ended";
      readonly outcome: Outcome;
      readonly warning?: Warning;
      /** Left out: what came is none. */
      readonly event?: SentEnvelope;
    }
  | { readonly type: "unopened"; readonly event: SentEnvelope; readonly error: Error };

/** The state that an event entered has held for as long as it should, or nothing more has matched. */
export interface Held {
  readonly since: string | undefined;
  /** The object as it is by now. */
  readonly object: KubeObject;
}

/** One try of what may be run, or has to wait. Never rejects. */
export async function tryToEnd(
  judgement: Exclude<Judgement, { type: "ended" }>,
  tried: Try,
  options: Parameters<typeof tryOnce>[2],
): Promise<Outcome | Waiting> {
  if (judgement.type !== "wait") return await tryOnce(judgement, tried, options);
  const { timers, event } = judgement;
  const wait = async (signal: AbortSignal): Promise<Outcome> => {
    await timers.wait(judgement, signal);
    return { type: "done" };
  };
  const outcome = await attempt(wait, { ...options, timeoutMs: WAIT_ATTEMPT_MS });
  if (outcome.type !== "done") return outcome;
  tried.log.info({ since: event.time }, "waits for its time");
  return { type: "waiting" };
}

/** One try of what may be run. Never rejects. */
export function tryOnce(
  judgement: Exclude<Judgement, { type: "ended" | "wait" }>,
  { number, log, trace, run }: Try,
  options: Pick<SettleOptions, "binding" | "stepMemory" | "incidentMemory" | "graceMs" | "running"> &
    Pick<Settling, "replay">,
): Promise<Outcome> | Outcome {
  if (judgement.type === "unopened") return { type: "retry", error: judgement.error };
  const { binding, stepMemory, incidentMemory, replay } = options;
  const { event, match, held, events } = judgement;
  const memories = { stepMemory, incidentMemory, replay };
  const call = (signal: AbortSignal) =>
    run(() => binding.run({ event, match, held, events, attempt: number, log, signal, ...memories, trace }));
  return attempt(call, { ...options, timeoutMs: binding.timeoutMs });
}

/** What is no event can only become a dead letter. */
async function judge(settling: Settling, options: SettleOptions): Promise<Judgement> {
  if (settling.batch !== undefined) return judgeBatch(settling.batch, options.binding);
  try {
    const sent = parseSent(settling.message.data);
    const judgement = await judgeOpened(sent, settling, options);
    return judgement.type === "ended" ? { ...judgement, event: sent } : judgement;
  } catch (thrown) {
    return { type: "ended", outcome: { type: "dead-letter", error: asMalformed(thrown) } };
  }
}

async function judgeOpened(sent: SentEnvelope, settling: Settling, options: SettleOptions): Promise<Judgement> {
  const judgement = await judgeSent(sent, options);
  if (judgement.type !== "run") return judgement;
  if (settling.dueAtMs === undefined && options.isWanted?.(judgement.event) === false)
    return skipped("the filter before the edit does not match");
  if (judgement.match !== "matched") return judgement;
  if (options.binding.matcher.frequency !== undefined) return await judgeFrequency(judgement, options);
  return await judgeWindow(judgement, settling, options);
}

/** Of what was collected, what the filter as it is now still matches is one call. */
function judgeBatch({ events }: Batch, { matcher }: Binding): Judgement {
  const matching = events.filter((event) => isMatch(matcher.match, event));
  const [event] = matching;
  if (event === undefined) return skipped("the filter does not match what was collected");
  return { type: "run", event, match: "matched", events: matching };
}

/** With `count` or `rateLimit`, how often the object matched before decides. */
async function judgeFrequency(
  judgement: Extract<Judgement, { type: "run" }>,
  { binding, incidentMemory: { history }, stopping }: SettleOptions,
): Promise<Judgement> {
  const { event } = judgement;
  const { frequency, match } = binding.matcher;
  if (frequency === undefined || history === undefined) return judgement;
  try {
    const older = history(event, stopping);
    if (await isItsTurn(event, older, frequency, match)) return judgement;
    return skipped(frequency.type === "count" ? "it is not so many yet (count)" : "it is too many (rateLimit)");
  } catch (error) {
    return { type: "unopened", event, error: error as Error };
  }
}

/** With `for` or `debounce`, an event has to wait at first; when it was due, it is run if it is still what it was. */
async function judgeWindow(
  judgement: Extract<Judgement, { type: "run" }>,
  { message, streamSequence = 0, storedAtMs = Date.now(), dueAtMs }: Settling,
  { binding, timers, batches, stopping }: SettleOptions,
): Promise<Judgement> {
  const { event } = judgement;
  const { window, batch } = binding.matcher;
  if (batch !== undefined && (batches === undefined || dueAtMs !== undefined)) return { ...judgement, events: [event] };
  if (batches !== undefined) return { type: "wait", timers: batches, event, message, streamSequence, storedAtMs };
  if (window === undefined) return judgement;
  if (timers === undefined)
    return { ...judgement, held: { since: window.state?.since(event), object: event.data.object } };
  const wait = { type: "wait", timers, event, message, streamSequence, storedAtMs } as const;
  if (dueAtMs === undefined) return wait;
  try {
    const ripe = await timers.judge(wait, dueAtMs, stopping);
    if (ripe.type === "early") return wait;
    return ripe.type === "left" ? skipped(ripe.reason) : { ...judgement, held: ripe };
  } catch (error) {
    return { type: "unopened", event, error: error as Error };
  }
}

/** An event that the whole filter matches is run, any other is skipped. Never rejects. */
export async function judgeSent(
  sent: SentEnvelope,
  options: Pick<SettleOptions, "jetStream" | "binding" | "stopping">,
): Promise<Exclude<Judgement, { type: "wait" }>> {
  if (sent.data !== undefined) return match(options.binding, sent);
  try {
    return match(options.binding, await open(sent, options));
  } catch (thrown) {
    if (thrown instanceof MalformedEventError)
      return { type: "ended", outcome: { type: "dead-letter", error: thrown } };
    return { type: "unopened", event: sent, error: thrown as Error };
  }
}

/** Fetches the data of a very large event. That NATS is away is no fault of the event, and no try. */
async function open(
  sent: SentEnvelope,
  { jetStream, stopping }: Pick<SettleOptions, "jetStream" | "stopping">,
): Promise<Envelope> {
  if (jetStream === undefined)
    throw new MalformedEventError("the event's data is in NATS (dataref), which this process has no connection to");
  for (;;) {
    try {
      return await openEnvelope(jetStream, sent);
    } catch (error) {
      if (jetStream.connected || stopping.aborted) throw error;
      await jetStream.whenConnected(stopping);
    }
  }
}

function match({ subscription, matcher }: Binding, event: Envelope): Exclude<Judgement, { type: "wait" }> {
  try {
    const result = matcher.match(event);
    if (result.type === "matched" || result.type === "resolving") return { type: "run", event, match: result.type };
    if (result.type === "undecided") {
      const { reason } = result;
      return { ...skipped(reason), warning: { type: "undecided", reason } };
    }
    const { apiversion, kind } = event;
    if (kind !== subscription.kind || apiversion === subscription.apiVersion)
      return skipped("the filter does not match");
    // The subject does not tell the version, so another one of the same kind gets as far as here.
    const reason = `the event's object is ${apiversion} ${kind}, the subscription asks for ${subscription.apiVersion}`;
    return { ...skipped(reason), warning: { type: "other-version", found: apiversion } };
  } catch (thrown) {
    return { type: "ended", outcome: { type: "dead-letter", error: asMalformed(thrown) } };
  }
}

function skipped(reason: string) {
  return { type: "ended", outcome: { type: "skipped", reason } } as const;
}

/** A patch that cannot be undone: nobody can say what the object was before. */
function asMalformed(thrown: unknown): Error {
  if (thrown instanceof MalformedEventError) return thrown;
  const reason = thrown instanceof Error ? thrown.message : String(thrown);
  return new PermanentError(`the event contradicts itself: ${reason}`, { cause: thrown });
}

/** A failure that is not tried again is a dead letter. */
function ended(outcome: Outcome, attempts: number): Settled {
  return outcome.type === "retry" ? { type: "dead-letter", error: outcome.error, attempts } : { ...outcome, attempts };
}

async function waited(waitMs: number, signal: AbortSignal): Promise<boolean> {
  try {
    await sleep(waitMs, undefined, { signal });
    return true;
  } catch {
    return false;
  }
}
