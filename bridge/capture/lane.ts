/**
 * Runs tasks in order for each key and in parallel across keys, at most so many and so many bytes at once: how order per object and
 * bounded memory go together. A task that fails ends its lane's owner: the error comes out of `enqueue` or `idle`.
 */

/** The lanes of one pipe. */
export interface Lanes {
  /** Tasks accepted and not finished. */
  readonly size: number;
  /** Waits for room, then accepts a task behind those of the same key; `bytes` is what it holds in memory until it is done, default 0. */
  enqueue(key: string, task: () => Promise<void>, bytes?: number): Promise<void>;
  /** Resolves when every accepted task is done. */
  idle(): Promise<void>;
}

/** Makes lanes that accept at most `tasksMax` unfinished tasks of together at most `bytesMax`, but always one, however large. */
export function createLanes(tasksMax: number, bytesMax = Number.POSITIVE_INFINITY): Lanes {
  const tails = new Map<string, Promise<void>>();
  let size = 0;
  let bytesUsed = 0;
  let failure: { readonly error: unknown } | undefined;
  /** Made when somebody waits for it. */
  let changed: PromiseWithResolvers<void> | undefined;

  const run = async (key: string, task: () => Promise<void>, bytes: number) => {
    const before = tails.get(key);
    if (before !== undefined) await before;
    try {
      if (failure === undefined) await task();
    } catch (error) {
      failure ??= { error };
    }
    size--;
    bytesUsed -= bytes;
    changed?.resolve();
    changed = undefined;
  };
  const until = async (condition: () => boolean) => {
    while (!condition() && failure === undefined) {
      changed ??= Promise.withResolvers<void>();
      await changed.promise;
    }
    if (failure !== undefined) throw failure.error;
  };
  const hasRoom = (bytes: number) => size === 0 || (size < tasksMax && bytesUsed + bytes <= bytesMax);
  return {
    get size() {
      return size;
    },
    async enqueue(key, task, bytes = 0) {
      if (failure !== undefined || !hasRoom(bytes)) await until(() => hasRoom(bytes));
      size++;
      bytesUsed += bytes;
      const tail = run(key, task, bytes);
      tails.set(key, tail);
      void tail.then(() => {
        if (tails.get(key) === tail) tails.delete(key);
      });
    },
    idle: () => until(() => size === 0),
  };
}
