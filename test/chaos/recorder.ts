/**
 * Two readers that run beside the system: one keeps every event of the log from the first on, because the log itself keeps only the
 * newest of each kind of change; the other follows the ledger. Together they tell what the bridge still has to publish.
 */
import { open } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { connectJetStream, type Envelope, follow, opOf, parseEnvelope } from "#contract";
import type { SeenEvent } from "./evidence.ts";
import { type LedgerLine, parseLedger } from "./ledger.ts";

/** Every event of the log, as it grows. */
export interface EventRecorder extends AsyncDisposable {
  readonly events: readonly SeenEvent[];
  /** The newest event by `<namespace>/<name>`. */
  readonly newest: ReadonlyMap<string, Envelope>;
}

/** The ledger, as it grows. */
export interface LedgerRecorder extends AsyncDisposable {
  readonly lines: readonly LedgerLine[];
  /** What was last written of each object that changed something. */
  readonly heads: ReadonlyMap<string, Head>;
  /** Reads what is there now. */
  read(): Promise<void>;
}

/** What the log has to reach of one object. */
export interface Head {
  /** The version of the newest write that changed something. */
  readonly resourceVersion: string;
  readonly digest: string | null;
  readonly isGone: boolean;
}

const LEDGER_POLL_MS = 50;

/** Starts to read the log, from its first event; the stream must exist. */
export async function recordEvents(natsUrl: string): Promise<EventRecorder> {
  const events: SeenEvent[] = [];
  const newest = new Map<string, Envelope>();
  const stop = new AbortController();
  const jetStream = await connectJetStream({ servers: [natsUrl] }, "chaos recorder");
  const reading = { filter_subjects: ["cr.>"], deliver_policy: "all" } as const;
  const run = async () => {
    for await (const { message, streamSequence } of follow(jetStream, reading, stop.signal)) {
      const envelope = parseEnvelope(message.data);
      const messageId = message.header("Nats-Msg-Id") ?? "";
      events.push({ sequence: streamSequence, subject: message.subject, messageId, envelope });
      newest.set(`${envelope.namespace}/${envelope.name}`, envelope);
    }
  };
  const running = run();
  running.catch(() => undefined); // told when it is stopped
  return {
    events,
    newest,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await running.finally(() => jetStream.close());
    },
  };
}

/** Starts to read the ledger. */
export async function recordLedger(path: string): Promise<LedgerRecorder> {
  const file = await open(path, "a+");
  const lines: LedgerLine[] = [];
  const heads = new Map<string, Head>();
  const stop = new AbortController();
  let position = 0;
  let reading: Promise<void> = Promise.resolve();
  const readMore = async () => {
    const { size } = await file.stat();
    if (size <= position) return;
    const { buffer, bytesRead } = await file.read(Buffer.alloc(size - position), 0, size - position, position);
    // Each line is written in one go and is ASCII but for names; a part of one waits for its end.
    const text = buffer.subarray(0, bytesRead).toString("utf8");
    const { lines: more, used } = parseLedger(text);
    position += Buffer.byteLength(text.slice(0, used));
    for (const line of more) {
      lines.push(line);
      heads.set(line.object, headAfter(heads.get(line.object), line));
    }
  };
  const read = () => {
    reading = reading.then(readMore);
    return reading;
  };
  const run = async () => {
    while (!stop.signal.aborted) {
      await read();
      await delay(LEDGER_POLL_MS, undefined, { signal: stop.signal }).catch(() => undefined);
    }
  };
  const running = run();
  return {
    lines,
    heads,
    read,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await running.finally(() => file.close());
    },
  };
}

function headAfter(head: Head | undefined, { resourceVersion, digest }: LedgerLine): Head {
  if (resourceVersion === null) return { resourceVersion: head?.resourceVersion ?? "0", digest, isGone: true };
  if (head?.digest === digest) return head;
  return { resourceVersion, digest, isGone: false };
}

/** The objects of which the log has not yet reached what was written. */
export function objectsBehind(heads: ReadonlyMap<string, Head>, newest: ReadonlyMap<string, Envelope>): string[] {
  return [...heads].flatMap(([object, { resourceVersion, isGone }]) => {
    const event = newest.get(object);
    const version = BigInt(event?.sequence ?? -1);
    if (!isGone) return version >= BigInt(resourceVersion) ? [] : [object];
    // Gone: a deletion will do, a newer life too, and if the log never heard of it there is nothing to wait for.
    const isReached = event === undefined || opOf(event) === "deleted" || version > BigInt(resourceVersion);
    return isReached ? [] : [object];
  });
}
