/**
 * The times and sizes of a delivery, each with its reason.
 */
import type { BackoffOptions } from "#contract";

/** All but tests use the defaults. */
export interface DeliveryLimits {
  /** How long the server waits for a sign of life before it delivers again. */
  readonly ackWaitMs: number;
  /** Events in hand, waiting ones included: with so many, nothing more is taken. */
  readonly heldMax: number;
  /** How long a function may take to end once its signal aborted. */
  readonly graceMs: number;
  /** How long running tries may take to end when the process stops. */
  readonly drainMs: number;
  readonly retry: BackoffOptions;
  /** Between two looks at how far an edit is, and at who runs what; changes are heard of at once. */
  readonly reconcileMs: number;
  /** A request for events is forgotten by the server after this time: sooner than a silent process is declared gone. */
  readonly requestExpiresMs: number;
  /** Between two looks at whether the log dropped events that were not read yet. */
  readonly overrunLookMs: number;
}

/** The defaults for a subscription of this concurrency. */
export function deliveryLimits(concurrency: number): DeliveryLimits {
  return {
    ackWaitMs: 30_000,
    // Room for events behind slow objects; the server keeps the rest.
    heldMax: Math.min(1_024, Math.max(64, concurrency * 16)),
    graceMs: 5_000,
    drainMs: 10_000,
    // Eight tries take three to six minutes: long enough for a restart of the other side.
    retry: { firstMs: 1_000, maxMs: 60_000, resetAfterMs: Number.POSITIVE_INFINITY },
    reconcileMs: 5_000,
    requestExpiresMs: 10_000,
    // A look at 100,000 objects takes the server 0.4 s.
    overrunLookMs: 60_000,
  };
}
