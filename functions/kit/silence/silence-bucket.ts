/**
 * The bucket CR_SILENCES, for those who make silences and look at them. A silence is written once, and changed once at most: when it is ended
 * early. So nobody can put off the summary of one by making it longer.
 */
import { randomInt } from "node:crypto";
import {
  encodeToken,
  getStored,
  type JetStream,
  read,
  SILENCES_BUCKET,
  silencesStream,
  TIMERS_ROOT,
  TIMERS_STREAM,
  unlessMissing,
} from "#contract";
import { ensureBesideLog } from "../log-settings.ts";
import { writeRevision } from "../revision.ts";
import { sealWake } from "./held-back.ts";
import { REMEMBERED_DAYS, Silence } from "./silence.ts";

/** A silence and its key. */
export interface StoredSilence {
  readonly id: string;
  readonly silence: Silence;
}

/** A silence cannot be made, or is not there. The message says what to do. */
export class SilenceError extends Error {
  readonly code = "SILENCE";
  override readonly name = "SilenceError";
}

const STREAM = `KV_${SILENCES_BUCKET}`;
const ROOT = `$KV.${SILENCES_BUCKET}.`;
/** Each event that is about to be run is compared with all of them. */
const SILENCES_MAX = 500;
/** Letters and digits that nobody takes for others. */
const ID_LETTERS = "23456789abcdefghjkmnpqrstuvwxyz";
const ID_LENGTH = 6;

/** All that are known, also those that were over within some days; the newest last. Throws JetStreamApiError and RequestLostError. */
export async function readSilences(jetStream: JetStream, signal: AbortSignal): Promise<readonly StoredSilence[]> {
  const found: StoredSilence[] = [];
  const reading = { filter_subjects: [`${ROOT}>`], deliver_policy: "last_per_subject" } as const;
  const readAll = async () => {
    for await (const { message } of read(jetStream, reading, signal, false, STREAM)) {
      const silence = parse(message.data);
      if (silence !== undefined) found.push({ id: message.subject.slice(ROOT.length), silence });
    }
  };
  await unlessMissing("stream", readAll());
  return found.sort((one, other) => Date.parse(one.silence.begins) - Date.parse(other.silence.begins));
}

/** One of them; `undefined`: there is none of this id. Throws as `readSilences`. */
export async function findSilence(jetStream: JetStream, id: string): Promise<StoredSilence | undefined> {
  return (await find(jetStream, id))?.stored;
}

/** Makes a silence; resolves to its id. Throws SilenceError when there are too many, and as `readSilences`. */
export async function addSilence(jetStream: JetStream, silence: Silence, signal: AbortSignal): Promise<string> {
  await ensureBesideLog(jetStream, silencesStream);
  const isKnown = (await readSilences(jetStream, signal)).filter((each) => Date.parse(each.silence.ends) > Date.now());
  if (isKnown.length >= SILENCES_MAX)
    throw new SilenceError(
      `there are ${SILENCES_MAX} silences already: end some (cr-reactor silence list), or make one of many`,
    );
  for (;;) {
    const id = Array.from({ length: ID_LENGTH }, () => ID_LETTERS[randomInt(ID_LETTERS.length)]).join("");
    if (await write(jetStream, { id, silence }, 0)) return id; // else another one has it
  }
}

/**
 * Ends a silence now; resolves to how it is then. One that is over stays as it is. What it held back is due at once. Throws SilenceError when there is
 * none, and as `readSilences`.
 */
export async function endSilence(jetStream: JetStream, id: string, by: string): Promise<StoredSilence> {
  for (;;) {
    const found = await find(jetStream, id);
    if (found === undefined) throw new SilenceError(noSilence(id));
    const { silence } = found.stored;
    const nowMs = Date.now();
    if (Date.parse(silence.ends) > nowMs) {
      const ends = new Date(Math.max(nowMs, Date.parse(silence.begins))).toISOString();
      const ended = { id, silence: { ...silence, ends, endedBy: by } };
      if (!(await write(jetStream, ended, found.revision))) continue; // somebody else ended it
      await wakeAll(jetStream, id);
      return ended;
    }
    await wakeAll(jetStream, id); // whoever ended it may have died before that
    return found.stored;
  }
}

/** The sentence for an id that names none. */
export function noSilence(id: string): string {
  return `there is no silence ${id}: it ended more than ${REMEMBERED_DAYS} days ago, or is one of a subscriptions file (cr-reactor silence list)`;
}

/** The summaries that wait for the end are due now. */
async function wakeAll(jetStream: JetStream, id: string): Promise<void> {
  const asked = jetStream.api<{ state: { subjects?: Record<string, number> } }>(`STREAM.INFO.${TIMERS_STREAM}`, {
    subjects_filter: `${TIMERS_ROOT}.wait.*.summary.${encodeToken(id)}.*`,
  });
  const waiting = (await unlessMissing("stream", asked))?.state.subjects ?? {};
  for (const subject of Object.keys(waiting)) {
    const [, , subscription = "", , , partition = ""] = subject.split(".");
    const wake = sealWake(subscription, id, partition, Date.now());
    await jetStream.publish(wake.subject, "", wake.headers);
  }
}

async function find(jetStream: JetStream, id: string) {
  if (!/^[-/_=.a-zA-Z0-9]+$/.test(id)) return undefined;
  const stored = await getStored(jetStream, STREAM, { last_by_subj: ROOT + id });
  const silence = stored && parse(stored.data);
  return stored && silence && { stored: { id, silence }, revision: stored.sequence };
}

/** Resolves to false when somebody else wrote first. */
async function write(jetStream: JetStream, { id, silence }: StoredSilence, revision: number): Promise<boolean> {
  const leftMs = Math.max(0, Date.parse(silence.ends) - Date.now());
  const headers = { "Nats-TTL": `${Math.ceil((leftMs + REMEMBERED_DAYS * 86_400_000) / 1_000)}s` };
  const record = { subject: ROOT + id, payload: JSON.stringify(silence), revision, headers };
  return (await writeRevision(jetStream, record, () => ensureBesideLog(jetStream, silencesStream))) !== undefined;
}

/** `undefined`: it was deleted, or is of a newer version. */
function parse(data: Uint8Array): Silence | undefined {
  try {
    return Silence.parse(JSON.parse(Buffer.from(data).toString("utf8")));
  } catch {
    return undefined;
  }
}
