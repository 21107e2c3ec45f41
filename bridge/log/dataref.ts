/**
 * Events that are larger than a message may be: their `data` is a blob, and what is published are their attributes with `dataref`, which
 * says where. The blob is there before the event. Whoever opens one gets the event as if it had come in one piece.
 * Source: CloudEvents extension "Dataref" (the claim check pattern): `data` may be left out, `dataref` is a URI-reference.
 */
import { Envelope, MalformedEventError, parseSent, type SentEnvelope } from "../event/envelope.ts";
import type { JetStream } from "../nats/jetstream.ts";
import { RequestLostError } from "../nats/jetstream-error.ts";
import { BLOBS_BUCKET } from "../nats/stream.ts";
import { BlobLostError, blobName, getBlob, putBlob } from "./blob.ts";

/** What `dataref` begins with; the name of a blob follows. */
const DATAREF_ROOT = `nats:/${BLOBS_BUCKET}/`;
/** A server that is connected and silent three times will not answer: this user may not ask it. */
const SILENT_TRIES = 3;

/**
 * Stores the event's data and answers the payload that refers to it. Idempotent; call it again with each try to publish, so that the
 * blob is young when its event is stored. Throws what `putBlob` throws.
 */
export async function referToData(
  jetStream: JetStream,
  object: string,
  event: { readonly id: string; readonly payload: string },
): Promise<string> {
  const { data, ...attributes } = JSON.parse(event.payload) as { readonly data: unknown };
  const content = Buffer.from(JSON.stringify(data));
  const name = blobName(object, event.id, content);
  await putBlob(jetStream, name, content);
  return JSON.stringify({ ...attributes, dataref: `${DATAREF_ROOT}${name}` });
}

/** The name of the blob; `undefined` for a reference to elsewhere. */
export function blobOf(dataref: string): string | undefined {
  return dataref.startsWith(DATAREF_ROOT) ? dataref.slice(DATAREF_ROOT.length) : undefined;
}

/**
 * The whole event. Throws BlobLostError when its data is gone for good, MalformedEventError when it is none of ours, JetStreamApiError
 * or RequestLostError when NATS does not answer.
 */
export async function openEnvelope(jetStream: JetStream, sent: SentEnvelope): Promise<Envelope> {
  if (sent.data !== undefined) return sent;
  const { dataref, ...attributes } = sent;
  const name = blobOf(dataref);
  if (name === undefined)
    throw new MalformedEventError(
      `the event's data is not in this NATS: its dataref does not begin with ${DATAREF_ROOT}`,
    );
  const content = Buffer.from(await getBlob(jetStream, name));
  const parsed = Envelope.safeParse({ ...attributes, data: JSON.parse(content.toString("utf8")) });
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.slice(0, 3).map((issue) => `${issue.path.join(".")}: ${issue.message}`);
  throw new MalformedEventError(`blob ${name} is not the data of an event of cr-reactor: ${problems.join("; ")}`);
}

/**
 * Reads a message for those who follow the log: the whole event, however often the connection breaks meanwhile. Throws BlobLostError and
 * MalformedEventError; RequestLostError when NATS does not answer this user, or `signal` aborts.
 */
export async function readEvent(jetStream: JetStream, payload: Uint8Array, signal: AbortSignal): Promise<Envelope> {
  const sent = parseSent(payload);
  for (let silences = 0; ; ) {
    try {
      return await openEnvelope(jetStream, sent);
    } catch (error) {
      if (!(error instanceof RequestLostError) || signal.aborted) throw error;
      if (jetStream.connected && ++silences >= SILENT_TRIES) throw error;
      await jetStream.whenConnected(signal);
    }
  }
}

/** The same, and `undefined` for what is no event of ours or has lost its data. Throws RequestLostError as `readEvent`. */
export async function findEvent(
  jetStream: JetStream,
  payload: Uint8Array,
  signal: AbortSignal,
): Promise<Envelope | undefined> {
  try {
    return await readEvent(jetStream, payload, signal);
  } catch (error) {
    if (error instanceof BlobLostError || error instanceof MalformedEventError) return undefined;
    throw error;
  }
}
