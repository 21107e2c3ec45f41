/**
 * The HTTP endpoints that Kubernetes, Prometheus and people ask: /livez (the process runs), /readyz (it does its work, or says what
 * keeps it from it), /metrics and /status. Read-only, without secrets, on a port of its own. /status names objects: with a token it is for
 * those who have it, without one for the machine itself (`kubectl port-forward` is that).
 */
import type { IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { z } from "zod";
import { isSameSecret, readSecret, SecretSource } from "../secret.ts";
import type { Expose } from "./exposition.ts";

/** Not by `import`, which loads the global `fetch` along with it: 9 MB, and some 40 ms of a start. */
const { createServer } = process.getBuiltinModule("node:http");

/** Where they are served: on all addresses unless a host is named; port 0 picks a free one. */
export const HealthSettings = z.strictObject({
  host: z.string().exactOptional(),
  port: z.int().min(0).max(65_535).default(8080),
  /** Who asks for /status from elsewhere has to send it, as `authorization: Bearer …`. Left out: /status answers to 127.0.0.1 and ::1 alone. */
  token: SecretSource.exactOptional(),
});
export type HealthSettings = z.infer<typeof HealthSettings>;

/** Whether the process does its work; `details` is shown to whoever asks. */
export interface Readiness {
  readonly ready: boolean;
  readonly details: Readonly<Record<string, unknown>>;
}

/** What the endpoints answer from. */
export interface HealthOptions extends z.input<typeof HealthSettings> {
  readonly readiness: () => Readiness;
  /** Left out: there is no /metrics. */
  readonly metrics?: Expose;
  /** Left out: there is no /status. */
  readonly status?: () => object | Promise<object>;
}

/** The endpoints, listening. */
export interface Health {
  readonly port: number;
  close(): Promise<void>;
}

/** An answer to one request. */
interface Answer {
  readonly status: number;
  readonly body: string | object;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Starts to listen. Rejects when the port is taken; throws SecretError when the token cannot be read. */
export async function serveHealth(options: HealthOptions): Promise<Health> {
  const { host, port = 8080 } = options;
  if (options.token !== undefined) readSecret(options.token); // at once, not when somebody asks
  const server = createServer(async (request, response) => {
    const { status, body, headers } = await answerTo(request, options).catch((error: Error) => ({
      status: 500,
      body: { error: error.message },
      headers: {},
    }));
    const isText = typeof body === "string";
    const text = isText ? body : `${JSON.stringify(body, null, 2)}\n`;
    response.writeHead(status, { "content-type": "application/json", "x-content-type-options": "nosniff", ...headers });
    response.end(text);
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", (cause: Error) =>
    reject(
      new Error(
        `cannot listen on ${host ?? "any address"}, port ${port} (${cause.message}): set health.port to a free port`,
        { cause },
      ),
    ),
  );
  server.listen({ port, ...(host && { host }) }, resolve);
  await promise;
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}

async function answerTo(request: IncomingMessage, options: HealthOptions): Promise<Answer> {
  const { readiness, metrics, status } = options;
  switch (request.url?.split("?")[0]) {
    case "/livez":
      return { status: 200, body: { live: true } };
    case "/readyz": {
      const { ready, details } = readiness();
      return { status: ready ? 200 : 503, body: { ready, ...details } };
    }
    case "/metrics": {
      if (metrics === undefined) break;
      const { text, contentType } = await metrics(request.headers.accept);
      return { status: 200, body: text, headers: { "content-type": contentType } };
    }
    case "/status": {
      if (status === undefined) break;
      return (
        refusal(request, options) ?? { status: 200, body: await status(), headers: { "cache-control": "no-store" } }
      );
    }
  }
  const paths = ["/livez", "/readyz", ...(metrics ? ["/metrics"] : []), ...(status ? ["/status"] : [])];
  return { status: 404, body: { error: `ask ${paths.slice(0, -1).join(", ")} or ${paths.at(-1)}` } };
}

/** Why this request gets no status; `undefined` when it does. */
function refusal(request: IncomingMessage, { token }: HealthOptions): Answer | undefined {
  if (token !== undefined) {
    const [, sent = ""] = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? "") ?? [];
    if (isSameSecret(sent, readSecret(token))) return undefined;
    const headers = { "www-authenticate": "Bearer" };
    return { status: 401, body: { error: "send the token: authorization: Bearer …" }, headers };
  }
  if (isOwnMachine(request)) return undefined;
  return { status: 403, body: { error: "ask from this machine (kubectl port-forward), or set health.token" } };
}

/** Not through a page in a browser here, which could have any name for this address. */
function isOwnMachine({ socket, headers }: IncomingMessage): boolean {
  const isLoopback = ["127.0.0.1", "::1", "::ffff:127.0.0.1"].includes(socket.remoteAddress ?? "");
  return isLoopback && /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/i.test(headers.host ?? "");
}
