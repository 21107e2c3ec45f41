/**
 * Keeps one subscription going until it is told to stop: makes its consumer, pulls and delivers, and begins again when anything
 * breaks. It waits for a log that no bridge has made yet, and takes everything in it then; a consumer that was deleted is made again
 * behind the last event that this process has finished; a log that was replaced by a new one is read from its beginning.
 */
import {
  ConsumerGoneError,
  createBackoff,
  EVENTS_STREAM,
  type JetStream,
  type Logger,
  pull,
  RequestLostError,
} from "#contract";
import { consumerName, consumerProgress, ensureConsumer, findEventsLog, type StartAt } from "./consumer.ts";
import { ensureDeadLetters } from "./dead-letter.ts";
import { createDelivery, type Delivery } from "./delivery.ts";
import { type DeliveryLimits, deliveryLimits } from "./delivery-limits.ts";
import type { DeliveryCounts } from "./report.ts";
import type { Binding } from "./subscription.ts";

/** `waiting`: for the log; `failing`: it is tried again, and `lastError` says what is wrong. */
export type SubscriptionState = "starting" | "waiting" | "running" | "failing" | "draining" | "stopped";

/** How a subscription is doing. */
export interface SubscriptionStatus extends Readonly<DeliveryCounts> {
  readonly name: string;
  readonly function: string;
  readonly state: SubscriptionState;
}

/** A subscription that runs. */
export interface RunningSubscription {
  /** Resolves when it has drained after `signal` aborted. Never rejects. */
  readonly done: Promise<void>;
  status(): SubscriptionStatus;
}

/** What a subscription needs besides NATS and its binding. */
export interface SubscribeOptions {
  readonly log: Logger;
  /** Aborts to stop. */
  readonly signal: AbortSignal;
  /** For tests. */
  readonly limits?: Partial<DeliveryLimits>;
}

/** Between two tries to get going: soon at first, because a bridge or a server that starts is there in seconds. */
const START_BACKOFF = { firstMs: 250, maxMs: 5_000, resetAfterMs: 120_000 };

/** What is known about the log between two consumers. */
interface Position {
  /** Tells one log from another of the same name. */
  logCreatedAt: string | undefined;
  /** There was no log when we came: everything in it is new. */
  waitedForLog: boolean;
  floorSequence: number | undefined;
}

/** Starts a subscription. */
export function subscribe(
  jetStream: JetStream,
  binding: Binding,
  { log: parentLog, signal, limits: overrides }: SubscribeOptions,
): RunningSubscription {
  const { name, concurrency } = binding.subscription;
  const log = parentLog.child({ subscription: name });
  const limits = { ...deliveryLimits(concurrency), ...overrides };
  const delivery = createDelivery(jetStream, binding, log, limits);
  const position: Position = { logCreatedAt: undefined, waitedForLog: false, floorSequence: undefined };
  let state: SubscriptionState = "starting";
  let trouble: string | undefined;
  const consumer = consumerName(binding);
  const recover = () =>
    delivery.recover(async () => {
      const { floorSequence, unacknowledged } = await consumerProgress(jetStream, consumer);
      position.floorSequence = floorSequence;
      return unacknowledged;
    });

  const deliverAll = async () => {
    if (signal.aborted) return;
    state = "running";
    trouble = undefined;
    recover();
    const options = { stream: EVENTS_STREAM, consumer, demandMax: limits.heldMax, signal };
    for await (const delivered of pull(jetStream, options)) await delivery.accept(delivered);
  };
  const tellTrouble = (error: unknown) => {
    trouble = error instanceof Error ? error.message : String(error);
    state = "failing";
    if (error instanceof ConsumerGoneError) log.warn({ reason: trouble }, "the consumer is gone; it is made again");
    else log.error({ err: error }, "the subscription cannot run; trying again");
  };
  const run = async () => {
    const backoff = createBackoff(START_BACKOFF);
    while (!signal.aborted) {
      try {
        if (await begin(jetStream, binding, { log, limits, delivery, position })) await deliverAll();
        else state = "waiting";
      } catch (error) {
        if (signal.aborted) return;
        tellTrouble(error);
        if (error instanceof RequestLostError) await jetStream.whenConnected(signal).catch(() => undefined);
      }
      await backoff.wait(signal).catch(() => undefined);
    }
  };
  const follow = async () => {
    const drained = aborted(signal).then(() => {
      state = "draining";
      return delivery.drain();
    });
    const stopListening = jetStream.onConnection((event) => {
      if (event.type !== "connected") return;
      delivery.showLife();
      if (state === "running") recover();
    });
    await run();
    await drained;
    stopListening();
    state = "stopped";
    log.info("stopped");
  };
  return {
    done: follow(),
    status: () => ({
      ...delivery.counts,
      lastError: trouble ?? delivery.counts.lastError,
      name,
      function: binding.functionName,
      state,
    }),
  };
}

interface BeginOptions {
  readonly log: Logger;
  readonly limits: DeliveryLimits;
  readonly delivery: Delivery;
  readonly position: Position;
}

/** Makes what a subscription needs. Resolves to false when there is no log yet. */
async function begin(
  jetStream: JetStream,
  binding: Binding,
  { log, limits, delivery, position }: BeginOptions,
): Promise<boolean> {
  const eventsLog = await findEventsLog(jetStream);
  if (eventsLog === undefined) {
    if (!position.waitedForLog) log.info(`there is no stream ${EVENTS_STREAM} yet: waiting for a bridge to start`);
    position.waitedForLog = true;
    return false;
  }
  if (position.logCreatedAt !== undefined && position.logCreatedAt !== eventsLog.createdAt) {
    log.warn(`the stream ${EVENTS_STREAM} is another one than before: it is read from its beginning`);
    delivery.forget();
    position.floorSequence = 0;
  }
  position.logCreatedAt = eventsLog.createdAt;
  for (const remark of await ensureDeadLetters(jetStream, eventsLog.replicas)) log.debug(remark);
  const known = Math.max(position.floorSequence ?? 0, delivery.floorSequence());
  const startAt = startOf(binding, position, Math.min(known, eventsLog.lastSequence));
  const { action, floorSequence } = await ensureConsumer(jetStream, binding, limits, startAt);
  position.floorSequence = floorSequence;
  const fields = { consumer: consumerName(binding), subjects: binding.subjects, afterSequence: floorSequence };
  log.info(fields, `consumer ${action}`);
  return true;
}

/** A consumer is new in the life of the subscription, or anew in that of this process. */
function startOf(binding: Binding, position: Position, streamSequence: number): StartAt {
  if (position.floorSequence !== undefined) return { type: "after", streamSequence };
  return { type: position.waitedForLog || binding.subscription.start === "all" ? "all" : "new" };
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
