/**
 * What is kept of the incidents of one object for one subscription, and how an event changes it. The decision about an event is kept with
 * its id in the same record, so it is the same on every try, in every process. Pure: the same events in the same order give the same record,
 * which is how it is found again from the log.
 */
import { z } from "zod";
import type { Envelope } from "#contract";
import { DECISIONS_MAX } from "./incident-limits.ts";

/** One incident; it is open until `resolvedAt` is there. */
export const IncidentState = z.object({
  key: z.string(),
  openedAt: z.string(),
  openedBy: z.string(),
  updateCount: z.int().nonnegative(),
  resolvedAt: z.string().optional(),
  /** Nobody was told of it, because a silence held its opening back: it counts as resolved at once, and as none. */
  silenced: z.literal(true).optional(),
  receipts: z.record(z.string(), z.json()),
});
export type IncidentState = z.infer<typeof IncidentState>;

/** What an event did, as it is told on each of its tries. */
export const Decision = z.object({
  eventId: z.string(),
  type: z.enum(["opened", "updated", "resolved"]),
  key: z.string(),
  updateCount: z.int().nonnegative(),
});
export type Decision = z.infer<typeof Decision>;

/** The newest two incidents of an object, and the newest decisions, in the order of its events. */
export const IncidentRecord = z.object({
  version: z.literal(1),
  /** The `sequence` of the newest event that was decided. */
  sequence: z.string(),
  newest: IncidentState,
  previous: IncidentState.optional(),
  decisions: z.array(Decision),
});
export type IncidentRecord = z.infer<typeof IncidentRecord>;

/** An event, and which of the two filters it matches; where it matches both, that is `resolving`. */
export interface Occurrence {
  readonly event: Pick<Envelope, "id" | "sequence" | "time">;
  readonly subscription: string;
  readonly type: "matched" | "resolving";
}

/** What becomes of an event. `decided`: the record is another one now. `known`: it was decided before. `none`: it is about no incident. */
export type Judged =
  | { readonly type: "decided" | "known"; readonly record: IncidentRecord; readonly decision: Decision }
  | { readonly type: "none"; readonly reason: string };

/** Decides what an event does. `record` is `undefined` as long as the object had no incident. */
export function judgeIncident(record: IncidentRecord | undefined, occurrence: Occurrence): Judged {
  const { event, type } = occurrence;
  const known = record?.decisions.find(({ eventId }) => eventId === event.id);
  if (record !== undefined && known !== undefined) return repeated(record, known);
  if (record !== undefined && isOlder(event.sequence, record.sequence))
    return { type: "none", reason: "newer events of the object have been handled, and what this one did is forgotten" };
  const open = record?.newest.resolvedAt === undefined ? record?.newest : undefined;
  if (type === "resolving") {
    if (record === undefined || open === undefined)
      return { type: "none", reason: "the object has no open incident that it could resolve" };
    return decided({ ...record, newest: { ...open, resolvedAt: event.time } }, "resolved", event);
  }
  if (record !== undefined && open !== undefined) {
    const newest = { ...open, updateCount: open.updateCount + 1 };
    return decided({ ...record, newest }, "updated", event);
  }
  return decided(opened(record, occurrence), "opened", event);
}

/**
 * Decides whether a silence may hold an event back: not where it resolves what is open, nor where it was decided before. `record`: an opening
 * that nobody is told of is remembered, so that what resolves it is told to nobody either. Nothing is stored of an event that would update.
 */
export function judgeSilenced(
  record: IncidentRecord | undefined,
  occurrence: Occurrence,
): { readonly isHeld: boolean; readonly record?: IncidentRecord } {
  const judged = judgeIncident(record, occurrence);
  if (judged.type !== "decided" || judged.decision.type === "resolved") return { isHeld: false };
  if (judged.decision.type === "updated") return { isHeld: true };
  const { newest, decisions: _, ...opened } = judged.record;
  const silenced = { ...newest, resolvedAt: occurrence.event.time, silenced: true } as const;
  return { isHeld: true, record: { ...opened, newest: silenced, decisions: record?.decisions ?? [] } };
}

/** The incident with this key, if it is one of the newest two. */
export function stateOf({ newest, previous }: IncidentRecord, key: string): IncidentState | undefined {
  return [newest, previous].find((state) => state?.key === key);
}

/** Whether the event with this `sequence` is of before the other; an epoch makes it longer. */
export function isOlder(sequence: string, than: string): boolean {
  return sequence.length === than.length ? sequence < than : sequence.length < than.length;
}

/** It comes again: it was not acknowledged, is a dead letter that is tried again, or the log was restored. */
function repeated(record: IncidentRecord, decision: Decision): Judged {
  const state = stateOf(record, decision.key);
  const isLast = record.decisions.at(-1) === decision;
  if (state === undefined || (!isLast && decision.type !== "resolved" && state.resolvedAt !== undefined))
    return { type: "none", reason: "its incident was resolved by a newer event, which has been handled" };
  return { type: "known", record, decision };
}

function opened(record: IncidentRecord | undefined, { event, subscription }: Occurrence): IncidentRecord {
  const key = `${subscription}/${event.id}`;
  const newest = { key, openedAt: event.time, openedBy: event.id, updateCount: 0, receipts: {} };
  const { sequence } = event;
  if (record === undefined) return { version: 1, sequence, newest, decisions: [] };
  return { ...record, newest, previous: record.newest.silenced ? record.previous : record.newest };
}

function decided(record: IncidentRecord, type: Decision["type"], { id, sequence }: Occurrence["event"]): Judged {
  const { key, updateCount } = record.newest;
  const decision = { eventId: id, type, key, updateCount };
  const decisions = [...record.decisions, decision].slice(-DECISIONS_MAX);
  return { type: "decided", record: { ...record, sequence, decisions }, decision };
}
