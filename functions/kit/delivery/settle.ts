/**
 * From one event in hand to how it ends: judged, then tried until it succeeds, is refused for good, or has had its tries. The wait
 * between two tries is in here, in the process, so that a later event of the same object waits behind it; its slot is free meanwhile.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { type BackoffOptions, createBackoff, type Logger, type TraceContext, type Tracing } from "#contract";
import type { IncidentMemory } from "../incident/incident-memory.ts";
import type { Outcome } from "../outcome.ts";
import type { StepMemory } from "../step/step-memory.ts";
import { beginTry, type Try, traceOf } from "../trace/try.ts";
import { attempt } from "./attempt.ts";
import { keepHeld, type Silenced, silencedBy } from "./hold-back.ts";
import { type Judgement, type JudgeOptions, judge, type Run, type Settling } from "./judgement.ts";
import type { Slots } from "./slots.ts";
import { warnOnce } from "./warning.ts";

/** How an event ended for good, and after how many tries; `firstTriedMs` is when this process began (epoch milliseconds). */
export type Settled = {
  readonly attempts: number;
  readonly eventId?: string;
  readonly firstTriedMs?: number;
  /** With `batch`: the ids of those events that a silence held back, whatever became of the others. */
  readonly heldBack?: readonly string[];
  readonly trace?: TraceContext | undefined;
} & (Exclude<Outcome, { type: "retry" }> | Waiting | Silenced);

/** The event has to wait for a while: it is stored, and comes again when its time is up. */
interface Waiting {
  readonly type: "waiting";
}

/** What settling needs around it. */
export interface SettleOptions extends JudgeOptions {
  readonly stepMemory: StepMemory;
  readonly incidentMemory: IncidentMemory;
  readonly log: Logger;
  /** Left out: tries are not told as spans. */
  readonly tracing?: Tracing | undefined;
  readonly slots: Slots;
  readonly retry: BackoffOptions;
  readonly graceMs: number;
  readonly running: Set<AbortController>;
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
      if (judgement === undefined || judgement.type === "unopened") judgement = await judge(settling, options);
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

/** One try of what may be run, or has to wait. Never rejects. */
export async function tryToEnd(
  judgement: Exclude<Judgement, { type: "ended" }>,
  tried: Try,
  options: Parameters<typeof tryOnce>[2] & Pick<SettleOptions, "silences">,
): Promise<(Outcome | Waiting | Silenced) & Pick<Settled, "heldBack">> {
  if (judgement.type === "hold-back") return await tryToHoldBack(judgement, tried, options);
  if (judgement.type !== "wait") return await tryOnce(judgement, tried, options);
  const { delay, event } = judgement;
  const wait = async (signal: AbortSignal): Promise<Outcome> => {
    await delay.wait(judgement, signal);
    return { type: "done" };
  };
  const outcome = await attempt(wait, { ...options, timeoutMs: WAIT_ATTEMPT_MS });
  if (outcome.type !== "done") return outcome;
  tried.log.info({ since: event.time }, "waits for its time");
  return { type: "waiting" };
}

/** Holds back what a silence is about, and runs what is left. Never rejects. */
async function tryToHoldBack(
  judgement: Extract<Judgement, { type: "hold-back" }>,
  tried: Try,
  options: Parameters<typeof tryToEnd>[2],
): Promise<(Outcome | Silenced) & Pick<Settled, "heldBack">> {
  const { silences } = options;
  let kept: Awaited<ReturnType<typeof keepHeld<Run>>> = { left: judgement.whole, heldBack: [] };
  const keep = async (signal: AbortSignal): Promise<Outcome> => {
    if (silences !== undefined) kept = await keepHeld(judgement, silences, { ...options, log: tried.log, signal });
    return { type: "done" };
  };
  const outcome = await attempt(keep, { ...options, timeoutMs: WAIT_ATTEMPT_MS });
  if (outcome.type !== "done") return outcome;
  const { left, heldBack } = kept;
  return left === undefined ? silencedBy(judgement.held) : { ...(await tryOnce(left, tried, options)), heldBack };
}

/** One try of what may be run. Never rejects. */
export function tryOnce(
  judgement: Exclude<Judgement, { type: "ended" | "wait" | "hold-back" }>,
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

/** A failure that is not tried again is a dead letter. */
function ended(outcome: Outcome & Pick<Settled, "heldBack">, attempts: number): Settled {
  if (outcome.type !== "retry") return { ...outcome, attempts };
  const { error, heldBack } = outcome;
  return { type: "dead-letter", error, attempts, ...(heldBack && { heldBack }) };
}

async function waited(waitMs: number, signal: AbortSignal): Promise<boolean> {
  try {
    await sleep(waitMs, undefined, { signal });
    return true;
  } catch {
    return false;
  }
}
