/**
 * What a schema may be written with: the keywords of JSONSchemaProps and the JSON that each takes. A CustomResourceDefinition's
 * schemas are read by it as the API server reads them: an unknown keyword is dropped, and told; a value of another type is refused.
 * Source: apiextensions-apiserver `pkg/apis/apiextensions/v1/types_jsonschema.go`.
 */
import { isObject, type Json, type JsonObject, type KubeObject } from "../object/object.ts";
import type { StatusCause } from "../object/status-error.ts";
import type { ResourceSchema } from "./schema.ts";

type Form = "any" | "list" | "string" | "boolean" | "number" | "strings" | "schema" | "schemas" | "schemaMap" | "rules";

const named = (form: Form, ...keywords: readonly string[]): Readonly<Record<string, Form>> =>
  Object.fromEntries(keywords.map((keyword) => [keyword, form]));

const KEYWORDS: Readonly<Record<string, Form>> = {
  ...named("any", "default", "example", "externalDocs", "dependencies"),
  ...named("string", "id", "$schema", "$ref", "description", "type", "format", "title", "pattern"),
  ...named("string", "x-kubernetes-list-type", "x-kubernetes-map-type"),
  ...named("boolean", "nullable", "exclusiveMaximum", "exclusiveMinimum", "uniqueItems"),
  ...named("boolean", "x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource"),
  ...named("boolean", "x-kubernetes-int-or-string"),
  ...named("number", "maximum", "minimum", "multipleOf", "maxLength", "minLength", "maxItems", "minItems"),
  ...named("number", "maxProperties", "minProperties"),
  ...named("list", "enum"),
  ...named("strings", "required", "x-kubernetes-list-map-keys"),
  ...named("schema", "items", "not", "additionalProperties", "additionalItems"),
  ...named("schemas", "allOf", "anyOf", "oneOf"),
  ...named("schemaMap", "properties", "patternProperties", "definitions"),
  ...named("rules", "x-kubernetes-validations"),
};
const RULE_FIELDS = ["rule", "message", "messageExpression", "reason", "fieldPath", "optionalOldSelf"];
/** Keywords that may be something else than a schema: a list of them, or whether anything goes. */
const LOOSE = ["items", "additionalProperties", "additionalItems"];

/** The schema of CustomResourceDefinitions, made to look into the schemas that they carry. */
export function withSchemaKeywords(base: ResourceSchema): ResourceSchema {
  return {
    withDefaults: base.withDefaults,
    unenforced: base.unenforced,
    prune(object) {
      const { object: pruned, unknown } = base.prune(object);
      const more: string[] = [];
      const read = mapSchemas(pruned, (schema, path) => pruneSchema(schema, path, more));
      return { object: read, unknown: [...unknown, ...more].toSorted() };
    },
    validate(object: KubeObject, before) {
      const causes = [...base.validate(object, before)];
      if (causes.length === 0) mapSchemas(object, (schema, path) => checkSchema(schema, path, causes));
      return causes;
    },
  };
}

type Change = (schema: Json, path: string) => Json;

/** The definition with another schema in each of its versions. */
function mapSchemas(crd: JsonObject, change: Change): JsonObject {
  const { spec } = crd;
  if (!isObject(spec) || !Array.isArray(spec["versions"])) return crd;
  const versions = spec["versions"].map((version: Json, index) => {
    const schema = isObject(version) ? version["schema"] : undefined;
    if (!isObject(version) || !isObject(schema) || schema["openAPIV3Schema"] === undefined) return version;
    const at = `spec.versions[${index}].schema.openAPIV3Schema`;
    return { ...version, schema: { ...schema, openAPIV3Schema: change(schema["openAPIV3Schema"], at) } };
  });
  return { ...crd, spec: { ...spec, versions } };
}

function pruneSchema(schema: Json, path: string, unknown: string[]): Json {
  if (Array.isArray(schema)) return schema.map((each: Json, index) => pruneSchema(each, `${path}[${index}]`, unknown));
  if (!isObject(schema)) return schema;
  const entries = Object.entries(schema).flatMap(([keyword, value]): [string, Json][] => {
    const at = `${path}.${keyword}`;
    const form = KEYWORDS[keyword];
    if (form === undefined) unknown.push(at);
    // As in Go, null counts as absent.
    if (form === undefined || value === undefined || (value === null && form !== "any")) return [];
    return [[keyword, pruneValue(form, value, at, unknown)]];
  });
  return Object.fromEntries(entries);
}

function pruneValue(form: Form, value: Json, at: string, unknown: string[]): Json {
  if (form === "schema" || form === "schemas") return pruneSchema(value, at, unknown);
  if (form === "schemaMap") return mapValues(value, (each, name) => pruneSchema(each, `${at}.${name}`, unknown));
  if (form !== "rules" || !Array.isArray(value)) return value;
  return value.map((rule: Json, index) => {
    if (!isObject(rule)) return rule;
    const [known, others] = [RULE_FIELDS, Object.keys(rule).filter((field) => !RULE_FIELDS.includes(field))];
    unknown.push(...others.map((field) => `${at}[${index}].${field}`));
    return Object.fromEntries(Object.entries(rule).filter(([field]) => known.includes(field)));
  });
}

function mapValues(value: Json, change: (each: Json, name: string) => Json): Json {
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, change(each ?? null, name)]));
}

function checkSchema(schema: Json, path: string, causes: StatusCause[]): Json {
  if (!isObject(schema)) {
    causes.push(mistyped(path, schema, "object"));
    return schema;
  }
  for (const [keyword, value] of Object.entries(schema)) {
    const form = KEYWORDS[keyword];
    if (form === undefined || value === undefined) continue;
    if (LOOSE.includes(keyword) && (typeof value === "boolean" || Array.isArray(value))) continue;
    checkForm(form, value, `${path}.${keyword}`, causes);
  }
  return schema;
}

function checkForm(form: Form, value: Json, at: string, causes: StatusCause[]): void {
  switch (form) {
    case "any":
      return;
    case "string":
    case "boolean":
    case "number":
      if (typeof value !== form) causes.push(mistyped(at, value, form));
      return;
    case "schema":
      checkSchema(value, at, causes);
      return;
    case "schemaMap":
      if (!isObject(value)) causes.push(mistyped(at, value, "object"));
      else for (const [name, each] of Object.entries(value)) checkSchema(each ?? null, `${at}.${name}`, causes);
      return;
    case "list":
    case "strings":
    case "schemas":
    case "rules":
      if (!Array.isArray(value)) causes.push(mistyped(at, value, "array"));
      else for (const [index, each] of value.entries()) checkItem(form, each, `${at}[${index}]`, causes);
      return;
    default:
      form satisfies never;
  }
}

function checkItem(form: Form, item: Json, at: string, causes: StatusCause[]): void {
  if (form === "schemas") checkSchema(item, at, causes);
  if (form === "strings" && typeof item !== "string") causes.push(mistyped(at, item, "string"));
  if (form !== "rules") return;
  if (!isObject(item)) return void causes.push(mistyped(at, item, "object"));
  for (const [field, value] of Object.entries(item)) {
    const wanted = field === "optionalOldSelf" ? "boolean" : "string";
    if (value !== null && typeof value !== wanted) causes.push(mistyped(`${at}.${field}`, value ?? null, wanted));
  }
}

function mistyped(field: string, value: Json, wanted: string): StatusCause {
  const found = value === null ? "null" : Array.isArray(value) ? "array" : typeof value;
  return { reason: "FieldValueTypeInvalid", message: `cannot unmarshal ${found} into ${wanted}`, field };
}
