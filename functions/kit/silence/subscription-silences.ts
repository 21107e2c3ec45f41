/**
 * What one subscription has to do with silences: the gate in front of it, the book of what they held back, and when a summary may be due.
 */
import { type JetStream, type Logger, readEvent } from "#contract";
import type { Binding } from "../subscription.ts";
import { type Batches, createBatches } from "../timer/batches.ts";
import { createNatsQueue } from "../timer/nats-queue.ts";
import type { Timing } from "../timer/timing.ts";
import { aborted } from "../waiting.ts";
import { createHeldBackBook, type HeldBackBook } from "./held-back.ts";
import { createSilenceGate, type SilenceGate } from "./silence-gate.ts";
import type { SilenceWatch } from "./silence-watch.ts";

/** Of one subscription, in this process. */
export interface SubscriptionSilences {
  readonly gate: SilenceGate;
  readonly book: HeldBackBook;
  /** Where a function that takes many events gets its summary. */
  readonly batches: Batches | undefined;
  /** Resolves when a silence that asks for summaries is known, or was within some days, or `signal` aborts. */
  untilSummaries(signal: AbortSignal): Promise<void>;
}

/** A summary is one call of so many objects, as the largest batch; they are collected for some seconds when the silence is over. */
const SUMMARY = { ms: 5_000, max: 500, groupOf: () => "summary" } as const;

/** What the subscription collects anyway is where its summary goes. */
export function createSubscriptionSilences(
  jetStream: JetStream,
  { subscription: { name, resolve, partitions }, batches: takesMany }: Binding,
  watch: SilenceWatch,
  { delay }: Timing,
  log: Logger,
): SubscriptionSilences {
  const book = createHeldBackBook(jetStream, name, log);
  // An incident is opened for each object, and what is one call is collected in one place.
  const isCollected = takesMany && resolve === undefined && partitions === 1 && delay?.type !== "throttle";
  const wantsSummaries = () => watch.about(name).some(({ summary, isRecent }) => summary && isRecent(Date.now()));
  return {
    gate: createSilenceGate(name, watch, book),
    book,
    batches: delay?.type === "batch" ? delay : isCollected ? batchesOf(jetStream, name, log) : undefined,
    async untilSummaries(signal) {
      const { promise: wanted, resolve: found } = Promise.withResolvers<void>();
      const look = () => void (wantsSummaries() && found());
      const stop = watch.onChange(look);
      const looking = setInterval(look, LOOK_MS); // a window begins without anybody saying so
      look();
      await Promise.race([wanted, aborted(signal)]);
      clearInterval(looking);
      stop();
    },
  };
}

function batchesOf(jetStream: JetStream, subscription: string, log: Logger): Batches {
  const queue = createNatsQueue(jetStream, subscription, log);
  return createBatches(SUMMARY, { queue, open: (data, signal) => readEvent(jetStream, data, signal), log });
}

/** A window is recent once it has begun. */
const LOOK_MS = 1_000;
