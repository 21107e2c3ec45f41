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
  let changed = Promise.withResolvers<void>();

  const settle = (bytes: number) => {
    size--;
    bytesUsed -= bytes;
    changed.resolve();
    changed = Promise.withResolvers<void>();
  };
  const run = async (before: Promise<void> | undefined, task: () => Promise<void>) => {
    await before;
    try {
      if (failure === undefined) await task();
    } catch (error) {
      failure ??= { error };
    }
  };
  const until = async (condition: () => boolean) => {
    while (!condition() && failure === undefined) await changed.promise;
    if (failure !== undefined) throw failure.error;
  };
  return {
    get size() {
      return size;
    },
    async enqueue(key, task, bytes = 0) {
      await until(() => size === 0 || (size < tasksMax && bytesUsed + bytes <= bytesMax));
      size++;
      bytesUsed += bytes;
      const tail = run(tails.get(key), task).finally(() => {
        if (tails.get(key) === tail) tails.delete(key);
        settle(bytes);
      });
      tails.set(key, tail);
    },
    idle: () => until(() => size === 0),
  };
}
