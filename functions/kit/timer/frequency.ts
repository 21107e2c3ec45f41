/**
 * `count` and `rateLimit`: whether an event is run by how often its object matched before. It is told by the object's events in the log, from
 * the oldest that is there, and nothing is kept beside it: the same events give the same answer at each try, in every process.
 */
import type { Envelope } from "#contract";
import type { Frequency, Matcher } from "../filter/match.ts";

/** Whether the event is run; `older` are the object's events before it, oldest first, of which those count that match. */
export async function isItsTurn(
  event: Envelope,
  older: AsyncIterable<Envelope>,
  { type, number, withinMs }: Frequency,
  match: Matcher["match"],
): Promise<boolean> {
  /** With `count` those since it was full, with `rateLimit` those that were run. */
  let recent: readonly number[] = [];
  const isRun = ({ time }: Envelope): boolean => {
    const nowMs = Date.parse(time);
    recent = recent.filter((eachMs) => eachMs > nowMs - withinMs);
    const isFull = recent.length >= (type === "count" ? number - 1 : number);
    if (type === "count") recent = isFull ? [] : [...recent, nowMs];
    else if (!isFull) recent = [...recent, nowMs];
    return isFull === (type === "count");
  };
  for await (const each of older) if (isMatch(match, each)) isRun(each);
  return isRun(event);
}

/** An event that contradicts itself is a dead letter, and counts for nothing. */
export function isMatch(match: Matcher["match"], event: Envelope): boolean {
  try {
    return match(event).type === "matched";
  } catch {
    return false;
  }
}
