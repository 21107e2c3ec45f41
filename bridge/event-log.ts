/**
 * The log: reading and writing CR_EVENTS. Because the stream keeps the last event of every object, it is also the state: its
 * newest message of each object gives uid, resourceVersion and sequence (from the headers alone), and, when asked by sequence,
 * the state the next difference starts from.
 * Source: JetStream API `$JS.API.STREAM.MSG.GET`, ADR-31; deliver policy `last_per_subject`; NATS headers
 * `Nats-Expected-Last-Subject-Sequence` and `-Subject` (nats-server 2.12).
 */
import { z } from "zod";
import { CLOUDEVENTS_JSON, type Envelope, MalformedEventError, opOf, parseEnvelope } from "./envelope.ts";
import { versionOfSequence } from "./epoch.ts";
import type { JetStream, PubAck } from "./jetstream.ts";
import { unlessMissing } from "./jetstream-error.ts";
import { read } from "./reader.ts";
import type { Redaction } from "./redaction.ts";
import type { ObservedState, SealedEvent } from "./seal.ts";
import type { KnownObject } from "./store.ts";
import { EVENTS_STREAM } from "./stream.ts";
import { objectPart } from "./subject.ts";

/** What the newest message of one subject says, read from its headers. */
export interface IndexEntry {
  /** The first six tokens of its subject. */
  readonly object: string;
  readonly sequence: number;
  /** `undefined` for a message that is not ours: all that counts of it is its sequence. */
  readonly event: { readonly uid: string; readonly resourceVersion: string; readonly deleted: boolean } | undefined;
}

/** A message as it stands in the log; `envelope` is `undefined` for one that is not an event of ours. */
export interface LoggedEvent {
  readonly sequence: number;
  readonly bytes: number;
  readonly envelope: Envelope | undefined;
}

/** The log. */
export interface EventLog {
  /**
   * Yields the newest entry of each subject, oldest first: of an object's entries the last one counts. Throws
   * ReadInterruptedError, ConsumerGoneError or RequestLostError when it could not be read to its end.
   */
  readIndex(subjects: string, signal: AbortSignal): AsyncGenerator<IndexEntry, void, void>;
  /** The newest message of an object, or `undefined` when the log has none. */
  lastEvent(object: string): Promise<LoggedEvent | undefined>;
  /** The event with this sequence, or `undefined` when the log no longer has it. */
  eventAt(sequence: number): Promise<LoggedEvent | undefined>;
  /**
   * Appends an event (`again`: under an id that the duplicate window does not know) if the object's newest one still has the sequence `expected` (0: it has none). Throws JetStreamApiError
   * when refused, RequestLostError when it is unknown whether it was stored.
   */
  append(object: string, event: SealedEvent, expected: number, again?: "again"): Promise<PubAck>;
  /**
   * Removes the object's messages with sequences below `sequence` and answers how many; what is added meanwhile stays. Throws
   * JetStreamApiError when refused, RequestLostError when it is unknown whether it was done.
   */
  purge(object: string, sequence: number): Promise<number>;
}

const StoredMessage = z.object({
  message: z.object({ subject: z.string(), seq: z.int(), data: z.base64().default("") }),
});

/** The resourceVersion of a message, because the id of a deletion has none. */
const VERSION_HEADER = "Cr-Resource-Version";
/** Behind an id in `Nats-Msg-Id`, before what makes it another one for the duplicate window. */
const AGAIN = "~";
/** Stands for an object of which the log has only messages that are not ours: as good as a tombstone from before time. */
const NOBODY: KnownObject = { uid: "", resourceVersion: "0", sequence: 0, fence: 0, deleted: true };

/** Opens the log; the stream must exist. */
export function openEventLog(jetStream: JetStream): EventLog {
  const getMessage = async (query: Readonly<Record<string, unknown>>): Promise<LoggedEvent | undefined> => {
    const answer = await unlessMissing("message", jetStream.api(`STREAM.MSG.GET.${EVENTS_STREAM}`, query));
    if (answer === undefined) return undefined;
    const { message } = StoredMessage.parse(answer);
    const payload = Buffer.from(message.data, "base64");
    return { sequence: message.seq, bytes: payload.length, envelope: readEnvelope(payload) };
  };
  return {
    readIndex: (subjects, signal) => readIndex(jetStream, subjects, signal),
    lastEvent: (object) => getMessage({ last_by_subj: `${object}.>` }),
    eventAt: (sequence) => getMessage({ seq: sequence }),
    append: (object, event, expected, again) =>
      jetStream.publish(event.subject, event.payload, {
        "content-type": CLOUDEVENTS_JSON,
        "Nats-Msg-Id": again === undefined ? event.id : `${event.id}${AGAIN}${expected}`,
        [VERSION_HEADER]: event.resourceVersion,
        "Nats-Expected-Last-Subject-Sequence": String(expected),
        "Nats-Expected-Last-Subject-Sequence-Subject": `${object}.>`,
      }),
    async purge(object, sequence) {
      // To the server, 0 is no limit: it would remove everything of the object.
      if (sequence <= 1) return 0;
      const query = { filter: `${object}.>`, seq: sequence };
      return (await jetStream.api<{ purged: number }>(`STREAM.PURGE.${EVENTS_STREAM}`, query)).purged;
    },
  };
}

async function* readIndex(
  jetStream: JetStream,
  subjects: string,
  signal: AbortSignal,
): AsyncGenerator<IndexEntry, void, void> {
  const reading = { filter_subjects: [subjects], deliver_policy: "last_per_subject", headers_only: true } as const;
  for await (const { message, streamSequence } of read(jetStream, reading, signal, false)) {
    const event = parseEventHeaders(message.header("Nats-Msg-Id"), message.header(VERSION_HEADER));
    yield { object: objectPart(message.subject), sequence: streamSequence, event };
  }
}

/** The inverse of `eventId`: the uid, and whether it is a deletion; the version, with its epoch, is in a header of its own. */
function parseEventHeaders(messageId = "", resourceVersion = ""): IndexEntry["event"] {
  const [id = ""] = messageId.split(AGAIN);
  const dot = id.indexOf(".");
  if (dot <= 0 || !/^[0-9]+$/.test(resourceVersion)) return undefined;
  return { uid: id.slice(0, dot), resourceVersion, deleted: /^deleted(\.e\d+)?$/.test(id.slice(dot + 1)) };
}

function readEnvelope(payload: Uint8Array): Envelope | undefined {
  try {
    return parseEnvelope(payload);
  } catch (error) {
    if (error instanceof MalformedEventError) return undefined;
    throw error;
  }
}

/** What the store knows of an object after one more entry of the index; entries come in the order of the log. */
export function knownAfter(known: KnownObject | undefined, { sequence, event }: IndexEntry): KnownObject {
  if (event !== undefined) return { ...event, sequence, fence: sequence };
  return { ...(known ?? NOBODY), fence: sequence };
}

/**
 * The state an event left behind: what the next difference starts from. `undefined` after a deletion. What is redacted today is not told
 * again from the log.
 */
export function stateAfter(envelope: Envelope, redaction?: Pick<Redaction, "project">): ObservedState | undefined {
  if (opOf(envelope) === "deleted") return undefined;
  const { phase, phasesince } = envelope;
  return {
    object: redaction?.project(envelope.data.object) ?? envelope.data.object,
    phase: phase === undefined ? undefined : { name: phase, since: phasesince ?? envelope.time },
  };
}

/** What the store knows of an object whose newest event is this one. */
export function knownFrom(envelope: Envelope, sequence: number): KnownObject {
  const { uid } = envelope.data.object.metadata;
  const resourceVersion = versionOfSequence(envelope.sequence);
  return { uid, resourceVersion, sequence, fence: sequence, deleted: opOf(envelope) === "deleted" };
}
