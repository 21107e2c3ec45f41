/**
 * The partitions of a subscription: each has one consumer, and gets the objects whose partition token is one of its. An object has
 * the same token in all its events, so all of them are in one partition.
 * Source: the last token of `bridge/log/subject.ts`, 00 to 63.
 */
import { z } from "zod";

/** How many processes can work on one subscription at the same time: a divisor of the 64 partition tokens. */
export const PartitionCount = z.union(
  [1, 2, 4, 8, 16, 32, 64].map((count) => z.literal(count)),
  { error: "expected 1, 2, 4, 8, 16, 32 or 64" },
);

/** One of them, from 0. */
export interface Partition {
  readonly index: number;
  readonly count: number;
}

/** How many tokens there are. */
const TOKEN_COUNT = 64;
/**
 * Subjects of one consumer: nats-server compares each with each when it is made, 79 ms for a thousand. More than these, and the partitions
 * of a subscription get every event of its kind; the filter is checked again in the process.
 */
const SUBJECTS_MAX = 1_024;

/** The consumer's name. Without partitions it is the one that people and scalers know; `_` is in no subscription's name. */
export function consumerName(subscription: string, { index, count }: Partition): string {
  return count === 1 ? `cr-${subscription}` : `cr-${subscription}_${index}of${count}`;
}

/** Reads the partition from the name of a subscription's consumer; `undefined` for a name of another one. */
export function partitionIn(consumer: string, subscription: string): Partition | undefined {
  if (consumer === `cr-${subscription}`) return { index: 0, count: 1 };
  const prefix = `cr-${subscription}_`;
  const found = consumer.startsWith(prefix) ? /^(\d+)of(\d+)$/.exec(consumer.slice(prefix.length)) : null;
  return found === null ? undefined : { index: Number(found[1]), count: Number(found[2]) };
}

/** The last tokens of its objects' subjects; `undefined`: any. */
export function partitionTokens({ index, count }: Partition): readonly string[] | undefined {
  if (count === 1) return undefined;
  return Array.from({ length: TOKEN_COUNT / count }, (_, i) => String(index + i * count).padStart(2, "0"));
}

/** The part of the subscription's subjects that is this partition's. None covers another if none of `subjects` does. */
export function partitionSubjects(subjects: readonly string[], partition: Partition): readonly string[] {
  const tokens = partitionTokens(partition);
  if (tokens === undefined) return subjects;
  const bases = subjects.length * tokens.length > SUBJECTS_MAX ? coarse(subjects) : subjects.map(withoutPartition);
  return bases.flatMap((base) => tokens.map((token) => `${base}.${token}`));
}

function withoutPartition(subject: string): string {
  return subject.slice(0, subject.lastIndexOf("."));
}

/** The kind alone: the first four tokens are the same in all subjects of a plan. */
function coarse(subjects: readonly string[]): readonly string[] {
  const kinds = subjects.map((subject) => subject.split(".").slice(0, 4).join("."));
  return [...new Set(kinds)].map((kind) => `${kind}.*.*.*.*.*.*`);
}
