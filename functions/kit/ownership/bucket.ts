/**
 * A key-value bucket as a process sees it: a copy of all its entries, kept up to date by a watch, and writes that the server refuses when
 * the entry has changed since it was read. After every reconnect, every hour, and whenever the watch breaks, the copy is read anew, so
 * that it is right again after NATS was wiped or restored from an older copy too, and does not keep what has expired.
 * Source: NATS ADR-8 (key-value: a stream with one message per subject; `Nats-Expected-Last-Subject-Sequence` is its compare-and-set).
 */
import { createBackoff, type JetStream, read, unlessMissing } from "#contract";

/** One entry; its revision changes with every write. */
export interface Entry {
  readonly revision: number;
  /** As it was written; `undefined` when it was deleted, or is no JSON. */
  readonly value: unknown;
}

/**
 * The copy, and the way to write. The copy is what the bucket was at one moment: it has everything up to some revision, and nothing of
 * later ones, this process' own writes included.
 */
export interface Bucket {
  readonly entries: ReadonlyMap<string, Entry>;
  /** When (monotonic milliseconds) the reading began that the copy is from; `undefined` before the first is complete. */
  readonly syncBegunMs: number | undefined;
  /** The entry as the server has it now. */
  fetch(key: string): Promise<Entry | undefined>;
  /**
   * Writes if the entry still has that revision (0: if there is none), and answers the new one. `ttl` as NATS takes it, such as `1h`. Throws
   * RequestLostError when nobody knows whether it was written, and JetStreamApiError; `isWrongLastSequence` tells that somebody else was faster.
   */
  write(key: string, value: unknown, revision: number, ttl?: string): Promise<number>;
  /** Calls back after every change of the copy, with the key, or without one when all of it was read anew. */
  onChange(listener: (key: string | undefined) => void): () => void;
}

interface StreamInfo {
  readonly state: { readonly messages: number; readonly last_seq: number };
}

/** Which bucket. */
export interface BucketOptions {
  readonly name: string;
  /** Makes it when it is missing. */
  readonly ensure: () => Promise<void>;
  /** How often all of it is read anew, so that the copy does not grow by what has expired; default an hour. */
  readonly renewMs?: number;
}

/** The server tells nobody which entries have outlived their time; those of processes do within an hour. */
const RENEW_MS = 3_600_000;
const RETRY = { firstMs: 100, maxMs: 5_000, resetAfterMs: 60_000 };

/** Opens a bucket and follows it until `signal` aborts. */
export function openBucket(
  jetStream: JetStream,
  { name, ensure, renewMs = RENEW_MS }: BucketOptions,
  signal: AbortSignal,
): Bucket {
  const stream = `KV_${name}`;
  const root = `$KV.${name}.`;
  const listeners = new Set<(key: string | undefined) => void>();
  let entries = new Map<string, Entry>();
  let syncBegunMs: number | undefined;
  const tell = (key: string | undefined) => {
    for (const listener of [...listeners]) listener(key);
  };
  const apply = (key: string, entry: Entry) => {
    if ((entries.get(key)?.revision ?? 0) >= entry.revision) return;
    entries.set(key, entry);
    tell(key);
  };
  const followOnce = async (round: AbortSignal) => {
    await ensure();
    const begunMs = performance.now();
    const askState = async () => (await jetStream.api<StreamInfo>(`STREAM.INFO.${stream}`)).state;
    let fresh: Map<string, Entry> | undefined = new Map();
    const complete = (all: Map<string, Entry>) => {
      entries = all;
      syncBegunMs = begunMs;
      fresh = undefined;
      tell(undefined);
    };
    const before = await askState();
    if (before.messages === 0) complete(fresh);
    const reading = { filter_subjects: [`${root}>`], deliver_policy: "last_per_subject" } as const;
    for await (const { message, streamSequence, pendingCount } of read(jetStream, reading, round, true, stream)) {
      const entry = { revision: streamSequence, value: parse(message.data) };
      const key = message.subject.slice(root.length);
      if (fresh === undefined) apply(key, entry);
      else fresh.set(key, entry);
      if (fresh === undefined || pendingCount > 0) continue;
      // An entry that is written while all are read is missing until its new revision comes, and the count of what is pending does not tell.
      const { messages, last_seq } = await askState();
      // Where nothing was written meanwhile there is nothing behind this one: what was has outlived its time.
      if (last_seq > streamSequence && last_seq > before.last_seq) continue;
      if (messages !== fresh.size) throw new Error("entries are missing: reading again");
      complete(fresh);
    }
  };
  const follow = async () => {
    const backoff = createBackoff(RETRY);
    while (!signal.aborted) {
      const round = new AbortController();
      const stopListening = jetStream.onConnection(({ type }) => {
        if (type === "connected") round.abort();
      });
      const renewal = setTimeout(() => round.abort(), renewMs);
      renewal.unref();
      // Whatever breaks it, the next round reads everything anew.
      await followOnce(AbortSignal.any([signal, round.signal])).catch(() => undefined);
      clearTimeout(renewal);
      stopListening();
      if (!round.signal.aborted) await backoff.wait(signal).catch(() => undefined);
      await jetStream.whenConnected(signal).catch(() => undefined);
    }
  };
  void follow();
  return {
    get entries() {
      return entries;
    },
    get syncBegunMs() {
      return syncBegunMs;
    },
    async fetch(key) {
      const asked = jetStream.api<{ message: { seq: number; data?: string } }>(`STREAM.MSG.GET.${stream}`, {
        last_by_subj: root + key,
      });
      const found = (await unlessMissing("message", asked))?.message;
      return found && { revision: found.seq, value: parse(Buffer.from(found.data ?? "", "base64")) };
    },
    async write(key, value, revision, ttl) {
      const { seq } = await jetStream.publish(root + key, value === undefined ? "" : JSON.stringify(value), {
        "Nats-Expected-Last-Subject-Sequence": String(revision),
        ...(value === undefined && { "KV-Operation": "DEL" }),
        ...(ttl !== undefined && { "Nats-TTL": ttl }),
      });
      return seq;
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

function parse(data: Uint8Array): unknown {
  if (data.length === 0) return undefined;
  try {
    return JSON.parse(Buffer.from(data).toString("utf8"));
  } catch {
    return undefined;
  }
}
