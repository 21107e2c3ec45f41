/**
 * What the streams of functions have in common with the log: as many copies. Functions know no configuration of the bridge.
 */
import {
  EVENTS_STREAM,
  ensureStream,
  type JetStream,
  type StreamDefinition,
  StreamSettings,
  unlessMissing,
} from "#contract";

/** The settings for a stream beside the log; `undefined` as long as there is no log. */
export async function findLogSettings(jetStream: JetStream): Promise<StreamSettings | undefined> {
  const asked = jetStream.api<{ config: { num_replicas: number } }>(`STREAM.INFO.${EVENTS_STREAM}`);
  const log = await unlessMissing("stream", asked);
  return log && settingsFor(log.config.num_replicas);
}

/** The settings for so many copies; a number that none of ours has gives the default. */
export function settingsFor(replicas: number): StreamSettings {
  const parsed = StreamSettings.safeParse({ replicas });
  return parsed.success ? parsed.data : StreamSettings.parse({});
}

/** Makes a stream beside the log, if it is missing; `settings` where they are known already. Throws as `ensureStream`. */
export async function ensureBesideLog(
  jetStream: JetStream,
  definitionOf: (settings: StreamSettings) => StreamDefinition,
  settings?: StreamSettings,
): Promise<void> {
  const chosen = settings ?? (await findLogSettings(jetStream)) ?? StreamSettings.parse({});
  await ensureStream(jetStream, definitionOf(chosen));
}
