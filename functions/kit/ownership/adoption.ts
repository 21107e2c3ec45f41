/**
 * The first record of a subscription: where a new one begins, or what the consumers say that are there without a record, because an older
 * cr-reactor made them, or because the bucket was lost.
 */
import type { JetStream } from "#contract";
import { type EventsLog, type FoundConsumer, findConsumers, findPlace } from "../delivery/consumer.ts";
import type { Subscription } from "../subscription.ts";
import { PartitionCount, partitionIn, partitionSubjects } from "./partition.ts";
import { firstRecord, type Place, type SubscriptionRecord, type Wanted, withEdit } from "./subscription-record.ts";

/** What is known besides the subscription. */
export interface AdoptionOptions {
  readonly eventsLog: EventsLog;
  /** There was no log when this process came, or another one: everything in it is new. */
  readonly logIsNew: boolean;
}

/** The end of the log as it was asked. */
export function endOf({ lastSequence, answeredAtMs }: EventsLog): Place {
  return { upToSequence: lastSequence, storedUntilMs: answeredAtMs };
}

/** Makes the record, of a new subscription or of consumers that are there; nothing is written. */
export async function adopt(
  jetStream: JetStream,
  subscription: Subscription,
  wanted: Wanted,
  options: AdoptionOptions,
): Promise<{ readonly record: SubscriptionRecord; readonly isNew: boolean }> {
  const { eventsLog } = options;
  const found = await findConsumers(jetStream, subscription.name);
  if (found.length === 0) {
    const from = options.logIsNew ? BEGINNING : await startOf(jetStream, subscription, eventsLog);
    return { record: firstRecord(wanted, eventsLog.createdAt, from), isNew: true };
  }
  const record = recordOf(found, subscription.name, wanted, eventsLog.createdAt);
  if (record.current.digest === wanted.digest) return { record, isNew: false };
  return { record: withEdit(record, wanted, endOf(eventsLog)), isNew: false };
}

const BEGINNING: Place = { upToSequence: 0, storedUntilMs: 0 };

async function startOf(jetStream: JetStream, { start }: Subscription, eventsLog: EventsLog): Promise<Place> {
  if (start === "all") return BEGINNING;
  if (start === "now") return endOf(eventsLog);
  const fromMs = Date.parse(start);
  const { afterSequence } = await findPlace(jetStream, { fromMs });
  return { upToSequence: afterSequence, storedUntilMs: fromMs - 1 };
}

/** Of consumers of several generations, as after a crash in the middle of an edit, the newest counts, from where the last of all is. */
function recordOf(
  found: readonly FoundConsumer[],
  subscription: string,
  wanted: Wanted,
  logCreatedAt: string,
): SubscriptionRecord {
  const generation = Math.max(...found.map((each) => each.generation ?? 1));
  const own = found.filter((each) => (each.generation ?? 1) === generation);
  const counts = own.map(({ name }) => PartitionCount.safeParse(partitionIn(name, subscription)?.count).data ?? 1);
  const partitions = PartitionCount.parse(Math.max(...counts));
  const [first] = own;
  const isOurs = first?.digest === undefined ? hasSubjects(own, wanted) : first.digest === wanted.digest;
  const floors = found.map(({ progress }) => progress);
  const from = {
    upToSequence: Math.min(...floors.map(({ floorSequence }) => floorSequence)),
    storedUntilMs: Math.max(...floors.map(({ answeredAtMs }) => answeredAtMs)),
  };
  if (isOurs && wanted.partitions === partitions)
    return { version: 1, logCreatedAt, current: { ...wanted, generation, from } };
  const bases = own.flatMap(({ subjects }) => subjects).map((subject) => subject.replace(/\.\d\d$/, ".*"));
  const subjects = bases.length === 0 ? ["cr.>"] : [...new Set(bases)];
  const unknown = { digest: "unknown", function: wanted.function, selection: null, subjects, partitions };
  return { version: 1, logCreatedAt, current: { ...unknown, generation, from } };
}

function hasSubjects([only, ...more]: readonly FoundConsumer[], wanted: Wanted): boolean {
  if (only === undefined || more.length > 0 || wanted.partitions !== 1) return false;
  return only.subjects.join(" ") === partitionSubjects(wanted.subjects, { index: 0, count: 1 }).join(" ");
}
