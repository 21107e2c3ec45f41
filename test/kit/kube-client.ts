/**
 * The tests' own hand on the API server, separate from the code under test: a request, its answer as JSON, or a KubeStatusError.
 * Objects are addressed by their path, so that a test shows what it asks for. What the server says is what the test gets, except that a
 * 429 ("not yet": refused without effect, as after a restart or while a CRD's storage is initialized) is asked again for some seconds.
 */
import { setTimeout as delay } from "node:timers/promises";
import { Agent, request } from "undici";

/** What every object has; the rest passes through as unknown. */
export interface KubeObject {
  apiVersion?: string;
  kind?: string;
  metadata: {
    name: string;
    namespace?: string;
    uid?: string;
    resourceVersion?: string;
    generation?: number;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
    [field: string]: unknown;
  };
  // biome-ignore lint/suspicious/noExplicitAny: a test reads object.status.phase of whatever kind it asked for
  [part: string]: any;
}

interface PatchOptions {
  /** `status` or `scale`. */
  readonly subresource?: string;
  /** Recorded in managedFields. @default cr-reactor-test */
  readonly fieldManager?: string;
}

interface WaitOptions {
  /** @default 20_000 */
  readonly waitMsMax?: number;
}

/** Every method rejects with KubeStatusError for an answer that is not 2xx, and with undici's error when there is no answer. */
export interface KubeClient {
  /** Any request. A string `body` is sent as it is, anything else as JSON; an answer that is not JSON is its text. */
  request<T = KubeObject>(method: string, path: string, body?: unknown, contentType?: string): Promise<T>;
  get<T = KubeObject>(path: string): Promise<T>;
  /** The items of a collection. */
  list<T = KubeObject>(path: string): Promise<T[]>;
  /** Into the collection at `path`. */
  create<T = KubeObject>(path: string, object: object): Promise<T>;
  /** A JSON merge patch (RFC 7396). */
  patch<T = KubeObject>(path: string, mergePatch: object, options?: PatchOptions): Promise<T>;
  /** Server-side apply, taking over fields that others own. */
  apply<T = KubeObject>(path: string, object: object, fieldManager?: string): Promise<T>;
  /** With the object's resourceVersion as a precondition where it has one. */
  replace<T = KubeObject>(path: string, object: object, options?: PatchOptions): Promise<T>;
  /** Answers the deleted object, or a Status. */
  delete(path: string): Promise<KubeObject>;
  /** Asks until `condition` holds for the object, or for undefined while there is none, and answers what it held for. */
  waitFor<T extends KubeObject | undefined = KubeObject>(
    path: string,
    condition: (object: KubeObject | undefined) => boolean,
    options?: WaitOptions,
  ): Promise<T>;
  createNamespace(name: string): Promise<KubeObject>;
  /** Applies a CustomResourceDefinition and waits until it is established and every served version answers lists. */
  applyCrd(crd: Crd): Promise<void>;
  /** Cuts its connections. Not needed at the end of a process: idle ones do not keep it alive. */
  close(): Promise<void>;
}

/** The part of a CustomResourceDefinition that is needed to find its resource. */
interface Crd {
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly group: string;
    readonly names: { readonly plural: string };
    readonly versions: readonly { readonly name: string; readonly served: boolean }[];
  };
}

/** An answer that is not 2xx. */
export class KubeStatusError extends Error {
  readonly code = "KUBE_STATUS";
  override readonly name = "KubeStatusError";
  /** The HTTP status code. */
  readonly status: number;
  /** The Status object's reason, such as `NotFound`; empty when the answer was no Status. */
  readonly reason: string;

  constructor(request: string, status: number, body: string) {
    const { message = body.slice(0, 500), reason = "" } = statusOf(body);
    super(`${request}: ${status} ${message}`);
    this.status = status;
    this.reason = reason;
  }
}

function statusOf(body: string): { message?: string; reason?: string } {
  try {
    return JSON.parse(body);
  } catch {
    return {};
  }
}

const WAIT_MS_MAX = 60_000;
const POLL_MS = 50;
const FIELD_MANAGER = "cr-reactor-test";

/** A client with its own connections to one API server, as the owner of `token`. */
export function kubeClient(server: { url: string; token: string; caPem: string }): KubeClient {
  const dispatcher = new Agent({ connect: { ca: server.caPem } });

  async function send<T>(method: string, path: string, body?: unknown, contentType = "application/json"): Promise<T> {
    const headers = {
      authorization: `Bearer ${server.token}`,
      accept: "application/json",
      "content-type": contentType,
    };
    const payload = body === undefined || typeof body === "string" ? (body ?? null) : JSON.stringify(body);
    const deadline = performance.now() + WAIT_MS_MAX;
    for (;;) {
      const answer = await request(new URL(path, server.url), { method, headers, body: payload, dispatcher });
      const text = await answer.body.text();
      if (answer.statusCode < 300) {
        return (String(answer.headers["content-type"]).includes("json") ? JSON.parse(text) : text) as T;
      }
      if (answer.statusCode !== 429 || performance.now() > deadline) {
        throw new KubeStatusError(`${method} ${path}`, answer.statusCode, text);
      }
      await delay(POLL_MS);
    }
  }

  const client: KubeClient = {
    request: send,
    get: (path) => send("GET", path),
    list: async <T>(path: string) => (await send<{ items: T[] }>("GET", path)).items,
    create: (path, object) => send("POST", withQuery(path, { fieldManager: FIELD_MANAGER }), object),
    patch: (path, mergePatch, options) =>
      send("PATCH", optionsPath(path, options), mergePatch, "application/merge-patch+json"),
    apply: (path, object, fieldManager = FIELD_MANAGER) =>
      send("PATCH", withQuery(path, { fieldManager, force: "true" }), object, "application/apply-patch+yaml"),
    replace: (path, object, options) => send("PUT", optionsPath(path, options), object),
    delete: (path) => send("DELETE", path),
    waitFor: <T>(path: string, condition: (object: KubeObject | undefined) => boolean, options?: WaitOptions) =>
      waitFor(client, path, condition, options) as Promise<T>,
    createNamespace: (name) => client.create("/api/v1/namespaces", { metadata: { name } }),
    applyCrd: (crd) => applyCrd(client, crd),
    close: () => dispatcher.destroy(),
  };
  return client;
}

function optionsPath(path: string, { subresource, fieldManager = FIELD_MANAGER }: PatchOptions = {}): string {
  return withQuery(subresource === undefined ? path : `${path}/${subresource}`, { fieldManager });
}

const withQuery = (path: string, query: Record<string, string>): string => `${path}?${new URLSearchParams(query)}`;

async function waitFor(
  client: KubeClient,
  path: string,
  condition: (object: KubeObject | undefined) => boolean,
  { waitMsMax = WAIT_MS_MAX }: WaitOptions = {},
): Promise<KubeObject | undefined> {
  const deadline = performance.now() + waitMsMax;
  for (;;) {
    const object = await client.get(path).catch(absent);
    if (condition(object)) return object;
    if (performance.now() > deadline) {
      throw new Error(
        `${path}: the condition did not hold within ${waitMsMax / 1000} s; last seen: ${JSON.stringify(object)}`,
      );
    }
    await delay(POLL_MS);
  }
}

function absent(error: unknown): undefined {
  if (error instanceof KubeStatusError && error.status === 404) return undefined;
  throw error;
}

async function applyCrd(client: KubeClient, crd: Crd): Promise<void> {
  const path = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${crd.metadata.name}`;
  await client.apply(path, crd);
  await client.waitFor(path, (object) => isEstablished(object));
  const { group, names, versions } = crd.spec;
  for (const version of versions.filter(({ served }) => served))
    await untilServed(client, `/apis/${group}/${version.name}/${names.plural}`);
}

function isEstablished(crd: KubeObject | undefined): boolean {
  const conditions: { type: string; status: string }[] = crd?.["status"]?.conditions ?? [];
  return conditions.some(({ type, status }) => type === "Established" && status === "True");
}

/** Established comes a moment before the handler: until then lists are 404. */
async function untilServed(client: KubeClient, path: string): Promise<void> {
  const deadline = performance.now() + WAIT_MS_MAX;
  for (;;) {
    try {
      await client.list(`${path}?limit=1`);
      return;
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await delay(POLL_MS);
    }
  }
}
