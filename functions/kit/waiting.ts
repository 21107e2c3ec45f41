/** Waiting that leaves nothing behind: for work, but no longer than a time, and for a signal. */
import { setTimeout as sleep } from "node:timers/promises";

/** Resolves when the work ends, or after this time, with the work going on. Rejects with what the work rejects with before that. */
export async function within(timeMs: number, work: Promise<unknown>): Promise<void> {
  const timer = new AbortController();
  const late = sleep(timeMs, undefined, { signal: timer.signal }).catch(() => undefined);
  try {
    await Promise.race([work, late]);
  } finally {
    timer.abort();
  }
}

/** Resolves when `signal` aborts, or has. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
