/**
 * The patches a client can send: JSON merge patch, JSON patch, and (for built-in kinds, from its own file) strategic merge patch.
 * All are pure: the target stays as it is, and the result shares with it what the patch does not touch.
 * Where kube-apiserver departs from the RFCs, so does this: `replace` may add a field that is not there, a negative index counts from
 * the end, `test` for null holds for an absent field, and nulls inside what a merge patch adds are dropped.
 * Source: RFC 7386, RFC 6902; evanphx/json-patch v4, apiserver `pkg/endpoints/handlers/patch.go`.
 */
import { isDeepStrictEqual } from "node:util";
import { isObject, type Json, type JsonObject } from "../object/object.ts";
import { badRequest, StatusError } from "../object/status-error.ts";
import { assertDepth } from "../schema/json-depth.ts";

export { applyStrategicMergePatch } from "./strategic-patch.ts";

/** The API server's limit. */
const OPERATIONS_MAX = 10_000;
/** Of a path, which is followed recursively; no object is that deep. */
const PATH_KEYS_MAX = 1_000;
/** All that `copy` may add, as JSON; the API server's limit, which is that of a request. */
const COPIED_BYTES_MAX = 3 * 1024 * 1024;

/** RFC 7386. Throws StatusError 400 for a patch that is no object. */
export function applyMergePatch(target: JsonObject, patch: Json): Json {
  assertDepth(patch);
  if (patch === null) throw badRequest("Invalid JSON Patch");
  if (!isObject(patch)) throw undecodable(patch, "value of type map[string]interface {}");
  return merged(target, patch);
}

function merged(target: JsonObject, patch: JsonObject): JsonObject {
  const fields = Object.entries(patch).map(([field, value]): [string, Json | undefined] => {
    const current = Object.hasOwn(target, field) ? target[field] : undefined;
    if (value === undefined) return [field, current];
    if (value === null) return [field, undefined];
    if (!isObject(current)) return [field, withoutNulls(value)];
    return [field, isObject(value) ? merged(current, value) : value];
  });
  const entries = new Map<string, Json | undefined>([...Object.entries(target), ...fields]);
  return Object.fromEntries([...entries].filter(([, value]) => value !== undefined));
}

function withoutNulls(value: Json): Json {
  if (Array.isArray(value))
    return (value as readonly Json[]).map((each) => (each === null ? null : withoutNulls(each)));
  if (!isObject(value)) return value;
  const entries = Object.entries(value).flatMap(([field, each]): [string, Json][] =>
    each === null || each === undefined ? [] : [[field, withoutNulls(each)]],
  );
  return Object.fromEntries(entries);
}

/**
 * RFC 6902. Throws StatusError 400 for what is no patch, 413 for more than 10,000 operations, and 422 for an operation that does not
 * apply; as with the API server, its message does not say which.
 */
export function applyJsonPatch(target: JsonObject, operations: Json): Json {
  assertDepth(operations);
  const copied = { bytes: 0 };
  return parseOperations(operations).reduce(
    (document, operation) => applyOperation(document, operation, copied),
    target as Json,
  );
}

function parseOperations(operations: Json): readonly JsonObject[] {
  if (operations === null) return [];
  if (!Array.isArray(operations)) throw undecodable(operations, "value of type []handlers.jsonPatchOp");
  if (operations.length > OPERATIONS_MAX) {
    const limit = `The allowed maximum operations in a JSON patch is ${OPERATIONS_MAX}, got ${operations.length}`;
    throw new StatusError(413, "RequestEntityTooLarge", `Request entity too large: ${limit}`);
  }
  return (operations as readonly Json[]).map((operation) => {
    if (operation === null) return {};
    if (!isObject(operation)) throw undecodable(operation, "value of type handlers.jsonPatchOp");
    for (const field of ["op", "path", "from"]) {
      const value = operation[field] ?? "";
      if (typeof value !== "string") throw undecodable(value, `struct field jsonPatchOp.${field} of type string`);
    }
    return operation;
  });
}

function applyOperation(document: Json, operation: JsonObject, copied: { bytes: number }): Json {
  const value = operation["value"] ?? null;
  const path = textOf(operation, "path");
  switch (operation["op"]) {
    case "add":
      return changeAt(document, path, adding(value));
    case "remove":
      return changeAt(document, path, removing);
    case "replace":
      if (path !== "") return changeAt(document, path, replacing(value));
      if (!isContainer(value)) throw refused();
      return value;
    case "test":
      if (!isDeepStrictEqual(path === "" ? document : found(document, path), value)) throw refused();
      return document;
    case "move": {
      const from = textOf(operation, "from");
      const moved = found(document, from);
      return changeAt(changeAt(document, from, removing), path, adding(moved));
    }
    case "copy": {
      const copy = found(document, textOf(operation, "from"));
      copied.bytes += Buffer.byteLength(JSON.stringify(copy));
      if (copied.bytes > COPIED_BYTES_MAX) throw refused();
      return changeAt(document, path, adding(copy));
    }
    default:
      throw refused();
  }
}

function textOf(operation: JsonObject, field: "path" | "from"): string {
  const text = operation[field];
  if (typeof text !== "string") throw refused();
  return text;
}

type Container = readonly Json[] | JsonObject;
type Change = (container: Container, key: string) => Json;

const isList = (value: Container): value is readonly Json[] => Array.isArray(value);
const isContainer = (value: Json | undefined): value is Container => typeof value === "object" && value !== null;

function changeAt(document: Json, path: string, change: Change): Json {
  const descend = (node: Json | undefined, [key, ...rest]: readonly string[]): Json => {
    if (!isContainer(node) || key === undefined) throw refused();
    if (rest.length === 0) return change(node, key);
    return withChild(node, key, descend(childOf(node, key), rest));
  };
  return descend(document, keysOf(path));
}

/** The value at a path, null for an absent field. Operations can nest a document deeper than each of them is. */
function found(document: Json, path: string): Json {
  const keys = keysOf(path);
  if (keys.length === 0) throw refused();
  const value = keys.reduce<Json | undefined>((node, key) => {
    if (!isContainer(node)) throw refused();
    return childOf(node, key);
  }, document);
  assertDepth(value);
  return value ?? null;
}

function keysOf(path: string): readonly string[] {
  const keys = path.split("/").slice(1);
  if (keys.length > PATH_KEYS_MAX) throw refused();
  return keys.map((key) => key.replaceAll("~1", "/").replaceAll("~0", "~"));
}

/** Undefined for a field that an object does not have; throws for an item that a list does not have. */
function childOf(node: Container, key: string): Json | undefined {
  if (isList(node)) return node[indexOf(key, node.length)];
  return Object.hasOwn(node, key) ? node[key] : undefined;
}

function withChild(node: Container, key: string, value: Json): Json {
  return isList(node) ? node.with(indexOf(key, node.length), value) : { ...node, [key]: value };
}

const replacing =
  (value: Json): Change =>
  (node, key) =>
    withChild(node, key, value);

const adding =
  (value: Json): Change =>
  (node, key) => {
    if (!isList(node)) return { ...node, [key]: value };
    return key === "-" ? [...node, value] : node.toSpliced(indexOf(key, node.length + 1), 0, value);
  };

const removing: Change = (node, key) => {
  if (isList(node)) return node.toSpliced(indexOf(key, node.length), 1);
  if (!Object.hasOwn(node, key)) throw refused();
  const { [key]: _, ...rest } = node;
  return rest;
};

/** @param length how many positions there are */
function indexOf(key: string, length: number): number {
  const index = /^[+-]?\d+$/.test(key) ? Number(key) : Number.NaN;
  const position = index < 0 ? index + length : index;
  if (!(position >= 0 && position < length)) throw refused();
  return position;
}

function refused(): StatusError {
  return new StatusError(422, "Invalid", "the server rejected our request due to an error in our request", {});
}

function undecodable(value: Json, goal: string): StatusError {
  const type = Array.isArray(value) ? "array" : typeof value === "boolean" ? "bool" : typeof value;
  return badRequest(`error decoding patch: json: cannot unmarshal ${type} into Go ${goal}`);
}
