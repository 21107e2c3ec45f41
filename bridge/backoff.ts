/**
 * How long to wait before trying again: doubling, with jitter, so that many processes do not come back at once.
 * Source of the defaults: client-go `tools/cache/reflector.go` (0.8 s doubling to 30 s, each with up to as much jitter again,
 * forgotten after two quiet minutes).
 */
import { setTimeout as sleep } from "node:timers/promises";

/** All in milliseconds. */
export interface BackoffOptions {
  readonly firstMs: number;
  readonly maxMs: number;
  /** Without a failure for this long, the next one waits `firstMs` again. */
  readonly resetAfterMs: number;
}

/** client-go's reflector. */
export const REFLECTOR_BACKOFF: BackoffOptions = { firstMs: 800, maxMs: 30_000, resetAfterMs: 120_000 };

/** One sequence of retries. */
export interface Backoff {
  /** Waits the next delay, or `minimumMs` if that is longer (a Retry-After). Rejects with the reason when `signal` aborts. */
  wait(signal: AbortSignal, minimumMs?: number): Promise<void>;
  /** The next delay without waiting. */
  nextMs(minimumMs?: number): number;
  reset(): void;
}

/** Starts a sequence; `random` gives numbers from 0 to 1, `now` epoch milliseconds. */
export function createBackoff(
  options: BackoffOptions,
  random: () => number = Math.random,
  now: () => number = Date.now,
): Backoff {
  let delayMs = options.firstMs;
  let lastMs = Number.NEGATIVE_INFINITY;
  const backoff: Backoff = {
    nextMs(minimumMs = 0) {
      if (now() - lastMs > options.resetAfterMs) delayMs = options.firstMs;
      lastMs = now();
      const jittered = delayMs * (1 + random());
      delayMs = Math.min(delayMs * 2, options.maxMs);
      return Math.max(jittered, minimumMs);
    },
    async wait(signal, minimumMs) {
      await sleep(backoff.nextMs(minimumMs), undefined, { signal });
    },
    reset() {
      delayMs = options.firstMs;
    },
  };
  return backoff;
}
