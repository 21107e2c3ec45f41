/** Waiting for a condition, where nothing tells when it becomes true. */
import { setTimeout as sleep } from "node:timers/promises";

/** Short enough not to show in what the demo measures. */
const POLL_MS = 2;

/** Waits for the condition; false when `signal` aborts first. */
export async function waitUntil(holds: () => boolean | Promise<boolean>, signal: AbortSignal): Promise<boolean> {
  while (!(await holds())) {
    if (signal.aborted) return false;
    await sleep(POLL_MS);
  }
  return true;
}
