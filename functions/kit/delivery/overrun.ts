/**
 * Events that a slow or stopped subscription will not get to read any more. CR_EVENTS keeps of each exact subject the newest few
 * events, and drops the oldest for a new one whoever has read it. This finds which of the subscription's objects lost events to that,
 * and at most how many; each loss is told once, and counted. The publisher pays nothing for it, and the delivery neither: it is a look
 * at the log now and then, and only while more events are pending than are kept of one subject.
 */
import { type JetStream, type Logger, objectPart, parseObjectSubject } from "#contract";
import { type ConsumerProgress, findEventsLog } from "./consumer.ts";
import { droppedBetween, eventsUnreadOf, fullSubjects, type Overrun, overrunOf } from "./overrun-search.ts";

/** Counted since the process started. */
export interface OverrunCounts {
  /** Objects of which events were dropped before the subscription read them, each once for every time that it was overrun. */
  readonly overrunObjects: number;
  /** At most so many events were: dropped events of other subscriptions are among them. */
  readonly overrunEventsMax: number;
  /** Unread events of subjects that are nearly full: the oldest of them are the next to be dropped. As of the last look. */
  readonly eventsAtRisk: number;
}

/** Watches one partition of a subscription. */
export interface OverrunWatch {
  counts(): OverrunCounts;
  /** Looks once, from where the consumer is. Does nothing while another look is under way. Never rejects. */
  look(askProgress: () => Promise<ConsumerProgress>): Promise<void>;
}

/** Full subjects that one look asks for messages of, up to 2 s on a busy server; where there are more, the next look goes on there. */
const SUBJECTS_MAX = 1_000;
/** From so full on, in relation to what is kept, a subject's events are at risk. */
const RISK_SHARE = 0.75;
/** Objects by name in a log line. */
const NAMED_MAX = 5;

/** One loss: from when it was noticed until the subscription is past it. */
interface Loss {
  /** Where the subscription was when it was noticed. */
  readonly afterSequence: number;
  /** The oldest event that is left, of the object that lost most: there the loss ends. The log's end when not all was looked at. */
  readonly upToSequence: number;
  readonly eventsMax: number;
  readonly objects: ReadonlySet<string>;
}

/** Starts with nothing told. */
export function createOverrunWatch(jetStream: JetStream, subjects: readonly string[], log: Logger): OverrunWatch {
  const past = { objects: 0, eventsMax: 0 };
  let loss: Loss | undefined;
  let cursor = 0;
  let eventsAtRisk = 0;
  let looking = false;
  let failed = false;

  const closeLoss = () => {
    past.objects += loss?.objects.size ?? 0;
    past.eventsMax += loss?.eventsMax ?? 0;
    loss = undefined;
  };
  const lookOnce = async (progress: ConsumerProgress) => {
    const eventsLog = await findEventsLog(jetStream);
    if (eventsLog === undefined) return;
    const { perSubjectMax, lastSequence } = eventsLog;
    const { deliveredSequence, pendingCount } = progress;
    // A log that ends before the loss was replaced, or restored from an older copy.
    if (loss && (deliveredSequence >= loss.upToSequence || lastSequence < loss.upToSequence)) closeLoss();
    // All that is kept of an overrun subject is pending.
    const atRiskFrom = Math.ceil(perSubjectMax * RISK_SHARE);
    if (perSubjectMax < 1 || pendingCount < atRiskFrom) {
      eventsAtRisk = 0;
      return;
    }
    const full = await fullSubjects(jetStream, subjects, perSubjectMax, atRiskFrom);
    eventsAtRisk = await eventsUnreadOf(jetStream, [...full.nearly].slice(0, SUBJECTS_MAX), progress);
    if (pendingCount < perSubjectMax) return;
    if (full.subjects.length <= SUBJECTS_MAX || cursor >= full.subjects.length) cursor = 0;
    const looked = full.subjects.slice(cursor, cursor + SUBJECTS_MAX);
    cursor += looked.length;
    const found = await overrunOf(jetStream, looked, progress);
    if (found.length === 0) return;
    const isPart = full.isPart || looked.length < full.subjects.length;
    const ends = isPart ? [lastSequence] : found.map(({ oldestSequence }) => oldestSequence);
    const next = await widened(jetStream, loss, { found, ends, deliveredSequence });
    // The newest ones are all that there were.
    if (next.eventsMax === 0) return;
    const fresh = [...next.objects].filter((object) => !loss?.objects.has(object));
    loss = next;
    if (fresh.length > 0) tell(log, { fresh, eventsMax: next.eventsMax, perSubjectMax, isPart });
  };
  return {
    counts: () => ({
      overrunObjects: past.objects + (loss?.objects.size ?? 0),
      overrunEventsMax: past.eventsMax + (loss?.eventsMax ?? 0),
      eventsAtRisk,
    }),
    async look(askProgress) {
      if (looking || !jetStream.connected) return;
      looking = true;
      try {
        await lookOnce(await askProgress());
        failed = false;
      } catch (error) {
        // Nothing is lost by a look that fails: the next one finds the same, or more.
        const reason = error instanceof Error ? error.message : String(error);
        if (!failed && jetStream.connected)
          log.warn({ reason }, "cannot tell whether events were dropped before they were read; looking again later");
        failed = true;
      } finally {
        looking = false;
      }
    },
  };
}

/** What a look found. */
interface Found {
  readonly found: readonly Overrun[];
  /** Where it may end: the furthest counts. */
  readonly ends: readonly number[];
  readonly deliveredSequence: number;
}

/** The same loss with what was found now. */
async function widened(
  jetStream: JetStream,
  loss: Loss | undefined,
  { found, ends, deliveredSequence }: Found,
): Promise<Loss> {
  const afterSequence = loss?.afterSequence ?? deliveredSequence;
  const upToSequence = Math.max(loss?.upToSequence ?? 0, ...ends);
  return {
    afterSequence,
    upToSequence,
    eventsMax: await droppedBetween(jetStream, afterSequence, upToSequence),
    objects: new Set([...(loss?.objects ?? []), ...found.map(({ subject }) => objectPart(subject))]),
  };
}

interface Told {
  readonly fresh: readonly string[];
  readonly eventsMax: number;
  readonly perSubjectMax: number;
  /** There are more subjects than one look takes. */
  readonly isPart: boolean;
}

function tell(log: Logger, { fresh, eventsMax, perSubjectMax, isPart }: Told): void {
  const objects = fresh.slice(0, NAMED_MAX).map((object) => {
    const { namespace, name } = parseObjectSubject(object);
    return namespace === "" ? name : `${namespace}/${name}`;
  });
  const count = `${isPart ? "at least " : ""}${fresh.length} object${fresh.length === 1 ? "" : "s"}`;
  log.warn(
    { objects, overrunObjects: fresh.length, overrunEventsMax: eventsMax },
    `of ${count}, older events were dropped before this subscription read them (at most ${eventsMax} events); the newest ` +
      `${perSubjectMax} of each kind of change are there: find out what is slow, run more processes, or raise streams.eventsPerSubjectMax`,
  );
}
