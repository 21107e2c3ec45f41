/**
 * The times and sizes of steps, each with its reason.
 */

/** All but tests use `STEP_LIMITS`. */
export interface StepLimits {
  /** A claim is renewed this often while its step runs: three signs of life within `silenceMs`, one may be lost. */
  readonly renewMs: number;
  /** Without a sign of life for this long, by the clock of whoever waits, a claim may be taken over. */
  readonly silenceMs: number;
  /** Between two looks of who waits for another's result, and between two tries to write. */
  readonly lookMs: number;
}

export const STEP_LIMITS: StepLimits = { renewMs: 3_000, silenceMs: 10_000, lookMs: 250 };

/** Results are kept for a month: ids and receipts, not documents. Beside it the message has its key and its holder. */
export const RESULT_BYTES_MAX = 64 * 1024;
/** A step is two messages and a key that is kept for a month; what needs more of them is a workflow. */
export const STEPS_MAX = 100;
/** Subjects must stay far below the server's protocol line of 4 KB; our own events' ids have 60 characters. */
export const EVENT_ID_BYTES_MAX = 1_024;
