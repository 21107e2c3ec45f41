/**
 * The memory of steps in NATS: a key-value bucket with one key for each step of an event, `<subscription>.<event id>.<step>`, which
 * `nats kv get CR_STEPS …` reads. Each write names the sequence that it replaces, so of two writers one is refused: that makes the key a
 * lock. A claim is renewed while its step runs; who waits for it may take it over when it showed no sign of life for a while, by the
 * waiting one's own clock and while that one was connected. No step, no question to NATS; the bucket is made when the first one needs it.
 * Source: NATS ADR-8 (key-value); JetStream, `Nats-Expected-Last-Subject-Sequence`.
 */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { getStored, type JetStream, JetStreamApiError, type Logger, RequestLostError, stepsStream } from "#contract";
import { ensureBesideLog } from "../log-settings.ts";
import { writeRevision } from "../revision.ts";
import { STEP_LIMITS, type StepLimits } from "./step-limits.ts";
import type { StepClaim, StepEnd, StepMemory } from "./step-memory.ts";
import { parseRecord, STEPS_STREAM, type StepRecord, subjectOf } from "./step-record.ts";

/** A key as it is now; 0 is the sequence of one that was never written. */
interface Found {
  readonly record: StepRecord | undefined;
  readonly sequence: number;
}

/** Steps that are watched at a time: those that somebody waits for. */
const WATCHED_MAX = 1_024;
/** Room for subject and headers within the server's max_payload. */
const HEADERS_BYTES_MAX = 1_024;

/** The memory on this connection, for as long as that lives. */
export function createNatsMemory(jetStream: JetStream, limits: StepLimits = STEP_LIMITS): StepMemory {
  const instance = randomUUID();
  const keys = openKeys(jetStream);
  const silence = watchSilence(jetStream, limits);
  let claims = 0;
  return {
    async claim(key, { log, signal }) {
      const subject = subjectOf(key);
      const holder = `${instance}/${++claims}`;
      const insisting = { step: key.step, log, signal, lookMs: limits.lookMs, jetStream };
      const claimFrom = (sequence: number) => hold({ jetStream, keys, subject, holder, limits, insisting }, sequence);
      /** The sequence to replace: of a key that is free, or whose holder is silent. */
      const takeable = ({ record, sequence }: Found) => {
        if (record === undefined) return sequence;
        if (!silence.isOver(subject, sequence)) return undefined;
        log.warn({ holder: record.holder }, "whoever runs the step shows no sign of life: taken over");
        return sequence;
      };
      for (let free: number | undefined = 0; ; ) {
        signal.throwIfAborted();
        const expected = free;
        const claimed =
          expected === undefined
            ? undefined
            : await insist(insisting, () => keys.write(subject, { state: "running", holder }, expected));
        if (claimed !== undefined) return claimFrom(claimed);
        const found = await insist(insisting, () => keys.read(subject));
        if (found.record?.holder === holder) return claimFrom(found.sequence); // the answer to our write was lost
        if (found.record !== undefined && found.record.state !== "running") return endOf(found.record);
        free = takeable(found);
        if (free === undefined) await waitForOther(key.step, limits.lookMs, signal);
      }
    },
  };
}

function endOf(record: Exclude<StepRecord, { state: "running" }>): StepEnd {
  return record.state === "done"
    ? { type: "done", result: record.result }
    : { type: "unusable", problem: record.problem };
}

function recordOf(end: StepEnd, holder: string): StepRecord {
  return end.type === "done"
    ? { state: "done", holder, ...(end.result !== undefined && { result: end.result }) }
    : { state: "unusable", holder, problem: end.problem };
}

async function waitForOther(step: string, waitMs: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(waitMs, undefined, { signal });
  } catch {
    throw new Error(`step "${step}" is being run by another try of this event, whose result was waited for`);
  }
}

type Keys = ReturnType<typeof openKeys>;

/** The bucket's keys; it is made when it is missing. Both calls throw RequestLostError and JetStreamApiError. */
function openKeys(jetStream: JetStream) {
  return {
    /** Resolves to the new sequence, or to `undefined` when the key is not as expected. `undefined` for a record: released. */
    async write(subject: string, record: StepRecord | undefined, expected: number): Promise<number | undefined> {
      const write =
        record === undefined
          ? { subject, payload: "", revision: expected, headers: { "KV-Operation": "DEL" } }
          : { subject, payload: JSON.stringify(record), revision: expected };
      return await writeRevision(jetStream, write, () => ensureBesideLog(jetStream, stepsStream));
    },
    async read(subject: string): Promise<Found> {
      const found = await getStored(jetStream, STEPS_STREAM, { last_by_subj: subject });
      const text = Buffer.from(found?.data ?? []).toString("utf8");
      return { record: parseRecord(subject, text), sequence: found?.sequence ?? 0 };
    },
  };
}

interface Insisting {
  readonly step: string;
  readonly jetStream: JetStream;
  readonly log: Logger;
  readonly signal: AbortSignal;
  readonly lookMs: number;
}

/** Asks until there is an answer: that NATS is away or refuses is waited out, as long as the try may take. */
async function insist<T>({ step, jetStream, log, signal, lookMs }: Insisting, ask: () => Promise<T>): Promise<T> {
  for (let told = false; ; told = true) {
    try {
      return await ask();
    } catch (error) {
      const isPassing = error instanceof RequestLostError || error instanceof JetStreamApiError;
      if (!isPassing) throw error;
      if (!told) log.warn({ error: error.message }, "NATS does not take the step: trying again while there is time");
      const again = sleep(lookMs, undefined, { signal }).then(() => jetStream.whenConnected(signal));
      await again.catch(() => {
        throw new Error(`step "${step}": NATS did not take it in time: ${error.message}`, { cause: error });
      });
    }
  }
}

interface Holding {
  readonly jetStream: JetStream;
  readonly keys: Keys;
  readonly subject: string;
  readonly holder: string;
  readonly limits: StepLimits;
  readonly insisting: Insisting;
}

/** Keeps a claim alive that stands at this sequence. Its writes go one after another, so that it knows where it stands. */
function hold({ jetStream, keys, subject, holder, limits, insisting }: Holding, claimedAt: number): StepClaim {
  const { signal } = insisting;
  const lost = new AbortController();
  let sequence = claimedAt;
  let writing: Promise<unknown> = Promise.resolve();

  /** Resolves to whether the key holds this now; not when it is another's. A write whose answer was lost is found by its holder. */
  const put = async (record: StepRecord | undefined): Promise<boolean> => {
    for (;;) {
      const written = await keys.write(subject, record, sequence);
      if (written !== undefined) {
        sequence = written;
        return true;
      }
      const found = await keys.read(subject);
      if (found.record?.holder !== holder) return record === undefined;
      sequence = found.sequence;
      if (found.record.state === record?.state) return true;
    }
  };
  const renew = async () => {
    if (await put({ state: "running", holder })) return;
    stop();
    lost.abort(new Error(`step "${insisting.step}" was taken over by another try of this event`));
  };
  const renewing = setInterval(() => {
    writing = writing.then(renew).catch(() => undefined); // NATS is away: the next one tells
  }, limits.renewMs);
  renewing.unref();
  const stop = () => {
    clearInterval(renewing);
    signal.removeEventListener("abort", stop);
  };
  signal.addEventListener("abort", stop, { once: true });

  return {
    lost: lost.signal,
    async record(wanted) {
      stop();
      await writing;
      const end = fitting(wanted, jetStream.payloadBytesMax);
      return (await insist(insisting, () => put(recordOf(end, holder)))) ? end : undefined;
    },
    async release() {
      stop();
      await writing;
      if (!lost.signal.aborted) await put(undefined).catch(() => undefined);
    },
  };
}

/** This NATS may take less in a message than a result may have. */
function fitting(end: StepEnd, payloadBytesMax: number): StepEnd {
  const bytes = Buffer.byteLength(JSON.stringify(end));
  if (bytes <= payloadBytesMax - HEADERS_BYTES_MAX) return end;
  return { type: "unusable", problem: `its result has ${bytes} bytes, more than this NATS takes in a message` };
}

/**
 * Who waits for a step remembers since when its key has not changed. What was seen before the connection broke does not count: whoever
 * holds the claim could not renew it either.
 */
function watchSilence(jetStream: JetStream, { silenceMs }: StepLimits) {
  const seen = new Map<string, { readonly sequence: number; readonly sinceMs: number }>();
  jetStream.onConnection(({ type }) => {
    if (type === "disconnected") seen.clear();
  });
  return {
    isOver(subject: string, sequence: number): boolean {
      const known = seen.get(subject);
      const sinceMs = known?.sequence === sequence ? known.sinceMs : performance.now();
      const isOver = performance.now() - sinceMs >= silenceMs;
      seen.delete(subject);
      if (!isOver) seen.set(subject, { sequence, sinceMs });
      const [oldest] = seen.keys();
      if (seen.size > WATCHED_MAX && oldest !== undefined) seen.delete(oldest);
      return isOver;
    },
  };
}
