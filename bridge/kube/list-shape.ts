/**
 * How the lists of a kind are to be compared, as its schema says: by the keys of their elements, as sets, or as a whole. Read from the
 * API server's OpenAPI v3 document, which has custom and built-in kinds alike; only the paths that lead to such a list are kept.
 * Source: Kubernetes "Server-Side Apply, merge strategy" (`x-kubernetes-list-type`, `-list-map-keys`, `-map-type`); KEP-2896 (OpenAPI v3).
 */
import { z } from "zod";

/** What is known below one place of an object; an empty shape says nothing, and lists are compared by position. */
export interface Shape {
  readonly list?: ListType;
  /** A map that is compared as a whole. */
  readonly isAtomicMap?: true;
  readonly properties?: ReadonlyMap<string, Shape>;
  /** Below any other key of a map, or any element of a list. */
  readonly each?: Shape;
}

/** A shape that follows its schema. */
export interface LiveShape {
  current: Shape;
}

/** `keys` name an element of the list. */
export type ListType =
  | { readonly type: "map"; readonly keys: readonly string[] }
  | { readonly type: "set" }
  | { readonly type: "atomic" };

/** A schema, as far as it is read. */
interface Schema {
  readonly $ref?: string | undefined;
  readonly allOf?: readonly Schema[] | undefined;
  readonly properties?: Readonly<Record<string, Schema>> | undefined;
  readonly items?: Schema | undefined;
  readonly additionalProperties?: boolean | Schema | undefined;
  readonly "x-kubernetes-list-type"?: string | undefined;
  readonly "x-kubernetes-list-map-keys"?: readonly string[] | undefined;
  readonly "x-kubernetes-map-type"?: string | undefined;
}

const Schema: z.ZodType<Schema> = z.lazy(() =>
  z.object({
    $ref: z.string().optional(),
    allOf: z.array(Schema).optional(),
    properties: z.record(z.string(), Schema).optional(),
    items: Schema.optional(),
    additionalProperties: z.union([z.boolean(), Schema]).optional(),
    "x-kubernetes-list-type": z.string().optional(),
    "x-kubernetes-list-map-keys": z.array(z.string()).optional(),
    "x-kubernetes-map-type": z.string().optional(),
  }),
);

const GroupVersionKinds = z.object({
  "x-kubernetes-group-version-kind": z.array(z.object({ group: z.string(), version: z.string(), kind: z.string() })),
});

/** An OpenAPI v3 document, as far as it is read. */
export const OpenApiDocument = z.object({
  components: z.object({ schemas: z.record(z.string(), z.unknown()).default({}) }).default({ schemas: {} }),
});
export type OpenApiDocument = z.infer<typeof OpenApiDocument>;

/** Which kind is meant. */
export interface KindName {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

/** Schemas may contain themselves (JSONSchemaProps does); below this nothing is told apart any more. */
const DEPTH_MAX = 40;
const NOTHING: Shape = {};
const SHARED_KEYS = {
  finalizers: { list: { type: "set" } },
  ownerReferences: { list: { type: "map", keys: ["uid"] } },
} as const;
/** True of every kind, also where there is no schema to read: Kubernetes API conventions, "Objects" and "Typical status properties". */
export const COMMON_SHAPE: Shape = {
  properties: new Map<string, Shape>([
    ["metadata", { properties: new Map<string, Shape>(Object.entries(SHARED_KEYS)) }],
    ["status", { properties: new Map<string, Shape>([["conditions", { list: { type: "map", keys: ["type"] } }]]) }],
  ]),
};

/** Reads the shape of a kind; what the schema leaves open is as for every kind. `undefined`: the document has no such kind. */
export function shapeOf({ components }: OpenApiDocument, kind: KindName): Shape | undefined {
  const { schemas } = components;
  const found = findKind(schemas, kind);
  if (found === undefined) return undefined;
  const reader = createReader(schemas);
  return joined(reader(Schema.parse(found), 0), COMMON_SHAPE);
}

/** The kind's own schema among a document's. */
export function findKind(schemas: Readonly<Record<string, unknown>>, kind: KindName): unknown {
  return Object.values(schemas).find((schema) => isOf(schema, kind));
}

function isOf(schema: unknown, { group, version, kind }: KindName): boolean {
  const named = GroupVersionKinds.safeParse(schema).data?.["x-kubernetes-group-version-kind"];
  return named?.some((each) => each.group === group && each.version === version && each.kind === kind) ?? false;
}

/** Each referenced schema is read once; while it is being read it says nothing about itself. */
function createReader(schemas: Readonly<Record<string, unknown>>) {
  const known = new Map<string, Shape>();
  const read = (schema: Schema, depth: number): Shape => {
    if (depth > DEPTH_MAX) return NOTHING;
    const parts = [own(schema, depth), ...(schema.allOf ?? []).map((part) => read(part, depth + 1))];
    if (schema.$ref !== undefined) parts.push(refer(schema.$ref, depth));
    return parts.reduce(joined);
  };
  const refer = (reference: string, depth: number): Shape => {
    const name = decodeURIComponent(reference.slice(reference.lastIndexOf("/") + 1));
    const before = known.get(name);
    if (before !== undefined) return before;
    known.set(name, NOTHING);
    const shape = read(Schema.parse(schemas[name] ?? {}), depth + 1);
    known.set(name, shape);
    return shape;
  };
  const own = (schema: Schema, depth: number): Shape => {
    const properties = new Map<string, Shape>();
    for (const [name, property] of Object.entries(schema.properties ?? {})) {
      const shape = read(property, depth + 1);
      if (!isEmpty(shape)) properties.set(name, shape);
    }
    const { items, additionalProperties: values } = schema;
    const below = items ?? (typeof values === "object" ? values : undefined);
    const each = below === undefined ? NOTHING : read(below, depth + 1);
    const list = listTypeOf(schema);
    return {
      ...(list && { list }),
      ...(schema["x-kubernetes-map-type"] === "atomic" && { isAtomicMap: true as const }),
      ...(properties.size > 0 && { properties }),
      ...(!isEmpty(each) && { each }),
    };
  };
  return read;
}

function listTypeOf(schema: Schema): ListType | undefined {
  const keys = schema["x-kubernetes-list-map-keys"] ?? [];
  switch (schema["x-kubernetes-list-type"]) {
    case "map":
      return keys.length > 0 ? { type: "map", keys } : undefined;
    case "set":
      return { type: "set" };
    case "atomic":
      return { type: "atomic" };
    default:
      return undefined;
  }
}

/** What `a` says, and where it says nothing what `b` says. */
function joined(a: Shape, b: Shape): Shape {
  if (isEmpty(a) || isEmpty(b)) return isEmpty(a) ? b : a;
  const list = a.list ?? b.list;
  const each = a.each && b.each ? joined(a.each, b.each) : (a.each ?? b.each);
  const properties = new Map(b.properties);
  for (const [name, shape] of a.properties ?? []) {
    const other = properties.get(name);
    properties.set(name, other === undefined ? shape : joined(shape, other));
  }
  return {
    ...(list && { list }),
    ...((a.isAtomicMap || b.isAtomicMap) && { isAtomicMap: true as const }),
    ...(properties.size > 0 && { properties }),
    ...(each && { each }),
  };
}

function isEmpty({ list, isAtomicMap, properties, each }: Shape): boolean {
  return list === undefined && !isAtomicMap && properties === undefined && each === undefined;
}

/** What is known below `key`; `undefined` when nothing is. */
export function shapeBelow(shape: Shape | undefined, key: string): Shape | undefined {
  return shape?.properties?.get(key) ?? shape?.each;
}
