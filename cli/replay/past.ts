/** The events of the log that a replay is about: between two places, asked for by the subscription, and handled by it before. */
import { type Envelope, EVENTS_STREAM, type JetStream, type Reading, read } from "#contract";
import { compileFilter, type PastEvent, planSelection, type Selection } from "#kit";
import { readEnvelope } from "../event-log.ts";
import type { Point } from "../point.ts";

/** One of them. */
export interface ReplayedEvent extends PastEvent {
  readonly id: string;
  /** For a line of text, and for scripts. */
  readonly envelope: Envelope;
  readonly facts: Readonly<Record<string, unknown>>;
}

/** What there is, oldest first. */
export interface PastEvents {
  readonly events: readonly ReplayedEvent[];
  /** Those that the subscription asks for and is not through with. */
  readonly comingCount: number;
}

/** What is looked for. */
export interface PastOptions {
  readonly selection: Selection;
  readonly isHandled: (event: PastEvent) => boolean;
  /** Left out: the beginning of the log. */
  readonly from?: Point;
  /** Included; left out: the end of the log as it is now. */
  readonly to?: Point;
}

/** More than these is a new subscription (`start: all`), not a replay. */
const REPLAYED_MAX = 100_000;

/** There are too many. */
class TooManyEventsError extends Error {
  readonly code = "TOO_MANY_EVENTS";
}

/** Throws TooManyEventsError, and what NATS answers; without a log JetStreamApiError. */
export async function readPast(
  jetStream: JetStream,
  { selection, isHandled, from, to }: PastOptions,
  signal: AbortSignal,
): Promise<PastEvents> {
  const matcher = compileFilter(selection);
  const { state } = await jetStream.api<{ state: { last_seq: number } }>(`STREAM.INFO.${EVENTS_STREAM}`);
  const end = to?.type === "sequence" ? Math.min(to.sequence, state.last_seq) : state.last_seq;
  const endMs = to?.type === "time" ? to.ms : Number.POSITIVE_INFINITY;
  const events: ReplayedEvent[] = [];
  let comingCount = 0;
  for await (const delivered of read(jetStream, readingOf(planSelection(selection).subjects, from), signal, false)) {
    const { message, streamSequence, storedAtMs } = delivered;
    if (streamSequence > end || storedAtMs > endMs) break;
    const envelope = await readEnvelope(jetStream, message, signal);
    if (envelope === undefined || !isMatch(matcher, envelope)) continue;
    const past = { streamSequence, subject: message.subject, messageId: message.header("Nats-Msg-Id") };
    if (!isHandled(past)) comingCount++;
    else events.push({ ...past, id: envelope.id, ...told(envelope, streamSequence) });
    if (events.length > REPLAYED_MAX)
      throw new TooManyEventsError(
        `more than ${REPLAYED_MAX.toLocaleString("en")} events are meant: narrow it with --from and --to, or give a new subscription start: all`,
      );
  }
  return { events, comingCount };
}

function readingOf(filter_subjects: readonly string[], from: Point | undefined): Reading {
  if (from?.type === "sequence")
    return { filter_subjects, deliver_policy: "by_start_sequence", opt_start_seq: Math.max(1, from.sequence) };
  if (from?.type === "time")
    return { filter_subjects, deliver_policy: "by_start_time", opt_start_time: new Date(from.ms).toISOString() };
  return { filter_subjects, deliver_policy: "all" };
}

function isMatch({ match }: ReturnType<typeof compileFilter>, event: Envelope): boolean {
  try {
    return ["matched", "resolving"].includes(match(event).type);
  } catch {
    return true; // it contradicts itself, and would be a dead letter again
  }
}

/** Without the object: a hundred thousand of them would not fit. */
function told(envelope: Envelope, sequence: number): Pick<ReplayedEvent, "envelope" | "facts"> {
  const { id, type, cluster, subject, time, data } = envelope;
  const { apiVersion, kind, metadata } = data.object;
  const object = { apiVersion, kind, metadata: { name: metadata.name, uid: metadata.uid } } as typeof data.object;
  return {
    envelope: { ...envelope, data: { ...data, object, patch: [] } },
    facts: { sequence, id, type, cluster, subject, time },
  };
}
