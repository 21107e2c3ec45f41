/**
 * The events of a subscription with `batch`: each waits in its group's queue until the window that the first one opened is over, or so many are
 * there as fit; then they are one call. Which they are is kept before the call, so that every try of it, in whatever process, has the same ones.
 */
import { BlobLostError, type Envelope, type Logger, MalformedEventError } from "#contract";
import { createTurns } from "../delivery/turns.ts";
import { NO_VALUE } from "../filter/grouping.ts";
import type { BatchPlan } from "../filter/time-plan.ts";
import { EARLY_MS_MAX } from "./held.ts";
import type { Call, Entry, Member, Queue } from "./queue.ts";
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
  /**
   * The events of the group's call that is due at `dueAtMs`, epoch milliseconds by the clock of where they wait; `undefined`: none is, and those
   * that wait are woken for later. Rejects when `signal` aborts before.
   */
  take(group: string, dueAtMs: number, signal: AbortSignal): Promise<Batch | undefined>;
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
  /**
   * How many wait: this process alone stores and takes. Never too few; too many may be counted while others are stored, which wakes too soon, and
   * nothing is taken then.
   */
  const waiting = new Map<string, number>();
  const inTurn = createTurns();
  const groupFor = async (event: Envelope, signal: AbortSignal) => {
    const group = groupOf(event) ?? NO_VALUE;
    if (waiting.has(group) || (await queue.hasRoom(group, signal))) return group;
    if (!isTold) log.warn({ groupsMax: GROUPS_MAX }, "too many groups (batch): those of further ones share one");
    isTold = true;
    return OTHERS;
  };
  /** What others add meanwhile is in what they add to, or is counted here: so it is forgotten first, and the larger one is right. */
  const countAgain = async (group: string, signal: AbortSignal) => {
    waiting.delete(group);
    const count = Math.max(await queue.count(group, signal), waiting.get(group) ?? 0);
    waiting.set(group, count);
    return count;
  };
  /** At once when as many wait as fit. In turn, so that a time does not take the place of "at once". */
  const wake = (group: string, atMs: number, signal: AbortSignal, isSooner = false) =>
    inTurn(group, async () => {
      const isFull = (waiting.get(group) ?? 0) >= max;
      await queue.wake(group, isFull ? queue.now() : atMs, signal, isFull || isSooner);
    });
  const wakeForNext = async (group: string, signal: AbortSignal) => {
    await countAgain(group, signal);
    const [next] = await queue.first(group, 1, signal);
    if (next === undefined) waiting.delete(group);
    else await wake(group, next.sinceMs + ms, signal, true);
  };
  const leaveAll = async (group: string, members: readonly Member[], signal: AbortSignal) => {
    for (const member of members) await queue.leave(member, signal);
    await queue.keepCall(group, undefined, signal);
  };
  /** Those of a call that was begun before, and otherwise those whose time has come. */
  const membersOf = async (group: string, dueAtMs: number, call: Call | undefined, signal: AbortSignal) => {
    const kept = call === undefined ? [] : await queue.first(group, max, signal, call.ids);
    if (call?.ended) await leaveAll(group, kept, signal);
    else if (kept.length > 0) return { isKept: true, found: kept };
    const found = await queue.first(group, max, signal);
    const [oldest] = found;
    const isRipe = found.length >= max || (oldest !== undefined && oldest.sinceMs + ms <= dueAtMs + EARLY_MS_MAX);
    return { isKept: false, found: isRipe ? found : [] };
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
  return {
    type: "batch",
    async wait(entry, signal) {
      const group = await groupFor(entry.event, signal);
      const entered = await queue.enter(entry, group, signal);
      if (entered === "done") return;
      const known = waiting.get(group);
      if (known === undefined) await countAgain(group, signal);
      else if (entered === "stored") waiting.set(group, known + 1);
      await wake(group, queue.now() + ms, signal);
    },
    async take(group, dueAtMs, signal) {
      const { isKept, found } = await membersOf(group, dueAtMs, await queue.call(group, signal), signal);
      if (found.length === 0) {
        await wakeForNext(group, signal);
        return undefined;
      }
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
      await wakeForNext(group, signal);
    },
  };
}
