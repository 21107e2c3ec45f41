/**
 * The timers of a subscription with `for` or `debounce`: an event waits as a scheduled message, and when it is due the object's events in the
 * log tell whether the state that it entered still holds, or whether it was the last that matched. So nothing has to listen for its leaving, and nothing has to be cancelled.
 * Scheduling is compare-and-set: of two events of one object the newer one stays, whichever is handled last.
 */
import {
  type Envelope,
  EVENTS_STREAM,
  findEvent,
  getStored,
  isUnavailable,
  isWrongLastSequence,
  type JetStream,
  type Logger,
  objectPart,
  type StoredMessage,
  type StoredQuery,
  TIMERS_STREAM,
  untilAnswered,
} from "#contract";
import type { Matcher } from "../filter/match.ts";
import { isOlder } from "../incident/incident-record.ts";
import { dueAtMsOf, judgeHeld, type Ripe } from "./held.ts";
import type { Entry } from "./queue.ts";
import { readTimer, type SealedTimer, sealDone, sealTimer, type TimerFacts } from "./timer.ts";
import { ensureTimers } from "./timer-stream.ts";

/** The timers of one subscription. */
export interface Timers {
  readonly type: "window";
  /** Stores the timer of an event; resolves when it is stored, was carried out before, or when a newer event's is there. Rejects when `signal` aborts before. */
  wait(entry: Entry, signal: AbortSignal): Promise<void>;
  /** When the event is due, by the filter as it is now; epoch milliseconds. */
  dueAtMs(entry: Entry): number;
  /** What has become of the state that the event entered; `dueAtMs` is when the server said so. Rejects when `signal` aborts before. */
  judge(entry: Entry, dueAtMs: number, signal: AbortSignal): Promise<Ripe>;
}

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

/** The timers on this connection, of a subscription whose filter has a window. */
export function createTimers(
  jetStream: JetStream,
  subscription: string,
  { window, match }: Matcher & { readonly window: NonNullable<Matcher["window"]> },
  log: Logger,
): Timers {
  const patiently = <T>(ask: () => Promise<T>, signal: AbortSignal) =>
    untilAnswered(ask, { signal, onWait: (error) => log.warn({ error: error.message }, "timers wait for NATS") });
  const dueAtMs = (entry: Entry) => dueAtMsOf(window, entry);
  return {
    type: "window",
    dueAtMs,
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
    judge(entry, nowMs, signal) {
      const since = eventsSince(jetStream, entry, (ask) => patiently(ask, signal), signal);
      return judgeHeld(entry, since, { window, match, nowMs });
    },
  };
}

/** The object's events in the log since one, itself included; what cannot be read tells nothing. `ask` asks again while NATS is away. */
export async function* eventsSince(
  jetStream: JetStream,
  entry: Entry,
  ask: <T>(question: () => Promise<T>) => Promise<T>,
  signal: AbortSignal,
): AsyncGenerator<Envelope, void, void> {
  const query = (wanted: StoredQuery) => ask(() => getStored(jetStream, EVENTS_STREAM, wanted));
  for await (const stored of sinceEntry(entry, query)) {
    const event = await findEvent(jetStream, stored.data, signal);
    if (event !== undefined) yield event;
  }
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
