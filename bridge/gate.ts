/** Lets so many through at a time; the others wait in the order in which they came. */

/** The gate. */
export interface Gate {
  /** Resolves when it is one's turn; call the result when done. Rejects when `signal` aborts. */
  enter(signal: AbortSignal): Promise<() => void>;
}

/** Makes a gate for `max` at a time. */
export function createGate(max: number): Gate {
  const waiting: (() => void)[] = [];
  let inside = 0;
  const leave = () => {
    const next = waiting.shift();
    if (next === undefined) inside--;
    else next();
  };
  return {
    async enter(signal) {
      signal.throwIfAborted();
      if (inside < max) inside++;
      else {
        const { promise, resolve, reject } = Promise.withResolvers<void>();
        const give = () => {
          signal.removeEventListener("abort", giveUp);
          resolve();
        };
        const giveUp = () => {
          waiting.splice(waiting.indexOf(give), 1);
          reject(signal.reason);
        };
        waiting.push(give);
        signal.addEventListener("abort", giveUp, { once: true });
        await promise;
      }
      let isDone = false;
      return () => {
        if (!isDone) leave();
        isDone = true;
      };
    },
  };
}
