/**
 * Where the events of a subscription with `batch` or `throttle` wait, each by itself and in the order of the log for each object, and what wakes
 * whoever carries them out. The seam between those two and where it is: NATS, or the process in a test.
 */
import type { Envelope } from "#contract";
import type { LoggedEvent } from "./timer.ts";

/** An event that has to wait, and where it is from. */
export interface Entry extends LoggedEvent {
  readonly event: Envelope;
}

/** An event that waits. */
export interface Member extends LoggedEvent {
  readonly id: string;
  readonly group: string;
  /** The object's part of the event's subject. */
  readonly object: string;
  /** Why its event cannot be had any more. */
  readonly lost?: string;
  /** When it began to wait, epoch milliseconds by the clock of where it waits. */
  readonly sinceMs: number;
}

/** A queue for each group of one subscription. What cannot be reached is waited for, as long as `signal` does not abort. */
export interface Queue {
  /** Epoch milliseconds. */
  now(): number;
  /** Stores an event that is not there yet. `done`: it was carried out before, and does not wait. */
  enter(entry: Entry, group: string, signal: AbortSignal): Promise<"stored" | "there" | "done">;
  /** Whether one more group can have a queue. */
  hasRoom(group: string, signal: AbortSignal): Promise<boolean>;
  /** The group in which an event of the object waits; `undefined`: none does. */
  groupOf(object: string, signal: AbortSignal): Promise<string | undefined>;
  /** How many wait. */
  count(group: string, signal: AbortSignal): Promise<number>;
  /** The first that wait; with `ids`, of those. */
  first(group: string, max: number, signal: AbortSignal, ids?: readonly string[]): Promise<readonly Member[]>;
  /** It was carried out, and is not to wait again when the log delivers it again. */
  leave(member: Pick<Member, "id" | "group" | "object">, signal: AbortSignal): Promise<void>;
  /** Wakes at this time (epoch milliseconds); one that is set stays, unless this one is to take its place. */
  wake(group: string, atMs: number, signal: AbortSignal, isSooner?: boolean): Promise<void>;
  /** What is kept of the call of a group; `undefined`: nothing is. */
  call(group: string, signal: AbortSignal): Promise<Call | undefined>;
  keepCall(group: string, call: Call | undefined, signal: AbortSignal): Promise<void>;
}

/** The members of a call, from before it is run until they have left. */
export interface Call {
  readonly ids: readonly string[];
  /** It has ended, and some may have left. */
  readonly ended: boolean;
}

/** Why an event cannot be had that was too large for its place in CR_TIMERS. */
export const LOST = "it was too large to wait with its event, which is in the log no more";
