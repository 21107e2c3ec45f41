/**
 * Dead letters: events that a function gave up on, kept with the reason for a person to look at and try again. The payload is the
 * event's own bytes, untouched; what we know about it is in the headers.
 *
 *     crdead.<subscription>.<subject of the event>
 *
 * Publishing one ends when the server has stored it, and not before: only then may its event be acknowledged.
 */
import { z } from "zod";
import {
  createBackoff,
  DEAD_LETTERS_ROOT,
  deadLettersStream,
  encodeToken,
  ensureStream,
  isUnavailable,
  type JetStream,
  type Logger,
  type NatsMessage,
} from "#contract";
import { findLogSettings, settingsFor } from "../log-settings.ts";
import type { Binding } from "../subscription.ts";
import type { Replay } from "./replay.ts";
import type { Settled } from "./settle.ts";

/** A dead letter's headers and subject, as readers get them. */
export const DeadLetter = z.object({
  subscription: z.string().min(1),
  function: z.string().min(1),
  /** One line, cut at 1,000 characters. */
  reason: z.string().min(1),
  /** How often it was tried. */
  attempts: z.coerce.number().int().nonnegative(),
  /** The error's name, such as PermanentError. */
  error: z.string().optional(),
  /** What the error says it was caused by, each cause behind `; ` the one before. */
  causes: z.string().optional(),
  /** When the process that gave up began to try, and when its last try had ended. */
  firstTriedAt: z.iso.datetime().optional(),
  lastTriedAt: z.iso.datetime().optional(),
  /** The event's Nats-Msg-Id in CR_EVENTS. */
  messageId: z.string().optional(),
  /** The dead letter whose retry this one is the end of. */
  retryOf: z.coerce.number().int().positive().optional(),
  /** The run of `cr-reactor replay` that brought the event, and whether it was to run the steps once more. */
  replay: z.string().optional(),
  again: z.literal(true).optional(),
  /** Where the event is in CR_EVENTS, as long as the log keeps it. */
  streamSequence: z.coerce.number().int().positive(),
  /** The event's subject. */
  subject: z.string().min(1),
  /** The payload's media type, when the event had one. */
  contentType: z.string().optional(),
  /** True when the event did not fit beside the headers; it is in CR_EVENTS then. */
  payloadOmitted: z.boolean(),
});
export type DeadLetter = z.infer<typeof DeadLetter>;

/** What is published: subject, headers and the event's own bytes. */
export interface SealedDeadLetter {
  readonly subject: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly payload: Uint8Array;
}

/** A reason is for reading in a list; stack traces belong into the log. */
const REASON_LENGTH_MAX = 1_000;
/** A cause behind this many others says nothing new. */
const CAUSES_MAX = 5;
/** Room for the headers within the server's max_payload, which counts them: reason and causes in four-byte characters, and names. */
const HEADERS_BYTES_MAX = 16_384;

/** How long to wait for a stream that does not take the letter: full, or not there. */
const PUBLISH_BACKOFF = { firstMs: 500, maxMs: 30_000, resetAfterMs: Number.POSITIVE_INFINITY };

/** Makes CR_DEAD_LETTERS when it is missing, with as many replicas as the log has. */
export function ensureDeadLetters(jetStream: JetStream, replicas: number): Promise<readonly string[]> {
  return ensureStream(jetStream, deadLettersStream(settingsFor(replicas)));
}

/** What there is to say about an event that is given up. */
export interface GivenUp {
  readonly message: NatsMessage;
  /** Of the event, in CR_EVENTS. */
  readonly streamSequence: number;
  readonly retryOf?: number;
  readonly replay?: Replay | undefined;
}

/** Makes the letter of a subscription about an event that ended like this. */
export function letterOf(
  { subscription, functionName }: Binding,
  { message, streamSequence, retryOf, replay }: GivenUp,
  { error, attempts, firstTriedMs }: Settled & { readonly type: "dead-letter" },
): LetterFacts {
  const messageId = message.header("Nats-Msg-Id");
  const causes = causesOf(error);
  return {
    subscription: subscription.name,
    function: functionName,
    streamSequence,
    attempts,
    reason: error.message || error.name,
    error: error.name,
    ...(causes !== "" && { causes }),
    ...(firstTriedMs !== undefined && {
      firstTriedAt: new Date(firstTriedMs).toISOString(),
      lastTriedAt: new Date().toISOString(),
    }),
    ...(messageId !== undefined && { messageId }),
    ...(retryOf !== undefined && { retryOf }),
    ...(replay !== undefined && { replay: replay.run }),
    ...(replay?.again && { again: true as const }),
  };
}

/** Names and messages, never stacks: who makes an error keeps secrets out of those two. */
function causesOf(error: Error): string {
  const causes: string[] = [];
  for (let { cause } = error; cause !== undefined && cause !== null && causes.length < CAUSES_MAX; ) {
    const next: { readonly cause?: unknown } | undefined = cause instanceof Error ? cause : undefined;
    causes.push(cause instanceof Error ? `${cause.name}: ${cause.message}` : typeof cause);
    cause = next?.cause;
  }
  return causes.join("; ");
}

/** Publishes until the server has it; resolves to the letter's sequence, or to `undefined` when `signal` aborted before that. */
export async function publishDeadLetter(
  jetStream: JetStream,
  letter: SealedDeadLetter,
  { log, signal }: { readonly log: Logger; readonly signal: AbortSignal },
): Promise<number | undefined> {
  const backoff = createBackoff(PUBLISH_BACKOFF);
  for (;;) {
    try {
      return (await jetStream.publish(letter.subject, letter.payload, letter.headers)).seq;
    } catch (error) {
      log.error(
        { subject: letter.subject, err: error },
        "the dead letter is not stored yet: its event is kept, trying again",
      );
      if (isUnavailable(error)) await makeDeadLetters(jetStream).catch(() => undefined);
    }
    try {
      await backoff.wait(signal);
    } catch {
      return undefined;
    }
  }
}

async function makeDeadLetters(jetStream: JetStream): Promise<void> {
  const settings = await findLogSettings(jetStream);
  await ensureDeadLetters(jetStream, settings?.replicas ?? 1);
}

type LetterFacts = Omit<DeadLetter, "subject" | "contentType" | "payloadOmitted">;

/**
 * Makes the message. The same event of the same subscription has the same Nats-Msg-Id, so a repetition is stored once; its sequence
 * is not enough for that, because a restored log gives it to another event. A retry that failed makes a letter of its own, and so does a replay.
 */
export function sealDeadLetter(letter: LetterFacts, message: NatsMessage, payloadBytesMax: number): SealedDeadLetter {
  const payloadOmitted = message.data.length > payloadBytesMax - HEADERS_BYTES_MAX;
  const contentType = message.header("content-type");
  const { subscription, streamSequence, messageId, retryOf, replay, again } = letter;
  const own = [retryOf && `retry-${retryOf}`, replay && `replay-${replay}`];
  const id = [subscription, streamSequence, messageId, ...own].filter((part) => part !== undefined);
  const optional: Readonly<Record<string, string | number | undefined>> = {
    "content-type": contentType,
    "Cr-Error": letter.error,
    "Cr-Causes": letter.causes,
    "Cr-First-Tried": letter.firstTriedAt,
    "Cr-Last-Tried": letter.lastTriedAt,
    "Cr-Message-Id": messageId,
    "Cr-Retry-Of": retryOf,
    "Cr-Replay": replay,
    "Cr-Again": again ? "true" : undefined,
    "Cr-Payload": payloadOmitted ? "omitted" : undefined,
  };
  const present = Object.entries(optional).filter(([, value]) => value !== undefined);
  return {
    subject: `${DEAD_LETTERS_ROOT}.${encodeToken(subscription)}.${message.subject}`,
    headers: {
      "Cr-Reason": headerText(letter.reason),
      "Cr-Attempts": String(letter.attempts),
      "Cr-Subscription": headerText(subscription),
      "Cr-Function": headerText(letter.function),
      "Cr-Stream-Sequence": String(streamSequence),
      ...Object.fromEntries(present.map(([name, value]) => [name, headerText(String(value))])),
      "Nats-Msg-Id": headerText(id.join("/")),
    },
    payload: payloadOmitted ? new Uint8Array() : message.data,
  };
}

/** Reads a dead letter's headers. Throws a ZodError on a message that is none. */
export function readDeadLetter(message: Pick<NatsMessage, "subject" | "header">): DeadLetter {
  return DeadLetter.parse({
    subscription: message.header("Cr-Subscription"),
    function: message.header("Cr-Function"),
    reason: message.header("Cr-Reason"),
    attempts: message.header("Cr-Attempts"),
    error: message.header("Cr-Error"),
    causes: message.header("Cr-Causes"),
    firstTriedAt: message.header("Cr-First-Tried"),
    lastTriedAt: message.header("Cr-Last-Tried"),
    messageId: message.header("Cr-Message-Id"),
    retryOf: message.header("Cr-Retry-Of"),
    replay: message.header("Cr-Replay"),
    again: message.header("Cr-Again") === "true" || undefined,
    streamSequence: message.header("Cr-Stream-Sequence"),
    subject: message.subject.split(".").slice(2).join("."),
    contentType: message.header("content-type"),
    payloadOmitted: message.header("Cr-Payload") === "omitted",
  });
}

/** One line without control characters, never empty: a line break would end the header and begin another. */
function headerText(text: string): string {
  const line = text.replace(/[\p{Cc}\p{Zl}\p{Zp}\s]+/gu, " ").trim();
  if (line === "") return "(no reason given)";
  return line.length > REASON_LENGTH_MAX ? `${line.slice(0, REASON_LENGTH_MAX - 1).toWellFormed()}…` : line;
}
