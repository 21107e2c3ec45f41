/**
 * Acknowledgements that the server confirms. When the confirmation is lost nobody knows whether it arrived, so finished events are
 * remembered: one that comes again is only acknowledged again, not run again.
 * Source: JetStream, `+ACK` sent as a request is answered once it is applied; repeating it is harmless.
 */
import type { JetStream, Logger } from "#contract";

/** The acknowledgements of one consumer. */
export interface Acknowledgements {
  /** Acknowledges a finished event; resolves when that is confirmed, or lost. Never rejects. */
  finish(streamSequence: number, ackSubject: string): Promise<void>;
  /** Whether this process has finished the event, as far as it remembers. */
  hasFinished(streamSequence: number): boolean;
  forget(): void;
}

/** Those remembered: many times what can be out at once, in a megabyte. */
const FINISHED_MAX = 16_384;

/** Starts with nothing finished. */
export function createAcknowledgements(jetStream: Pick<JetStream, "request">, log: Logger): Acknowledgements {
  const finished = new Set<number>();
  return {
    async finish(streamSequence, ackSubject) {
      finished.add(streamSequence);
      const [oldest] = finished;
      if (finished.size > FINISHED_MAX && oldest !== undefined) finished.delete(oldest);
      try {
        const { status } = await jetStream.request(ackSubject, "+ACK");
        if (status !== 0) log.debug({ streamSequence, status }, "nobody took the acknowledgement");
      } catch (error) {
        log.debug(
          { streamSequence, err: error },
          "the acknowledgement may be lost; it is repeated when the event comes again",
        );
      }
    },
    hasFinished: (streamSequence) => finished.has(streamSequence),
    forget: () => finished.clear(),
  };
}
