/** What a peer has stored in its stream: how many messages, when each was stored, and whether any change is missing or there twice. */
import type { JetStream } from "../../bridge/nats/jetstream.ts";
import { unlessMissing } from "../../bridge/nats/jetstream-error.ts";
import { read } from "../../bridge/nats/reader.ts";
import { until } from "../kit/until.ts";
import type { Peer } from "./peer/peer.ts";

/** One message. */
export interface StoredEvent {
  /** `<uid>.<resourceVersion>` of its object. */
  readonly key: string;
  /** On the server's clock, with fractions of a millisecond. */
  readonly storedAtMs: number;
}

/** How a stream compares with what was written. */
export interface Tally {
  readonly lost: number;
  readonly doubled: number;
}

/** A peer that stores nothing more for so long has lost what is missing. */
const STALL_MS = 15_000;
/** One that has just been started may first read a list of all objects. */
const FIRST_MS_MAX = 90_000;
const POLL_MS = 10;
const NS_PER_MS = 1_000_000n;
/** The time is the seventh token of an acknowledgement's subject, the ninth where a domain and an account stand in front (ADR-15). */
const ACK_TOKENS = 9;

/** The sequence of the last message; 0 while there is no stream. */
export async function lastSequence(jetStream: JetStream, { stream }: Peer): Promise<number> {
  const info = jetStream.api<{ state: { last_seq: number } }>(`STREAM.INFO.${stream}`);
  return (await unlessMissing("stream", info))?.state.last_seq ?? 0;
}

/**
 * Resolves with the sequence once it is `expected`, or when nothing more has come for 15 seconds, nothing at all for 90. `look` is called with each
 * one that is seen.
 */
export async function untilStored(
  jetStream: JetStream,
  peer: Peer,
  expected: number,
  look: (sequence: number) => void = () => undefined,
): Promise<number> {
  const before = await lastSequence(jetStream, peer);
  let last = before;
  let changedAt = performance.now();
  const isDone = async () => {
    const sequence = await lastSequence(jetStream, peer);
    if (sequence !== last) changedAt = performance.now();
    last = sequence;
    look(sequence);
    return sequence >= expected || performance.now() - changedAt > (sequence === before ? FIRST_MS_MAX : STALL_MS);
  };
  await until(isDone, { waitMsMax: Number.POSITIVE_INFINITY, pollMs: POLL_MS });
  return last;
}

/** When a message was stored, on the wall clock. */
export async function storedAtMs(jetStream: JetStream, { stream }: Peer, sequence: number): Promise<number> {
  const body = { seq: sequence };
  const { message } = await jetStream.api<{ message: { time: string } }>(`STREAM.MSG.GET.${stream}`, body);
  const [, second = "", fraction = "0"] = /^(.*?:\d\d)(?:\.(\d+))?Z$/.exec(message.time) ?? [];
  return Date.parse(`${second}Z`) + Number(`0.${fraction}`) * 1000;
}

/** The messages behind a sequence. */
export async function eventsBehind(jetStream: JetStream, peer: Peer, sequence: number): Promise<StoredEvent[]> {
  const events: StoredEvent[] = [];
  if ((await lastSequence(jetStream, peer)) <= sequence) return events;
  const reading = { filter_subjects: [], deliver_policy: "by_start_sequence", opt_start_seq: sequence + 1 } as const;
  for await (const { message, ackSubject } of read(
    jetStream,
    reading,
    new AbortController().signal,
    false,
    peer.stream,
  )) {
    const object = peer.objectOf(JSON.parse(Buffer.from(message.data).toString("utf8")));
    const { uid, resourceVersion } = (object as { metadata: { uid: string; resourceVersion: string } }).metadata;
    events.push({ key: `${uid}.${resourceVersion}`, storedAtMs: ackTimeMs(ackSubject) });
  }
  return events;
}

/** Compares events with what was written, by key. */
export function tallyOf(events: readonly Pick<StoredEvent, "key">[], written: ReadonlySet<string>): Tally {
  const counts = new Map<string, number>();
  for (const { key } of events) counts.set(key, (counts.get(key) ?? 0) + 1);
  const lost = [...written].filter((key) => !counts.has(key)).length;
  const doubled = [...counts.values()].reduce((sum, count) => sum + count - 1, 0);
  return { lost, doubled };
}

function ackTimeMs(ackSubject: string): number {
  const tokens = ackSubject.split(".");
  const ns = BigInt(tokens[tokens.length > ACK_TOKENS ? ACK_TOKENS : ACK_TOKENS - 2] ?? "0");
  return Number(ns / NS_PER_MS) + Number(ns % NS_PER_MS) / Number(NS_PER_MS);
}
