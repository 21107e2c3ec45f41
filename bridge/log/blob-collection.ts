/**
 * Removes the blobs that nobody names any more: their events were pushed out of the log, removed by the janitor, or never got in. What
 * is young stays, because its event may be about to come; what the log or a dead letter names stays; and where not everything could
 * be read, nothing is removed. Chunks that a crash left without a name go the same way.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "../logger.ts";
import { DEAD_LETTERS_ROOT, DEAD_LETTERS_STREAM, TIMERS_ROOT, TIMERS_STREAM } from "../nats/function-stream.ts";
import type { JetStream } from "../nats/jetstream.ts";
import { unlessMissing } from "../nats/jetstream-error.ts";
import { read } from "../nats/reader.ts";
import { EVENTS_STREAM } from "../nats/stream.ts";
import {
  BLOBS_STREAM,
  type BlobMeta,
  CHUNKS,
  getMessage,
  METAS,
  parseBlobName,
  readMeta,
  removeBlob,
  removeChunks,
} from "./blob.ts";
import { AGAIN } from "./event-log.ts";
import { objectPart } from "./subject.ts";

/** What a collection works with. One for each NATS is enough: it looks at all blobs, whoever stored them. */
export interface CollectionOptions {
  readonly jetStream: JetStream;
  readonly signal: AbortSignal;
  /** What was stored, or stored again, later than this ago is left alone; milliseconds. Default an hour. */
  readonly olderThanMs?: number;
  /** How many blobs one call removes; the rest is for the next. Default 1,000. */
  readonly removalsMax?: number;
  /** Epoch milliseconds, as NATS has them. Default: the time of this machine. */
  readonly now?: () => number;
}

/** What a collection did. */
export interface Collected {
  /** Blobs there were, removed ones included. */
  readonly blobs: number;
  readonly removed: number;
  readonly bytes: number;
  /** Chunks without a name that were removed, counted by blob. */
  readonly unfinished: number;
}

/** Longer than any try to publish takes by far; each try makes its blob young again. */
const OLDER_THAN_MS = 3_600_000;
const REMOVALS_MAX = 1_000;
/** Objects whose events are looked for in one reading of the log: 500 in 1.2 s beside 200,000 other events, one by one in 4 s. */
const OBJECTS_AT_ONCE = 64;

interface FoundBlob {
  readonly subject: string;
  readonly meta: BlobMeta;
  readonly sequence: number;
  readonly storedAtMs: number;
}

/** Half as long as a blob stays at least. */
const EVERY_MS = 1_800_000;

/** Collects every half hour until `signal` aborts, beginning when the first has passed. What could not be read is read the next time. */
export async function keepCollecting(options: CollectionOptions & { readonly logger: Logger }): Promise<void> {
  const { jetStream, logger, signal } = options;
  while (!signal.aborted) {
    await sleep(EVERY_MS, undefined, { signal, ref: false }).catch(() => undefined);
    if (signal.aborted || !jetStream.connected) continue;
    try {
      const { removed, bytes, blobs } = await collectBlobs(options);
      if (removed > 0)
        logger.info({ removed, bytes, left: blobs - removed }, "data of events that nobody names any more is removed");
    } catch (error) {
      if (!signal.aborted)
        logger.warn({ error: (error as Error).message }, "very large events could not be looked through: later again");
    }
  }
}

/**
 * Looks at all blobs once. Throws ReadInterruptedError, ConsumerGoneError or RequestLostError when it could not be told what is named: call
 * it again later. Does nothing where there is no bucket yet.
 */
export async function collectBlobs(options: CollectionOptions): Promise<Collected> {
  const { jetStream, signal, now = Date.now, olderThanMs = OLDER_THAN_MS, removalsMax = REMOVALS_MAX } = options;
  const before = now() - olderThanMs;
  const chunks = await listSubjects(jetStream, CHUNKS);
  const metas = await listSubjects(jetStream, METAS);
  if (chunks === undefined || metas === undefined) return { blobs: 0, removed: 0, bytes: 0, unfinished: 0 };
  const all = await listBlobs(jetStream, signal);
  const old = Map.groupBy(
    all.filter(({ storedAtMs }) => storedAtMs < before),
    ({ meta }) => parseBlobName(meta.name)?.object ?? "",
  );
  old.delete(""); // somebody else's
  let removed = 0;
  let bytes = 0;
  const objects = [...old.keys()];
  for (let first = 0; first < objects.length && removed < removalsMax; first += OBJECTS_AT_ONCE) {
    signal.throwIfAborted();
    const group = objects.slice(first, first + OBJECTS_AT_ONCE);
    const named = await readNamed(jetStream, group, signal);
    for (const object of group) {
      const unnamed = (old.get(object) ?? []).filter(({ meta }) => !named.ids.has(idOf(meta)));
      if (unnamed.length === 0 || !(await mayRemove(jetStream, object, named))) continue;
      for (const { meta, sequence } of unnamed.slice(0, removalsMax - removed)) {
        if (!(await removeBlob(jetStream, meta, sequence))) continue;
        removed++;
        bytes += meta.size;
      }
    }
  }
  // With a meta that was not read, or not understood, nobody knows whose chunks are whose.
  const subjects = new Set(all.map(({ subject }) => subject));
  const isComplete = [...metas].every((subject) => subjects.has(subject));
  const unfinished = isComplete
    ? await collectUnfinished(jetStream, unnamedChunks(chunks, all), before, removalsMax)
    : 0;
  return { blobs: all.length, removed, bytes, unfinished };
}

/** The subjects below `root`, by the stream's leader; `undefined` without a bucket. */
async function listSubjects(jetStream: JetStream, root: string): Promise<Set<string> | undefined> {
  const found = new Set<string>();
  for (let offset = 0, total = 1; offset < total; ) {
    const info = await unlessMissing(
      "stream",
      jetStream.api<{ total?: number; state: { subjects?: Readonly<Record<string, number>> } }>(
        `STREAM.INFO.${BLOBS_STREAM}`,
        { subjects_filter: `${root}.>`, offset },
      ),
    );
    if (info === undefined) return undefined;
    const page = Object.keys(info.state.subjects ?? {});
    for (const subject of page) found.add(subject);
    if (page.length === 0) break;
    offset += page.length;
    total = info.total ?? 0;
  }
  return found;
}

async function listBlobs(jetStream: JetStream, signal: AbortSignal): Promise<FoundBlob[]> {
  const found: FoundBlob[] = [];
  const reading = { filter_subjects: [`${METAS}.>`], deliver_policy: "last_per_subject" } as const;
  for await (const { message, streamSequence, storedAtMs } of read(jetStream, reading, signal, false, BLOBS_STREAM)) {
    const meta = readMeta(message.data);
    if (meta !== undefined) found.push({ subject: message.subject, meta, sequence: streamSequence, storedAtMs });
  }
  signal.throwIfAborted();
  return found;
}

/** What the log has of these objects. */
interface Named {
  /** `<object>/<event id>` */
  readonly ids: ReadonlySet<string>;
  /** The newest sequence of each object. */
  readonly newest: ReadonlyMap<string, number>;
}

async function readNamed(jetStream: JetStream, objects: readonly string[], signal: AbortSignal): Promise<Named> {
  const ids = new Set<string>();
  const newest = new Map<string, number>();
  const filter_subjects = objects.map((object) => `${object}.>`);
  const reading = { filter_subjects, deliver_policy: "all", headers_only: true } as const;
  for await (const { message, streamSequence } of read(jetStream, reading, signal, false)) {
    const object = objectPart(message.subject);
    ids.add(`${object}/${eventIdIn(message.header("Nats-Msg-Id"))}`);
    newest.set(object, streamSequence);
  }
  signal.throwIfAborted();
  return { ids, newest };
}

/** An event that is published again has the same id, and behind it what makes it another one for the duplicate window. */
function eventIdIn(messageId = ""): string {
  return messageId.split(AGAIN, 1)[0] ?? "";
}

function idOf({ name }: BlobMeta): string {
  return name.slice(0, name.lastIndexOf("/"));
}

/** A reading may come from a copy that is behind: the leader must agree on the newest. And a dead letter, and what waits, is kept whole. */
async function mayRemove(jetStream: JetStream, object: string, { newest }: Named): Promise<boolean> {
  const last = await unlessMissing(
    "message",
    jetStream.api<{ message: { seq: number } }>(`STREAM.MSG.GET.${EVENTS_STREAM}`, { last_by_subj: `${object}.>` }),
  );
  if (last?.message.seq !== newest.get(object)) return false;
  const kept = [
    [DEAD_LETTERS_STREAM, `${DEAD_LETTERS_ROOT}.*.${object}.>`],
    [TIMERS_STREAM, `${TIMERS_ROOT}.wait.*.${object}.>`],
    [TIMERS_STREAM, `${TIMERS_ROOT}.due.*.*.${object}.>`],
    [TIMERS_STREAM, `${TIMERS_ROOT}.member.*.*.${object}.>`],
  ] as const;
  for (const [stream, subject] of kept) if (await hasSubject(jetStream, stream, subject)) return false;
  return true;
}

async function hasSubject(jetStream: JetStream, stream: string, subjects_filter: string): Promise<boolean> {
  const asked = jetStream.api<{ state: { subjects?: object } }>(`STREAM.INFO.${stream}`, { subjects_filter });
  return Object.keys((await unlessMissing("stream", asked))?.state.subjects ?? {}).length > 0;
}

/** Chunks are listed before the blobs: what was finished meanwhile has its name. */
function unnamedChunks(chunks: ReadonlySet<string>, blobs: readonly FoundBlob[]): string[] {
  const nuids = new Set(blobs.filter(({ meta }) => meta.deleted !== true).map(({ meta }) => meta.nuid));
  return [...chunks].map((subject) => subject.slice(CHUNKS.length + 1)).filter((nuid) => !nuids.has(nuid));
}

async function collectUnfinished(
  jetStream: JetStream,
  nuids: readonly string[],
  before: number,
  removalsMax: number,
): Promise<number> {
  let count = 0;
  for (const nuid of nuids) {
    if (count >= removalsMax) break;
    const newest = await getMessage(jetStream, { last_by_subj: `${CHUNKS}.${nuid}` });
    if (newest === undefined || Date.parse(newest.time) >= before) continue;
    await removeChunks(jetStream, nuid);
    count++;
  }
  return count;
}
