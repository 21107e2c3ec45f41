/**
 * `throttle`: at most so many events of a group begin within a time, and the others wait in its queue, those of one object in the order of the
 * log. When it is time the oldest begin, each in its object's turn; none waits for another object's.
 */
import { objectPart } from "#contract";
import type { Rate } from "../filter/time-plan.ts";
import type { Entry, Member, Queue } from "./queue.ts";
import type { Rates } from "./rate.ts";

/** The throttle of one subscription. */
export interface Throttle {
  readonly type: "throttle";
  /** Whether the event may begin now; if not, it has to wait. Rejects when `signal` aborts before. */
  admit(entry: Entry, signal: AbortSignal): Promise<boolean>;
  /** Stores an event; resolves when it is stored, or was carried out before. Rejects when `signal` aborts before. */
  wait(entry: Entry, signal: AbortSignal): Promise<void>;
  /**
   * Begins what may begin of a group; `run` resolves to whether it has ended. Resolves, when all that began has ended, to whether each did.
   * Rejects when `signal` aborts before.
   */
  begin(group: string, run: (member: Member) => Promise<boolean>, signal: AbortSignal): Promise<boolean>;
}

/** The throttle over a queue and the records of its groups. */
export function createThrottle(queue: Queue, rates: Rates, { number }: Pick<Rate, "number">): Throttle {
  /** Members that are being carried out, by their id. */
  const begun = new Set<string>();
  const begin = async (group: string, signal: AbortSignal): Promise<readonly Member[]> => {
    const found = await queue.first(group, begun.size + number + 1, signal);
    const waiting = found.filter(({ id }) => !begun.has(id));
    const timed = waiting.slice(0, number).map(({ id }) => ({ id, atMs: queue.now() }));
    const { count, freeAtMs } = await rates.begin(group, timed, signal);
    const members = waiting.slice(0, count);
    for (const { id } of members) begun.add(id);
    if (waiting.length > count) await queue.wake(group, freeAtMs, signal);
    return members;
  };
  return {
    type: "throttle",
    async admit(entry, signal) {
      const { event, message } = entry;
      if ((await queue.groupOf(objectPart(message.subject), signal)) !== undefined) return false;
      const group = await rates.groupFor(event, signal);
      if ((await queue.count(group, signal)) > 0) return false;
      const { count } = await rates.begin(group, [{ id: event.id, atMs: queue.now() }], signal);
      return count > 0;
    },
    async wait(entry, signal) {
      const { event, message } = entry;
      const group = (await queue.groupOf(objectPart(message.subject), signal)) ?? (await rates.groupFor(event, signal));
      if ((await queue.enter(entry, group, signal)) === "done") return;
      const { freeAtMs } = await rates.begin(group, [], signal);
      await queue.wake(group, Math.max(freeAtMs, queue.now()), signal);
    },
    async begin(group, run, signal) {
      const members = await begin(group, signal);
      const ended = await Promise.all(
        members.map(async (member) => {
          try {
            const isOver = await run(member);
            if (isOver) await queue.leave(member, signal);
            return isOver;
          } finally {
            begun.delete(member.id);
          }
        }),
      );
      return ended.every((each) => each);
    },
  };
}
