/**
 * A patch: RFC 6902 operations that each carry what they replaced, so that they can be undone. Forward they turn before into
 * after, backward after into before, exactly.
 * Source: RFC 6902 (JSON Patch), RFC 6901 (JSON Pointer); `oldValue` is our addition, which RFC 6902 section 4 allows ("members
 * that are not explicitly defined … MUST be ignored").
 */
import { z } from "zod";
import type { Json } from "../kube/kube-object.ts";
import { parsePointer, valueAt } from "./field-path.ts";

/** It is read from JSON: to look at it whole would be work for nothing, and too deep for the stack where an object is. */
const value = z.unknown().refine((found) => found !== undefined, "Invalid input: expected a value") as z.ZodType<Json>;

/** One operation of the patch, with what it replaced, so that it can be undone. */
export const PatchOperation = z.discriminatedUnion("op", [
  z.object({ op: z.literal("add"), path: z.string(), value }),
  z.object({ op: z.literal("remove"), path: z.string(), oldValue: value }),
  z.object({ op: z.literal("replace"), path: z.string(), value, oldValue: value }),
  /** An element of a keyed list or a set stands elsewhere in it: no change, but without it the rest would not fit. */
  z.object({ op: z.literal("move"), from: z.string(), path: z.string() }),
]);
export type PatchOperation = z.infer<typeof PatchOperation>;
/** An operation that changes a value; a move only says where one stands now. */
export type ValueOperation = Exclude<PatchOperation, { readonly op: "move" }>;

/** The operations that change values, for readers to whom the order of a keyed list or a set says nothing. */
export function valueOperations(patch: readonly PatchOperation[]): ValueOperation[] {
  return patch.filter((operation): operation is ValueOperation => operation.op !== "move");
}

/** The document with the patch applied; the two share what it does not touch. Throws an Error when a path does not exist. */
export function applyPatch(document: Json, patch: readonly PatchOperation[]): Json {
  return transformed(document, patch);
}

/** The document with the patch undone: `undoPatch(after, diff(before, after))` is `before`. As `applyPatch` otherwise. */
export function undoPatch(document: Json, patch: readonly PatchOperation[]): Json {
  return transformed(document, patch.toReversed().map(inverse));
}

type Container = Json[] | Record<string, Json>;
/** Gives a container that may be written to: itself when it is a copy of ours, else a copy one level deep. */
type Own = (container: Container) => Container;

/** Copies only the containers on the way to what changes, so that a small change of a large or deep object costs little. */
function transformed(document: Json, operations: readonly PatchOperation[]): Json {
  const copies = new Set<Container>();
  const own: Own = (container) => {
    if (copies.has(container)) return container;
    const copy = Array.isArray(container) ? container.slice() : { ...container };
    copies.add(copy);
    return copy;
  };
  return operations.reduce<Json>((current, operation) => step(current, operation, own), document);
}

function inverse(operation: PatchOperation): PatchOperation {
  switch (operation.op) {
    case "add":
      return { op: "remove", path: operation.path, oldValue: operation.value };
    case "remove":
      return { op: "add", path: operation.path, value: operation.oldValue };
    case "replace":
      return { op: "replace", path: operation.path, value: operation.oldValue, oldValue: operation.value };
    case "move":
      return { op: "move", from: operation.path, path: operation.from };
    default:
      return operation satisfies never;
  }
}

function step(document: Json, operation: PatchOperation, own: Own): Json {
  if (operation.op === "move") {
    const value = valueAt(document, parsePointer(operation.from));
    if (value === undefined) throw new Error(`the patch does not fit the object: nothing at "${operation.from}"`);
    const without = step(document, { op: "remove", path: operation.from, oldValue: value }, own);
    return step(without, { op: "add", path: operation.path, value }, own);
  }
  const segments = parsePointer(operation.path);
  const key = segments.at(-1);
  if (key === undefined) return operation.op === "remove" ? null : operation.value;
  const misfit = () => new Error(`the patch does not fit the object: nothing at "${operation.path}"`);
  if (!isContainer(document)) throw misfit();
  const root = own(document);
  let parent = root;
  for (const segment of segments.slice(0, -1)) {
    const child = Object.hasOwn(parent, segment) ? (parent as Record<string, Json>)[segment] : undefined;
    if (!isContainer(child)) throw misfit();
    const owned = own(child);
    if (owned !== child) define(parent, segment, owned);
    parent = owned;
  }
  if (Array.isArray(parent)) {
    const position = key === "-" ? parent.length : Number(key);
    const value = operation.op === "remove" ? [] : [operation.value];
    parent.splice(position, operation.op === "add" ? 0 : 1, ...value);
  } else if (operation.op === "remove") {
    delete parent[key];
  } else {
    define(parent, key, operation.value);
  }
  return root;
}

/** Sets a key even when it is `__proto__`, which an assignment would not. */
function define(map: Container, key: string, value: Json): void {
  Object.defineProperty(map, key, { value, writable: true, enumerable: true, configurable: true });
}

function isContainer(value: Json | undefined): value is Container {
  return typeof value === "object" && value !== null;
}
