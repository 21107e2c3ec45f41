/** Waits for a condition instead of sleeping: it is asked until it holds, and the wait fails after a deadline. */
import { setTimeout as delay } from "node:timers/promises";

/** How long and how often to ask. */
export interface UntilOptions {
  /** @default 60_000 (a loaded CI machine needs ten times what an idle one does) */
  readonly waitMsMax?: number;
  /** @default 20 */
  readonly pollMs?: number;
  /** What is waited for, in the error. @default the condition's source */
  readonly what?: string;
}

/** Resolves when `condition` answers true. An error of the condition ends the wait. */
export async function until(condition: () => boolean | Promise<boolean>, options: UntilOptions = {}): Promise<void> {
  const { waitMsMax = 60_000, pollMs = 20, what = String(condition) } = options;
  const deadline = performance.now() + waitMsMax;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`did not come true within ${waitMsMax / 1000} s: ${what}`);
    await delay(pollMs);
  }
}
