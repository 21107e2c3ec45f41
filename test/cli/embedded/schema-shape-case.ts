/**
 * Schemas for schema.test.ts, with what a client sends under `spec.<field>`, what is left of it, and which fields were unknown: pruning,
 * defaults and nulls. What is kept is what the real server keeps.
 */
import type { Json } from "../../../cli/embedded/object/object.ts";
import type { OpenApiSchema } from "../../../cli/embedded/schema/value-schema.ts";

/** One value under one schema, as it arrives and as it is stored. */
export interface ShapeCase {
  readonly name: string;
  /** The field of `spec` that has the schema. */
  readonly field: string;
  readonly schema: OpenApiSchema;
  readonly given: Json;
  /** Undefined when nothing of it is left. */
  readonly kept: Json | undefined;
  /** As strict decoding names them. */
  readonly unknown?: readonly string[];
}

const text: OpenApiSchema = { type: "string" };
const keeping: OpenApiSchema = { type: "object", "x-kubernetes-preserve-unknown-fields": true };
const resource: OpenApiSchema = { type: "object", "x-kubernetes-embedded-resource": true };

/** What is dropped and what is filled in. */
export const shapeCases: readonly ShapeCase[] = [
  {
    name: "an unknown field is dropped",
    field: "unknown",
    schema: { type: "object", properties: { a: text } },
    given: { a: "x", b: { c: 1 }, "d.e": 2 },
    kept: { a: "x" },
    unknown: ["spec.unknown.b", "spec.unknown.d.e"],
  },
  {
    name: "an unknown field of an item is dropped",
    field: "item",
    schema: { type: "array", items: { type: "object", properties: { a: text } } },
    given: [{ a: "x" }, { a: "y", b: 1 }],
    kept: [{ a: "x" }, { a: "y" }],
    unknown: ["spec.item[1].b"],
  },
  {
    name: "an unknown field of a map's value is dropped",
    field: "map",
    schema: { type: "object", additionalProperties: { type: "object", properties: { a: text } } },
    given: { k: { a: "x", b: 1 } },
    kept: { k: { a: "x" } },
    unknown: ["spec.map.k.b"],
  },
  {
    name: "a map keeps its keys, whatever they are called",
    field: "names",
    schema: { type: "object", additionalProperties: text },
    given: JSON.parse('{"__proto__":"a","constructor":"b"}'),
    kept: JSON.parse('{"__proto__":"a","constructor":"b"}'),
  },
  {
    name: "unknown fields are kept where they may be",
    field: "keeping",
    schema: { ...keeping, properties: { known: { type: "object", properties: { a: text } } } },
    given: { free: { b: [{ c: 1 }] }, known: { a: "x", b: 1 } },
    kept: { free: { b: [{ c: 1 }] }, known: { a: "x" } },
    unknown: ["spec.keeping.known.b"],
  },
  {
    name: "items without a description are kept",
    field: "keepingList",
    schema: { type: "array", items: keeping },
    given: [{ a: [{ b: 1 }] }],
    kept: [{ a: [{ b: 1 }] }],
  },
  {
    name: "an embedded resource keeps its type and its metadata",
    field: "embedded",
    schema: { ...resource, properties: { spec: { type: "object", properties: { a: text } } } },
    given: {
      apiVersion: "v1",
      kind: "Thing",
      metadata: { name: "x", labels: { a: "b" } },
      spec: { a: "x", b: 1 },
      more: 1,
    },
    kept: { apiVersion: "v1", kind: "Thing", metadata: { name: "x", labels: { a: "b" } }, spec: { a: "x" } },
    unknown: ["spec.embedded.more", "spec.embedded.spec.b"],
  },
  {
    name: "the metadata of an embedded resource loses what metadata does not have",
    field: "embeddedMetadata",
    schema: { ...resource, "x-kubernetes-preserve-unknown-fields": true },
    given: { apiVersion: "v1", kind: "Thing", metadata: { name: "x", title: "y" }, spec: { any: 1 } },
    kept: { apiVersion: "v1", kind: "Thing", metadata: { name: "x" }, spec: { any: 1 } },
    unknown: ["spec.embeddedMetadata.metadata.title"],
  },
  {
    name: "a default is filled in",
    field: "default",
    schema: { type: "object", properties: { a: { type: "integer", default: 3 }, b: text } },
    given: { b: "x" },
    kept: { a: 3, b: "x" },
  },
  {
    name: "a given value is left, be it empty",
    field: "given",
    schema: {
      type: "object",
      properties: { a: { type: "string", default: "x" }, b: { type: "boolean", default: true } },
    },
    given: { a: "", b: false },
    kept: { a: "", b: false },
  },
  {
    name: "a default's own defaults are filled in",
    field: "nested",
    schema: {
      type: "object",
      properties: { o: { type: "object", default: {}, properties: { a: { type: "string", default: "x" } } } },
    },
    given: {},
    kept: { o: { a: "x" } },
  },
  {
    name: "a missing object is not made for the defaults in it",
    field: "parentless",
    schema: {
      type: "object",
      properties: { o: { type: "object", properties: { a: { type: "string", default: "x" } } } },
    },
    given: {},
    kept: {},
  },
  {
    name: "defaults of items and of a map's values",
    field: "inside",
    schema: {
      type: "object",
      properties: {
        l: { type: "array", items: { type: "object", properties: { a: { type: "string", default: "x" } } } },
        m: {
          type: "object",
          additionalProperties: { type: "object", properties: { a: { type: "string", default: "y" } } },
        },
      },
    },
    given: { l: [{}, { a: "z" }], m: { k: {} } },
    kept: { l: [{ a: "x" }, { a: "z" }], m: { k: { a: "y" } } },
  },
  {
    name: "null where it may not be counts as absent",
    field: "null",
    schema: { type: "object", properties: { a: text, b: { type: "string", default: "x" }, c: text } },
    given: { a: null, b: null, c: "y" },
    kept: { b: "x", c: "y" },
  },
  {
    name: "null where it may be stays, whatever the default",
    field: "nullable",
    schema: { type: "object", properties: { a: { type: "string", nullable: true, default: "x" } } },
    given: { a: null },
    kept: { a: null },
  },
  {
    name: "null for a map's value counts as absent, or as the default",
    field: "nullValue",
    schema: {
      type: "object",
      properties: {
        m: { type: "object", additionalProperties: text },
        d: { type: "object", additionalProperties: { type: "string", default: "x" } },
      },
    },
    given: { m: { k: null, l: "y" }, d: { k: null } },
    kept: { m: { l: "y" }, d: { k: "x" } },
  },
];
