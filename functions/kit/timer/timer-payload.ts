/**
 * The bytes of an event that was too large to travel in its timer: those that the log still has.
 */
import { EVENTS_STREAM, getStored, type JetStream } from "#contract";
import type { TimerFacts } from "./timer.ts";

/** `undefined`: the log has it no more. One that was restored may have another event there. Throws what NATS answers. */
export async function payloadOf(
  jetStream: JetStream,
  { streamSequence, subject, messageId }: TimerFacts,
): Promise<Uint8Array | undefined> {
  const stored = await getStored(jetStream, EVENTS_STREAM, { seq: streamSequence });
  return stored?.subject === subject && stored.header("Nats-Msg-Id") === messageId ? stored.data : undefined;
}
