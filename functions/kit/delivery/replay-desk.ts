/**
 * Carries out orders to replay past events. Those of one object are carried out in the order in which they were given: the oldest one on the stream
 * goes first, and the others wait until it is off, whoever has it. So a kill, a partition that moves, or a second replay at the same time undo no
 * order. The order of arrival says nothing: what a process had that was killed is delivered again in any.
 */
import { setTimeout as sleep } from "node:timers/promises";
import {
  type Delivered,
  EVENTS_STREAM,
  getStored,
  type JetStream,
  type Logger,
  objectPart,
  RETRIES_STREAM,
} from "#contract";
import type { Delivery } from "./delivery.ts";
import { removeFrom } from "./removal.ts";
import { eventSubjectIn, ordersAbout, type ReplayOrder } from "./replay.ts";

/** What carrying out orders needs. */
export interface ReplayOptions {
  readonly subscription: string;
  readonly delivery: Pick<Delivery, "redo">;
  /** Aborts to stop. */
  readonly signal: AbortSignal;
}

/** Carries out one order when it is the oldest of its object, and takes it off the stream. Resolves to whether it is done with. */
export type CarryOutReplay = (replay: ReplayOrder, order: Delivered, log: Logger) => Promise<boolean>;

/** Between two looks whether an older order of the object, which another process has, is carried out. */
const LOOK_MS = 100;

/** The desk of one worker. */
export function createReplayDesk(
  jetStream: JetStream,
  { subscription, delivery, signal }: ReplayOptions,
): CarryOutReplay {
  /** By object, while one of its orders waits: resolves when another is off the stream. */
  const waiting = new Map<string, PromiseWithResolvers<void>>();
  /** `gone`: it was called off, or is done and was delivered again. */
  const untilOldest = async (sequence: number, subject: string): Promise<"oldest" | "gone" | "stopped"> => {
    const object = objectPart(subject);
    const query = { seq: 1, next_by_subj: ordersAbout(subscription, subject) };
    while (!signal.aborted) {
      const oldest = await getStored(jetStream, RETRIES_STREAM, query);
      if (oldest === undefined || oldest.sequence > sequence) return "gone";
      if (oldest.sequence === sequence) return "oldest";
      const changed = waiting.get(object) ?? Promise.withResolvers<void>();
      waiting.set(object, changed);
      await Promise.race([changed.promise, sleep(LOOK_MS, undefined, { signal }).catch(() => undefined)]);
      if (waiting.get(object) === changed) waiting.delete(object);
    }
    return "stopped";
  };
  const takeOff = async (sequence: number, subject: string) => {
    await removeFrom(jetStream, RETRIES_STREAM, sequence);
    waiting.get(objectPart(subject))?.resolve();
  };
  return async ({ run, again, streamSequence, messageId }, order, log) => {
    const { message, deliveryCount, streamSequence: orderSequence } = order;
    const subject = eventSubjectIn(message.subject);
    const turn = await untilOldest(orderSequence, subject);
    if (turn !== "oldest") return turn === "gone";
    const event = await getStored(jetStream, EVENTS_STREAM, { seq: streamSequence });
    if (event?.subject !== subject || event.header("Nats-Msg-Id") !== messageId)
      log.warn({ replay: run, streamSequence }, "not replayed: the event is in the log no more");
    else {
      const past = { ...event, reply: undefined, status: 0, description: "" };
      // Where the subscription says that it should wait, it has. In a process that was killed it may only have waited for its turn.
      const tries = { deliveryCount: Math.max(1, deliveryCount - 1), dueAtMs: Number.POSITIVE_INFINITY };
      const replayed = { message: past, streamSequence, replay: { run, again }, ...tries };
      if ((await delivery.redo(replayed)) === undefined) return false;
    }
    await takeOff(orderSequence, subject);
    return true;
  };
}
