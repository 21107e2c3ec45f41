/**
 * The stream CR_TIMERS: made when it is missing, and counted without reading it.
 * Source: JetStream API, `$JS.API.CONSUMER.CREATE` (the answer says how many messages a filter finds).
 */
import { type JetStream, type StreamSettings, TIMERS_STREAM, timersStream, unlessMissing } from "#contract";
import { ensureBesideLog } from "../log-settings.ts";

/** A consumer that nobody reads is removed by the server after this time. */
const UNREAD_NS = 1e9;

/** Makes CR_TIMERS when it is missing, with as many copies as the log has. */
export async function ensureTimers(jetStream: JetStream, settings?: StreamSettings): Promise<void> {
  await ensureBesideLog(jetStream, timersStream, settings);
}

/** How many messages there are of these subjects; none without the stream. Throws JetStreamApiError and RequestLostError. */
export async function countTimers(jetStream: JetStream, subjects: readonly string[]): Promise<number> {
  const config = {
    ...{ filter_subjects: subjects, deliver_policy: "all", ack_policy: "none" },
    ...{ mem_storage: true, num_replicas: 1, inactive_threshold: UNREAD_NS },
  };
  const asked = jetStream.api<{ num_pending: number }>(`CONSUMER.CREATE.${TIMERS_STREAM}`, {
    stream_name: TIMERS_STREAM,
    config,
  });
  return (await unlessMissing("stream", asked))?.num_pending ?? 0;
}
