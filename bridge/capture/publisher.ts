/**
 * Brings the log up to what was seen of one object: decides what happened, makes the event from the last published state, and
 * publishes it behind the fence, until there is nothing more to tell. When the log turns out to know better (another leader, an
 * earlier life of this process), its word is taken over and the decision made again, never the other way round.
 */
import { type Backoff, createBackoff, REFLECTOR_BACKOFF } from "../backoff.ts";
import { type Decision, decide, type Sighting, versionOf } from "../event/occurrence.ts";
import { type ObservedState, type SealedEvent, seal, TooDeepError } from "../event/seal.ts";
import type { ApiServer } from "../kube/api-server.ts";
import { BlobLostError } from "../log/blob.ts";
import { type EventLog, readLast, traceAfter } from "../log/event-log.ts";
import type { Sink } from "../log/sink.ts";
import { absenceAfter, type KnownObject, type Store } from "../log/store.ts";
import type { Logger } from "../logger.ts";
import type { Metrics } from "../metrics/metrics.ts";
import type { JetStream } from "../nats/jetstream.ts";
import { recordPublished } from "../trace/event-span.ts";
import { parseTraceparent, traceFields } from "../trace/trace-context.ts";
import type { Tracing } from "../trace/tracing.ts";
import { resourceTitle, type WatchedResource } from "./resource.ts";
import { absenceOf, departureOf, occurrenceOf } from "./sighting.ts";

/** What the publisher of one watch works with. */
export interface PublisherOptions {
  readonly resource: WatchedResource;
  readonly apiServer: ApiServer;
  readonly jetStream: JetStream;
  readonly log: EventLog;
  readonly sink: Sink;
  readonly store: Store;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Left out: nothing is told as spans. */
  readonly tracing?: Tracing | undefined;
  /** Aborts what cannot be finished any more. */
  readonly deadline: AbortSignal;
  /** Hears of every event the log acknowledged. */
  readonly onStored: (id: string, sequence: number) => void;
}

/** One object at a time: calls for the same object must not overlap. All reject only when `deadline` aborts. */
export interface Publisher {
  /** Publishes what the sighting tells that the log does not have yet. Where there is a selection, what a DELETED means is looked up first. */
  publish(object: string, sighting: Sighting): Promise<void>;
  /** Publishes that an object is gone, or has left the selection, which a list of this version did not have. */
  publishAbsence(object: string, listVersion: string, epoch: number): Promise<void>;
  /** Takes over what the log says about the object, whatever memory says. */
  adopt(object: string): Promise<void>;
}

/** A deletion, a creation and two refusals in between are life; more rounds for one sighting are a fight with somebody. */
const ROUNDS_EXPECTED = 5;
/** Hundreds of objects may wait for the same server: it is told once in a while, not for each of them. */
const TELL_EVERY_MS = 5_000;

/** While a cluster of NATS finds a new leader, the old one may answer for a moment. */
const LOST_TRIES = 3;
const LOST_SENTENCE =
  "what was last published about this object is gone from the bucket CR_BLOBS: its state is published without a difference";

/** What is known of the state that was last published; `isLost`: only which object it was, and its phase. */
interface LastState {
  readonly before: ObservedState | undefined;
  readonly isLost: boolean;
}

const NO_STATE: LastState = { before: undefined, isLost: false };

/** An update without its difference is a first sight. */
function withoutBefore(decision: Decision): Decision {
  return decision.op === "updated" ? { op: "existing", gap: true } : decision;
}

/** Makes the publisher of one watch. */
export function createPublisher(options: PublisherOptions): Publisher {
  const { resource, apiServer, log, sink, store, logger, metrics, tracing, deadline } = options;
  const title = resourceTitle(resource);
  let toldAtMs = Number.NEGATIVE_INFINITY;

  const publish = async (object: string, sighting: Sighting) => {
    let backoff: Backoff | undefined;
    for (let round = 1; ; round++) {
      const decision = decide(store.get(object), sighting);
      if (decision === undefined) return;
      try {
        await publishNext(object, sighting, decision);
      } catch (error) {
        if (!(error instanceof TooDeepError)) throw error;
        logger.error({ resource: title, object, error: error.message }, "this object is not told; the others are");
        return nothingToTell(object, sighting);
      }
      if (round < ROUNDS_EXPECTED) continue;
      logger.error(
        { object, round, op: decision.op },
        "the log keeps changing under this object: is another bridge capturing it?",
      );
      backoff ??= createBackoff(REFLECTOR_BACKOFF);
      await backoff.wait(deadline);
    }
  };
  const publishNext = async (object: string, sighting: Sighting, decision: Decision) => {
    const known = store.get(object);
    const asked = lastState(object, known);
    const last = asked instanceof Promise ? await asked : asked;
    if (known !== undefined && !known.absence && last.before === undefined) return await adopt(object);
    const seenAtMs = Date.now();
    const decided = last.isLost ? withoutBefore(decision) : decision;
    const event = seal(resource, occurrenceOf(sighting, decided, last.before, seenAtMs), tracing?.isSampled);
    if (event === undefined) return nothingToTell(object, sighting);
    const result = await sink.publish(object, event, known?.fence ?? 0, deadline);
    if (result.type === "conflict") {
      metrics.refused(title);
      return await adopt(object);
    }
    remember(object, event, result.sequence);
    options.onStored(event.id, result.sequence);
    metrics.published(title, { ...event, ms: Date.now() - seenAtMs });
    if (tracing !== undefined) recordPublished(tracing, event, seenAtMs);
    if (logger.isLevelEnabled("debug")) tellPublished(event, result.sequence);
  };
  const tellPublished = ({ id, subject, envelope }: SealedEvent, sequence: number) => {
    const trace = traceFields(parseTraceparent(envelope.traceparent));
    logger.debug({ resource: title, subject, id, sequence, ...trace }, "published");
  };
  /** Only ignored paths changed, or it cannot be told: the log keeps its event, memory the newer version, so that it is not compared again. */
  const nothingToTell = (object: string, sighting: Sighting) => {
    const known = store.get(object);
    if (known !== undefined) store.set(object, { ...known, resourceVersion: versionOf(sighting) });
  };
  const remember = (object: string, event: SealedEvent, sequence: number) => {
    const { op, resourceVersion, after, payload } = event;
    const { uid } = after.object.metadata;
    const known = { uid, resourceVersion, sequence, fence: sequence, absence: absenceAfter(op) };
    store.set(object, known, after, payload.length);
  };
  const adopt = async (object: string) => {
    const last = await answerOf(() => readLast(log, object, deadline));
    store.delete(object);
    if (last !== undefined) store.set(object, last.known);
  };
  /** Without a promise where it is in memory, as it mostly is. */
  const lastState = (object: string, known: KnownObject | undefined): LastState | Promise<LastState> => {
    if (known === undefined || known.absence) return NO_STATE;
    const before = store.stateOf(object);
    return before === undefined ? loggedState(object, known) : { before, isLost: false };
  };
  const loggedState = async (object: string, { sequence }: KnownObject): Promise<LastState> => {
    const logged = await answerOf(() => log.eventAt(sequence));
    if (logged?.envelope === undefined) return NO_STATE;
    const { envelope } = logged;
    try {
      const before = await answerOf(() => log.stateAfter(envelope, resource.redaction), LOST_TRIES);
      return { before, isLost: false };
    } catch (error) {
      if (!(error instanceof BlobLostError)) throw error;
      logger.error({ object, sequence, error: error.message }, LOST_SENTENCE);
      return { before: traceAfter(envelope), isLost: true };
    }
  };
  /** Asks until there is an answer: without it the object cannot go on. So many answers that a blob is lost are one. */
  const answerOf = async <T>(ask: () => Promise<T>, lostTries = 1): Promise<T> => {
    let backoff: Backoff | undefined;
    for (let lost = 0; ; ) {
      deadline.throwIfAborted();
      try {
        return await ask();
      } catch (error) {
        if (error instanceof BlobLostError && ++lost >= lostTries) throw error;
        if (performance.now() - toldAtMs >= TELL_EVERY_MS) {
          toldAtMs = performance.now();
          logger.warn({ resource: title, error: (error as Error).message }, "no answer yet: asking again");
        }
        backoff ??= createBackoff(REFLECTOR_BACKOFF);
        await backoff.wait(deadline);
        await options.jetStream.whenConnected(deadline);
      }
    }
  };
  return {
    publish(object, sighting) {
      const isDeparture = resource.selects && sighting.type === "deleted";
      if (!isDeparture || decide(store.get(object), sighting) === undefined) return publish(object, sighting);
      const question = { apiServer, resource, key: object, signal: deadline };
      return answerOf(() => departureOf(question, sighting)).then((found) => publish(object, found));
    },
    adopt,
    async publishAbsence(object, listVersion, epoch) {
      const known = store.get(object);
      const question = { apiServer, resource, key: object, known, listVersion, epoch, signal: deadline };
      const absence = await answerOf(() => absenceOf(question));
      if (absence !== undefined) await publish(object, absence);
    },
  };
}
