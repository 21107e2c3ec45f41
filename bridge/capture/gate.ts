/**
 * Lets so many through at a time; the others wait in the order in which they came, but not for ever: whoever has waited long enough goes
 * in all the same, so that a few that hang cannot hold up the rest.
 */

/** The gate. */
export interface Gate {
  /** Resolves when it is one's turn; call the result when done, once or more often. Rejects when `signal` aborts. */
  enter(signal: AbortSignal): Promise<() => void>;
}

/** Makes a gate for `max` at a time; nobody waits longer than `patienceMs`. */
export function createGate(max: number, patienceMs: number): Gate {
  const waiting = new Set<() => void>();
  let inside = 0;
  const letIn = () => {
    for (const open of waiting) {
      if (inside >= max) return;
      open();
    }
  };
  return {
    async enter(signal) {
      signal.throwIfAborted();
      if (inside >= max) {
        const { promise, resolve } = Promise.withResolvers<void>();
        let isLetIn = false;
        const open = () => {
          if (!waiting.delete(open)) return;
          isLetIn = true;
          inside++;
          resolve();
        };
        const giveUp = () => {
          waiting.delete(open);
          resolve();
        };
        waiting.add(open);
        const timer = setTimeout(open, patienceMs);
        signal.addEventListener("abort", giveUp, { once: true });
        await promise;
        clearTimeout(timer);
        signal.removeEventListener("abort", giveUp);
        if (signal.aborted && !isLetIn) throw signal.reason;
      } else inside++;
      let isInside = true;
      return () => {
        if (!isInside) return;
        isInside = false;
        inside--;
        letIn();
      };
    },
  };
}
