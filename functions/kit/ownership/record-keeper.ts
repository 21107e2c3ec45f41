/**
 * Keeps one subscription's record: makes the first one, proposes an edit when this process' file asks for something else than the record
 * says, and brings an edit into force, step by step. Every step is a compare-and-set by whichever process is first, so it does not
 * matter which of them die on the way, nor when.
 */
import { type Envelope, isWrongLastSequence, type JetStream, type Logger } from "#contract";
import { deleteConsumer, type EventsLog, findConsumer, findConsumers, findEventsLog } from "../delivery/consumer.ts";
import { Selection } from "../filter/filter.ts";
import { compileFilter } from "../filter/match.ts";
import type { Binding } from "../subscription.ts";
import { adopt, endOf } from "./adoption.ts";
import type { Bucket } from "./bucket.ts";
import type { Membership } from "./membership.ts";
import { consumerName } from "./partition.ts";
import {
  forAnotherLog,
  newestOf,
  type Place,
  SubscriptionRecord,
  wantedOf,
  withEdit,
  withEditInForce,
  withPlace,
} from "./subscription-record.ts";

/** What it works with. */
export interface RecordKeeperOptions {
  readonly jetStream: JetStream;
  readonly binding: Binding;
  readonly log: Logger;
  readonly membership: Membership;
}

/** The record of one subscription, as this process sees it. */
export interface RecordKeeper {
  /** As of the last look. */
  readonly record: SubscriptionRecord | undefined;
  /** Whether this process may work: what its file asks for is what the record says. */
  readonly isMember: boolean;
  /** What a pending edit waits for, as words. */
  readonly waitsFor: string;
  /** Looks once, and takes at most one step. Throws what NATS answers, or an Error about a record that cannot be read. */
  look(bucket: Bucket, log: { readonly eventsLog: EventsLog; readonly isNew: boolean }): Promise<void>;
  /** Whether a pending edit lets an event be run that its own filter matches: the filter before it has to match too. */
  isWanted(event: Envelope): boolean;
  /** Deletes the consumers that no generation uses any more. */
  retire(): Promise<void>;
}

/** A consumer that has nothing pending is believed after this time: on a cluster its server may not have heard of the newest events. */
const QUIET_MS = 1_000;

/** Starts with nothing known. */
export function createRecordKeeper({ jetStream, binding, log, membership }: RecordKeeperOptions): RecordKeeper {
  const { name } = binding.subscription;
  const key = `subscription.${name}`;
  const wanted = wantedOf(binding);
  let record: SubscriptionRecord | undefined;
  let hasProposed = false;
  let aloneSinceMs: number | undefined;
  let quietSinceMs: number | undefined;
  let waitsFor = "";
  /** Of the entry that this look is about: what is decided on it is refused when it has changed since. */
  let revision = 0;
  let previous: ((event: Envelope) => boolean) | undefined;

  const acceptRecord = (next: SubscriptionRecord) => {
    const before = record;
    record = next;
    if (before?.current.generation !== next.current.generation) previous = matcherOf(next.current.selection);
    if (before === undefined || newestOf(before).digest === newestOf(next).digest) return;
    const { digest, generation } = newestOf(next);
    if (digest !== wanted.digest)
      log.warn({ generation }, "superseded by a newer configuration: this process stands by");
  };
  const write = async (bucket: Bucket, next: SubscriptionRecord, sentence: string, fields: object = {}) => {
    try {
      await bucket.write(key, next, revision);
      log.info({ generation: newestOf(next).generation, ...fields }, sentence);
      return true;
    } catch (error) {
      if (!isWrongLastSequence(error)) throw error;
      return false;
    }
  };
  /** Nobody asks for what the record says any more, as when only older processes of a rolling update are left. */
  const isAlone = (current: SubscriptionRecord): boolean => {
    const members = [...membership.runners(name).values()].filter(({ digest }) => digest === newestOf(current).digest);
    if (members.length > 0) aloneSinceMs = undefined;
    else aloneSinceMs ??= performance.now();
    return aloneSinceMs !== undefined && performance.now() - aloneSinceMs > membership.leaseMs;
  };
  const propose = async (bucket: Bucket, current: SubscriptionRecord, eventsLog: EventsLog) => {
    const proposed = endOf(eventsLog);
    const afterSequence = (current.next?.from ?? current.next?.proposed ?? proposed).upToSequence;
    const fields = { afterSequence, subjects: wanted.subjects, partitions: wanted.partitions };
    const sentence = "the subscription was edited: it takes effect from now on";
    hasProposed = await write(bucket, withEdit(current, wanted, proposed), sentence, fields);
    aloneSinceMs = undefined;
  };
  const consumersOf = async ({ current }: SubscriptionRecord) => {
    const names = Array.from({ length: current.partitions }, (_, index) =>
      consumerName(name, { index, count: current.partitions }),
    );
    const found = await Promise.all(names.map((each) => findConsumer(jetStream, each)));
    // One of an older generation is about to be made again.
    return found.map((each) => (each?.generation === current.generation ? each : undefined));
  };
  /** Behind everything that was delivered until every process knew of the edit: none of them has begun anything behind that. */
  const fixPlace = async (bucket: Bucket, current: SubscriptionRecord, proposed: Place) => {
    const consumers = await consumersOf(current);
    const delivered = consumers.map((consumer) => consumer?.progress.deliveredSequence ?? 0);
    const upToSequence = Math.max(proposed.upToSequence, ...delivered);
    // Asked after the consumers, so that it is behind them.
    const now = await findEventsLog(jetStream);
    if (now?.createdAt !== current.logCreatedAt) return;
    const storedUntilMs = upToSequence === proposed.upToSequence ? proposed.storedUntilMs : now.answeredAtMs;
    await write(bucket, withPlace(current, { upToSequence, storedUntilMs }), "the edit has its place", {
      afterSequence: upToSequence,
    });
  };
  const isFinished = async (current: SubscriptionRecord, upToSequence: number): Promise<boolean> => {
    const consumers = await consumersOf(current);
    const progress = consumers.map((consumer) => consumer?.progress);
    const open = progress.filter((each) => each === undefined || each.unacknowledged > 0);
    const behind = progress.filter((each) => each !== undefined && each.deliveredSequence < upToSequence);
    const pending = behind.filter((each) => each !== undefined && each.pendingCount > 0);
    waitsFor = `${open.length} of ${progress.length} partitions have events that are not finished, ${pending.length} are not there yet`;
    if (open.length + pending.length > 0) quietSinceMs = undefined;
    else quietSinceMs ??= performance.now();
    if (quietSinceMs === undefined) return false;
    return behind.length === 0 || performance.now() - quietSinceMs > QUIET_MS;
  };
  const advance = async (bucket: Bucket, current: SubscriptionRecord) => {
    const { next } = current;
    if (next === undefined) return;
    if (next.from === undefined) {
      quietSinceMs = undefined;
      const unaware = [...membership.runners(name)].filter(([, { seen }]) => seen < next.generation);
      waitsFor = `${unaware.length} processes have not heard of it`;
      if (unaware.length === 0) await fixPlace(bucket, current, next.proposed);
    } else if (await isFinished(current, next.from.upToSequence)) {
      const afterSequence = next.from.upToSequence;
      await write(bucket, withEditInForce(current), "the edit is in force", { afterSequence });
    }
  };

  return {
    get record() {
      return record;
    },
    get isMember() {
      return record !== undefined && newestOf(record).digest === wanted.digest;
    },
    get waitsFor() {
      return waitsFor;
    },
    async look(bucket, { eventsLog, isNew: logIsNew }) {
      const entry = bucket.entries.get(key);
      const stored = entry?.value;
      revision = entry?.revision ?? 0;
      if (stored === undefined) {
        record = undefined;
        const { subscription } = binding;
        const first = await adopt(jetStream, subscription, wanted, { eventsLog, logIsNew });
        const { upToSequence: afterSequence } = first.record.current.from;
        const sentence = first.isNew ? "the subscription begins" : "the consumers that are there are taken over";
        if (await write(bucket, first.record, sentence, { start: subscription.start, afterSequence }))
          hasProposed = true;
        return;
      }
      const current = readRecord(stored, name);
      acceptRecord(current);
      membership.announce(name, { digest: wanted.digest, seen: newestOf(current).generation });
      if (current.logCreatedAt !== eventsLog.createdAt) {
        log.warn("the log is another one than before: it is read from its beginning");
        await write(bucket, forAnotherLog(current, eventsLog.createdAt), "the subscription begins again");
        return;
      }
      const differs = newestOf(current).digest !== wanted.digest;
      if (!differs) {
        hasProposed = true;
        await advance(bucket, current);
      } else if (!hasProposed || isAlone(current)) await propose(bucket, current, eventsLog);
    },
    isWanted: (event) => record?.next === undefined || previous === undefined || previous(event),
    async retire() {
      if (record === undefined) return;
      const { partitions: count } = record.current;
      const used = Array.from({ length: count }, (_, index) => consumerName(name, { index, count }));
      for (const { name: consumer } of await findConsumers(jetStream, name)) {
        if (used.includes(consumer)) continue;
        await deleteConsumer(jetStream, consumer);
        log.info({ consumer }, "a consumer that is no longer used was deleted");
      }
    },
  };
}

function readRecord(stored: unknown, name: string): SubscriptionRecord {
  const parsed = SubscriptionRecord.safeParse(stored);
  if (parsed.success) return parsed.data;
  throw new Error(
    `the record subscription.${name} in CR_SUBSCRIPTIONS cannot be read, perhaps it is of a newer cr-reactor: ${parsed.error.issues[0]?.message}`,
  );
}

/** A selection that is not known, or that this cr-reactor cannot read, excludes nothing. */
function matcherOf(selection: unknown): ((event: Envelope) => boolean) | undefined {
  const parsed = Selection.safeParse(selection);
  if (!parsed.success) return undefined;
  const matcher = compileFilter(parsed.data);
  return (event) => {
    try {
      const { type } = matcher.match(event);
      return type === "matched" || type === "resolving";
    } catch {
      return true; // the event contradicts itself, which is told elsewhere
    }
  };
}
