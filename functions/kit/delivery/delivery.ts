/**
 * Delivers a subscription's events to its function: of one object one at a time and in the order of the log, of different objects
 * in parallel. An event is acknowledged, and the server confirms it, when it is done, skipped, or stored as a dead letter, never
 * before; until then the server is told that it is being worked on. Deliveries count as tries, so that an event that kills its
 * process ends as a dead letter too: after its last try it gets one more alone, since it may only have been near the one to blame.
 * A log that was restored gives sequences once more, so an event is known by its sequence and when it was stored.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { type Delivered, type JetStream, type Logger, objectPart } from "#contract";
import { createNatsMemory } from "../step/nats-memory.ts";
import type { Binding } from "../subscription.ts";
import { createAcknowledgements } from "./acknowledgement.ts";
import { type GivenUp, letterOf, publishDeadLetter, sealDeadLetter } from "./dead-letter.ts";
import type { DeliveryLimits } from "./delivery-limits.ts";
import { type Finished, finishedBefore, givesAgain, oldestSuspect, suspected, untilAllInHand } from "./recovery.ts";
import { type DeliveryCounts, newCounts, report } from "./report.ts";
import { type Settled, settle } from "./settle.ts";
import { createSlots } from "./slots.ts";

/** The delivery of one subscription. */
export interface Delivery {
  readonly counts: Readonly<DeliveryCounts>;
  /** Takes an event in hand; resolves when there is room for another. */
  accept(delivered: Delivered): Promise<void>;
  /**
   * Delivers the event of a dead letter once more, when nothing of its object is being handled; what comes of its object waits behind it.
   * Answers how it ended, with another dead letter stored by then; `undefined`: the process ends before that.
   */
  redo(event: GivenUp & Pick<Delivered, "deliveryCount">): Promise<Settled["type"] | undefined>;
  /** Begins nothing until every event that is out has come (again). */
  recover(unacknowledged: () => Promise<number>): void;
  /** Tells the server now that the events in hand are being worked on. */
  showLife(): void;
  /** The log is another one: what is in hand and not begun is no longer of it, and its sequences mean nothing. */
  forget(): void;
  /** Up to where nothing needs to be delivered again; `undefined` when nothing is known. */
  finished(): Finished | undefined;
  /** Stops: running tries may end, what is left goes back to the server. */
  drain(): Promise<void>;
}

/** Three signs of life within ack_wait: one may be lost. */
const SIGNS_PER_ACK_WAIT = 3;
/** Beyond ack_wait: the server looks for overdue events about once a second. */
const RECOVERY_MARGIN_MS = 5_000;
/** What is handed back comes again soon, but not to the process that is stopping. */
const HAND_BACK = `-NAK {"delay": ${1e9}}`;
/** A stopping process waits no longer for the server to take events back; they come again after ack_wait anyway. */
const HAND_BACK_MS_MAX = 2_000;

interface Held {
  readonly delivered: Delivered;
  readonly sequence: number;
  /** The newest one, when the server delivered it again meanwhile. */
  ackSubject: string;
  acknowledging: boolean;
}

/** The events of one object that wait, oldest first; `active` while one is being handled. */
interface Lane {
  readonly waiting: Held[];
  active: boolean;
}

/** Starts delivering what `accept` takes in hand. */
export function createDelivery(jetStream: JetStream, binding: Binding, log: Logger, limits: DeliveryLimits): Delivery {
  const { concurrency, attempts } = binding.subscription;
  const counts = newCounts();
  const held = new Map<number, Held>();
  const lanes = new Map<string, Lane>();
  const acknowledgements = createAcknowledgements(jetStream, log);
  const slots = createSlots(concurrency);
  const running = new Set<AbortController>();
  const stopping = new AbortController();
  const ended = new AbortController();
  let changed = Promise.withResolvers<void>();
  /** Of the events that came, the one furthest in the log. */
  let furthest: Delivered | undefined;
  let recovery: AbortController | undefined;
  /** After the start: the event that was running alone when the process before this one ended. */
  let suspect: number | undefined;
  let recoveredOnce = false;

  const tell = () => {
    changed.resolve();
    changed = Promise.withResolvers<void>();
  };
  const inHand = () => [...held.values()].filter((event) => !event.acknowledging);
  const showLife = () => {
    for (const event of inHand()) jetStream.send(event.ackSubject, "+WPI");
  };
  const life = setInterval(showLife, limits.ackWaitMs / SIGNS_PER_ACK_WAIT);
  const settleOptions = {
    ...{
      jetStream,
      binding,
      stepMemory: createNatsMemory(jetStream),
      log,
      slots,
      running,
      retry: limits.retry,
      graceMs: limits.graceMs,
      stopping: stopping.signal,
    },
    onRetry: (error: Error) => {
      counts.retried++;
      counts.lastError = error.message;
    },
    onUndecided: () => {
      counts.undecided++;
    },
    warned: new Set<string>(),
  };
  /** Stores the dead letter of an event that is given up, and tells how it ended. False: the process ends before that. */
  const conclude = async (event: GivenUp, settled: Settled): Promise<boolean> => {
    if (ended.signal.aborted) return false;
    const { message, streamSequence } = event;
    let letter: number | undefined;
    if (settled.type === "dead-letter") {
      const sealed = sealDeadLetter(letterOf(binding, event, settled), message, jetStream.payloadBytesMax);
      letter = await publishDeadLetter(jetStream, sealed, { log, signal: ended.signal });
      if (letter === undefined) return false;
    }
    report(log, counts, { subject: message.subject, streamSequence }, settled, letter);
    return true;
  };
  const settleHeld = async ({ delivered, sequence }: Held, slotsTaken: number) => {
    if (sequence !== suspect) return settle(delivered, slotsTaken, settleOptions);
    slots.give(slotsTaken);
    return suspected(delivered);
  };
  const handle = async (event: Held, slotsTaken: number) => {
    const settled = await settleHeld(event, slotsTaken);
    const { delivered, sequence } = event;
    if (settled === undefined || !(await conclude(delivered, settled))) return;
    if (held.get(sequence) !== event) return;
    event.acknowledging = true;
    await acknowledgements.finish(delivered, event.ackSubject);
    if (held.get(sequence) === event) held.delete(sequence);
    tell();
  };
  const follow = async (object: string, lane: Lane) => {
    lane.active = true;
    for (let next = lane.waiting[0]; next !== undefined; next = lane.waiting[0]) {
      const slotsWanted = next.delivered.deliveryCount > attempts ? concurrency : 1;
      if (!(await slots.take(slotsWanted))) break;
      const event = lane.waiting.shift();
      if (event === undefined) slots.give(slotsWanted);
      else await handle(event, slotsWanted);
    }
    lane.active = false;
    if (lane.waiting.length === 0) lanes.delete(object);
    tell();
  };
  /** Lets go of what is not begun, from this sequence on. */
  const dropFrom = (first: number) => {
    for (const sequence of [...held.keys()]) if (sequence >= first) held.delete(sequence);
    for (const [object, lane] of lanes) {
      const kept = lane.waiting.filter(({ sequence }) => sequence < first);
      lane.waiting.splice(0, Number.POSITIVE_INFINITY, ...kept);
      if (!lane.active && kept.length === 0) lanes.delete(object);
    }
    furthest = undefined;
    suspect = undefined;
    tell();
  };
  /** What came with this sequence or a higher one is of a past that was undone. */
  const noticeRestoredLog = (delivered: Delivered) => {
    const { streamSequence } = delivered;
    if (!givesAgain(delivered, furthest, held.get(streamSequence)?.delivered)) return;
    log.warn({ streamSequence }, "the log gives its sequences again: it was restored from an older copy");
    dropFrom(streamSequence);
  };
  const resume = () => {
    recovery = undefined;
    if (!recoveredOnce) suspect = oldestSuspect(inHand().map(eventOf), attempts);
    recoveredOnce = true;
    slots.resume();
    const first = ([, lane]: [string, Lane]) => lane.waiting[0]?.sequence ?? 0;
    for (const [object, lane] of [...lanes].sort((a, b) => first(a) - first(b))) {
      if (!lane.active) void follow(object, lane);
    }
  };

  return {
    counts,
    showLife,
    async accept(delivered) {
      const { streamSequence: sequence, ackSubject, message } = delivered;
      const known = held.get(sequence);
      if (known?.delivered.storedAtMs === delivered.storedAtMs) known.ackSubject = ackSubject;
      else if (acknowledgements.hasFinished(delivered)) await acknowledgements.finish(delivered, ackSubject);
      else {
        noticeRestoredLog(delivered);
        const event: Held = { delivered, sequence, ackSubject, acknowledging: false };
        held.set(sequence, event);
        if (sequence > (furthest?.streamSequence ?? 0)) furthest = delivered;
        const object = objectPart(message.subject);
        const lane = lanes.get(object) ?? { waiting: [], active: false };
        lanes.set(object, lane);
        insertInOrder(lane.waiting, event);
        if (!lane.active && recovery === undefined) void follow(object, lane);
      }
      while (held.size >= limits.heldMax && !stopping.signal.aborted) await changed.promise;
    },
    async redo(event) {
      const object = objectPart(event.message.subject);
      while (lanes.get(object)?.active && !stopping.signal.aborted) await changed.promise;
      if (stopping.signal.aborted) return undefined;
      const lane = lanes.get(object) ?? { waiting: [], active: false };
      lanes.set(object, lane);
      lane.active = true;
      try {
        if (!(await slots.take(1))) return undefined;
        if (event.deliveryCount > attempts) slots.give(1);
        const settled = event.deliveryCount > attempts ? suspected(event) : await settle(event, 1, settleOptions);
        return settled !== undefined && (await conclude(event, settled)) ? settled.type : undefined;
      } finally {
        void follow(object, lane);
      }
    },
    recover(unacknowledged) {
      recovery?.abort();
      if (stopping.signal.aborted) return;
      const mine = new AbortController();
      recovery = mine;
      slots.pause();
      const options = { unacknowledged, inHand: () => new Set(inHand().map((event) => event.sequence)) };
      const timeoutMs = limits.ackWaitMs + RECOVERY_MARGIN_MS;
      untilAllInHand({ ...options, timeoutMs, signal: mine.signal }).then(
        (result) => {
          if (mine.signal.aborted) return;
          if (result === "timeout") log.info("some events that are out did not come: another process has them");
          resume();
        },
        () => undefined,
      );
    },
    forget: () => dropFrom(0),
    finished() {
      // What is out may be older than anything here.
      return furthest && !recovery ? finishedBefore(furthest, [...held.values()].map(eventOf)) : undefined;
    },
    async drain() {
      stopping.abort();
      recovery?.abort();
      slots.close();
      tell();
      const deadline = setTimeout(() => {
        for (const controller of running) controller.abort(new Error("the process stops"));
      }, limits.drainMs);
      const allIdle = async () => {
        while (!ended.signal.aborted && [...lanes.values()].some((lane) => lane.active)) await changed.promise;
      };
      await within(limits.drainMs + limits.graceMs, allIdle());
      clearTimeout(deadline);
      clearInterval(life);
      ended.abort();
      const left = inHand();
      if (left.length > 0) log.info({ left: left.length }, "events that are not done go back and are delivered again");
      const handedBack = left.map((event) => jetStream.request(event.ackSubject, HAND_BACK));
      await within(HAND_BACK_MS_MAX, Promise.allSettled(handedBack));
    },
  };
}

/** Keeps a lane's events in the order of the log: what is delivered again may come behind newer ones. */
function insertInOrder(waiting: Held[], event: Held): void {
  let position = waiting.length;
  while (position > 0 && (waiting[position - 1]?.sequence ?? 0) > event.sequence) position--;
  waiting.splice(position, 0, event);
}

const eventOf = ({ delivered }: Held) => delivered;

async function within(timeMs: number, work: Promise<unknown>): Promise<void> {
  const timer = new AbortController();
  try {
    await Promise.race([work, sleep(timeMs, undefined, { signal: timer.signal })]);
  } finally {
    timer.abort();
  }
}
