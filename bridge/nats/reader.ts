/**
 * Reads the log, or another stream, without leaving anything behind: a consumer that acknowledges nothing and that the server removes by itself. One
 * reading has no holes: it ends with an error as soon as a message is missing. `follow` goes on from there with a new one.
 * Source: JetStream ordered consumers (ADR-17), written on the pull loop.
 */
import { createBackoff } from "../backoff.ts";
import type { JetStream } from "./jetstream.ts";
import { isUnavailable, RequestLostError } from "./jetstream-error.ts";
import { ConsumerGoneError, type Delivered, pull } from "./pull.ts";
import { EVENTS_STREAM } from "./stream.ts";

/** What to read; the fields are the JetStream API's. */
export interface Reading {
  readonly filter_subjects: readonly string[];
  readonly deliver_policy: "all" | "new" | "last_per_subject" | "by_start_sequence" | "by_start_time";
  readonly opt_start_seq?: number;
  readonly opt_start_time?: string;
  readonly headers_only?: boolean;
}

interface ConsumerInfo {
  readonly num_pending: number;
  readonly delivered: { readonly consumer_seq: number };
}

/** The connection broke while the log was read, and messages are missing: read again. */
export class ReadInterruptedError extends Error {
  readonly code = "READ_INTERRUPTED";
  override readonly name = "ReadInterruptedError";
}

/** A reader that was killed is removed by the server after this time. */
const IDLE_NS = 60 * 1e9;
/** How often a reading that waits asks whether there is anything left. */
const LOOK_MS = 2_000;
/** What is read is small or wanted at once. */
const DEMAND_MAX = 1_000;
const RETRY = { firstMs: 200, maxMs: 5_000, resetAfterMs: 60_000 } as const;

/**
 * Reads what the log has now, and with `live` what comes. Without `live` it ends behind the last message.
 * Throws ReadInterruptedError, ConsumerGoneError or RequestLostError when messages are missing.
 */
export async function* read(
  jetStream: JetStream,
  reading: Reading,
  signal: AbortSignal,
  live: boolean,
  stream = EVENTS_STREAM,
): AsyncGenerator<Delivered, void, void> {
  const config = { ...reading, ack_policy: "none", mem_storage: true, num_replicas: 1, inactive_threshold: IDLE_NS };
  const consumer = await jetStream.api<{ name: string; num_pending: number }>(`CONSUMER.CREATE.${stream}`, {
    stream_name: stream,
    config,
  });
  const ended = new AbortController();
  let expected = 1;
  /** What was pending may be purged before it is delivered: then no last message comes. */
  const look = async () => {
    const known = expected;
    const info = await jetStream.api<ConsumerInfo>(`CONSUMER.INFO.${stream}.${consumer.name}`);
    const isIdle = known === expected && info.delivered.consumer_seq === expected - 1;
    if (isIdle && info.num_pending === 0) ended.abort();
  };
  const looking = live ? undefined : setInterval(() => void look().catch(() => undefined), LOOK_MS);
  try {
    if (!live && consumer.num_pending === 0) return;
    for await (const delivered of pull(jetStream, {
      stream,
      consumer: consumer.name,
      demandMax: DEMAND_MAX,
      signal: AbortSignal.any([signal, ended.signal]),
    })) {
      if (delivered.consumerSequence !== expected++)
        throw new ReadInterruptedError("messages are missing: the connection to NATS broke");
      yield delivered;
      if (!live && delivered.pendingCount === 0) return;
    }
  } finally {
    clearInterval(looking);
    if (jetStream.connected) await jetStream.api(`CONSUMER.DELETE.${stream}.${consumer.name}`).catch(() => undefined);
  }
}

/** Reads for ever and in order, until `signal` aborts; after an interruption it goes on behind the last message it gave. */
export async function* follow(
  jetStream: JetStream,
  reading: Reading,
  signal: AbortSignal,
): AsyncGenerator<Delivered, void, void> {
  const backoff = createBackoff(RETRY);
  let next = reading;
  while (!signal.aborted) {
    try {
      for await (const delivered of read(jetStream, next, signal, true)) {
        next = {
          filter_subjects: reading.filter_subjects,
          deliver_policy: "by_start_sequence",
          opt_start_seq: delivered.streamSequence + 1,
        };
        yield delivered;
      }
    } catch (error) {
      if (signal.aborted) return;
      const interrupted =
        isUnavailable(error) ||
        error instanceof ReadInterruptedError ||
        error instanceof ConsumerGoneError ||
        error instanceof RequestLostError;
      if (!interrupted) throw error;
      await backoff.wait(signal).catch(() => undefined);
      await jetStream.whenConnected(signal).catch(() => undefined);
    }
  }
}
