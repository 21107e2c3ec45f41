/**
 * The timers of a subscription with `for` or `debounce`: an event waits as a scheduled message, and when it is due the object's events in the
 * log tell whether the state that it entered still holds, or whether it was the last that matched. So nothing has to listen for its leaving, and nothing has to be cancelled.
 * Scheduling is compare-and-set: of two events of one object the newer one stays, whichever is handled last.
 */
import {
  BlobLostError,
  type Envelope,
  EVENTS_STREAM,
  getStored,
  isUnavailable,
  isWrongLastSequence,
  type JetStream,
  type KubeObject,
  type Logger,
  MalformedEventError,
  objectPart,
  readEvent,
  type StoredMessage,
  type StoredQuery,
  type StreamSettings,
  TIMERS_STREAM,
  timersStream,
  untilAnswered,
} from "#contract";
import type { Matcher } from "../filter/match.ts";
import { isOlder } from "../incident/incident-record.ts";
import { ensureBesideLog } from "../log-settings.ts";
import { isMatch } from "./frequency.ts";
import { type LoggedEvent, readTimer, type SealedTimer, sealDone, sealTimer, type TimerFacts } from "./timer.ts";

/** An event that entered the state, and where it is from. */
export interface Entry extends LoggedEvent {
  readonly event: Envelope;
}

/** What has become of an event when its time is up. `early`: by the subscription as it is now, the time is not up. */
export type Ripe =
  | { readonly type: "held"; readonly since: string | undefined; readonly object: KubeObject }
  | { readonly type: "left"; readonly reason: string }
  | { readonly type: "early" };

/** The timers of one subscription. */
export interface Timers {
  /** Stores the timer of an event; resolves when it is stored, was carried out before, or when a newer event's is there. Rejects when `signal` aborts before. */
  wait(entry: Entry, signal: AbortSignal): Promise<void>;
  /** What has become of the state that the event entered; `dueAtMs` is when the server said so. Rejects when `signal` aborts before. */
  judge(entry: Entry, dueAtMs: number, signal: AbortSignal): Promise<Ripe>;
}

/** The server may be early by less than it says: its times have no more than milliseconds. */
const EARLY_MS_MAX = 10;

/** Remembers that the event of a timer was carried out. Throws what NATS answers. */
export async function rememberDone(jetStream: JetStream, subscription: string, timer: TimerFacts): Promise<void> {
  const { subject, headers } = sealDone(subscription, timer);
  const known = await orderAt(jetStream, subject);
  if (known === undefined || isOlder(known, timer.order)) await jetStream.publish(subject, "", headers);
}

/** Whether it was carried out, or a newer one of the object was. Throws what NATS answers. */
export async function isDone(
  jetStream: JetStream,
  subscription: string,
  timer: Pick<TimerFacts, "subject" | "order">,
): Promise<boolean> {
  const known = await orderAt(jetStream, sealDone(subscription, timer).subject);
  return known !== undefined && !isOlder(known, timer.order);
}

async function orderAt(jetStream: JetStream, subject: string): Promise<string | undefined> {
  return (await getStored(jetStream, TIMERS_STREAM, { last_by_subj: subject }))?.header("Cr-Order");
}

/** Makes CR_TIMERS when it is missing, with as many copies as the log has. */
export async function ensureTimers(jetStream: JetStream, settings?: StreamSettings): Promise<void> {
  await ensureBesideLog(jetStream, timersStream, settings);
}

/** The timers on this connection, of a subscription whose filter has a window. */
export function createTimers(
  jetStream: JetStream,
  subscription: string,
  { window, match }: Matcher & { readonly window: NonNullable<Matcher["window"]> },
  log: Logger,
): Timers {
  const patiently = <T>(ask: () => Promise<T>, signal: AbortSignal) =>
    untilAnswered(ask, { signal, onWait: (error) => log.warn({ error: error.message }, "timers wait for NATS") });
  const { state } = window;
  const dueAtMs = ({ event, storedAtMs }: Entry) =>
    Math.min(state === undefined ? storedAtMs : Date.parse(state.since(event)), storedAtMs) + window.ms;
  return {
    async wait(entry, signal) {
      const timer = sealTimer(
        subscription,
        entry,
        { order: entry.event.sequence, dueAtMs: dueAtMs(entry) },
        jetStream.payloadBytesMax,
      );
      const facts = { subject: entry.message.subject, order: entry.event.sequence };
      if (await patiently(() => isDone(jetStream, subscription, facts), signal)) return;
      while (!(await patiently(() => storeOnce(jetStream, timer, entry), signal)));
    },
    async judge(entry, nowMs, signal) {
      if (dueAtMs(entry) > nowMs + EARLY_MS_MAX) return { type: "early" };
      const { event } = entry;
      const { uid } = event.data.object.metadata;
      const ask = (query: StoredQuery) => patiently(() => getStored(jetStream, EVENTS_STREAM, query), signal);
      let last: Envelope | undefined;
      for await (const stored of sinceEntry(entry, ask)) {
        const later = await readWhole(jetStream, stored, signal);
        if (later === undefined || isOlder(later.sequence, event.sequence)) continue;
        last = later;
        if (state !== undefined && later.data.object.metadata.uid !== uid)
          return { type: "left", reason: "the object is gone, and another one has its name" };
        if (state?.isSo(later) === false) return { type: "left", reason: "the state did not hold" };
        if (later.id !== event.id && isMatch(match, later))
          return { type: "left", reason: "a newer event of the object matched, and is timed from there" };
      }
      if (state === undefined) return { type: "held", since: undefined, object: event.data.object };
      if (last === undefined) return { type: "left", reason: "the log has no event of the object any more" };
      return { type: "held", since: state.since(event), object: last.data.object };
    },
  };
}

/** What the log has of the object since the event, at least the last one. After a restore sequences tell nothing: then all it has. */
async function* sinceEntry(
  { message, streamSequence }: Entry,
  ask: (query: StoredQuery) => Promise<StoredMessage | undefined>,
): AsyncGenerator<StoredMessage, void, void> {
  const subject = `${objectPart(message.subject)}.>`;
  const last = await ask({ last_by_subj: subject });
  if (last === undefined) return;
  for (let seq = last.sequence < streamSequence ? 1 : streamSequence; seq < last.sequence; ) {
    const next = await ask({ next_by_subj: subject, seq });
    if (next === undefined || next.sequence >= last.sequence) break;
    yield next;
    seq = next.sequence + 1;
  }
  yield last;
}

/** What cannot be read tells nothing. */
async function readWhole(
  jetStream: JetStream,
  { data }: StoredMessage,
  signal: AbortSignal,
): Promise<Envelope | undefined> {
  try {
    return await readEvent(jetStream, data, signal);
  } catch (error) {
    if (error instanceof BlobLostError || error instanceof MalformedEventError) return undefined;
    throw error;
  }
}

/** Resolves to false when another timer of the object was stored meanwhile. */
async function storeOnce(jetStream: JetStream, timer: SealedTimer, { event }: Entry): Promise<boolean> {
  const found = await getStored(jetStream, TIMERS_STREAM, { last_by_subj: timer.subject });
  const known = found && readTimer(found);
  if (known !== undefined && isOlder(event.sequence, known.order)) return true;
  const isThere = known?.order === event.sequence && found?.header("Nats-Schedule") === timer.headers["Nats-Schedule"];
  if (isThere) return true;
  const headers = { ...timer.headers, "Nats-Expected-Last-Subject-Sequence": String(found?.sequence ?? 0) };
  try {
    await jetStream.publish(timer.subject, timer.payload, headers);
    return true;
  } catch (error) {
    if (isWrongLastSequence(error)) return false;
    if (!isUnavailable(error)) throw error;
    await ensureTimers(jetStream);
    return false;
  }
}
