/**
 * The annotation in which `kubectl apply` keeps what it applied. When kubectl goes over to server-side apply, the server lets it take
 * what it has set so before, and keeps the annotation up to date for a way back. (kubectl itself renames the old manager's entries.)
 * Source: apimachinery `util/managedfields/internal` (lastAppliedManager, lastAppliedUpdater).
 */
import type { ResourceKind } from "../object/kind.ts";
import { apiVersionOf } from "../object/kind.ts";
import type { Json, KubeObject } from "../object/object.ts";
import { isObject, withMetadata } from "../object/object.ts";
import type { FieldSet } from "./field-set.ts";
import { difference, NO_FIELDS, union, webSafeJson } from "./field-set.ts";
import { fieldTypeOf } from "./field-type.ts";
import { faultsOf } from "./typed-fault.ts";
import { compare, fieldsOf } from "./typed-value.ts";

/** The annotation's name. */
export const LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration";

/** The fields that the object still has as the annotation says; none without an annotation that fits the object. */
export function ownedByLastApplied(object: KubeObject, kind: ResourceKind): FieldSet {
  const type = fieldTypeOf(kind.openApi);
  const applied = parseJson(object.metadata.annotations?.[LAST_APPLIED]);
  if (!isObject(applied) || applied["apiVersion"] !== apiVersionOf(kind) || faultsOf(type, applied).length > 0) {
    return NO_FIELDS;
  }
  const { added, modified, removed } = compare(type, applied, object);
  return difference(fieldsOf(type, applied), union(union(added, modified), removed));
}

/** The object with the annotation for what is applied now. */
export function withLastApplied(object: KubeObject, applied: KubeObject): KubeObject {
  const { annotations } = applied.metadata;
  const { [LAST_APPLIED]: _, ...others } = annotations ?? {};
  const configuration = annotations ? withMetadata(applied, { annotations: others }) : applied;
  const text = `${webSafeJson(sorted(configuration))}\n`; // with the line end of Go's encoder
  return withMetadata(object, { annotations: { ...object.metadata.annotations, [LAST_APPLIED]: text } });
}

function sorted(value: Json): Json {
  if (Array.isArray(value)) return value.map((item: Json) => sorted(item));
  if (!isObject(value)) return value;
  const names = Object.keys(value).sort();
  return Object.fromEntries(names.map((name) => [name, sorted(value[name] ?? null)]));
}

function parseJson(text: string | undefined): Json | undefined {
  try {
    return text === undefined ? undefined : (JSON.parse(text) as Json);
  } catch {
    return undefined;
  }
}
