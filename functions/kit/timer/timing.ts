/**
 * What a subscription says of time, at work: what decides whether an event is left out, and where those wait that are to wait. It has at most
 * one of them, except `throttle`, which has both.
 */
import { type JetStream, type Logger, readEvent } from "#contract";
import type { Matcher } from "../filter/match.ts";
import { type Batches, createBatches } from "./batches.ts";
import { createNatsQueue } from "./nats-queue.ts";
import { createNatsRates } from "./nats-rate.ts";
import { createRates, type Rates } from "./rate.ts";
import { createThrottle, type Throttle } from "./throttle.ts";
import { createTimers, type Timers } from "./timers.ts";

/** Where events wait, by what lets them. */
export type Delay = Timers | Batches | Throttle;

/** Of one subscription, in one process. */
export interface Timing {
  /** With `count`, `rateLimit` or `oncePer`. */
  readonly rates?: Rates | undefined;
  /** With `for`, `debounce`, `batch` or `throttle`. */
  readonly delay?: Delay | undefined;
}

/** In NATS. */
export function createNatsTiming(jetStream: JetStream, subscription: string, matcher: Matcher, log: Logger): Timing {
  const { window, rate, batch } = matcher;
  if (window !== undefined) return { delay: createTimers(jetStream, subscription, { ...matcher, window }, log) };
  if (batch !== undefined) {
    const queue = createNatsQueue(jetStream, subscription, log);
    const open = (data: Uint8Array, signal: AbortSignal) => readEvent(jetStream, data, signal);
    return { delay: createBatches(batch, { queue, open, log }) };
  }
  if (rate === undefined) return {};
  const rates = createRates(rate, createNatsRates(jetStream, subscription, rate, log), log);
  if (rate.type !== "throttle") return { rates };
  return { delay: createThrottle(createNatsQueue(jetStream, subscription, log), rates, rate) };
}
