/**
 * Which field manager made a change, read from `metadata.managedFields`: the owner of every changed field, when they all name the
 * same one. It is never a guess: two possible owners, or fields that nobody owns any more, give `null`.
 * Source: Kubernetes "Server-Side Apply, field management" (the API server stamps an entry whenever a write of its manager
 * changes a value), structured-merge-diff's FieldsV1 keys (`f:<field>`, `k:<keys of a list element>`, `v:<set element>`).
 */
import { isDeepStrictEqual } from "node:util";
import type { KubeObject, ManagedFieldsEntry } from "../kube/kube-object.ts";
import type { Actor } from "./change.ts";
import { parsePointer, type Segments, valueAt } from "./field-path.ts";
import { type PatchOperation, type ValueOperation, valueOperations } from "./patch.ts";

type Fields = Readonly<Record<string, unknown>>;

/** The manager that made this patch; for a creation (no patch) the manager of the first and only write. `null`: cannot be told. */
export function actorOf(object: KubeObject, patch: readonly PatchOperation[] | undefined): Actor | null {
  const entries = object.metadata.managedFields ?? [];
  if (patch === undefined) return entries.length === 1 && entries[0] !== undefined ? toActor(entries[0]) : null;
  let actor: ManagedFieldsEntry | undefined;
  for (const operation of valueOperations(patch)) {
    const owner = newestOwner(object, entries, pathOf(object, operation));
    if (owner === undefined || (actor !== undefined && owner !== actor)) return null;
    actor = owner;
  }
  return actor === undefined ? null : toActor(actor);
}

/** Where the changed field stands in the object now; an element that was removed stands nowhere, whatever has its position now. */
function pathOf(object: KubeObject, { op, path }: ValueOperation): Segments {
  const segments = parsePointer(path);
  if (op !== "remove") return segments;
  const parent = segments.slice(0, -1);
  return Array.isArray(valueAt(object, parent)) ? [...parent, "-"] : segments;
}

/**
 * The one entry with the newest time among those whose field set reaches furthest down this path; a tie names nobody. Who owns a
 * map itself (`"f:data":{}`) does not own what somebody else has put into it.
 */
function newestOwner(
  object: KubeObject,
  entries: readonly ManagedFieldsEntry[],
  path: Segments,
): ManagedFieldsEntry | undefined {
  let newest: ManagedFieldsEntry | undefined;
  let deepest = 0;
  let tied = false;
  for (const entry of entries) {
    const depth = entry.time === undefined ? 0 : depthOf(entry.fieldsV1 ?? {}, path, object);
    if (depth === 0 || depth < deepest) continue;
    if (depth === deepest && newest?.time !== undefined && (entry.time ?? "") < newest.time) continue;
    tied = depth === deepest && entry.time === newest?.time;
    newest = entry;
    deepest = depth;
  }
  return tied ? undefined : newest;
}

/** How many keys of the path the field set has; 0 when it owns nothing of it. An added map is owned field by field. */
function depthOf(fieldSet: Fields, path: Segments, object: unknown): number {
  let fields = fieldSet;
  let here = object;
  let depth = 0;
  for (const key of path) {
    depth++;
    const below = fieldsAt(fields, key, here);
    if (below === undefined) return 0;
    if (isEmpty(below)) return depth;
    fields = below;
    here = childOf(here, key);
  }
  return path.length;
}

function childOf(value: unknown, key: string): unknown {
  return value !== null && typeof value === "object" && Object.hasOwn(value, key) ? (value as Fields)[key] : undefined;
}

/** What a field set has below one key of a map, or below the list element at this position; `undefined` when it has nothing there. */
function fieldsAt(fields: Fields, key: string, container: unknown): Fields | undefined {
  const name = `f:${key}`;
  if (Object.hasOwn(fields, name)) return (fields[name] ?? {}) as Fields;
  if (!Array.isArray(container)) return undefined;
  const element = container[Number(key)];
  const found = Object.keys(fields).find((each) => names(each, element));
  return found === undefined ? undefined : ((fields[found] ?? {}) as Fields);
}

/** Whether one FieldsV1 key names this element of a list. */
function names(fieldKey: string, element: unknown): boolean {
  // The API server escapes more than JSON.stringify does, so the value is compared and not its text.
  if (fieldKey.startsWith("v:")) return isDeepStrictEqual(parseJson(fieldKey.slice(2)), element);
  if (!fieldKey.startsWith("k:") || element === null || typeof element !== "object") return false;
  const keys = parseJson(fieldKey.slice(2));
  if (keys === null || typeof keys !== "object") return false;
  return Object.entries(keys).every(([name, value]) => (element as Fields)[name] === value);
}

function isEmpty(fields: Fields): boolean {
  for (const _ in fields) return false;
  return true;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function toActor(entry: ManagedFieldsEntry): Actor | null {
  const { manager, operation, subresource = "", time } = entry;
  return manager === undefined || operation === undefined || time === undefined
    ? null
    : { manager, operation, subresource, time };
}
