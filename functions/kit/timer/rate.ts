/**
 * Whether an event of a subscription with `count`, `rateLimit`, `oncePer` or `throttle` is run now. It is decided by the record of its group,
 * before the function runs and once: every try of the event, in whatever process, is told the same. Of two processes that decide at the same
 * time, one reads again.
 */
import type { Envelope, Logger } from "#contract";
import { NO_VALUE } from "../filter/grouping.ts";
import type { Rate } from "../filter/time-plan.ts";
import { decide, freeAtMs, type RateRecord, type Timed } from "./rate-record.ts";

/** What is remembered of a group; `revision` is what a write has to name. */
export interface FoundRate {
  readonly record: RateRecord | undefined;
  readonly revision: number;
}

/** Where the records are: NATS, or the process. One that cannot be reached is waited for, as long as `signal` does not abort. */
export interface RateMemory {
  read(group: string, signal: AbortSignal): Promise<FoundRate>;
  /** Resolves to false when what is remembered is not of `revision` any more. */
  write(group: string, record: RateRecord, revision: number, signal: AbortSignal): Promise<boolean>;
  /** Whether one more group can be remembered. */
  hasRoom(signal: AbortSignal): Promise<boolean>;
}

/** The rates of one subscription. */
export interface Rates {
  /** Whether the event is run; `atMs` when left out is the event's own time. */
  isRun(event: Envelope, signal: AbortSignal): Promise<boolean>;
  /** The group that the event counts in: its own, or the one of those that there is no room for. */
  groupFor(event: Envelope, signal: AbortSignal): Promise<string>;
  /** How many of these, in this order, may begin now, and when the next one may. */
  begin(
    group: string,
    waiting: readonly Timed[],
    signal: AbortSignal,
  ): Promise<{ readonly count: number; readonly freeAtMs: number }>;
}

/** Groups of one subscription: 40 MB of the server's memory. */
export const GROUPS_MAX = 100_000;
/** What is beyond shares one group. */
export const OTHERS = "others";

/** The rates over a memory. */
export function createRates(rate: Rate, memory: RateMemory, log: Logger): Rates {
  let isTold = false;
  const tellFull = () => {
    if (!isTold)
      log.warn(
        { groupsMax: GROUPS_MAX },
        rate.type === "oncePer"
          ? "too many values to remember (oncePer): events of further ones are run each time"
          : `too many groups (${rate.type}): those of further ones share one`,
      );
    isTold = true;
  };
  /** Resolves to how many of the events are run, or to `undefined` when there is no room for the group. */
  const change = async (group: string, events: readonly Timed[], isBounded: boolean, signal: AbortSignal) => {
    for (;;) {
      signal.throwIfAborted();
      const found = await memory.read(group, signal);
      let { record } = found;
      let count = 0;
      for (const event of events) {
        const decided = decide(record, event, rate);
        record = decided.record ?? record;
        if (!decided.isRun) break;
        count++;
      }
      const isNew = found.record === undefined && record !== undefined;
      if (isNew && isBounded && !(await memory.hasRoom(signal))) return undefined;
      if (
        record === found.record ||
        record === undefined ||
        (await memory.write(group, record, found.revision, signal))
      )
        return { count, record };
    }
  };
  const groupOf = (event: Envelope) => rate.groupOf(event) ?? NO_VALUE;
  return {
    async isRun(event, signal) {
      if (rate.type === "oncePer" && rate.groupOf(event) === undefined) return true;
      const timed = [{ id: event.id, atMs: Date.parse(event.time) }];
      const changed = await change(groupOf(event), timed, true, signal);
      if (changed !== undefined) return changed.count > 0;
      tellFull();
      return rate.type === "oncePer" || ((await change(OTHERS, timed, false, signal))?.count ?? 0) > 0;
    },
    async groupFor(event, signal) {
      const group = groupOf(event);
      const { record } = await memory.read(group, signal);
      if (record !== undefined || (await memory.hasRoom(signal))) return group;
      tellFull();
      return OTHERS;
    },
    async begin(group, waiting, signal) {
      const { count, record } = (await change(group, waiting, false, signal)) ?? { count: 0, record: undefined };
      return { count, freeAtMs: freeAtMs(record, waiting[0]?.atMs ?? 0, rate) };
    },
  };
}
