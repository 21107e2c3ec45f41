/**
 * Carries out what is due of one subscription: each timer's event goes to the function in its object's turn, if the state that it entered
 * still holds. A timer is off the stream when that has ended. While no process runs, what is due is pending on the desk's consumer, where a
 * scaler sees it.
 */
import { type Delivered, EVENTS_STREAM, getStored, type JetStream, type Logger, TIMERS_STREAM } from "#contract";
import type { Delivery } from "../delivery/delivery.ts";
import { type OrderDeskOptions, openOrderDesk } from "../delivery/order-desk.ts";
import { createTurns } from "../delivery/turns.ts";
import type { Batches } from "./batches.ts";
import { eventIn, readTimer, type TimerFacts } from "./timer.ts";
import { ensureTimers, isDone, rememberDone } from "./timers.ts";

/** What the desk needs. */
export interface TimerDeskOptions
  extends Pick<OrderDeskOptions, "consumer" | "subjects" | "ordersMax" | "limits" | "log" | "signal"> {
  readonly subscription: string;
  readonly delivery: Pick<Delivery, "redo">;
  /** With `batch`. */
  readonly batches: Batches | undefined;
}

/** Longer than a timer waits, so that a consumer whose processes sleep is there when something is due. */
const IDLE_MS_MAX = 40 * 86_400_000;

/** Opens the desk. Resolves when `signal` aborted and what was in hand has ended. Never rejects. */
export function openTimerDesk(jetStream: JetStream, options: TimerDeskOptions): Promise<void> {
  const { subscription, delivery, batches, ...desk } = options;
  const inTurn = createTurns(); // so that the second of an object sees what the first remembered
  return openOrderDesk(jetStream, {
    ...desk,
    ...{ stream: TIMERS_STREAM, idleMsMax: IDLE_MS_MAX },
    description: `cr-reactor: what is due of subscription ${subscription}`,
    ensure: (settings) => ensureTimers(jetStream, settings),
    carryOut: (order, log) =>
      inTurn(readTimer(order.message)?.subject ?? "", () =>
        batches === undefined
          ? carryOut(jetStream, subscription, order, delivery, log)
          : carryOutBatch(batches, order, delivery, desk.signal),
      ),
  });
}

async function carryOut(
  jetStream: JetStream,
  subscription: string,
  { message, deliveryCount, storedAtMs: dueAtMs }: Delivered,
  delivery: TimerDeskOptions["delivery"],
  log: Logger,
): Promise<boolean> {
  const timer = readTimer(message);
  if (timer === undefined) {
    log.error("what is due is no timer of cr-reactor: it is dropped");
    return true;
  }
  if (await isDone(jetStream, subscription, timer)) return true;
  const data = timer.payloadOmitted ? await payloadOf(jetStream, timer) : message.data;
  if (data === undefined) {
    log.error("the event that waited was too large for its timer, and is in the log no more: it is dropped");
    return true;
  }
  const { streamSequence, storedAtMs } = timer;
  const event = { message: eventIn(timer, data), streamSequence, storedAtMs, dueAtMs, deliveryCount };
  const ended = await delivery.redo(event);
  if (ended === "done" || ended === "dead-letter") await rememberDone(jetStream, subscription, timer);
  return ended !== undefined;
}

async function carryOutBatch(
  batches: Batches,
  { deliveryCount, storedAtMs: dueAtMs }: Delivered,
  delivery: TimerDeskOptions["delivery"],
  signal: AbortSignal,
): Promise<boolean> {
  const batch = await batches.take(signal);
  const [first] = batch?.members ?? [];
  if (batch === undefined || first === undefined) return true;
  const ended = await delivery.redo({ ...first, dueAtMs, deliveryCount, batch });
  if (ended !== undefined) await batches.finish(signal);
  return ended !== undefined;
}

/** A log that was restored may have another event there. */
async function payloadOf(
  jetStream: JetStream,
  { streamSequence, subject, messageId }: TimerFacts,
): Promise<Uint8Array | undefined> {
  const stored = await getStored(jetStream, EVENTS_STREAM, { seq: streamSequence });
  return stored?.subject === subject && stored.header("Nats-Msg-Id") === messageId ? stored.data : undefined;
}
