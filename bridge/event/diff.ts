/**
 * The exact difference between two JSON documents, as a patch that can be applied and undone. Lists are compared as their schema says,
 * else by position. Ignored paths make no operation, so the round trip holds apart from them.
 */
import type { Json } from "../kube/kube-object.ts";
import { type Shape, shapeBelow } from "../kube/list-shape.ts";
import { escapePointerToken } from "./field-path.ts";
import { align } from "./list-alignment.ts";
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
  compare({ before, after, path: "", rules: { ignored, only, shape }, isSame }, patch);
  return valueOperations(patch).length === 0 ? [] : patch;
}

/** Two values that stand at the same place. */
interface Pair<T extends Json = Json> {
  readonly before: T;
  readonly after: T;
  readonly path: string;
  readonly rules: ResolvedRules;
  readonly isSame: DiffRules["isSame"];
}

function compare(pair: Pair, patch: PatchOperation[]): void {
  const { before, after, path, rules, isSame } = pair;
  if (before === after) return;
  const { shape } = rules;
  const isWhole = shape?.isAtomicMap || shape?.list?.type === "atomic";
  const found: PatchOperation[] = isWhole ? [] : patch;
  if (Array.isArray(before) && Array.isArray(after)) compareLists({ ...pair, before, after }, found);
  else if (isMap(before) && isMap(after)) compareMaps({ ...pair, before, after }, found);
  else if (!isSame?.(before, after)) patch.push({ op: "replace", path, value: after, oldValue: before });
  if (isWhole && valueOperations(found).length > 0) patch.push({ op: "replace", path, value: after, oldValue: before });
}

function compareMaps({ before, after, path, rules, isSame }: Pair<JsonMap>, patch: PatchOperation[]): void {
  for (const key in before) {
    const rest = rulesBelow(rules, key);
    if (rest === undefined) continue;
    const old = before[key] as Json;
    const at = `${path}/${escapePointerToken(key)}`;
    if (!Object.hasOwn(after, key)) patch.push({ op: "remove", path: at, oldValue: old });
    else if (old !== after[key])
      compare({ before: old, after: after[key] as Json, path: at, rules: rest, isSame }, patch);
  }
  for (const key in after) {
    if (Object.hasOwn(before, key) || rulesBelow(rules, key) === undefined) continue;
    patch.push({ op: "add", path: `${path}/${escapePointerToken(key)}`, value: after[key] as Json });
  }
}

function compareLists(pair: Pair<Json[]>, patch: PatchOperation[]): void {
  const list = pair.rules.shape?.list;
  const isNamed = list?.type === "map" || list?.type === "set";
  const aligned = isNamed ? align(pair.before, pair.after, list) : undefined;
  if (aligned === undefined) {
    compareByPosition(pair, patch);
    return;
  }
  const { path, after, rules, isSame } = pair;
  if (pathsBelow(rules.ignored, "*").whole) return;
  for (const { op, from, to } of aligned.steps) {
    if (op === "remove") patch.push({ op, path: `${path}/${from}`, oldValue: pair.before[from] as Json });
    else if (op === "add") patch.push({ op, path: `${path}/${to}`, value: after[to] as Json });
    else patch.push({ op, from: `${path}/${from}`, path: `${path}/${to}` });
  }
  for (const { before, to } of aligned.shared) {
    const rest = rulesBelow(rules, String(to));
    if (rest !== undefined)
      compare({ before, after: after[to] as Json, path: `${path}/${to}`, rules: rest, isSame }, patch);
  }
}

/** What both have is compared, what is left over is added at, or removed from, the end. */
function compareByPosition({ before, after, path, rules, isSame }: Pair<Json[]>, patch: PatchOperation[]): void {
  const shared = Math.min(before.length, after.length);
  for (let i = 0; i < shared; i++) {
    const rest = rulesBelow(rules, String(i));
    const [old, now] = [before[i] as Json, after[i] as Json];
    if (rest !== undefined) compare({ before: old, after: now, path: `${path}/${i}`, rules: rest, isSame }, patch);
  }
  for (let i = shared; i < after.length; i++) {
    if (rulesBelow(rules, String(i))) patch.push({ op: "add", path: `${path}/${i}`, value: after[i] as Json });
  }
  for (let i = before.length - 1; i >= shared; i--) {
    if (rulesBelow(rules, String(i))) patch.push({ op: "remove", path: `${path}/${i}`, oldValue: before[i] as Json });
  }
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
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
