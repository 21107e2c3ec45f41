/**
 * The events of a subscription with `batch`: each waits in its group's queue until the window that the first one opened is over, or so many are
 * there as fit; then they are one call. Which they are is kept before the call, so that every try of it, in whatever process, has the same ones.
 */
import { BlobLostError, type Envelope, type Logger, MalformedEventError } from "#contract";
import { NO_VALUE } from "../filter/grouping.ts";
import type { BatchPlan } from "../filter/time-plan.ts";
import type { Entry, Member, Queue } from "./queue.ts";
import { GROUPS_MAX, OTHERS } from "./rate.ts";

/** The events of one call, oldest first, and where each is from. */
export interface Batch {
  readonly group: string;
  readonly events: readonly Envelope[];
  readonly members: readonly Member[];
  /** Those of the call whose event cannot be had, and why. */
  readonly lost: readonly Member[];
}

/** The batches of one subscription. */
export interface Batches {
  readonly type: "batch";
  /** Stores an event; resolves when it is stored, or was in a call before. Rejects when `signal` aborts before. */
  wait(entry: Entry, signal: AbortSignal): Promise<void>;
  /** The events of the group's call that is due; `undefined`: none waits. Rejects when `signal` aborts before. */
  take(group: string, signal: AbortSignal): Promise<Batch | undefined>;
  /** The call has ended. Rejects when `signal` aborts before. */
  finish(batch: Batch, signal: AbortSignal): Promise<void>;
}

/** What batches need around them. */
export interface BatchesOptions {
  readonly queue: Queue;
  /** The whole event of a member. Throws BlobLostError, MalformedEventError. */
  readonly open: (data: Uint8Array, signal: AbortSignal) => Promise<Envelope>;
  readonly log: Logger;
}

/** The batches of a plan. */
export function createBatches({ ms, max, groupOf }: BatchPlan, { queue, open, log }: BatchesOptions): Batches {
  let isTold = false;
  /** How many wait, as far as this process knows: it alone stores and takes. */
  const waiting = new Map<string, number>();
  const groupFor = async (event: Envelope, signal: AbortSignal) => {
    const group = groupOf(event) ?? NO_VALUE;
    if (waiting.has(group) || (await queue.hasRoom(group, signal))) return group;
    if (!isTold) log.warn({ groupsMax: GROUPS_MAX }, "too many groups (batch): those of further ones share one");
    isTold = true;
    return OTHERS;
  };
  const openOne = async (member: Member, signal: AbortSignal): Promise<Member | Envelope> => {
    if (member.lost !== undefined) return member;
    try {
      return await open(member.message.data, signal);
    } catch (error) {
      if (error instanceof BlobLostError || error instanceof MalformedEventError)
        return { ...member, lost: error.message };
      throw error;
    }
  };
  const leaveAll = async (group: string, members: readonly Member[], signal: AbortSignal) => {
    for (const member of members) await queue.leave(member, signal);
    await queue.keepCall(group, undefined, signal);
  };
  return {
    type: "batch",
    async wait(entry, signal) {
      const group = await groupFor(entry.event, signal);
      const entered = await queue.enter(entry, group, signal);
      if (entered === "done") return;
      const known = waiting.get(group);
      const more = entered === "stored" ? 1 : 0;
      const count = known === undefined ? await queue.count(group, signal) : known + more;
      waiting.set(group, count);
      const isFull = count >= max;
      await queue.wake(group, queue.now() + (isFull ? 0 : ms), signal, isFull);
    },
    async take(group, signal) {
      const call = await queue.call(group, signal);
      const kept = call === undefined ? [] : await queue.first(group, max, signal, call.ids);
      if (call?.ended) await leaveAll(group, kept, signal);
      const isKept = call?.ended === false && kept.length > 0;
      const found = isKept ? kept : await queue.first(group, max, signal);
      if (found.length === 0) waiting.delete(group);
      if (found.length === 0) return undefined;
      const opened = await Promise.all(found.map((member) => openOne(member, signal)));
      const lost = opened.filter((each) => "lost" in each) as Member[];
      const members = found.filter(({ id }) => !lost.some((each) => each.id === id));
      const events = opened.filter((each) => !("lost" in each)) as Envelope[];
      if (!isKept) await queue.keepCall(group, { ids: found.map(({ id }) => id), ended: false }, signal);
      return { group, events, members, lost };
    },
    async finish({ group, members, lost }, signal) {
      const all = [...members, ...lost];
      await queue.keepCall(group, { ids: all.map(({ id }) => id), ended: true }, signal);
      await leaveAll(group, all, signal);
      const count = await queue.count(group, signal);
      waiting.set(group, count);
      const [next] = count === 0 ? [] : await queue.first(group, 1, signal);
      if (next === undefined) waiting.delete(group);
      else await queue.wake(group, count >= max ? queue.now() : next.sinceMs + ms, signal, true);
    },
  };
}
