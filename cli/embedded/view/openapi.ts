/**
 * OpenAPI v3 of what is served: an index, and a document for each group and version. It says as much as kubectl asks for: the schemas
 * that `kubectl explain` shows, the operations with their parameters (`kubectl apply` looks whether a patch takes
 * `fieldValidation`), and what strategic merge patches are made by.
 * Source: Kubernetes "The Kubernetes API", "OpenAPI V3"; client-go `openapi3`, kubectl `pkg/cmd/apply`, `pkg/explain/v2`.
 */
import { createHash } from "node:crypto";
import { apiVersionOf, type ResourceKind } from "../object/kind.ts";
import type { JsonObject } from "../object/object.ts";
import type { OpenApiSchema } from "../schema/value-schema.ts";
import { META_SCHEMAS, OBJECT_META, schemaReference, TYPE_PROPERTIES } from "./openapi-meta.ts";

interface Operation {
  readonly method: "get" | "post" | "put" | "patch" | "delete";
  /** `x-kubernetes-action`. */
  readonly action: string;
  readonly parameters: readonly string[];
  /** Media types of the body; none for an operation that has no body. */
  readonly bodies: readonly string[];
}

const READ = ["labelSelector", "fieldSelector", "limit", "continue", "resourceVersion", "resourceVersionMatch"];
const WATCH = [...READ, "watch", "allowWatchBookmarks", "sendInitialEvents", "timeoutSeconds"];
const WRITE = ["dryRun", "fieldManager", "fieldValidation"];
const BODIES = ["application/json", "application/yaml"];
const PATCHES = ["application/apply-patch+yaml", "application/json-patch+json", "application/merge-patch+json"];
const FLAGS: readonly string[] = ["watch", "allowWatchBookmarks", "sendInitialEvents", "force"];
const NUMBERS: readonly string[] = ["limit", "timeoutSeconds", "gracePeriodSeconds"];

const ON_COLLECTION: readonly Operation[] = [
  { method: "get", action: "list", parameters: WATCH, bodies: [] },
  { method: "post", action: "post", parameters: WRITE, bodies: BODIES },
  { method: "delete", action: "deletecollection", parameters: READ, bodies: [] },
];
const ON_SUBRESOURCE: readonly Operation[] = [
  { method: "get", action: "get", parameters: ["resourceVersion"], bodies: [] },
  { method: "put", action: "put", parameters: WRITE, bodies: BODIES },
  { method: "patch", action: "patch", parameters: [...WRITE, "force"], bodies: PATCHES },
];
const DELETION = ["dryRun", "gracePeriodSeconds", "propagationPolicy"];
const ON_OBJECT: readonly Operation[] = [
  ...ON_SUBRESOURCE,
  { method: "delete", action: "delete", parameters: DELETION, bodies: BODIES },
];

const written = new WeakMap<readonly ResourceKind[], JsonObject>(); // a hash of every schema; the catalog keeps its list until a kind changes

/** `/openapi/v3`: where the documents are, each with a hash of its content, so that clients can keep them. */
export function openApiIndex(kinds: readonly ResourceKind[]): JsonObject {
  const known = written.get(kinds);
  if (known !== undefined) return known;
  const places = new Map(kinds.map(({ group, version }) => [apiVersionOf({ group, version }), { group, version }]));
  const paths = [...places.values()].map(({ group, version }) => {
    const path = rootOf(group, version).slice(1);
    const content = JSON.stringify(openApiDocument(kinds, group, version));
    const hash = createHash("sha512").update(content).digest("hex").toUpperCase();
    return [path, { serverRelativeURL: `/openapi/v3/${path}?hash=${hash}` }] as const;
  });
  const index = { paths: Object.fromEntries(paths) };
  written.set(kinds, index);
  return index;
}

/** `/openapi/v3/api/v1` (an empty group) and `/openapi/v3/apis/<group>/<version>`; `undefined` when there is none. */
export function openApiDocument(
  kinds: readonly ResourceKind[],
  group: string,
  version: string,
): JsonObject | undefined {
  const served = kinds.filter((kind) => kind.group === group && kind.version === version);
  if (served.length === 0) return undefined;
  return {
    openapi: "3.0.0",
    info: { title: "Kubernetes", version: "unversioned" },
    paths: Object.fromEntries(served.flatMap(pathsOf)),
    components: { schemas: { ...Object.fromEntries(served.flatMap(schemasOf)), ...META_SCHEMAS } },
  };
}

/** `/api/v1`, `/apis/apps/v1`. */
function rootOf(group: string, version: string): string {
  return `${group === "" ? "/api" : "/apis"}/${apiVersionOf({ group, version })}`;
}

function pathsOf(kind: ResourceKind): readonly (readonly [string, JsonObject])[] {
  const root = rootOf(kind.group, kind.version);
  const collection = `${root}${kind.namespaced ? "/namespaces/{namespace}" : ""}/${kind.plural}`;
  const subresources = [...(kind.hasStatus ? ["status"] : []), ...(kind.scale ? ["scale"] : [])];
  return [
    ...(kind.namespaced ? [pathItem(kind, `${root}/${kind.plural}`, ON_COLLECTION.slice(0, 1))] : []),
    pathItem(kind, collection, ON_COLLECTION),
    pathItem(kind, `${collection}/{name}`, ON_OBJECT),
    ...subresources.map((subresource) => pathItem(kind, `${collection}/{name}/${subresource}`, ON_SUBRESOURCE)),
  ];
}

function pathItem(kind: ResourceKind, path: string, operations: readonly Operation[]): readonly [string, JsonObject] {
  const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => name);
  const parameters = names.map((name) => ({ name, in: "path", required: true, schema: { type: "string" } }));
  const items = operations.map((operation) => [operation.method, operationOf(kind, path, operation)]);
  return [path, { ...Object.fromEntries(items), ...(parameters.length > 0 && { parameters }) }];
}

function operationOf(kind: ResourceKind, path: string, { action, parameters, bodies }: Operation): JsonObject {
  const isList = action === "list";
  const types = action === "patch" && !kind.custom ? [...bodies, "application/strategic-merge-patch+json"] : bodies;
  const answer = path.endsWith("/scale") ? {} : { schema: schemaReference(schemaName(kind, isList)) };
  const content = Object.fromEntries(types.map((type) => [type, { schema: { type: "object" } }]));
  return {
    operationId: `${action}${path.replaceAll(/[^A-Za-z0-9]+(.)?/g, (_, next: string = "") => next.toUpperCase())}`,
    description: `${action} ${isList ? kind.listKind : kind.kind}`,
    parameters: parameters.map((name) => ({ name, in: "query", schema: { type: typeOf(name) } })),
    ...(types.length > 0 && { requestBody: { content, required: action !== "delete" } }),
    responses: { 200: { description: "OK", content: { "application/json": answer } } },
    "x-kubernetes-action": action,
    "x-kubernetes-group-version-kind": { group: kind.group, version: kind.version, kind: kind.kind },
  };
}

function typeOf(parameter: string): string {
  if (FLAGS.includes(parameter)) return "boolean";
  return NUMBERS.includes(parameter) ? "integer" : "string";
}

/** `com.example.demo.v1.Database`. */
function schemaName({ group, version, kind, listKind }: ResourceKind, isList: boolean): string {
  const prefix = group === "" ? "io.k8s.api.core" : group.split(".").toReversed().join(".");
  return `${prefix}.${version}.${isList ? listKind : kind}`;
}

function schemasOf(kind: ResourceKind): readonly (readonly [string, JsonObject])[] {
  const { group, version, plural } = kind;
  const openApi = kind.custom ? kind.openApi : forStrategicMerge(kind.openApi);
  const item = schemaReference(schemaName(kind, false));
  return [
    [
      schemaName(kind, false),
      {
        ...openApi,
        type: "object",
        properties: { ...openApi.properties, ...TYPE_PROPERTIES, metadata: OBJECT_META },
        "x-kubernetes-group-version-kind": [{ group, version, kind: kind.kind }],
        ...(kind.custom &&
          kind.selectableFields.length > 0 && {
            "x-kubernetes-selectable-fields": kind.selectableFields.map((fieldPath) => ({ fieldPath })),
          }),
      },
    ],
    [
      schemaName(kind, true),
      {
        description: `${kind.listKind} is a list of ${kind.kind}`,
        type: "object",
        required: ["items"],
        properties: {
          ...TYPE_PROPERTIES,
          metadata: schemaReference("io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta"),
          items: { type: "array", items: item, description: `List of ${plural}.` },
        },
        "x-kubernetes-group-version-kind": [{ group, version, kind: kind.listKind }],
      },
    ],
  ];
}

/** A strategic merge patch goes by notes of its own; here they say what the notes of server-side apply say. */
function forStrategicMerge(schema: OpenApiSchema): OpenApiSchema {
  const { properties, items } = schema;
  const [key] = schema["x-kubernetes-list-map-keys"] ?? [];
  const isMerged = schema["x-kubernetes-list-type"] === "map" || schema["x-kubernetes-list-type"] === "set";
  const children = Object.entries(properties ?? {}).map(([name, child]) => [name, forStrategicMerge(child)] as const);
  return {
    ...schema,
    ...(properties && { properties: Object.fromEntries(children) }),
    ...(items && { items: forStrategicMerge(items) }),
    ...(isMerged && { "x-kubernetes-patch-strategy": "merge" }),
    ...(isMerged && key !== undefined && { "x-kubernetes-patch-merge-key": key }),
  };
}
