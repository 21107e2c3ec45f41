/**
 * Who pulls a partition's consumer: one entry a partition, `lease.<subscription>.<index>`, changed only by compare-and-set. It names the
 * holder's id, and counts as long as that process is alive (`membership.ts`); it is not renewed itself. What the next holder has to know
 * is in it too.
 */
import { z } from "zod";
import { isWrongLastSequence } from "#contract";
import type { Bucket, Entry } from "./bucket.ts";
import { Place } from "./subscription-record.ts";

export const Lease = z.object({
  version: z.literal(1),
  /** A lease of another generation is nobody's. */
  generation: z.int().positive(),
  /** The id of the process; `null`: nobody. */
  holder: z.string().nullable(),
  /**
   * Deliveries that were no tries, by stream sequence: the event was handed on before it was begun. Without it, events that only waited
   * while partitions moved would look as if they had killed their processes.
   */
  excused: z.record(z.string(), z.int().positive()).default({}),
  /** Up to where everything is finished, when it was last released. */
  finished: Place.optional(),
});
export type Lease = z.infer<typeof Lease>;

/** A lease as it was read or written. */
export interface KnownLease {
  readonly lease: Lease;
  readonly revision: number;
}

/** The lease of this generation; one of another, or none, has only a revision. */
export function leaseIn(
  bucket: Bucket,
  key: string,
  generation: number,
): { readonly lease: Lease | undefined; readonly revision: number } {
  const entry: Entry | undefined = bucket.entries.get(key);
  const lease = entry?.value === undefined ? undefined : Lease.safeParse(entry.value).data;
  return { lease: lease?.generation === generation ? lease : undefined, revision: entry?.revision ?? 0 };
}

/** Where a partition's lease is. */
export function leaseKey(subscription: string, index: number): string {
  return `lease.${subscription}.${index}`;
}

/** Takes it as it was read; `undefined` when somebody else was faster. Throws when nobody knows. */
export async function takeLease(
  bucket: Bucket,
  key: string,
  { lease, revision }: { readonly lease: Lease | undefined; readonly revision: number },
  { generation, holder }: { readonly generation: number; readonly holder: string },
): Promise<KnownLease | undefined> {
  const taken: Lease = { version: 1, excused: {}, ...lease, generation, holder };
  const written = await unlessConflict(bucket.write(key, taken, revision));
  return written === undefined ? undefined : { lease: taken, revision: written };
}

/** Gives it free for the next one, with what it has to know; `false` when it was another's by then. */
export async function releaseLease(
  bucket: Bucket,
  key: string,
  { lease, revision }: KnownLease,
  left: Pick<Lease, "excused" | "finished">,
): Promise<boolean> {
  return (await unlessConflict(bucket.write(key, { ...lease, ...left, holder: null }, revision))) !== undefined;
}

async function unlessConflict<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (isWrongLastSequence(error)) return undefined;
    throw error;
  }
}
