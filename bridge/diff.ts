/**
 * The exact difference between two JSON documents, as a patch that can be applied and undone. Lists are compared as their schema says,
 * else by position. Ignored paths make no operation, so the round trip holds apart from them.
 */
import { escapePointerToken, parseFieldPath } from "./field-path.ts";
import type { Json } from "./kube-object.ts";
import { align } from "./list-alignment.ts";
import { type Shape, shapeBelow } from "./list-shape.ts";
import { type PatchOperation, valueOperations } from "./patch.ts";

/** Paths that make no change on their own, as a tree of keys; `*` is any key. Build it with `ignoring`. */
export interface IgnoredPaths {
  readonly whole: boolean;
  readonly below: ReadonlyMap<string, IgnoredPaths>;
}

type MutableIgnoredPaths = { whole: boolean; below: Map<string, MutableIgnoredPaths> };

const NOTHING_IGNORED: IgnoredPaths = { whole: false, below: new Map() };

/** Builds the tree of ignored paths; `*` as a key stands for any key or position. */
export function ignoring(paths: readonly string[]): IgnoredPaths {
  const root: MutableIgnoredPaths = { whole: false, below: new Map() };
  for (const path of paths) {
    let node = root;
    for (const key of parseFieldPath(path)) {
      const next = node.below.get(key) ?? { whole: false, below: new Map() };
      node.below.set(key, next);
      node = next;
    }
    node.whole = true;
  }
  return root;
}

/** What shapes a difference; left out: nothing is ignored, and lists are compared by position. */
export interface DiffRules {
  readonly ignored?: IgnoredPaths;
  /** Which lists are compared by keys, as sets or as a whole. */
  readonly shape?: Shape | undefined;
}

/**
 * The operations that turn `before` into `after`, exactly; empty when they are equal apart from ignored paths and from the order of
 * keyed lists and sets. Of a list, first the removals come, from its end, then additions and moves in the order of its positions, then
 * what differs inside its elements: so every other position in the patch is one in `after`.
 */
export function diff(
  before: Json,
  after: Json,
  { ignored = NOTHING_IGNORED, shape }: DiffRules = {},
): PatchOperation[] {
  const patch: PatchOperation[] = [];
  compare({ before, after, path: "", ignored, shape }, patch);
  return valueOperations(patch).length === 0 ? [] : patch;
}

/** Two values that stand at the same place. */
interface Pair<T extends Json = Json> {
  readonly before: T;
  readonly after: T;
  readonly path: string;
  readonly ignored: IgnoredPaths;
  readonly shape: Shape | undefined;
}

function compare(pair: Pair, patch: PatchOperation[]): void {
  const { before, after, path, shape } = pair;
  if (before === after) return;
  const isWhole = shape?.isAtomicMap || shape?.list?.type === "atomic";
  const found: PatchOperation[] = isWhole ? [] : patch;
  if (Array.isArray(before) && Array.isArray(after)) compareLists({ ...pair, before, after }, found);
  else if (isMap(before) && isMap(after)) compareMaps({ ...pair, before, after }, found);
  else return void patch.push({ op: "replace", path, value: after, oldValue: before });
  if (isWhole && valueOperations(found).length > 0) patch.push({ op: "replace", path, value: after, oldValue: before });
}

function compareMaps({ before, after, path, ignored, shape }: Pair<JsonMap>, patch: PatchOperation[]): void {
  for (const key in before) {
    const rest = below(ignored, key);
    if (rest.whole) continue;
    const old = before[key] as Json;
    const at = `${path}/${escapePointerToken(key)}`;
    if (!Object.hasOwn(after, key)) patch.push({ op: "remove", path: at, oldValue: old });
    else if (old !== after[key])
      compare(
        { before: old, after: after[key] as Json, path: at, ignored: rest, shape: shapeBelow(shape, key) },
        patch,
      );
  }
  for (const key in after) {
    if (Object.hasOwn(before, key) || below(ignored, key).whole) continue;
    patch.push({ op: "add", path: `${path}/${escapePointerToken(key)}`, value: after[key] as Json });
  }
}

function compareLists(pair: Pair<Json[]>, patch: PatchOperation[]): void {
  const list = pair.shape?.list;
  const isNamed = list?.type === "map" || list?.type === "set";
  const aligned = isNamed ? align(pair.before, pair.after, list) : undefined;
  if (aligned === undefined) {
    compareByPosition(pair, patch);
    return;
  }
  const { path, after, ignored, shape } = pair;
  if (below(ignored, "*").whole) return;
  for (const { op, from, to } of aligned.steps) {
    if (op === "remove") patch.push({ op, path: `${path}/${from}`, oldValue: pair.before[from] as Json });
    else if (op === "add") patch.push({ op, path: `${path}/${to}`, value: after[to] as Json });
    else patch.push({ op, from: `${path}/${from}`, path: `${path}/${to}` });
  }
  for (const { before, to } of aligned.shared) {
    const rest = below(ignored, String(to));
    const inner = { before, after: after[to] as Json, path: `${path}/${to}`, ignored: rest, shape: shape?.each };
    if (!rest.whole) compare(inner, patch);
  }
}

/** What both have is compared, what is left over is added at, or removed from, the end. */
function compareByPosition({ before, after, path, ignored, shape }: Pair<Json[]>, patch: PatchOperation[]): void {
  const shared = Math.min(before.length, after.length);
  for (let i = 0; i < shared; i++) {
    const rest = below(ignored, String(i));
    const [old, now] = [before[i] as Json, after[i] as Json];
    if (!rest.whole)
      compare({ before: old, after: now, path: `${path}/${i}`, ignored: rest, shape: shape?.each }, patch);
  }
  for (let i = shared; i < after.length; i++) {
    if (!below(ignored, String(i)).whole) patch.push({ op: "add", path: `${path}/${i}`, value: after[i] as Json });
  }
  for (let i = before.length - 1; i >= shared; i--) {
    if (!below(ignored, String(i)).whole)
      patch.push({ op: "remove", path: `${path}/${i}`, oldValue: before[i] as Json });
  }
}

/** What is ignored below `key`; the wildcard's and the key's own paths count together. */
function below(ignored: IgnoredPaths, key: string): IgnoredPaths {
  if (ignored.below.size === 0) return NOTHING_IGNORED;
  const exact = ignored.below.get(key);
  const any = ignored.below.get("*");
  if (exact === undefined) return any ?? NOTHING_IGNORED;
  if (any === undefined || exact.whole) return exact;
  return merge(exact, any);
}

function merge(a: IgnoredPaths, b: IgnoredPaths): IgnoredPaths {
  const joined = new Map(a.below);
  for (const [key, node] of b.below) {
    const own = joined.get(key);
    joined.set(key, own === undefined ? node : merge(own, node));
  }
  return { whole: a.whole || b.whole, below: joined };
}

type JsonMap = Record<string, Json>;

function isMap(value: Json): value is JsonMap {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
