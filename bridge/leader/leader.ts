/**
 * Leader election: of several bridges with the same Lease one captures, and the others stand by. A leader renews; a standby takes
 * the Lease when it is free, or when it has not changed for its duration. Only this process's monotonic clock decides, never the
 * times in the Lease, so clocks that disagree do no harm. A leader that could not renew in time, or was paused, stops by that clock
 * before a standby can start. What it nevertheless sends is refused by the fence (`sink.ts`).
 * Source: client-go `tools/leaderelection`; stricter in two points: the renew deadline counts from the moment the last successful
 * renewal was sent, and a leader that finds another holder stops at once.
 */
import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { isDeepStrictEqual } from "node:util";
import { type Claim, type Clock, createClaim, isConflict, SYSTEM_CLOCK } from "./claim.ts";
import { describeLeaseProblem, type LeaderElectionSettings, type LeaseStore, RETRY_JITTER } from "./lease.ts";

/** Where a bridge is in the election, for health, metrics and logs. `problem` says what keeps the Lease from being read or renewed. */
export type LeaderState =
  | { readonly type: "off" | "candidate" | "released" }
  | { readonly type: "standby"; readonly holder: string }
  | { readonly type: "waiting"; readonly problem: string }
  | { readonly type: "leader"; readonly problem?: string }
  | { readonly type: "lost"; readonly reason: string };

/** What an election is held with. */
export interface ElectionOptions {
  readonly lease: LeaseStore;
  readonly settings: LeaderElectionSettings;
  /** Hears of every change. */
  readonly onState: (state: LeaderState) => void;
  /** Names this process; a restarted one is another. Default: host name and a random UUID. */
  readonly identity?: string;
  readonly clock?: Clock;
  /** From 0 to 1, for the jitter. */
  readonly random?: () => number;
}

/** The right to capture, as long as it lasts. */
export interface Leadership {
  /** Aborts with a LeadershipLostError when it is lost. */
  readonly signal: AbortSignal;
  /** Asks the clock. Throws LeadershipLostError when it is lost, with `signal` aborted before, or released. */
  check(): void;
  /** Stops renewing, and leaves the Lease free for the next one. Never rejects: a Lease that cannot be written expires by itself. */
  release(): Promise<void>;
}

/** Another bridge leads, or may lead by now: this one must do nothing more. */
export class LeadershipLostError extends Error {
  readonly code = "LEADERSHIP_LOST";
  override readonly name = "LeadershipLostError";
}

/** The right of a bridge that runs without leader election: it is never lost. */
export function uncontested(): Leadership {
  return { signal: new AbortController().signal, check: () => undefined, release: async () => undefined };
}

/**
 * Stands by until this process leads, whatever goes wrong on the way. Rejects with the reason of `signal` when it aborts; a Lease that
 * was won in that moment is released.
 */
export async function becomeLeader(options: ElectionOptions, signal: AbortSignal): Promise<Leadership> {
  const { lease, settings, identity = processIdentity(), clock = SYSTEM_CLOCK, random = Math.random } = options;
  const onState = onlyChanges(options.onState);
  const claim = createClaim(lease, identity, settings.leaseSeconds, clock);
  onState({ type: "candidate" });
  for (;;) {
    signal.throwIfAborted();
    const sentMs = clock.monotonicMs();
    try {
      const holder = await claim.take();
      if (holder === claim.identity) {
        const leadership = keepLeading(claim, sentMs, { ...options, onState }, clock);
        if (!signal.aborted) return leadership;
        await leadership.release();
        continue;
      }
      onState({ type: "standby", holder });
    } catch (error) {
      if (!isConflict(error)) onState({ type: "waiting", problem: describeLeaseProblem(error, lease) });
    }
    await clock.sleep(settings.retrySeconds * 1000 * (1 + RETRY_JITTER * random()), signal);
  }
}

function keepLeading(claim: Claim, sentMs: number, options: ElectionOptions, clock: Clock): Leadership {
  const { lease, settings, onState } = options;
  const renewDeadlineMs = settings.renewDeadlineSeconds * 1000;
  const lost = new AbortController();
  const over = new AbortController(); // lost or released
  let validUntilMs = sentMs + renewDeadlineMs;
  let problem: string | undefined;
  const lose = (reason: string) => {
    if (over.signal.aborted) return;
    over.abort();
    onState({ type: "lost", reason });
    lost.abort(new LeadershipLostError(`this bridge leads no longer: ${reason}. It ends; started again, it stands by`));
  };
  const check = () => {
    if (clock.monotonicMs() >= validUntilMs) {
      const cause = problem ?? "no answer came, or this process was paused";
      lose(`the Lease was not renewed for ${settings.renewDeadlineSeconds} s (${cause})`);
    }
    lost.signal.throwIfAborted();
    if (over.signal.aborted) throw new LeadershipLostError("this bridge has released its Lease");
  };
  const guard = async () => {
    for (; !over.signal.aborted; check()) await clock.sleep(validUntilMs - clock.monotonicMs(), over.signal);
  };
  const renew = async () => {
    for (;;) {
      await clock.sleep(settings.retrySeconds * 1000, over.signal);
      check();
      const renewalSentMs = clock.monotonicMs();
      try {
        const holder = await claim.renew();
        if (holder !== claim.identity) return lose(holder === "" ? "somebody released its Lease" : `${holder} leads`);
        validUntilMs = renewalSentMs + renewDeadlineMs;
        problem = undefined;
      } catch (error) {
        problem = describeLeaseProblem(error, lease);
      }
      if (!over.signal.aborted) onState({ type: "leader", ...(problem !== undefined && { problem }) });
    }
  };
  /** Both end by an error of theirs once it is over: that is how they end. */
  const untilOver = (error: unknown) => {
    if (!over.signal.aborted) throw error;
  };
  onState({ type: "leader" });
  const renewing = renew().catch(untilOver);
  void guard().catch(untilOver);
  return {
    signal: lost.signal,
    check,
    async release() {
      if (lost.signal.aborted) return;
      over.abort();
      await renewing; // else it and the release could refuse each other
      const released = await claim.release().catch(() => false);
      onState({ type: released ? "released" : "candidate" });
    },
  };
}

/** What the log says about a state, and how loudly; `undefined` for what is no news. */
export function sentenceOf(state: LeaderState): readonly ["info" | "warn" | "error", string] | undefined {
  switch (state.type) {
    case "off":
    case "candidate":
      return undefined;
    case "standby":
      return ["info", `standby of ${state.holder}`];
    case "leader":
      return state.problem === undefined
        ? ["info", "this bridge leads"]
        : ["warn", `the Lease could not be renewed, trying again: ${state.problem}`];
    case "waiting":
      return ["warn", state.problem];
    case "released":
      return ["info", "the Lease is released: a standby can lead"];
    case "lost":
      return ["error", `this bridge leads no longer: ${state.reason}`];
    default:
      return state satisfies never;
  }
}

function processIdentity(): string {
  return `${hostname()}_${randomUUID()}`;
}

function onlyChanges(onState: (state: LeaderState) => void): (state: LeaderState) => void {
  let last: LeaderState | undefined;
  return (state) => {
    if (isDeepStrictEqual(last, state)) return;
    last = state;
    onState(state);
  };
}
