/**
 * A patch: RFC 6902 operations that each carry what they replaced, so that they can be undone. Forward they turn before into
 * after, backward after into before, exactly.
 * Source: RFC 6902 (JSON Patch), RFC 6901 (JSON Pointer); `oldValue` is our addition, which RFC 6902 section 4 allows ("members
 * that are not explicitly defined … MUST be ignored").
 */
import { z } from "zod";
import { parsePointer, valueAt } from "./field-path.ts";
import type { Json } from "./kube-object.ts";

const value = z.json() as z.ZodType<Json>;

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

/** Applies a patch to a copy of the document. Throws an Error when a path does not exist in it. */
export function applyPatch(document: Json, patch: readonly PatchOperation[]): Json {
  return patch.reduce<Json>(step, structuredClone(document));
}

/** Undoes a patch on a copy of the document: `undoPatch(after, diff(before, after))` is `before`. */
export function undoPatch(document: Json, patch: readonly PatchOperation[]): Json {
  return patch.toReversed().map(inverse).reduce<Json>(step, structuredClone(document));
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

function step(document: Json, operation: PatchOperation): Json {
  if (operation.op === "move") {
    const value = valueAt(document, parsePointer(operation.from));
    if (value === undefined) throw new Error(`the patch does not fit the object: nothing at "${operation.from}"`);
    const without = step(document, { op: "remove", path: operation.from, oldValue: value });
    return step(without, { op: "add", path: operation.path, value });
  }
  const segments = parsePointer(operation.path);
  const key = segments.at(-1);
  if (key === undefined) return operation.op === "remove" ? null : structuredClone(operation.value);
  let parent: Json | undefined = document;
  for (const segment of segments.slice(0, -1)) {
    parent =
      isContainer(parent) && Object.hasOwn(parent, segment) ? (parent as Record<string, Json>)[segment] : undefined;
  }
  if (!isContainer(parent)) throw new Error(`the patch does not fit the object: nothing at "${operation.path}"`);
  if (Array.isArray(parent)) {
    const position = key === "-" ? parent.length : Number(key);
    const value = operation.op === "remove" ? [] : [structuredClone(operation.value)];
    parent.splice(position, operation.op === "add" ? 0 : 1, ...value);
  } else if (operation.op === "remove") {
    delete parent[key];
  } else {
    define(parent, key, structuredClone(operation.value));
  }
  return document;
}

/** Sets a key even when it is `__proto__`, which an assignment would not. */
function define(map: Record<string, Json>, key: string, value: Json): void {
  Object.defineProperty(map, key, { value, writable: true, enumerable: true, configurable: true });
}

function isContainer(value: Json | undefined): value is Json[] | Record<string, Json> {
  return typeof value === "object" && value !== null;
}
