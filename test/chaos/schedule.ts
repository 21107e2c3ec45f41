/**
 * A schedule: which fault comes when, drawn from a seed. It goes through all chosen faults in a random order before one comes again,
 * so that a short run has seen each as well.
 */
import type { Random } from "../kit/random.ts";
import type { FaultName } from "./fault.ts";

/** One entry: wait so long after the last recovery, then play this. */
export interface Turn {
  readonly fault: FaultName;
  readonly waitMs: number;
}

/** Long enough for something to be under way, short enough for many faults. */
const WAIT_MS = [300, 2_500] as const;

/** Draws turns for ever. */
export function* schedule(faults: readonly FaultName[], random: Random): Generator<Turn, never, void> {
  if (faults.length === 0) throw new Error("a schedule needs at least one fault: name one with --faults");
  for (;;) {
    const left = [...faults];
    while (left.length > 0) {
      const [fault] = left.splice(Math.floor(random.between(0, left.length)), 1);
      if (fault !== undefined) yield { fault, waitMs: random.between(...WAIT_MS) };
    }
  }
}
