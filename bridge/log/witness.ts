/**
 * Whether the log still is what it was: NATS acknowledges an event before it is on the disk, and a store can be restored from an
 * older copy or wiped. The newest event that was acknowledged is the witness: where it is no longer there, and nothing newer of
 * its object has pushed it out, the log has lost events, and everything is compared with it again.
 * Source: DESIGN "Guarantees", G6; jepsen.io/analyses/nats-2.12.1 (acknowledged writes lost at power loss).
 */
import { type BackoffOptions, createBackoff } from "../backoff.ts";
import type { JetStream } from "../nats/jetstream.ts";
import { JetStreamApiError } from "../nats/jetstream-error.ts";
import type { EventLog } from "./event-log.ts";
import type { Store } from "./store.ts";

/** The newest acknowledged event; a sequence of 0 is none. */
export interface Witness {
  readonly sequence: number;
  readonly id: string;
}

/** NATS no longer has events that it acknowledged. */
export class LogLostError extends Error {
  readonly code = "LOG_LOST";
  override readonly name = "LogLostError";
  /** What was captured last was of this epoch, whatever is left in the log. */
  readonly epoch: number;
  constructor(title: string, epoch: number) {
    super(`${title}: NATS has lost events that it had acknowledged (a power loss, a store restored or wiped)`);
    this.epoch = epoch;
  }
}

const STREAM_NOT_FOUND = 10059;
/** A stream without a leader, or a request that was lost, is asked again; the connection itself is waited for by its owner. */
const ASK_BACKOFF: BackoffOptions = { firstMs: 500, maxMs: 10_000, resetAfterMs: 60_000 };

/** Whether the log has the witness, or what replaced it. Throws when the log cannot be asked. */
export async function isWitnessed(
  log: Pick<EventLog, "eventAt">,
  store: Store,
  { sequence, id }: Witness,
): Promise<boolean> {
  if (sequence === 0) return true;
  try {
    const event = await log.eventAt(sequence);
    if (event !== undefined) return event.envelope?.id === id;
  } catch (error) {
    if (error instanceof JetStreamApiError && error.errCode === STREAM_NOT_FOUND) return false;
    throw error;
  }
  const uid = id.slice(0, id.indexOf("."));
  for (const [, known] of store.entries()) {
    if (known.uid === uid && known.sequence > sequence) return true;
  }
  return false;
}

/** What is asked each time that NATS is back. */
export interface WitnessOptions {
  readonly jetStream: Pick<JetStream, "connected" | "onConnection">;
  readonly log: Pick<EventLog, "eventAt">;
  readonly store: Store;
  readonly witness: () => Witness;
  readonly onLost: () => void;
  /** Ends what is being asked. */
  readonly signal: AbortSignal;
}

/** The question under way. */
export interface Witnessing {
  /** Whether the answer is still to come: until then no checkpoint may say that what it knows of is in the log. */
  readonly isAsking: boolean;
  stop(): void;
}

/** Asks for the witness whenever the connection is made again, until there is an answer. */
export function startWitnessing(options: WitnessOptions, timing: BackoffOptions = ASK_BACKOFF): Witnessing {
  const { jetStream, log, store, witness, onLost, signal } = options;
  let isAsking = false;
  const ask = async () => {
    const backoff = createBackoff(timing);
    while (!signal.aborted && jetStream.connected) {
      try {
        if (!(await isWitnessed(log, store, witness()))) onLost();
        return;
      } catch {
        await backoff.wait(signal).catch(() => undefined);
      }
    }
  };
  const stop = jetStream.onConnection(async ({ type }) => {
    if (type !== "connected" || isAsking) return;
    isAsking = true;
    await ask().finally(() => {
      isAsking = false;
    });
  });
  return {
    get isAsking() {
      return isAsking;
    },
    stop,
  };
}
