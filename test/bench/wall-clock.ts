/**
 * The time of day with fractions of a millisecond, to be compared with the time that nats-server writes on a message: `performance` alone counts from
 * a start that is never adjusted, so over a long run the two drift apart.
 */

/** Milliseconds since 1970; measured anew against the system's clock every ten seconds. */
export function wallClockMs(): number {
  const now = performance.now();
  if (now - setAt > RESET_MS) set();
  return performance.now() + offsetMs;
}

const RESET_MS = 10_000;
let offsetMs = 0;
let setAt = Number.NEGATIVE_INFINITY;

/** Waits for the system's clock to tick, at most a millisecond. */
function set(): void {
  const last = Date.now();
  let now = last;
  while (now === last) now = Date.now();
  setAt = performance.now();
  offsetMs = now - setAt;
}
