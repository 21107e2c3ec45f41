/**
 * A set of paths into an object, as a tree of keys, so that walking an object asks at each key only what lies below it. `*` stands for
 * any key or position.
 */
import type { Json } from "../kube/kube-object.ts";
import { parseFieldPath } from "./field-path.ts";

/** The part of the set below one place; `whole`: the place itself is in it, with everything below. */
export interface PathSet {
  readonly whole: boolean;
  readonly below: ReadonlyMap<string, PathSet>;
}

type MutablePathSet = { whole: boolean; below: Map<string, MutablePathSet> };

/** No path. */
export const NO_PATHS: PathSet = { whole: false, below: new Map() };

/** Builds a set from paths in either notation. Throws an Error about one that cannot be read. */
export function pathSet(paths: readonly string[]): PathSet {
  if (paths.length === 0) return NO_PATHS;
  const root: MutablePathSet = { whole: false, below: new Map() };
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

/** What of the set lies below `key`; the wildcard's and the key's own paths count together. */
export function pathsBelow(set: PathSet, key: string): PathSet {
  if (set.below.size === 0) return NO_PATHS;
  const exact = set.below.get(key);
  const any = set.below.get("*");
  if (exact === undefined) return any ?? NO_PATHS;
  if (any === undefined || exact.whole) return exact;
  return merge(exact, any);
}

function merge(a: PathSet, b: PathSet): PathSet {
  const joined = new Map(a.below);
  for (const [key, node] of b.below) {
    const own = joined.get(key);
    joined.set(key, own === undefined ? node : merge(own, node));
  }
  return { whole: a.whole || b.whole, below: joined };
}

/** Whether an operation at this place touches a path of the set: one above it, at it, or below it that `value` has. */
export function reaches(set: PathSet, segments: readonly string[], value: Json): boolean {
  let node = set;
  for (const key of segments) {
    if (node.whole) return true;
    node = pathsBelow(node, key);
  }
  return has(node, value);
}

function has(set: PathSet, value: Json): boolean {
  if (set.whole) return true;
  if (set.below.size === 0 || value === null || typeof value !== "object") return false;
  return Object.entries(value).some(([key, inner]) => has(pathsBelow(set, key), inner));
}

/** The value with everything in the set replaced; what is not in it is shared, not copied. */
export function replaceAt(set: PathSet, value: Json, replace: (value: Json) => Json): Json {
  if (set.whole) return replace(value);
  if (set.below.size === 0 || value === null || typeof value !== "object") return value;
  if (Array.isArray(value))
    return value.map((inner, index) => replaceAt(pathsBelow(set, String(index)), inner, replace));
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [key, replaceAt(pathsBelow(set, key), inner, replace)]),
  );
}
