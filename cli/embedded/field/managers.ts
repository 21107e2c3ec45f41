/**
 * The managers of an object as the server reckons with them, and as `metadata.managedFields` shows them: who, how, through which
 * subresource, since when, and which fields. Reading is lenient, writing is exact to the order of the entries.
 * Source: KEP-555; apimachinery `util/managedfields/internal` (managedfields.go, capmanagers.go, stripmeta.go).
 */
import { isDeepStrictEqual } from "node:util";
import type { Json, JsonObject, KubeObject, ManagedFieldsEntry } from "../object/object.ts";
import { isObject, withMetadata } from "../object/object.ts";
import type { FieldSet } from "./field-set.ts";
import {
  difference,
  fieldKey,
  formatFieldSet,
  isEmpty,
  NO_FIELDS,
  parseFieldSet,
  setOfPaths,
  union,
} from "./field-set.ts";

/** An entry, taken apart. */
export interface Manager {
  readonly manager: string;
  readonly operation: "Apply" | "Update";
  readonly apiVersion: string;
  readonly subresource: string;
  readonly time: string | undefined;
  readonly fields: FieldSet;
}

/** By what tells two managers apart, see `identityOf`. */
export type Managers = ReadonlyMap<string, Manager>;

/** The real server's; with one more the oldest ones become one. */
const UPDATE_MANAGERS_MAX = 10;
const ANCIENT = "ancient-changes";

/** What no manager is ever said to own. */
export const NEVER_OWNED = setOfPaths(
  [
    ["apiVersion"],
    ["kind"],
    ["metadata"],
    ...["name", "namespace", "creationTimestamp", "selfLink", "uid", "clusterName"].map((name) => ["metadata", name]),
    ...["generation", "managedFields", "resourceVersion"].map((name) => ["metadata", name]),
  ].map((path) => path.map(fieldKey)),
);

/** The managers with another set for one of them; with nothing to show it is no manager. */
export function withManager(managers: Managers, one: Manager): Managers {
  const fields = difference(one.fields, NEVER_OWNED);
  const changed = new Map(managers);
  if (isEmpty(fields)) changed.delete(identityOf(one));
  else changed.set(identityOf(one), { ...one, fields });
  return changed;
}

/** With the oldest updates of each apiVersion put together until there are few enough. */
export function capped(managers: Managers): Managers {
  const updates = [...managers].filter(([, { operation }]) => operation === "Update");
  let excess = updates.length - UPDATE_MANAGERS_MAX;
  if (excess <= 0) return managers;
  const kept = new Map(managers);
  const firsts = new Map<string, string>();
  for (const [identity, one] of updates.sort(oldestFirst)) {
    if (excess <= 0) break;
    const first = firsts.get(one.apiVersion);
    if (first === undefined) {
      firsts.set(one.apiVersion, identity);
      continue;
    }
    const ancient = { ...one, manager: ANCIENT, subresource: "" };
    const bucket = identityOf(ancient);
    const merged = kept.get(bucket) ?? kept.get(first);
    if (!kept.has(bucket)) kept.delete(first);
    kept.delete(identity);
    kept.set(bucket, { ...ancient, fields: union(one.fields, merged?.fields ?? NO_FIELDS) });
    excess--;
  }
  return kept;
}

function oldestFirst(
  [a, { time: aTime = "" }]: [string, Manager],
  [b, { time: bTime = "" }]: [string, Manager],
): number {
  return compareTexts(aTime, bTime) || compareTexts(a, b);
}

function compareTexts(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1;
}

/** An applier is the same one in every apiVersion. */
export function identityOf({ manager, operation, apiVersion, subresource }: Omit<Manager, "time" | "fields">): string {
  return JSON.stringify({
    ...(manager && { manager }),
    operation,
    ...(operation === "Update" && { apiVersion }),
    ...(subresource && { subresource }),
  });
}

/** Entries, taken apart; undefined when they are not what managedFields are. */
export function parseManagers(entries: Json | undefined): Managers | undefined {
  const managers = new Map<string, Manager>();
  if (entries === undefined || entries === null) return managers;
  if (!Array.isArray(entries)) return undefined;
  for (const entry of entries) {
    const one = parseManager(entry);
    if (one === undefined) return undefined;
    managers.set(identityOf(one), one);
  }
  return managers;
}

function parseManager(entry: Json): Manager | undefined {
  if (!isObject(entry)) return undefined;
  const { manager = "", operation, apiVersion, subresource = "", time, fieldsType, fieldsV1 = {} } = entry;
  const fields = parseFieldSet(fieldsV1);
  if (operation !== "Apply" && operation !== "Update") return undefined;
  if (typeof apiVersion !== "string" || apiVersion === "" || fieldsType !== "FieldsV1") return undefined;
  if (typeof manager !== "string" || typeof subresource !== "string" || fields === undefined) return undefined;
  return { manager, operation, apiVersion, subresource, time: typeof time === "string" ? time : undefined, fields };
}

/** As entries, in the real server's order: appliers first, then by age. */
export function formatManagers(managers: Managers): readonly ManagedFieldsEntry[] {
  const sorted = [...managers.values()].sort((a, b) => {
    return (
      compareTexts(a.operation, b.operation) ||
      compareTexts(a.time ?? "", b.time ?? "") ||
      compareTexts(a.manager, b.manager) ||
      compareTexts(a.apiVersion, b.apiVersion) ||
      compareTexts(a.subresource, b.subresource)
    );
  });
  return sorted.map(formatManager);
}

function formatManager({ manager, operation, apiVersion, time, fields, subresource }: Manager): ManagedFieldsEntry {
  const entry: JsonObject = {
    manager,
    operation,
    apiVersion,
    ...(time !== undefined && { time }),
    fieldsType: "FieldsV1",
    fieldsV1: formatFieldSet(fields),
    ...(subresource && { subresource }),
  };
  return entry as ManagedFieldsEntry; // entries of the scale subresource have no time
}

/** The object with these entries; without any it has no managedFields. */
export function withManagedFields(object: KubeObject, entries: readonly ManagedFieldsEntry[]): KubeObject {
  return withMetadata(object, { managedFields: entries.length === 0 ? undefined : entries });
}

/**
 * The object as it is to be stored: what differs from `before` in the times of its entries only is no change. For the end of a write,
 * when all that the server itself sets is in place.
 */
export function withoutNewTimes(after: KubeObject, before: KubeObject): KubeObject {
  const untimed = (object: KubeObject) => {
    const managedFields = object.metadata.managedFields?.map(({ time: _, ...entry }) => entry);
    return { ...object, metadata: { ...object.metadata, managedFields } };
  };
  return isDeepStrictEqual(untimed(after), untimed(before)) ? before : after;
}
