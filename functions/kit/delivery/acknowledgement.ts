/**
 * Acknowledgements that the server confirms. When the confirmation is lost nobody knows whether it arrived, so finished events are
 * remembered: one that comes again is only acknowledged again, not run again. A log that was restored gives a sequence once more, to
 * another event, so an event is the one that is remembered only when it was stored at the same time too.
 * Source: JetStream, `+ACK` sent as a request is answered once it is applied; repeating it is harmless.
 */
import type { Delivered, JetStream, Logger } from "#contract";

/** Which event it is, in whichever log. */
export type StoredEvent = Pick<Delivered, "streamSequence" | "storedAtMs">;

/** The acknowledgements of one consumer. */
export interface Acknowledgements {
  /** Acknowledges a finished event; resolves when that is confirmed, or lost. Never rejects. */
  finish(event: StoredEvent, ackSubject: string): Promise<void>;
  /** Acknowledges an event that is another consumer's to finish, and does not remember it. Never rejects. */
  pass(event: StoredEvent, ackSubject: string): Promise<void>;
  /** Whether this process has finished the event, as far as it remembers. */
  hasFinished(event: StoredEvent): boolean;
}

/** Signs of life (`+WPI`) of what is in hand, within ack_wait: one may be lost. */
export const SIGNS_PER_ACK_WAIT = 3;
/** What is handed back comes again soon, but not to the process that is stopping. */
export const HAND_BACK = `-NAK {"delay": ${1e9}}`;
/** Those remembered: many times what can be out at once, in a megabyte. */
const FINISHED_MAX = 16_384;

/** Starts with nothing finished. */
export function createAcknowledgements(jetStream: Pick<JetStream, "request">, log: Logger): Acknowledgements {
  const finished = new Map<number, number>();
  const acknowledge = async ({ streamSequence }: StoredEvent, ackSubject: string) => {
    try {
      const { status } = await jetStream.request(ackSubject, "+ACK");
      if (status !== 0) log.debug({ streamSequence, status }, "nobody took the acknowledgement");
    } catch (error) {
      log.debug(
        { streamSequence, err: error },
        "the acknowledgement may be lost; it is repeated when the event comes again",
      );
    }
  };
  return {
    async finish(event, ackSubject) {
      finished.set(event.streamSequence, event.storedAtMs);
      const [oldest] = finished.keys();
      if (finished.size > FINISHED_MAX && oldest !== undefined) finished.delete(oldest);
      await acknowledge(event, ackSubject);
    },
    pass: acknowledge,
    hasFinished: ({ streamSequence, storedAtMs }) => finished.get(streamSequence) === storedAtMs,
  };
}
