/**
 * Whether an event is what a filter asks for. Pure, and the whole truth: what NATS filters by subject is only a coarser net in
 * front of it (`plan.ts`).
 *
 *     filter               created                 updated                              deleted
 *     (none)               yes                     yes                                  yes
 *     created              yes                     no                                   no
 *     deleted              no                      no                                   yes
 *     phase {}             born with a phase       any transition, to none too          no
 *     phase {to}           born in it              transition to it                     no
 *     phase {from}         no                      transition out of it, to none too    no
 *     phase {from, to}     no                      transition from the one to the other no
 *     field {path}         no                      the value at or below the path       no
 *                                                  differs, or it came or went
 *     field {path, to}     has this value          changed to this value                no
 *     field {path, from}   no                      changed from this value              no
 *     field {…from, to}    no                      changed from the one to the other    no
 *     labels, namespaces   the new object's        the object's after                   the last known ones
 *
 * `existing` counts as created where the selection says `includeExisting`, else it does not match; `unselected` never does.
 * Values are equal when they are deeply equal; a field that is absent is not `null`.
 */
import { isDeepStrictEqual } from "node:util";
import { beforeOf, type Envelope, type KubeObject, opOf, parseFieldPath, toPointer, valueAt } from "#contract";
import type { Filter, Selection } from "./filter.ts";

/** Whether the event is of this kind of object, and what happened to it is asked for. */
export function matchesSelection(selection: Selection, event: Envelope): boolean {
  return (
    event.kind === selection.kind &&
    event.apiversion === selection.apiVersion &&
    (selection.cluster === undefined || event.cluster === selection.cluster) &&
    (selection.includeExisting === true || opOf(event) !== "existing") &&
    (selection.when === undefined ? opOf(event) !== "unselected" : matches(selection.when, event))
  );
}

/** Whether the filter holds. Throws an Error when the event's patch does not fit its object. */
export function matches(filter: Filter, event: Envelope): boolean {
  const op = opOf(event);
  if (op === "unselected") return false;
  let before: KubeObject | null | undefined;
  const occurrence: Occurrence = {
    event,
    born: op === "created" || op === "existing",
    updated: op === "updated",
    deleted: op === "deleted",
    before: () => (before ??= beforeOf(op, event.data)),
  };
  return holds(filter, occurrence);
}

interface Occurrence {
  readonly event: Envelope;
  readonly born: boolean;
  readonly updated: boolean;
  readonly deleted: boolean;
  /** Undoes the patch on a copy of the object, once. */
  before(): KubeObject | null;
}

function holds(filter: Filter, occurrence: Occurrence): boolean {
  const { phase, field, created, deleted, labels, namespaces, all, any, not } = filter;
  return (
    (created === undefined || occurrence.born) &&
    (deleted === undefined || occurrence.deleted) &&
    (phase === undefined || phaseHolds(phase, occurrence)) &&
    (namespaces === undefined || namespaces.some((glob) => globFits(glob, occurrence.event.namespace ?? ""))) &&
    (labels === undefined || labelsHold(labels, occurrence.event.data.object)) &&
    (field === undefined || fieldHolds(field, occurrence)) &&
    (all === undefined || all.every((each) => holds(each, occurrence))) &&
    (any === undefined || any.some((each) => holds(each, occurrence))) &&
    (not === undefined || !holds(not, occurrence))
  );
}

/** A birth is a transition from nothing; the first sight of an object carries no transition, only its phase. */
function phaseHolds(wanted: NonNullable<Filter["phase"]>, { event, born, updated }: Occurrence): boolean {
  if (!born && !updated) return false;
  const transition = born ? { from: null, to: event.phase ?? null } : event.data.transitions.phase;
  if (transition === undefined || transition.from === transition.to) return false;
  return isAmong(transition.from, wanted.from) && isAmong(transition.to, wanted.to);
}

function isAmong(value: string | null, wanted: string | readonly string[] | undefined): boolean {
  if (wanted === undefined) return true;
  return typeof wanted === "string" ? value === wanted : value !== null && wanted.includes(value);
}

function fieldHolds({ path, from, to }: NonNullable<Filter["field"]>, occurrence: Occurrence): boolean {
  const segments = parseFieldPath(path);
  const { object, patch = [] } = occurrence.event.data;
  const after = valueAt(object, segments);
  if (to !== undefined && !isDeepStrictEqual(after, to)) return false;
  if (occurrence.born) return to !== undefined && from === undefined;
  if (!occurrence.updated) return false;
  const pointer = toPointer(segments);
  if (!patch.some((operation) => touches(operation.path, pointer, operation.op !== "replace"))) return false;
  const before = valueAt(occurrence.before(), segments);
  if (from !== undefined && !isDeepStrictEqual(before, from)) return false;
  return !isDeepStrictEqual(before, after);
}

/** Whether an operation can reach the path: it is at it, above or below; an element that comes or goes moves its neighbours. */
function touches(operationPath: string, pointer: string, moves: boolean): boolean {
  const reach = moves ? operationPath.replace(/\/(?:\d+|-)$/, "") : operationPath;
  return reach === pointer || pointer.startsWith(`${reach}/`) || reach.startsWith(`${pointer}/`);
}

function labelsHold(wanted: NonNullable<Filter["labels"]>, object: KubeObject): boolean {
  return Object.entries(wanted).every(([key, value]) => {
    const found = valueAt(object, ["metadata", "labels", key]);
    return typeof value === "string" ? found === value : value.some((each) => found === each);
  });
}

/** `*` stands for any run of characters; compared part by part, so that no glob takes more than one pass. */
export function globFits(glob: string, text: string): boolean {
  const [head = "", ...parts] = glob.split("*");
  const tail = parts.pop();
  if (tail === undefined) return text === glob;
  const end = text.length - tail.length;
  if (end < head.length || !text.startsWith(head) || !text.endsWith(tail)) return false;
  let position = head.length;
  for (const part of parts) {
    const found = text.indexOf(part, position);
    if (found < 0 || found + part.length > end) return false;
    position = found + part.length;
  }
  return true;
}
