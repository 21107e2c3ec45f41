/**
 * The events of a subscription with `batch`: each waits in CR_TIMERS by its id until the window that the first one opened is over; then as
 * many as fit are one call. Which they are is stored before the call, so that every try of it, in whatever process, has the same ones.
 *
 *     crtimer.member.<subscription>.<event id>    an event that waits
 *     crtimer.wait.<subscription>.batch           the window
 *     crtimer.due.<subscription>.batch            its end
 *     crtimer.frozen.<subscription>               the ids of a call, until it has ended
 *     crtimer.done.<subscription>.<event id>      for a day: it was in a call
 */
import { z } from "zod";
import {
  type Envelope,
  encodeToken,
  getStored,
  isUnavailable,
  isWrongLastSequence,
  type JetStream,
  type Logger,
  read,
  readEvent,
  TIMERS_ROOT,
  TIMERS_STREAM,
  untilAnswered,
} from "#contract";
import { removeFrom } from "../delivery/removal.ts";
import { eventIn, type LoggedEvent, readTimer, sealTimer } from "./timer.ts";
import { type Entry, ensureTimers } from "./timers.ts";

/** The events of one call, oldest first, and where each is from. */
export interface Batch {
  readonly events: readonly Envelope[];
  readonly members: readonly LoggedEvent[];
}

/** The batches of one subscription. */
export interface Batches {
  /** Stores an event; resolves when it is stored, or was in a call before. Rejects when `signal` aborts before. */
  wait(entry: Entry, signal: AbortSignal): Promise<void>;
  /** The events of the call that is due; `undefined`: none waits. Rejects when `signal` aborts before. */
  take(signal: AbortSignal): Promise<Batch | undefined>;
  /** The call has ended. Throws what NATS answers. */
  finish(signal: AbortSignal): Promise<void>;
}

/** How long the window is, and how many are in one call. */
export interface BatchLimits {
  readonly ms: number;
  readonly max: number;
}

const Frozen = z.object({ ids: z.array(z.string()), ended: z.boolean() });
type Frozen = z.infer<typeof Frozen>;
const DONE_TTL = "24h";
/** Of a subscription that is no more. */
const MEMBER_TTL = "960h";

/** The batches on this connection. */
export function createBatches(jetStream: JetStream, subscription: string, limits: BatchLimits, log: Logger): Batches {
  const subject = (part: string, id?: string) =>
    [TIMERS_ROOT, part, encodeToken(subscription), ...(id === undefined ? [] : [id])].join(".");
  const patiently = <T>(ask: () => Promise<T>, signal: AbortSignal) =>
    untilAnswered(ask, { signal, onWait: (error) => log.warn({ error: error.message }, "batches wait for NATS") });
  const last = (last_by_subj: string) => getStored(jetStream, TIMERS_STREAM, { last_by_subj });
  const remove = async (name: string) => {
    const found = await last(name);
    if (found !== undefined) await removeFrom(jetStream, TIMERS_STREAM, found.sequence);
  };
  const openWindow = async (dueAtMs: number) => {
    const wait = subject("wait", "batch");
    if ((await last(wait)) !== undefined) return;
    try {
      await jetStream.publish(wait, "", {
        "Nats-Schedule": `@at ${new Date(dueAtMs).toISOString()}`,
        "Nats-Schedule-Target": subject("due", "batch"),
        "Nats-Expected-Last-Subject-Sequence": "0",
      });
    } catch (error) {
      if (!isWrongLastSequence(error)) throw error;
    }
  };
  const frozen = async (): Promise<Frozen | undefined> => {
    const found = await last(subject("frozen"));
    return found && Frozen.parse(JSON.parse(Buffer.from(found.data).toString("utf8")));
  };
  const freeze = (value: Frozen) => jetStream.publish(subject("frozen"), JSON.stringify(value), {});
  const membersOf = async (signal: AbortSignal, wanted?: readonly string[]) => {
    const found: LoggedEvent[] = [];
    const reading = { filter_subjects: [subject("member", "*")], deliver_policy: "all" } as const;
    for await (const { message } of read(jetStream, reading, signal, false, TIMERS_STREAM)) {
      const facts = readTimer(message);
      const id = message.subject.slice(message.subject.lastIndexOf(".") + 1);
      if (facts === undefined || wanted?.includes(id) === false) continue;
      const { streamSequence, storedAtMs } = facts;
      found.push({ message: eventIn(facts, message.data), streamSequence, storedAtMs });
      if (wanted === undefined && found.length > limits.max) break;
    }
    // Objects are stored beside each other, so the order is the log's only now.
    return found.sort((one, other) => one.storedAtMs - other.storedAtMs || one.streamSequence - other.streamSequence);
  };
  const eventsOf = (members: readonly LoggedEvent[], signal: AbortSignal) =>
    Promise.all(members.map(({ message }) => readEvent(jetStream, message.data, signal)));
  const clear = async ({ ids }: Frozen) => {
    for (const id of ids) {
      await jetStream.publish(subject("done", id), "", { "Nats-TTL": DONE_TTL });
      await remove(subject("member", id));
    }
    await remove(subject("frozen"));
  };
  return {
    wait: (entry, signal) =>
      patiently(async () => {
        const id = encodeToken(entry.event.id);
        if ((await last(subject("done", id))) !== undefined) return;
        const sealed = sealTimer(
          subscription,
          entry,
          { order: entry.event.sequence, dueAtMs: 0 },
          jetStream.payloadBytesMax,
        );
        const facts = Object.entries(sealed.headers).filter(([name]) => !name.startsWith("Nats-"));
        const headers = { ...Object.fromEntries(facts), "Nats-TTL": MEMBER_TTL };
        try {
          if ((await last(subject("member", id))) === undefined)
            await jetStream.publish(subject("member", id), sealed.payload, headers);
          await openWindow(Date.now() + limits.ms);
        } catch (error) {
          if (isUnavailable(error)) await ensureTimers(jetStream);
          throw error;
        }
      }, signal),
    take: (signal) =>
      patiently(async () => {
        let known = await frozen();
        if (known?.ended) await clear(known);
        if (known?.ended) known = undefined;
        const members = (await membersOf(signal, known?.ids)).slice(0, limits.max);
        const events = await eventsOf(members, signal);
        if (events.length === 0) return undefined;
        if (known === undefined) await freeze({ ids: events.map(({ id }) => encodeToken(id)), ended: false });
        return { events, members };
      }, signal),
    finish: (signal) =>
      patiently(async () => {
        const known = await frozen();
        if (known !== undefined) {
          await freeze({ ...known, ended: true });
          await clear(known);
        }
        if ((await membersOf(signal)).length > 0) await openWindow(Date.now());
      }, signal),
  };
}
