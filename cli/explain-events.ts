/**
 * Events of the log that a selection matches, or nearly matches: the newest of its kind are looked at, a bounded number of them, and those
 * are kept that match, and those that fail in the fewest places.
 */
import {
  type Envelope,
  EVENTS_STREAM,
  encodeToken,
  findEvent,
  groupOf,
  type JetStream,
  type Reading,
  read,
  SUBJECT_ROOT,
  unlessMissing,
} from "#contract";
import { compileFilter, type Explanation, type Selection } from "#kit";

/** An event, and how it came out. */
export interface ExplainedEvent {
  readonly sequence: number;
  readonly envelope: Envelope;
  readonly isMatch: boolean;
  readonly explanation: Explanation;
}

/** What was found. */
export interface Scan {
  /** How many events were looked at; `isWhole`: those are all that the log has of the kind. */
  readonly scanned: number;
  readonly isWhole: boolean;
  /** Of those that were looked at. */
  readonly matched: number;
  /** The newest that match, then the nearest that do not. */
  readonly events: readonly ExplainedEvent[];
}

/** How much is looked at. */
export interface ScanOptions {
  /** Events that are kept. */
  readonly count: number;
  /** Only the event with this id. */
  readonly id?: string;
  readonly signal: AbortSignal;
}

/** Ten thousand events of usual size are read and explained in about three seconds. */
export const SCANNED_MAX = 10_000;
/** Each doubles the stretch of the log; after these it is the whole log, whatever its size. */
const WIDENINGS_MAX = 20;
const CONSUMER_IDLE_NS = 10 * 1e9;

/** Looks at the newest events of the selection's kind; `undefined`: there is no log. Throws JetStreamApiError and RequestLostError. */
export async function scanEvents(
  jetStream: JetStream,
  selection: Selection,
  { count, id, signal }: ScanOptions,
): Promise<Scan | undefined> {
  const start = await startOfScan(jetStream, subjectsOf(selection));
  if (start === undefined) return undefined;
  const matcher = compileFilter(selection);
  const matches: ExplainedEvent[] = [];
  const misses: (ExplainedEvent & { readonly distance: number })[] = [];
  let scanned = 0;
  let matched = 0;
  for await (const { message, streamSequence: sequence } of read(jetStream, start.reading, signal, false)) {
    if (++scanned > SCANNED_MAX) break;
    const envelope = await findEvent(jetStream, message.data, signal);
    if (envelope === undefined || (id !== undefined && envelope.id !== id)) continue;
    const explanation = matcher.explain(envelope);
    const isMatch = explanation.holds === true;
    if (isMatch) {
      matched++;
      matches.push({ sequence, envelope, isMatch, explanation });
      if (matches.length > count) matches.shift();
      continue;
    }
    misses.push({ sequence, envelope, isMatch, explanation, distance: distanceOf(explanation) });
    if (misses.length > 2 * count) misses.sort(nearestFirst).splice(count);
  }
  const nearest = misses.sort(nearestFirst).slice(0, Math.max(0, count - matches.length));
  const events = [...matches.toReversed(), ...nearest.map(({ distance: _, ...event }) => event)];
  return { scanned: Math.min(scanned, SCANNED_MAX), isWhole: start.isWhole && scanned <= SCANNED_MAX, matched, events };
}

/** The event with this sequence; `undefined`: the log has none. Throws as `scanEvents`. */
export async function explainSequence(
  jetStream: JetStream,
  selection: Selection,
  sequence: number,
  signal: AbortSignal,
): Promise<ExplainedEvent | undefined> {
  const asked = jetStream.api<{ message: { data?: string } }>(`STREAM.MSG.GET.${EVENTS_STREAM}`, { seq: sequence });
  const stored = await unlessMissing("stream", unlessMissing("message", asked));
  if (stored === undefined) return undefined;
  const envelope = await findEvent(jetStream, Buffer.from(stored.message.data ?? "", "base64"), signal);
  if (envelope === undefined) return undefined;
  const explanation = compileFilter(selection).explain(envelope);
  return { sequence, envelope, isMatch: explanation.holds === true, explanation };
}

/** How many clauses would have to come out the other way. */
export function distanceOf({ type, holds, parts }: Explanation): number {
  if (holds === true) return 0;
  switch (type) {
    case "clause":
    case "not":
      return 1;
    case "all":
      return parts.reduce((sum, part) => sum + distanceOf(part), 0);
    case "any":
      return Math.min(...parts.map(distanceOf));
    default:
      return type satisfies never;
  }
}

function nearestFirst(
  a: { readonly distance: number; readonly sequence: number },
  b: { readonly distance: number; readonly sequence: number },
): number {
  return a.distance - b.distance || b.sequence - a.sequence;
}

/** All events of the kind, in whatever version. */
function subjectsOf({ cluster, apiVersion, kind }: Selection): string {
  const tokens = [
    cluster === undefined ? "*" : encodeToken(cluster),
    encodeToken(groupOf(apiVersion)),
    encodeToken(kind),
  ];
  return `${SUBJECT_ROOT}.${tokens.join(".")}.>`;
}

/** Where the log has at most so many events of the kind left: looked for from its end, in stretches that double. */
async function startOfScan(
  jetStream: JetStream,
  subjects: string,
): Promise<{ readonly reading: Reading; readonly isWhole: boolean } | undefined> {
  const asked = jetStream.api<{ state: { first_seq: number; last_seq: number } }>(`STREAM.INFO.${EVENTS_STREAM}`);
  const info = await unlessMissing("stream", asked);
  if (info === undefined) return undefined;
  const { last_seq: last } = info.state;
  // Of a log without events it is 0, which is no place to begin at.
  const first = Math.max(info.state.first_seq, 1);
  const readingFrom = (sequence: number): Reading => ({
    filter_subjects: [subjects],
    deliver_policy: "by_start_sequence",
    opt_start_seq: sequence,
  });
  let start = Math.max(first, last - SCANNED_MAX + 1);
  let stretch = SCANNED_MAX;
  for (let widening = 0; start > first && widening < WIDENINGS_MAX; widening++) {
    stretch *= 2;
    const wider = widening === WIDENINGS_MAX - 1 ? first : Math.max(first, last - stretch + 1);
    if ((await countFrom(jetStream, readingFrom(wider))) > SCANNED_MAX) break;
    start = wider;
  }
  return { reading: readingFrom(start), isWhole: start <= first };
}

async function countFrom(jetStream: JetStream, reading: Reading): Promise<number> {
  const config = {
    ...reading,
    ack_policy: "none",
    mem_storage: true,
    num_replicas: 1,
    inactive_threshold: CONSUMER_IDLE_NS,
  };
  const consumer = await jetStream.api<{ name: string; num_pending: number }>(`CONSUMER.CREATE.${EVENTS_STREAM}`, {
    stream_name: EVENTS_STREAM,
    config,
  });
  // One that stays is removed by the server.
  await jetStream.api(`CONSUMER.DELETE.${EVENTS_STREAM}.${consumer.name}`).catch(() => undefined);
  return consumer.num_pending;
}
