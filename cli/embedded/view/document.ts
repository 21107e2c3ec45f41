/**
 * The paths that are no resources: discovery, OpenAPI, version and health, each made when it is asked for.
 * Source: Kubernetes API concepts, "API discovery"; KEP-2896 (OpenAPI v3).
 */
import type { ResourceKind } from "../object/kind.ts";
import type { JsonObject } from "../object/object.ts";
import type { Catalog } from "../registry/catalog.ts";
import { AGGREGATED_DISCOVERY, negotiateDiscovery, requireJson } from "../request/negotiation.ts";
import { aggregatedDiscovery, coreVersions, groupDocument, groupList, resourceList, versionInfo } from "./discovery.ts";
import { openApiDocument, openApiIndex } from "./openapi.ts";

/** A document as it is sent. */
export interface ServedDocument {
  readonly mediaType: string;
  readonly text: string;
}

/** What documents are made of. */
export interface DocumentContext {
  readonly catalog: Catalog;
  readonly gitVersion: string;
  /** The server's `host:port`. */
  readonly address: string;
}

const HEALTH_PATHS: readonly string[] = ["/healthz", "/livez", "/readyz"];
const OPENAPI_V2_PROTOBUF = "application/com.github.proto-openapi.spec.v2";
/** kubectl asks for it where v3 lacks a kind, as `List`, and leaves out its own validation where v2 lacks it as well. */
const NO_OPENAPI_V2: ServedDocument = { mediaType: `${OPENAPI_V2_PROTOBUF}.v1.0+protobuf`, text: "" };
/** What there is, for who asks for the root. */
const ROOTS: readonly string[] = ["/api", "/api/v1", "/apis", ...HEALTH_PATHS, "/openapi/v3", "/version"];

/** The document at this path; `undefined` when there is none. Throws notAcceptable. */
export function documentAt(
  asked: string,
  accept: string | undefined,
  context: DocumentContext,
): ServedDocument | undefined {
  const path = asked.replace(/(.)\/$/, "$1");
  if (HEALTH_PATHS.includes(path)) return { mediaType: "text/plain; charset=utf-8", text: "ok" };
  if (path === "/openapi/v2" && accept?.includes(OPENAPI_V2_PROTOBUF)) return NO_OPENAPI_V2;
  const kinds = context.catalog.kinds();
  if (path === "/api" || path === "/apis") return discovery(path, accept, kinds, context.address);
  const found = plainDocument(path, kinds, context);
  if (found === undefined) return undefined;
  requireJson(accept);
  return json(found);
}

function discovery(
  path: "/api" | "/apis",
  accept: string | undefined,
  kinds: readonly ResourceKind[],
  address: string,
): ServedDocument {
  if (negotiateDiscovery(accept) === "aggregated")
    return { ...json(aggregatedDiscovery(kinds, path)), mediaType: AGGREGATED_DISCOVERY };
  return json(path === "/api" ? coreVersions(kinds, address) : groupList(kinds));
}

function plainDocument(
  path: string,
  kinds: readonly ResourceKind[],
  { gitVersion }: DocumentContext,
): JsonObject | undefined {
  if (path === "/") return { paths: ROOTS };
  if (path === "/version") return versionInfo(gitVersion);
  if (path === "/openapi/v3") return openApiIndex(kinds);
  const isOpenApi = path.startsWith("/openapi/v3/");
  const [root, first = "", second, ...more] = path.slice(isOpenApi ? "/openapi/v3/".length : 1).split("/");
  const make = isOpenApi ? openApiDocument : resourceList;
  if (root === "api" && second === undefined) return make(kinds, "", first);
  if (root !== "apis" || more.length > 0) return undefined;
  if (second !== undefined) return make(kinds, first, second);
  return isOpenApi ? undefined : groupDocument(kinds, first);
}

function json(body: JsonObject): ServedDocument {
  return { mediaType: "application/json", text: JSON.stringify(body) };
}
