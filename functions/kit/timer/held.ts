/**
 * What has become of an event of `for` or `debounce` when its time is up: the object's later events tell. Pure, so that a test of a function
 * asks the same as life does.
 */
import type { Envelope, KubeObject } from "#contract";
import { isMatch, type Matcher } from "../filter/match.ts";
import type { Window } from "../filter/time-plan.ts";
import { isOlder } from "../incident/incident-record.ts";
import type { Entry } from "./queue.ts";

/** `early`: by the subscription as it is now, the time is not up. */
export type Ripe =
  | { readonly type: "held"; readonly since: string | undefined; readonly object: KubeObject }
  | { readonly type: "left"; readonly reason: string }
  | { readonly type: "early" };

/** The server may be early by less than it says: its times have no more than milliseconds. */
export const EARLY_MS_MAX = 10;

/** When the event is due, epoch milliseconds: never later than this long after it was stored, whatever the cluster's clock says. */
export function dueAtMsOf({ ms, state }: Window, { event, storedAtMs }: Pick<Entry, "event" | "storedAtMs">): number {
  return Math.min(state === undefined ? storedAtMs : Date.parse(state.since(event)), storedAtMs) + ms;
}

/** Judges the event at `nowMs`; `later` are the object's events since, this one and those of before it included or not. */
export async function judgeHeld(
  { event, storedAtMs }: Pick<Entry, "event" | "storedAtMs">,
  later: AsyncIterable<Envelope>,
  { window, match, nowMs }: { readonly window: Window; readonly match: Matcher["match"]; readonly nowMs: number },
): Promise<Ripe> {
  if (dueAtMsOf(window, { event, storedAtMs }) > nowMs + EARLY_MS_MAX) return { type: "early" };
  const { state } = window;
  const { uid } = event.data.object.metadata;
  let last: Envelope | undefined;
  for await (const each of later) {
    if (isOlder(each.sequence, event.sequence)) continue;
    last = each;
    if (state !== undefined && each.data.object.metadata.uid !== uid)
      return { type: "left", reason: "the object is gone, and another one has its name" };
    if (state?.isSo(each) === false) return { type: "left", reason: "the state did not hold" };
    if (each.id !== event.id && isMatch(match, each))
      return { type: "left", reason: "a newer event of the object matched, and is timed from there" };
  }
  if (state === undefined) return { type: "held", since: undefined, object: event.data.object };
  if (last === undefined) return { type: "left", reason: "the log has no event of the object any more" };
  return { type: "held", since: state.since(event), object: last.data.object };
}
