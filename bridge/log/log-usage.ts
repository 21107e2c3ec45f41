/**
 * What the janitor asks about the log: how full it is, how many events each object has, up to where every subscription has read, and
 * where a moment in time is. Only questions; what follows from the answers is the janitor's.
 * Source: JetStream API `$JS.API.STREAM.INFO` (`subjects_filter`), `$JS.API.CONSUMER.LIST`, `$JS.API.STREAM.MSG.GET` (`start_time`).
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { JetStream } from "../nats/jetstream.ts";
import { RequestLostError, unlessMissing } from "../nats/jetstream-error.ts";
import { EVENTS_STREAM } from "../nats/stream.ts";
import { objectPart, SUBJECT_ROOT } from "./subject.ts";

/** How full the log is. */
export interface LogUsage {
  readonly bytes: number;
  /** The limit; Infinity without one. */
  readonly bytesMax: number;
  readonly messages: number;
  readonly newestSequence: number;
}

/** Up to where everybody has read. */
export interface ReadFloor {
  /** Every durable consumer is through with everything up to here; Infinity where there is none. */
  readonly sequence: number;
  /** The one that is least far, if it has anything left to read. */
  readonly holder: { readonly name: string; readonly unreadCount: number } | undefined;
}

interface ConsumerInfo {
  readonly name: string;
  readonly config: { readonly durable_name?: string };
  readonly delivered: { readonly stream_seq: number };
  readonly ack_floor: { readonly stream_seq: number };
  readonly num_pending: number;
  readonly num_ack_pending: number;
}

/** The server tells its consumers of a message a moment after it stored it: until then they count as having read everything. */
const CONSUMERS_HEAR_MS = 500;

/** How full the log is now. Throws JetStreamApiError or RequestLostError, as all of these do. */
export async function readUsage(jetStream: JetStream): Promise<LogUsage> {
  const { config, state } = await jetStream.api<{
    config: { max_bytes: number };
    state: { bytes: number; messages: number; last_seq: number };
  }>(`STREAM.INFO.${EVENTS_STREAM}`);
  const bytesMax = config.max_bytes > 0 ? config.max_bytes : Number.POSITIVE_INFINITY;
  return { bytes: state.bytes, bytesMax, messages: state.messages, newestSequence: state.last_seq };
}

/**
 * Yields the objects below `subjects` with their number of events. An answer names at most 100,000 subjects, sorted, so the subjects
 * of one object follow each other; while events are published its counts are approximate.
 */
export async function* countEvents(
  jetStream: JetStream,
  subjects: string,
): AsyncGenerator<{ readonly object: string; readonly count: number }, void, void> {
  let object = "";
  let count = 0;
  for (let offset = 0, total = 1; offset < total; ) {
    const info = await jetStream.api<{ total?: number; state: { subjects?: Readonly<Record<string, number>> } }>(
      `STREAM.INFO.${EVENTS_STREAM}`,
      { subjects_filter: subjects, offset },
    );
    const page = Object.entries(info.state.subjects ?? {});
    for (const [subject, messages] of page) {
      const next = objectPart(subject);
      if (next !== object && count > 0) yield { object, count };
      count = next === object ? count + messages : messages;
      object = next;
    }
    if (page.length === 0) break;
    offset += page.length;
    total = info.total ?? 0;
  }
  if (count > 0) yield { object, count };
}

/**
 * Up to where all durable consumers have read; others follow for a while and hold nothing. `ack_floor` alone would not tell: it stays
 * where a consumer's last matching event was, so one that waits for a rare event would hold the log for ever.
 */
export async function readFloor(jetStream: JetStream, signal: AbortSignal): Promise<ReadFloor> {
  const { newestSequence } = await readUsage(jetStream);
  await sleep(CONSUMERS_HEAR_MS, undefined, { signal });
  let floor: ReadFloor = { sequence: Number.POSITIVE_INFINITY, holder: undefined };
  for await (const { name, config, ...position } of listConsumers(jetStream)) {
    const sequence = readUpTo(position, newestSequence);
    if (config.durable_name === undefined || sequence >= floor.sequence) continue;
    const unreadCount = position.num_pending + position.num_ack_pending;
    floor = { sequence, holder: unreadCount > 0 ? { name, unreadCount } : undefined };
  }
  return floor;
}

function readUpTo(
  { num_pending, num_ack_pending, delivered, ack_floor }: Omit<ConsumerInfo, "name" | "config">,
  newestSequence: number,
): number {
  if (num_ack_pending > 0) return ack_floor.stream_seq;
  const handled = Math.max(ack_floor.stream_seq, delivered.stream_seq);
  return num_pending > 0 ? handled : Math.max(handled, newestSequence);
}

async function* listConsumers(jetStream: JetStream): AsyncGenerator<ConsumerInfo, void, void> {
  for (let offset = 0, total = 1; offset < total; ) {
    const page = await jetStream.api<{ total: number; consumers?: ConsumerInfo[]; missing?: string[] }>(
      `CONSUMER.LIST.${EVENTS_STREAM}`,
      { offset },
    );
    const { consumers = [], missing = [] } = page;
    if (missing.length > 0) throw new RequestLostError(`consumers did not answer: ${missing.join(", ")}`);
    yield* consumers;
    if (consumers.length === 0) return;
    offset += consumers.length;
    total = page.total;
  }
}

/** The sequence of the first event that was stored at this time or later; Infinity where there is none. */
export async function sequenceAt(jetStream: JetStream, timeMs: number): Promise<number> {
  const query = { next_by_subj: `${SUBJECT_ROOT}.>`, start_time: new Date(timeMs).toISOString() };
  const asked = jetStream.api<{ message: { seq: number } }>(`STREAM.MSG.GET.${EVENTS_STREAM}`, query);
  return (await unlessMissing("message", asked))?.message.seq ?? Number.POSITIVE_INFINITY;
}
