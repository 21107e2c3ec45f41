/**
 * The log: reading and writing CR_EVENTS. Because the stream keeps the last event of every object, it is also the state: its
 * newest message of each object gives uid, resourceVersion and sequence (from the headers alone), and, when asked by sequence,
 * the state the next difference starts from.
 * Source: JetStream API `$JS.API.STREAM.MSG.GET`, ADR-31; deliver policy `last_per_subject`; NATS headers
 * `Nats-Expected-Last-Subject-Sequence` and `-Subject` (nats-server 2.12).
 */
import { z } from "zod";
import { CLOUDEVENTS_JSON, MalformedEventError, opOf, parseSent, type SentEnvelope } from "../event/envelope.ts";
import type { Redaction } from "../event/redaction.ts";
import type { ObservedState, SealedEvent } from "../event/seal.ts";
import type { Phase } from "../event/transitions.ts";
import type { JetStream, PubAck } from "../nats/jetstream.ts";
import { unlessMissing } from "../nats/jetstream-error.ts";
import { read } from "../nats/reader.ts";
import { EVENTS_STREAM } from "../nats/stream.ts";
import { openEnvelope, referToData } from "./dataref.ts";
import { resourceVersionOf, versionOfSequence } from "./epoch.ts";
import { absenceAfter, type KnownObject, type Store } from "./store.ts";
import { objectPart, opIn } from "./subject.ts";

/** What the newest message of one subject says, read from its headers. */
export interface IndexEntry {
  /** The first six tokens of its subject. */
  readonly object: string;
  readonly sequence: number;
  readonly subject: string;
  readonly storedAtMs: number;
  /** `undefined` for a message that is not ours: all that counts of it is its sequence. */
  readonly event: Pick<KnownObject, "uid" | "resourceVersion" | "absence"> | undefined;
}

/** A message as it stands in the log, its data perhaps elsewhere; `envelope` is `undefined` for one that is not an event of ours. */
export interface LoggedEvent {
  readonly sequence: number;
  readonly bytes: number;
  readonly envelope: SentEnvelope | undefined;
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
   * The state an event left behind: what the next difference starts from. `undefined` when it was of an object that is not there. Throws BlobLostError when the
   * event was too large for the log, and its data is gone. What is redacted today is not told again from the log.
   */
  stateAfter(envelope: SentEnvelope, redaction?: Pick<Redaction, "project">): Promise<ObservedState | undefined>;
  /**
   * Appends an event (`again`: under an id that the duplicate window does not know) if the object's newest one still has the sequence `expected` (0: it has none). Throws JetStreamApiError
   * when refused, RequestLostError when it is unknown whether it was stored. One that is too large for a message is
   * stored as a blob first, and then as a reference to it.
   */
  append(object: string, event: SealedEvent, expected: number, again?: "again"): Promise<PubAck>;
  /**
   * Removes the object's messages with sequences below `sequence` and answers how many; what is added meanwhile stays. Throws
   * JetStreamApiError when refused, RequestLostError when it is unknown whether it was done.
   */
  purge(object: string, sequence: number): Promise<number>;
}

const StoredMessage = z.object({
  message: z.object({ subject: z.string(), seq: z.int(), data: z.string().default("") }),
});

/** The resourceVersion of a message, because the id of a deletion has none. */
const VERSION_HEADER = "Cr-Resource-Version";
/** Stands behind an id in `Nats-Msg-Id`, before what makes it another one for the duplicate window. */
export const AGAIN = "~";
/** `NATS/1.0` and two line ends; each header has a colon, a space and a line end. */
const HEADER_FRAME_BYTES = 12;
const HEADER_LINE_BYTES = 4;
/** Of one UTF-16 unit of a string. */
const UTF8_BYTES_MAX = 3;
/** Stands for an object of which the log has only messages that are not ours: as good as a tombstone from before time. */
const NOBODY: KnownObject = { uid: "", resourceVersion: "0", sequence: 0, fence: 0, absence: "deleted" };

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
    async stateAfter(envelope, redaction) {
      if (absenceAfter(opOf(envelope)) !== undefined) return undefined;
      const { object } = (await openEnvelope(jetStream, envelope)).data;
      return { object: redaction?.project(object) ?? object, phase: phaseIn(envelope) };
    },
    append(object, event, expected, again) {
      const headers = {
        "content-type": CLOUDEVENTS_JSON,
        "Nats-Msg-Id": again === undefined ? event.id : `${event.id}${AGAIN}${expected}`,
        [VERSION_HEADER]: event.resourceVersion,
        "Nats-Expected-Last-Subject-Sequence": String(expected),
        "Nats-Expected-Last-Subject-Sequence-Subject": `${object}.>`,
      };
      if (isWithin(jetStream.payloadBytesMax, event.payload, headers))
        return jetStream.publish(event.subject, event.payload, headers);
      return referToData(jetStream, object, event).then((payload) =>
        jetStream.publish(event.subject, payload, headers),
      );
    },
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
  for await (const { message, streamSequence, storedAtMs } of read(jetStream, reading, signal, false)) {
    const event = parseEventHeaders(message.subject, message.header("Nats-Msg-Id"), message.header(VERSION_HEADER));
    const { subject } = message;
    yield { object: objectPart(subject), sequence: streamSequence, subject, storedAtMs, event };
  }
}

/** The uid is in the id, the absence in the subject; the version, with its epoch, is in a header of its own. */
function parseEventHeaders(subject: string, messageId = "", resourceVersion = ""): IndexEntry["event"] {
  const [id = ""] = messageId.split(AGAIN);
  const dot = id.indexOf(".");
  if (dot <= 0 || !/^[0-9]+$/.test(resourceVersion)) return undefined;
  return { uid: id.slice(0, dot), resourceVersion, absence: absenceAfter(opIn(subject)) };
}

/** Whether a message is small enough; the server counts its headers. */
function isWithin(bytesMax: number, payload: string, headers: Readonly<Record<string, string>>): boolean {
  let headerBytes = HEADER_FRAME_BYTES;
  for (const name in headers) headerBytes += name.length + (headers[name]?.length ?? 0) + HEADER_LINE_BYTES;
  const room = bytesMax - headerBytes;
  // Nearly all are so small that they need no counting.
  return payload.length * UTF8_BYTES_MAX <= room || Buffer.byteLength(payload) <= room;
}

function readEnvelope(payload: Uint8Array): SentEnvelope | undefined {
  try {
    return parseSent(payload);
  } catch (error) {
    if (error instanceof MalformedEventError) return undefined;
    throw error;
  }
}

/** What the store knows of an object after one more entry of the index; entries come in the order of the log. */
export function knownAfter(
  known: KnownObject | undefined,
  { sequence, event }: Pick<IndexEntry, "sequence" | "event">,
): KnownObject {
  if (event !== undefined) return { ...event, sequence, fence: sequence };
  return { ...(known ?? NOBODY), fence: sequence };
}

/** Reads the index into the store, and tells of each entry. An aborted one ends early, without an error. */
export async function readKnown(
  log: Pick<EventLog, "readIndex">,
  subjects: string,
  store: Pick<Store, "get" | "set">,
  signal: AbortSignal,
  onEntry?: (entry: IndexEntry) => void,
): Promise<void> {
  for await (const entry of log.readIndex(subjects, signal)) {
    onEntry?.(entry);
    store.set(entry.object, knownAfter(store.get(entry.object), entry));
  }
}

/**
 * What the log says about an object now, with its last event unless a message that is not ours lies on top of it; `undefined` when it has
 * none.
 */
export async function readLast(
  log: Pick<EventLog, "lastEvent" | "readIndex">,
  object: string,
  signal: AbortSignal,
): Promise<{ readonly known: KnownObject; readonly envelope: SentEnvelope | undefined } | undefined> {
  const last = await log.lastEvent(object);
  if (last === undefined) return undefined;
  const { envelope } = last;
  if (envelope !== undefined) return { known: knownFrom(envelope, last.sequence), envelope };
  let known: KnownObject | undefined;
  for await (const entry of log.readIndex(`${object}.>`, signal)) known = knownAfter(known, entry);
  return known && { known, envelope: undefined };
}

/** What an event alone tells of the state it left behind, when its data is lost: which object it was, and its phase. */
export function traceAfter(envelope: SentEnvelope): ObservedState {
  const { apiversion, kind, name, namespace } = envelope;
  const known = knownFrom(envelope, 0);
  const resourceVersion = resourceVersionOf(known.resourceVersion);
  const metadata = { name, ...(namespace !== undefined && { namespace }), uid: known.uid, resourceVersion };
  return { object: { apiVersion: apiversion, kind, metadata }, phase: phaseIn(envelope) };
}

function phaseIn({ phase, phasesince, time }: SentEnvelope): Phase | undefined {
  return phase === undefined ? undefined : { name: phase, since: phasesince ?? time };
}

/** What the store knows of an object whose newest event is this one. */
export function knownFrom(envelope: SentEnvelope, sequence: number): KnownObject {
  const uid = envelope.id.slice(0, envelope.id.indexOf("."));
  const resourceVersion = versionOfSequence(envelope.sequence);
  return { uid, resourceVersion, sequence, fence: sequence, absence: absenceAfter(opOf(envelope)) };
}
