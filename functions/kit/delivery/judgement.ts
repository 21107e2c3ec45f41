/**
 * What becomes of an event before it is run: it is read, matched by the whole filter, and asked what its subscription says of time.
 */
import {
  type Delivered,
  type Envelope,
  type JetStream,
  type KubeObject,
  MalformedEventError,
  openEnvelope,
  parseSent,
  type SentEnvelope,
} from "#contract";
import { isMatch, type MatchResult } from "../filter/match.ts";
import type { Rate } from "../filter/time-plan.ts";
import { type Dropper, type Outcome, PermanentError } from "../outcome.ts";
import type { SilenceGate } from "../silence/silence-gate.ts";
import type { Binding } from "../subscription.ts";
import type { Batch } from "../timer/batches.ts";
import type { Entry } from "../timer/queue.ts";
import type { Delay, Timing } from "../timer/timing.ts";
import { askSilences, type HoldBack, isResolvedSince } from "./hold-back.ts";
import type { Replay } from "./replay.ts";
import type { Warning } from "./warning.ts";

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
  /** The dead letter that somebody wants to be tried again: no silence holds that back. */
  readonly retryOf?: number;
  /** The silence that held it back, and is over. */
  readonly summaryOf?: string;
  /** Why its event cannot be had any more: it was too large to wait. */
  readonly lost?: string;
}

/** The event to run, the outcome that the message has without being run, or why its data could not be had this time. */
export type Judgement =
  | Run
  | ({ readonly type: "wait"; readonly delay: Pick<Delay, "wait"> } & Entry)
  | HoldBack<Run>
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

/** What the function is called with. */
export interface Run {
  readonly type: "run";
  readonly event: Envelope;
  readonly match: Extract<MatchResult["type"], "matched" | "resolving">;
  readonly held?: Held;
  /** With `batch`: all of the call. */
  readonly events?: readonly Envelope[];
}

/** What judging needs around it. */
export interface JudgeOptions {
  /** Where the data of very large events is; without it they are dead letters. */
  readonly jetStream: JetStream | undefined;
  readonly binding: Binding;
  /** What the subscription says of time, at work. */
  readonly timing: Timing;
  /** The silences in front of the subscription. */
  readonly silences?: SilenceGate | undefined;
  /** Whether an edit that is pending lets the event be run. */
  readonly isWanted?: (event: Envelope) => boolean;
  /** Aborts when no further try is to be begun. */
  readonly stopping: AbortSignal;
}

/** What becomes of an event: run, unless a silence holds it back. What somebody asks for, a retry or a replay, no silence holds back. */
export async function judge(settling: Settling, options: JudgeOptions): Promise<Judgement> {
  const judgement = await judgeAlone(settling, options);
  const { silences, stopping } = options;
  const isAskedFor = settling.retryOf !== undefined || settling.replay !== undefined;
  if (judgement.type !== "run" || silences === undefined || isAskedFor) return judgement;
  try {
    if (settling.summaryOf !== undefined && (await isResolvedSince(judgement.event, settling, silences, options)))
      return { ...skipped("it was resolved while it was held back"), event: judgement.event };
    return await askSilences(judgement, settling, silences, stopping);
  } catch (error) {
    return { type: "unopened", event: judgement.event, error: error as Error };
  }
}

/** What is no event can only become a dead letter. */
async function judgeAlone(settling: Settling, options: JudgeOptions): Promise<Judgement> {
  if (settling.lost !== undefined)
    return { type: "ended", outcome: { type: "dead-letter", error: new PermanentError(settling.lost) } };
  if (settling.batch !== undefined) return judgeBatch(settling.batch, options.binding);
  try {
    const sent = parseSent(settling.message.data);
    const judgement = await judgeOpened(sent, settling, options);
    return judgement.type === "ended" ? { ...judgement, event: sent } : judgement;
  } catch (thrown) {
    return { type: "ended", outcome: { type: "dead-letter", error: asMalformed(thrown) } };
  }
}

async function judgeOpened(sent: SentEnvelope, settling: Settling, options: JudgeOptions): Promise<Judgement> {
  const judgement = await judgeSent(sent, options);
  if (judgement.type !== "run") return judgement;
  if (settling.dueAtMs === undefined && options.isWanted?.(judgement.event) === false)
    return skipped("the filter before the edit does not match");
  return judgement.match === "matched" ? await inTime(judgement, settling, options) : judgement;
}

/** Of what was collected, what the filter as it is now still matches is one call. */
function judgeBatch({ events }: Batch, { matcher }: Binding): Judgement {
  const matching = events.filter((event) => isMatch(matcher.match, event));
  const [event] = matching;
  if (event === undefined) return skipped("the filter does not match what was collected");
  return { type: "run", event, match: "matched", events: matching };
}

/** What cannot be remembered or found out now is tried again. */
async function inTime(run: Run, settling: Settling, options: JudgeOptions): Promise<Judgement> {
  try {
    return await judgeTime(run, settling, options);
  } catch (error) {
    return { type: "unopened", event: run.event, error: error as Error };
  }
}

/** What the subscription says of time: whether it is left out, has to wait, or is run now. One that has waited is not asked again. */
async function judgeTime(run: Run, settling: Settling, options: JudgeOptions): Promise<Judgement> {
  const { matcher } = options.binding;
  const { event } = run;
  if (settling.dueAtMs !== undefined) return await judgeDue(run, settling, settling.dueAtMs, options);
  if (matcher.sample?.(event) === false) return dropped("sample");
  const { rates, delay } = options.timing;
  if (rates !== undefined && matcher.rate !== undefined && !(await rates.isRun(event, options.stopping)))
    return dropped(matcher.rate.type);
  if (delay === undefined) return atOnce(run, matcher);
  const wait = { type: "wait", delay, ...entryOf(event, settling) } as const;
  return delay.type === "throttle" && (await delay.admit(wait, options.stopping)) ? run : wait;
}

/** Where nothing can wait, a state that should hold for a while is told as soon as it is entered. */
function atOnce(run: Run, { window }: Binding["matcher"]): Judgement {
  const { event } = run;
  return window === undefined
    ? run
    : { ...run, held: { since: window.state?.since(event), object: event.data.object } };
}

/** With `for` it is run if the state that it entered still holds, with `debounce` if it is still the last one. */
async function judgeDue(
  run: Run,
  settling: Settling,
  dueAtMs: number,
  { timing, stopping }: JudgeOptions,
): Promise<Judgement> {
  const { delay } = timing;
  if (delay?.type !== "window") return run;
  const wait = { type: "wait", delay, ...entryOf(run.event, settling) } as const;
  const ripe = await delay.judge(wait, dueAtMs, stopping);
  if (ripe.type === "early") return wait;
  return ripe.type === "left" ? skipped(ripe.reason) : { ...run, held: ripe };
}

function entryOf(event: Envelope, { message, streamSequence = 0, storedAtMs = Date.now() }: Settling): Entry {
  return { event, message, streamSequence, storedAtMs };
}

const DROPPED: Readonly<Record<Dropper, string>> = {
  count: "it is not so many yet (count)",
  rateLimit: "it is too many (rateLimit)",
  oncePer: "the same was told before (oncePer)",
  sample: "it is not among the sample (sample)",
};

function dropped(type: Rate["type"] | "sample"): Judgement {
  if (type === "throttle") throw new Error("what throttle holds back waits");
  return { type: "ended", outcome: { type: "skipped", reason: DROPPED[type], droppedBy: type } };
}

/** An event that the whole filter matches is run, any other is skipped. Never rejects. */
export async function judgeSent(
  sent: SentEnvelope,
  options: Pick<JudgeOptions, "jetStream" | "binding" | "stopping">,
): Promise<Exclude<Judgement, { type: "wait" | "hold-back" }>> {
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
  { jetStream, stopping }: Pick<JudgeOptions, "jetStream" | "stopping">,
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

function match(
  { subscription, matcher }: Binding,
  event: Envelope,
): Exclude<Judgement, { type: "wait" | "hold-back" }> {
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
