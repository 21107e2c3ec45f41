/**
 * Pulls messages of a JetStream consumer as an async iterable: the reader's pace is the demand, so nothing is fetched that is not
 * wanted yet. It does not stall: a watchdog asks again, on a new inbox, when neither message nor heartbeat came for two
 * heartbeats, and after every reconnect. It ends when `signal` aborts, and throws ConsumerGoneError when the consumer was deleted.
 * Source: JetStream API, `$JS.API.CONSUMER.MSG.NEXT`; ADR-13 (pull subscribe, idle heartbeats, status codes).
 */
import type { JetStream, NatsMessage } from "./jetstream.ts";
import { RequestLostError } from "./jetstream-error.ts";

/** A stored message as a consumer delivers it. */
export interface Delivered {
  readonly message: NatsMessage;
  readonly streamSequence: number;
  /** Counts the deliveries of the consumer, without holes. */
  readonly consumerSequence: number;
  /** 1 at first; more when it is delivered again. */
  readonly deliveryCount: number;
  /** When the stream stored it, epoch milliseconds. */
  readonly storedAtMs: number;
  /** Messages of this consumer still to come after this one. */
  readonly pendingCount: number;
  /** Where acknowledgements go. */
  readonly ackSubject: string;
}

/** The consumer to pull from, and how. */
export interface PullOptions {
  readonly stream: string;
  readonly consumer: string;
  /** At most this many messages requested and not yet read; default 256. */
  readonly demandMax?: number;
  /** The server forgets a request after this time, whatever became of who sent it; default 30,000. */
  readonly expiresMs?: number;
  readonly signal: AbortSignal;
  /** Gets what was delivered and not read when the reading ended, also what was on its way then. */
  readonly onLeft?: (delivered: Delivered) => void;
}

/** The consumer was deleted, or its stream was: create it again. */
export class ConsumerGoneError extends Error {
  readonly code = "CONSUMER_GONE";
  override readonly name = "ConsumerGoneError";
}

/** The server ends a pull request after this time; the loop then asks again. */
const EXPIRES_MS = 30_000;
/** The server's sign of life on a request that waits; two missed ones mean that the request is lost. */
const HEARTBEAT_MS = 5_000;
const NANOSECONDS_PER_MS = 1_000_000;

/** Yields the consumer's messages until `signal` aborts. Throws ConsumerGoneError, and RequestLostError when the connection is closed for good. */
export async function* pull(jetStream: JetStream, options: PullOptions): AsyncGenerator<Delivered, void, void> {
  const { stream, consumer, signal, demandMax = 256, expiresMs = EXPIRES_MS } = options;
  const buffer: Delivered[] = [];
  let requested = 0;
  let failure: Error | undefined;
  let lastSignMs = Date.now();
  let wake = Promise.withResolvers<void>();
  let unsubscribe: (receiveRest?: boolean) => void = () => undefined;
  let inbox = "";
  let ended = false;

  const receive = (message: NatsMessage) => {
    lastSignMs = Date.now();
    if (message.status === 100) return;
    if (message.status === 0) {
      requested = Math.max(0, requested - 1);
      const delivered = toDelivered(message);
      if (delivered !== undefined && ended) options.onLeft?.(delivered);
      else if (delivered !== undefined) buffer.push(delivered);
    } else if (isGone(message)) {
      failure = new ConsumerGoneError(
        `consumer ${consumer} of stream ${stream} is gone: ${message.description || message.status}`,
      );
    } else {
      requested = 0;
    }
    wake.resolve();
  };
  const renewInbox = () => {
    unsubscribe();
    inbox = jetStream.newInbox();
    unsubscribe = jetStream.subscribe(inbox, receive);
    requested = 0;
    lastSignMs = Date.now();
  };
  const stopListening = jetStream.onConnection((event) => {
    if (event.type === "connected") renewInbox();
    if (event.type === "closed")
      failure = new RequestLostError(`the connection to NATS is closed: ${consumer} is read no more`);
    wake.resolve();
  });
  const watchdog = setInterval(() => {
    if (requested > 0 && jetStream.connected && Date.now() - lastSignMs > 2 * HEARTBEAT_MS) renewInbox();
    wake.resolve();
  }, HEARTBEAT_MS);
  const onAbort = () => wake.resolve();
  signal.addEventListener("abort", onAbort);
  try {
    renewInbox(); // throws where the connection is closed already
    while (!signal.aborted) {
      const next = buffer.shift();
      if (next !== undefined) {
        yield next;
        continue;
      }
      if (failure !== undefined) throw failure;
      wake = Promise.withResolvers<void>();
      if (requested === 0 && jetStream.connected) {
        requested = demandMax;
        const request = {
          batch: demandMax,
          expires: expiresMs * NANOSECONDS_PER_MS,
          // The server wants at least two of them in a request.
          idle_heartbeat: Math.min(HEARTBEAT_MS, expiresMs / 2) * NANOSECONDS_PER_MS,
        };
        jetStream.send(`$JS.API.CONSUMER.MSG.NEXT.${stream}.${consumer}`, JSON.stringify(request), inbox);
      }
      await wake.promise;
    }
  } finally {
    signal.removeEventListener("abort", onAbort);
    clearInterval(watchdog);
    stopListening();
    ended = true;
    unsubscribe(options.onLeft !== undefined);
    for (const delivered of buffer.splice(0)) options.onLeft?.(delivered);
  }
}

/** 409 "Consumer Deleted" ends a request in flight; 503 answers one that nobody serves any more. */
function isGone(message: NatsMessage): boolean {
  return message.status === 503 || (message.status === 409 && /consumer deleted/i.test(message.description));
}

/**
 * Reads the acknowledgement subject: `$JS.ACK.<stream>.<consumer>.<delivered>.<stream seq>.<consumer seq>.<ns>.<pending>`, with
 * domain and account hash before the stream on newer servers (ADR-15).
 */
function toDelivered(message: NatsMessage): Delivered | undefined {
  const tokens = message.reply?.split(".") ?? [];
  if (tokens[0] !== "$JS" || tokens[1] !== "ACK" || tokens.length < 9) return undefined;
  const [deliveryCount, streamSequence, consumerSequence, nanoseconds, pendingCount] = tokens
    .slice(tokens.length >= 11 ? 6 : 4)
    .map(Number);
  return {
    message,
    streamSequence: streamSequence ?? 0,
    consumerSequence: consumerSequence ?? 0,
    deliveryCount: deliveryCount ?? 1,
    storedAtMs: Math.floor((nanoseconds ?? 0) / NANOSECONDS_PER_MS),
    pendingCount: pendingCount ?? 0,
    ackSubject: message.reply ?? "",
  };
}
