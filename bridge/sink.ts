/**
 * Publishes events so that each is stored exactly once: NATS refuses an event unless the object's newest one is the one it was
 * computed from (the fence), and an unknown outcome is asked again until it is known. It never gives up and never drops: while
 * NATS is away, or the stream is full, it waits, and so does everything behind it.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { createBackoff } from "./backoff.ts";
import type { EventLog, LoggedEvent } from "./event-log.ts";
import type { JetStream } from "./jetstream.ts";
import { JetStreamApiError, RequestLostError } from "./jetstream-error.ts";
import type { Logger } from "./logger.ts";
import type { SealedEvent } from "./seal.ts";

/** `stored`: the log has it now, or already had it. `conflict`: the log's newest event of the object is another one, or none. */
export type SinkResult =
  | { readonly type: "stored"; readonly sequence: number }
  | { readonly type: "conflict"; readonly last: LoggedEvent | undefined };

/** The way into the log. */
export interface Sink {
  /** Publishes behind `expected` (0: the object has no event). Rejects only when `signal` aborts. */
  publish(object: string, event: SealedEvent, expected: number, signal: AbortSignal): Promise<SinkResult>;
}

/** The fence: the object's newest event has another sequence. */
const WRONG_LAST_SEQUENCE = 10071;
/** R3 only: another publish of the same object is being replicated right now; not a verdict. */
const FENCE_IN_PROCESS = 10164;
/** The lock-step of replicas takes a moment; then the fence answers for good. */
const IN_PROCESS_WAIT_MS = 10;
const RETRY = { firstMs: 100, maxMs: 5_000, resetAfterMs: 60_000 } as const;

/** Makes a sink; `onTrouble` hears each sentence about a publish that has to wait. */
export function createSink(
  jetStream: JetStream,
  log: EventLog,
  logger: Logger,
  onTrouble: (error: Error) => void,
): Sink {
  const attempt = async (object: string, event: SealedEvent, expected: number): Promise<SinkResult> => {
    try {
      const ack = await log.append(object, event, expected);
      if (ack.duplicate !== true) return { type: "stored", sequence: ack.seq };
    } catch (error) {
      if (!(error instanceof JetStreamApiError) || error.errCode !== WRONG_LAST_SEQUENCE) throw error;
    }
    const last = await log.lastEvent(object);
    return last?.envelope?.id === event.id ? { type: "stored", sequence: last.sequence } : { type: "conflict", last };
  };
  return {
    async publish(object, event, expected, signal) {
      const backoff = createBackoff(RETRY);
      for (;;) {
        signal.throwIfAborted();
        try {
          return await attempt(object, event, expected);
        } catch (error) {
          if (error instanceof JetStreamApiError && error.errCode === FENCE_IN_PROCESS) {
            await sleep(IN_PROCESS_WAIT_MS, undefined, { signal });
            continue;
          }
          if (!(error instanceof RequestLostError)) {
            logger.error(
              { subject: event.subject, id: event.id, error: (error as Error).message },
              troubleOf(error as Error),
            );
          }
          onTrouble(error as Error);
          await backoff.wait(signal);
          await jetStream.whenConnected(signal);
        }
      }
    },
  };
}

/** What holds the pipe, and what to do about it. */
function troubleOf(error: Error): string {
  if (error instanceof JetStreamApiError && /maximum (bytes|messages) exceeded|insufficient/i.test(error.message)) {
    return "the stream is full: nothing is lost, capture waits; give CR_EVENTS more room (streams.eventsBytesMax and `nats stream edit`)";
  }
  if ("code" in error && error.code === "MAX_PAYLOAD_EXCEEDED") {
    return "the event is larger than the server's max_payload: its object waits; raise max_payload of nats-server";
  }
  return "the event could not be published: trying again";
}
