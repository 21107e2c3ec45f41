/**
 * Carries out what is due of one subscription: each timer's event goes to the function in its object's turn, if the state that it entered
 * still holds. A timer is off the stream when that has ended. While no process runs, what is due is pending on the desk's consumer, where a
 * scaler sees it.
 */
import { type Delivered, type JetStream, type Logger, TIMERS_STREAM } from "#contract";
import type { Delivery } from "../delivery/delivery.ts";
import { type OrderDeskOptions, openOrderDesk } from "../delivery/order-desk.ts";
import { createTurns, type Turns } from "../delivery/turns.ts";
import { type HeldBackBook, readWake } from "../silence/held-back.ts";
import { carryOutSummary } from "../silence/summary.ts";
import type { Batches } from "./batches.ts";
import { LOST, type Member } from "./queue.ts";
import type { Throttle } from "./throttle.ts";
import { eventIn, groupOfDue, readTimer } from "./timer.ts";
import { payloadOf } from "./timer-payload.ts";
import { ensureTimers } from "./timer-stream.ts";
import { isDone, rememberDone } from "./timers.ts";
import type { Delay } from "./timing.ts";

/** What the desk needs. */
export interface TimerDeskOptions
  extends Pick<OrderDeskOptions, "consumer" | "subjects" | "ordersMax" | "limits" | "log" | "signal"> {
  readonly subscription: string;
  readonly delivery: Pick<Delivery, "redo">;
  readonly delay: Delay | undefined;
  /** What silences held back, and where functions that take many events get the summary of it. */
  readonly heldBack: { readonly book: HeldBackBook; readonly batches: Batches | undefined } | undefined;
}

/** Longer than a timer waits, so that a consumer whose processes sleep is there when something is due. */
const IDLE_MS_MAX = 40 * 86_400_000;

/** Opens the desk. Resolves when `signal` aborted and what was in hand has ended. Never rejects. */
export function openTimerDesk(jetStream: JetStream, options: TimerDeskOptions): Promise<void> {
  const { subscription, delivery, delay, heldBack, ...desk } = options;
  const inTurn = createTurns(); // so that the second of an object sees what the first remembered
  return openOrderDesk(jetStream, {
    ...desk,
    ...{ stream: TIMERS_STREAM, idleMsMax: IDLE_MS_MAX },
    description: `cr-reactor: what is due of subscription ${subscription}`,
    ensure: (settings) => ensureTimers(jetStream, settings),
    carryOut: (order, log) => {
      const wake = readWake(order.message);
      if (wake !== undefined && heldBack !== undefined) {
        const timers = delay?.type === "window" ? delay : undefined;
        const summary = { ...heldBack, timers, delivery, log, signal: desk.signal };
        return inTurn(wake.partition, () => carryOutSummary(jetStream, wake, order, summary));
      }
      const group = groupOfDue(order.message.subject);
      const { subject = "" } = readTimer(order.message) ?? {};
      if (delay?.type === "window" && group === undefined)
        return inTurn(subject, () => carryOut(jetStream, subscription, order, delivery, log));
      const collected = delay?.type === "batch" ? delay : delay?.type === "throttle" ? undefined : heldBack?.batches;
      if (collected !== undefined && group !== undefined)
        return inTurn(group, () => carryOutBatch(collected, group, order, delivery, desk.signal));
      if (delay?.type === "throttle" && group !== undefined)
        return carryOutThrottled(delay, group, order, { delivery, inTurn, signal: desk.signal });
      log.warn("what waited for another setting of the subscription is not carried out");
      return Promise.resolve(true);
    },
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
  const { streamSequence, storedAtMs } = timer;
  const lost = data === undefined && { lost: LOST };
  const event = {
    message: eventIn(timer, data ?? new Uint8Array()),
    streamSequence,
    storedAtMs,
    dueAtMs,
    deliveryCount,
  };
  const ended = await delivery.redo({ ...event, ...lost });
  if (ended === "done" || ended === "dead-letter" || ended === "silenced")
    await rememberDone(jetStream, subscription, timer);
  return ended !== undefined;
}

async function carryOutBatch(
  batches: Batches,
  group: string,
  { deliveryCount, storedAtMs: dueAtMs }: Delivered,
  delivery: TimerDeskOptions["delivery"],
  signal: AbortSignal,
): Promise<boolean> {
  const batch = await batches.take(group, dueAtMs, signal);
  if (batch === undefined) return true;
  for (const member of batch.lost)
    if ((await delivery.redo({ ...member, dueAtMs, deliveryCount })) === undefined) return false;
  const [first] = batch.members;
  const ended = first === undefined || (await delivery.redo({ ...first, dueAtMs, deliveryCount, batch })) !== undefined;
  if (ended) await batches.finish(batch, signal);
  return ended;
}

function carryOutThrottled(
  throttle: Throttle,
  group: string,
  { deliveryCount, storedAtMs: dueAtMs }: Delivered,
  {
    delivery,
    inTurn,
    signal,
  }: { readonly delivery: TimerDeskOptions["delivery"]; readonly inTurn: Turns; readonly signal: AbortSignal },
): Promise<boolean> {
  const run = (member: Member) =>
    inTurn(member.object, async () => (await delivery.redo({ ...member, dueAtMs, deliveryCount })) !== undefined);
  return throttle.begin(group, run, signal);
}
