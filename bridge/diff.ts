/**
 * The exact difference between two JSON documents, as a patch that can be applied and undone. Lists are compared by position.
 * Ignored paths make no operation, so the round trip holds apart from them.
 */
import { escapePointerToken, parseFieldPath } from "./field-path.ts";
import type { Json } from "./kube-object.ts";
import type { PatchOperation } from "./patch.ts";

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

/** The operations that turn `before` into `after`; empty when they are equal apart from ignored paths. */
export function diff(before: Json, after: Json, ignored: IgnoredPaths = NOTHING_IGNORED): PatchOperation[] {
  const patch: PatchOperation[] = [];
  compare(before, after, "", ignored, patch);
  return patch;
}

function compare(before: Json, after: Json, path: string, ignored: IgnoredPaths, patch: PatchOperation[]): void {
  if (before === after) return;
  if (Array.isArray(before) && Array.isArray(after)) compareLists(before, after, path, ignored, patch);
  else if (isMap(before) && isMap(after)) compareMaps(before, after, path, ignored, patch);
  else patch.push({ op: "replace", path, value: after, oldValue: before });
}

function compareMaps(
  before: Record<string, Json>,
  after: Record<string, Json>,
  path: string,
  ignored: IgnoredPaths,
  patch: PatchOperation[],
): void {
  for (const key in before) {
    const rest = below(ignored, key);
    if (rest.whole) continue;
    const old = before[key] as Json;
    if (!Object.hasOwn(after, key))
      patch.push({ op: "remove", path: `${path}/${escapePointerToken(key)}`, oldValue: old });
    else if (old !== after[key]) compare(old, after[key] as Json, `${path}/${escapePointerToken(key)}`, rest, patch);
  }
  for (const key in after) {
    if (Object.hasOwn(before, key) || below(ignored, key).whole) continue;
    patch.push({ op: "add", path: `${path}/${escapePointerToken(key)}`, value: after[key] as Json });
  }
}

/** By position: what both have is compared, what is left over is added at, or removed from, the end. */
function compareLists(
  before: Json[],
  after: Json[],
  path: string,
  ignored: IgnoredPaths,
  patch: PatchOperation[],
): void {
  const shared = Math.min(before.length, after.length);
  for (let i = 0; i < shared; i++) {
    const rest = below(ignored, String(i));
    if (!rest.whole) compare(before[i] as Json, after[i] as Json, `${path}/${i}`, rest, patch);
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

function isMap(value: Json): value is Record<string, Json> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
