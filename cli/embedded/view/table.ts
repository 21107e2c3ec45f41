/**
 * Objects for people and for those who need their metadata alone: the Table that `kubectl get` prints, and PartialObjectMetadata.
 * What is in a Table's cells is the server's decision, so kubectl shows a custom kind as its definition says.
 * Source: Kubernetes API concepts, "Receiving resources as Tables", "Metadata-only fetches"; apimachinery `pkg/apis/meta/v1` (Table).
 */
import type { ResourceKind } from "../object/kind.ts";
import type { JsonObject, KubeObject } from "../object/object.ts";
import { badRequest } from "../object/status-error.ts";
import type { MetaVersion } from "../request/negotiation.ts";
import { columnsOf } from "./printer.ts";

/** What a row carries besides its cells. */
export type IncludeObject = "None" | "Metadata" | "Object";

/** How a Table is made. */
export interface TableOptions {
  /** Of the list; of a single object its resourceVersion. */
  readonly listMetadata: JsonObject;
  readonly includeObject: IncludeObject;
  /** Ages are counted to this time, in milliseconds since 1970. */
  readonly nowMs: number;
  /** @default v1 */
  readonly version?: MetaVersion;
  /** A watch has the columns in its first event only. @default true */
  readonly hasColumns?: boolean;
}

/** Reads the query parameter `includeObject`. Throws badRequest. */
export function includeObjectOf(parameter: string | null): IncludeObject {
  if (parameter === null || parameter === "") return "Metadata";
  if (parameter === "None" || parameter === "Metadata" || parameter === "Object") return parameter;
  throw badRequest(
    `Unable to convert to Table as requested: includeObject: Invalid value: ${JSON.stringify(parameter)}: must be 'Metadata', 'Object', 'None', or empty`,
  );
}

/** A Table with a row for each object. */
export function toTable(kind: ResourceKind, objects: readonly KubeObject[], options: TableOptions): JsonObject {
  const { listMetadata, includeObject, nowMs, version = "v1", hasColumns = true } = options;
  const columns = columnsOf(kind);
  return {
    kind: "Table",
    apiVersion: `meta.k8s.io/${version}`,
    metadata: listMetadata,
    columnDefinitions: hasColumns ? columns.map(({ definition }) => definition) : null,
    rows: objects.map((object) => ({
      cells: columns.map(({ cell }) => cell(object, nowMs)),
      object: rowObject(object, includeObject, version),
    })),
  };
}

function rowObject(object: KubeObject, include: IncludeObject, version: MetaVersion): JsonObject | null {
  switch (include) {
    case "None":
      return null;
    case "Metadata":
      return toPartialObjectMetadata(object, version);
    case "Object":
      return object;
    default:
      return include satisfies never;
  }
}

/** The object's metadata alone. */
export function toPartialObjectMetadata({ metadata }: KubeObject, version: MetaVersion = "v1"): JsonObject {
  return { kind: "PartialObjectMetadata", apiVersion: `meta.k8s.io/${version}`, metadata };
}

/** The metadata of the objects of a list. */
export function toPartialObjectMetadataList(
  objects: readonly KubeObject[],
  listMetadata: JsonObject,
  version: MetaVersion = "v1",
): JsonObject {
  return {
    kind: "PartialObjectMetadataList",
    apiVersion: `meta.k8s.io/${version}`,
    metadata: listMetadata,
    items: objects.map((object) => toPartialObjectMetadata(object, version)),
  };
}
