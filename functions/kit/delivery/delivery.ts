/**
 * Delivers a partition's events to its function: of one object one at a time and in the order of the log, of different objects
 * in parallel. An event is acknowledged, and the server confirms it, when it is done, skipped, or stored as a dead letter, never
 * before; until then the server is told that it is being worked on. Deliveries count as tries, so that an event that kills its
 * process ends as a dead letter too: after its last try it gets one more alone, since it may only have been near the one to blame.
 * A log that was restored gives sequences once more, so an event is known by its sequence and when it was stored.
 */
import {
  type Delivered,
  type Envelope,
  type JetStream,
  type Logger,
  objectPart,
  type Tracing,
  traceFields,
} from "#contract";
import type { IncidentMemory } from "../incident/incident-memory.ts";
import type { Place, Verdict } from "../ownership/subscription-record.ts";
import type { SilenceGate } from "../silence/silence-gate.ts";
import type { StepMemory } from "../step/step-memory.ts";
import type { Binding } from "../subscription.ts";
import type { Timing } from "../timer/timing.ts";
import { within } from "../waiting.ts";
import { type Acknowledgements, HAND_BACK, SIGNS_PER_ACK_WAIT, type StoredEvent } from "./acknowledgement.ts";
import { type GivenUp, letterOf, publishDeadLetter, sealDeadLetter } from "./dead-letter.ts";
import type { DeliveryLimits } from "./delivery-limits.ts";
import type { Settling } from "./judgement.ts";
import { finishedBefore, givesAgain, oldestSuspect, suspected, untilAllInHand } from "./recovery.ts";
import { type DeliveryCounts, report } from "./report.ts";
import { type Settled, settle } from "./settle.ts";
import type { Slots } from "./slots.ts";

/** What a delivery works with. */
export interface DeliveryOptions {
  readonly jetStream: JetStream;
  readonly binding: Binding;
  readonly log: Logger;
  readonly tracing: Tracing | undefined;
  readonly limits: DeliveryLimits;
  /** These are the subscription's, in this process: its partitions share them. */
  readonly stepMemory: StepMemory;
  readonly incidentMemory: IncidentMemory;
  readonly timing: Timing;
  readonly silences: SilenceGate | undefined;
  readonly counts: DeliveryCounts;
  readonly acknowledgements: Acknowledgements;
  readonly slots: Slots;
  /** What becomes of an event, asked when it would begin. */
  readonly verdict: (event: StoredEvent) => Verdict;
  /** Whether an edit that is pending lets the event be run. */
  readonly isWanted: (event: Envelope) => boolean;
  /** Of events that are out: how many of their deliveries were no tries. */
  readonly excused: Readonly<Record<string, number>>;
}

/** The delivery of one partition. */
export interface Delivery {
  /** Takes an event in hand; resolves when there is room for another. */
  accept(delivered: Delivered): Promise<void>;
  /**
   * Delivers the event of a dead letter once more, or one that has waited, when nothing of its object is being handled; what comes of its object waits behind it.
   * Answers how it ended, with another dead letter stored by then; `undefined`: the process ends before that.
   */
  redo(event: GivenUp & Settling): Promise<Settled["type"] | undefined>;
  /** Begins nothing until every event that is out has come (again). */
  recover(unacknowledged: () => Promise<number>): void;
  /** Tells the server now that the events in hand are being worked on. */
  showLife(): void;
  /** What was held back may be begun by now. */
  reconsider(): void;
  /** Up to where nothing needs to be delivered again; `undefined` when nothing is known. */
  finished(): Place | undefined;
  /**
   * Stops: running tries may end within this time, what is left goes back to the server. Resolves to how many deliveries of what is left
   * were no tries.
   */
  drain(drainMs: number): Promise<Record<string, number>>;
}

/** Beyond ack_wait: the server looks for overdue events about once a second. */
const RECOVERY_MARGIN_MS = 5_000;
/** A stopping process waits no longer for the server to take events back; they come again after ack_wait anyway. */
const HAND_BACK_MS_MAX = 2_000;

interface Held {
  /** Its deliveries are those that count as tries. */
  readonly delivered: Delivered;
  readonly sequence: number;
  /** All of them, by the newest one. */
  deliveries: number;
  begun: boolean;
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
export function createDelivery(options: DeliveryOptions): Delivery {
  const { jetStream, binding, log, limits, counts, acknowledgements, slots, verdict } = options;
  const { concurrency, attempts } = binding.subscription;
  const held = new Map<number, Held>();
  const lanes = new Map<string, Lane>();
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
    ...options,
    ...{ running, retry: limits.retry, graceMs: limits.graceMs, stopping: stopping.signal },
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
      const about = log.child({ id: settled.eventId, ...traceFields(settled.trace) });
      letter = await publishDeadLetter(jetStream, sealed, { log: about, signal: ended.signal });
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
  const release = async (event: Held, acknowledge: Acknowledgements["finish"]) => {
    const { sequence, delivered, ackSubject } = event;
    if (held.get(sequence) !== event) return;
    event.acknowledging = true;
    await acknowledge(delivered, ackSubject);
    if (held.get(sequence) === event) held.delete(sequence);
    tell();
  };
  const handle = async (event: Held, slotsTaken: number) => {
    event.begun = true;
    const settled = await settleHeld(event, slotsTaken);
    if (settled === undefined || !(await conclude(event.delivered, settled))) return;
    await release(event, acknowledgements.finish);
  };
  /** The next generation's consumers deliver it too, so here it is only acknowledged. */
  const pass = (event: Held) => release(event, acknowledgements.pass);
  const follow = async (object: string, lane: Lane) => {
    lane.active = true;
    for (let next = lane.waiting[0]; next !== undefined; next = lane.waiting[0]) {
      if (verdict(next.delivered) === "hold") break;
      const slotsWanted = next.delivered.deliveryCount > attempts ? concurrency : 1;
      if (!(await slots.take(slotsWanted))) break;
      const event = lane.waiting[0];
      const decided = event && verdict(event.delivered);
      if (decided !== "hold") lane.waiting.shift();
      if (decided === "run" && event !== undefined) await handle(event, slotsWanted);
      else slots.give(slotsWanted);
      if (decided === "pass" && event !== undefined) await pass(event);
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
  const begin = () => {
    const first = ([, lane]: [string, Lane]) => lane.waiting[0]?.sequence ?? 0;
    for (const [object, lane] of [...lanes].sort((a, b) => first(a) - first(b))) {
      if (!lane.active) void follow(object, lane);
    }
  };
  const resume = () => {
    recovery = undefined;
    if (!recoveredOnce) suspect = oldestSuspect(inHand().map(eventOf), attempts);
    recoveredOnce = true;
    slots.resume();
    begin();
  };

  return {
    showLife,
    async accept(raw) {
      const { streamSequence: sequence, ackSubject, message, deliveryCount: deliveries } = raw;
      const delivered = { ...raw, deliveryCount: Math.max(1, deliveries - (options.excused[sequence] ?? 0)) };
      const known = held.get(sequence);
      if (known?.delivered.storedAtMs === delivered.storedAtMs) Object.assign(known, { ackSubject, deliveries });
      else if (acknowledgements.hasFinished(delivered)) await acknowledgements.finish(delivered, ackSubject);
      else {
        noticeRestoredLog(delivered);
        const event: Held = { delivered, sequence, ackSubject, deliveries, begun: false, acknowledging: false };
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
        if (settled === undefined) return undefined;
        for (const { member, settled: own } of membersOf(event, settled))
          if (!(await conclude(member, own))) return undefined;
        return settled.type;
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
    reconsider() {
      if (recovery === undefined && !stopping.signal.aborted) begin();
    },
    finished() {
      // What is out may be older than anything here.
      return furthest && !recovery ? finishedBefore(furthest, [...held.values()].map(eventOf)) : undefined;
    },
    async drain(drainMs) {
      stopping.abort();
      recovery?.abort();
      slots.close();
      tell();
      const endTries = () => {
        for (const controller of running) controller.abort(new Error("the process stops"));
      };
      const deadline = setTimeout(endTries, drainMs);
      if (drainMs <= 0) endTries();
      const allIdle = async () => {
        while (!ended.signal.aborted && [...lanes.values()].some((lane) => lane.active)) await changed.promise;
      };
      await within(drainMs + limits.graceMs, allIdle());
      clearTimeout(deadline);
      clearInterval(life);
      ended.abort();
      const left = inHand();
      if (left.length > 0) log.info({ left: left.length }, "events that are not done go back and are delivered again");
      const handedBack = left.map((event) => jetStream.request(event.ackSubject, HAND_BACK));
      await within(HAND_BACK_MS_MAX, Promise.allSettled(handedBack));
      return excusedOf(left);
    },
  };
}

/** How each event of a call ended: what a silence held back of a batch has its own end. */
function membersOf(
  event: GivenUp & Settling,
  settled: Settled,
): { readonly member: GivenUp; readonly settled: Settled }[] {
  const { batch } = event;
  if (batch === undefined) return [{ member: event, settled }];
  return batch.members.map((member, index) => {
    const eventId = batch.events[index]?.id ?? "";
    const isHeldBack = settled.heldBack?.includes(eventId);
    return { member, settled: isHeldBack ? { type: "silenced", attempts: 0, eventId } : settled };
  });
}

/** What was not begun here had no try by its delivery to this process. */
function excusedOf(left: readonly Held[]): Record<string, number> {
  const counted = left.map(({ delivered, deliveries, begun, sequence }) => {
    const tries = delivered.deliveryCount - (begun ? 0 : 1);
    return [String(sequence), deliveries - tries] as const;
  });
  return Object.fromEntries(counted.filter(([, count]) => count > 0));
}

/** Keeps a lane's events in the order of the log: what is delivered again may come behind newer ones. */
function insertInOrder(waiting: Held[], event: Held): void {
  let position = waiting.length;
  while (position > 0 && (waiting[position - 1]?.sequence ?? 0) > event.sequence) position--;
  waiting.splice(position, 0, event);
}

const eventOf = ({ delivered }: Held) => delivered;
