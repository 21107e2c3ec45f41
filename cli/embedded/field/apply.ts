/**
 * Server-side apply: the applier says which fields it wants and how, and gets exactly these merged into the object. What it applied
 * before and does not any more goes, unless somebody else manages it too; what others manage and it wants otherwise is a conflict,
 * unless it is forced. Pure; defaults, validation and taking back the parts that a subresource cannot change are the caller's.
 * Source: KEP-555; structured-merge-diff, `merge.Updater.Apply`; apimachinery `util/managedfields` (FieldManager.Apply, LastApplied*).
 */
import { isDeepStrictEqual } from "node:util";
import type { ResourceKind } from "../object/kind.ts";
import { apiVersionOf } from "../object/kind.ts";
import type { Json, KubeObject } from "../object/object.ts";
import { withMetadata } from "../object/object.ts";
import type { StatusCause } from "../object/status-error.ts";
import { applyConflict, badRequest, StatusError } from "../object/status-error.ts";
import type { FieldPath, FieldSet } from "./field-set.ts";
import { difference, formatPath, hasPath, intersection, isEmpty, NO_FIELDS, pathsOf, union } from "./field-set.ts";
import type { FieldType } from "./field-type.ts";
import { fieldTypeOf } from "./field-type.ts";
import { LAST_APPLIED, ownedByLastApplied, withLastApplied } from "./last-applied.ts";
import {
  asKubeObject,
  compareStates,
  emptyOf,
  ownedThrough,
  updated,
  withBareMetadataGone,
  withoutNulls,
  withoutTaken,
} from "./managed-fields.ts";
import type { Manager, Managers } from "./managers.ts";
import { formatManagers, identityOf, parseManagers, withManagedFields, withManager } from "./managers.ts";
import { faultsOf } from "./typed-fault.ts";
import { fieldsOf, merge, withNamedFields, withoutFields } from "./typed-value.ts";

/** A server-side apply. */
export interface Application {
  /** As it is stored; undefined when there is none yet. */
  readonly current: KubeObject | undefined;
  /** As the client sent it: neither pruned nor with defaults, which nobody would manage. */
  readonly applied: KubeObject;
  readonly kind: ResourceKind;
  readonly manager: string;
  /** Takes over what others manage. */
  readonly force: boolean;
  /** `status`; empty for the object itself. */
  readonly subresource: string;
  readonly time: string;
}

interface Conflict {
  readonly manager: Manager;
  readonly path: FieldPath;
}

interface Attempt {
  readonly object: KubeObject;
  readonly managers: Managers;
  /** What others manage and the applier has changed. */
  readonly conflicts: readonly Conflict[];
}

/** Who manages what was there before anybody's fields were recorded. */
const BEFORE_FIRST_APPLY = "before-first-apply";
/** The one applier that takes over from client-side apply. */
const KUBECTL = "kubectl";

/**
 * The merged object with its managedFields. Throws StatusError 409 for conflicts, 400 for an object of another kind or with
 * managedFields, and 500 (as the real server does) for one that does not fit the schema.
 */
export function applyConfiguration(application: Application): { readonly object: KubeObject } {
  const { applied, manager, force } = application;
  requireApplicable(application);
  const attempt = attemptOf(application);
  const causing = force ? [] : standing(attempt.conflicts, application);
  if (causing.length > 0) throw applyConflict(causing.map(causeOf));
  const object = withManagedFields(asStored(attempt.object, application), formatManagers(attempt.managers));
  const annotated =
    manager === KUBECTL && object.metadata.annotations?.[LAST_APPLIED] ? withLastApplied(object, applied) : object;
  return { object: annotated };
}

function requireApplicable({ applied, kind }: Application): void {
  const type = fieldTypeOf(kind.openApi);
  const title = (apiVersion: string, name: string) =>
    `${apiVersion.includes("/") ? "" : "/"}${apiVersion}, Kind=${name}`;
  if (applied.apiVersion !== apiVersionOf(kind) || applied.kind !== kind.kind) {
    throw badRequest(`invalid object type: ${title(applied.apiVersion, applied.kind)}`);
  }
  if (Array.isArray(applied.metadata.managedFields)) throw badRequest("metadata.managedFields must be nil");
  const faults = faultsOf(type, applied);
  if (faults.length === 0) return;
  const { namespace = "", name } = applied.metadata;
  const listed = faults.length === 1 ? faults[0] : ["errors:", ...faults.map((fault) => `  ${fault}`)].join("\n");
  const what = `${namespace}/${name}; ${title(applied.apiVersion, applied.kind)}`;
  throw new StatusError(500, "", `failed to create typed patch object (${what}): ${listed}`);
}

function attemptOf(application: Application): Attempt {
  const { applied, kind, manager, subresource, time } = application;
  const type = fieldTypeOf(kind.openApi);
  const live = application.current ? withMetadata(application.current, { managedFields: undefined }) : emptyOf(kind);
  const stored = managersOf(application, live);
  const applier = { manager, operation: "Apply", apiVersion: apiVersionOf(kind), subresource } as const;
  const identity = identityOf(applier);
  const last = stored.get(identity);
  const fields = ownedThrough(fieldsOf(type, applied), kind, subresource);
  const claimed = new Map([...stored, [identity, { ...applier, time: last?.time, fields }]]);
  const merged = merge(type, live, applied);
  const object = asKubeObject(withoutAbandoned(type, merged, last?.fields ?? NO_FIELDS, [...claimed.values()]), live);
  const changes = compareStates(live, object, kind, subresource);
  const changed = union(changes.added, changes.modified);
  const conflicts = [...stored]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([other, one]) => {
      if (other === identity) return [];
      return pathsOf(intersection(one.fields, changed)).map((path) => ({ manager: one, path }));
    });
  const remaining = withoutTaken(claimed, changes, identity);
  const isSame = isDeepStrictEqual(live, object);
  return {
    object,
    conflicts,
    managers: withManager(remaining, { ...applier, time: isSame ? last?.time : time, fields }),
  };
}

/** Of a built-in kind there is nothing null, and no struct that was made up for the start. */
function asStored(merged: KubeObject, { current, applied, kind }: Application): KubeObject {
  const object = withBareMetadataGone(merged);
  if (kind.custom) return object;
  const made = (name: string) => current === undefined && applied[name] === undefined;
  const kept = Object.entries(withoutNulls(object)).filter(([name]) => !made(name));
  return asKubeObject(Object.fromEntries(kept), object);
}

/** Of an object whose managers nobody recorded, all that is there belongs to one that stands for them. */
function managersOf({ current, kind, subresource, time }: Application, live: KubeObject): Managers {
  const managers = parseManagers(current?.metadata.managedFields);
  if (managers === undefined) throw new StatusError(500, "", "failed to decode managed fields");
  if (managers.size > 0) return managers;
  const by = {
    manager: BEFORE_FIRST_APPLY,
    operation: "Update",
    apiVersion: apiVersionOf(kind),
    subresource,
    time,
  } as const;
  return updated(managers, by, emptyOf(kind), live, kind);
}

/** The value without what its applier has applied before (`last`) and nobody claims now. What it does not claim alone stays. */
function withoutAbandoned(type: FieldType, merged: Json, last: FieldSet, claimed: readonly Manager[]): Json {
  if (isEmpty(last)) return merged;
  const named = (set: FieldSet) => withNamedFields(type, set);
  const all = named(fieldsOf(type, merged));
  const owned = named(claimed.reduce((set, { fields }) => union(set, fields), NO_FIELDS));
  const rest = named(fieldsOf(type, withoutFields(type, merged, named(last))));
  const pruned = withoutFields(type, merged, difference(all, union(rest, owned)));
  const gone = difference(all, named(fieldsOf(type, pruned)));
  return withoutFields(type, merged, intersection(gone, named(last)));
}

/** The conflicts that are left when kubectl takes over what client-side apply has set and nobody has changed since. */
function standing(conflicts: readonly Conflict[], { current, kind, manager }: Application): readonly Conflict[] {
  if (manager !== KUBECTL || conflicts.length === 0 || current === undefined) return conflicts;
  const allowed = ownedByLastApplied(current, kind);
  return conflicts.filter(({ path }) => !hasPath(allowed, path));
}

function causeOf({ manager: { manager, operation, apiVersion, subresource }, path }: Conflict): StatusCause {
  const through = subresource && ` with subresource ${JSON.stringify(subresource)}`;
  const using = operation === "Update" ? ` using ${apiVersion}` : "";
  return {
    reason: "FieldManagerConflict",
    message: `conflict with ${JSON.stringify(manager)}${through}${using}`,
    field: formatPath(path),
  };
}
