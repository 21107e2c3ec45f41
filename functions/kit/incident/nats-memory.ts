/**
 * The memory of incidents in NATS: a key-value bucket with one key for each object in trouble, `<subscription>.<cluster>.<uid>`, which
 * `nats kv get CR_INCIDENTS …` reads. Each write names the sequence that it replaces, so of two writers one is refused. An incident that is open
 * has no age limit; a resolved one goes after a month. No `resolve:`, no question to NATS; the bucket is made when the first incident opens.
 * Source: NATS ADR-8 (key-value), ADR-43 (`Nats-TTL`); JetStream, `Nats-Expected-Last-Subject-Sequence`.
 */
import {
  ConsumerGoneError,
  createBackoff,
  type Envelope,
  encodeToken,
  findEvent,
  getStored,
  groupOf,
  INCIDENTS_BUCKET,
  incidentsStream,
  isUnavailable,
  type JetStream,
  type Logger,
  objectSubject,
  opOf,
  ReadInterruptedError,
  type Reading,
  RequestLostError,
  read,
  unlessMissing,
  untilAnswered,
} from "#contract";
import { ensureBesideLog } from "../log-settings.ts";
import { writeRevision } from "../revision.ts";
import { RESOLVED_DAYS } from "./incident-limits.ts";
import type { IncidentKey, IncidentMemory } from "./incident-memory.ts";
import { IncidentRecord, isOlder } from "./incident-record.ts";

const STREAM = `KV_${INCIDENTS_BUCKET}`;
const RESOLVED_TTL_S = RESOLVED_DAYS * 86_400;
const READ_AGAIN = { firstMs: 200, maxMs: 5_000, resetAfterMs: 60_000 } as const;

/** The memory on this connection, for as long as that lives. */
export function createNatsIncidents(jetStream: JetStream, log: Logger): IncidentMemory {
  const patiently = <T>(ask: () => Promise<T>, signal: AbortSignal) =>
    untilAnswered(ask, { signal, onWait: (error) => log.warn({ error: error.message }, "incidents wait for NATS") });
  return {
    read: (key, signal) => patiently(() => readKey(jetStream, key), signal),
    write: (key, record, revision, signal) =>
      patiently(() => writeKey(jetStream, subjectOf(key), record, revision), signal),
    history: (event, signal) => readHistory(jetStream, event, log, signal),
  };
}

/** The key's subject: its tokens are encoded reversibly. */
function subjectOf({ subscription, cluster, uid }: IncidentKey): string {
  return `$KV.${INCIDENTS_BUCKET}.${[subscription, cluster, uid].map(encodeToken).join(".")}`;
}

async function readKey(jetStream: JetStream, key: IncidentKey) {
  const subject = subjectOf(key);
  const found = await getStored(jetStream, STREAM, { last_by_subj: subject });
  const text = Buffer.from(found?.data ?? []).toString("utf8");
  return { record: parseRecord(subject, text), revision: found?.sequence ?? 0 };
}

/** Nothing is what a deleted key holds. */
function parseRecord(subject: string, text: string): IncidentRecord | undefined {
  if (text === "") return undefined;
  try {
    return IncidentRecord.parse(JSON.parse(text));
  } catch (cause) {
    const key = subject.slice(`$KV.${INCIDENTS_BUCKET}.`.length);
    throw new Error(
      `what is remembered of the object's incident cannot be read: look with nats kv get ${INCIDENTS_BUCKET} ${key}; removed, it is found again from the log`,
      { cause },
    );
  }
}

function writeKey(
  jetStream: JetStream,
  subject: string,
  record: IncidentRecord,
  revision: number,
): Promise<number | undefined> {
  const isResolved = record.newest.resolvedAt !== undefined;
  const headers = isResolved ? { "Nats-TTL": String(RESOLVED_TTL_S) } : {};
  const write = { subject, payload: JSON.stringify(record), revision, headers };
  return writeRevision(jetStream, write, () => ensureBesideLog(jetStream, incidentsStream));
}

/** Nothing is before an object's creation, or its first sight. What cannot be read any more is left out. */
async function* readHistory(
  jetStream: JetStream,
  event: Envelope,
  log: Logger,
  signal: AbortSignal,
): AsyncGenerator<Envelope, void, void> {
  if (["created", "existing"].includes(opOf(event))) return;
  const { uid } = event.data.object.metadata;
  for await (const payload of readObject(jetStream, event, log, signal)) {
    const past = await findEvent(jetStream, payload, signal);
    if (past?.data.object.metadata.uid === uid && isOlder(past.sequence, event.sequence)) yield past;
  }
  signal.throwIfAborted(); // which ends the reading without an error
}

/** The log's events of the object; where the connection breaks, it goes on behind the last one. */
async function* readObject(
  jetStream: JetStream,
  { cluster, apiversion, kind, namespace = "", name }: Envelope,
  log: Logger,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, void> {
  const filter_subjects = [`${objectSubject({ cluster, group: groupOf(apiversion), kind, namespace, name })}.>`];
  const backoff = createBackoff(READ_AGAIN);
  for (let opt_start_seq = 1; ; ) {
    const reading: Reading = { filter_subjects, deliver_policy: "by_start_sequence", opt_start_seq };
    try {
      for await (const { message, streamSequence } of read(jetStream, reading, signal, false)) {
        opt_start_seq = streamSequence + 1;
        yield message.data;
      }
      return;
    } catch (error) {
      if (await isWithoutLog(error)) return;
      if (!isPassing(error)) throw error;
      log.warn({ error: (error as Error).message }, "incidents wait for NATS");
      await backoff.wait(signal);
      await jetStream.whenConnected(signal);
    }
  }
}

/** Events that came over HTTP need no log. */
async function isWithoutLog(error: unknown): Promise<boolean> {
  const missing = unlessMissing("stream", Promise.reject(error)).catch(() => "another error");
  return (await missing) === undefined;
}

function isPassing(error: unknown): boolean {
  return (
    isUnavailable(error) ||
    error instanceof RequestLostError ||
    error instanceof ReadInterruptedError ||
    error instanceof ConsumerGoneError
  );
}
