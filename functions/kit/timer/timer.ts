/**
 * A timer: an event that waits in CR_TIMERS as a scheduled message, and that the server itself moves to another subject when it is due. A
 * subscription has one for each object, so an event that enters the state anew takes the place of the one before.
 *
 *     crtimer.wait.<subscription>.<first six tokens of the event's subject>.<partition>
 *     crtimer.due.<subscription>.<sequence of the event in the log>.<first six tokens>.<partition>
 *     crtimer.done.<subscription>.<first six tokens>.<partition>     for a day: the last one of the object that was carried out
 *
 * Source: NATS ADR-51 (`Nats-Schedule: @at <RFC 3339>`, `Nats-Schedule-Target`, `Nats-Schedule-TTL`), nats-server 2.12.
 */
import { z } from "zod";
import { encodeToken, type NatsMessage, objectPart, SUBJECT_ROOT, TIMERS_ROOT } from "#contract";

/** An event as it stands in the log. */
export interface LoggedEvent {
  readonly message: NatsMessage;
  readonly streamSequence: number;
  /** Epoch milliseconds, by the server's clock. */
  readonly storedAtMs: number;
}

/** What is published. */
export interface SealedTimer {
  readonly subject: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly payload: Uint8Array;
}

/** What the headers of a timer say of its event. */
const TimerFacts = z.object({
  subject: z.string().min(1),
  streamSequence: z.coerce.number().int().positive(),
  storedAtMs: z.coerce.number(),
  /** The event's `sequence`: which of two events of the object is the newer one, in whatever log. */
  order: z.string().min(1),
  messageId: z.string().optional(),
  contentType: z.string().optional(),
  payloadOmitted: z.boolean(),
});
export type TimerFacts = z.infer<typeof TimerFacts>;

/** Room beside the event within the server's max_payload, which counts the headers: two subjects, ids and times. */
export const HEADERS_BYTES_MAX = 8_192;
/** What is due waits this long for a process of its subscription. */
const DUE_TTL = "720h";
/** A server that was killed may have forgotten its newest acknowledgements; a day is more than its restart takes. */
const DONE_TTL = "24h";

/** What a subscription reads that is due; with partition tokens, of their objects. */
export function dueSubjects(subscription: string, partitions?: readonly string[]): readonly string[] {
  const root = `${TIMERS_ROOT}.due.${encodeToken(subscription)}`;
  if (partitions === undefined) return [`${root}.>`];
  return partitions.map((token) => `${root}.*.${SUBJECT_ROOT}.*.*.*.*.*.${token}`);
}

/** Where a subscription's events wait; with partition tokens, those of their objects. */
export function waitingSubjects(subscription: string, partitions?: readonly string[]): readonly string[] {
  const root = `${TIMERS_ROOT}.wait.${encodeToken(subscription)}.${SUBJECT_ROOT}`;
  if (partitions !== undefined) return partitions.map((token) => `${root}.*.*.*.*.*.${token}`);
  return [`${root}.>`, `${TIMERS_ROOT}.member.${encodeToken(subscription)}.>`];
}

/** The group whose queue it wakes; `undefined`: it is an object's timer. */
export function groupOfDue(dueSubject: string): string | undefined {
  const [, , , kind, group] = dueSubject.split(".");
  return kind === "queue" ? group : undefined;
}

/** Makes the timer of an event. One that leaves no room for the headers stays in the log. */
export function sealTimer(
  subscription: string,
  { message, streamSequence, storedAtMs }: LoggedEvent,
  { order, dueAtMs }: { readonly order: string; readonly dueAtMs: number },
  payloadBytesMax: number,
): SealedTimer {
  const { subject, data } = message;
  const [messageId, contentType] = [message.header("Nats-Msg-Id"), message.header("content-type")];
  const isOmitted = data.length + HEADERS_BYTES_MAX > payloadBytesMax;
  const target = `${TIMERS_ROOT}.due.${encodeToken(subscription)}.${streamSequence}.${objectAndPartition(subject)}`;
  return {
    subject: objectsSubject("wait", subscription, subject),
    headers: {
      "Nats-Schedule": `@at ${new Date(dueAtMs).toISOString()}`,
      "Nats-Schedule-Target": target,
      "Nats-Schedule-TTL": DUE_TTL,
      "Cr-Subject": subject,
      "Cr-Sequence": String(streamSequence),
      "Cr-Stored": String(storedAtMs),
      "Cr-Order": order,
      ...(messageId !== undefined && { "Cr-Message-Id": messageId }),
      ...(contentType !== undefined && { "content-type": contentType }),
      ...(isOmitted && { "Cr-Payload": "omitted" }),
    },
    payload: isOmitted ? new Uint8Array() : data,
  };
}

/** Says of an object that its event of this order was carried out, so that it does not wait once more when the log delivers it again. */
export function sealDone(
  subscription: string,
  { subject, order }: Pick<TimerFacts, "subject" | "order">,
): Omit<SealedTimer, "payload"> {
  return {
    subject: objectsSubject("done", subscription, subject),
    headers: { "Cr-Order": order, "Nats-TTL": DONE_TTL },
  };
}

/** What a timer says, waiting or due; `undefined` for what is none. */
export function readTimer({ header }: Pick<NatsMessage, "header">): TimerFacts | undefined {
  return TimerFacts.safeParse({
    subject: header("Cr-Subject"),
    streamSequence: header("Cr-Sequence"),
    storedAtMs: header("Cr-Stored"),
    order: header("Cr-Order"),
    messageId: header("Cr-Message-Id"),
    contentType: header("content-type"),
    payloadOmitted: header("Cr-Payload") === "omitted",
  }).data;
}

/** The event of a timer, as the log delivered it. */
export function eventIn({ subject, messageId, contentType }: TimerFacts, data: Uint8Array): NatsMessage {
  const headers: Readonly<Record<string, string | undefined>> = {
    "Nats-Msg-Id": messageId,
    "content-type": contentType,
  };
  return { subject, data, reply: undefined, status: 0, description: "", header: (name) => headers[name] };
}

/** Where the timer of an object waits, and where it says that it was carried out. */
function objectsSubject(state: "wait" | "done", subscription: string, eventSubject: string): string {
  return `${TIMERS_ROOT}.${state}.${encodeToken(subscription)}.${objectAndPartition(eventSubject)}`;
}

function objectAndPartition(eventSubject: string): string {
  return `${objectPart(eventSubject)}.${eventSubject.slice(eventSubject.lastIndexOf(".") + 1)}`;
}
