/**
 * What of a subscription waits for its time, and what is due, as NATS says: no process of it has to be asked.
 */
import { type JetStream, TIMERS_STREAM, unlessMissing } from "#contract";
import { consumerName, partitionTokens } from "../ownership/partition.ts";
import { waitingSubjects } from "./timer.ts";
import { countTimers } from "./timer-stream.ts";

/** Events of some partitions. */
export interface TimerBacklog {
  /** Waits for its time (`for`, `debounce`, `batch`, `throttle`). */
  readonly waiting: number;
  /** Its time has come, and it has not ended: an event, or with `batch` and `throttle` the wake-up of a group. */
  readonly due: number;
}

/** Of these partitions; `undefined`: nothing of the subscription ever waits. Throws JetStreamApiError and RequestLostError. */
export async function timersOfPartitions(
  jetStream: JetStream,
  subscription: string,
  { held, count }: { readonly held: readonly number[]; readonly count: number },
): Promise<TimerBacklog | undefined> {
  type Info = { readonly num_pending: number; readonly num_ack_pending: number };
  let found: TimerBacklog | undefined;
  for (const partition of held.map((index) => ({ index, count }))) {
    const asked = jetStream.api<Info>(`CONSUMER.INFO.${TIMERS_STREAM}.${consumerName(subscription, partition)}`);
    const due = await unlessMissing("stream", unlessMissing("consumer", asked));
    if (due === undefined) continue;
    const waiting = await countTimers(jetStream, waitingSubjects(subscription, partitionTokens(partition)));
    found = {
      waiting: waiting + (found?.waiting ?? 0),
      due: due.num_pending + due.num_ack_pending + (found?.due ?? 0),
    };
  }
  return found;
}
