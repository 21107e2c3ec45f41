/**
 * Carries out orders of a subscription that wait in a stream beside the log: what is to be tried again, what is due. An order is told to be
 * worked on, taken off the stream when it is done, and comes again when its process ended before that. It is on the stream until then, so a
 * consumer that is gone loses nothing.
 */
import { createBackoff, type Delivered, type JetStream, type Logger, pull, type StreamSettings } from "#contract";
import { findLogSettings } from "../log-settings.ts";
import { HAND_BACK, SIGNS_PER_ACK_WAIT } from "./acknowledgement.ts";
import type { DeliveryLimits } from "./delivery-limits.ts";
import { removeFrom } from "./removal.ts";

/** What a desk needs. */
export interface OrderDeskOptions {
  readonly stream: string;
  /** The name of the consumer that it reads orders with, and which orders these are. */
  readonly consumer: string;
  readonly description: string;
  readonly subjects: readonly string[];
  /** The server removes a consumer that nobody has asked for so long: of a subscription, or a partition, that is no more. */
  readonly idleMsMax: number;
  /** Orders in hand, which the server keeps to: each holds the bytes of its event. Whatever comes is in hand at once, and gives signs of life. */
  readonly ordersMax: number;
  /** Makes the stream when it is missing. */
  readonly ensure: (settings: StreamSettings) => Promise<void>;
  /** Resolves to whether the order is done with. One that rejects comes again. */
  readonly carryOut: (order: Delivered, log: Logger) => Promise<boolean>;
  readonly limits: Pick<DeliveryLimits, "ackWaitMs">;
  readonly log: Logger;
  /** Aborts to stop. */
  readonly signal: AbortSignal;
}

const NANOSECONDS_PER_MS = 1_000_000;
/** Nobody is waiting for the desk to open: the log may not be there yet, or this user may not read orders. */
const OPEN_BACKOFF = { firstMs: 500, maxMs: 5_000, resetAfterMs: 120_000 };

/** An order that is being carried out. */
interface InHand {
  /** The newest one, when the server delivered the order again meanwhile. */
  ackSubject: string;
  readonly ended: Promise<void>;
}

/** Opens the desk, and again when anything breaks. Resolves when `signal` aborted and what was in hand has ended. Never rejects. */
export async function openOrderDesk(jetStream: JetStream, options: OrderDeskOptions): Promise<void> {
  const { stream, consumer, ordersMax, log, signal } = options;
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
  while (!signal.aborted) {
    try {
      if (await isReady(jetStream, options)) {
        for await (const order of pull(jetStream, { stream, consumer, demandMax: ordersMax, signal })) {
          take(order);
        }
      }
    } catch (error) {
      if (!signal.aborted) log.debug({ stream, err: error }, "orders cannot be read now");
    }
    await backoff.wait(signal).catch(() => undefined);
  }
  await Promise.all([...inHand.values()].map(({ ended }) => ended));
}

/** Makes stream and consumer as they should be. Resolves to false as long as there is no log. */
async function isReady(
  jetStream: JetStream,
  { stream, consumer, description, subjects, idleMsMax, ordersMax, ensure, limits }: OrderDeskOptions,
): Promise<boolean> {
  const settings = await findLogSettings(jetStream);
  if (settings === undefined) return false;
  await ensure(settings);
  const config = {
    ...{ name: consumer, durable_name: consumer, description },
    ack_policy: "explicit",
    ack_wait: limits.ackWaitMs * NANOSECONDS_PER_MS,
    max_deliver: -1,
    max_ack_pending: ordersMax,
    filter_subjects: subjects,
    inactive_threshold: idleMsMax * NANOSECONDS_PER_MS,
  };
  await jetStream.api(`CONSUMER.CREATE.${stream}.${consumer}`, { stream_name: stream, config, action: "" });
  return true;
}

/** Never rejects: an order that cannot be carried out now comes again. */
async function handle(
  jetStream: JetStream,
  order: Delivered,
  taken: Pick<InHand, "ackSubject">,
  { stream, carryOut, limits, log: parentLog, signal }: OrderDeskOptions,
): Promise<void> {
  const log = parentLog.child({ order: order.message.subject });
  const showLife = () => jetStream.send(taken.ackSubject, "+WPI");
  const life = setInterval(showLife, limits.ackWaitMs / SIGNS_PER_ACK_WAIT);
  try {
    const isDone = await carryOut(order, log);
    if (isDone) await removeFrom(jetStream, stream, order.streamSequence);
    await jetStream.request(taken.ackSubject, isDone ? "+ACK" : HAND_BACK);
  } catch (error) {
    if (!signal.aborted) log.warn({ err: error }, "the order comes back later");
  } finally {
    clearInterval(life);
  }
}
