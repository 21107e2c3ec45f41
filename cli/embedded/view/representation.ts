/**
 * Answers as the client asked for them: whole objects, tables for printing, or metadata alone; one, a list, or watch events.
 * Source: Kubernetes API concepts, "Receiving resources as Tables", "Metadata-only fetches".
 */
import { apiVersionOf, type ResourceKind } from "../object/kind.ts";
import { type JsonObject, type KubeObject, withMetadata } from "../object/object.ts";
import { notAcceptable, unexpected } from "../object/status-error.ts";
import { jsonOf } from "../registry/storage.ts";
import type { WatchEvent } from "../registry/watch.ts";
import type { Representation } from "../request/negotiation.ts";
import { BODY_TYPES } from "../request/request.ts";
import { includeObjectOf, toPartialObjectMetadata, toPartialObjectMetadataList, toTable } from "./table.ts";

/** What a client asked for, and the clock that ages are counted to. */
export interface RepresentOptions {
  readonly as: Representation;
  /** Of the request: `includeObject`. */
  readonly query: URLSearchParams;
  readonly nowMs: number;
}

/** One object. Throws notAcceptable. */
export function representObject(kind: ResourceKind, object: KubeObject, options: RepresentOptions): JsonObject {
  const { as, query, nowMs } = options;
  switch (as.as) {
    case "object":
      return object;
    case "table": {
      const includeObject = includeObjectOf(query.get("includeObject"));
      const { resourceVersion } = object.metadata;
      const listMetadata = { ...(resourceVersion && { resourceVersion }) };
      return toTable(kind, [object], { listMetadata, includeObject, nowMs, version: as.version });
    }
    case "partial-object-metadata":
      if (as.isList) throw unexpected("content is not a list");
      return toPartialObjectMetadata(object, as.version);
    default:
      return as satisfies never;
  }
}

/** A list. Throws notAcceptable. */
export function representList(
  kind: ResourceKind,
  items: readonly KubeObject[],
  metadata: JsonObject,
  { as, query, nowMs }: RepresentOptions,
): JsonObject {
  switch (as.as) {
    case "object": {
      const listMetadata = kind.custom ? { continue: "", ...metadata } : metadata;
      const shown = kind.custom ? items : items.map(withoutKind);
      return { kind: kind.listKind, apiVersion: apiVersionOf(kind), metadata: listMetadata, items: shown };
    }
    case "table": {
      const includeObject = includeObjectOf(query.get("includeObject"));
      return toTable(kind, items, { listMetadata: metadata, includeObject, nowMs, version: as.version });
    }
    case "partial-object-metadata":
      if (!as.isList) throw notAcceptable(BODY_TYPES);
      return toPartialObjectMetadataList(items, metadata, as.version);
    default:
      return as satisfies never;
  }
}

/** A watch event, as the text of its line. A Table has its columns in the first one only. */
export function representEvent(
  kind: ResourceKind,
  { type, object }: WatchEvent,
  { as, query, nowMs }: RepresentOptions,
  isFirst: boolean,
): string {
  if (type === "ERROR" || as.as === "object") return `{"type":"${type}","object":${jsonOf(object)}}`;
  const whole: KubeObject = { apiVersion: "", kind: "", ...object, metadata: { name: "", ...asMetadata(object) } };
  const shown =
    as.as === "partial-object-metadata"
      ? toPartialObjectMetadata(type === "BOOKMARK" ? withMetadata(whole, { name: undefined }) : whole, as.version)
      : toTable(kind, [whole], {
          listMetadata: listMetadataOf(whole),
          includeObject: includeObjectOf(query.get("includeObject")),
          nowMs,
          version: as.version,
          hasColumns: isFirst,
        });
  return JSON.stringify({ type, object: shown });
}

function asMetadata({ metadata }: JsonObject): JsonObject {
  return typeof metadata === "object" && metadata !== null && !Array.isArray(metadata) ? (metadata as JsonObject) : {};
}

function listMetadataOf({ metadata: { resourceVersion } }: KubeObject): JsonObject {
  return { ...(resourceVersion && { resourceVersion }) };
}

/** The items of a built-in kind's list do not repeat what they are. */
function withoutKind({ kind: _kind, apiVersion: _apiVersion, ...rest }: KubeObject): JsonObject {
  return rest;
}
