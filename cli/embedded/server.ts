/**
 * The HTTP side of the embedded API server: takes requests, answers documents (discovery, OpenAPI, health) itself, hands the
 * rest on, and turns every refusal into a Status. It speaks plain HTTP to this machine only, without authentication, as
 * `kubectl proxy` does; a page in a browser is kept out by the Host and Origin headers.
 * Source: Kubernetes API concepts; RFC 9110.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { stringify } from "yaml";
import { type Body, type Faults, openBody, refuse } from "./fault.ts";
import type { ResourceKind } from "./object/kind.ts";
import type { JsonObject } from "./object/object.ts";
import { forbidden, methodNotAllowed, notAcceptable, pathNotFound, StatusError } from "./object/status-error.ts";
import type { Catalog } from "./registry/catalog.ts";
import type { Registry } from "./registry/registry.ts";
import type { Storage } from "./registry/storage.ts";
import { watch } from "./registry/watch.ts";
import { negotiate, type Representation } from "./request/negotiation.ts";
import { checkWatchOptions, isTrue, parseReadOptions } from "./request/read-options.ts";
import { BODY_TYPES, parseResourcePath, type ResourcePath, readBody } from "./request/request.ts";
import { answerResource } from "./resource-request.ts";
import { answerReview } from "./review.ts";
import { documentAt } from "./view/document.ts";
import { representEvent, representList, representObject } from "./view/representation.ts";

/** Everything a request may need. */
export interface ServerContext {
  readonly storage: Storage;
  readonly catalog: Catalog;
  readonly registry: Registry;
  readonly faults: Faults;
  readonly gitVersion: string;
  readonly bookmarkMs: number;
  /** What a watcher may leave unread before it is cut off, as the API server does with one that cannot follow. */
  readonly unreadBytesMax: number;
  readonly now: () => number;
}

const NO_BODY = { bytes: Buffer.alloc(0), mediaType: "" };
const LOCAL_HOST = /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/;

/** Answers one request; never rejects. */
export async function serve(context: ServerContext, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = urlOf(request);
  const query = url.searchParams;
  const isWatch = request.method === "GET" && isTrue(query.get("watch"));
  const effect = context.faults.take({ method: request.method ?? "GET", path: url.pathname, query, isWatch });
  if (effect?.type === "hang") return;
  if (effect?.type === "cut" && effect.afterBytes === 0) return void request.socket.destroy();
  const body = openBody(response, effect);
  try {
    if (effect?.type === "refuse") refuse(effect);
    requireLocal(request);
    await answer(context, request, url, response, body);
  } catch (error) {
    const status = error instanceof StatusError ? error.status : internalError(error);
    if (response.headersSent) return void response.destroy();
    sendJson(response, body, status.code, status);
  }
}

async function answer(
  context: ServerContext,
  request: IncomingMessage,
  url: URL,
  response: ServerResponse,
  body: Body,
): Promise<void> {
  const { method = "GET" } = request;
  const posted = method === "GET" || method === "HEAD" ? NO_BODY : await readBody(request);
  const document = documentAt(url.pathname, request.headers.accept, {
    ...context,
    address: request.headers.host ?? "",
  });
  if (document !== undefined) {
    if (method !== "GET" && method !== "HEAD") throw methodNotAllowed();
    response.writeHead(200, { "content-type": document.mediaType });
    return body.end(document.text);
  }
  const path = parseResourcePath(url.pathname);
  if (path === undefined) throw pathNotFound();
  const review = answerReview(path, method, posted);
  if (review !== undefined) return sendJson(response, body, 201, review);
  const kind = context.catalog.find(path.group, path.version, path.plural);
  if (kind === undefined) throw pathNotFound();
  const representation = negotiate(request.headers.accept);
  const { storage, registry, now } = context;
  if (method === "GET" && path.name === undefined && isTrue(url.searchParams.get("watch"))) {
    return serveWatch(context, kind, path, url.searchParams, representation, response, body);
  }
  const options = { as: representation, query: url.searchParams, nowMs: now() };
  const isYaml = representation.as === "object" && representation.isYaml;
  const found = answerResource(
    { method, path, kind, query: url.searchParams, userAgent: request.headers["user-agent"], body: posted },
    storage,
    registry,
  );
  switch (found.type) {
    case "json":
      return sendJson(response, body, found.code, found.body, found.warnings);
    case "object":
      return sendJson(response, body, found.code, representObject(kind, found.object, options), found.warnings, isYaml);
    case "list":
      return sendJson(response, body, 200, representList(kind, found.items, found.metadata, options), [], isYaml);
    default:
      return found satisfies never;
  }
}

function serveWatch(
  { storage, catalog, bookmarkMs, now, ...context }: ServerContext,
  kind: ResourceKind,
  path: ResourcePath,
  query: URLSearchParams,
  representation: Representation,
  response: ServerResponse,
  body: Body,
): void {
  if (path.namespace !== undefined && !kind.namespaced) throw pathNotFound();
  if (representation.as === "object" && representation.isYaml) throw notAcceptable(BODY_TYPES);
  checkWatchOptions(query);
  const options = parseReadOptions(query, kind);
  let isFirst = true;
  let unreadBytesMax = Number.POSITIVE_INFINITY; // what it begins with comes at once, so nobody could read it in time
  const stop = watch(storage, kind, path.namespace, options, {
    bookmarkMs,
    isServed: () => catalog.find(kind.group, kind.version, kind.plural) !== undefined,
    end: () => body.end(),
    tell(event) {
      if (!response.headersSent) writeWatchHead(response);
      body.write(`${representEvent(kind, event, { as: representation, query, nowMs: now() }, isFirst)}\n`);
      isFirst = false;
      if (response.writableLength <= unreadBytesMax) return;
      stop();
      response.destroy();
    },
  });
  unreadBytesMax = context.unreadBytesMax + response.writableLength;
  if (!response.headersSent) writeWatchHead(response);
  if (!response.writableEnded) body.begin();
  response.once("close", stop);
}

function writeWatchHead(response: ServerResponse): void {
  response.writeHead(200, { "content-type": "application/json", "cache-control": "no-cache, private" });
}

function sendJson(
  response: ServerResponse,
  body: Body,
  code: number,
  json: JsonObject,
  warnings: readonly string[] = [],
  isYaml = false,
): void {
  if (warnings.length > 0)
    response.setHeader("warning", warnings.map((warning) => `299 - ${JSON.stringify(warning)}`).join(", "));
  const details = json["details"];
  const retryAfter =
    typeof details === "object" && details !== null && "retryAfterSeconds" in details
      ? details["retryAfterSeconds"]
      : undefined;
  if (code >= 400 && retryAfter !== undefined) response.setHeader("retry-after", String(retryAfter));
  const mediaType = isYaml ? "application/yaml" : "application/json";
  response.writeHead(code, { "content-type": mediaType, "cache-control": "no-cache, private" });
  body.end(isYaml ? stringify(json) : `${JSON.stringify(json)}\n`);
}

/** A page in a browser can send requests here, also under a name that it has pointed at this machine. */
function requireLocal({ headers }: IncomingMessage): void {
  const origin = headers.origin?.replace(/^https?:\/\//, "");
  if (LOCAL_HOST.test(headers.host ?? "") && (origin === undefined || LOCAL_HOST.test(origin))) return;
  const kind = { group: "", kind: "", plural: "requests" };
  throw forbidden(kind, headers.host ?? "", "the embedded API server answers this machine only: ask for 127.0.0.1");
}

function internalError(error: unknown): JsonObject & { readonly code: number } {
  const message = `the embedded API server failed: ${error instanceof Error ? error.message : String(error)}`;
  return new StatusError(500, "InternalError", message).status;
}

/** The path may begin with two slashes, which is no host. */
function urlOf({ url = "/" }: IncomingMessage): URL {
  return new URL(`http://embedded.invalid${url.startsWith("/") ? "" : "/"}${url}`);
}
