/**
 * Keeps one subscription going until it is told to stop: makes its consumer, pulls and delivers, and begins again when anything
 * breaks. It waits for a log that no bridge has made yet, and takes everything in it then; a consumer that was deleted is made again
 * behind the last event that this process has finished; a log that was replaced by a new one is read from its beginning. At the
 * start, after a reconnect and while it is behind, it looks whether the log dropped events that it had not read.
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
import type { Binding } from "../subscription.ts";
import {
  type ConsumerProgress,
  consumerName,
  consumerProgress,
  type EnsuredConsumer,
  ensureConsumer,
  findEventsLog,
  type StartAt,
} from "./consumer.ts";
import { ensureDeadLetters } from "./dead-letter.ts";
import { retrySubjects } from "./dead-letter-box.ts";
import { createDelivery, type Delivery } from "./delivery.ts";
import { type DeliveryLimits, deliveryLimits } from "./delivery-limits.ts";
import { createOverrunWatch, type OverrunCounts } from "./overrun.ts";
import { type Finished, resumeAfter } from "./recovery.ts";
import type { DeliveryCounts } from "./report.ts";
import { openRetryDesk } from "./retry-desk.ts";

/** `waiting`: for the log; `failing`: it is tried again, and `lastError` says what is wrong. */
export type SubscriptionState = "starting" | "waiting" | "running" | "failing" | "draining" | "stopped";

/** How a subscription is doing. */
export interface SubscriptionStatus extends Readonly<DeliveryCounts>, OverrunCounts {
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
  /** By the consumer's own account. */
  finished: Finished | undefined;
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
  const overrun = createOverrunWatch(jetStream, binding, log);
  const position: Position = { logCreatedAt: undefined, waitedForLog: false, finished: undefined };
  let state: SubscriptionState = "starting";
  let trouble: string | undefined;
  const consumer = consumerName(binding);
  const recover = () =>
    delivery.recover(async () => {
      const progress = await consumerProgress(jetStream, consumer);
      position.finished = finishedOf(progress);
      return progress.unacknowledged;
    });
  const lookForOverrun = () => overrun.look(() => consumerProgress(jetStream, consumer));

  const deliverAll = async ({ action, progress }: EnsuredConsumer) => {
    // Before anything is read: where it stood is forgotten then.
    if (action !== "created") await overrun.look(async () => progress);
    if (signal.aborted) return;
    state = "running";
    trouble = undefined;
    recover();
    const looking = setInterval(lookForOverrun, limits.overrunLookMs);
    const options = { stream: EVENTS_STREAM, consumer, demandMax: limits.heldMax, signal };
    try {
      for await (const delivered of pull(jetStream, options)) await delivery.accept(delivered);
    } finally {
      clearInterval(looking);
    }
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
        const begun = await begin(jetStream, binding, { log, limits, delivery, position });
        if (begun === undefined) state = "waiting";
        else await deliverAll(begun);
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
      if (state !== "running") return;
      // Asked before anything is pulled on the new connection, so the answer is from before it.
      void lookForOverrun();
      recover();
    });
    const retries = { subscription: name, consumer, subjects: retrySubjects(name) };
    await Promise.all([run(), openRetryDesk(jetStream, { ...retries, delivery, limits, log, signal })]);
    await drained;
    stopListening();
    state = "stopped";
    log.info("stopped");
  };
  return {
    done: follow(),
    status: () => ({
      ...delivery.counts,
      ...overrun.counts(),
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

/** Makes what a subscription needs. Resolves to `undefined` when there is no log yet. */
async function begin(
  jetStream: JetStream,
  binding: Binding,
  { log, limits, delivery, position }: BeginOptions,
): Promise<EnsuredConsumer | undefined> {
  const eventsLog = await findEventsLog(jetStream);
  if (eventsLog === undefined) {
    if (!position.waitedForLog) log.info(`there is no stream ${EVENTS_STREAM} yet: waiting for a bridge to start`);
    position.waitedForLog = true;
    return undefined;
  }
  if (position.logCreatedAt !== undefined && position.logCreatedAt !== eventsLog.createdAt) {
    log.warn(`the stream ${EVENTS_STREAM} is another one than before: it is read from its beginning`);
    delivery.forget();
    position.finished = { upToSequence: 0, storedUntilMs: 0 };
  }
  position.logCreatedAt = eventsLog.createdAt;
  for (const remark of await ensureDeadLetters(jetStream, eventsLog.replicas)) log.debug(remark);
  /** A consumer is new in the life of the subscription, or anew in that of this process. */
  const startAt = async (): Promise<StartAt> => {
    const known = furthest(position.finished, delivery.finished());
    if (known !== undefined) return await resumeAfter(jetStream, known);
    return { type: position.waitedForLog || binding.subscription.start === "all" ? "all" : "new" };
  };
  const ensured = await ensureConsumer(jetStream, binding, limits, startAt);
  position.finished = finishedOf(ensured.progress);
  const afterSequence = position.finished.upToSequence;
  log.info(
    { consumer: consumerName(binding), subjects: binding.subjects, afterSequence },
    `consumer ${ensured.action}`,
  );
  return ensured;
}

/** What a consumer has finished was stored before it says so. */
function finishedOf({ floorSequence, answeredAtMs }: ConsumerProgress): Finished {
  return { upToSequence: floorSequence, storedUntilMs: answeredAtMs };
}

function furthest(one: Finished | undefined, other: Finished | undefined): Finished | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return one.upToSequence > other.upToSequence ? one : other;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
