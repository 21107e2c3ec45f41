/**
 * A structural schema at work: it drops what it does not know, fills in defaults, and says what is wrong with an object in the words
 * of kube-apiserver. Nothing is compiled before its first use, nothing given is changed, and what stays the same is the same object.
 * Source: apiextensions-apiserver `pkg/apiserver/schema/{pruning,defaulting,objectmeta}`; Kubernetes "Specifying a structural schema".
 */
import { isObject, type Json, type JsonObject, type KubeObject } from "../object/object.ts";
import type { StatusCause } from "../object/status-error.ts";
import { assertDepth } from "./json-depth.ts";
import { causeOf } from "./schema-cause.ts";
import { duplicateCauses, embeddedCauses } from "./schema-list.ts";
import { compilePattern } from "./schema-pattern.ts";
import { compileRules, type SchemaRules } from "./schema-rule.ts";
import { checkValue } from "./schema-value.ts";
import type { OpenApiSchema } from "./value-schema.ts";
import { schemaOfField, type ValueSchema } from "./value-schema.ts";

/** A compiled structural schema of whole objects. */
export interface ResourceSchema {
  /**
   * Drops the fields that the schema does not know, at the metadata too, and names them as strict decoding does (`spec.list[0].bar`).
   * Throws StatusError 400 for an object that is nested too deep.
   */
  prune(object: JsonObject): { readonly object: JsonObject; readonly unknown: readonly string[] };
  /** Fills in defaults; a null where none may be counts as absent. */
  withDefaults(object: JsonObject): JsonObject;
  /** What is wrong; none for a valid object. What `before` had already is not held against it. */
  validate(object: KubeObject, before?: KubeObject): readonly StatusCause[];
  /** Rules and patterns that the embedded server cannot evaluate, one line each; a real cluster enforces them. */
  readonly unenforced: readonly string[];
}

const TEXT: OpenApiSchema = { type: "string" };
const TIME: OpenApiSchema = { type: "string", format: "date-time" };
const INTEGER: OpenApiSchema = { type: "integer", format: "int64" };
const TEXT_MAP: OpenApiSchema = { type: "object", additionalProperties: TEXT };

/** `metadata` of every kind. Source: apimachinery `pkg/apis/meta/v1/types.go` (ObjectMeta). */
export const OBJECT_META: OpenApiSchema = {
  type: "object",
  properties: {
    name: TEXT,
    generateName: TEXT,
    namespace: TEXT,
    selfLink: TEXT,
    uid: TEXT,
    resourceVersion: TEXT,
    generation: INTEGER,
    creationTimestamp: TIME,
    deletionTimestamp: TIME,
    deletionGracePeriodSeconds: INTEGER,
    labels: TEXT_MAP,
    annotations: TEXT_MAP,
    ownerReferences: {
      type: "array",
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["uid"],
      items: {
        type: "object",
        "x-kubernetes-map-type": "atomic",
        required: ["apiVersion", "kind", "name", "uid"],
        properties: {
          apiVersion: TEXT,
          kind: TEXT,
          name: TEXT,
          uid: TEXT,
          controller: { type: "boolean" },
          blockOwnerDeletion: { type: "boolean" },
        },
      },
    },
    finalizers: { type: "array", "x-kubernetes-list-type": "set", items: TEXT },
    managedFields: {
      type: "array",
      "x-kubernetes-list-type": "atomic",
      items: {
        type: "object",
        properties: {
          manager: TEXT,
          operation: TEXT,
          apiVersion: TEXT,
          time: TIME,
          fieldsType: TEXT,
          fieldsV1: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
          subresource: TEXT,
        },
      },
    },
  },
};

const RESOURCE_FIELDS: readonly string[] = ["apiVersion", "kind", "metadata"];
/** Reasons after which the server does not trust the object enough to evaluate rules. */
const BLOCKING = [
  "FieldValueNotSupported",
  "FieldValueRequired",
  "FieldValueTooLong",
  "FieldValueTooMany",
  "FieldValueTypeInvalid",
];
const NOT_CHECKED =
  "some validation rules were not checked because the object was invalid; correct the existing errors to complete validation";

/** Makes a structural schema of whole objects ready for use. It is not checked for being structural. */
export function compileSchema(schema: OpenApiSchema): ResourceSchema {
  const resource: ValueSchema = { ...schema, "x-kubernetes-embedded-resource": true };
  let rules: SchemaRules | undefined | null = null;
  const compiledRules = () => {
    if (rules === null) rules = compileRules(schema);
    return rules;
  };
  return {
    prune(object) {
      assertDepth(object);
      const unknown: string[] = [];
      const pruned = pruneValue(object, resource, "", unknown);
      return { object: isObject(pruned) ? pruned : object, unknown: unknown.toSorted() };
    },
    withDefaults(object) {
      const filled = fillIn(object, schema);
      return isObject(filled) ? filled : object;
    },
    validate: (object, before) => causesOf(schema, compiledRules(), object, before),
    get unenforced() {
      return [...(compiledRules()?.unenforced ?? []), ...unknownPatterns(schema, "")];
    },
  };
}

function causesOf(
  schema: ValueSchema,
  rules: SchemaRules | undefined,
  object: KubeObject,
  before: KubeObject | undefined,
): readonly StatusCause[] {
  const ratcheted = before !== undefined && duplicateCauses(schema, before).length > 0;
  const causes = [
    ...checkValue(schema, object, before),
    ...embeddedCauses(schema, object),
    ...(ratcheted ? [] : duplicateCauses(schema, object)),
  ];
  if (rules === undefined) return causes;
  const blocked = causes.some(({ reason }) => BLOCKING.includes(reason));
  return [
    ...causes,
    ...(blocked ? [causeOf("FieldValueInvalid", "", null, NOT_CHECKED)] : rules.check(object, before)),
  ];
}

function pruneValue(value: Json, schema: ValueSchema | undefined, path: string, unknown: string[]): Json {
  if (Array.isArray(value)) {
    const keeps = schema?.["x-kubernetes-preserve-unknown-fields"];
    const items = keeps && schema?.items ? keeping(schema.items) : schema?.items;
    if (keeps && items === undefined) return value;
    return mapList(value, (each, index) => pruneValue(each, items, `${path}[${index}]`, unknown));
  }
  if (!isObject(value)) return value;
  return mapObject(value, (field, each) => {
    const place = path === "" ? field : `${path}.${field}`;
    if (schema?.["x-kubernetes-embedded-resource"] && RESOURCE_FIELDS.includes(field)) {
      return field === "metadata" ? pruneValue(each, OBJECT_META, place, unknown) : each;
    }
    const known = schema && schemaOfField(schema, field);
    if (known !== undefined) return pruneValue(each, known, place, unknown);
    if (schema?.["x-kubernetes-preserve-unknown-fields"] || schema?.additionalProperties === true) return each;
    unknown.push(place);
    return undefined;
  });
}

/** The items of a list that keeps unknown fields keep them too. */
function keeping(items: ValueSchema): ValueSchema {
  return { ...items, "x-kubernetes-preserve-unknown-fields": true };
}

function fillIn(value: Json, schema: ValueSchema | undefined): Json {
  if (schema === undefined) return value;
  if (Array.isArray(value)) {
    const { items } = schema;
    return mapList(value, (each) => fillIn(isForbiddenNull(each, items) ? (items?.default ?? null) : each, items));
  }
  if (!isObject(value)) return value;
  const missing = Object.entries(schema.properties ?? {}).filter(
    ([field, each]) => isGiven(each.default) && !Object.hasOwn(value, field),
  );
  const known = mapObject(value, (field, each) => {
    const own = schemaOfField(schema, field);
    return isForbiddenNull(each, own)
      ? isGiven(own?.default)
        ? fillIn(own.default, own)
        : undefined
      : fillIn(each, own);
  });
  if (missing.length === 0) return known;
  return {
    ...known,
    ...Object.fromEntries(missing.map(([field, each]) => [field, fillIn(each.default ?? null, each)])),
  };
}

const isGiven = (value: Json | undefined): value is Exclude<Json, null> => value !== undefined && value !== null;
const isForbiddenNull = (value: Json, schema: ValueSchema | undefined) =>
  value === null && schema !== undefined && !schema.nullable;

/** The same list when nothing changed. */
function mapList(list: readonly Json[], change: (value: Json, index: number) => Json): readonly Json[] {
  const changed = list.map(change);
  return changed.every((each, index) => each === list[index]) ? list : changed;
}

/** The same object when nothing changed; undefined drops the field. */
function mapObject(object: JsonObject, change: (field: string, value: Json) => Json | undefined): JsonObject {
  const entries = Object.entries(object).map(([field, value]): [string, Json | undefined] => [
    field,
    value === undefined ? undefined : change(field, value),
  ]);
  if (entries.every(([field, value]) => value === object[field])) return object;
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined));
}

function unknownPatterns(schema: ValueSchema, path: string): readonly string[] {
  const { pattern, items, additionalProperties, properties, allOf, anyOf, oneOf, not } = schema;
  const own = pattern === undefined || compilePattern(pattern) ? [] : [`${path}: pattern ${pattern}`];
  const inside = Object.entries(properties ?? {}).flatMap(([field, each]) =>
    unknownPatterns(each, path === "" ? field : `${path}.${field}`),
  );
  const of = [items, typeof additionalProperties === "object" ? additionalProperties : undefined];
  const below = of.flatMap((each) => (each === undefined ? [] : unknownPatterns(each, `${path}[*]`)));
  const alike = [...(allOf ?? []), ...(anyOf ?? []), ...(oneOf ?? []), ...(not ? [not] : [])];
  return [...own, ...inside, ...below, ...alike.flatMap((each) => unknownPatterns(each, path))];
}
