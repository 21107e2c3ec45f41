/**
 * Carries out the orders to try dead letters of one subscription again (`cr-reactor dead-letters retry`), and those to replay past events
 * (`replay-desk.ts`): each letter's event goes to the function as one of the log does, in its object's turn and with fresh tries, while its steps
 * that are remembered are not run again. Only when it succeeded, or ended in another letter that names this one, is the letter removed, and
 * only then the order done.
 */
import { type Delivered, type JetStream, type Logger, RETRIES_STREAM } from "#contract";
import { dropLetter, ensureRetries, eventOf, findLetter, readRetryOrder } from "./dead-letter-box.ts";
import type { Delivery } from "./delivery.ts";
import { type OrderDeskOptions, openOrderDesk } from "./order-desk.ts";
import { readReplayOrder } from "./replay.ts";
import { createReplayDesk } from "./replay-desk.ts";

/** What the desk needs. */
export interface RetryDeskOptions
  extends Pick<OrderDeskOptions, "consumer" | "subjects" | "limits" | "log" | "signal"> {
  readonly subscription: string;
  readonly delivery: Pick<Delivery, "redo">;
}

const ORDERS_MAX = 16;
const IDLE_MS_MAX = 3_600_000;

/** Opens the desk. Resolves when `signal` aborted and what was in hand has ended. Never rejects. */
export function openRetryDesk(jetStream: JetStream, options: RetryDeskOptions): Promise<void> {
  const { subscription, delivery, ...desk } = options;
  const replays = createReplayDesk(jetStream, { subscription, delivery, signal: desk.signal });
  return openOrderDesk(jetStream, {
    ...desk,
    ...{ stream: RETRIES_STREAM, ordersMax: ORDERS_MAX, idleMsMax: IDLE_MS_MAX },
    description: `cr-reactor: what subscription ${subscription} is to try again`,
    ensure: (settings) => ensureRetries(jetStream, settings),
    carryOut: (order, log) => {
      const replay = readReplayOrder(order.message);
      if (replay !== undefined) return replays(replay, order, log);
      return carryOut(jetStream, subscription, order, delivery, log);
    },
  });
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
  const { streamSequence, replay: run, again } = found.letter;
  const replay = run === undefined ? undefined : { run, again: again === true };
  const retry = { retryOf: order.letter, replay, deliveryCount, dueAtMs: Number.POSITIVE_INFINITY }; // it has waited
  const ended = await delivery.redo({ message: event, streamSequence, ...retry });
  switch (ended) {
    case undefined:
      return false;
    case "skipped":
      log.warn({ letter: order.letter }, "the dead letter stays: its event does not match the subscription any more");
      return true;
    case "done":
    case "waiting": // its timer is stored
    case "silenced": // no silence holds back what somebody asks for
    case "dead-letter":
      await dropLetter(jetStream, order.letter);
      return true;
    default:
      return ended satisfies never;
  }
}
