/**
 * One HTTP request, from its headers to its answer: cheap checks first, and nothing of the body is read before its sender is known.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { type Logger, MalformedEventError, parseTraceparent } from "#contract";
import type { Authentication } from "./authentication.ts";
import { modeOf, readCloudEvent } from "./cloud-event-request.ts";
import { type Answer, problem, RequestRefusedError, through, tryAgain } from "./problem.ts";
import type { Received, Reception } from "./reception.ts";
import { type BodyRoom, readBody } from "./request-body.ts";

/** What one request needs to be handled. */
export interface Service {
  readonly receptions: ReadonlyMap<string, Reception>;
  readonly authenticate: Authentication;
  readonly room: BodyRoom;
  readonly inHandMax: number;
  readonly log: Logger;
  readonly stopping: AbortSignal;
  readonly foreignTypes: Set<string>;
  /** Requests that are being answered. */
  inHand: number;
  onIdle: () => void;
}

/** How much of a refused body is read, and how long, so that its sender gets to read the answer instead of a broken connection. */
const LINGER = { bytesMax: 16 * 1024 ** 2, ms: 2_000 };

/** Types that are warned about, once each. */
const FOREIGN_TYPES_MAX = 32;
/** When a process that stops, or has too much, is to be asked again: there may be another one. */
const BUSY_MS = 1_000;

/** Answers one request. Never rejects. */
export async function handle(service: Service, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const taken = { bytes: 0 };
  const gone = new AbortController();
  response.once("close", () => {
    if (!response.writableFinished) gone.abort();
  });
  // A sender that breaks off is seen as `gone`.
  request.on("error", () => undefined);
  service.inHand++;
  try {
    const answer = await answerTo(service, request, gone.signal, taken).catch((error) =>
      refusal(gone.signal.aborted ? undefined : service.log, error),
    );
    await send(service, request, response, answer);
  } finally {
    service.inHand--;
    service.room.give(taken.bytes);
    if (service.inHand === 0) service.onIdle();
  }
}

async function answerTo(
  service: Service,
  request: IncomingMessage,
  gone: AbortSignal,
  taken: { bytes: number },
): Promise<Answer> {
  const path = (request.url ?? "/").split("?", 1)[0] ?? "/";
  const isProbe = path === "/livez" || path === "/readyz";
  if (isProbe && (request.method === "GET" || request.method === "HEAD")) return health(service, path);
  if (request.method !== "POST")
    throw new RequestRefusedError(405, `events are sent with POST, not ${request.method}`, { allow: "POST" });
  if (service.stopping.aborted) return tryAgain("this process is stopping", BUSY_MS);
  if (service.inHand > service.inHandMax) return tryAgain("too much is being handled", BUSY_MS);
  await service.authenticate(request.headersDistinct);
  // Which paths there are is told to nobody unknown.
  const reception = receptionAt(service.receptions, path);
  const mode = modeOf(request.headersDistinct);
  const body = await readBody(request, service.room, taken);
  const event = readEvent(() => readCloudEvent(mode, request.headersDistinct, body));
  if (event.type === "foreign") return foreign(service, event.eventType);
  const { traceparent, tracestate } = request.headers;
  return answerOf(await reception.receive(event.sent, gone, parseTraceparent(traceparent, tracestate)));
}

function health({ stopping }: Service, path: string): Answer {
  const headers = { "content-type": "application/json" };
  if (path === "/livez") return { status: 200, headers, body: '{"live":true}\n' };
  const ready = !stopping.aborted;
  return { status: ready ? 200 : 503, headers, body: `${JSON.stringify({ ready })}\n` };
}

function receptionAt(receptions: ReadonlyMap<string, Reception>, path: string): Reception {
  const [only, ...others] = receptions.values();
  const found = path === "/" && others.length === 0 ? only : receptions.get(path.slice(1));
  if (found !== undefined) return found;
  const paths = [...receptions.keys()].map((name) => `/${name}`);
  throw new RequestRefusedError(404, `nothing is subscribed here: send to ${paths.join(" or ")}`);
}

/** What is too deep for the stack is no event either, and would not be one the next time. */
function readEvent<T>(read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (cause instanceof RangeError) throw new MalformedEventError("the event is nested too deeply", { cause });
    throw cause;
  }
}

/** Somebody else's event is no mistake where many kinds share a broker. */
function foreign({ foreignTypes, log }: Service, type: string): Answer {
  if (!foreignTypes.has(type) && foreignTypes.size < FOREIGN_TYPES_MAX) {
    foreignTypes.add(type);
    log.warn({ type }, "events of this type are not cr-reactor's and are skipped: filter them before they are sent");
  }
  return through("skipped");
}
function answerOf(received: Received): Answer {
  switch (received.type) {
    case "done":
    case "skipped":
      return through(received.type);
    case "retry":
      return tryAgain(received.error.message, received.afterMs);
    case "dead-letter":
      return problem(422, received.error.message);
    case "malformed":
      return problem(400, received.error.message);
    case "not-begun":
      return tryAgain("this process is stopping", BUSY_MS);
    default:
      return received satisfies never;
  }
}

/** Without a log: the sender broke off, and nobody reads the answer. */
function refusal(log: Logger | undefined, error: Error): Answer {
  if (error instanceof MalformedEventError) return problem(400, error.message);
  if (error instanceof RequestRefusedError) {
    if (error.cause !== undefined) log?.error({ err: error.cause }, error.message);
    return problem(error.status, error.message, error.headers);
  }
  log?.error({ err: error }, "a request could not be handled");
  return tryAgain("the request could not be handled");
}

/** An unread body is read a while, or its sender meets a broken connection before it meets the answer. */
async function send({ stopping }: Service, request: IncomingMessage, response: ServerResponse, answer: Answer) {
  const { status, headers, body } = answer;
  const isUnread = !request.complete;
  const close = isUnread || stopping.aborted;
  response.writeHead(status, {
    ...headers,
    ...(status !== 204 && { "content-length": Buffer.byteLength(body) }),
    ...(close && { connection: "close" }),
  });
  if (isUnread && !response.destroyed) {
    response.write(body);
    await Promise.race([skim(request), sleep(LINGER.ms, undefined, { ref: false })]);
    response.end();
  } else response.end(request.method === "HEAD" ? undefined : body);
}

async function skim(request: IncomingMessage): Promise<void> {
  let bytes = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > LINGER.bytesMax) return;
    }
  } catch {
    // It broke off: nobody reads the answer.
  }
}
