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
  type JetStream,
  JetStreamApiError,
  type Logger,
  type NatsMessage,
  StreamSettings,
} from "#contract";

/** A dead letter's headers and subject, as readers get them. */
export const DeadLetter = z.object({
  subscription: z.string().min(1),
  function: z.string().min(1),
  /** One line, cut at 1,000 characters. */
  reason: z.string().min(1),
  /** How often it was tried. */
  attempts: z.coerce.number().int().nonnegative(),
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
/** Room for the headers within the server's max_payload, which counts them: the reason in four-byte characters and names. */
const HEADERS_BYTES_MAX = 8_192;

/** How long to wait for a stream that does not take the letter: full, or not there. */
const PUBLISH_BACKOFF = { firstMs: 500, maxMs: 30_000, resetAfterMs: Number.POSITIVE_INFINITY };
const NO_RESPONDERS = 503;

/** Makes CR_DEAD_LETTERS when it is missing, with as many replicas as the log has. */
export function ensureDeadLetters(jetStream: JetStream, replicas: number): Promise<readonly string[]> {
  const parsed = StreamSettings.safeParse({ replicas });
  return ensureStream(jetStream, deadLettersStream(parsed.success ? parsed.data : StreamSettings.parse({})));
}

/** Publishes until the server has it. Resolves to false when `signal` aborted before that. */
export async function publishDeadLetter(
  jetStream: JetStream,
  letter: SealedDeadLetter,
  { log, signal }: { readonly log: Logger; readonly signal: AbortSignal },
): Promise<boolean> {
  const backoff = createBackoff(PUBLISH_BACKOFF);
  for (;;) {
    try {
      await jetStream.publish(letter.subject, letter.payload, letter.headers);
      return true;
    } catch (error) {
      log.error(
        { subject: letter.subject, err: error },
        "the dead letter is not stored yet: its event is kept, trying again",
      );
      if (error instanceof JetStreamApiError && error.status === NO_RESPONDERS)
        await ensureDeadLetters(jetStream, 1).catch(() => undefined);
    }
    try {
      await backoff.wait(signal);
    } catch {
      return false;
    }
  }
}

/**
 * Makes the message. The same event of the same subscription has the same Nats-Msg-Id, so a repetition is stored once; its sequence
 * is not enough for that, because a restored log gives it to another event.
 */
export function sealDeadLetter(
  letter: Omit<DeadLetter, "subject" | "contentType" | "payloadOmitted">,
  message: NatsMessage,
  payloadBytesMax: number,
): SealedDeadLetter {
  const payloadOmitted = message.data.length > payloadBytesMax - HEADERS_BYTES_MAX;
  const contentType = message.header("content-type");
  const eventId = message.header("Nats-Msg-Id");
  const messageId = [letter.subscription, letter.streamSequence, ...(eventId === undefined ? [] : [eventId])].join("/");
  return {
    subject: `${DEAD_LETTERS_ROOT}.${encodeToken(letter.subscription)}.${message.subject}`,
    headers: {
      ...(contentType !== undefined && { "content-type": headerText(contentType) }),
      "Cr-Reason": headerText(letter.reason),
      "Cr-Attempts": String(letter.attempts),
      "Cr-Subscription": headerText(letter.subscription),
      "Cr-Function": headerText(letter.function),
      "Cr-Stream-Sequence": String(letter.streamSequence),
      ...(payloadOmitted && { "Cr-Payload": "omitted" }),
      "Nats-Msg-Id": headerText(messageId),
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
