/**
 * Memory is given back when a process that waits for events has come to rest. V8 lets its young generation grow while a process starts or is busy, and
 * looks at it again only after so many allocations, which an idle process never makes: a third of a waiting process would be empty pages.
 * Source: V8's `--expose-gc`, whose `last-resort` is what V8 does before it gives up for want of memory.
 */
import { performance } from "node:perf_hooks";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

type Collect = (options: { readonly type: "major"; readonly flavor: "last-resort" }) => void;

/** So that what is paid for a collection, some 40 ms, is at most a hundredth of the time. */
const LOOK_MS = 4_000;
/** The part of that time in which a process at rest did something; starting takes less, too. */
const BUSY_MAX = 0.1;
/** More empty pages than the last collection left: a large heap cannot be packed any closer, and is not to be collected again and again. */
const EMPTY_BYTES_MIN = 6 * 1024 * 1024;

/** Looks every `lookMs` (4 s; for tests), and holds no process. */
export function giveBackAtRest(signal: AbortSignal, { lookMs = LOOK_MS } = {}): void {
  let before = performance.eventLoopUtilization();
  let leftEmpty = 0;
  const look = () => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, before);
    before = now;
    if (utilization >= BUSY_MAX || emptyBytes() - leftEmpty < EMPTY_BYTES_MIN) return;
    collect();
    leftEmpty = emptyBytes();
  };
  const looking = setInterval(look, lookMs).unref();
  signal.addEventListener("abort", () => clearInterval(looking), { once: true });
}

function emptyBytes(): number {
  const { heapTotal, heapUsed } = process.memoryUsage();
  return heapTotal - heapUsed;
}

/** The flag gives `gc` to contexts that are made after it; the one that is made for it is garbage as well. */
function collect(): void {
  setFlagsFromString("--expose-gc");
  const gc = runInNewContext("gc") as Collect;
  setFlagsFromString("--no-expose-gc");
  gc({ type: "major", flavor: "last-resort" });
}
