/**
 * `cr-reactor tail`: changes as they happen, for people as a coloured diff, with `--json` as one CloudEvent a line. It reads with
 * a consumer of its own that leaves nothing behind, and goes on where it was when the connection breaks.
 */
import {
  BlobLostError,
  connectJetStream,
  type Envelope,
  encodeToken,
  follow,
  type JetStream,
  JetStreamApiError,
  MalformedEventError,
  type NatsMessage,
  NatsSettings,
  parseSent,
  type Reading,
  readEvent,
  resolveNatsSettings,
  SUBJECT_ROOT,
} from "#contract";
import { renderChange } from "./change-text.ts";
import { print, report, stopSignal } from "./terminal.ts";

/** The options of the command. */
export interface TailOptions {
  readonly namespace?: string;
  readonly name?: string;
  /** Milliseconds. */
  readonly since?: number;
  readonly count?: number;
  readonly json?: true;
  readonly server?: readonly string[];
}

/** There is no log yet. */
class NoLogError extends Error {
  readonly code = "NO_LOG";
}

/** Runs until Ctrl-C, or `count` changes. Throws when NATS cannot be used. */
export async function tailCommand(kind: string | undefined, options: TailOptions): Promise<void> {
  const signal = stopSignal();
  const settings = resolveNatsSettings(NatsSettings.parse(options.server ? { servers: options.server } : {}));
  const jetStream = await connectJetStream(settings, "cr-reactor tail");
  let shown = 0;
  try {
    if (!options.json) report("Waiting for changes. Ctrl-C ends.");
    for await (const { message } of follow(jetStream, readingOf(kind, options), signal)) {
      const envelope = await readEnvelope(jetStream, message, signal);
      if (envelope === undefined || !wanted(envelope, kind)) continue;
      print(options.json ? jsonOf(envelope, message) : renderChange(envelope));
      if (++shown === options.count) return;
    }
  } catch (error) {
    if (!(error instanceof JetStreamApiError) || error.status !== 404) throw error;
    throw new NoLogError(
      "there is no stream CR_EVENTS on this NATS: start the bridge first (cr-reactor bridge --config bridge.yaml)",
      { cause: error },
    );
  } finally {
    await jetStream.close();
  }
}

/** What the server can filter; a plural or a lower-case kind is left to `wanted`. */
function readingOf(kind: string | undefined, { namespace, name, since }: TailOptions): Reading {
  const [kindName = "", group] = splitKind(kind ?? "");
  const tokens = [
    "*",
    group === undefined ? "*" : encodeToken(group),
    /^[A-Z]/.test(kindName) ? encodeToken(kindName) : "*",
    namespace === undefined ? "*" : encodeToken(namespace),
    name === undefined ? "*" : encodeToken(name),
  ];
  const filter_subjects = [`${SUBJECT_ROOT}.${tokens.join(".")}.>`];
  if (since === undefined) return { filter_subjects, deliver_policy: "new" };
  return {
    filter_subjects,
    deliver_policy: "by_start_time",
    opt_start_time: new Date(Date.now() - since).toISOString(),
  };
}

function wanted({ kind, subject }: Envelope, argument: string | undefined): boolean {
  if (argument === undefined) return true;
  const [name = ""] = splitKind(argument.toLowerCase());
  const plural = subject.split("/").at(-2);
  return name === kind.toLowerCase() || name === plural;
}

/** `Database.demo.example.com` is a kind and its group. */
function splitKind(text: string): [string, string?] {
  const dot = text.indexOf(".");
  return dot < 0 ? [text] : [text.slice(0, dot), text.slice(dot + 1)];
}

async function readEnvelope(
  jetStream: JetStream,
  { data, subject }: NatsMessage,
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

/** The message's own text; with its data, where that is in the object store. */
function jsonOf(envelope: Envelope, { data }: NatsMessage): string {
  const text = Buffer.from(data).toString("utf8");
  return parseSent(text).data === undefined ? JSON.stringify(envelope) : text;
}
