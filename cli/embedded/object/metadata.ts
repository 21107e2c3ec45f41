/**
 * The rules for `metadata`: what a client may set, what is the server's, and what stays as it was.
 * Source: apimachinery `pkg/api/validation/objectmeta.go`; Kubernetes "Object Names and IDs", "Labels and Selectors".
 */
import { randomBytes, randomUUID } from "node:crypto";
import { OBJECT_META } from "../schema/schema.ts";
import { forbiddenValue, invalidValue, requiredValue } from "../schema/schema-cause.ts";
import type { OpenApiSchema } from "../schema/value-schema.ts";
import type { ResourceKind } from "./kind.ts";
import { labelKeyProblems, labelValueProblems, SUBDOMAIN, SUBDOMAIN_RULE } from "./label-syntax.ts";
import { isObject, type Json, type JsonObject, type KubeObject, kubeTime, withMetadata } from "./object.ts";
import type { StatusCause } from "./status-error.ts";

const LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const LABEL_RULE =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const SUBDOMAIN_CHARACTERS_MAX = 253;
const LABEL_CHARACTERS_MAX = 63;
/** As the API server: five random characters behind the prefix. */
const GENERATED_CHARACTERS = 5;
const ALPHABET = "bcdfghjklmnpqrstvwxz2456789";

/** The object as it is born: the server's fields set, whatever the client sent in them. */
export function bornMetadata(object: KubeObject, kind: ResourceKind, namespace: string, nowMs: number): KubeObject {
  const { name, generateName } = object.metadata;
  return withMetadata(object, {
    name: name || (generateName ? `${generateName}${randomName()}` : ""),
    namespace: kind.namespaced ? namespace : undefined,
    uid: randomUUID(),
    creationTimestamp: kubeTime(nowMs),
    generation: kind.hasGeneration ? 1 : undefined,
    resourceVersion: undefined,
    deletionTimestamp: undefined,
    deletionGracePeriodSeconds: undefined,
    selfLink: undefined,
  });
}

/** The object with the server's fields as they were. */
export function keptMetadata(object: KubeObject, before: KubeObject): KubeObject {
  const { uid, creationTimestamp, generation, deletionTimestamp, deletionGracePeriodSeconds, namespace } =
    before.metadata;
  return withMetadata(object, {
    namespace,
    uid,
    creationTimestamp,
    generation,
    deletionTimestamp,
    deletionGracePeriodSeconds,
    resourceVersion: before.metadata.resourceVersion,
    selfLink: undefined,
  });
}

/** What is wrong with the metadata of an object that is to be stored. */
export function metadataProblems(object: KubeObject, kind: ResourceKind, before?: KubeObject): readonly StatusCause[] {
  const { metadata } = object;
  return [
    ...(before === undefined ? nameProblems(metadata.name, kind) : []),
    ...Object.keys(metadata.labels ?? {}).flatMap((key) => keyProblems(key, "metadata.labels")),
    ...Object.values(metadata.labels ?? {}).flatMap((value) =>
      labelValueProblems(value).map((why) => invalidValue("metadata.labels", value, why)),
    ),
    ...Object.keys(metadata.annotations ?? {}).flatMap((key) => keyProblems(key.toLowerCase(), "metadata.annotations")),
    ...(metadata.finalizers ?? []).flatMap((finalizer) => keyProblems(finalizer, "metadata.finalizers")),
    ...ownerProblems(object),
    ...(before === undefined ? [] : finalizerProblems(object, before)),
  ];
}

function nameProblems(name: string, kind: ResourceKind): readonly StatusCause[] {
  if (name === "") return [requiredValue("metadata.name", "name or generateName is required")];
  const isNamespace = kind.group === "" && kind.kind === "Namespace";
  const [pattern, rule, charactersMax] = isNamespace
    ? [LABEL, LABEL_RULE, LABEL_CHARACTERS_MAX]
    : [SUBDOMAIN, SUBDOMAIN_RULE, SUBDOMAIN_CHARACTERS_MAX];
  if (name.length > charactersMax)
    return [invalidValue("metadata.name", name, `must be no more than ${charactersMax} characters`)];
  if (pattern.test(name)) return [];
  return [invalidValue("metadata.name", name, isNamespace && SUBDOMAIN.test(name) ? "must not contain dots" : rule)];
}

function keyProblems(key: string, field: string): readonly StatusCause[] {
  return labelKeyProblems(key).map((why) => invalidValue(field, key, why));
}

/** An object that is being deleted may lose finalizers, never gain one. */
function finalizerProblems({ metadata }: KubeObject, before: KubeObject): readonly StatusCause[] {
  if (before.metadata.deletionTimestamp === undefined) return [];
  const added = (metadata.finalizers ?? []).filter((finalizer) => !before.metadata.finalizers?.includes(finalizer));
  if (added.length === 0) return [];
  const listed = `[]string{${added.map((finalizer) => JSON.stringify(finalizer)).join(", ")}}`;
  const why = `no new finalizers can be added if the object is being deleted, found new finalizers ${listed}`;
  return [forbiddenValue("metadata.finalizers", why)];
}

function ownerProblems({ metadata }: KubeObject): readonly StatusCause[] {
  const required = ["apiVersion", "kind", "name", "uid"] as const;
  return (metadata.ownerReferences ?? []).flatMap((owner) =>
    required
      .filter((field) => !owner[field])
      .map((field) => invalidValue(`metadata.ownerReferences.${field}`, "", "must not be empty")),
  );
}

/** The deletion is the server's to begin. */
export function deletionProblems({ metadata }: KubeObject, before: KubeObject): readonly StatusCause[] {
  const fixed = ["deletionTimestamp", "deletionGracePeriodSeconds"] as const;
  return fixed
    .filter((field) => metadata[field] !== undefined && metadata[field] !== before.metadata[field])
    .map((field) => invalidValue(`metadata.${field}`, metadata[field] ?? null, "field is immutable"));
}

/** The metadata without what is empty: the server does not keep it. */
export function tidyMetadata(metadata: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(metadata).filter(([field, value]) => !isNothing(field, value)));
}

const CONTAINERS: readonly string[] = ["labels", "annotations", "finalizers", "ownerReferences"];

function isNothing(field: string, value: Json | undefined): boolean {
  if (value === null || value === undefined) return true;
  return CONTAINERS.includes(field) && typeof value === "object" && Object.keys(value).length === 0;
}

/** In Go's words, the first value in metadata that has the wrong type: `number into Go struct field ObjectMeta.labels of type string`. */
export function metadataTypeProblem(metadata: Json): string | undefined {
  if (!isObject(metadata)) return `${typeOf(metadata)} into Go struct field .metadata of type v1.ObjectMeta`;
  for (const [field, value] of Object.entries(metadata)) {
    const schema = OBJECT_META.properties?.[field];
    if (schema === undefined || value === null || value === undefined || field === "managedFields") continue;
    const wrong = wrongType(value, schema);
    if (wrong !== undefined) return `${wrong.given} into Go struct field ObjectMeta.${field} of type ${wrong.wanted}`;
  }
  return undefined;
}

const GO_TYPES: Readonly<Record<string, string>> = {
  string: "string",
  integer: "int64",
  boolean: "bool",
  array: "[]string",
  object: "map[string]string",
};

function wrongType(value: Json, schema: OpenApiSchema): { given: string; wanted: string } | undefined {
  const type = schema.type ?? "object";
  const given = typeOf(value);
  const fits = given === type || (type === "integer" && given === "number" && Number.isInteger(value));
  if (!fits) return { given, wanted: GO_TYPES[type] ?? type };
  const inner = schema.items ?? (isObject(schema.additionalProperties) ? schema.additionalProperties : undefined);
  if (inner === undefined || value === null || typeof value !== "object") return undefined;
  for (const each of Object.values(value)) {
    const wrong = each === null || each === undefined ? undefined : wrongType(each, inner);
    if (wrong !== undefined) return wrong;
  }
  return undefined;
}

function typeOf(value: Json): string {
  if (Array.isArray(value)) return "array";
  return value === null ? "null" : typeof value === "boolean" ? "bool" : typeof value;
}

function randomName(): string {
  return [...randomBytes(GENERATED_CHARACTERS)].map((byte) => ALPHABET[byte % ALPHABET.length]).join("");
}
