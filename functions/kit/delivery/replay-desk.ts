/**
 * Carries out orders to replay past events. Those of one object are carried out in the order in which they were given: one waits as long as an
 * older one is on the stream, whoever has that. So a kill, a partition that moves, or a second replay at the same time undo no order.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { type Delivered, EVENTS_STREAM, getStored, type JetStream, type Logger, RETRIES_STREAM } from "#contract";
import type { Delivery } from "./delivery.ts";
import { removeFrom } from "./removal.ts";
import { eventSubjectIn, ordersAbout, type ReplayOrder } from "./replay.ts";

/** Between two looks whether an older order of the object, which another process has, is carried out. */
const LOOK_MS = 100;

/** What carrying out an order needs. */
export interface ReplayOptions {
  readonly subscription: string;
  readonly delivery: Pick<Delivery, "redo">;
  readonly log: Logger;
  /** Aborts to stop. */
  readonly signal: AbortSignal;
}

/** Carries out one order in its object's turn, and takes it off the stream. Resolves to whether it is done with. */
export async function carryOutReplay(
  jetStream: JetStream,
  { run, again, streamSequence, messageId }: ReplayOrder,
  { message: order, deliveryCount, streamSequence: orderSequence }: Delivered,
  { subscription, delivery, log, signal }: ReplayOptions,
): Promise<boolean> {
  const subject = eventSubjectIn(order.subject);
  const older = ordersAbout(subscription, subject);
  while (!(await isFirst(jetStream, older, orderSequence))) {
    if (signal.aborted) return false;
    await sleep(LOOK_MS, undefined, { signal }).catch(() => undefined);
  }
  const event = await getStored(jetStream, EVENTS_STREAM, { seq: streamSequence });
  if (event?.subject !== subject || event.header("Nats-Msg-Id") !== messageId)
    log.warn({ replay: run, streamSequence }, "not replayed: the event is in the log no more");
  else {
    const message = { ...event, reply: undefined, status: 0, description: "" };
    const replayed = { message, streamSequence, replay: { run, again } };
    // It has waited, where the subscription says that it should.
    const waited = { deliveryCount, dueAtMs: Number.POSITIVE_INFINITY };
    if ((await delivery.redo({ ...replayed, ...waited })) === undefined) return false;
  }
  // Here, and not after its turn, so that the next one of the object need not look twice.
  await removeFrom(jetStream, RETRIES_STREAM, orderSequence);
  return true;
}

async function isFirst(jetStream: JetStream, orders: string, sequence: number): Promise<boolean> {
  const oldest = await getStored(jetStream, RETRIES_STREAM, { seq: 1, next_by_subj: orders });
  return oldest === undefined || oldest.sequence >= sequence;
}
