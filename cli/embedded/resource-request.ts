/**
 * One request to a resource: from method and path to what the registry, a list or a watch is asked for, and back to an answer.
 * Source: Kubernetes API concepts, "API verbs".
 */
import { NAMESPACE } from "./kind/built-in.ts";
import { isOf, type ResourceKind } from "./object/kind.ts";
import { isObject, type Json, type JsonObject, type KubeObject } from "./object/object.ts";
import {
  badRequest,
  methodNotAllowed,
  notFound,
  pathNotFound,
  StatusError,
  unsupportedMediaType,
} from "./object/status-error.ts";
import { list } from "./registry/list.ts";
import type { Registry } from "./registry/registry.ts";
import type { Storage } from "./registry/storage.ts";
import { presented } from "./registry/strategy.ts";
import type { Address, Written } from "./registry/write.ts";
import { removeOptions, writeOptions } from "./request/option.ts";
import { applyJsonPatch, applyMergePatch, applyStrategicMergePatch } from "./request/patch.ts";
import { appliedObject, patchedObject, postedObject, unrecognized } from "./request/posted-object.ts";
import { PROTOBUF, parseProtobufOptions } from "./request/protobuf.ts";
import { checkListOptions, parseReadOptions } from "./request/read-options.ts";
import {
  type Body,
  type ParsedBody,
  parseBody,
  parseJsonText,
  parseYamlText,
  type ResourcePath,
} from "./request/request.ts";
import { verbsOf } from "./view/discovery.ts";
import { checkScale, toScale, withScale } from "./view/scale.ts";

/** A request whose path has been read; the body is text. */
export interface ResourceRequest {
  readonly method: string;
  readonly path: ResourcePath;
  readonly kind: ResourceKind;
  readonly query: URLSearchParams;
  readonly userAgent: string | undefined;
  readonly body: Body;
}

/** What is answered: one object, or a list of them; anything else is JSON as it is. */
export type Answer =
  | {
      readonly type: "object";
      readonly code: number;
      readonly object: KubeObject;
      readonly warnings: readonly string[];
    }
  | { readonly type: "list"; readonly items: readonly KubeObject[]; readonly metadata: JsonObject }
  | { readonly type: "json"; readonly code: number; readonly body: JsonObject; readonly warnings: readonly string[] };

/** Does what the request asks for. Throws StatusError. */
export function answerResource(request: ResourceRequest, storage: Storage, registry: Registry): Answer {
  const { kind, path } = request;
  if (path.name === undefined) return answerCollection(request, storage, registry);
  if (path.subresource === "scale" && kind.scale !== undefined) return answerScale(request, registry);
  const address = addressOf(request, path.name);
  switch (request.method) {
    case "GET":
      return { type: "object", code: 200, object: registry.get(address), warnings: [] };
    case "PUT":
      return replace(request, address, registry);
    case "PATCH":
      return patch(request, address, registry);
    case "DELETE": {
      if (path.subresource !== "") throw methodNotAllowed();
      const body = registry.remove(address, removeOptions(request.query, optionsBody(request.body)));
      return { type: "json", code: 200, body, warnings: [] };
    }
    default:
      throw methodNotAllowed();
  }
}

function addressOf({ kind, path }: ResourceRequest, name: string): Address {
  const { namespace, subresource } = path;
  if (kind.namespaced !== (namespace !== undefined)) throw pathNotFound();
  const isKnown =
    subresource === "" ||
    (subresource === "status" && kind.hasStatus) ||
    (subresource === "finalize" && isOf(kind, NAMESPACE));
  if (subresource === "scale") throw notFound(kind, name);
  if (!isKnown || (subresource !== "" && subresource !== "status" && subresource !== "finalize")) throw pathNotFound();
  return { kind, namespace: namespace ?? "", name, subresource };
}

function answerCollection(request: ResourceRequest, storage: Storage, registry: Registry): Answer {
  const { kind, path, query, method } = request;
  if (path.namespace !== undefined && !kind.namespaced) throw pathNotFound();
  switch (method) {
    case "GET": {
      checkListOptions(query);
      return { type: "list", ...list(storage, kind, path.namespace, parseReadOptions(query, kind)) };
    }
    case "POST": {
      if (kind.namespaced && path.namespace === undefined) throw kind.custom ? pathNotFound() : methodNotAllowed();
      const options = writeOptions(query, request.userAgent, "CreateOptions");
      const { json, duplicates } = bodyOf(request);
      const object = postedObject(json, kind, path);
      return toAnswer(
        kind,
        registry.create({ kind, namespace: path.namespace ?? "" }, { object, duplicates }, options),
      );
    }
    case "DELETE": {
      if (kind.namespaced && path.namespace === undefined) throw methodNotAllowed();
      if (!verbsOf(kind).includes("deletecollection")) throw methodNotAllowed();
      checkListOptions(query);
      const page = list(storage, kind, path.namespace, parseReadOptions(query, kind));
      const options = removeOptions(query, optionsBody(request.body));
      for (const { metadata } of page.items) {
        const { name, namespace = "" } = metadata;
        registry.remove({ kind, namespace, name, subresource: "" }, options);
      }
      return { type: "list", ...page };
    }
    case "PUT":
      throw badRequest("name must be provided");
    default:
      throw methodNotAllowed();
  }
}

function replace(request: ResourceRequest, address: Address, registry: Registry): Answer {
  const { kind, path, query } = request;
  const options = writeOptions(query, request.userAgent, "UpdateOptions");
  const { json, duplicates } = bodyOf(request);
  const object = postedObject(json, kind, path);
  requireName(json, path);
  return toAnswer(kind, registry.replace(address, { object, duplicates }, options));
}

/** What the body says. Throws StatusError, in the words for an object of this kind. */
function bodyOf({ kind, body }: ResourceRequest): ParsedBody {
  try {
    return parseBody(body, kind);
  } catch (error) {
    const isNamed = body.mediaType === PROTOBUF; // which knows how far it came
    if (error instanceof StatusError && error.status.code === 400 && !isNamed) throw unrecognized(kind, error.message);
    throw error;
  }
}

/** Only a new object may get its name elsewhere. */
function requireName(json: Json, { name }: ResourcePath): void {
  const metadata = isObject(json) ? json["metadata"] : undefined;
  if (isObject(metadata) && metadata["name"]) return;
  throw badRequest(`the name of the object (${name} based on URL) was undeterminable: name must be provided`);
}

/** DeleteOptions are optional, and taken in any of the forms. */
function optionsBody(body: Body): Json {
  if (body.bytes.length === 0) return null;
  return body.mediaType === PROTOBUF ? parseProtobufOptions(body.bytes) : parseBody(body).json;
}

function patch(request: ResourceRequest, address: Address, registry: Registry): Answer {
  const { kind, path, query, body } = request;
  const isApply = body.mediaType === APPLY;
  const change = isApply ? undefined : patcher(body.mediaType, kind);
  const options = writeOptions(query, request.userAgent, "PatchOptions", isApply);
  const text = body.bytes.toString("utf8");
  if (change === undefined) {
    const document = parseYamlText(text);
    const applied = appliedObject(document, kind, path);
    requireName(document, path);
    return toAnswer(kind, registry.apply(address, applied, { ...options, force: query.get("force") === "true" }));
  }
  const document = parseJsonText(text);
  return toAnswer(
    kind,
    registry.update(address, (current) => patchedObject(change(current, document), kind, path), options),
  );
}

const APPLY = "application/apply-patch+yaml";
const JSON_PATCH = "application/json-patch+json";
const MERGE_PATCH = "application/merge-patch+json";
const STRATEGIC_MERGE_PATCH = "application/strategic-merge-patch+json";

function patcher(mediaType: string, kind: ResourceKind): (current: KubeObject, patch: Json) => Json {
  switch (mediaType) {
    case MERGE_PATCH:
      return applyMergePatch;
    case JSON_PATCH:
      return applyJsonPatch;
    case STRATEGIC_MERGE_PATCH:
      if (!kind.custom) return (current, document) => applyStrategicMergePatch(current, document, kind.openApi);
      throw unsupportedMediaType([JSON_PATCH, MERGE_PATCH, APPLY]);
    default:
      throw unsupportedMediaType([JSON_PATCH, MERGE_PATCH, ...(kind.custom ? [] : [STRATEGIC_MERGE_PATCH]), APPLY]);
  }
}

function toAnswer(kind: ResourceKind, { created, object, warnings }: Written): Answer {
  return { type: "object", code: created ? 201 : 200, object: presented(kind, object), warnings };
}

function answerScale(request: ResourceRequest, registry: Registry): Answer {
  const { kind, path, query, method, body } = request;
  const { scale } = kind;
  if (scale === undefined || path.name === undefined) throw pathNotFound();
  const address: Address = { kind, namespace: path.namespace ?? "", name: path.name, subresource: "scale" };
  if (method === "GET") return { type: "json", code: 200, body: toScale(registry.get(address), scale), warnings: [] };
  if (method !== "PUT" && method !== "PATCH") throw methodNotAllowed();
  const isPatch = method === "PATCH";
  const change = isPatch ? scalePatcher(body.mediaType) : (_: JsonObject, document: Json) => document;
  const document = isPatch ? parseJsonText(body.bytes.toString("utf8")) : parseBody(body).json;
  const { object, warnings } = registry.update(
    address,
    (current) => {
      const changed = change(toScale(current, scale), document);
      checkScale(kind, path.name ?? "", changed);
      return withScale(current, changed, scale);
    },
    writeOptions(query, request.userAgent, isPatch ? "PatchOptions" : "UpdateOptions"),
  );
  return { type: "json", code: 200, body: toScale(object, scale), warnings };
}

function scalePatcher(mediaType: string): (current: JsonObject, patch: Json) => Json {
  if (mediaType === MERGE_PATCH || mediaType === STRATEGIC_MERGE_PATCH) return applyMergePatch;
  if (mediaType === JSON_PATCH) return applyJsonPatch;
  throw unsupportedMediaType([JSON_PATCH, MERGE_PATCH, STRATEGIC_MERGE_PATCH]);
}
