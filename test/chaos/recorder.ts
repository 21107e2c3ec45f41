/**
 * Two readers that run beside the system: one keeps every event of the log from the first on, because the log itself keeps only the
 * newest of each kind of change; the other follows the ledger. Together they tell what the bridge still has to publish. Where the
 * log itself goes back, the first one goes back with it, when it is told.
 */
import { open } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { connectJetStream, type Envelope, EVENTS_STREAM, follow, opOf, readEvent } from "#contract";
import { unlessMissing } from "../../bridge/nats/jetstream-error.ts";
import type { EarlierLog, SeenEvent } from "./evidence.ts";
import { type LedgerLine, parseLedger, partsOf, stateDigest, versionOf } from "./ledger.ts";

/** Every event of the log, as it grows. */
export interface EventRecorder extends AsyncDisposable {
  readonly events: readonly SeenEvent[];
  /** The newest event by `<namespace>/<name>`. */
  readonly newest: ReadonlyMap<string, Envelope>;
  /** What the log was, each time it went back. */
  readonly earlier: readonly EarlierLog[];
  /**
   * Forgets what the log no longer has, and reads on behind what it has. The log must stand still: NATS is up again with an older
   * store or an empty one, and nobody else can reach it yet.
   */
  goBack(): Promise<void>;
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
  /** The version of the newest write that changed something, in the order across restores. */
  readonly version: bigint;
  readonly digest: string | null;
  readonly isGone: boolean;
}

const LEDGER_POLL_MS = 50;
const STREAM_POLL_MS = 50;
/** A NATS that is up is connected to within seconds. */
const CONNECT_MS_MAX = 30_000;

/** Starts to read the log, from its first event; the stream must exist. */
export async function recordEvents(natsUrl: string): Promise<EventRecorder> {
  const events: SeenEvent[] = [];
  const newest = new Map<string, Envelope>();
  const jetStream = await connectJetStream({ servers: [natsUrl] }, "chaos recorder");
  const add = (event: SeenEvent) => {
    events.push(event);
    newest.set(`${event.envelope.namespace}/${event.envelope.name}`, event.envelope);
  };
  const lastSequence = async (): Promise<number | undefined> => {
    type Info = { readonly state: { readonly last_seq: number } };
    const info = await unlessMissing("stream", jetStream.api<Info>(`STREAM.INFO.${EVENTS_STREAM}`));
    return info?.state.last_seq;
  };
  const run = async (after: number, signal: AbortSignal) => {
    // An emptied store has no stream until the bridge makes it.
    while (!signal.aborted && (await lastSequence()) === undefined) await delay(STREAM_POLL_MS);
    const reading = {
      filter_subjects: ["cr.>"],
      deliver_policy: "by_start_sequence",
      opt_start_seq: after + 1,
    } as const;
    for await (const { message, streamSequence } of follow(jetStream, reading, signal)) {
      const envelope = await readEvent(jetStream, message.data, signal);
      const messageId = message.header("Nats-Msg-Id") ?? "";
      add({ sequence: streamSequence, subject: message.subject, messageId, envelope });
    }
  };
  const start = (after: number) => {
    const stop = new AbortController();
    const running = run(after, stop.signal);
    running.catch(() => undefined); // told when it is stopped
    return { stop, running };
  };
  let current = start(0);
  const earlier: EarlierLog[] = [];
  return {
    events,
    newest,
    earlier,
    async goBack() {
      current.stop.abort();
      await current.running.catch(() => undefined); // the stream that it read may be gone
      await jetStream.whenConnected(AbortSignal.timeout(CONNECT_MS_MAX));
      const last = (await lastSequence()) ?? 0;
      earlier.push({ events: [...events], atMs: Date.now() });
      const kept = events.filter(({ sequence }) => sequence <= last);
      events.length = 0;
      newest.clear();
      for (const event of kept) add(event);
      current = start(last);
    },
    async [Symbol.asyncDispose]() {
      current.stop.abort();
      await current.running.finally(() => jetStream.close());
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

function headAfter(head: Head | undefined, { epoch, resourceVersion, digest }: LedgerLine): Head {
  const floor = versionOf(epoch, "0");
  if (resourceVersion === null)
    return { version: head !== undefined && head.version > floor ? head.version : floor, digest, isGone: true };
  if (head?.digest === digest && head.version > floor) return head;
  return { version: versionOf(epoch, resourceVersion), digest, isGone: false };
}

/** The objects of which the log has not yet reached what was written. */
export function objectsBehind(heads: ReadonlyMap<string, Head>, newest: ReadonlyMap<string, Envelope>): string[] {
  return [...heads].flatMap(([object, head]) => (isReached(head, newest.get(object)) ? [] : [object]));
}

function isReached({ version, digest, isGone }: Head, event: Envelope | undefined): boolean {
  // Gone: a deletion will do, a newer life too, and if the log never heard of it there is nothing to wait for.
  if (event === undefined) return isGone;
  const told = BigInt(event.sequence);
  const isDeleted = opOf(event) === "deleted";
  if (isGone) return isDeleted || told > version;
  if (told >= version) return true;
  // What a restore left as the log knew it needs no event.
  return !isDeleted && partsOf(told).epoch < partsOf(version).epoch && stateDigest(event.data.object) === digest;
}
