/**
 * A request: what its path addresses, and what its body says.
 * Source: Kubernetes API concepts, "Resource URIs", "Alternate representations of resources"; apimachinery `pkg/runtime/serializer`.
 */
import type { IncomingMessage } from "node:http";
import { parse as parseYaml } from "yaml";
import type { Json } from "../object/object.ts";
import { badRequest, bodyTooLarge, unsupportedMediaType } from "../object/status-error.ts";
import { assertDepth } from "../schema/json-depth.ts";
import { duplicateFields } from "./duplicate-field.ts";
import { type BodyKind, hasProtobuf, PROTOBUF, parseProtobuf } from "./protobuf.ts";

/** A body as it came. */
export interface Body {
  readonly bytes: Buffer;
  /** Without parameters; empty when none is given. */
  readonly mediaType: string;
}

/** What a path below `/api/v1` or `/apis/<group>/<version>` addresses. */
export interface ResourcePath {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  /** `undefined`: all namespaces, or none because the kind is cluster-scoped. */
  readonly namespace: string | undefined;
  /** `undefined`: the collection. */
  readonly name: string | undefined;
  readonly subresource: string;
}

/** etcd's limit for a request is 1.5 MiB; the API server reads up to 3 MiB. */
const BODY_BYTES_MAX = 3 * 1024 ** 2;
/** What belongs to a namespace itself, and is no kind in it. */
const NAMESPACE_SUBRESOURCES = ["status", "finalize"];

/** Reads the path of a resource; `undefined` when it is something else. */
export function parseResourcePath(path: string): ResourcePath | undefined {
  const segments = path.split("/").filter(Boolean).map(decodeURIComponent);
  const [root, ...rest] = segments;
  const [group, version, parts] =
    root === "api" ? ["", rest[0], rest.slice(1)] : root === "apis" ? [rest[0], rest[1], rest.slice(2)] : [];
  if (group === undefined || version === undefined || parts === undefined || parts.length === 0) return undefined;
  const [first, second, third = ""] = parts;
  const isScoped = first === "namespaces" && parts.length > 2 && !NAMESPACE_SUBRESOURCES.includes(third);
  const [plural = "", name, subresource = "", ...more] = isScoped ? parts.slice(2) : parts;
  if (more.length > 0) return undefined;
  return { group, version, plural, namespace: isScoped ? second : undefined, name, subresource };
}

/** The body of a request. Throws bodyTooLarge. */
export async function readBody(request: IncomingMessage): Promise<Body> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length <= BODY_BYTES_MAX) chunks.push(chunk);
  }
  if (length > BODY_BYTES_MAX) throw bodyTooLarge(BODY_BYTES_MAX);
  const mediaType = (request.headers["content-type"] ?? "").split(";")[0]?.trim().toLowerCase() ?? "";
  return { bytes: Buffer.concat(chunks), mediaType };
}

/** What a body says, and which of its fields it says twice. */
export interface ParsedBody {
  readonly json: Json;
  readonly duplicates: readonly string[];
}

const JSON_TYPE = "application/json";
const YAML_TYPE = "application/yaml";
/** In the order in which the API server names them. */
export const BODY_TYPES: readonly string[] = [JSON_TYPE, YAML_TYPE, PROTOBUF];

/** Parses the body by its media type; protobuf only of an expected kind that is known in it. Throws StatusError. */
export function parseBody({ bytes, mediaType }: Body, expected?: BodyKind): ParsedBody {
  switch (mediaType) {
    case "":
    case JSON_TYPE: {
      const text = bytes.toString("utf8");
      const json = parseJsonText(text);
      return { json, duplicates: duplicateFields(text) };
    }
    case YAML_TYPE:
      return { json: parseYamlText(bytes.toString("utf8")), duplicates: [] };
    case PROTOBUF:
      if (expected === undefined || !hasProtobuf(expected)) throw unsupportedMediaType([JSON_TYPE, YAML_TYPE]);
      return { json: parseProtobuf(bytes, expected), duplicates: [] };
    default:
      throw unsupportedMediaType(BODY_TYPES);
  }
}

/** Parses JSON. Throws badRequest. */
export function parseJsonText(text: string): Json {
  let json: Json;
  try {
    json = JSON.parse(text) as Json;
  } catch (error) {
    throw badRequest(`couldn't get version/kind; json parse error: ${(error as Error).message}`);
  }
  assertDepth(json);
  return json;
}

/** Parses YAML, of which JSON is a part. Throws badRequest. */
export function parseYamlText(text: string): Json {
  let json: Json;
  try {
    json = parseYaml(text, { maxAliasCount: 0 }) as Json;
  } catch (error) {
    throw badRequest(`error converting YAML to JSON: ${(error as Error).message}`);
  }
  assertDepth(json);
  return json;
}
