/**
 * Carries out the orders to try dead letters of one subscription again (`cr-reactor dead-letters retry`): each letter's event goes to the
 * function as one of the log does, in its object's turn and with fresh tries, while its steps that are remembered are not run again. Only
 * when it succeeded, or ended in another letter that names this one, is the letter removed, and only then the order done; an order that a
 * process took with it comes again.
 */
import { createBackoff, type Delivered, type JetStream, type Logger, pull, RETRIES_STREAM } from "#contract";
import { findLogSettings } from "../log-settings.ts";
import { closeRetry, dropLetter, ensureRetries, eventOf, findLetter, readRetryOrder } from "./dead-letter-box.ts";
import type { Delivery } from "./delivery.ts";
import type { DeliveryLimits } from "./delivery-limits.ts";

/** What the desk needs. */
export interface RetryDeskOptions {
  readonly subscription: string;
  /** The name of the consumer that it reads orders with, and which orders these are. */
  readonly consumer: string;
  readonly subjects: readonly string[];
  readonly delivery: Pick<Delivery, "redo">;
  readonly limits: Pick<DeliveryLimits, "ackWaitMs">;
  readonly log: Logger;
  /** Aborts to stop. */
  readonly signal: AbortSignal;
}

/** Orders in hand: each holds the bytes of its event. */
const ORDERS_MAX = 16;
const SIGNS_PER_ACK_WAIT = 3;
const NANOSECONDS_PER_MS = 1_000_000;
/** The server removes a consumer that nobody has asked for an hour: of a subscription, or a partition, that is no more. */
const IDLE_MS_MAX = 3_600_000;
/** What is handed back comes again soon, but not to the process that is stopping. */
const HAND_BACK = `-NAK {"delay": ${1e9}}`;
/** Nobody is waiting for the desk to open: the log may not be there yet, or this user may not read orders. */
const OPEN_BACKOFF = { firstMs: 500, maxMs: 5_000, resetAfterMs: 120_000 };

/** An order that is being carried out. */
interface InHand {
  /** The newest one, when the server delivered the order again meanwhile. */
  ackSubject: string;
  readonly ended: Promise<void>;
}

/** Opens the desk, and again when anything breaks. Resolves when `signal` aborted and what was in hand has ended. Never rejects. */
export async function openRetryDesk(jetStream: JetStream, options: RetryDeskOptions): Promise<void> {
  const { log, signal } = options;
  const backoff = createBackoff(OPEN_BACKOFF);
  const inHand = new Map<number, InHand>();
  const take = (order: Delivered) => {
    const { streamSequence, ackSubject } = order;
    const known = inHand.get(streamSequence);
    if (known !== undefined) {
      known.ackSubject = ackSubject;
      return;
    }
    const { promise: ended, resolve } = Promise.withResolvers<void>();
    const taken: InHand = { ackSubject, ended };
    inHand.set(streamSequence, taken);
    void handle(jetStream, order, taken, options).finally(() => {
      inHand.delete(streamSequence);
      resolve();
    });
  };
  const whenAnyEnded = () => Promise.race([...inHand.values()].map(({ ended }) => ended));
  while (!signal.aborted) {
    try {
      if (await isReady(jetStream, options)) {
        const pulling = { stream: RETRIES_STREAM, consumer: options.consumer, demandMax: 1, signal };
        for await (const order of pull(jetStream, pulling)) {
          take(order);
          if (inHand.size >= ORDERS_MAX) await whenAnyEnded();
        }
      }
    } catch (error) {
      if (!signal.aborted) log.debug({ err: error }, "orders to try dead letters again cannot be read now");
    }
    await backoff.wait(signal).catch(() => undefined);
  }
  await Promise.all([...inHand.values()].map(({ ended }) => ended));
}

/** Makes stream and consumer as they should be. Resolves to false as long as there is no log. */
async function isReady(
  jetStream: JetStream,
  { subscription, consumer, subjects, limits }: RetryDeskOptions,
): Promise<boolean> {
  const settings = await findLogSettings(jetStream);
  if (settings === undefined) return false;
  await ensureRetries(jetStream, settings);
  const config = {
    name: consumer,
    durable_name: consumer,
    description: `cr-reactor: dead letters of subscription ${subscription} that are to be tried again`,
    ack_policy: "explicit",
    ack_wait: limits.ackWaitMs * NANOSECONDS_PER_MS,
    max_deliver: -1,
    filter_subjects: subjects,
    // An order is on the stream until it is carried out, so a consumer that is gone loses nothing.
    inactive_threshold: IDLE_MS_MAX * NANOSECONDS_PER_MS,
  };
  const body = { stream_name: RETRIES_STREAM, config, action: "" };
  await jetStream.api(`CONSUMER.CREATE.${RETRIES_STREAM}.${consumer}`, body);
  return true;
}

/** Never rejects: an order that cannot be carried out now comes again. */
async function handle(
  jetStream: JetStream,
  order: Delivered,
  taken: Pick<InHand, "ackSubject">,
  { subscription, delivery, limits, log: parentLog, signal }: RetryDeskOptions,
): Promise<void> {
  const log = parentLog.child({ retrySubject: order.message.subject });
  const showLife = () => jetStream.send(taken.ackSubject, "+WPI");
  const life = setInterval(showLife, limits.ackWaitMs / SIGNS_PER_ACK_WAIT);
  try {
    const isDone = await carryOut(jetStream, subscription, order, delivery, log);
    if (isDone) await closeRetry(jetStream, order.streamSequence);
    await jetStream.request(taken.ackSubject, isDone ? "+ACK" : HAND_BACK);
  } catch (error) {
    if (!signal.aborted) log.warn({ err: error }, "the order to try a dead letter again comes back later");
  } finally {
    clearInterval(life);
  }
}

/** Resolves to whether the order is done with. */
async function carryOut(
  jetStream: JetStream,
  subscription: string,
  { message, deliveryCount }: Delivered,
  delivery: RetryDeskOptions["delivery"],
  log: Logger,
): Promise<boolean> {
  const order = readRetryOrder(message);
  const found = order && (await findLetter(jetStream, order.letter));
  if (order === undefined || found === undefined || Math.floor(found.storedAtMs) !== order.letterStoredMs) {
    log.info("the dead letter to try again is gone: nothing to do");
    return true;
  }
  if (found.letter.subscription !== subscription) return true; // no order of ours
  const event = await eventOf(jetStream, found);
  if (event === undefined) {
    log.error(
      { letter: order.letter },
      "the dead letter stays: its event was too large for it, and is in the log no more",
    );
    return true;
  }
  const { streamSequence } = found.letter;
  const ended = await delivery.redo({ message: event, streamSequence, retryOf: order.letter, deliveryCount });
  switch (ended) {
    case undefined:
      return false;
    case "skipped":
      log.warn({ letter: order.letter }, "the dead letter stays: its event does not match the subscription any more");
      return true;
    case "done":
    case "dead-letter":
      await dropLetter(jetStream, order.letter);
      return true;
    default:
      return ended satisfies never;
  }
}
