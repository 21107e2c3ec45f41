/**
 * The one seam to NATS: every other file speaks JetStream through this interface, so that moving to another client is a change
 * of this file. It is written on core publish/subscribe and the `$JS.API`, with one reply inbox and a bounded number of
 * questions in flight, and guarantees that a question ends: in its reply, or in a RequestLostError when the connection broke or
 * the server kept silent. Lost means unknown: the message may have been stored.
 * Source: NATS client protocol; JetStream API reference (`$JS.API.*`, ADR-1 for errors, ADR-8 for headers).
 */
import { readFileSync } from "node:fs";
import {
  type ConnectionOptions,
  connect,
  createInbox,
  credsAuthenticator,
  type Msg,
  type MsgHdrs,
  type NatsConnection,
  NatsError,
} from "nats";
import { createBackoff } from "../backoff.ts";
import { isAtLeast } from "../dotted-version.ts";
import { readSecret } from "../secret.ts";
import { readAnswer } from "./answer.ts";
import {
  isUnavailable,
  JetStreamApiError,
  NatsUnreachableError,
  NatsUnusableError,
  RequestLostError,
} from "./jetstream-error.ts";
import { type NatsSettings, shownServer } from "./nats-settings.ts";
import { createOutbox, encodeHeaders, type Outgoing } from "./outbox.ts";
import { createReplyBox } from "./reply-box.ts";

/** A message as it arrives: `header` finds a value by its exact name; `status` is the code of a reply without content. */
export interface NatsMessage {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly reply: string | undefined;
  readonly status: number;
  readonly description: string;
  header(name: string): string | undefined;
}

/** What JetStream answers to a stored message. */
export interface PubAck {
  readonly stream: string;
  readonly seq: number;
  readonly duplicate?: boolean;
}

/** What else happens on the connection, for logs and health. */
export type ConnectionEvent =
  | { readonly type: "connected" | "disconnected" | "closed" }
  | { readonly type: "error"; readonly message: string };

/** The verbs of the seam. */
export interface JetStream {
  readonly serverVersion: string;
  /** Of the server that is connected now, headers included. */
  readonly payloadBytesMax: number;
  readonly connected: boolean;
  /** Resolves once connected; rejects when `signal` aborts or the connection is closed for good. */
  whenConnected(signal?: AbortSignal): Promise<void>;
  /** Sends a question and awaits its one reply. Throws RequestLostError. */
  request(
    subject: string,
    payload?: string | Uint8Array,
    headers?: Readonly<Record<string, string>>,
  ): Promise<NatsMessage>;
  /** Calls `$JS.API.<call>`. Throws JetStreamApiError for an error answer, RequestLostError for none. */
  api<T>(call: string, body?: unknown): Promise<T>;
  /** Stores a message; waits for a free place in flight first. Throws JetStreamApiError (refused) or RequestLostError (unknown). */
  publish(subject: string, payload: string | Uint8Array, headers: Readonly<Record<string, string>>): Promise<PubAck>;
  /** Sends without an answer: it may be lost. For pull requests and signs of life, never for what must arrive. */
  send(subject: string, payload?: string, reply?: string): void;
  /** Calls `receive` for each message until the returned function is called; with `true` also for what is on its way then. */
  subscribe(subject: string, receive: (message: NatsMessage) => void): (receiveRest?: boolean) => void;
  newInbox(): string;
  onConnection(listener: (event: ConnectionEvent) => void): () => void;
  close(): Promise<void>;
}

/** The oldest server with per-subject fences by filter, scheduled messages and atomic batches. */
export const NATS_VERSION_MIN = "2.12.0";
/** 256 in flight is the knee of the throughput curve: more adds latency only. */
const IN_FLIGHT_MAX = 256;
/** Longer than a stream leader's election takes; a lost request is asked again by those who can. */
const REQUEST_TIMEOUT_MS = 10_000;
/** Two silent pings find a half-open connection in 20–30 s; the client's default takes 4–6 minutes. */
const PING_INTERVAL_MS = 10_000;
const RECONNECT_WAIT_MS = 500;
/** The server's default, for a connection that is closed. */
const PAYLOAD_BYTES_MAX = 1_048_576;
/** A connection that is reset in its handshake is waited for as long as this; the client's default is 20 s. */
const CONNECT_TIMEOUT_MS = 5_000;
/** "JetStream system temporarily unavailable": a cluster has no leader. */
const NO_META_LEADER = 10_008;
const CONNECT_BACKOFF = { firstMs: 500, maxMs: 10_000, resetAfterMs: 60_000 } as const;

/** How to wait for NATS; `onWait` hears each reason. */
export interface WaitOptions {
  readonly signal: AbortSignal;
  readonly onWait: (error: Error) => void;
}

/** Connects like `connectJetStream`, but waits for a server that cannot be reached yet. */
export function awaitJetStream(settings: NatsSettings, clientName: string, options: WaitOptions): Promise<JetStream> {
  const isPassing = (error: unknown) => error instanceof NatsUnreachableError;
  return retrying(() => connectJetStream(settings, clientName), isPassing, options);
}

/** Asks until there is an answer: a cluster without a leader says 503, or nothing. Throws what is an answer. */
export function untilAnswered<T>(ask: () => Promise<T>, options: WaitOptions): Promise<T> {
  const isPassing = (error: unknown) => error instanceof RequestLostError || isUnavailable(error);
  return retrying(ask, isPassing, options);
}

async function retrying<T>(
  attempt: () => Promise<T>,
  isPassing: (error: unknown) => boolean,
  { signal, onWait }: WaitOptions,
): Promise<T> {
  const backoff = createBackoff(CONNECT_BACKOFF);
  for (;;) {
    signal.throwIfAborted();
    try {
      return await attempt();
    } catch (error) {
      if (!isPassing(error)) throw error;
      onWait(error as Error);
      await backoff.wait(signal);
    }
  }
}

/** Connects and checks the server. Throws NatsUnreachableError or NatsUnusableError. */
export async function connectJetStream(settings: NatsSettings, clientName: string): Promise<JetStream> {
  const connection = await openConnection(settings, clientName);
  const version = connection.info?.version ?? "0.0.0";
  if (!isAtLeast(version, NATS_VERSION_MIN)) {
    await connection.close();
    throw new NatsUnusableError(
      `nats-server ${version} is too old: cr-reactor needs ${NATS_VERSION_MIN} or newer (per-subject fences). Upgrade the server`,
    );
  }
  const jetStream = overConnection(connection, version);
  await jetStream.api("INFO").catch(async (error: unknown) => {
    await jetStream.close();
    throw jetStreamProblem(error, settings);
  });
  return jetStream;
}

/** A cluster without a quorum says so, or nothing at all, and comes back by itself; a server that says no does not. */
function jetStreamProblem(error: unknown, settings: NatsSettings): Error {
  const reason = error instanceof Error ? error.message : String(error);
  const problem = `JetStream cannot be used at ${serversOf(settings)}: ${reason}.`;
  const isUndecided =
    error instanceof RequestLostError || (error instanceof JetStreamApiError && error.errCode === NO_META_LEADER);
  return isUndecided
    ? new NatsUnreachableError(
        `${problem} Either too few servers of its cluster run for a quorum, or this user may not use $JS.API.>`,
      )
    : new NatsUnusableError(`${problem} Start nats-server with JetStream (-js), and allow this user $JS.API.>`);
}

async function openConnection(settings: NatsSettings, clientName: string): Promise<NatsConnection> {
  const { servers = [], user, password, token, credsFile, tls } = settings;
  const options: ConnectionOptions = {
    servers,
    name: clientName,
    maxReconnectAttempts: -1,
    reconnectTimeWait: RECONNECT_WAIT_MS,
    timeout: CONNECT_TIMEOUT_MS,
    pingInterval: PING_INTERVAL_MS,
    noAsyncTraces: true,
    ignoreAuthErrorAbort: true,
    ...(user && { user }),
    ...(password && { pass: readSecret(password) }),
    ...(token && { token: readSecret(token) }),
    ...(credsFile && { authenticator: credsAuthenticator(readFileSync(credsFile)) }),
    ...(tls && { tls }),
  };
  try {
    return await connect(options);
  } catch (error) {
    const code = error instanceof NatsError ? error.code : "";
    const where = serversOf(settings);
    if (/AUTHORIZATION|AUTHENTICATION|BAD_CREDS/.test(code)) {
      throw new NatsUnusableError(
        `NATS at ${where} refused the credentials: check user and password, token or credsFile (NATS_USER, NATS_PASSWORD, NATS_TOKEN, NATS_CREDS)`,
        { cause: error },
      );
    }
    const reason = error instanceof Error ? error.message : String(error);
    throw new NatsUnreachableError(
      `no connection to NATS at ${where} (${reason}): start it, or set nats.servers or NATS_URL`,
      {
        cause: error,
      },
    );
  }
}

function overConnection(connection: NatsConnection, serverVersion: string): JetStream {
  const inbox = createInbox();
  const replies = createReplyBox<NatsMessage>(REQUEST_TIMEOUT_MS);
  const outbox = createOutbox((message) => sendNow(connection, message));
  const waitingForPlace: (() => void)[] = [];
  const listeners = new Set<(event: ConnectionEvent) => void>();
  let connected = true;
  let closed = false;
  let publishing = 0;

  connection.subscribe(`${inbox}.*`, {
    callback: (_, msg) => replies.deliver(msg.subject.slice(inbox.length + 1), toMessage(msg)),
  });
  const tell = (event: ConnectionEvent) => {
    connected = event.type === "connected" || (event.type === "error" && connected);
    if (event.type === "disconnected") {
      outbox.clear();
      replies.loseAll("the connection to NATS broke");
    }
    for (const listener of [...listeners]) listener(event);
  };
  const end = (reason: string) => {
    if (closed) return;
    closed = true;
    replies.close(reason);
    tell({ type: "closed" });
  };
  void followStatus(connection, tell);
  void connection.closed().then(() => end("the connection to NATS is closed"));

  const ask = (subject: string, payload: string | Uint8Array, headers?: Readonly<Record<string, string>>) => {
    if (closed || !connected) {
      return Promise.reject(new RequestLostError(`not connected to NATS: ${subject} was not asked`));
    }
    return replies.ask(subject, (token, onRefusal) =>
      outbox.put({ subject, payload, reply: `${inbox}.${token}`, headers, onRefusal }),
    );
  };
  const self: JetStream = {
    serverVersion,
    get payloadBytesMax() {
      return connection.info?.max_payload ?? PAYLOAD_BYTES_MAX;
    },
    get connected() {
      return connected && !closed;
    },
    whenConnected(signal) {
      if (self.connected) return Promise.resolve();
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const fail = () =>
        reject(signal?.aborted ? signal.reason : new RequestLostError("the connection to NATS is closed"));
      const stop = self.onConnection((event) => {
        if (event.type === "connected") resolve();
        else if (event.type === "closed") fail();
      });
      signal?.addEventListener("abort", fail);
      if (closed || signal?.aborted) fail();
      return promise.finally(() => {
        stop();
        signal?.removeEventListener("abort", fail);
      });
    },
    request: (subject, payload = "", headers) => ask(subject, payload, headers),
    async api<T>(call: string, body?: unknown) {
      const reply = await ask(`$JS.API.${call}`, body === undefined ? "" : JSON.stringify(body));
      return readAnswer<T>(reply, `$JS.API.${call}`);
    },
    async publish(subject, payload, headers) {
      if (publishing >= IN_FLIGHT_MAX) await new Promise<void>((resolve) => waitingForPlace.push(resolve));
      else publishing++;
      try {
        return readAnswer<PubAck>(await ask(subject, payload, headers), subject);
      } finally {
        const next = waitingForPlace.shift();
        if (next === undefined) publishing--;
        else next();
      }
    },
    send: (subject, payload = "", reply) => outbox.put({ subject, payload, reply }),
    subscribe(subject, receive) {
      const subscription = connection.subscribe(subject, {
        callback: (error, msg) => error ?? receive(toMessage(msg)),
      });
      return (receiveRest = false) => {
        if (receiveRest && self.connected) subscription.drain().catch(() => undefined);
        else subscription.unsubscribe();
      };
    },
    newInbox: () => createInbox(),
    onConnection(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async close() {
      outbox.flush();
      end("the connection to NATS was closed");
      await connection.close();
    },
  };
  return self;
}

async function followStatus(connection: NatsConnection, tell: (event: ConnectionEvent) => void): Promise<void> {
  for await (const status of connection.status()) {
    if (status.type === "disconnect") tell({ type: "disconnected" });
    else if (status.type === "reconnect") tell({ type: "connected" });
    else if (status.type === "error") tell({ type: "error", message: String(status.data) });
  }
}

/** All that the client asks of headers here is their bytes; its own ones take as long to make as the rest of the message. */
function sendNow(connection: NatsConnection, { subject, payload, reply, headers }: Outgoing): void {
  const bytes = typeof payload === "string" ? Buffer.from(payload) : payload;
  connection.publish(subject, bytes, {
    ...(reply !== undefined && { reply }),
    ...(headers && { headers: { encode: () => encodeHeaders(headers) } as unknown as MsgHdrs }),
  });
}

function toMessage(msg: Msg): NatsMessage {
  return {
    subject: msg.subject,
    data: msg.data,
    reply: msg.reply,
    status: msg.headers?.code ?? 0,
    description: msg.headers?.description ?? "",
    header: (name) => msg.headers?.get(name) || undefined,
  };
}

function serversOf(settings: NatsSettings): string {
  return (settings.servers ?? []).map(shownServer).join(", ");
}
