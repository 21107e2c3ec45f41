/**
 * The kinds of the tests of field management: one with every way in which a schema can divide its values into fields, the one of the
 * other tests, and built-in ones.
 */
import type { ResourceKind } from "../../../cli/embedded/object/kind.ts";
import { compileSchema } from "../../../cli/embedded/schema/schema.ts";
import type { OpenApiSchema } from "../../../cli/embedded/schema/value-schema.ts";
import { databaseCrd } from "../../kit/database-crd.ts";

const text: OpenApiSchema = { type: "string" };
const whole: OpenApiSchema = { type: "integer" };
const record = (properties: Readonly<Record<string, OpenApiSchema>>): OpenApiSchema => ({ type: "object", properties });

const shelfSchema = record({
  data: { type: "object", additionalProperties: text },
  spec: record({
    size: whole,
    replicas: whole,
    ratio: { type: "number" },
    open: { type: "boolean" },
    owner: text,
    since: { type: "string", format: "date-time" },
    maybe: { type: "string", nullable: true },
    amount: { "x-kubernetes-int-or-string": true },
    nested: record({ a: text, b: record({ c: text, d: whole }) }),
    names: { type: "object", additionalProperties: text },
    limits: { type: "object", additionalProperties: record({ cpu: text, memory: text }) },
    whole: { ...record({ a: text, b: text }), "x-kubernetes-map-type": "atomic" },
    tags: { type: "array", "x-kubernetes-list-type": "set", items: text },
    numbers: { type: "array", "x-kubernetes-list-type": "set", items: whole },
    list: { type: "array", "x-kubernetes-list-type": "atomic", items: text },
    plain: { type: "array", items: record({ a: text }) },
    ports: {
      type: "array",
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["protocol", "port"],
      items: { ...record({ port: whole, protocol: { ...text, default: "TCP" }, name: text }), required: ["port"] },
    },
    free: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
    any: { "x-kubernetes-preserve-unknown-fields": true },
    half: { ...record({ known: record({ a: text }) }), "x-kubernetes-preserve-unknown-fields": true },
    template: {
      type: "object",
      "x-kubernetes-embedded-resource": true,
      "x-kubernetes-preserve-unknown-fields": true,
    },
  }),
  status: record({
    phase: text,
    replicas: whole,
    seen: { type: "array", "x-kubernetes-list-type": "set", items: text },
  }),
});

/** `shelves.fieldsets.example.com` */
export const shelfCrd = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "shelves.fieldsets.example.com" },
  spec: {
    group: "fieldsets.example.com",
    scope: "Namespaced",
    names: { kind: "Shelf", listKind: "ShelfList", plural: "shelves", singular: "shelf" },
    versions: [
      {
        name: "v1",
        served: true,
        storage: true,
        subresources: {
          status: {},
          scale: { specReplicasPath: ".spec.replicas", statusReplicasPath: ".status.replicas" },
        },
        schema: { openAPIV3Schema: shelfSchema },
      },
    ],
  },
};

/** A kind with what field management looks at. */
export function kindOf(given: Partial<ResourceKind> & Pick<ResourceKind, "kind" | "plural" | "openApi">): ResourceKind {
  return {
    group: "",
    version: "v1",
    listKind: `${given.kind}List`,
    singular: given.kind.toLowerCase(),
    shortNames: [],
    categories: [],
    namespaced: true,
    custom: true,
    schema: compileSchema(given.openApi),
    hasGeneration: true,
    hasStatus: true,
    columns: [],
    selectableFields: [],
    createsOnUpdate: false,
    ...given,
  };
}

/** The kind of `shelfCrd`. */
export const SHELF = kindOf({
  group: "fieldsets.example.com",
  kind: "Shelf",
  plural: "shelves",
  openApi: shelfSchema,
  scale: { specReplicasPath: ".spec.replicas", statusReplicasPath: ".status.replicas" },
});

const [databaseVersion] = databaseCrd.spec.versions;

/** The kind Database of the other tests. */
export const DATABASE = kindOf({
  group: "demo.example.com",
  kind: "Database",
  plural: "databases",
  openApi: (databaseVersion?.schema.openAPIV3Schema ?? {}) as OpenApiSchema,
});

/** `v1 ConfigMap`, a built-in kind. */
export const CONFIG_MAP = kindOf({
  kind: "ConfigMap",
  plural: "configmaps",
  custom: false,
  hasStatus: false,
  hasGeneration: false,
  openApi: record({
    data: { type: "object", additionalProperties: text },
    binaryData: { type: "object", additionalProperties: text },
    immutable: { type: "boolean" },
  }),
});

/** `v1 Event`, a built-in kind with structs and texts that are always there. */
export const EVENT = kindOf({
  kind: "Event",
  plural: "events",
  custom: false,
  hasStatus: false,
  hasGeneration: false,
  openApi: record({
    involvedObject: { ...record({ kind: text, name: text, namespace: text }), "x-kubernetes-map-type": "atomic" },
    source: record({ component: text, host: text }),
    ...{ reason: text, type: text, reportingComponent: text, reportingInstance: text, count: whole },
    ...{ eventTime: text, firstTimestamp: text, lastTimestamp: text },
  }),
});

/** `coordination.k8s.io/v1 Lease`, a built-in kind whose `spec` is a struct. */
export const LEASE = kindOf({
  group: "coordination.k8s.io",
  kind: "Lease",
  plural: "leases",
  custom: false,
  hasStatus: false,
  hasGeneration: false,
  openApi: record({ spec: record({ holderIdentity: text, leaseDurationSeconds: whole, leaseTransitions: whole }) }),
});
