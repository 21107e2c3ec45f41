/**
 * What the marks of a structural schema demand of a value: sets and keyed lists without duplicates, embedded resources with their
 * type. And which item of a keyed list was which before.
 * Source: apiextensions-apiserver `pkg/apiserver/schema/{listtype,objectmeta}/validation.go`.
 */
import { isObject, type Json, type JsonObject } from "../object/object.ts";
import type { StatusCause } from "../object/status-error.ts";
import { causeOf, goJson } from "./schema-cause.ts";
import type { OpenApiSchema } from "./value-schema.ts";

const indexes = new WeakMap<readonly Json[], Map<string, Json>>(); // lists never change, and each belongs to one schema

/** The item of a keyed list that has the same keys; undefined for other lists, which have no memory of their items. */
export function itemBefore(schema: OpenApiSchema, before: Json | undefined, item: Json): Json | undefined {
  if (schema["x-kubernetes-list-type"] !== "map" || !Array.isArray(before) || !isObject(item)) return undefined;
  const list: readonly Json[] = before;
  const index =
    indexes.get(list) ??
    new Map(
      list
        .filter(isObject)
        .map((each) => [goJson(keysOf(schema, each)), each] as const)
        .toReversed(),
    );
  indexes.set(list, index);
  return index.get(goJson(keysOf(schema, item)));
}

/** Duplicates in sets and keyed lists, anywhere in the object. */
export function duplicateCauses(schema: OpenApiSchema, value: Json, path = ""): readonly StatusCause[] {
  if (Array.isArray(value)) {
    const list: readonly Json[] = value;
    const { items } = schema;
    return [
      ...listCauses(schema, list, path),
      ...(items ? list.flatMap((each, index) => duplicateCauses(items, each, `${path}[${index}]`)) : []),
    ];
  }
  return children(schema, value, path).flatMap((each) => duplicateCauses(each.schema, each.value, each.path));
}

/** Embedded resources that lack their type. The type of the object itself is the server's own matter. */
export function embeddedCauses(schema: OpenApiSchema, value: Json, path = ""): readonly StatusCause[] {
  if (Array.isArray(value)) {
    const { items } = schema;
    if (items === undefined) return [];
    return (value as readonly Json[]).flatMap((each, index) => embeddedCauses(items, each, `${path}[${index}]`));
  }
  const own = isObject(value) && schema["x-kubernetes-embedded-resource"] ? typeCauses(value, path) : [];
  const inside = children(schema, value, path).flatMap((each) => embeddedCauses(each.schema, each.value, each.path));
  return [...own, ...inside];
}

interface Child {
  readonly schema: OpenApiSchema;
  readonly value: Json;
  readonly path: string;
}

function children({ properties, additionalProperties }: OpenApiSchema, value: Json, path: string): readonly Child[] {
  if (!isObject(value)) return [];
  return Object.entries(value).flatMap(([field, each]): readonly Child[] => {
    if (each === undefined) return [];
    const known = properties && Object.hasOwn(properties, field) ? properties[field] : undefined;
    if (known) return [{ schema: known, value: each, path: path === "" ? field : `${path}.${field}` }];
    return typeof additionalProperties === "object"
      ? [{ schema: additionalProperties, value: each, path: `${path}[${field}]` }]
      : [];
  });
}

function listCauses(schema: OpenApiSchema, list: readonly Json[], path: string): readonly StatusCause[] {
  switch (schema["x-kubernetes-list-type"]) {
    case "set":
      return repeated(list).map((index) =>
        causeOf("FieldValueDuplicate", `${path}[${index}]`, list[index] ?? null, ""),
      );
    case "map": {
      const stranger = list.findIndex((each) => each !== null && !isObject(each));
      if (stranger >= 0) {
        const detail = "must be an object for an array of list-type map";
        return [causeOf("FieldValueInvalid", `${path}[${stranger}]`, list[stranger] ?? null, detail)];
      }
      const keys = list.map((each) => keysOf(schema, isObject(each) ? each : {}));
      return repeated(keys).map((index) => causeOf("FieldValueDuplicate", `${path}[${index}]`, keys[index] ?? {}, ""));
    }
    default:
      return [];
  }
}

function keysOf(schema: OpenApiSchema, item: JsonObject): JsonObject {
  const keys = schema["x-kubernetes-list-map-keys"] ?? [];
  return Object.fromEntries(keys.filter((key) => Object.hasOwn(item, key)).map((key) => [key, item[key]]));
}

/** The indices of second appearances; further ones are not told. */
function repeated(list: readonly Json[]): readonly number[] {
  const times = new Map<string, number>();
  return list.flatMap((each, index) => {
    const key = goJson(each);
    const before = times.get(key) ?? 0;
    times.set(key, before + 1);
    return before === 1 ? [index] : [];
  });
}

function typeCauses(resource: JsonObject, path: string): readonly StatusCause[] {
  return ["apiVersion", "kind"].flatMap((field) => {
    const at = path === "" ? field : `${path}.${field}`;
    const value = resource[field];
    if (value === undefined) return [causeOf("FieldValueRequired", at, "", "")];
    if (typeof value !== "string") return [causeOf("FieldValueInvalid", at, value, "must be a string")];
    return value === "" ? [causeOf("FieldValueInvalid", at, value, "must not be empty")] : [];
  });
}
