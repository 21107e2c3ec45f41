/**
 * What becomes of an object on its way into the storage: unknown fields go, defaults come, the parts that a write may not touch
 * stay as they were, the generation counts, and what breaks a rule is refused. Pure.
 * Source: apiextensions-apiserver `pkg/registry/customresource/strategy.go`; Kubernetes API conventions, "Spec and Status".
 */
import { isDeepStrictEqual } from "node:util";
import { NAMESPACE } from "../kind/built-in.ts";
import { builtInProblems, withBuiltInDefaults } from "../kind/built-in-rule.ts";
import { isCrd, withCrdDefaults } from "../kind/crd.ts";
import { crdProblems } from "../kind/crd-rule.ts";
import { isOf, type ResourceKind } from "../object/kind.ts";
import { bornMetadata, keptMetadata, metadataProblems } from "../object/metadata.ts";
import { type Json, type KubeObject, withMetadata } from "../object/object.ts";
import { badRequest, forbidden, invalid, type StatusCause, StatusError } from "../object/status-error.ts";

/** What to do with fields that the schema does not have. */
export type FieldValidation = "Strict" | "Warn" | "Ignore";

/** An object as a client sent it. */
export interface Given {
  readonly object: KubeObject;
  /** The paths of fields that its text gives twice. */
  readonly duplicates: readonly string[];
}

/** An object that its schema accepts, and what the client should be warned of. */
export interface Enforced {
  readonly object: KubeObject;
  readonly warnings: readonly string[];
}

/** Drops unknown fields and sets defaults. Throws StatusError when unknown fields are refused. */
export function enforce(
  kind: ResourceKind,
  { object: given, duplicates }: Given,
  validation: FieldValidation,
  form: "body" | "patch" | "apply",
): Enforced {
  const { object: pruned, unknown } = kind.schema.prune(given);
  const problems = [
    ...duplicates.map((path) => `duplicate field "${path}"`),
    ...unknown.filter(isOfMetadata).map((path) => `unknown field "${path}"`),
    ...unknown.filter((path) => !isOfMetadata(path)).map((path) => `unknown field "${path}"`),
  ];
  if (validation === "Strict" && problems.length > 0)
    throw strictError(kind, form, `strict decoding error: ${problems.join(", ")}`);
  const object = asKubeObject(kind.schema.withDefaults(pruned), given);
  return { object: prepared(kind, object), warnings: validation === "Warn" ? problems : [] };
}

const isOfMetadata = (path: string) => path.startsWith("metadata.");

function strictError(kind: ResourceKind, form: string, why: string): StatusError {
  if (form !== "patch")
    return badRequest(`${kind.kind} in version "${kind.version}" cannot be handled as a ${kind.kind}: ${why}`);
  const cause = { reason: "FieldValueInvalid", message: `Invalid value: the patch: ${why}`, field: "patch" };
  return new StatusError(422, "Invalid", ` "" is invalid: patch: ${cause.message}`, { causes: [cause] });
}

/** The object as it is created. */
export function born(kind: ResourceKind, object: KubeObject, namespace: string, nowMs: number): KubeObject {
  const { status: _, ...withoutStatus } = object;
  const created = bornMetadata(
    kind.hasStatus
      ? { ...withoutStatus, metadata: object.metadata, apiVersion: object.apiVersion, kind: object.kind }
      : object,
    kind,
    namespace,
    nowMs,
  );
  if (!isOf(kind, NAMESPACE)) return created;
  const { name, labels } = created.metadata;
  return {
    ...withMetadata(created, { labels: { ...labels, "kubernetes.io/metadata.name": name } }),
    spec: { finalizers: ["kubernetes"] },
    status: { phase: "Active" },
  };
}

/** The object as a write to it, or to its status, leaves it: what the write may not touch is taken from `before`. */
export function changed(kind: ResourceKind, given: KubeObject, before: KubeObject, subresource: string): KubeObject {
  const { managedFields } = given.metadata;
  if (subresource === "status") {
    const object = withPart(before, "status", given["status"]);
    return withMetadata(object, { managedFields });
  }
  if (subresource === "finalize") return withMetadata(withPart(before, "spec", given["spec"]), { managedFields });
  const kept = keptMetadata(given, before);
  const object = kind.hasStatus ? withPart(kept, "status", before["status"]) : kept;
  if (isOf(kind, NAMESPACE)) return withPart(object, "spec", before["spec"]);
  if (!kind.hasGeneration || isDeepStrictEqual(wanted(object, kind), wanted(before, kind))) return object;
  return withMetadata(object, { generation: (before.metadata.generation ?? 0) + 1 });
}

/** Throws the Status of everything that is wrong with the object. */
export function check(
  kind: ResourceKind,
  object: KubeObject,
  before?: KubeObject,
  further: readonly StatusCause[] = [],
): void {
  if (before === undefined && kind.isTerminating)
    throw forbidden(kind, object.metadata.name, "create not allowed while custom resource definition is terminating");
  const schemaProblems = kind.schema.validate(object, before);
  const first = schemaProblems[0];
  if (first !== undefined && !kind.custom) throw undecodable(kind, first);
  const problems = [
    ...further,
    ...metadataProblems(object, kind, before),
    ...schemaProblems,
    ...(isCrd(kind) ? crdProblems(object, before) : builtInProblems(kind, object, before)),
  ];
  if (problems.length > 0) throw invalid(kind, object.metadata.name, problems);
}

/** The parts whose change makes a new generation. */
function wanted(object: KubeObject, { hasStatus }: ResourceKind): Json {
  return { ...object, metadata: null, apiVersion: null, ...(hasStatus && { status: null }) };
}

function prepared(kind: ResourceKind, object: KubeObject): KubeObject {
  return isCrd(kind) ? withCrdDefaults(object) : withBuiltInDefaults(kind, object);
}

/** Built-in kinds are Go structs: what does not fit cannot even be read. */
function undecodable({ kind, version }: ResourceKind, { field, message }: StatusCause) {
  return badRequest(`${kind} in version "${version}" cannot be handled as a ${kind}: ${field}: ${message}`);
}

function withPart(object: KubeObject, part: string, value: Json | undefined): KubeObject {
  if (value !== undefined) return { ...object, [part]: value };
  const { [part]: _, ...rest } = object;
  return { ...rest, apiVersion: object.apiVersion, kind: object.kind, metadata: object.metadata };
}

function asKubeObject(value: object, { apiVersion, kind, metadata }: KubeObject): KubeObject {
  return { apiVersion, kind, metadata, ...value };
}

const views = new WeakMap<KubeObject, WeakMap<ResourceKind, KubeObject>>(); // each is read by many, and never changes

/** A stored object as its kind shows it: as another version, or as a kind of another group. */
export function presented(kind: ResourceKind, object: KubeObject): KubeObject {
  if (kind.stored === undefined) return object;
  const known = views.get(object)?.get(kind);
  if (known !== undefined) return known;
  const view = kind.stored.fromStored(object);
  const ofObject = views.get(object) ?? new WeakMap<ResourceKind, KubeObject>();
  views.set(object, ofObject.set(kind, view));
  return view;
}

/** An object of the kind as it is stored. */
export function storable(kind: ResourceKind, object: KubeObject): KubeObject {
  return kind.stored?.toStored(object) ?? object;
}
