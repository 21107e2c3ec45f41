/**
 * What silences held back: of each object of a subscription the last event, and how many there were. They stand in CR_TIMERS, because with
 * `summary` a scheduled message there wakes the subscription when the silence is over, also one that sleeps.
 *
 *     crtimer.held.<subscription>.<silence>.<first six tokens of the event's subject>.<partition>
 *     crtimer.wait.<subscription>.summary.<silence>.<partition>          the end of the silence
 *     crtimer.due.<subscription>.<silence>.cr._._._._._.<partition>      it is over
 *
 * Writing is compare-and-set and names the event's order, so an event that comes again counts once.
 */
import {
  type Envelope,
  encodeToken,
  getStored,
  isUnavailable,
  isWrongLastSequence,
  type JetStream,
  type Logger,
  type NatsMessage,
  objectPart,
  read,
  type StoredMessage,
  SUBJECT_ROOT,
  TIMERS_ROOT,
  TIMERS_STREAM,
  untilAnswered,
} from "#contract";
import { isOlder } from "../incident/incident-record.ts";
import type { Entry } from "../timer/queue.ts";
import { HEADERS_BYTES_MAX, readTimer, type TimerFacts } from "../timer/timer.ts";
import { ensureTimers } from "../timer/timer-stream.ts";
import { eventsSince } from "../timer/timers.ts";
import { type Holding, REMEMBERED_DAYS } from "./silence.ts";

/** What was held back of one object. */
export interface HeldBack {
  readonly subscription: string;
  /** The id of the silence. */
  readonly silence: string;
  /** Epoch milliseconds; `undefined`: nobody knows. */
  readonly endsMs: number | undefined;
  /** How many events there were. */
  readonly count: number;
  readonly eventId: string;
  /** Of the last one: where it stands in the log. */
  readonly last: TimerFacts;
  /** Whether a summary is wanted, and whether it was told. */
  readonly summary: Summary;
}

/** Whether those who asked to be told afterwards were told. */
type Summary = "none" | "wanted" | "told";

/** Some thousand years are no time to live. */
const TTL_MS_MAX = 366 * 86_400_000;
/** What is due waits this long for a process of its subscription, as a timer does. */
const DUE_TTL = "720h";

/** The book of what is held back of one subscription. */
export interface HeldBackBook {
  /** Stores that an event is held back; resolves when it is stored, or was before. Rejects when `signal` aborts before. */
  keep(entry: Entry, holding: Holding, signal: AbortSignal): Promise<void>;
  /** Whether the event, or a newer one of its object, was held back before. */
  isKept(subject: string, order: string, signal: AbortSignal): Promise<boolean>;
  /** What the log has of the object from the event on, as far as it can be read. */
  since(entry: Entry, signal: AbortSignal): AsyncIterable<Envelope>;
  /** What a silence held back and nobody was told of, of the objects with this partition token; oldest first. */
  untold(silence: string, partition: string, signal: AbortSignal): Promise<readonly StoredHeldBack[]>;
  /** Remembers that it was told, unless something newer was held back meanwhile. */
  markTold(record: StoredHeldBack, signal: AbortSignal): Promise<void>;
}

/** As it is stored, with the event's bytes. */
export interface StoredHeldBack {
  readonly heldBack: HeldBack;
  readonly message: Pick<NatsMessage, "subject" | "data" | "header">;
  readonly sequence: number;
}

/** The book on this connection. */
export function createHeldBackBook(jetStream: JetStream, subscription: string, log: Logger): HeldBackBook {
  const patiently = <T>(ask: () => Promise<T>, signal: AbortSignal) =>
    untilAnswered(ask, {
      signal,
      onWait: (error) => log.warn({ error: error.message }, "what is held back waits for NATS"),
    });
  const subjectOf = (silence: string, objectAndPartition: string) =>
    [TIMERS_ROOT, "held", encodeToken(subscription), encodeToken(silence), objectAndPartition].join(".");
  const wakeOnce = async (silence: string, partition: string, endsMs: number) => {
    const wake = sealWake(subscription, silence, partition, endsMs);
    try {
      await jetStream.publish(wake.subject, "", { ...wake.headers, "Nats-Expected-Last-Subject-Sequence": "0" });
    } catch (error) {
      if (!isWrongLastSequence(error)) throw error; // there is one
    }
  };
  const keepOnce = async ({ event, message, streamSequence, storedAtMs }: Entry, holding: Holding): Promise<true> => {
    const { id: silence, endsMs } = holding;
    const subject = subjectOf(silence, placeOf(message.subject));
    const found = await getStored(jetStream, TIMERS_STREAM, { last_by_subj: subject });
    const known = found && readHeldBack(found);
    const isThere = known !== undefined && !isOlder(known.last.order, event.sequence);
    const summary = isThere ? known.summary : holding.summary && endsMs !== undefined ? "wanted" : "none";
    if (!isThere) {
      const payloadOmitted = summary === "none" || message.data.length + HEADERS_BYTES_MAX > jetStream.payloadBytesMax;
      const last = {
        ...{ subject: message.subject, streamSequence, storedAtMs, order: event.sequence, payloadOmitted },
        ...{ messageId: message.header("Nats-Msg-Id"), contentType: message.header("content-type") },
      };
      const count = (known?.count ?? 0) + 1;
      const record = { subscription, silence, endsMs, count, eventId: event.id, last, summary } as const;
      const headers = { ...headersOf(record), "Nats-Expected-Last-Subject-Sequence": String(found?.sequence ?? 0) };
      await jetStream.publish(subject, payloadOmitted ? "" : message.data, headers);
    }
    if (summary === "wanted" && endsMs !== undefined) await wakeOnce(silence, partitionOf(subject), endsMs);
    return true;
  };
  /** Resolves to false when somebody else was faster. */
  const attempted = async (write: () => Promise<boolean>) => {
    try {
      return await write();
    } catch (error) {
      if (isWrongLastSequence(error)) return false;
      if (isUnavailable(error)) await ensureTimers(jetStream);
      throw error;
    }
  };
  return {
    async keep(entry, holding, signal) {
      while (!(await patiently(() => attempted(() => keepOnce(entry, holding)), signal)));
    },
    isKept: (subject, order, signal) =>
      patiently(async () => {
        const wanted = [TIMERS_ROOT, "held", encodeToken(subscription), "*", placeOf(subject)].join(".");
        const found = await getStored(jetStream, TIMERS_STREAM, { last_by_subj: wanted });
        const known = found && readHeldBack(found);
        return known !== undefined && !isOlder(known.last.order, order);
      }, signal),
    since: (entry, signal) => eventsSince(jetStream, entry, (ask) => patiently(ask, signal), signal),
    untold: (silence, partition, signal) =>
      patiently(async () => {
        const filter_subjects = [subjectOf(silence, `${SUBJECT_ROOT}.*.*.*.*.*.${partition}`)];
        const reading = { filter_subjects, deliver_policy: "all" } as const;
        const found: StoredHeldBack[] = [];
        for await (const { message, streamSequence: sequence } of read(
          ...([jetStream, reading, signal, false, TIMERS_STREAM] as const),
        )) {
          const heldBack = readHeldBack(message);
          if (heldBack?.summary === "wanted") found.push({ heldBack, message, sequence });
        }
        signal.throwIfAborted(); // which ends the reading without an error
        return found.sort((one, other) => one.heldBack.last.storedAtMs - other.heldBack.last.storedAtMs);
      }, signal),
    async markTold({ heldBack, message, sequence }, signal) {
      const told = { ...heldBack, summary: "told", last: { ...heldBack.last, payloadOmitted: true } } as const;
      const headers = { ...headersOf(told), "Nats-Expected-Last-Subject-Sequence": String(sequence) };
      await patiently(
        () => attempted(async () => (await jetStream.publish(message.subject, "", headers)) !== undefined),
        signal,
      );
    },
  };
}

/** What is written. The event's bytes are there only as long as a summary needs them. */
function headersOf({ subscription, silence, endsMs, count, eventId, last, summary }: HeldBack): Record<string, string> {
  const leftMs = Math.min(Math.max(0, (endsMs ?? 0) - Date.now()), TTL_MS_MAX);
  return {
    "Cr-Subject": last.subject,
    "Cr-Sequence": String(last.streamSequence),
    "Cr-Stored": String(last.storedAtMs),
    "Cr-Order": last.order,
    ...(last.messageId !== undefined && { "Cr-Message-Id": last.messageId }),
    ...(last.contentType !== undefined && { "content-type": last.contentType }),
    ...(last.payloadOmitted && { "Cr-Payload": "omitted" }),
    "Cr-Subscription": subscription,
    "Cr-Silence": silence,
    "Cr-Count": String(count),
    "Cr-Event": encodeURIComponent(eventId),
    "Cr-Summary": summary,
    ...(endsMs !== undefined && { "Cr-Ends": String(endsMs) }),
    "Nats-TTL": `${Math.ceil((leftMs + REMEMBERED_DAYS * 86_400_000) / 1_000)}s`,
  };
}

/** Reads a record; `undefined` for what is none. */
export function readHeldBack({ header }: Pick<StoredMessage | NatsMessage, "header">): HeldBack | undefined {
  const last = readTimer({ header });
  const [subscription, silence] = [header("Cr-Subscription"), header("Cr-Silence")];
  const [count, ends, summary] = [Number(header("Cr-Count")), header("Cr-Ends"), header("Cr-Summary")];
  if (last === undefined || subscription === undefined || silence === undefined || !(count > 0)) return undefined;
  return {
    ...{ subscription, silence, count, last },
    eventId: decodeURIComponent(header("Cr-Event") ?? ""),
    endsMs: ends === undefined ? undefined : Number(ends),
    summary: summary === "wanted" || summary === "told" ? summary : "none",
  };
}

/** The message that tells a partition's process that a silence is over. */
export function sealWake(subscription: string, silence: string, partition: string, endsMs: number) {
  const [own, id] = [encodeToken(subscription), encodeToken(silence)];
  return {
    subject: [TIMERS_ROOT, "wait", own, "summary", id, partition].join("."),
    headers: {
      "Nats-Schedule": `@at ${new Date(endsMs).toISOString()}`,
      "Nats-Schedule-Target": [TIMERS_ROOT, "due", own, id, SUBJECT_ROOT, "_", "_", "_", "_", "_", partition].join("."),
      "Nats-Schedule-TTL": DUE_TTL,
      "Cr-Over": silence,
    },
  };
}

/** Which silence a message that is due says is over, and of which partition; `undefined`: it says no such thing. */
export function readWake({ header, subject }: Pick<NatsMessage, "header" | "subject">) {
  const silence = header("Cr-Over");
  return silence === undefined ? undefined : { silence, partition: partitionOf(subject) };
}

function placeOf(eventSubject: string): string {
  return `${objectPart(eventSubject)}.${partitionOf(eventSubject)}`;
}

function partitionOf(subject: string): string {
  return subject.slice(subject.lastIndexOf(".") + 1);
}
