/**
 * The summary of a silence that is over: of each object the last event that was held back. A function that takes many events gets them as a
 * batch; any other, and one with incidents, is called for each. Each is marked as told when that has ended, so that a kill neither forgets
 * nor repeats more than any event's would.
 */
import { type Delivered, type Envelope, type JetStream, type Logger, readEvent } from "#contract";
import type { Delivery } from "../delivery/delivery.ts";
import type { Batches } from "../timer/batches.ts";
import { eventIn, type LoggedEvent } from "../timer/timer.ts";
import { payloadOf } from "../timer/timer-payload.ts";
import type { Timers } from "../timer/timers.ts";
import type { HeldBackBook, readWake, StoredHeldBack } from "./held-back.ts";

/** What a summary needs. */
export interface SummaryOptions {
  readonly book: Pick<HeldBackBook, "untold" | "markTold">;
  /** Of a subscription whose function takes many events. */
  readonly batches: Batches | undefined;
  /** With `for` or `debounce`. */
  readonly timers: Timers | undefined;
  readonly delivery: Pick<Delivery, "redo">;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** At once; the slots of the subscription limit what runs. */
const IN_HAND_MAX = 64;

/** Tells what was held back of the objects of a partition. Resolves to whether all of it was. Rejects when `signal` aborts. */
export async function carryOutSummary(
  jetStream: JetStream,
  { silence, partition }: NonNullable<ReturnType<typeof readWake>>,
  { storedAtMs: dueAtMs, deliveryCount }: Delivered,
  options: SummaryOptions,
): Promise<boolean> {
  const { book, batches, timers, delivery, log, signal } = options;
  const collect = async (logged: LoggedEvent, event: Envelope, to: Batches): Promise<true> => {
    const ripe = await timers?.judge({ ...logged, event }, dueAtMs, signal);
    if (ripe === undefined || ripe.type === "held") await to.wait({ ...logged, event }, signal);
    return true;
  };
  const tell = async (record: StoredHeldBack): Promise<boolean> => {
    const { last } = record.heldBack;
    const data = last.payloadOmitted ? await payloadOf(jetStream, last) : record.message.data;
    const { streamSequence, storedAtMs } = last;
    if (data === undefined) {
      log.error(
        { streamSequence },
        "an event that was held back was too large to be kept, and is in the log no more: it is dropped",
      );
      await book.markTold(record, signal);
      return true;
    }
    const logged = { message: eventIn(last, data), streamSequence, storedAtMs };
    const isTold =
      batches === undefined
        ? (await delivery.redo({ ...logged, dueAtMs, deliveryCount, summaryOf: silence })) !== undefined
        : await collect(logged, await readEvent(jetStream, data, signal), batches);
    if (isTold) await book.markTold(record, signal);
    return isTold;
  };
  const left = [...(await book.untold(silence, partition, signal))];
  if (left.length > 0) log.info({ silence, objects: left.length }, "a silence is over: what it held back is told");
  while (left.length > 0) {
    const told = await Promise.all(left.splice(0, IN_HAND_MAX).map(tell));
    if (told.includes(false)) return false;
  }
  return true;
}
