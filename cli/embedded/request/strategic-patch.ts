/**
 * Strategic merge patch, kubectl's way of changing built-in kinds: like a merge patch, but lists with keys are merged item by item,
 * sets are united, and directives in the patch say what to delete, to replace or to put into order. It is pure.
 * Which lists have keys comes from `x-kubernetes-list-type` and its first map key, which is the merge key of the kinds served here.
 * Source: Kubernetes "Strategic merge patch" (sig-api-machinery); apimachinery `pkg/util/strategicpatch/patch.go`.
 */
import { isDeepStrictEqual } from "node:util";
import { isObject, type Json, type JsonObject } from "../object/object.ts";
import { badRequest, StatusError } from "../object/status-error.ts";
import { assertDepth } from "../schema/json-depth.ts";
import { OBJECT_META } from "../schema/schema.ts";
import { goValue } from "../schema/schema-cause.ts";
import type { OpenApiSchema } from "../schema/value-schema.ts";

const DIRECTIVE = "$patch";
const RETAIN_KEYS = "$retainKeys";
const ORDER = "$setElementOrder/";
const DELETE = "$deleteFromPrimitiveList/";

/**
 * The target with the patch merged in, as the schema of its lists says.
 * Throws StatusError 400 for a patch that is no object or has a directive of a wrong form, 500 for an unknown `$patch` or an item
 * without its merge key, as the API server does.
 */
export function applyStrategicMergePatch(target: JsonObject, patch: Json, openApi: OpenApiSchema): Json {
  assertDepth(patch);
  if (!isObject(patch))
    throw badRequest(`json: cannot unmarshal ${typeOf(patch)} into Go value of type map[string]interface {}`);
  return mergeObject(target, patch, { ...openApi, properties: { ...openApi.properties, metadata: OBJECT_META } });
}

function mergeObject(original: JsonObject, patch: JsonObject, schema: OpenApiSchema | undefined): JsonObject {
  const directive = patch[DIRECTIVE];
  if (directive !== undefined) return directed(directive, patch);
  const merged = new Map(Object.entries(retained(original, patch)));
  for (const field of fieldsOf(patch)) {
    const value = mergeField(merged.get(field), patch, field, schemaOf(schema, field));
    if (value === undefined) merged.delete(field);
    else merged.set(field, value);
  }
  return Object.fromEntries(merged);
}

function directed(directive: Json, patch: JsonObject): JsonObject {
  if (directive === "delete") return {};
  if (directive !== "replace") throw unknownDirective(directive, patch);
  const { [DIRECTIVE]: _, ...rest } = patch;
  return rest;
}

function retained(original: JsonObject, patch: JsonObject): JsonObject {
  const keys = patch[RETAIN_KEYS];
  if (keys === undefined) return original;
  const given = Object.entries(patch).filter(([field, value]) => value !== null && !field.startsWith("$"));
  if (!Array.isArray(keys) || given.some(([field]) => !keys.includes(field))) {
    throw badRequest("invalid patch format of retainKeys");
  }
  return Object.fromEntries(Object.entries(original).filter(([field]) => keys.includes(field)));
}

/** The fields that a patch concerns, be it by a directive only. */
function fieldsOf(patch: JsonObject): ReadonlySet<string> {
  const fields = Object.keys(patch).filter((field) => field !== RETAIN_KEYS);
  return new Set(fields.map((field) => field.replace(ORDER, "").replace(DELETE, "")));
}

/** The field's new value; undefined when it goes. */
function mergeField(
  original: Json | undefined,
  patch: JsonObject,
  field: string,
  schema: OpenApiSchema | undefined,
): Json | undefined {
  const order = listOf(patch, `${ORDER}${field}`);
  const toDelete = listOf(patch, `${DELETE}${field}`);
  const kept =
    toDelete && Array.isArray(original)
      ? (original as readonly Json[]).filter((each) => !toDelete.includes(each))
      : original;
  const merged = Object.hasOwn(patch, field) ? mergeValue(kept, patch[field] ?? null, schema) : kept;
  if (order === undefined || merged === undefined || merged === null) return merged;
  if (!Array.isArray(merged)) throw badRequest("invalid patch format of setElementOrder list");
  const before: readonly Json[] = Array.isArray(original) ? original : [];
  return arranged(merged, order, before, mergeKeyOf(schema));
}

function mergeValue(original: Json | undefined, patch: Json, schema: OpenApiSchema | undefined): Json | undefined {
  if (patch === null) return undefined;
  if (isObject(original) && isObject(patch)) return mergeObject(original, patch, schema);
  if (!Array.isArray(original) || !Array.isArray(patch)) return withoutDirectives(patch);
  const list: readonly Json[] = original;
  const additions: readonly Json[] = patch;
  switch (schema?.["x-kubernetes-list-type"]) {
    case "map":
      return mergeItems(list, additions, schema);
    case "set": {
      const united = [
        ...list,
        ...additions.filter((each, index) => !list.includes(each) && additions.indexOf(each) === index),
      ];
      return arranged(united, additions, list, undefined);
    }
    default:
      return withoutDirectives(additions);
  }
}

function mergeItems(original: readonly Json[], patch: readonly Json[], schema: OpenApiSchema): readonly Json[] {
  const key = mergeKeyOf(schema) ?? "";
  const plain: JsonObject[] = [];
  let kept = original;
  let replaces = false;
  for (const item of patch) {
    if (!isObject(item))
      throw badRequest(`the items of a list that is merged by "${key}" are objects, not ${typeOf(item)}`);
    const directive = item[DIRECTIVE];
    if (directive === undefined) plain.push(item);
    else if (directive === "replace") replaces = true;
    else if (directive !== "delete") throw unknownDirective(directive, item);
    else {
      const value = keyValue(item, key);
      kept = kept.filter((each) => !(isObject(each) && isDeepStrictEqual(each[key], value)));
    }
  }
  if (replaces) return plain.flatMap((item) => withoutDirectives(item) ?? []);
  const merged = [...kept];
  for (const item of plain) {
    const value = keyValue(item, key);
    const index = merged.findIndex((each) => isObject(each) && isDeepStrictEqual(each[key], value));
    const found = merged[index];
    if (isObject(found)) merged[index] = mergeObject(found, item, schema.items);
    else merged.push(withoutDirectives(item) ?? {});
  }
  return arranged(merged, plain, original, key);
}

/** What `order` names stands in that order, and the rest where it stood among it before. */
function arranged(
  list: readonly Json[],
  order: readonly Json[],
  before: readonly Json[],
  key: string | undefined,
): readonly Json[] {
  const same = (a: Json, b: Json) =>
    key !== undefined && isObject(a) && isObject(b) ? isDeepStrictEqual(a[key], b[key]) : isDeepStrictEqual(a, b);
  const placeIn = (places: readonly Json[], item: Json) => places.findIndex((each) => same(each, item));
  const sortedBy = (items: readonly Json[], places: readonly Json[]) =>
    items.toSorted((a, b) => placeIn(places, a) - placeIn(places, b));
  const named = sortedBy(
    list.filter((each) => placeIn(order, each) >= 0),
    order,
  );
  const others = sortedBy(
    list.filter((each) => placeIn(order, each) < 0),
    before,
  );
  const result: Json[] = [];
  for (const item of named) {
    const place = placeIn(before, item);
    while (
      others[0] !== undefined &&
      place >= 0 &&
      placeIn(before, others[0]) >= 0 &&
      placeIn(before, others[0]) < place
    ) {
      result.push(...others.splice(0, 1));
    }
    result.push(item);
  }
  return [...result, ...others];
}

/** What is added anew has no directives and no nulls in it; undefined for a directive alone. */
function withoutDirectives(value: Json): Json | undefined {
  if (Array.isArray(value)) return (value as readonly Json[]).flatMap((each) => withoutDirectives(each) ?? []);
  if (!isObject(value)) return value;
  if (value[DIRECTIVE] !== undefined) return undefined;
  const entries = Object.entries(value).flatMap(([field, each]): [string, Json][] => {
    if (
      each === undefined ||
      each === null ||
      field === RETAIN_KEYS ||
      field.startsWith(ORDER) ||
      field.startsWith(DELETE)
    ) {
      return [];
    }
    const kept = withoutDirectives(each);
    return kept === undefined ? [] : [[field, kept]];
  });
  return Object.fromEntries(entries);
}

function schemaOf(schema: OpenApiSchema | undefined, field: string): OpenApiSchema | undefined {
  const { properties, additionalProperties } = schema ?? {};
  if (properties !== undefined && Object.hasOwn(properties, field)) return properties[field];
  return typeof additionalProperties === "object" ? additionalProperties : undefined;
}

function mergeKeyOf(schema: OpenApiSchema | undefined): string | undefined {
  return schema?.["x-kubernetes-list-type"] === "map" ? schema["x-kubernetes-list-map-keys"]?.[0] : undefined;
}

function keyValue(item: JsonObject, key: string): Json {
  const value = item[key];
  if (value === undefined)
    throw new StatusError(500, "", `map: ${goValue(item)} does not contain declared merge key: ${key}`);
  return value;
}

function listOf(patch: JsonObject, field: string): readonly Json[] | undefined {
  const list = patch[field];
  if (list === undefined) return undefined;
  if (!Array.isArray(list)) throw badRequest(`${field} must be a list`);
  return list;
}

function unknownDirective(directive: Json, patch: JsonObject): StatusError {
  return new StatusError(500, "", `unknown patch type: ${goValue(directive)} in map: ${goValue(patch)}`);
}

const typeOf = (value: Json) => (Array.isArray(value) ? "array" : value === null ? "null" : typeof value);
