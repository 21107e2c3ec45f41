/**
 * What is kept of the events of one group, for `count`, `rateLimit`, `oncePer` and `throttle`, and what becomes of the next one. The decision about
 * an event is kept with its id in the same record, so that it is the same on every try, in every process. Pure: the same events in the same
 * order give the same record, which is how it is found again from the log.
 */
import { z } from "zod";
import type { Rate } from "../filter/time-plan.ts";

/** The newest decisions, oldest first. */
export const RateRecord = z.object({
  version: z.literal(1),
  decisions: z.array(z.object({ id: z.string(), atMs: z.number(), isRun: z.boolean() })),
});
export type RateRecord = z.infer<typeof RateRecord>;

/** An event, and its time (epoch milliseconds): for `throttle` when it would begin. */
export interface Timed {
  readonly id: string;
  readonly atMs: number;
}

/** What becomes of an event; `record` is left out where nothing changes. */
export interface Decided {
  readonly isRun: boolean;
  readonly record?: RateRecord;
}

/** Beyond what counts, so that an event that comes again some events later is told what it was told before. */
const REMEMBERED_MORE = 16;

/** Decides about an event. `record` is `undefined` as long as the group had none. */
export function decide(
  record: RateRecord | undefined,
  { id, atMs }: Timed,
  rate: Pick<Rate, "type" | "number" | "withinMs">,
): Decided {
  const decisions = record?.decisions ?? [];
  const known = decisions.find((each) => each.id === id);
  if (known !== undefined) return { isRun: known.isRun };
  const counted = countedIn(decisions, rate.type).filter((each) => each.atMs > atMs - rate.withinMs).length;
  const isRun = rate.type === "count" ? counted + 1 >= rate.number : counted < rate.number;
  // What is too much leaves no trace: asked again, it is too much again.
  if (!isRun && rate.type !== "count") return { isRun };
  const kept = [...decisions, { id, atMs, isRun }].slice(-(2 * rate.number + REMEMBERED_MORE));
  return { isRun, record: { version: 1, decisions: kept } };
}

/** When the next event of the group may begin, at the earliest `nowMs`. */
export function freeAtMs(
  record: RateRecord | undefined,
  nowMs: number,
  { number, withinMs }: Pick<Rate, "number" | "withinMs">,
): number {
  const begun = countedIn(record?.decisions ?? [], "throttle").map(({ atMs }) => atMs);
  const blocking = begun.sort((a, b) => a - b).at(-number);
  return blocking === undefined ? nowMs : Math.max(nowMs, blocking + withinMs);
}

/** With `count` those since it was full, else those that were run. */
function countedIn(decisions: RateRecord["decisions"], type: Rate["type"]): RateRecord["decisions"] {
  if (type !== "count") return decisions.filter(({ isRun }) => isRun);
  return decisions.slice(decisions.findLastIndex(({ isRun }) => isRun) + 1);
}
