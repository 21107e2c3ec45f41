/**
 * How the handling of one event ends. Expected ends are values; the two errors here are how a function asks for one of them.
 */

/** `done` and `skipped` acknowledge the event, `retry` tries again after a while, `dead-letter` gives up and keeps the reason. */
export type Outcome =
  | { readonly type: "done"; readonly note?: string }
  | { readonly type: "skipped"; readonly reason: string; readonly droppedBy?: Dropper }
  | { readonly type: "retry"; readonly error: Error; readonly afterMs?: number }
  | { readonly type: "dead-letter"; readonly error: Error };

/** What a subscription says of time, and by which a matching event is left out. */
export type Dropper = "count" | "rateLimit" | "oncePer" | "sample";

/** Trying again cannot help (a wrong channel, a refused token): the event becomes a dead letter at once. */
export class PermanentError extends Error {
  readonly code = "PERMANENT";
  override readonly name = "PermanentError";
}

/** The other side says when to try again, such as HTTP's Retry-After; that time is kept to. */
export class RetryAfterError extends Error {
  readonly code = "RETRY_AFTER";
  override readonly name = "RetryAfterError";
  readonly afterMs: number;
  constructor(message: string, afterMs: number, options?: ErrorOptions) {
    super(message, options);
    this.afterMs = Number.isNaN(afterMs) ? 0 : Math.max(0, afterMs);
  }
}

/**
 * What a thrown value asks for. Anything but the two errors above is worth another try. They are known by their codes, not by their
 * classes: a function that was bundled with a copy of this package throws the copy's.
 */
export function outcomeOf(thrown: unknown): Outcome {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  if (isCoded<PermanentError>(error, "PERMANENT")) return { type: "dead-letter", error };
  if (isCoded<RetryAfterError>(error, "RETRY_AFTER") && typeof error.afterMs === "number")
    return { type: "retry", error, afterMs: error.afterMs };
  return { type: "retry", error };
}

function isCoded<E extends Error & { readonly code: string }>(error: Error, code: E["code"]): error is E {
  return "code" in error && error.code === code;
}
