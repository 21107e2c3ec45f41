/**
 * Blobs: what is too large for one message, in the NATS object store, laid out as its clients lay it out (`nats object get CR_BLOBS
 * <name>` reads it). A name ends in the digest of its content, so a blob is whole and what its name says, or an error, and what is
 * stored under a name never becomes something else. Chunks come first: one that a crash left half-written has no name yet.
 * Source: NATS ADR-20 (object store); JetStream API `$JS.API.STREAM.MSG.GET`, `.MSG.DELETE` and `.PURGE`.
 */
import { hash, randomUUID } from "node:crypto";
import { z } from "zod";
import type { JetStream } from "../nats/jetstream.ts";
import { isWrongLastSequence, JetStreamApiError, RequestLostError, unlessMissing } from "../nats/jetstream-error.ts";
import { BLOBS_BUCKET } from "../nats/stream.ts";

/** What the object store says about a blob, as ADR-20 has it; fields that we do not know pass through. */
export const BlobMeta = z.looseObject({
  name: z.string(),
  bucket: z.string(),
  /** Names its chunks. */
  nuid: z.string(),
  /** Bytes. An event is at most about three times its object, and an API server takes 3 MiB: more is none of ours. */
  size: z
    .int()
    .nonnegative()
    .max(64 * 1024 ** 2),
  chunks: z.int().nonnegative().max(65_536),
  digest: z.string(),
  mtime: z.string(),
  /** Left by `nats object rm`. */
  deleted: z.boolean().optional(),
});
export type BlobMeta = z.infer<typeof BlobMeta>;

/** A blob is not there, or not what was stored: nobody can read it any more. */
export class BlobLostError extends Error {
  readonly code = "BLOB_LOST";
  override readonly name = "BlobLostError";
}

/** The bucket is at its size limit. */
export class BlobsFullError extends JetStreamApiError {}

/** Where the chunks of a blob are. */
export const CHUNKS = `$O.${BLOBS_BUCKET}.C`;
/** Where the metas are, one for each blob. */
export const METAS = `$O.${BLOBS_BUCKET}.M`;
export const BLOBS_STREAM = `OBJ_${BLOBS_BUCKET}`;
/** The object store's own default. */
const CHUNK_BYTES_MAX = 128 * 1024;
/** A megabyte on its way for each blob: many large objects may change at once. */
const CHUNKS_IN_FLIGHT = 8;
/** Another process may store the same blob, or remove it, between our question and our answer. */
const ATTEMPTS_MAX = 5;
/** Half of what a blob nobody names is kept: who was stopped for longer may find its chunks gone, and begins again. */
const PUT_MS_MAX = 30 * 60_000;

const Stored = z.object({ message: z.object({ seq: z.int(), data: z.string().default(""), time: z.string() }) });

/** The name of this content of an object's event: other content of the same event has another name. */
export function blobName(object: string, eventId: string, content: Uint8Array): string {
  return `${object}/${eventId}/${digestOf(content)}`;
}

/** The inverse, for a name that `blobName` made; `undefined` for another. */
export function parseBlobName(name: string): { readonly object: string; readonly eventId: string } | undefined {
  const [first, last] = [name.indexOf("/"), name.lastIndexOf("/")];
  return first < 0 || first === last
    ? undefined
    : { object: name.slice(0, first), eventId: name.slice(first + 1, last) };
}

/**
 * Stores the content under its name; one that is there is only made young again, so that it is not collected before its event is in
 * the log. Throws BlobsFullError, JetStreamApiError (refused) or RequestLostError (unknown): try again.
 */
export async function putBlob(jetStream: JetStream, name: string, content: Uint8Array): Promise<void> {
  const begunMs = performance.now();
  try {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const found = await findBlob(jetStream, name);
      if (found !== undefined && found.meta.deleted !== true) {
        if (await writeMeta(jetStream, found.meta, found.sequence)) return;
        continue;
      }
      const meta = await putChunks(jetStream, name, content);
      if (performance.now() - begunMs > PUT_MS_MAX)
        throw new RequestLostError(`blob ${name}: storing it took too long`);
      if (await writeMeta(jetStream, meta, found?.sequence ?? 0)) return;
      await removeChunks(jetStream, meta.nuid);
    }
  } catch (error) {
    throw error instanceof JetStreamApiError && /maximum bytes exceeded|insufficient/i.test(error.message)
      ? new BlobsFullError(error.message, error.status, error.errCode)
      : error;
  }
  throw new RequestLostError(`blob ${name} keeps changing under us: trying again`);
}

async function putChunks(jetStream: JetStream, name: string, content: Uint8Array): Promise<BlobMeta> {
  const nuid = randomUUID().replaceAll("-", "");
  const chunkBytes = Math.max(1, Math.min(CHUNK_BYTES_MAX, Math.floor(jetStream.payloadBytesMax / 2)));
  const chunks = Math.ceil(content.length / chunkBytes);
  try {
    for (let first = 0; first < chunks; first += CHUNKS_IN_FLIGHT) {
      const window = Array.from({ length: Math.min(CHUNKS_IN_FLIGHT, chunks - first) }, (_, index) => {
        const start = (first + index) * chunkBytes;
        return jetStream.publish(`${CHUNKS}.${nuid}`, content.subarray(start, start + chunkBytes), {});
      });
      const failed = (await Promise.allSettled(window)).find(({ status }) => status === "rejected");
      if (failed?.status === "rejected") throw failed.reason;
    }
  } catch (error) {
    await removeChunks(jetStream, nuid).catch(() => undefined); // otherwise they are collected
    throw error;
  }
  return {
    ...{ name, bucket: BLOBS_BUCKET, nuid, size: content.length, chunks, mtime: new Date().toISOString() },
    options: { max_chunk_size: chunkBytes },
    digest: `SHA-256=${padded(digestOf(content))}`,
  };
}

/** Writes it where the one with this sequence is (0: none). Resolves to false when there is another one by now. */
async function writeMeta(jetStream: JetStream, meta: BlobMeta, sequence: number): Promise<boolean> {
  const headers = { "Nats-Rollup": "sub", "Nats-Expected-Last-Subject-Sequence": String(sequence) };
  try {
    await jetStream.publish(metaSubject(meta.name), JSON.stringify(meta), headers);
    return true;
  } catch (error) {
    if (isWrongLastSequence(error)) return false;
    throw error;
  }
}

/** Reads the content. Throws BlobLostError; JetStreamApiError or RequestLostError when there is no answer: ask again. */
export async function getBlob(jetStream: JetStream, name: string): Promise<Uint8Array> {
  const found = await findBlob(jetStream, name);
  if (found === undefined || found.meta.deleted === true)
    throw new BlobLostError(`blob ${name} is not in the bucket ${BLOBS_BUCKET}: it was collected, or NATS has lost it`);
  const { nuid, size, chunks } = found.meta;
  const parts: Uint8Array[] = [];
  for (let sequence = 0, bytes = 0; bytes < size && parts.length < chunks; ) {
    const message = await getMessage(jetStream, { next_by_subj: `${CHUNKS}.${nuid}`, seq: sequence + 1 });
    if (message === undefined) break;
    const part = Buffer.from(message.data, "base64");
    parts.push(part);
    sequence = message.seq;
    bytes += part.length;
  }
  const content = Buffer.concat(parts);
  if (content.length === size && name.endsWith(`/${digestOf(content)}`)) return content;
  throw new BlobLostError(
    `blob ${name} is broken: ${content.length} of ${size} bytes, ${parts.length} of ${chunks} chunks, or another digest`,
  );
}

/** Removes a blob if it is still the one with this sequence: not if somebody has stored it again since. Resolves to whether it was. */
export async function removeBlob(jetStream: JetStream, { nuid }: BlobMeta, sequence: number): Promise<boolean> {
  const removing = jetStream.api(`STREAM.MSG.DELETE.${BLOBS_STREAM}`, { seq: sequence, no_erase: true });
  const isRemoved = (await unlessMissing("sequence", removing)) !== undefined;
  if (isRemoved) await removeChunks(jetStream, nuid);
  return isRemoved;
}

export async function removeChunks(jetStream: JetStream, nuid: string): Promise<void> {
  await jetStream.api(`STREAM.PURGE.${BLOBS_STREAM}`, { filter: `${CHUNKS}.${nuid}` });
}

async function findBlob(jetStream: JetStream, name: string) {
  const message = await getMessage(jetStream, { last_by_subj: metaSubject(name) });
  const meta = message && readMeta(Buffer.from(message.data, "base64"));
  return meta && { meta, sequence: message.seq };
}

/** `undefined` for what is no meta. */
export function readMeta(payload: Uint8Array): BlobMeta | undefined {
  try {
    return BlobMeta.safeParse(JSON.parse(Buffer.from(payload).toString("utf8"))).data;
  } catch {
    return undefined;
  }
}

/** Asks the stream's leader: a copy may not have the newest yet. */
export async function getMessage(
  jetStream: JetStream,
  query: Readonly<Record<string, unknown>>,
): Promise<z.infer<typeof Stored>["message"] | undefined> {
  const asked = unlessMissing("message", jetStream.api(`STREAM.MSG.GET.${BLOBS_STREAM}`, query));
  const answer = await unlessMissing("stream", asked);
  return answer === undefined ? undefined : Stored.parse(answer).message;
}

function metaSubject(name: string): string {
  return `${METAS}.${padded(Buffer.from(name).toString("base64url"))}`;
}

function digestOf(content: Uint8Array): string {
  return hash("sha256", content, "base64url");
}

/** The object store's base64 is padded. */
function padded(base64url: string): string {
  return base64url.padEnd(Math.ceil(base64url.length / 4) * 4, "=");
}
