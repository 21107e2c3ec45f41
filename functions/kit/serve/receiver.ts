/**
 * The second way in: functions behind an HTTP port that takes CloudEvents, for Knative, Argo Events and anything that posts.
 *
 *     POST /<subscription>     one event, answered when its function has ended
 *     POST /                   the same, when there is one subscription
 *     GET  /livez, /readyz     for probes
 *
 * The answer's status is the outcome: 204 done or skipped; 503 try again; 422 never again; 400, 401, 403, 404, 405, 413, 415 for what is
 * no event, nobody's, or too large. Everything that a sender can make grow has a limit. TLS is the platform's.
 * Source: CloudEvents HTTP protocol binding 1.0.2; RFC 9110 section 15.
 */
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { JetStream, Logger, Tracing } from "#contract";
import type { DeliveryCounts } from "../delivery/report.ts";
import { timesIn } from "../filter/time.ts";
import { createNatsIncidents } from "../incident/nats-memory.ts";
import { createProcessIncidents } from "../incident/process-memory.ts";
import { createNatsMemory } from "../step/nats-memory.ts";
import { createProcessMemory } from "../step/process-memory.ts";
import { type Binding, SubscriptionError } from "../subscription.ts";
import { aborted } from "../waiting.ts";
import { createAuthentication } from "./authentication.ts";
import { createReception } from "./reception.ts";
import { handle, type Service } from "./request.ts";
import { createBodyRoom } from "./request-body.ts";
import { isLoopback, type ServeSettings } from "./serve-settings.ts";

/** As in bridge/metrics/health.ts: an `import` would load the global `fetch`, too. */
const { createServer } = process.getBuiltinModule("node:http");

/** What a receiver needs besides its settings. */
export interface ReceiverOptions {
  readonly log: Logger;
  /** Aborts to stop: running tries may end, then `done` resolves. */
  readonly signal: AbortSignal;
  /** Where the data of very large events is, and the memory of steps and incidents; left out: they are refused, and it is in the process. */
  readonly jetStream?: JetStream | undefined;
  /** Left out: nothing is told as spans. */
  readonly tracing?: Tracing | undefined;
  /** For tests. */
  readonly limits?: Partial<ReceiverLimits>;
}

/** All but tests use the defaults. */
export interface ReceiverLimits {
  /** Requests in hand, those that wait included; more are told to come again. */
  readonly inHandMax: number;
  /** For a request to arrive as a whole, so that nobody holds a connection by sending slowly. */
  readonly requestMs: number;
  /** How long running tries may take to end when the process stops. */
  readonly drainMs: number;
  /** How long a function may take to end once its signal aborted. */
  readonly graceMs: number;
}

/** A receiver that listens. */
export interface Receiver {
  readonly url: string;
  /** Resolves when everything has drained after `signal` aborted. Never rejects. */
  readonly done: Promise<void>;
  status(): readonly (Readonly<DeliveryCounts> & { readonly name: string; readonly function: string })[];
}

/** The port cannot be listened on. */
export class ListenError extends Error {
  readonly code = "LISTEN_FAILED";
  override readonly name = "ListenError";
}

const LIMITS: ReceiverLimits = { inHandMax: 512, requestMs: 30_000, drainMs: 10_000, graceMs: 5_000 };
const PORT_DEFAULT = 8080;
/** As many as are in hand, and some that are idle or asking for health. */
const CONNECTIONS_MAX = 2_048;
/** An event has about twenty attributes, and proxies add their own. */
const HEADERS_MAX = 128;
const HEADER_BYTES_MAX = 32 * 1024;
/** Longer than the minute for which proxies keep idle connections: who closes first loses no request. */
const KEEP_ALIVE_MS = 75_000;
const HEADERS_MS_MAX = 10_000;
/** For the last answers to leave. */
const FLUSH_MS_MAX = 1_000;

/** Starts to listen. Throws SecretError, ListenError, or SubscriptionError about one that has to wait for something. */
export async function receive(
  bindings: readonly Binding[],
  settings: ServeSettings,
  { log, signal, jetStream, tracing, limits: overrides }: ReceiverOptions,
): Promise<Receiver> {
  refuseWaiting(bindings);
  const limits = { ...LIMITS, ...overrides };
  const stepMemory = jetStream === undefined ? createProcessMemory() : createNatsMemory(jetStream);
  const incidentMemory = jetStream === undefined ? createProcessIncidents() : createNatsIncidents(jetStream, log);
  const memories = { stepMemory, incidentMemory };
  const receptionOptions = { log, tracing, jetStream, ...memories, stopping: signal, graceMs: limits.graceMs };
  const receptions = new Map(bindings.map((each) => [each.subscription.name, createReception(each, receptionOptions)]));
  const service: Service = {
    ...{ receptions, authenticate: await createAuthentication(settings.auth), room: createBodyRoom(), log },
    ...{ stopping: signal, foreignTypes: new Set<string>(), inHandMax: limits.inHandMax, inHand: 0 },
    onIdle: () => undefined,
  };
  const server = createServer(
    {
      maxHeaderSize: HEADER_BYTES_MAX,
      headersTimeout: Math.min(HEADERS_MS_MAX, limits.requestMs),
      requestTimeout: limits.requestMs,
      connectionsCheckingInterval: Math.min(1_000, limits.requestMs),
      keepAliveTimeout: KEEP_ALIVE_MS,
    },
    (request, response) => void handle(service, request, response),
  );
  server.maxHeadersCount = HEADERS_MAX;
  server.maxConnections = CONNECTIONS_MAX;
  const host = settings.host ?? "127.0.0.1";
  const url = await listen(server, host, settings.port ?? portOf(process.env["PORT"]) ?? PORT_DEFAULT);
  if (settings.auth === undefined && !isLoopback(host))
    log.warn("everybody who reaches this port can run the functions: set serve.auth, or leave it to the network");
  log.info({ url, subscriptions: [...receptions.keys()] }, "listening for CloudEvents");
  return {
    url,
    done: aborted(signal).then(() => drain(server, service, limits)),
    status: () =>
      bindings.map(({ subscription: { name }, functionName }) => {
        const counts = receptions.get(name)?.counts as DeliveryCounts;
        return { ...counts, name, function: functionName };
      }),
  };
}

async function listen(server: Server, host: string, port: number): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", (cause) =>
    reject(
      new ListenError(
        `cannot listen on ${host}, port ${port} (${cause.message}): choose another with --host and --port`,
        {
          cause,
        },
      ),
    ),
  );
  server.listen({ host, port }, resolve);
  await promise;
  const { address, family, port: bound } = server.address() as AddressInfo;
  return `http://${family === "IPv6" ? `[${address}]` : address}:${bound}`;
}

function portOf(text: string | undefined): number | undefined {
  const port = Number(text);
  return text !== undefined && /^\d+$/.test(text) && port <= 65_535 ? port : undefined;
}

/** Goes on listening while anything runs, so that probes and senders are told; what runs may end. */
async function drain(server: Server, service: Service, { drainMs, graceMs }: ReceiverLimits): Promise<void> {
  const receptions = [...service.receptions.values()];
  for (const reception of receptions) reception.close();
  const idle = new Promise<void>((resolve) => {
    service.onIdle = resolve;
    if (service.inHand === 0) resolve();
  });
  const timer = new AbortController();
  const giveUp = async () => {
    await sleep(drainMs, undefined, { signal: timer.signal });
    for (const reception of receptions) reception.abort(new Error("the process stops"));
    // The grace of the try itself, and a moment for the answer.
    await sleep(graceMs + FLUSH_MS_MAX, undefined, { signal: timer.signal });
  };
  await Promise.race([idle, giveUp().catch(() => undefined)]);
  timer.abort();
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  await Promise.race([closed, sleep(FLUSH_MS_MAX, undefined, { ref: false })]);
  server.closeAllConnections();
  await closed;
}

/** What waits would be answered when it is due, which no sender waits for; what came before is in the log alone. */
function refuseWaiting(bindings: readonly Binding[]): void {
  for (const { subscription } of bindings) {
    const [field] = timesIn(subscription);
    if (field === undefined) continue;
    throw new SubscriptionError(
      `subscription "${subscription.name}": ${field}: needs the log and its timers, which a request does not have: run it with cr-reactor run`,
    );
  }
}
