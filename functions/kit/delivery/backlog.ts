/**
 * What waits for a subscription, as NATS says: no process of it has to be asked. The oldest event that waits is the first one behind
 * everything that is acknowledged.
 * Source: JetStream API, `$JS.API.CONSUMER.INFO` and `$JS.API.STREAM.MSG.GET` with `next_by_subj`.
 */
import { EVENTS_STREAM, type JetStream, unlessMissing } from "#contract";
import { consumerName } from "../ownership/partition.ts";
import { type FoundConsumer, findConsumer } from "./consumer.ts";

/** Events of some partitions. */
export interface Backlog {
  /** Not delivered yet. */
  readonly pending: number;
  /** Delivered and not finished. */
  readonly unfinished: number;
  /** Seconds since the oldest of both was stored; 0 when nothing waits. */
  readonly oldestSeconds: number;
}

/** Nothing waits. */
export const NO_BACKLOG: Backlog = { pending: 0, unfinished: 0, oldestSeconds: 0 };
/** A filter of more subjects is asked about part of them: the age is then that of a younger event. */
const SUBJECTS_MAX = 16;

interface Stored {
  readonly message: { readonly time: string };
}

/** Of a consumer, at the time of the server's answer. Throws JetStreamApiError and RequestLostError. */
export async function backlogOf(jetStream: JetStream, { progress, subjects }: FoundConsumer): Promise<Backlog> {
  const { pendingCount, unacknowledged, floorSequence, answeredAtMs } = progress;
  if (pendingCount + unacknowledged === 0) return NO_BACKLOG;
  const asked = subjects.slice(0, SUBJECTS_MAX).map(async (subject) => {
    const query = { seq: floorSequence + 1, next_by_subj: subject };
    const found = await unlessMissing("message", jetStream.api<Stored>(`STREAM.MSG.GET.${EVENTS_STREAM}`, query));
    return found === undefined ? answeredAtMs : Date.parse(found.message.time);
  });
  const oldestMs = Math.min(answeredAtMs, ...(await Promise.all(asked)));
  return { pending: pendingCount, unfinished: unacknowledged, oldestSeconds: (answeredAtMs - oldestMs) / 1000 };
}

/** Of several together. */
export function addBacklogs(backlogs: readonly Backlog[]): Backlog {
  return backlogs.reduce(
    (sum, { pending, unfinished, oldestSeconds }) => ({
      pending: sum.pending + pending,
      unfinished: sum.unfinished + unfinished,
      oldestSeconds: Math.max(sum.oldestSeconds, oldestSeconds),
    }),
    NO_BACKLOG,
  );
}

/** Of these partitions of a subscription; a consumer that is not there has none. */
export async function backlogOfPartitions(
  jetStream: JetStream,
  subscription: string,
  { held, count }: { readonly held: readonly number[]; readonly count: number },
): Promise<Backlog> {
  const backlogs = held.map(async (index) => {
    const consumer = await findConsumer(jetStream, consumerName(subscription, { index, count }));
    return consumer === undefined ? NO_BACKLOG : await backlogOf(jetStream, consumer);
  });
  return addBacklogs(await Promise.all(backlogs));
}
