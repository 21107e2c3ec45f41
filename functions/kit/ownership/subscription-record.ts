/**
 * Which events a subscription asks for, and from where in the log: the record under `subscription.<name>`, the same for all processes. An
 * edit takes effect at a place. It is proposed; once every process that runs the subscription knows, the place is fixed; what is before
 * it is finished by the consumers of the present generation, and only if both filters match; then the next generation begins behind it.
 * Pure: reading and writing are done by those who use it.
 */
import { hash } from "node:crypto";
import { z } from "zod";
import { selectionIn } from "../filter/filter.ts";
import type { Binding } from "../subscription.ts";
import { PartitionCount } from "./partition.ts";

/**
 * A place in the log: behind everything up to this sequence that was stored until then (epoch milliseconds). A log that was restored from
 * an older copy gives the sequence once more, to an event that was stored later, which is not before the place.
 */
export const Place = z.object({ upToSequence: z.int().nonnegative(), storedUntilMs: z.number() });
export type Place = z.infer<typeof Place>;

const wanted = {
  /** Of all that makes an edit: function, selection, subjects and partitions. */
  digest: z.string(),
  function: z.string(),
  /** As in the subscription; `null` when it is not known, of a consumer from before there were records. */
  selection: z.unknown(),
  /** What the consumers filter on, without partitions. */
  subjects: z.array(z.string()).min(1),
  partitions: PartitionCount,
};
const Wanted = z.object(wanted);
/** What one process' file asks for. */
export type Wanted = z.infer<typeof Wanted>;

const Generation = z.object({ ...wanted, generation: z.int().positive(), from: Place });
/** What is in force from a place on. */
export type Generation = z.infer<typeof Generation>;

export const SubscriptionRecord = z.object({
  version: z.literal(1),
  /** Tells one log from another of the same name. */
  logCreatedAt: z.string(),
  current: Generation,
  next: z
    .object({
      ...wanted,
      generation: z.int().positive(),
      /** The end of the log when it was proposed; the place is not before it. */
      proposed: Place,
      /** Where it begins; left out until every process knows of the edit. Final then. */
      from: Place.optional(),
    })
    .optional(),
});
export type SubscriptionRecord = z.infer<typeof SubscriptionRecord>;

/** What a subscription, as this process has it, asks for. */
export function wantedOf({ subscription, functionName, subjects }: Binding): Wanted {
  const { partitions } = subscription;
  const selection = selectionIn(subscription);
  const identity = { function: functionName, selection, subjects: [...subjects], partitions };
  return { ...identity, digest: hash("sha256", canonical(identity), "hex").slice(0, 16) };
}

/** What is asked for once everything that is proposed is in force. */
export function newestOf({ current, next }: SubscriptionRecord): Wanted & { readonly generation: number } {
  return next ?? current;
}

/** The record of a subscription that begins behind a place. */
export function firstRecord(wanted: Wanted, logCreatedAt: string, from: Place): SubscriptionRecord {
  return { version: 1, logCreatedAt, current: { ...wanted, generation: 1, from } };
}

/** The record with an edit. One that comes while another is pending takes its place in the log. */
export function withEdit(record: SubscriptionRecord, wanted: Wanted, proposed: Place): SubscriptionRecord {
  const pending = record.next ?? { generation: record.current.generation + 1, proposed };
  return { ...record, next: { ...pending, ...wanted } };
}

/** The record with the place of its edit fixed. */
export function withPlace(record: SubscriptionRecord, from: Place): SubscriptionRecord {
  return record.next === undefined ? record : { ...record, next: { ...record.next, from } };
}

/** The record with its edit in force; the same while the place is not fixed. */
export function withEditInForce({ next, ...record }: SubscriptionRecord): SubscriptionRecord {
  if (next?.from === undefined) return { ...record, ...(next && { next }) };
  const { proposed: _, from, ...generation } = next;
  return { ...record, current: { ...generation, from } };
}

/** The record for another log: everything in it is new, and a pending edit is in force. */
export function forAnotherLog(record: SubscriptionRecord, logCreatedAt: string): SubscriptionRecord {
  const { digest, function: name, selection, subjects, partitions, generation } = newestOf(record);
  const from = { upToSequence: 0, storedUntilMs: 0 };
  const next = { digest, function: name, selection, subjects, partitions, generation: generation + 1, from };
  return { version: 1, logCreatedAt, current: next };
}

/** What becomes of an event that a consumer of the present generation delivers. */
export type Verdict =
  /** It is this generation's. */
  | "run"
  /** It waits until the place of the edit is fixed, or this consumer is given up. */
  | "hold"
  /** The next generation's consumers deliver it. */
  | "pass";

/** Decides on an event that a consumer of `generation` delivers. */
export function verdictOn(
  { current, next }: SubscriptionRecord,
  generation: number,
  event: { readonly streamSequence: number; readonly storedAtMs: number },
): Verdict {
  // All that was this generation's is finished.
  if (current.generation > generation) return "hold";
  if (next === undefined) return "run";
  const { upToSequence, storedUntilMs } = next.from ?? next.proposed;
  if (event.streamSequence <= upToSequence && event.storedAtMs <= storedUntilMs) return "run";
  return next.from === undefined ? "hold" : "pass";
}

/** The same text for the same content, in whatever order the keys were written. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, each: unknown) => {
    if (each === null || typeof each !== "object" || Array.isArray(each)) return each;
    return Object.fromEntries(Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}
