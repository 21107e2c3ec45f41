/**
 * The log: reading and writing CR_EVENTS. Because the stream keeps the last event of every object, it is also the state: its
 * newest message of each object gives uid, resourceVersion and sequence (from the headers alone), and, when asked by sequence,
 * the state the next difference starts from.
 * Source: JetStream API `$JS.API.STREAM.MSG.GET`, ADR-31; deliver policy `last_per_subject`; NATS headers
 * `Nats-Expected-Last-Subject-Sequence` and `-Subject` (nats-server 2.12).
 */
import { z } from "zod";
import { CLOUDEVENTS_JSON, type Envelope, opOf, parseEnvelope } from "./envelope.ts";
import type { JetStream, PubAck } from "./jetstream.ts";
import { JetStreamApiError } from "./jetstream-error.ts";
import { read } from "./reader.ts";
import type { ObservedState, SealedEvent } from "./seal.ts";
import { EVENTS_STREAM } from "./stream.ts";
import { objectPart } from "./subject.ts";

/** What the log's newest event of an object says, read from its headers. */
export interface IndexEntry {
  /** The first six tokens of its subject. */
  readonly object: string;
  readonly sequence: number;
  readonly uid: string;
  /** Empty for a deletion. */
  readonly resourceVersion: string;
  readonly deleted: boolean;
}

/** An event as it stands in the log. */
export interface LoggedEvent {
  readonly sequence: number;
  readonly bytes: number;
  readonly envelope: Envelope;
}

/** The log. */
export interface EventLog {
  /**
   * Yields the newest entry of each subject, oldest first: of an object's entries the last one counts. Throws
   * ReadInterruptedError, ConsumerGoneError or RequestLostError when it could not be read to its end.
   */
  readIndex(subjects: string, signal: AbortSignal): AsyncGenerator<IndexEntry, void, void>;
  /** The newest event of an object, or `undefined` when the log has none. */
  lastEvent(object: string): Promise<LoggedEvent | undefined>;
  /** The event with this sequence, or `undefined` when the log no longer has it. */
  eventAt(sequence: number): Promise<LoggedEvent | undefined>;
  /**
   * Appends an event if the object's newest one still has the sequence `expected` (0: it has none). Throws JetStreamApiError
   * when refused, RequestLostError when it is unknown whether it was stored.
   */
  append(object: string, event: SealedEvent, expected: number): Promise<PubAck>;
}

const StoredMessage = z.object({
  message: z.object({ subject: z.string(), seq: z.int(), data: z.base64().default("") }),
});

const NO_MESSAGE = 10037;
/** Opens the log; the stream must exist. */
export function openEventLog(jetStream: JetStream): EventLog {
  const getMessage = async (query: Readonly<Record<string, unknown>>): Promise<LoggedEvent | undefined> => {
    let answer: unknown;
    try {
      answer = await jetStream.api(`STREAM.MSG.GET.${EVENTS_STREAM}`, query);
    } catch (error) {
      if (error instanceof JetStreamApiError && error.errCode === NO_MESSAGE) return undefined;
      throw error;
    }
    const { message } = StoredMessage.parse(answer);
    const payload = Buffer.from(message.data, "base64");
    return { sequence: message.seq, bytes: payload.length, envelope: parseEnvelope(payload) };
  };
  return {
    readIndex: (subjects, signal) => readIndex(jetStream, subjects, signal),
    lastEvent: (object) => getMessage({ last_by_subj: `${object}.>` }),
    eventAt: (sequence) => getMessage({ seq: sequence }),
    append: (object, event, expected) =>
      jetStream.publish(event.subject, event.payload, {
        "content-type": CLOUDEVENTS_JSON,
        "Nats-Msg-Id": event.id,
        "Nats-Expected-Last-Subject-Sequence": String(expected),
        "Nats-Expected-Last-Subject-Sequence-Subject": `${object}.>`,
      }),
  };
}

async function* readIndex(
  jetStream: JetStream,
  subjects: string,
  signal: AbortSignal,
): AsyncGenerator<IndexEntry, void, void> {
  const reading = { filter_subjects: [subjects], deliver_policy: "last_per_subject", headers_only: true } as const;
  for await (const { message, streamSequence } of read(jetStream, reading, signal, false)) {
    const entry = toIndexEntry(message.subject, streamSequence, message.header("Nats-Msg-Id"));
    if (entry !== undefined) yield entry;
  }
}

/** `undefined` for a message that is not ours: it has no id of the form `<uid>.<resourceVersion>` or `<uid>.deleted`. */
function toIndexEntry(subject: string, sequence: number, id: string | undefined): IndexEntry | undefined {
  const identity = parseEventId(id ?? "");
  return identity && { object: objectPart(subject), sequence, ...identity };
}

/** Reads an event's id; the inverse of `eventId`. */
export function parseEventId(
  id: string,
): { readonly uid: string; readonly resourceVersion: string; readonly deleted: boolean } | undefined {
  const dot = id.indexOf(".");
  if (dot <= 0) return undefined;
  const version = id.slice(dot + 1);
  const deleted = version === "deleted";
  if (!deleted && !/^[0-9]+$/.test(version)) return undefined;
  return { uid: id.slice(0, dot), resourceVersion: deleted ? "" : version, deleted };
}

/** The state an event left behind: what the next difference starts from. `undefined` after a deletion. */
export function stateAfter({ envelope }: LoggedEvent): ObservedState | undefined {
  if (opOf(envelope) === "deleted") return undefined;
  const { phase, phasesince } = envelope;
  return {
    object: envelope.data.object,
    phase: phase === undefined ? undefined : { name: phase, since: phasesince ?? envelope.time },
  };
}
