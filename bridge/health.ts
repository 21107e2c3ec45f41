/**
 * The HTTP endpoints that Kubernetes and Prometheus ask: /livez (the process runs), /readyz (it does its work, or says what
 * keeps it from it) and, where there are some, /metrics. Read-only, without secrets, on a port of its own.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { z } from "zod";

/** Where they are served: on all addresses unless a host is named; port 0 picks a free one. */
export const HealthSettings = z.strictObject({
  host: z.string().exactOptional(),
  port: z.int().min(0).max(65_535).default(8080),
});
export type HealthSettings = z.infer<typeof HealthSettings>;

/** Whether the process does its work; `details` is shown to whoever asks. */
export interface Readiness {
  readonly ready: boolean;
  readonly details: Readonly<Record<string, unknown>>;
}

/** What the endpoints answer from. */
export interface HealthOptions {
  /** Left out: all addresses, IPv6 and IPv4. */
  readonly host?: string;
  /** 0 picks a free one. */
  readonly port: number;
  readonly readiness: () => Readiness;
  /** Left out: there is no /metrics. */
  readonly metrics?: () => Promise<{ readonly text: string; readonly contentType: string }>;
}

/** The endpoints, listening. */
export interface Health {
  readonly port: number;
  close(): Promise<void>;
}

/** Starts to listen. Rejects when the port is taken. */
export async function serveHealth({ host, port, readiness, metrics }: HealthOptions): Promise<Health> {
  const paths = `/livez${metrics === undefined ? " or /readyz" : ", /readyz or /metrics"}`;
  const server = createServer(async (request, response) => {
    const json = { "content-type": "application/json" };
    switch (request.url?.split("?")[0]) {
      case "/livez":
        return response.writeHead(200, json).end('{"live":true}\n');
      case "/readyz": {
        const { ready, details } = readiness();
        return response.writeHead(ready ? 200 : 503, json).end(`${JSON.stringify({ ready, ...details }, null, 2)}\n`);
      }
      case "/metrics": {
        const { text, contentType } = (await metrics?.()) ?? {};
        if (text === undefined) break;
        return response.writeHead(200, { "content-type": contentType }).end(text);
      }
    }
    return response.writeHead(404, json).end(`${JSON.stringify({ error: `ask ${paths}` })}\n`);
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
