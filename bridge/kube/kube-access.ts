/**
 * The API server for those who need it only now and then: client-node and undici (0.6 s, 90 MB) are loaded, and credentials read, when
 * the first request is made. Each request has a time and a size.
 */
import type { KubernetesSettings } from "./kubernetes-settings.ts";

/** One request; `path` begins with a slash. */
export interface KubeRequest {
  readonly method: "GET" | "POST" | "PATCH";
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly contentType?: string;
  /** Default `application/json`. */
  readonly accept?: string;
  /** Further ones: no credentials. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

/** A way to ask one API server. */
export interface KubeAccess {
  /** A whole JSON answer. Throws what `kubeRefusalOf` reads, KubeconfigError, and an Error when there is no answer. */
  ask(request: KubeRequest): Promise<unknown>;
}

/** The API server refused: HTTP's status, and what its Status object says. */
export interface KubeRefusal {
  readonly status: number;
  /** Such as `AlreadyExists`. */
  readonly reason: string;
  readonly message: string;
  /** 0: it named no time. */
  readonly retryAfterMs: number;
}

/** Longer than a healthy API server needs for one object, admission webhooks included, and well within a function's 30 s. */
const TIMEOUT_MS = 15_000;
/** An object is at most about 1.5 MB in etcd, and its JSON may be several times as long as its protobuf. */
const ANSWER_BYTES_MAX = 8 * 1024 * 1024;

/** Opens it; nothing is loaded or sent yet. A failure to connect is not remembered: the next request tries again. */
export function openKubeAccess(settings: KubernetesSettings): KubeAccess {
  let opened: ReturnType<typeof connect> | undefined;
  return {
    async ask({ path, signal, ...request }) {
      opened ??= connect(settings);
      const apiServer = await opened.catch((error: unknown) => {
        opened = undefined;
        throw error;
      });
      const timeout = AbortSignal.timeout(TIMEOUT_MS);
      try {
        const limits = { signal: AbortSignal.any([signal, timeout]), answerBytesMax: ANSWER_BYTES_MAX };
        return await apiServer.json(path, { ...request, ...limits });
      } catch (error) {
        if (!timeout.aborted || signal.aborted) throw error;
        throw new Error(`the API server did not answer within ${TIMEOUT_MS} ms`, { cause: error });
      }
    },
  };
}

/** How the API server refused; `undefined` for any other error. Known by its code, because the class is loaded later. */
export function kubeRefusalOf(error: unknown): KubeRefusal | undefined {
  const isRefusal = error instanceof Error && "code" in error && error.code === "API_STATUS";
  return isRefusal ? (error as unknown as KubeRefusal) : undefined;
}

async function connect(settings: KubernetesSettings) {
  const { connectApiServer } = await import("./api-server.ts");
  return await connectApiServer(settings, { headersMs: TIMEOUT_MS, bodyMs: TIMEOUT_MS });
}
