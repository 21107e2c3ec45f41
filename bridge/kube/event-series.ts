/**
 * Which Kubernetes Events are to be written: what happens again is counted in the Event that is there, and however much happens, few are
 * written. Nothing here asks anybody; `event-recorder.ts` does what this decides.
 * Source: client-go `tools/events` (a series is written with its second occurrence, every 30 minutes, and when it has ended, which is after 6
 * minutes without one), `tools/record` EventSourceObjectSpamFilter (25 at once, then one in 5 minutes, each type by itself).
 */

/** Something that happened, for people who look at the cluster. Whoever may see the namespace can read it: nothing secret. */
export interface KubeEvent {
  readonly type: "Normal" | "Warning";
  /** What happened, in one word. */
  readonly reason: string;
  /** What was being done. */
  readonly action: string;
  /** With type and reason, what tells one series from another. */
  readonly about: string;
  /** The sentence of the first time counts: at most 1024 characters. */
  readonly note: string;
}

/** One Event of the API server, and how often it happened. Times are epoch milliseconds. */
export interface Series {
  readonly event: KubeEvent;
  readonly firstMs: number;
  lastMs: number;
  count: number;
  /** When it was last given out to be written, and how often it had happened then. */
  askedMs: number;
  askedCount: number;
}

/** `write`: at once; `counted`: it will be written with others; `limited`: too much happened, it is not told. */
export type Observation =
  | { readonly type: "write"; readonly series: Series }
  | { readonly type: "counted" | "limited" };

/** The series of one process. */
export interface EventSeries {
  observe(event: KubeEvent): Observation;
  /** What the API server should hear by now. Those that have ended are given out for the last time, and forgotten. */
  due(): readonly Series[];
  /** The next time it happens, it is a new Event. */
  forget(series: Series): void;
}

const BURST = 25;
const REFILL_MS = 5 * 60_000;
const REFRESH_MS = 30 * 60_000;
const FINISH_MS = 6 * 60_000;
/** Of troubles that last for days: the refill alone would let their number grow. */
const SERIES_MAX = 100;

/** Starts without any; `nowMs` is the time of day. */
export function createEventSeries(nowMs: () => number): EventSeries {
  const known = new Map<string, Series>();
  const takeToken = createBuckets(nowMs);
  const giveOut = (series: Series) => {
    series.askedMs = nowMs();
    series.askedCount = series.count;
    return series;
  };
  return {
    observe(event) {
      const key = keyOf(event);
      const series = known.get(key);
      if (series !== undefined) {
        series.count++;
        series.lastMs = nowMs();
        const isNews = series.askedCount === 1 || nowMs() - series.askedMs >= REFRESH_MS;
        return isNews ? { type: "write", series: giveOut(series) } : { type: "counted" };
      }
      if (known.size >= SERIES_MAX || !takeToken(event.type)) return { type: "limited" };
      const at = nowMs();
      const started: Series = { event, firstMs: at, lastMs: at, count: 1, askedMs: at, askedCount: 0 };
      known.set(key, started);
      return { type: "write", series: giveOut(started) };
    },
    due() {
      const ended = [...known.values()].filter(({ lastMs }) => nowMs() - lastMs >= FINISH_MS);
      for (const { event } of ended) known.delete(keyOf(event));
      return ended.filter(({ count, askedCount }) => count > askedCount).map(giveOut);
    },
    forget(series) {
      if (known.get(keyOf(series.event)) === series) known.delete(keyOf(series.event));
    },
  };
}

function keyOf({ type, reason, about }: KubeEvent): string {
  return `${type}/${reason}/${about}`;
}

/** One bucket of tokens a type; answers whether there was one. */
function createBuckets(nowMs: () => number): (type: KubeEvent["type"]) => boolean {
  const buckets = new Map<KubeEvent["type"], { tokens: number; atMs: number }>();
  return (type) => {
    const at = nowMs();
    const { tokens, atMs } = buckets.get(type) ?? { tokens: BURST, atMs: at };
    const filled = Math.min(BURST, tokens + Math.max(0, at - atMs) / REFILL_MS);
    const isThere = filled >= 1;
    buckets.set(type, { tokens: isThere ? filled - 1 : filled, atMs: at });
    return isThere;
  };
}
