/**
 * The exact difference between two JSON documents, as a patch that can be applied and undone. Lists are compared as their schema says,
 * else by position. Ignored paths make no operation, so the round trip holds apart from them.
 */
import type { Json } from "../kube/kube-object.ts";
import { type Shape, shapeBelow } from "../kube/list-shape.ts";
import { escapePointerToken } from "./field-path.ts";
import { align, isInPlace } from "./list-alignment.ts";
import { type PatchOperation, valueOperations } from "./patch.ts";
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
 * then what differs inside its elements: so every other position in the patch is one in `after`.
 */
export function diff(before: Json, after: Json, rules: DiffRules = {}): PatchOperation[] {
  const { ignored = NO_PATHS, only, shape, isSame } = rules;
  const patch: PatchOperation[] = [];
  compare(before, after, { ignored, only, shape }, { place: ROOT, patch, isSame });
  return valueOperations(patch).length === 0 ? [] : patch;
}

/** A value's place. Nearly all that is compared is equal, so its pointer is written only for what is not. */
interface Place {
  readonly above: Place | undefined;
  readonly key: string;
  pointer: string | undefined;
}

const ROOT: Place = { above: undefined, key: "", pointer: "" };

interface Walk {
  /** Of the two values that are compared. */
  readonly place: Place;
  readonly patch: PatchOperation[];
  readonly isSame: DiffRules["isSame"];
}

function compare(before: Json, after: Json, rules: ResolvedRules, walk: Walk): void {
  if (before === after) return;
  const { shape } = rules;
  const isWhole = shape?.isAtomicMap || shape?.list?.type === "atomic";
  const inner = isWhole ? { ...walk, patch: [] } : walk;
  if (Array.isArray(before) && Array.isArray(after)) compareLists(before, after, rules, inner);
  else if (isMap(before) && isMap(after)) compareMaps(before, after, rules, inner);
  else replace(before, after, pointerOf(walk.place), walk);
  if (isWhole && valueOperations(inner.patch).length > 0)
    walk.patch.push({ op: "replace", path: pointerOf(walk.place), value: after, oldValue: before });
}

/** Compares what is one step further. */
function compareBelow(key: string, before: Json, after: Json, rules: ResolvedRules, walk: Walk): void {
  const { place: above, patch, isSame } = walk;
  if (!isContainer(before) || !isContainer(after)) replace(before, after, pointerBelow(walk, key), walk);
  else compare(before, after, rules, { place: { above, key, pointer: undefined }, patch, isSame });
}

function replace(before: Json, after: Json, path: string, { patch, isSame }: Walk): void {
  if (!isSame?.(before, after)) patch.push({ op: "replace", path, value: after, oldValue: before });
}

function compareMaps(before: JsonMap, after: JsonMap, rules: ResolvedRules, walk: Walk): void {
  const { patch } = walk;
  const keys = Object.keys(before);
  let shared = 0;
  for (const key of keys) {
    const old = before[key] as Json;
    const now = ownValue(after, key);
    if (now !== undefined) shared++;
    if (old === now) continue;
    const rest = rulesBelow(rules, key);
    if (rest === undefined) continue;
    if (now === undefined) patch.push({ op: "remove", path: pointerBelow(walk, key), oldValue: old });
    else compareBelow(key, old, now, rest, walk);
  }
  const keysAfter = Object.keys(after);
  if (keysAfter.length === shared) return;
  for (const key of keysAfter) {
    if (Object.hasOwn(before, key) || rulesBelow(rules, key) === undefined) continue;
    patch.push({ op: "add", path: pointerBelow(walk, key), value: after[key] as Json });
  }
}

function compareLists(before: Json[], after: Json[], rules: ResolvedRules, walk: Walk): void {
  const list = rules.shape?.list;
  const isNamed = list?.type === "map" || list?.type === "set";
  const aligned = isNamed && !isInPlace(before, after, list) ? align(before, after, list) : undefined;
  if (aligned === undefined) {
    compareByPosition(before, after, rules, walk);
    return;
  }
  if (pathsBelow(rules.ignored, "*").whole) return;
  const { patch } = walk;
  for (const { op, from, to } of aligned.steps) {
    const path = pointerBelow(walk, String(to));
    if (op === "remove") patch.push({ op, path, oldValue: before[from] as Json });
    else if (op === "add") patch.push({ op, path, value: after[to] as Json });
    else patch.push({ op, from: pointerBelow(walk, String(from)), path });
  }
  for (const { before: old, to } of aligned.shared) {
    const now = after[to] as Json;
    const rest = old === now ? undefined : rulesBelow(rules, String(to));
    if (rest !== undefined) compareBelow(String(to), old, now, rest, walk);
  }
}

/** What both have is compared, what is left over is added at, or removed from, the end. */
function compareByPosition(before: Json[], after: Json[], rules: ResolvedRules, walk: Walk): void {
  const { patch } = walk;
  const shared = Math.min(before.length, after.length);
  for (let i = 0; i < shared; i++) {
    const [old, now] = [before[i] as Json, after[i] as Json];
    const rest = old === now ? undefined : rulesBelow(rules, String(i));
    if (rest !== undefined) compareBelow(String(i), old, now, rest, walk);
  }
  for (let i = shared; i < after.length; i++) {
    if (rulesBelow(rules, String(i)))
      patch.push({ op: "add", path: pointerBelow(walk, String(i)), value: after[i] as Json });
  }
  for (let i = before.length - 1; i >= shared; i--) {
    if (rulesBelow(rules, String(i)))
      patch.push({ op: "remove", path: pointerBelow(walk, String(i)), oldValue: before[i] as Json });
  }
}

function pointerBelow({ place }: Walk, key: string): string {
  return `${pointerOf(place)}/${escapePointerToken(key)}`;
}

function pointerOf(place: Place): string {
  place.pointer ??= `${place.above === undefined ? "" : pointerOf(place.above)}/${escapePointerToken(place.key)}`;
  return place.pointer;
}

/** The rules below `key`; `undefined` when nothing there counts. */
function rulesBelow(rules: ResolvedRules, key: string): ResolvedRules | undefined {
  if (rules === NO_RULES) return rules;
  const ignored = pathsBelow(rules.ignored, key);
  if (ignored.whole) return undefined;
  const only = rules.only === undefined || rules.only.whole ? undefined : pathsBelow(rules.only, key);
  if (only !== undefined && !only.whole && only.below.size === 0) return undefined;
  const shape = shapeBelow(rules.shape, key);
  if (ignored === NO_PATHS && only === undefined && shape === undefined) return NO_RULES;
  return { ignored, only, shape };
}

type JsonMap = Record<string, Json>;

function isMap(value: Json): value is JsonMap {
  return isContainer(value) && !Array.isArray(value);
}

function isContainer(value: Json): value is Json[] | JsonMap {
  return typeof value === "object" && value !== null;
}

/** What JSON has under this key, and nothing that JavaScript lends to every object: a function, or `__proto__`. */
function ownValue(map: JsonMap, key: string): Json | undefined {
  const value = map[key];
  const isLent = typeof value === "function" || key === "__proto__";
  return isLent && !Object.hasOwn(map, key) ? undefined : value;
}
