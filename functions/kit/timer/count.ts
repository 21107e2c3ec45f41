/**
 * `count`: whether an event makes a number of the object's matches full within a time. It is told by the object's events in the log, from the
 * oldest that is there, and nothing is kept beside it: the same events give the same answer at each try, in every process.
 */
import type { Envelope } from "#contract";
import type { Matcher } from "../filter/match.ts";

/** How many, within which time, and of which events. */
export interface Counting extends NonNullable<Matcher["count"]> {
  readonly match: Matcher["match"];
}

/** Whether the number is full with this event; `older` are the object's events before it, oldest first. Counting begins anew when it was full. */
export async function makesCountFull(
  event: Envelope,
  older: AsyncIterable<Envelope>,
  { min, withinMs, match }: Counting,
): Promise<boolean> {
  let counted: readonly number[] = [];
  const isFullWith = ({ time }: Envelope): boolean => {
    const nowMs = Date.parse(time);
    counted = [...counted.filter((eachMs) => eachMs > nowMs - withinMs), nowMs];
    if (counted.length < min) return false;
    counted = [];
    return true;
  };
  for await (const each of older) if (isMatch(match, each)) isFullWith(each);
  return isFullWith(event);
}

/** An event that contradicts itself is a dead letter, and counts for nothing. */
export function isMatch(match: Matcher["match"], event: Envelope): boolean {
  try {
    return match(event).type === "matched";
  } catch {
    return false;
  }
}
