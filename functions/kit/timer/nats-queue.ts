/**
 * The queues of a subscription in CR_TIMERS.
 *
 *     crtimer.member.<subscription>.<group>.<object, six tokens>.<event id>     an event that waits
 *     crtimer.wait.<subscription>.queue.<group>      when to wake
 *     crtimer.due.<subscription>.queue.<group>       it is time
 *     crtimer.call.<subscription>.<group>            the members of a call, until they have left
 *     crtimer.done.<subscription>.<event id>         for a day: it was carried out
 */
import { z } from "zod";
import {
  encodeToken,
  getStored,
  isUnavailable,
  isWrongLastSequence,
  type JetStream,
  type Logger,
  objectPart,
  read,
  TIMERS_ROOT,
  TIMERS_STREAM,
  unlessMissing,
  untilAnswered,
} from "#contract";
import { removeFrom } from "../delivery/removal.ts";
import { type Call, type Entry, LOST, type Member, type Queue } from "./queue.ts";
import { GROUPS_MAX } from "./rate.ts";
import { eventIn, readTimer, sealTimer } from "./timer.ts";
import { payloadOf } from "./timer-payload.ts";
import { countTimers, ensureTimers } from "./timer-stream.ts";

const StoredCall = z.object({ ids: z.array(z.string()), ended: z.boolean() });
const DONE_TTL = "24h";
/** Of a subscription that is no more: longer than anything waits. */
const MEMBER_TTL = "960h";

/** The queues on this connection. */
export function createNatsQueue(jetStream: JetStream, subscription: string, log: Logger): Queue {
  const subject = (part: string, ...rest: readonly string[]) =>
    [TIMERS_ROOT, part, encodeToken(subscription), ...rest].join(".");
  const patiently = <T>(ask: () => Promise<T>, signal: AbortSignal) =>
    untilAnswered(ask, { signal, onWait: (error) => log.warn({ error: error.message }, "what waits, waits for NATS") });
  const last = (last_by_subj: string) => getStored(jetStream, TIMERS_STREAM, { last_by_subj });
  const remove = async (name: string) => {
    const found = await last(name);
    if (found !== undefined) await removeFrom(jetStream, TIMERS_STREAM, found.sequence);
  };
  /** A stream that is missing is made, and it is tried again. */
  const withStream = async <T>(publish: () => Promise<T>): Promise<T> => {
    try {
      return await publish();
    } catch (error) {
      if (isUnavailable(error)) await ensureTimers(jetStream);
      throw error;
    }
  };
  const store = async (entry: Entry, group: string) => {
    const { event, message } = entry;
    const id = encodeToken(event.id);
    if ((await last(subject("done", id))) !== undefined) return "done";
    const name = subject("member", "*", objectPart(message.subject), id);
    if ((await last(name)) !== undefined) return "there";
    const facts = { order: event.sequence, dueAtMs: 0 };
    const { headers, payload } = sealTimer(subscription, entry, facts, jetStream.payloadBytesMax);
    const own = Object.entries(headers).filter(([key]) => !key.startsWith("Nats-"));
    const stored = { ...Object.fromEntries(own), "Nats-TTL": MEMBER_TTL };
    await jetStream.publish(subject("member", group, objectPart(message.subject), id), payload, stored);
    return "stored";
  };
  const wake = async (group: string, atMs: number, isSooner: boolean) => {
    const name = subject("wait", "queue", group);
    if (!isSooner && (await last(name)) !== undefined) return;
    try {
      await jetStream.publish(name, "", {
        "Nats-Schedule": `@at ${new Date(atMs).toISOString()}`,
        "Nats-Schedule-Target": subject("due", "queue", group),
        ...(!isSooner && { "Nats-Expected-Last-Subject-Sequence": "0" }),
      });
    } catch (error) {
      if (!isWrongLastSequence(error)) throw error;
    }
  };
  const first = async (group: string, max: number, signal: AbortSignal, ids?: readonly string[]) => {
    const found: Member[] = [];
    const reading = { filter_subjects: [subject("member", group, ">")], deliver_policy: "all" } as const;
    const reader = read(jetStream, reading, signal, false, TIMERS_STREAM);
    for await (const { message, storedAtMs: sinceMs } of reader) {
      const facts = readTimer(message);
      const id = message.subject.slice(message.subject.lastIndexOf(".") + 1);
      if (facts === undefined || ids?.includes(id) === false) continue;
      const data = facts.payloadOmitted ? await payloadOf(jetStream, facts) : message.data;
      const { streamSequence, storedAtMs } = facts;
      const event = { message: eventIn(facts, data ?? new Uint8Array()), streamSequence, storedAtMs };
      found.push({
        ...event,
        id,
        group,
        object: objectPart(facts.subject),
        sinceMs,
        ...(data === undefined && { lost: LOST }),
      });
      if (found.length >= (ids?.length ?? max)) break;
    }
    signal.throwIfAborted(); // which ends the reading without an error
    // Objects are stored beside each other, so the order is the log's only now.
    return found.sort((one, other) => one.storedAtMs - other.storedAtMs || one.streamSequence - other.streamSequence);
  };
  return {
    now: Date.now,
    enter: (entry, group, signal) => patiently(() => withStream(() => store(entry, group)), signal),
    async hasRoom(group, signal) {
      const isThere = await patiently(() => last(subject("member", group, ">")), signal);
      if (isThere !== undefined) return true;
      return (await patiently(() => countTimers(jetStream, [subject("wait", "queue", "*")]), signal)) < GROUPS_MAX;
    },
    async groupOf(object, signal) {
      const found = await patiently(() => last(subject("member", "*", object, "*")), signal);
      return found?.subject.split(".")[3];
    },
    count: (group, signal) => patiently(() => countTimers(jetStream, [subject("member", group, ">")]), signal),
    first: (group, max, signal, ids) =>
      patiently(async () => (await unlessMissing("stream", first(group, max, signal, ids))) ?? [], signal),
    leave: ({ id, group, object }, signal) =>
      patiently(async () => {
        await withStream(() => jetStream.publish(subject("done", id), "", { "Nats-TTL": DONE_TTL }));
        await remove(subject("member", group, object, id));
      }, signal),
    wake: (group, atMs, signal, isSooner = false) =>
      patiently(() => withStream(() => wake(group, atMs, isSooner)), signal),
    call: (group, signal) =>
      patiently(async () => {
        const found = await last(subject("call", group));
        return found && StoredCall.parse(JSON.parse(Buffer.from(found.data).toString("utf8")));
      }, signal),
    keepCall: (group, call: Call | undefined, signal) =>
      patiently(async () => {
        const name = subject("call", group);
        if (call === undefined) await remove(name);
        else await withStream(() => jetStream.publish(name, JSON.stringify(call), { "Nats-TTL": MEMBER_TTL }));
      }, signal),
  };
}
