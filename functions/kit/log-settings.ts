/**
 * What the streams of functions have in common with the log: as many copies. Functions know no configuration of the bridge.
 */
import { EVENTS_STREAM, type JetStream, StreamSettings, unlessMissing } from "#contract";

/** The settings for a stream beside the log; `undefined` as long as there is no log. */
export async function findLogSettings(jetStream: JetStream): Promise<StreamSettings | undefined> {
  const asked = jetStream.api<{ config: { num_replicas: number } }>(`STREAM.INFO.${EVENTS_STREAM}`);
  const log = await unlessMissing("stream", asked);
  if (log === undefined) return undefined;
  const parsed = StreamSettings.safeParse({ replicas: log.config.num_replicas });
  return parsed.success ? parsed.data : StreamSettings.parse({});
}
