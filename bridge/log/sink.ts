/**
 * Publishes events so that each is stored exactly once: NATS refuses an event unless the object's newest one is the one it was
 * computed from (the fence), and an unknown outcome is asked again until it is known. It never gives up and never drops: while
 * NATS is away, or the stream is full, it waits, and so does everything behind it.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { type Backoff, createBackoff } from "../backoff.ts";
import type { SealedEvent } from "../event/seal.ts";
import type { Logger } from "../logger.ts";
import type { JetStream } from "../nats/jetstream.ts";
import { isWrongLastSequence, JetStreamApiError, RequestLostError } from "../nats/jetstream-error.ts";
import { parseTraceparent, traceFields } from "../trace/trace-context.ts";
import { BlobsFullError } from "./blob.ts";
import type { EventLog, LoggedEvent } from "./event-log.ts";

/** `stored`: the log has it now, or already had it. `conflict`: the log's newest event of the object is another one, or none. */
export type SinkResult =
  | { readonly type: "stored"; readonly sequence: number }
  | { readonly type: "conflict"; readonly last: LoggedEvent | undefined };

/** The way into the log. */
export interface Sink {
  /** Publishes behind `expected` (0: the object has no event). Rejects only when `signal` aborts. */
  publish(object: string, event: SealedEvent, expected: number, signal: AbortSignal): Promise<SinkResult>;
}

/** R3 only: another publish of the same object is being replicated right now; not a verdict. */
const FENCE_IN_PROCESS = 10164;
/** The lock-step of replicas takes a moment; then the fence answers for good. */
const IN_PROCESS_WAIT_MS = 10;
/** Hundreds of objects may wait for the same: it is told once in a while, not for each of them. */
const TELL_EVERY_MS = 5_000;
const RETRY = { firstMs: 100, maxMs: 5_000, resetAfterMs: 60_000 } as const;

/**
 * Makes the sink of a process; its watches share it, so that what holds all of them is told once. `onTrouble` hears of each failed
 * try, `onWaitingForRoom` how many events wait because the stream is full, whenever that changes.
 */
export function createSink(
  jetStream: JetStream,
  log: EventLog,
  logger: Logger,
  onTrouble: (error: Error) => void,
  onWaitingForRoom: (count: number) => void = () => undefined,
): Sink {
  const tell = createTeller(logger);
  let waitingForRoom = 0;
  const countWaiting = (change: 1 | -1) => {
    waitingForRoom += change;
    onWaitingForRoom(waitingForRoom);
  };
  const attempt = async (object: string, event: SealedEvent, expected: number): Promise<SinkResult> => {
    let isRemembered = false;
    try {
      const ack = await log.append(object, event, expected);
      if (ack.duplicate !== true) return { type: "stored", sequence: ack.seq };
      isRemembered = true;
    } catch (error) {
      if (!isWrongLastSequence(error)) throw error;
    }
    const last = await log.lastEvent(object);
    if (last?.envelope?.id === event.id) return { type: "stored", sequence: last.sequence };
    if (!isRemembered || (last?.sequence ?? 0) !== expected) return { type: "conflict", last };
    // Somebody has removed it from the log, and the duplicate window still knows its id: the fence alone keeps it single.
    const { seq, duplicate } = await log.append(object, event, expected, "again");
    return duplicate === true ? { type: "conflict", last } : { type: "stored", sequence: seq };
  };
  const publish: Sink["publish"] = async (object, event, expected, signal) => {
    let backoff: Backoff | undefined;
    let waits = false;
    try {
      for (;;) {
        signal.throwIfAborted();
        try {
          const result = await attempt(object, event, expected);
          if (waits) countWaiting(-1);
          waits = false;
          if (waitingForRoom === 0) tell.room();
          return result;
        } catch (error) {
          if (error instanceof JetStreamApiError && error.errCode === FENCE_IN_PROCESS) {
            await sleep(IN_PROCESS_WAIT_MS, undefined, { signal });
            continue;
          }
          if (isFull(error) && !waits) {
            waits = true;
            countWaiting(1);
          }
          tell.trouble(event, error as Error, waitingForRoom);
          onTrouble(error as Error);
          backoff ??= createBackoff(RETRY);
          await backoff.wait(signal);
          await jetStream.whenConnected(signal);
        }
      }
    } finally {
      if (waits) countWaiting(-1);
    }
  };
  return { publish };
}

/** Tells each kind of trouble once in a while for all objects, and the end of the worst. */
function createTeller(logger: Logger) {
  const toldAtMs = new Map<string, number>();
  let fullSinceMs: number | undefined;
  return {
    trouble({ subject, id, envelope }: SealedEvent, error: Error, waitingForRoom: number) {
      if (error instanceof RequestLostError) return;
      const sentence = troubleOf(error);
      const nowMs = performance.now();
      if (isFull(error)) fullSinceMs ??= nowMs;
      if (nowMs - (toldAtMs.get(sentence) ?? Number.NEGATIVE_INFINITY) < TELL_EVERY_MS) return;
      toldAtMs.set(sentence, nowMs);
      const event = { subject, id, ...traceFields(parseTraceparent(envelope.traceparent)) };
      logger.error({ ...event, ...(isFull(error) && { waiting: waitingForRoom }), error: error.message }, sentence);
    },
    room() {
      if (fullSinceMs === undefined) return;
      const waitedSeconds = Math.round((performance.now() - fullSinceMs) / 1000);
      fullSinceMs = undefined;
      logger.info({ waitedSeconds }, "the stream has room again: everything that waited is published");
    },
  };
}

/** What holds the pipe, and what to do about it. */
function troubleOf(error: Error): string {
  if (error instanceof BlobsFullError) {
    return "the bucket of very large events is full: nothing is lost, their objects wait; give CR_BLOBS more room (streams.blobsBytesMax and `nats stream edit OBJ_CR_BLOBS`)";
  }
  if (isFull(error)) {
    return "the stream is full: nothing is lost, capture waits; give CR_EVENTS more room (streams.eventsBytesMax and `nats stream edit`)";
  }
  if ("code" in error && error.code === "MAX_PAYLOAD_EXCEEDED") {
    return "the server's max_payload is too small even for an event without its data: its object waits; raise max_payload of nats-server";
  }
  return "the event could not be published: trying again";
}

function isFull(error: unknown): boolean {
  return error instanceof JetStreamApiError && /maximum (bytes|messages) exceeded|insufficient/i.test(error.message);
}
