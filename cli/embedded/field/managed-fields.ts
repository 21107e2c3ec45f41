/**
 * Who manages which fields of an object: `metadata.managedFields`, brought up to date by every write that is not a server-side apply.
 * The writer gets what it changed, everybody else loses it, and what is gone belongs to nobody. A write that changes nothing
 * leaves the entries as they are. Pure, and never an error: managedFields that a client has garbled are ignored.
 * Source: KEP-555; apimachinery `util/managedfields`; structured-merge-diff, `merge.Updater`.
 */
import { isDeepStrictEqual } from "node:util";
import type { ResourceKind } from "../object/kind.ts";
import { apiVersionOf } from "../object/kind.ts";
import type { Json, JsonObject, KubeObject, ManagedFieldsEntry } from "../object/object.ts";
import { isObject, withMetadata } from "../object/object.ts";
import type { FieldSet } from "./field-set.ts";
import {
  difference,
  fieldKey,
  intersection,
  isEmpty,
  NO_FIELDS,
  recursiveDifference,
  setOfPaths,
  union,
} from "./field-set.ts";
import { fieldTypeOf } from "./field-type.ts";
import type { Manager, Managers } from "./managers.ts";
import { capped, formatManagers, identityOf, NEVER_OWNED, parseManagers, withManager } from "./managers.ts";
import type { Comparison } from "./typed-value.ts";
import { compare } from "./typed-value.ts";

/** A write that is not a server-side apply. */
export interface Update {
  /** As it is stored; undefined when the write creates it. */
  readonly before: KubeObject | undefined;
  /** As the client wants it, pruned and with defaults, and with the managedFields that the client sent. */
  readonly after: KubeObject;
  readonly kind: ResourceKind;
  readonly manager: string;
  /** `status` or `scale`; empty for the object itself. */
  readonly subresource: string;
  readonly time: string;
}

/** The entries after a write; none for an object whose managers somebody has cleared, which then has no managedFields at all. */
export function recordUpdate(update: Update): readonly ManagedFieldsEntry[] {
  const { before, after, kind, manager, subresource, time } = update;
  const managers = managersBefore(update);
  if (managers.size === 0 && before !== undefined) return [];
  const by = {
    manager,
    operation: "Update",
    apiVersion: apiVersionOf(kind),
    subresource,
    time: subresource === "scale" ? undefined : time, // the real server loses it on the way from the Scale to the object
  } as const;
  return formatManagers(
    capped(updated(managers, by, asDecoded(before ?? emptyOf(kind), kind), asDecoded(after, kind), kind)),
  );
}

/** A client may write managedFields like any other field, but not through a subresource, and nobody deletes them by not knowing them. */
function managersBefore({ before, after, kind, subresource }: Update): Managers {
  const stored = parseManagers(before?.metadata.managedFields) ?? new Map();
  const sent: Json | undefined = after.metadata.managedFields;
  if (subresource !== "") return stored;
  if (isReset(sent, kind)) return new Map();
  const managers = parseManagers(sent);
  return managers === undefined || managers.size === 0 ? stored : managers;
}

/** `[{}]`; `[]` too, but the server does not tell it from nothing in a custom resource. */
function isReset(sent: Json | undefined, { custom }: ResourceKind): boolean {
  if (!Array.isArray(sent)) return false;
  return sent.length === 0 ? !custom : isDeepStrictEqual(sent, [{}]);
}

/** What a write starts from that creates an object. Built-in kinds are structs: what is in them is new, they are not. */
export function emptyOf(kind: ResourceKind): KubeObject {
  const { properties = {} } = kind.openApi;
  const structs = Object.entries(properties).filter(([, field]) => !kind.custom && field.properties !== undefined);
  const empty = Object.fromEntries(structs.map(([name]) => [name, {}]));
  return { ...empty, apiVersion: apiVersionOf(kind), kind: kind.kind, metadata: { name: "" } };
}

/** The managers after `by` has made `after` from `before`. */
export function updated(
  managers: Managers,
  by: Omit<Manager, "fields">,
  before: KubeObject,
  after: KubeObject,
  kind: ResourceKind,
): Managers {
  const changes = compareStates(before, after, kind, by.subresource);
  const remaining = withoutTaken(managers, changes);
  const gained = difference(union(changes.added, changes.modified), NEVER_OWNED);
  if (isEmpty(gained)) return remaining;
  return withManager(remaining, { ...by, fields: union(gained, remaining.get(identityOf(by))?.fields ?? NO_FIELDS) });
}

/** How two states differ in what a write to a subresource can change. */
export function compareStates(
  before: KubeObject,
  after: KubeObject,
  kind: ResourceKind,
  subresource: string,
): Comparison {
  const { added, modified, removed } = compare(fieldTypeOf(kind.openApi), unmanaged(before), unmanaged(after));
  const owned = (set: FieldSet) => ownedThrough(set, kind, subresource);
  return { added: owned(added), modified: owned(modified), removed: owned(removed) };
}

/** The managers without what has been changed, or is gone, but for `applier`, whose write it was. */
export function withoutTaken(managers: Managers, { added, modified, removed }: Comparison, applier?: string): Managers {
  const taken = union(union(added, modified), removed);
  const remaining = [...managers].map(([identity, one]) => {
    return [identity, identity === applier ? one : { ...one, fields: difference(one.fields, taken) }] as const;
  });
  return new Map(remaining.filter(([, { fields }]) => !isEmpty(fields)));
}

/** What of a set a write to a subresource may own: the server takes back what else is in it, so it is nobody's. */
export function ownedThrough(set: FieldSet, kind: ResourceKind, subresource: string): FieldSet {
  if (subresource === "scale") {
    const path = (kind.scale?.specReplicasPath ?? "").split(".").filter(Boolean);
    return intersection(set, setOfPaths([path.map(fieldKey)]));
  }
  if (!kind.hasStatus) return set;
  const isCustom = kind.custom || kind.group === "apiextensions.k8s.io"; // status of other built-in kinds takes labels along
  const reset = subresource === "status" ? (isCustom ? ["spec", "metadata"] : ["spec"]) : ["status"];
  return recursiveDifference(set, setOfPaths(reset.map((name) => [fieldKey(name)])));
}

function unmanaged({ metadata, ...rest }: KubeObject): Json {
  const { managedFields: _, ...others } = metadata;
  return { ...rest, metadata: others };
}

/** Without what Go's structs do not tell from nothing: the nulls of built-in kinds. */
export function withoutNulls(state: JsonObject): JsonObject {
  const known = Object.entries(state).filter(([, value]) => value !== null);
  return Object.fromEntries(known.map(([name, value]) => [name, isObject(value) ? withoutNulls(value) : value]));
}

/** As Go reads it: metadata, and built-in kinds as a whole, have no place for what is empty. */
function asDecoded(state: KubeObject, { custom }: ResourceKind): KubeObject {
  const rest = Object.entries(custom ? state : withoutNulls(state)).filter(([, value]) => custom || value !== "");
  return withBareMetadataGone(asKubeObject({ ...Object.fromEntries(rest), metadata: state.metadata }, state));
}

/** Without the maps and lists of its metadata that are empty or null. */
export function withBareMetadataGone(object: KubeObject): KubeObject {
  const isBare = (value: Json | undefined) => typeof value === "object" && Object.keys(value ?? {}).length === 0;
  const bare = Object.entries(object.metadata).filter(([, value]) => isBare(value));
  return bare.length === 0 ? object : withMetadata(object, Object.fromEntries(bare.map(([name]) => [name, undefined])));
}

/** A value made from an object, as an object again. */
export function asKubeObject(value: Json, of: KubeObject): KubeObject {
  if (!isObject(value)) return of;
  const metadata = isObject(value["metadata"]) ? value["metadata"] : {};
  const { name } = metadata;
  return {
    ...value,
    apiVersion: of.apiVersion,
    kind: of.kind,
    metadata: { ...metadata, name: typeof name === "string" ? name : of.metadata.name },
  };
}
