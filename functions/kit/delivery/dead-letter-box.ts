/**
 * The dead letters that are stored: looking at them, ordering another try, dropping one. A letter's number is its sequence in
 * CR_DEAD_LETTERS. A retry is an order in CR_RETRIES, which the processes of the letter's subscription carry out; the letter stays until
 * that has succeeded, or has ended in another letter that names it.
 *
 *     crretry.<subscription>.<number of the letter>.<subject of the event>
 */
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import {
  DEAD_LETTERS_ROOT,
  DEAD_LETTERS_STREAM,
  EVENTS_STREAM,
  encodeToken,
  getStored,
  isWrongLastSequence,
  type JetStream,
  type NatsMessage,
  RETRIES_ROOT,
  RETRIES_STREAM,
  read,
  retriesStream,
  type StoredMessage,
  type StreamSettings,
  SUBJECT_ROOT,
  unlessMissing,
} from "#contract";
import { ensureBesideLog } from "../log-settings.ts";
import { type DeadLetter, readDeadLetter } from "./dead-letter.ts";
import { removeFrom } from "./removal.ts";

/** A letter, and when it was stored (epoch milliseconds). */
export interface StoredLetter {
  readonly number: number;
  readonly storedAtMs: number;
  readonly letter: DeadLetter;
}

/** A letter with its event's bytes; empty when they were omitted. */
export interface WholeLetter extends StoredLetter {
  readonly payload: Uint8Array;
}

/** Which letters: of any subscription, and stored since a time (epoch milliseconds), or from a number on. */
export interface LetterSelection {
  readonly subscription?: string | undefined;
  /** The first six tokens of the events' subjects. */
  readonly object?: string | undefined;
  readonly sinceMs?: number | undefined;
  readonly fromNumber?: number;
}

/** What an order says: which letter, and when that was stored, because the stream may be another one by now. */
const RetryOrder = z.object({
  letter: z.coerce.number().int().positive(),
  letterStoredMs: z.coerce.number().int().nonnegative(),
});
export type RetryOrder = z.infer<typeof RetryOrder>;

/** Reads all letters, oldest first, without their events; what is no letter of ours is left out. Throws JetStreamApiError without a stream. */
export async function* readLetters(
  jetStream: JetStream,
  { subscription, object, ...start }: LetterSelection,
  signal: AbortSignal,
): AsyncGenerator<StoredLetter, void, void> {
  const reading = {
    filter_subjects: [
      [DEAD_LETTERS_ROOT, subscription === undefined ? "*" : encodeToken(subscription), object, ">"]
        .filter((part) => part !== undefined)
        .join("."),
    ],
    headers_only: true,
    ...startOf(start),
  };
  for await (const each of read(jetStream, reading, signal, false, DEAD_LETTERS_STREAM)) {
    const letter = letterIn(each.message);
    if (letter !== undefined) yield { number: each.streamSequence, storedAtMs: each.storedAtMs, letter };
  }
}

function startOf({ sinceMs, fromNumber }: Omit<LetterSelection, "subscription" | "object">) {
  if (fromNumber !== undefined) return { deliver_policy: "by_start_sequence", opt_start_seq: fromNumber } as const;
  if (sinceMs === undefined) return { deliver_policy: "all" } as const;
  return { deliver_policy: "by_start_time", opt_start_time: new Date(sinceMs).toISOString() } as const;
}

/** `undefined` when there is none of this number. */
export async function findLetter(jetStream: JetStream, number: number): Promise<WholeLetter | undefined> {
  const stored = await getStored(jetStream, DEAD_LETTERS_STREAM, { seq: number });
  const letter = stored && letterIn(stored);
  return letter && { number, storedAtMs: stored.storedAtMs, letter, payload: stored.data };
}

function letterIn(message: Pick<NatsMessage, "subject" | "header">): DeadLetter | undefined {
  try {
    return readDeadLetter(message);
  } catch (error) {
    if (error instanceof z.ZodError) return undefined;
    throw error;
  }
}

/** The event of a letter as it was delivered; `undefined` when it was too large to be kept with the letter, and the log has it no more. */
export async function eventOf(
  jetStream: JetStream,
  { letter, payload }: WholeLetter,
): Promise<NatsMessage | undefined> {
  const { subject, contentType, messageId, streamSequence } = letter;
  if (!letter.payloadOmitted)
    return messageOf(subject, payload, { "content-type": contentType, "Nats-Msg-Id": messageId });
  const stored = await getStored(jetStream, EVENTS_STREAM, { seq: streamSequence });
  return stored !== undefined && isEventOf(stored, letter) ? { ...NO_REPLY, ...stored } : undefined;
}

/** A log that was restored may have another event there. */
function isEventOf(stored: StoredMessage, { subject, messageId }: DeadLetter): boolean {
  return stored.subject === subject && (messageId === undefined || stored.header("Nats-Msg-Id") === messageId);
}

const NO_REPLY = { reply: undefined, status: 0, description: "" } as const;

function messageOf(
  subject: string,
  data: Uint8Array,
  headers: Readonly<Record<string, string | undefined>>,
): NatsMessage {
  return { ...NO_REPLY, subject, data, header: (name) => headers[name] };
}

/** Removes a letter. Resolves to whether it was there. */
export function dropLetter(jetStream: JetStream, number: number): Promise<boolean> {
  return removeFrom(jetStream, DEAD_LETTERS_STREAM, number);
}

/** Makes CR_RETRIES when it is missing, with as many copies as the log has. */
export async function ensureRetries(jetStream: JetStream, settings?: StreamSettings): Promise<void> {
  await ensureBesideLog(jetStream, retriesStream, settings);
}

/** Orders another try. Resolves to false when one is ordered already. Throws JetStreamApiError and RequestLostError. */
export async function orderRetry(jetStream: JetStream, { number, storedAtMs, letter }: StoredLetter): Promise<boolean> {
  const headers = {
    "Cr-Letter": String(number),
    "Cr-Letter-Stored": String(Math.floor(storedAtMs)),
    "Nats-Expected-Last-Subject-Sequence": "0",
  };
  try {
    await jetStream.publish(retrySubject(number, letter), "", headers);
    return true;
  } catch (error) {
    if (isWrongLastSequence(error)) return false;
    throw error;
  }
}

/** The numbers of the letters for which an order of a subscription waits or is being carried out. */
export async function orderedRetries(jetStream: JetStream, subscription: string): Promise<ReadonlySet<number>> {
  const root = `${RETRIES_ROOT}.${encodeToken(subscription)}`;
  const asked = jetStream.api<{ state: { subjects?: Readonly<Record<string, number>> } }>(
    `STREAM.INFO.${RETRIES_STREAM}`,
    { subjects_filter: `${root}.>` },
  );
  const subjects = Object.keys((await unlessMissing("stream", asked))?.state.subjects ?? {});
  const numbers = subjects.map((subject) => Number(subject.slice(root.length + 1).split(".", 1)[0]));
  return new Set(numbers.filter(Number.isInteger)); // others are of replays
}

/** Between two of its requests a process that is alive looks as if nobody were there: for a moment, or longer on a busy machine. */
const LOOKS = 3;
const LOOK_AGAIN_MS = 250;

/** Whether a process of the subscription waits for orders; that none does is known after several looks. */
export async function isRetryDeskOpen(jetStream: JetStream, subscription: string): Promise<boolean> {
  for (let look = 1; !(await isDeskSeen(jetStream, subscription)); look++) {
    if (look === LOOKS) return false;
    await sleep(LOOK_AGAIN_MS);
  }
  return true;
}

async function isDeskSeen(jetStream: JetStream, subscription: string): Promise<boolean> {
  const root = `${RETRIES_ROOT}.${encodeToken(subscription)}.`;
  for (let offset = 0, total = 1; offset < total; ) {
    const asked = jetStream.api<ConsumerPage>(`CONSUMER.LIST.${RETRIES_STREAM}`, { offset });
    const page = await unlessMissing("stream", asked);
    const isOpen = page?.consumers.some(
      ({ config, num_waiting, num_ack_pending }) =>
        num_waiting + num_ack_pending > 0 &&
        [config.filter_subject, ...(config.filter_subjects ?? [])].some((subject) => subject?.startsWith(root)),
    );
    if (isOpen) return true;
    total = page?.total ?? 0;
    offset += page?.consumers.length || total;
  }
  return false;
}

interface ConsumerPage {
  readonly total: number;
  readonly consumers: readonly {
    readonly num_waiting: number;
    readonly num_ack_pending: number;
    readonly config: { readonly filter_subject?: string; readonly filter_subjects?: readonly string[] };
  }[];
}

/** The subjects of a subscription's orders; with partition tokens, of those that are about their objects. */
export function retrySubjects(subscription: string, partitions?: readonly string[]): readonly string[] {
  const root = `${RETRIES_ROOT}.${encodeToken(subscription)}`;
  if (partitions === undefined) return [`${root}.>`];
  return partitions.map((token) => `${root}.*.${SUBJECT_ROOT}.*.*.*.*.*.*.*.*.*.${token}`);
}

/** What an order says; `undefined` for what is none. */
export function readRetryOrder(message: Pick<NatsMessage, "header">): RetryOrder | undefined {
  return RetryOrder.safeParse({
    letter: message.header("Cr-Letter"),
    letterStoredMs: message.header("Cr-Letter-Stored"),
  }).data;
}

function retrySubject(number: number, { subscription, subject }: DeadLetter): string {
  return `${RETRIES_ROOT}.${encodeToken(subscription)}.${number}.${subject}`;
}
