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
  type Logger,
  MalformedEventError,
  parseEnvelope,
} from "#contract";
import { attempt } from "./attempt.ts";
import { matchesSelection } from "./match.ts";
import { type Outcome, PermanentError } from "./outcome.ts";
import type { Slots } from "./slots.ts";
import type { Binding, Subscription } from "./subscription.ts";

/** How an event ended for good, and after how many tries. */
export type Settled = { readonly attempts: number; readonly eventId?: string } & Exclude<Outcome, { type: "retry" }>;

/** What settling needs around it. */
export interface SettleOptions {
  readonly binding: Binding;
  readonly log: Logger;
  readonly slots: Slots;
  readonly retry: BackoffOptions;
  readonly graceMs: number;
  readonly running: Set<AbortController>;
  /** Aborts when no further try is to be begun. */
  readonly stopping: AbortSignal;
  readonly onRetry: (error: Error) => void;
  /** The API versions that were warned about, so that each is warned about once. */
  readonly otherVersions: Set<string>;
}

/** The longest time a timer of Node can wait, 24.8 days; a longer one would fire at once. */
const WAIT_MS_MAX = 2 ** 31 - 1;

/**
 * Settles one event. `slotsTaken` are the caller's, and are given back in here. Each delivery before this one counts as a try,
 * because a process may have died of it. Resolves to `undefined` when the process stops before the event has ended. Never rejects.
 */
export async function settle(
  { message, deliveryCount }: Pick<Delivered, "message" | "deliveryCount">,
  slotsTaken: number,
  options: SettleOptions,
): Promise<Settled | undefined> {
  const { binding, slots, stopping } = options;
  let taken = slotsTaken;
  try {
    const judgement = judge(binding.subscription, message.data);
    if (judgement.type === "ended") {
      if (judgement.otherVersion !== undefined) warnOnce(judgement.otherVersion, options);
      return ended(judgement.outcome, 0);
    }
    const { id } = judgement.event;
    const backoff = createBackoff(options.retry);
    for (let number = deliveryCount; ; number++) {
      const log = options.log.child({ subject: message.subject, id, attempt: number });
      const call = (signal: AbortSignal) => binding.run({ event: judgement.event, attempt: number, log, signal });
      const outcome = await attempt(call, { ...options, timeoutMs: binding.timeoutMs });
      slots.give(taken);
      taken = 0;
      if (outcome.type !== "retry") return { ...outcome, attempts: number, eventId: id };
      if (stopping.aborted) return undefined;
      if (number >= binding.subscription.attempts) return { ...ended(outcome, number), eventId: id };
      const waitMs = Math.min(backoff.nextMs(outcome.afterMs), WAIT_MS_MAX);
      options.onRetry(outcome.error);
      log.warn({ error: outcome.error.message, waitMs: Math.round(waitMs) }, "failed; trying again after a while");
      if (!(await waited(waitMs, stopping)) || !(await slots.take(1))) return undefined;
      taken = 1;
    }
  } finally {
    slots.give(taken);
  }
}

/** The event to run, or the outcome that the message has without being run. */
type Judgement =
  | { readonly type: "run"; readonly event: Envelope }
  | { readonly type: "ended"; readonly outcome: Outcome; readonly otherVersion?: string };

/** An event that the whole filter matches is run, any other is skipped, and what is no event can only become a dead letter. */
function judge(subscription: Subscription, payload: Uint8Array): Judgement {
  try {
    const event = parseEnvelope(payload);
    if (matchesSelection(subscription, event)) return { type: "run", event };
    const { apiversion, kind } = event;
    if (kind !== subscription.kind || apiversion === subscription.apiVersion)
      return skipped("the filter does not match");
    // The subject does not tell the version, so another one of the same kind gets as far as here.
    const reason = `the event's object is ${apiversion} ${kind}, the subscription asks for ${subscription.apiVersion}`;
    return { ...skipped(reason), otherVersion: apiversion };
  } catch (thrown) {
    return { type: "ended", outcome: { type: "dead-letter", error: asMalformed(thrown) } };
  }
}

function warnOnce(found: string, { binding, log, otherVersions }: SettleOptions): void {
  if (otherVersions.has(found)) return;
  otherVersions.add(found);
  const { kind, apiVersion } = binding.subscription;
  log.warn({ kind, wanted: apiVersion, found }, "events of another API version are skipped: bind that version too");
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
