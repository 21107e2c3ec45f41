/**
 * A time as the API server wants it where it counts microseconds, in Leases and Events: exactly six digits of a second.
 * Source: Kubernetes API reference, MicroTime.
 */

/** Writes epoch milliseconds so. */
export function microTime(epochMs: number): string {
  return new Date(epochMs).toISOString().replace("Z", "000Z");
}
