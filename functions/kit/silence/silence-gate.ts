/**
 * The silences in front of one subscription: which of the events that are about to be run are held back, and the book of them. An event is held
 * back when a silence was on at the time it was stored or became due, or is on now; so a process that comes back after a maintenance window
 * does not tell what happened in it. One that is in the book stays held back, whatever happens between two tries.
 */
import type { Envelope, KubeObject } from "#contract";
import type { Entry } from "../timer/queue.ts";
import type { HeldBackBook } from "./held-back.ts";
import type { Holding } from "./silence.ts";
import type { SilenceWatch } from "./silence-watch.ts";

/** What is about to be run. */
export interface Asked {
  /** One event, or those of a batch. */
  readonly entries: readonly Entry[];
  /** The object as it is by now, where the function is told that. */
  readonly object: KubeObject | undefined;
  /** When it was stored or due, and now (epoch milliseconds). */
  readonly momentsMs: readonly number[];
  /** Whether events that are in the book already stay held back; not those that the book itself brings. */
  readonly looksUp: boolean;
}

/** An event that is held back; `before`: it is in the book. */
export interface HeldEntry {
  readonly entry: Entry;
  readonly by: Holding | "before";
}

/** The gate of one subscription. */
export interface SilenceGate {
  /** Which of the events are held back. Throws what NATS answers, and when `signal` aborts. */
  heldOf(asked: Asked, signal: AbortSignal): Promise<readonly HeldEntry[]>;
  /** Writes them into the book. Rejects when `signal` aborts before. */
  keep(held: readonly HeldEntry[], signal: AbortSignal): Promise<void>;
  /** What the log has of the object from the event on. Throws as `heldOf`. */
  since(entry: Entry, signal: AbortSignal): AsyncIterable<Envelope>;
  /** Epoch milliseconds. */
  nowMs(): number;
  /** Those that hold something back now, as far as it is known without an event. */
  on(): readonly string[];
}

/** The gate of a subscription. */
export function createSilenceGate(
  subscription: string,
  watch: Pick<SilenceWatch, "about" | "holding">,
  book: Pick<HeldBackBook, "keep" | "isKept" | "since"> | undefined,
  nowMs: () => number = Date.now,
): SilenceGate {
  return {
    async heldOf({ entries, object, momentsMs, looksUp }, signal) {
      const held: HeldEntry[] = [];
      for (const entry of entries) {
        const { event, message } = entry;
        const asked = { event, object: object ?? event.data.object, momentsMs };
        const by = await watch.holding(subscription, asked, signal);
        if (by !== undefined) held.push({ entry, by });
        else if (looksUp && watch.about(subscription).some(({ isRecent }) => isRecent(nowMs())))
          if (await book?.isKept(message.subject, event.sequence, signal)) held.push({ entry, by: "before" });
      }
      return held;
    },
    async keep(held, signal) {
      for (const { entry, by } of held) if (by !== "before") await book?.keep(entry, by, signal);
    },
    nowMs,
    since: (entry, signal) => book?.since(entry, signal) ?? nothing(),
    on: () => watch.about(subscription).flatMap(({ id, isOn }) => (isOn(nowMs()) ? [id] : [])),
  };
}

async function* nothing(): AsyncGenerator<Envelope, void, void> {}
