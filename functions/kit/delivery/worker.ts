/**
 * Works on one partition as long as its process holds the lease: makes its consumer, pulls and delivers, and begins again when anything
 * breaks. A consumer that was deleted is made again behind the last event that is known to be finished. Each delivery of a consumer has a
 * number, so one that did not come here leaves a hole: then nothing new is begun until every event that is out has come again. So order
 * per object holds even where something else pulls from the consumer, such as a paused process' last request. At the start, after a
 * reconnect and while it is behind, it looks whether the log dropped events that it had not read.
 */
import { ConsumerGoneError, createBackoff, type Delivered, EVENTS_STREAM, pull, RequestLostError } from "#contract";
import type { Place } from "../ownership/subscription-record.ts";
import type { SubscriptionSilences } from "../silence/subscription-silences.ts";
import { openTimerDesk } from "../timer/timer-desk.ts";
import { lookAtTimers } from "../timer/witness.ts";
import { HAND_BACK } from "./acknowledgement.ts";
import {
  type ConsumerIdentity,
  type ConsumerProgress,
  consumerProgress,
  type EnsuredConsumer,
  ensureConsumer,
  findEventsLog,
  type StartAt,
} from "./consumer.ts";
import { ensureDeadLetters } from "./dead-letter.ts";
import { createDelivery, type DeliveryOptions } from "./delivery.ts";
import { createOverrunWatch, type OverrunCounts } from "./overrun.ts";
import { resumeAfter } from "./recovery.ts";
import { openRetryDesk } from "./retry-desk.ts";

/** What a worker works with. */
export interface WorkerOptions extends DeliveryOptions {
  readonly consumer: ConsumerIdentity;
  /** The orders to try dead letters again that are about its objects. */
  readonly orders: readonly string[];
  /** What silences held back; `undefined`: they hold back nothing of it. */
  readonly heldBack: SubscriptionSilences | undefined;
  /** What is due and about its objects. */
  readonly due: readonly string[];
  /** The log that the lease is about; when it is another one the worker waits to be stopped. */
  readonly logCreatedAt: string;
  /** What was stored up to there is another generation's. */
  readonly afterSequence: number;
  /** Where the consumer is made, if it is missing: the furthest counts. */
  readonly from: readonly Place[];
  /** Hears that the log is gone or another one, or that the consumer is made. */
  readonly onNews: () => void;
  /** A request of this process is forgotten by the server after this time. */
  readonly requestExpiresMs: number;
}

/** `failing`: it is tried again, and `trouble` says what is wrong. */
export interface WorkerState {
  readonly type: "starting" | "running" | "failing";
  readonly trouble?: string;
}

/** A worker at work. */
export interface Worker {
  state(): WorkerState;
  overrun(): OverrunCounts;
  /** What was held back may be begun by now. */
  reconsider(): void;
  /** Ends it within this time and what a function takes to end once it was told to. More calls shorten the time only. */
  stop(drainMs: number): Promise<Left>;
}

/** What the next one has to know. */
export interface Left {
  readonly excused: Record<string, number>;
  readonly finished: Place | undefined;
}

/** Between two tries to get going: soon at first, because a bridge or a server that starts is there in seconds. */
const START_BACKOFF = { firstMs: 250, maxMs: 5_000, resetAfterMs: 120_000 };

/** Starts a worker. */
export function startWorker(options: WorkerOptions): Worker {
  const { jetStream, log, limits, consumer, onNews } = options;
  const { name } = consumer;
  const stopped = new AbortController();
  const { signal } = stopped;
  const delivery = createDelivery(options);
  const overrun = createOverrunWatch(jetStream, consumer.subjects, log);
  let finished = options.from.reduce<Place | undefined>(furthest, undefined);
  let state: WorkerState = { type: "starting" };
  /** What came when nobody read any more. */
  const unread = new Map<number, number>();
  const onLeft = ({ streamSequence, ackSubject }: Delivered) => {
    unread.set(streamSequence, (options.excused[streamSequence] ?? 0) + 1);
    jetStream.send(ackSubject, HAND_BACK);
  };
  const recover = () =>
    delivery.recover(async () => {
      const progress = await consumerProgress(jetStream, name);
      finished = finishedOf(progress);
      return progress.unacknowledged;
    });
  const lookForOverrun = () => overrun.look(() => consumerProgress(jetStream, name));
  const { timing } = options;
  const lookAtTiming = async () => {
    if (timing.rates === undefined && timing.delay === undefined) return;
    const own = { subscription: consumer.subscription, consumer: name, subjects: consumer.subjects };
    const { afterSequence, logCreatedAt, binding } = options;
    const about = { ...own, afterSequence, logCreatedAt, matcher: binding.matcher, timing };
    await lookAtTimers({ jetStream, ...about, log, signal }).catch((error: unknown) => {
      if (!signal.aborted) log.warn({ err: error }, "whether what waits is all there cannot be told now");
    });
  };

  /** Resolves to `undefined` while the log is not the one that the lease is about. */
  const begin = async (): Promise<EnsuredConsumer | undefined> => {
    const eventsLog = await findEventsLog(jetStream);
    if (eventsLog?.createdAt !== options.logCreatedAt) return undefined;
    for (const remark of await ensureDeadLetters(jetStream, eventsLog.replicas)) log.debug(remark);
    const startAt = async (): Promise<StartAt> => {
      const known = furthest(finished, delivery.finished());
      return known === undefined ? { type: "all" } : await resumeAfter(jetStream, known);
    };
    const ensured = await ensureConsumer(jetStream, consumer, limits, startAt);
    await lookAtTiming();
    finished = finishedOf(ensured.progress);
    const afterSequence = finished.upToSequence;
    log.info({ consumer: name, subjects: consumer.subjects, afterSequence }, `consumer ${ensured.action}`);
    if (ensured.action === "remade")
      log.warn(
        { consumer: name, afterSequence },
        "somebody changed the consumer's filter: it is made again, and what was done behind that place is repeated",
      );
    return ensured;
  };
  const deliverAll = async ({ action, progress }: EnsuredConsumer) => {
    // Before anything is read: where it stood is forgotten then.
    if (action !== "created") await overrun.look(async () => progress);
    if (signal.aborted) return;
    state = { type: "running" };
    onNews();
    recover();
    const look = () => void Promise.all([lookForOverrun(), lookAtTiming()]);
    const looking = setInterval(look, limits.overrunLookMs);
    const { requestExpiresMs: expiresMs } = options;
    let expected: number | undefined;
    try {
      for await (const delivered of pull(jetStream, {
        ...{ stream: EVENTS_STREAM, consumer: name, demandMax: limits.heldMax, expiresMs, signal, onLeft },
      })) {
        if (expected !== undefined && delivered.consumerSequence !== expected) {
          log.debug(
            { expected, got: delivered.consumerSequence },
            "a delivery did not come here: waiting for its event",
          );
          recover();
        }
        expected = delivered.consumerSequence + 1;
        await delivery.accept(delivered);
      }
    } finally {
      clearInterval(looking);
    }
  };
  const tellTrouble = (error: unknown) => {
    const trouble = error instanceof Error ? error.message : String(error);
    state = { type: "failing", trouble };
    if (error instanceof ConsumerGoneError) log.warn({ reason: trouble }, "the consumer is gone; it is made again");
    else log.error({ err: error }, "the subscription cannot run; trying again");
    onNews();
  };
  const run = async () => {
    const backoff = createBackoff(START_BACKOFF);
    while (!signal.aborted) {
      try {
        const begun = await begin();
        if (begun !== undefined) await deliverAll(begun);
        else onNews();
      } catch (error) {
        if (signal.aborted) return;
        tellTrouble(error);
        if (error instanceof RequestLostError) await jetStream.whenConnected(signal).catch(() => undefined);
      }
      await backoff.wait(signal).catch(() => undefined);
    }
  };
  const stopListening = jetStream.onConnection((event) => {
    if (event.type !== "connected") return;
    delivery.showLife();
    if (state.type !== "running" || signal.aborted) return;
    // Asked before anything is pulled on the new connection, so the answer is from before it.
    void lookForOverrun();
    void lookAtTiming();
    recover();
  });
  const running = run();
  const { subscription } = consumer;
  const orders = { subscription, consumer: name, subjects: options.orders };
  const retrying = openRetryDesk(jetStream, { ...orders, delivery, limits, log, signal });
  const due = { ...orders, subjects: options.due, ordersMax: limits.heldMax };
  const { delay } = timing;
  const { heldBack } = options;
  const openDue = () => openTimerDesk(jetStream, { ...due, delay, heldBack, delivery, limits, log, signal });
  // Nothing is due of most subscriptions, ever.
  const timingDesk = delay ? openDue() : heldBack?.untilSummaries(signal).then(openDue);
  return {
    state: () => state,
    overrun: () => overrun.counts(),
    reconsider: () => delivery.reconsider(),
    async stop(drainMs) {
      stopped.abort();
      const handedBack = await delivery.drain(drainMs);
      await Promise.all([running, retrying, timingDesk]);
      stopListening();
      // Behind this answer, nothing more comes of what was on its way.
      const progress = await consumerProgress(jetStream, name).catch(() => undefined);
      if (progress !== undefined) finished = finishedOf(progress);
      const out = ([sequence]: [string, number]) => Number(sequence) > (progress?.floorSequence ?? 0);
      const before = Object.fromEntries(Object.entries(options.excused).filter(out));
      return { excused: { ...before, ...Object.fromEntries(unread), ...handedBack }, finished };
    },
  };
}

/** What a consumer has finished was stored before it says so. */
function finishedOf({ floorSequence, answeredAtMs }: ConsumerProgress): Place {
  return { upToSequence: floorSequence, storedUntilMs: answeredAtMs };
}

function furthest(one: Place | undefined, other: Place | undefined): Place | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return one.upToSequence > other.upToSequence ? one : other;
}
