/**
 * What every command that reads the log begins with: NATS, the sentence for a log that is not there, and an event that is whole.
 */
import {
  BlobLostError,
  connectJetStream,
  type Envelope,
  type JetStream,
  JetStreamApiError,
  MalformedEventError,
  type NatsMessage,
  NatsSettings,
  readEvent,
  resolveNatsSettings,
} from "#contract";
import { report, stopSignal } from "./terminal.ts";

/** Where NATS is. */
export interface ServerOptions {
  readonly server?: readonly string[];
}

/** There is no log yet. */
class NoLogError extends Error {
  readonly code = "NO_LOG";
}

/** Connects, works until it is done or stopped; the log being missing is told in a sentence. Throws when NATS cannot be used. */
export async function withLog(
  options: ServerOptions,
  command: string,
  work: (jetStream: JetStream, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  await withNats(options, command, noLog, work);
}

/** The same for another stream: `missing` makes the error for when it is not there. */
export async function withNats(
  { server }: ServerOptions,
  command: string,
  missing: (cause: unknown) => Error,
  work: (jetStream: JetStream, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const signal = stopSignal();
  const settings = resolveNatsSettings(NatsSettings.parse(server ? { servers: server } : {}));
  const jetStream = await connectJetStream(settings, `cr-reactor ${command}`);
  try {
    await work(jetStream, signal);
  } catch (error) {
    throw error instanceof JetStreamApiError && error.status === 404 ? missing(error) : error;
  } finally {
    await jetStream.close();
  }
}

function noLog(cause: unknown): Error {
  return new NoLogError(
    "there is no stream CR_EVENTS on this NATS: start the bridge first (cr-reactor bridge --config bridge.yaml)",
    { cause },
  );
}

/** The event of a message, with its data; what cannot be had is told on standard error, and is `undefined`. */
export async function readEnvelope(
  jetStream: JetStream,
  { data, subject }: Pick<NatsMessage, "data" | "subject">,
  signal: AbortSignal,
): Promise<Envelope | undefined> {
  try {
    return await readEvent(jetStream, data, signal);
  } catch (error) {
    if (error instanceof BlobLostError) report(`an event on ${subject} cannot be shown: ${error.message}`);
    else if (error instanceof MalformedEventError) report(`not an event of ours on ${subject}: ${error.message}`);
    else if (!signal.aborted) throw error;
    return undefined;
  }
}
