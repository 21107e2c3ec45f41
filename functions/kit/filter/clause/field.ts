/**
 * What became of the value at a path: changed, became or was a value, grew, shrank, came, went. Each key has to hold. A birth is no
 * change, but a state that an object is born in came from nothing. Values are equal when they are deeply equal; absent is not `null`.
 */
import { isDeepStrictEqual } from "node:util";
import { compareQuantities, type Json, parseFieldPath, toDotted, toPointer, valueAt } from "#contract";
import type { Clause } from "../clause.ts";
import type { Occurrence } from "../occurrence.ts";
import { coarse, type Net, type Pattern, type Scope } from "../subject-net.ts";
import { shown, shownStep } from "../wording.ts";

/** With neither `from` nor `to` nor a kind of change: changed. */
export interface FieldWish {
  readonly path: string;
  readonly from?: Json | undefined;
  readonly to?: Json | undefined;
  readonly changed?: true | undefined;
  readonly increased?: true | undefined;
  readonly decreased?: true | undefined;
  readonly present?: true | undefined;
  readonly absent?: true | undefined;
}

/** The kinds of change, of which one filter names at most one. */
export const FIELD_CHANGES = ["changed", "increased", "decreased", "present", "absent"] as const;

/** The value before and after; `undefined` where there was none. */
interface Step {
  readonly before: Json | undefined;
  readonly after: Json | undefined;
}

/** The value at the path became what the filter names. */
export function fieldClause(wish: FieldWish): Clause {
  const segments = parseFieldPath(wish.path);
  const [pointer, path] = [toPointer(segments), toDotted(segments)];
  const isBornWith = canBeBorn(wish);
  const stepIn = ({ born, updated, object, before, reaches }: Occurrence): Step | undefined => {
    const after = () => valueAt(object, segments);
    if (born) return isBornWith ? { before: undefined, after: after() } : undefined;
    return updated && reaches(pointer) ? { before: valueAt(before(), segments), after: after() } : undefined;
  };
  return {
    type: "clause",
    wanted: wanted(wish, path),
    holds(occurrence) {
      // What is cheap to see rules out most events before the object's state before is computed.
      if (wish.to !== undefined && !isDeepStrictEqual(valueAt(occurrence.object, segments), wish.to)) return false;
      const step = stepIn(occurrence);
      return step !== undefined && isAsWished(step, wish);
    },
    found(occurrence) {
      const step = stepIn(occurrence);
      if (step !== undefined && !isDeepStrictEqual(step.before, step.after))
        return `${path} went ${shownStep(step.before, step.after)}`;
      if (occurrence.updated) return `${path} is ${shown(valueAt(occurrence.object, segments))} as before`;
      return occurrence.born ? "a birth is no change" : "an object that is gone changes no more";
    },
    net: (scope) => fieldNet(segments[0] ?? "", isBornWith, scope),
    ...(hasState(wish) && { state: { becomes: true, isSo: ({ object }) => isSoAt(valueAt(object, segments), wish) } }),
  };
}

function wanted(wish: FieldWish, path: string): string {
  const { from, to } = wish;
  const changes = FIELD_CHANGES.filter((change) => wish[change]);
  if (from === undefined && to === undefined && changes.length === 0) return `${path} changed`;
  const values = [
    ...(from === undefined ? [] : [`from ${shown(from)}`]),
    ...(to === undefined ? [] : [`to ${shown(to)}`]),
  ];
  return [path, ...changes, ...values].join(" ");
}

/** A value that something became, came or went is so until it changes; that it changed or grew is over at once. */
function hasState({ to, changed, increased, decreased, present, absent }: FieldWish): boolean {
  return !(changed || increased || decreased) && (to !== undefined || present === true || absent === true);
}

function isSoAt(value: Json | undefined, { to, absent }: FieldWish): boolean {
  if (absent) return value === undefined;
  return to === undefined ? value !== undefined : isDeepStrictEqual(value, to);
}

/** Whether coming into being with the object can be what is wished. */
function canBeBorn({ from, to, changed, increased, decreased, present, absent }: FieldWish): boolean {
  const needsBefore = from !== undefined || changed || increased || decreased || absent;
  return !needsBefore && (to !== undefined || present === true);
}

function isAsWished({ before, after }: Step, { from, to, increased, decreased, present, absent }: FieldWish): boolean {
  if (from !== undefined && !isDeepStrictEqual(before, from)) return false;
  if (to !== undefined && !isDeepStrictEqual(after, to)) return false;
  if (present && (before !== undefined || after === undefined)) return false;
  if (absent && (before === undefined || after !== undefined)) return false;
  if (increased && !((compareQuantities(before, after) ?? 0) < 0)) return false;
  if (decreased && !((compareQuantities(before, after) ?? 0) > 0)) return false;
  return !isDeepStrictEqual(before, after);
}

function fieldNet(key: string, isBornWith: boolean, { births }: Scope): Net {
  const part = partPattern(key);
  const updates = [{ ...part, op: "updated" }];
  return coarse(isBornWith ? [...updates, ...bornPatterns(part, births)] : updates);
}

/** The tokens of a change of this part; the subject tells spec (anything outside metadata and status) and status, not metadata. */
export function partPattern(key: string): Pattern {
  if (key === "status") return { status: "status" };
  return key === "metadata" || key === "apiVersion" || key === "kind" ? {} : { spec: "spec" };
}

/** Of a birth that has this part; a first sight has no tokens of it. */
export function bornPatterns(part: Pattern, births: readonly string[]): Pattern[] {
  return births.map((op) => (op === "existing" ? { op } : { ...part, op }));
}
