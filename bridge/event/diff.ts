/**
 * The exact difference between two JSON documents, as a patch that can be applied and undone. Lists are compared as their schema says,
 * else by position. Ignored paths make no operation, so the round trip holds apart from them.
 */
import type { Json } from "../kube/kube-object.ts";
import { type Shape, shapeBelow } from "../kube/list-shape.ts";
import { escapePointerToken } from "./field-path.ts";
import { align, isInPlace } from "./list-alignment.ts";
import type { PatchOperation } from "./patch.ts";
import { NO_PATHS, type PathSet, pathsBelow } from "./path-set.ts";

/** What shapes a difference; left out: everything counts, and lists are compared by position. */
export interface DiffRules {
  /** Paths that make no change on their own. */
  readonly ignored?: PathSet;
  /** The only paths that count. */
  readonly only?: PathSet | undefined;
  /** Which lists are compared by keys, as sets or as a whole. */
  readonly shape?: Shape | undefined;
  /** Whether two values that are not equal stand for the same one. */
  readonly isSame?: ((before: Json, after: Json) => boolean) | undefined;
}

interface ResolvedRules {
  readonly ignored: PathSet;
  readonly only: PathSet | undefined;
  readonly shape: Shape | undefined;
}

const NO_RULES: ResolvedRules = { ignored: NO_PATHS, only: undefined, shape: undefined };

/**
 * The operations that turn `before` into `after`, exactly; empty when they are equal apart from what does not count and from the order
 * of keyed lists and sets. Of a list, first the removals come, from its end, then additions and moves in the order of its positions,
 * then what differs inside its elements: so every other position in the patch is one in `after`. What is
 * more than 200 levels deep is one value. Throws a RangeError when that is too deep for JSON.stringify, some thousand levels.
 */
export function diff(before: Json, after: Json, given: DiffRules = {}): PatchOperation[] {
  if (before === after) return [];
  const { ignored = NO_PATHS, only, shape, isSame } = given;
  const patch: PatchOperation[] = [];
  const rules = ignored === NO_PATHS && only === undefined && shape === undefined ? NO_RULES : { ignored, only, shape };
  compare(before, after, { above: undefined, key: "", depth: 0, pointer: "", rules, result: { patch, isSame } });
  return changesValues(patch) ? patch : [];
}

function changesValues(patch: readonly PatchOperation[]): boolean {
  return patch.some(({ op }) => op !== "move");
}

/** A place in both states. Nearly all that is compared is equal, so its pointer is written only for what is not. */
interface Place {
  readonly above: Place | undefined;
  /** Or the position, in a list. */
  readonly key: string | number;
  readonly depth: number;
  pointer: string | undefined;
  readonly rules: ResolvedRules;
  readonly result: Result;
}

interface Result {
  readonly patch: PatchOperation[];
  readonly isSame: DiffRules["isSame"];
}

/** Far deeper than any kind's schema, and so that nobody's object is deeper than the stack. */
const DEPTH_MAX = 200;

function compare(before: Json, after: Json, place: Place): void {
  const { shape } = place.rules;
  const isWhole = shape !== undefined && (shape.isAtomicMap === true || shape.list?.type === "atomic");
  if (isWhole) compareWhole(before, after, place);
  else compareParts(before, after, place);
}

function compareWhole(before: Json, after: Json, place: Place): void {
  const { patch, isSame } = place.result;
  const inner: PatchOperation[] = [];
  compareParts(before, after, { ...place, result: { patch: inner, isSame } });
  if (changesValues(inner)) patch.push({ op: "replace", path: pointerOf(place), value: after, oldValue: before });
}

function compareTexts(before: Json, after: Json, place: Place): void {
  if (JSON.stringify(before) !== JSON.stringify(after)) replace(before, after, pointerOf(place), place.result);
}

function compareParts(before: Json, after: Json, place: Place): void {
  if (!isContainer(before) || !isContainer(after)) replace(before, after, pointerOf(place), place.result);
  else if (place.depth >= DEPTH_MAX) compareTexts(before, after, place);
  else if (Array.isArray(before) && Array.isArray(after)) compareLists(before, after, place);
  else if (Array.isArray(before) || Array.isArray(after)) replace(before, after, pointerOf(place), place.result);
  else compareMaps(before, after, place);
}

/** Compares two values below a place that are not one and the same. */
function compareBelow(above: Place, key: string | number, before: Json, after: Json): void {
  const { result, depth } = above;
  const rules = rulesBelow(above.rules, key);
  if (rules === undefined) return;
  if (!isContainer(before) || !isContainer(after)) replace(before, after, pointerBelow(above, key), result);
  else compare(before, after, { above, key, depth: depth + 1, pointer: undefined, rules, result });
}

function replace(before: Json, after: Json, path: string, { patch, isSame }: Result): void {
  if (!isSame?.(before, after)) patch.push({ op: "replace", path, value: after, oldValue: before });
}

function compareMaps(before: JsonMap, after: JsonMap, place: Place): void {
  const { rules, result } = place;
  const keysAfter = Object.keys(after);
  const shared = isRecord(keysAfter) ? compareRecords(before, after, place) : compareTables(before, after, place);
  if (keysAfter.length === shared) return;
  for (const key of keysAfter) {
    if (Object.hasOwn(before, key) || rulesBelow(rules, key) === undefined) continue;
    result.patch.push({ op: "add", path: pointerBelow(place, key), value: after[key] as Json });
  }
}

/** From so many keys on V8 makes a hash table of a map that it parses (measured: Node 24); of fewer it makes a record with fields. */
const TABLE_KEYS = 128;

/** Whether a map with these keys is a record, as nearly all are: few keys, and none that is a position, which would stand first. */
function isRecord(keys: readonly string[]): boolean {
  const first = keys[0]?.charCodeAt(0) ?? 0;
  return keys.length < TABLE_KEYS && !(first >= 48 && first <= 57);
}

/**
 * How many keys of `before` are in `after` as well. `for in` reads a record's fields without looking for their names, which saves a third of
 * what a comparison costs, but for good no longer once this loop has met anything but records. So tables have a loop of their own.
 */
function compareRecords(before: JsonMap, after: JsonMap, place: Place): number {
  let shared = 0;
  for (const key in before) {
    const old = before[key] as Json;
    const now = after[key];
    if (old === now ? now !== undefined : compareKey(place, key, old, after, now)) shared++;
  }
  return shared;
}

function compareTables(before: JsonMap, after: JsonMap, place: Place): number {
  let shared = 0;
  for (const key of Object.keys(before)) {
    const old = before[key] as Json;
    const now = after[key];
    if (old === now ? now !== undefined : compareKey(place, key, old, after, now)) shared++;
  }
  return shared;
}

/** Compares a key's values that are not one and the same; whether `after` has the key. */
function compareKey(place: Place, key: string, old: Json, after: JsonMap, found: Json | undefined): boolean {
  const isThere = isLent(key, found) ? Object.hasOwn(after, key) : found !== undefined;
  if (isThere) compareBelow(place, key, old, found as Json);
  else if (rulesBelow(place.rules, key) !== undefined)
    place.result.patch.push({ op: "remove", path: pointerBelow(place, key), oldValue: old });
  return isThere;
}

function compareLists(before: Json[], after: Json[], place: Place): void {
  const { rules, result } = place;
  const list = rules.shape?.list;
  const isNamed = list?.type === "map" || list?.type === "set";
  const aligned = isNamed && !isInPlace(before, after, list) ? align(before, after, list) : undefined;
  if (aligned === undefined) {
    compareByPosition(before, after, place);
    return;
  }
  if (pathsBelow(rules.ignored, "*").whole) return;
  const { patch } = result;
  for (const { op, from, to } of aligned.steps) {
    const path = pointerBelow(place, to);
    if (op === "remove") patch.push({ op, path, oldValue: before[from] as Json });
    else if (op === "add") patch.push({ op, path, value: after[to] as Json });
    else patch.push({ op, from: pointerBelow(place, from), path });
  }
  for (const { before: old, to } of aligned.shared) {
    const now = after[to] as Json;
    if (old !== now) compareBelow(place, to, old, now);
  }
}

/** What both have is compared, what is left over is added at, or removed from, the end. */
function compareByPosition(before: Json[], after: Json[], place: Place): void {
  const { rules, result } = place;
  const shared = Math.min(before.length, after.length);
  for (let i = 0; i < shared; i++) {
    const old = before[i] as Json;
    const now = after[i] as Json;
    if (old !== now) compareBelow(place, i, old, now);
  }
  for (let i = shared; i < after.length; i++) {
    if (rulesBelow(rules, i)) result.patch.push({ op: "add", path: pointerBelow(place, i), value: after[i] as Json });
  }
  for (let i = before.length - 1; i >= shared; i--) {
    if (rulesBelow(rules, i))
      result.patch.push({ op: "remove", path: pointerBelow(place, i), oldValue: before[i] as Json });
  }
}

function pointerBelow(place: Place, key: string | number): string {
  return `${pointerOf(place)}/${escapePointerToken(String(key))}`;
}

function pointerOf(place: Place): string {
  place.pointer ??= place.above === undefined ? "" : pointerBelow(place.above, place.key);
  return place.pointer;
}

/** The rules below `key`; `undefined` when nothing there counts. */
function rulesBelow(rules: ResolvedRules, key: string | number): ResolvedRules | undefined {
  if (rules === NO_RULES) return rules;
  const name = String(key);
  const ignored = pathsBelow(rules.ignored, name);
  if (ignored.whole) return undefined;
  const only = rules.only === undefined || rules.only.whole ? undefined : pathsBelow(rules.only, name);
  if (only !== undefined && !only.whole && only.below.size === 0) return undefined;
  const shape = shapeBelow(rules.shape, name);
  if (ignored === NO_PATHS && only === undefined && shape === undefined) return NO_RULES;
  return { ignored, only, shape };
}

type JsonMap = Record<string, Json>;

function isContainer(value: Json): value is Json[] | JsonMap {
  return typeof value === "object" && value !== null;
}

/** Whether what is found at a key may be nothing that JSON has there, but what JavaScript lends to every object: a function, or `__proto__`. */
function isLent(key: string, found: unknown): boolean {
  return typeof found === "function" || key === "__proto__";
}
