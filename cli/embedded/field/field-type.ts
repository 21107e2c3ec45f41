/**
 * How a schema divides its values into fields: which maps are owned key by key and which as one, which lists are sets or maps and
 * by what key, and what is taken as it comes because no schema says anything about it.
 * Source: kube-openapi `schemaconv`, structured-merge-diff `schema` (Atom) and `typed` (deduceAtom, listItemToPathElement).
 */
import type { Json } from "../object/object.ts";
import { isObject } from "../object/object.ts";
import { OBJECT_META } from "../schema/schema.ts";
import type { OpenApiSchema } from "../schema/value-schema.ts";
import { elementKey, fieldKey, valueKey } from "./field-set.ts";

/** What a value may be; without a schema it may be all three. */
export interface FieldType {
  readonly scalar?: "untyped" | "numeric" | "string" | "boolean";
  readonly list?: ListType;
  readonly map?: MapType;
}

/** A list; one that is neither a set nor a map is one field. */
export interface ListType {
  readonly kind: "atomic" | "set" | "map";
  /** The fields that name an element of a map, and what an element without them has. */
  readonly keys: ReadonlyMap<string, Json | undefined>;
  readonly items: FieldType;
}

/** An object; an atomic one is one field. */
export interface MapType {
  readonly atomic: boolean;
  readonly fields: ReadonlyMap<string, FieldType>;
  /** Of all other keys; undefined when there may be none. */
  readonly rest: FieldType | undefined;
}

const text: OpenApiSchema = { type: "string" };

const ATOMIC: FieldType = {
  scalar: "untyped",
  get list(): ListType {
    return { kind: "atomic", keys: new Map(), items: ATOMIC };
  },
  get map(): MapType {
    return { atomic: true, fields: new Map(), rest: ATOMIC };
  },
};

/** Of what no schema describes: objects are owned key by key, lists as one. */
const DEDUCED: FieldType = {
  scalar: "untyped",
  list: { kind: "atomic", keys: new Map(), items: ATOMIC },
  get map(): MapType {
    return { atomic: false, fields: new Map(), rest: DEDUCED };
  },
};

const ofKinds = new WeakMap<OpenApiSchema, FieldType>(); // a kind has one schema for all of its objects

/** The type of a kind's objects, from the schema of the whole object. */
export function fieldTypeOf(openApi: OpenApiSchema): FieldType {
  const known = ofKinds.get(openApi);
  if (known !== undefined) return known;
  const type = typeOf({ ...openApi, type: "object", "x-kubernetes-embedded-resource": true }, false);
  ofKinds.set(openApi, type);
  return type;
}

/** `keepsUnknown` comes down from every schema above that preserves unknown fields. */
function typeOf(schema: OpenApiSchema, keepsUnknown: boolean): FieldType {
  const keeps = keepsUnknown || schema["x-kubernetes-preserve-unknown-fields"] === true;
  switch (schema.type) {
    case "object":
      return { map: mapTypeOf(schema, keeps) };
    case "array":
      return { list: listTypeOf(schema, keeps) };
    case "integer":
    case "number":
      return { scalar: "numeric" };
    case "boolean":
      return { scalar: "boolean" };
    case "string":
      return { scalar: !schema["format"] || schema["format"] === "byte" ? "string" : "untyped" };
    default:
      return { scalar: "untyped", list: listTypeOf(schema, keeps), map: mapTypeOf(schema, keeps) };
  }
}

function mapTypeOf(schema: OpenApiSchema, keeps: boolean): MapType {
  const { properties = {}, additionalProperties: additional } = schema;
  const fields = new Map(Object.entries(properties).map(([name, field]) => [name, typeOf(field, keeps)]));
  if (schema["x-kubernetes-embedded-resource"] === true) {
    const embedded = { apiVersion: text, kind: text, metadata: OBJECT_META };
    for (const [name, field] of Object.entries(embedded)) fields.set(name, typeOf(field, false));
  }
  const free = additional === undefined ? keeps || Object.keys(properties).length === 0 : additional === true;
  const rest = typeof additional === "object" ? typeOf(additional, keeps) : free ? DEDUCED : undefined;
  return { atomic: schema["x-kubernetes-map-type"] === "atomic", fields, rest };
}

function listTypeOf(schema: OpenApiSchema, keeps: boolean): ListType {
  const { items = {}, "x-kubernetes-list-type": kind = "atomic", "x-kubernetes-list-map-keys": names = [] } = schema;
  const keys = new Map(names.map((name) => [name, items.properties?.[name]?.["default"]]));
  return { kind, keys, items: schema.items === undefined ? ATOMIC : typeOf(items, keeps) };
}

/** What of a type a value is. `any`: it is nothing of all that the type may be, or `null`, or not there. */
export type Shape = "map" | "scalar" | "list" | "any";

/** A type that may be one thing only is that thing, whatever the value. */
export function shapeOf(type: FieldType, value: Json | undefined): Shape {
  const shapes = (["map", "scalar", "list"] as const).filter((shape) => type[shape] !== undefined);
  const [only] = shapes;
  if (only !== undefined && shapes.length === 1) return only;
  if (value === undefined || value === null) return "any";
  const shape = Array.isArray(value) ? "list" : isObject(value) ? "map" : "scalar";
  return type[shape] === undefined ? "any" : shape;
}

/** The type of one key of an object; what no schema has is taken as it comes. */
export function fieldIn(map: MapType, name: string): FieldType {
  return map.fields.get(name) ?? map.rest ?? DEDUCED;
}

/** The key of an element of a set or map; undefined when it has none. */
export function keyOf(list: ListType, item: Json): string | undefined {
  if (list.kind === "set") return typeof item === "object" ? undefined : valueKey(item);
  if (list.kind === "atomic" || !isObject(item)) return undefined;
  const named = [...list.keys].map(
    ([name, fallback]) => [name, item[name] === undefined ? fallback : item[name]] as const,
  );
  const fields = named.filter(([, value]) => value !== undefined);
  return fields.length === 0 ? undefined : elementKey(Object.fromEntries(fields));
}

/** The type of what a key leads to; undefined when a value of this type has no such key. */
export function typeBelow(type: FieldType | undefined, key: string): FieldType | undefined {
  if (key.startsWith("k:")) return type?.list?.items;
  const name = key.slice(fieldKey("").length);
  return key.startsWith("f:") && type?.map ? (type.map.fields.get(name) ?? type.map.rest) : undefined;
}
