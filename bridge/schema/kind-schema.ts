/**
 * What the schema of a kind says, as the bridge publishes it for functions, which have no way to the API server: which fields there are,
 * of which types, with which values. It is a subset of the OpenAPI schema without references; an empty node says nothing, and
 * anything may stand there. One key of the bucket CR_SCHEMAS for each cluster, group, version and kind.
 * Source: Kubernetes structural schemas (`x-kubernetes-*`), OpenAPI v3.
 */
import { z } from "zod";
import type { Json } from "../kube/kube-object.ts";
import { encodeToken } from "../log/subject.ts";

const SCHEMA_TYPES = ["object", "array", "string", "integer", "number", "boolean"] as const;

/** One place of an object. */
export interface SchemaNode {
  readonly type?: (typeof SCHEMA_TYPES)[number] | undefined;
  readonly nullable?: boolean | undefined;
  readonly description?: string | undefined;
  readonly format?: string | undefined;
  readonly enum?: readonly Json[] | undefined;
  /** What the API server puts there when it is left out. */
  readonly default?: Json | undefined;
  readonly required?: readonly string[] | undefined;
  readonly properties?: Readonly<Record<string, SchemaNode>> | undefined;
  readonly items?: SchemaNode | undefined;
  /** The values of a map; an empty node for any. */
  readonly additionalProperties?: SchemaNode | undefined;
  readonly "x-kubernetes-preserve-unknown-fields"?: boolean | undefined;
  readonly "x-kubernetes-int-or-string"?: boolean | undefined;
  readonly "x-kubernetes-list-type"?: string | undefined;
  readonly "x-kubernetes-list-map-keys"?: readonly string[] | undefined;
  /** The schema says more, but it was too large, too deep, or contains itself: what stands below is unknown. */
  readonly "x-cr-reactor-pruned"?: boolean | undefined;
}

/** A node and all below it. */
export const SchemaNode: z.ZodType<SchemaNode> = z.lazy(() =>
  z.object({
    type: z.enum(SCHEMA_TYPES).optional(),
    nullable: z.boolean().optional(),
    description: z.string().optional(),
    format: z.string().optional(),
    enum: z.array(z.json() as z.ZodType<Json>).optional(),
    default: (z.json() as z.ZodType<Json>).optional(),
    required: z.array(z.string()).optional(),
    properties: z.record(z.string(), SchemaNode).optional(),
    items: SchemaNode.optional(),
    additionalProperties: SchemaNode.optional(),
    "x-kubernetes-preserve-unknown-fields": z.boolean().optional(),
    "x-kubernetes-int-or-string": z.boolean().optional(),
    "x-kubernetes-list-type": z.string().optional(),
    "x-kubernetes-list-map-keys": z.array(z.string()).optional(),
    "x-cr-reactor-pruned": z.boolean().optional(),
  }),
);

/** What is known of a kind in one cluster. */
export const KindSchema = z.object({
  version: z.literal(1),
  cluster: z.string(),
  apiVersion: z.string(),
  kind: z.string(),
  plural: z.string(),
  namespaced: z.boolean(),
  /** Where its phase is, as the bridge is configured: paths, or `condition:<Type>`; several where namespaces differ. */
  phases: z.array(z.string()),
  /** What was left out so that it fits into a message. */
  pruned: z.enum(["descriptions", "levels"]).optional(),
  schema: SchemaNode,
});
export type KindSchema = z.infer<typeof KindSchema>;

/** Reads a value of the bucket; `undefined` for one that is none of ours, or removed. */
export function parseKindSchema(data: Uint8Array | string): KindSchema | undefined {
  try {
    const text = typeof data === "string" ? data : Buffer.from(data).toString("utf8");
    return KindSchema.safeParse(JSON.parse(text)).data;
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof RangeError) return undefined; // no JSON, or deeper than the stack
    throw error;
  }
}

/** The kind's key; what is left out is `*`. */
export function kindSchemaKey({
  cluster,
  group,
  version,
  kind,
}: {
  readonly cluster?: string | undefined;
  readonly group?: string | undefined;
  readonly version?: string | undefined;
  readonly kind?: string | undefined;
}): string {
  return [cluster, group, version, kind].map((part) => (part === undefined ? "*" : encodeToken(part))).join(".");
}

/** Anything may stand there. */
export const OPEN: SchemaNode = { "x-kubernetes-preserve-unknown-fields": true };

const text: SchemaNode = { type: "string" };
const time: SchemaNode = { type: "string", format: "date-time", nullable: true };
const texts: SchemaNode = { type: "object", additionalProperties: text };

/** The same for every kind; without `managedFields`, which no event has. Source: Kubernetes API, ObjectMeta v1 meta. */
export const METADATA_SCHEMA: SchemaNode = {
  type: "object",
  required: ["name", "uid", "resourceVersion"],
  properties: {
    name: text,
    generateName: text,
    namespace: text,
    selfLink: text,
    uid: text,
    resourceVersion: text,
    generation: { type: "integer", format: "int64" },
    creationTimestamp: time,
    deletionTimestamp: time,
    deletionGracePeriodSeconds: { type: "integer", format: "int64" },
    labels: texts,
    annotations: texts,
    finalizers: { type: "array", items: text, "x-kubernetes-list-type": "set" },
    ownerReferences: {
      type: "array",
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["uid"],
      items: {
        type: "object",
        required: ["apiVersion", "kind", "name", "uid"],
        properties: {
          apiVersion: text,
          kind: text,
          name: text,
          uid: text,
          controller: { type: "boolean" },
          blockOwnerDeletion: { type: "boolean" },
        },
      },
    },
  },
};
