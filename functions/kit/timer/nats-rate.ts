/**
 * The records of groups in NATS: `crtimer.rate.<subscription>.<group>` in CR_TIMERS. Each write names the sequence that it replaces, so of two
 * writers one is refused. A record goes when nothing of it counts any more, an hour after.
 * Source: NATS ADR-43 (`Nats-TTL`); JetStream, `Nats-Expected-Last-Subject-Sequence`.
 */
import {
  encodeToken,
  getStored,
  type JetStream,
  type Logger,
  TIMERS_ROOT,
  TIMERS_STREAM,
  untilAnswered,
} from "#contract";
import type { Rate } from "../filter/time-plan.ts";
import { writeRevision } from "../revision.ts";
import { GROUPS_MAX, type RateMemory } from "./rate.ts";
import { RateRecord } from "./rate-record.ts";
import { countTimers, ensureTimers } from "./timer-stream.ts";

/** Beyond the time, for events that come again and clocks that differ. */
const TTL_MORE_S = 3_600;
/** Counting takes the server 0.1 s for a hundred thousand. */
const COUNT_AGAIN_MS = 60_000;

/** The memory on this connection. */
export function createNatsRates(
  jetStream: JetStream,
  subscription: string,
  { withinMs }: Pick<Rate, "withinMs">,
  log: Logger,
): RateMemory {
  const root = `${TIMERS_ROOT}.rate.${encodeToken(subscription)}`;
  const ttl = String(Math.ceil(withinMs / 1_000) + TTL_MORE_S);
  const patiently = <T>(ask: () => Promise<T>, signal: AbortSignal) =>
    untilAnswered(ask, { signal, onWait: (error) => log.warn({ error: error.message }, "rates wait for NATS") });
  /** An upper bound: what expires is noticed when they are counted again. */
  let known: { count: number; readonly atMs: number } | undefined;
  return {
    read: (group, signal) =>
      patiently(async () => {
        const found = await getStored(jetStream, TIMERS_STREAM, { last_by_subj: `${root}.${group}` });
        return { record: found && parseRecord(found.data), revision: found?.sequence ?? 0 };
      }, signal),
    write: (group, record, revision, signal) =>
      patiently(async () => {
        const write = { subject: `${root}.${group}`, payload: JSON.stringify(record), revision };
        const headers = { "Nats-TTL": ttl };
        const written = await writeRevision(jetStream, { ...write, headers }, () => ensureTimers(jetStream));
        if (written !== undefined && revision === 0 && known !== undefined) known.count++;
        return written !== undefined;
      }, signal),
    async hasRoom(signal) {
      const isOld = known !== undefined && known.count >= GROUPS_MAX && performance.now() - known.atMs > COUNT_AGAIN_MS;
      if (known === undefined || isOld) {
        const count = await patiently(() => countTimers(jetStream, [`${root}.*`]), signal);
        known = { count, atMs: performance.now() };
      }
      return known.count < GROUPS_MAX;
    },
  };
}

/** What cannot be read is of another version: the group begins anew. */
function parseRecord(data: Uint8Array): RateRecord | undefined {
  try {
    return RateRecord.safeParse(JSON.parse(Buffer.from(data).toString("utf8"))).data;
  } catch {
    return undefined;
  }
}
