/**
 * Which exact subjects lost events that a consumer had not been delivered yet. A subject that holds as many events as are kept, all of
 * them behind the consumer, may have lost older ones: events are dropped oldest first. Each event names its object's event before it
 * (the fence that it was published with), so where that chain leads back to the consumer's place nothing is missing. What was dropped
 * before the consumer was made is not its loss.
 * Source: JetStream API, `$JS.API.STREAM.INFO` with `subjects_filter` (at most 100,000 subjects an answer) and `.STREAM.MSG.GET`
 * (ADR-31); the header `Nats-Expected-Last-Subject-Sequence` as `bridge/log/event-log.ts` sets it.
 */
import { EVENTS_STREAM, type JetStream, unlessMissing } from "#contract";
import { type ConsumerProgress, findPlace } from "./consumer.ts";

/** A subject of which events were dropped unread, and the oldest that is left. */
export interface Overrun {
  readonly subject: string;
  readonly oldestSequence: number;
}

/** Answers for one filter, of 100,000 subjects each: 0.4 s of the server's time, and 9 MB. */
const PAGES_MAX = 5;
/** Questions under way at once: the look is in no hurry, and others use the connection. */
const IN_FLIGHT_MAX = 16;
/** Events of other kinds that an object may have before the oldest one that is left; past them it counts as overrun. */
const PREDECESSORS_MAX = 64;

interface SubjectsPage {
  readonly state: { readonly subjects?: Readonly<Record<string, number>> };
  readonly total?: number;
}
interface StoredMessage {
  readonly message: { readonly seq: number; readonly time: string; readonly hdrs?: string };
}

/** The subjects that hold as many events as are kept, and those that hold at least `nearlyFrom`; `isPart` when there are more subjects than are looked through. */
export async function fullSubjects(
  jetStream: JetStream,
  filters: readonly string[],
  perSubjectMax: number,
  nearlyFrom: number = perSubjectMax,
): Promise<{
  readonly subjects: readonly string[];
  readonly nearly: ReadonlyMap<string, number>;
  readonly isPart: boolean;
}> {
  // Filters may overlap.
  const nearly = new Map<string, number>();
  let isPart = false;
  for (const filter of filters) {
    let offset = 0;
    for (let page = 1; ; page++) {
      const query = { subjects_filter: filter, offset };
      const { state, total = 0 } = await jetStream.api<SubjectsPage>(`STREAM.INFO.${EVENTS_STREAM}`, query);
      const counts = Object.entries(state.subjects ?? {});
      for (const [subject, count] of counts) if (count >= nearlyFrom) nearly.set(subject, count);
      offset += counts.length;
      if (counts.length === 0 || offset >= total) break;
      isPart ||= page === PAGES_MAX;
      if (page === PAGES_MAX) break;
    }
  }
  const subjects = [...nearly].filter(([, count]) => count >= perSubjectMax).map(([subject]) => subject);
  return { subjects, nearly, isPart };
}

/** How many events these subjects hold, of those of which none is finished. */
export async function eventsUnreadOf(
  jetStream: JetStream,
  subjects: readonly (readonly [subject: string, count: number])[],
  { floorSequence }: ConsumerProgress,
): Promise<number> {
  let unread = 0;
  const rest = subjects.values();
  const work = async () => {
    for (const [subject, count] of rest) {
      const oldest = await findMessage(jetStream, { seq: 1, next_by_subj: subject });
      if (oldest !== undefined && oldest.sequence > floorSequence) unread += count;
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT_MAX }, work));
  return unread;
}

/** Those of these full subjects that were overrun. */
export async function overrunOf(
  jetStream: JetStream,
  subjects: readonly string[],
  progress: ConsumerProgress,
): Promise<readonly Overrun[]> {
  const overrun: Overrun[] = [];
  const rest = subjects.values();
  const work = async () => {
    for (const subject of rest) {
      const oldestSequence = await oldestAfterLoss(jetStream, subject, progress);
      if (oldestSequence !== undefined) overrun.push({ subject, oldestSequence });
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT_MAX }, work));
  return overrun;
}

/**
 * How many events between two sequences, both left out, are no longer in the log, whosever they were: at most as many were lost to
 * a subscription that was overrun there.
 */
export async function droppedBetween(
  jetStream: JetStream,
  afterSequence: number,
  beforeSequence: number,
): Promise<number> {
  const behind = await findPlace(jetStream, { fromSequence: afterSequence + 1 });
  const further = await findPlace(jetStream, { fromSequence: beforeSequence });
  const left = behind.messageCount - further.messageCount;
  return Math.max(0, beforeSequence - afterSequence - 1 - Math.max(0, left));
}

async function oldestAfterLoss(
  jetStream: JetStream,
  subject: string,
  { deliveredSequence, createdAtMs }: ConsumerProgress,
): Promise<number | undefined> {
  const oldest = await findMessage(jetStream, { seq: 1, next_by_subj: subject });
  if (oldest === undefined || oldest.sequence <= deliveredSequence) return undefined;
  if (oldest.storedAtMs <= createdAtMs) {
    // An event is dropped in the moment that a newer one is stored.
    const newest = await findMessage(jetStream, { last_by_subj: subject });
    if (newest === undefined || newest.storedAtMs <= createdAtMs) return undefined;
  }
  let at: Message | undefined = oldest;
  for (let steps = 0; steps < PREDECESSORS_MAX && at?.predecessor !== undefined; steps++) {
    if (at.predecessor <= deliveredSequence) return undefined;
    at = await findMessage(jetStream, { seq: at.predecessor });
  }
  return oldest.sequence;
}

interface Message {
  readonly sequence: number;
  readonly storedAtMs: number;
  /** The sequence of the event before it of the same object, 0 for none; `undefined` when the message does not say. */
  readonly predecessor: number | undefined;
}

async function findMessage(
  jetStream: JetStream,
  query: Readonly<Record<string, unknown>>,
): Promise<Message | undefined> {
  const asked = jetStream.api<StoredMessage>(`STREAM.MSG.GET.${EVENTS_STREAM}`, query);
  const answer = await unlessMissing("message", asked);
  if (answer === undefined) return undefined;
  const { seq, time, hdrs = "" } = answer.message;
  const headers = Buffer.from(hdrs, "base64").toString("utf8");
  const predecessor = /^Nats-Expected-Last-Subject-Sequence: (\d+)\r?$/m.exec(headers)?.[1];
  return {
    sequence: seq,
    storedAtMs: Date.parse(time),
    predecessor: predecessor === undefined ? undefined : Number(predecessor),
  };
}
