/**
 * The connection to one Kubernetes API server: client-node reads the kubeconfig (or the pod's service account) and supplies
 * credentials, one long-lived agent carries every request. Each watch has a socket of its own (no HTTP/2), so that one that is
 * not read cannot hold up another.
 * Source: Kubernetes API concepts (Status objects, Retry-After); client-node `KubeConfig.applySecurityAuthentication`.
 */
import type { RequestOptions } from "node:https";
import type { Readable } from "node:stream";
import { HttpMethod, KubeConfig, RequestContext } from "@kubernetes/client-node";
import { Agent, type buildConnector, type Dispatcher, ProxyAgent, request } from "undici";
import { z } from "zod";
import type { KubernetesSettings } from "./kubernetes-settings.ts";

/** One request's parts beyond its path. */
export interface ApiRequest {
  readonly method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly contentType?: string;
  /** The representation that is asked for. Default: application/json. */
  readonly accept?: string;
  /** Further ones: no credentials. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Of `json`: a longer answer is an error. Default: any length. */
  readonly answerBytesMax?: number;
  readonly signal?: AbortSignal;
}

/** A way to ask the API server. */
export interface ApiServer {
  readonly url: string;
  readonly context: string;
  /** Opens a response as a stream of bytes; the reader's pace is the server's. Throws ApiStatusError. */
  open(path: string, options?: ApiRequest): Promise<Readable>;
  /** Reads a whole JSON answer. Throws ApiStatusError. */
  json<T>(path: string, options?: ApiRequest): Promise<T>;
  close(): Promise<void>;
}

/** The API server refused: `status` is HTTP's, `reason` the Status object's, such as `Expired` or `Forbidden`. */
export class ApiStatusError extends Error {
  readonly code = "API_STATUS";
  override readonly name = "ApiStatusError";
  readonly status: number;
  readonly reason: string;
  readonly retryAfterMs: number;
  constructor(status: number, reason: string, message: string, retryAfterMs = 0) {
    super(message);
    this.status = status;
    this.reason = reason;
    this.retryAfterMs = retryAfterMs;
  }
}

/** No kubeconfig, no such context, or credentials that cannot be had. */
export class KubeconfigError extends Error {
  readonly code = "KUBECONFIG";
  override readonly name = "KubeconfigError";
}

/** How long the API server may keep silent, in milliseconds. */
export interface ConnectionLimits {
  /** Before the first byte of an answer. Default 60 s: a list of 500 large objects takes the server a while. */
  readonly headersMs: number;
  /** In the middle of an answer. Default 90 s: bookmarks come every 60 s on an idle watch, so a longer silence is a half-open connection. */
  readonly bodyMs: number;
}

const CONNECTION_LIMITS: ConnectionLimits = { headersMs: 60_000, bodyMs: 90_000 };
/** The code of a request without an answer, as client-go counts it. */
const NO_ANSWER = "<error>";
/** An error's body is a Status object; more than this is a proxy's page. */
const ERROR_BODY_BYTES_MAX = 64 * 1024;

/** Longer waits are somebody's mistake, and those of weeks would overflow Node's timers and be none at all. */
const RETRY_AFTER_MS_MAX = 5 * 60_000;

const Status = z.object({
  message: z.string().default(""),
  reason: z.string().default(""),
  details: z.object({ retryAfterSeconds: z.number().optional() }).optional(),
});

/** Loads the credentials and prepares the connection; nothing is sent yet. `onAnswer` hears of each request. Throws KubeconfigError. */
export async function connectApiServer(
  settings: KubernetesSettings,
  limits: ConnectionLimits = CONNECTION_LIMITS,
  onAnswer: (method: string, code: string) => void = () => undefined,
): Promise<ApiServer> {
  let session = await openSession(settings, limits);

  const send = async (path: string, options: ApiRequest): Promise<Dispatcher.ResponseData> => {
    const { method = "GET" } = options;
    try {
      const response = await sendOnce(path, options);
      onAnswer(method, String(response.statusCode));
      return response;
    } catch (error) {
      if (!options.signal?.aborted) onAnswer(method, NO_ANSWER);
      throw error;
    }
  };
  const sendOnce = async (path: string, options: ApiRequest): Promise<Dispatcher.ResponseData> => {
    const headers = await credentialHeaders(session.config);
    if (options.body !== undefined) headers["content-type"] = options.contentType ?? "application/json";
    return await request(session.url + path, {
      method: options.method ?? "GET",
      headers: { ...options.headers, accept: options.accept ?? "application/json", ...headers },
      dispatcher: session.dispatcher,
      ...(options.query && { query: options.query }),
      ...(options.body !== undefined && { body: JSON.stringify(options.body) }),
      ...(options.signal && { signal: options.signal }),
    });
  };
  const open = async (path: string, options: ApiRequest = {}): Promise<Readable> => {
    let response = await send(path, options);
    if (response.statusCode === 401) {
      await response.body.dump();
      const expired = session;
      session = await openSession(settings, limits);
      void expired.dispatcher.close();
      response = await send(path, options);
    }
    if (response.statusCode >= 300) throw await toStatusError(response);
    return response.body;
  };
  return {
    url: session.url,
    context: session.config.getCurrentContext(),
    open,
    async json<T>(path: string, options?: ApiRequest) {
      const chunks: Buffer[] = [];
      const { answerBytesMax = Number.POSITIVE_INFINITY } = options ?? {};
      let bytes = 0;
      for await (const chunk of await open(path, options)) {
        bytes += (chunk as Buffer).length;
        if (bytes > answerBytesMax) throw new Error(`the answer to ${path} has more than ${answerBytesMax} bytes`);
        chunks.push(chunk as Buffer);
      }
      return parseAnswer(Buffer.concat(chunks), path) as T;
    },
    async close() {
      await session.dispatcher.destroy();
    },
  };
}

/** Without a quotation: an answer may hold a secret. */
function parseAnswer(answer: Buffer, path: string): unknown {
  try {
    return JSON.parse(answer.toString("utf8"));
  } catch {
    throw new Error(`the answer to ${path} is not JSON (${answer.length} bytes): is a proxy on the way?`);
  }
}

interface Session {
  readonly config: KubeConfig;
  readonly url: string;
  readonly dispatcher: Dispatcher;
}

async function openSession(settings: KubernetesSettings, limits: ConnectionLimits): Promise<Session> {
  const config = loadConfig(settings);
  const cluster = config.getCurrentCluster();
  if (cluster === null) {
    throw new KubeconfigError(
      `kubeconfig has no cluster for the context "${config.getCurrentContext()}": name one of ${config.contexts.map(({ name }) => name).join(", ") || "its contexts (it has none)"}`,
    );
  }
  return { config, url: cluster.server.replace(/\/$/, ""), dispatcher: await createDispatcher(config, limits) };
}

function loadConfig({ kubeconfig, context }: KubernetesSettings): KubeConfig {
  const config = new KubeConfig();
  try {
    if (kubeconfig === undefined) config.loadFromDefault();
    else config.loadFromFile(kubeconfig);
  } catch (error) {
    // The lines that follow quote the file, credentials included.
    const [reason = ""] = (error as Error).message.split("\n");
    throw new KubeconfigError(`the kubeconfig${kubeconfig ? ` ${kubeconfig}` : ""} cannot be read: ${reason}`);
  }
  // What client-node falls back to when it has found nothing.
  if (config.getCurrentCluster()?.server === "http://localhost:8080") {
    throw new KubeconfigError(
      "no kubeconfig was found: set KUBECONFIG or kubernetes.kubeconfig, or run inside a cluster",
    );
  }
  if (context !== undefined) {
    if (config.getContextObject(context) === null) {
      const names = config.contexts.map(({ name }) => name).join(", ");
      throw new KubeconfigError(`the kubeconfig has no context "${context}": it has ${names || "none"}`);
    }
    config.setCurrentContext(context);
  }
  return config;
}

/** One agent for all requests to this cluster; client-node alone would open a TLS connection for each. */
async function createDispatcher(config: KubeConfig, { headersMs, bodyMs }: ConnectionLimits): Promise<Dispatcher> {
  const tls: RequestOptions = {};
  await config.applyToHTTPSOptions(tls);
  const { ca, cert, key, pfx, passphrase, rejectUnauthorized, servername } = tls;
  const agent = config.createDispatcherOptions(config.getCurrentCluster(), {
    ca,
    cert,
    key,
    pfx,
    passphrase,
    rejectUnauthorized,
    servername,
  });
  const shared = { allowH2: false, bodyTimeout: bodyMs, headersTimeout: headersMs } as const;
  switch (agent.type) {
    case "proxy":
      return new ProxyAgent({ ...shared, uri: agent.uri, requestTls: agent.requestTls as buildConnector.BuildOptions });
    case "agent":
      return new Agent({ ...shared, connect: agent.connect as buildConnector.BuildOptions });
    case "none":
      return new Agent(shared);
    case "socks":
      throw new KubeconfigError(
        "a SOCKS proxy-url is not supported: use an HTTP proxy, or run inside the cluster's network",
      );
    default:
      return agent satisfies never;
  }
}

async function credentialHeaders(config: KubeConfig): Promise<Record<string, string>> {
  const context = new RequestContext("https://credentials.invalid/", HttpMethod.GET);
  await config.applySecurityAuthentication(context);
  return { ...context.getHeaders() };
}

async function toStatusError(response: Dispatcher.ResponseData): Promise<ApiStatusError> {
  let text = "";
  for await (const chunk of response.body) {
    text += String(chunk);
    if (text.length > ERROR_BODY_BYTES_MAX) break;
  }
  const status = Status.safeParse(parseOrEmpty(text));
  const { message = "", reason = "", details } = status.success ? status.data : {};
  const header = Number(response.headers["retry-after"]);
  const retryAfterSeconds = Number.isFinite(header) ? header : (details?.retryAfterSeconds ?? 0);
  const retryAfterMs = Math.min(retryAfterSeconds * 1000, RETRY_AFTER_MS_MAX);
  return new ApiStatusError(response.statusCode, reason, message || `HTTP ${response.statusCode}`, retryAfterMs);
}

function parseOrEmpty(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}
