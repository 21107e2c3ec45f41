/**
 * One try of a function, which ends whatever the function does. When the time is up its signal aborts; a function that then ends
 * by itself is taken at its word (late success is success), one that does not is abandoned after a grace period and counts as
 * failed. So the next try for the same object starts when the function has ended, or a grace period after it was told to: only a
 * function that ignores its signal can overlap with its own next try.
 */
import { type Outcome, outcomeOf } from "../outcome.ts";

/** The function did not end in time. */
export class AttemptTimeoutError extends Error {
  readonly code = "ATTEMPT_TIMEOUT";
  override readonly name = "AttemptTimeoutError";
}

/** How long a try may take, and who may end it sooner. */
export interface AttemptOptions {
  readonly timeoutMs: number;
  /** How long a function may take to end once it was told to. */
  readonly graceMs: number;
  /** The controllers of all running tries: abort one to end it. Each is in here as long as its try runs. */
  readonly running: Set<AbortController>;
}

/** Runs the function once. Never rejects. */
export async function attempt(
  run: (signal: AbortSignal) => Promise<Outcome>,
  { timeoutMs, graceMs, running }: AttemptOptions,
): Promise<Outcome> {
  const controller = new AbortController();
  const { signal } = controller;
  running.add(controller);
  const timeout = setTimeout(() => controller.abort(timeoutError(timeoutMs)), timeoutMs);
  let grace: NodeJS.Timeout | undefined;
  const abandoned = new Promise<Outcome>((resolve) => {
    const giveUp = () => resolve({ type: "retry", error: signal.reason as Error });
    signal.addEventListener("abort", () => {
      grace = setTimeout(giveUp, graceMs);
    });
  });
  try {
    return await Promise.race([ended(run, signal), abandoned]);
  } finally {
    clearTimeout(timeout);
    clearTimeout(grace);
    running.delete(controller);
  }
}

/** A failure after the signal is told as what it is: the time was up, or the process stops. */
async function ended(run: (signal: AbortSignal) => Promise<Outcome>, signal: AbortSignal): Promise<Outcome> {
  try {
    return await run(signal);
  } catch (thrown) {
    const outcome = outcomeOf(thrown);
    if (outcome.type !== "retry" || !signal.aborted) return outcome;
    return { type: "retry", error: withCause(signal.reason as Error, outcome.error) };
  }
}

/** What the function was waiting for when its time was up. */
function withCause(reason: Error, thrown: Error): Error {
  if (thrown !== reason && thrown.cause !== reason) reason.cause ??= thrown;
  return reason;
}

function timeoutError(timeoutMs: number): AttemptTimeoutError {
  return new AttemptTimeoutError(`the function did not end within ${timeoutMs / 1_000} s`);
}
