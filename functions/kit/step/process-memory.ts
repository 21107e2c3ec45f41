/**
 * The memory of steps within one process, for functions that are served without NATS and for tests. It keeps the same promises among
 * the tries of this process, and forgets everything when the process ends. The oldest results go first.
 */
import { STEP_LIMITS, type StepLimits } from "./step-limits.ts";
import type { StepClaim, StepEnd, StepKey, StepMemory } from "./step-memory.ts";

/** Ten thousand results of a usual size are a few megabytes, of the largest 640. */
const ENTRIES_MAX = 10_000;

interface Entry {
  end: StepEnd | undefined;
  /** Resolves when the entry has ended, was released, or may be taken over. */
  readonly changed: PromiseWithResolvers<void>;
  readonly lost: AbortController;
}

/** Starts empty. */
export function createProcessMemory({ silenceMs }: Pick<StepLimits, "silenceMs"> = STEP_LIMITS): StepMemory {
  const entries = new Map<string, Entry>();

  const take = (name: string, signal: AbortSignal): StepClaim => {
    const entry: Entry = { end: undefined, changed: Promise.withResolvers<void>(), lost: new AbortController() };
    entries.set(name, entry);
    const isMine = () => entries.get(name) === entry;
    /** A function that does not end although its signal aborted holds nobody up for ever. */
    let giveUp: NodeJS.Timeout | undefined;
    const onAbort = () => {
      giveUp = setTimeout(() => {
        if (!isMine()) return;
        entries.delete(name);
        entry.lost.abort(new Error("the step was given to the next try"));
        entry.changed.resolve();
      }, silenceMs);
      giveUp.unref();
    };
    signal.addEventListener("abort", onAbort, { once: true });
    const close = () => {
      signal.removeEventListener("abort", onAbort);
      clearTimeout(giveUp);
      entry.changed.resolve();
    };
    return {
      lost: entry.lost.signal,
      async record(end) {
        if (isMine()) entry.end = end;
        close();
        return entry.end;
      },
      async release() {
        if (isMine()) entries.delete(name);
        close();
      },
    };
  };

  return {
    async claim(key, { signal }) {
      const name = nameOf(key);
      for (;;) {
        signal.throwIfAborted();
        const entry = entries.get(name);
        if (entry?.end !== undefined) return entry.end;
        if (entry === undefined) {
          forgetOldest(entries);
          return take(name, signal);
        }
        await changeOrAbort(entry.changed.promise, signal);
      }
    },
  };
}

async function changeOrAbort(changed: Promise<void>, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const onAbort = () => resolve();
  signal.addEventListener("abort", onAbort, { once: true });
  await Promise.race([changed, promise]);
  signal.removeEventListener("abort", onAbort);
}

function nameOf({ subscription, eventId, step }: StepKey): string {
  return `${subscription}/${step}/${eventId}`;
}

function forgetOldest(entries: Map<string, Entry>): void {
  if (entries.size < ENTRIES_MAX) return;
  for (const [name, { end }] of entries) {
    if (end === undefined) continue;
    entries.delete(name);
    return;
  }
}
