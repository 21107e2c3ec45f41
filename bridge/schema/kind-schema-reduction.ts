/**
 * From an OpenAPI schema, whole and with references, to the one that is published: without what nobody asks for, references and `allOf`
 * resolved, within limits of depth, nodes and bytes. What is cut off is marked, and then says nothing, so that no right path is ever
 * called wrong.
 */
import { z } from "zod";
import type { Json } from "../kube/kube-object.ts";
import { findKind, type KindName, OpenApiDocument } from "../kube/list-shape.ts";
import { type KindSchema, METADATA_SCHEMA, type SchemaNode } from "./kind-schema.ts";

export { OpenApiDocument };

/** No kind that anybody runs is deeper than half of this. */
const DEPTH_MAX = 40;
/** Ten times the largest definitions that are around (Argo's and Prometheus' have some thousand); what refers to itself would have no end. */
const NODES_MAX = 50_000;
/** Enough to know what a field is about. */
const DESCRIPTION_LENGTH_MAX = 300;
/** Longer lists of values, and larger defaults, are data. */
const ENUM_VALUES_MAX = 256;
const DEFAULT_LENGTH_MAX = 1_000;

const PRUNED: SchemaNode = { "x-kubernetes-preserve-unknown-fields": true, "x-cr-reactor-pruned": true };
const Source = z.looseObject({});
type Source = z.infer<typeof Source>;

/** Reads the kind's schema from the API server's document; `undefined`: it has none. Throws nothing for what is odd in it. */
export function reduceFromDocument({ components }: OpenApiDocument, kind: KindName): SchemaNode | undefined {
  const found = findKind(components.schemas, kind);
  return found === undefined ? undefined : reduceSchema(found, components.schemas);
}

/** Reduces a schema, such as a CustomResourceDefinition's `openAPIV3Schema`. `schemas` is what references lead to. */
export function reduceSchema(schema: unknown, schemas: Readonly<Record<string, unknown>> = {}): SchemaNode {
  const { properties, type, ...rest } = createReducer(schemas)(schema, 0, []);
  const identity: SchemaNode = { type: "string" };
  return {
    type: "object",
    ...rest,
    properties: { ...properties, apiVersion: identity, kind: identity, metadata: METADATA_SCHEMA },
  };
}

function createReducer(schemas: Readonly<Record<string, unknown>>) {
  let nodes = 0;
  const reduce = (found: unknown, depth: number, trail: readonly string[]): SchemaNode => {
    const source = Source.safeParse(found).data;
    if (source === undefined) return {};
    if (depth > DEPTH_MAX || ++nodes > NODES_MAX) return PRUNED;
    const parts = [own(source, depth, trail)];
    for (const part of listOf(source["allOf"])) parts.push(reduce(part, depth + 1, trail));
    if (typeof source["$ref"] === "string") parts.push(refer(source["$ref"], depth, trail));
    if (parts.length === 1) return parts[0] ?? {};
    // A default beside a reference is Go's zero value, which the API server puts nowhere.
    const { default: _, ...merged } = parts.reduce(merge);
    return merged;
  };
  const refer = (reference: string, depth: number, trail: readonly string[]): SchemaNode => {
    const name = decoded(reference.slice(reference.lastIndexOf("/") + 1));
    if (trail.includes(name)) return PRUNED;
    return reduce(Object.hasOwn(schemas, name) ? schemas[name] : {}, depth + 1, [...trail, name]);
  };
  const own = (source: Source, depth: number, trail: readonly string[]): SchemaNode => {
    const below = (each: unknown) => reduce(each, depth + 1, trail);
    const properties = Source.safeParse(source["properties"]).data;
    const values = source["additionalProperties"];
    return {
      ...scalarFacts(source),
      ...(properties && {
        properties: Object.fromEntries(Object.entries(properties).map(([key, each]) => [key, below(each)])),
      }),
      ...(source["items"] !== undefined && { items: below(source["items"]) }),
      ...((values === true || isObject(values)) && { additionalProperties: values === true ? {} : below(values) }),
    };
  };
  return reduce;
}

/** What is said of the place itself. */
function scalarFacts(source: Source): SchemaNode {
  const { type, format, nullable, description, required } = source;
  const values = listOf(source["enum"]) as readonly Json[];
  const preset = source["default"] as Json | undefined;
  const listType = source["x-kubernetes-list-type"];
  const keys = texts(source["x-kubernetes-list-map-keys"]);
  const isMixed = source["x-kubernetes-int-or-string"] === true || isNumberOrText(source);
  return {
    ...(isSchemaType(type) && !isMixed && { type }),
    ...(isMixed && { "x-kubernetes-int-or-string": true }),
    ...(typeof format === "string" && !isMixed && { format }),
    ...(nullable === true && { nullable: true }),
    ...(typeof description === "string" && description !== "" && { description: shortened(description) }),
    ...(values.length > 0 && values.length <= ENUM_VALUES_MAX && { enum: values }),
    ...(preset !== undefined && JSON.stringify(preset).length <= DEFAULT_LENGTH_MAX && { default: preset }),
    ...(texts(required).length > 0 && { required: texts(required).toSorted() }),
    ...(source["x-kubernetes-preserve-unknown-fields"] === true && { "x-kubernetes-preserve-unknown-fields": true }),
    ...(typeof listType === "string" && { "x-kubernetes-list-type": listType }),
    ...(keys.length > 0 && { "x-kubernetes-list-map-keys": keys }),
  };
}

/** IntOrString and Quantity of built-in kinds: `oneOf` a number and a string. */
function isNumberOrText(source: Source): boolean {
  if (source["format"] === "int-or-string") return true;
  const types = [...listOf(source["oneOf"]), ...listOf(source["anyOf"])].map(
    (each) => Source.safeParse(each).data?.["type"],
  );
  return (
    types.includes("string") &&
    types.every((each) => each === "string" || each === "integer" || each === "number") &&
    types.length > 1
  );
}

function isSchemaType(type: unknown): type is NonNullable<SchemaNode["type"]> {
  return typeof type === "string" && /^(object|array|string|integer|number|boolean)$/.test(type);
}

/** What `a` says, and where it says nothing what `b` says. */
function merge(a: SchemaNode, b: SchemaNode): SchemaNode {
  const properties = { ...b.properties };
  const entries = Object.entries(a.properties ?? {}).map(([key, node]): [string, SchemaNode] => {
    const other = Object.hasOwn(properties, key) ? properties[key] : undefined;
    return [key, other === undefined ? node : merge(node, other)];
  });
  const all = Object.fromEntries([...Object.entries(properties), ...entries]);
  const required = [...new Set([...(a.required ?? []), ...(b.required ?? [])])].toSorted();
  const merged = { ...b, ...a };
  return {
    ...merged,
    ...(Object.keys(all).length > 0 && { properties: all }),
    ...(required.length > 0 && { required }),
  };
}

/** The kind's JSON in at most so many bytes: without descriptions, and then without its deepest levels, where it has to be. */
export function fitInto(
  kind: KindSchema,
  bytesMax: number,
): { readonly text: string; readonly pruned: KindSchema["pruned"] } {
  const fits = (text: string) => Buffer.byteLength(text) <= bytesMax;
  const whole = JSON.stringify(kind);
  if (fits(whole)) return { text: whole, pruned: undefined };
  const bare = (levels: number, pruned: KindSchema["pruned"]) =>
    JSON.stringify({ ...kind, pruned, schema: cutBelow(kind.schema, levels) });
  const plain = bare(DEPTH_MAX, "descriptions");
  if (fits(plain)) return { text: plain, pruned: "descriptions" };
  for (let levels = DEPTH_MAX / 2; levels > 0; levels--) {
    const text = bare(levels, "levels");
    if (fits(text)) return { text, pruned: "levels" };
  }
  return { text: JSON.stringify({ ...kind, pruned: "levels", schema: PRUNED }), pruned: "levels" };
}

function cutBelow({ description: _, ...node }: SchemaNode, levels: number): SchemaNode {
  if (levels === 0) return PRUNED;
  const { properties, items, additionalProperties } = node;
  const below = (each: SchemaNode) => cutBelow(each, levels - 1);
  return {
    ...node,
    ...(properties && {
      properties: Object.fromEntries(Object.entries(properties).map(([key, each]) => [key, below(each)])),
    }),
    ...(items && { items: below(items) }),
    ...(additionalProperties && { additionalProperties: below(additionalProperties) }),
  };
}

function shortened(description: string): string {
  const text = description.trim();
  return text.length > DESCRIPTION_LENGTH_MAX ? `${text.slice(0, DESCRIPTION_LENGTH_MAX).trimEnd()}…` : text;
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function texts(value: unknown): readonly string[] {
  return listOf(value).filter((each) => typeof each === "string");
}

function decoded(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}
