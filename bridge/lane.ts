/**
 * Runs tasks in order for each key and in parallel across keys, at most so many at once: how order per object and a bounded number
 * of objects in flight go together. A task that fails ends its lane's owner: the error comes out of `enqueue` or `idle`.
 */

/** The lanes of one pipe. */
export interface Lanes {
  /** Tasks accepted and not finished. */
  readonly size: number;
  /** Accepts a task behind those of the same key; resolves when there is room for the next one, not when it is done. */
  enqueue(key: string, task: () => Promise<void>): Promise<void>;
  /** Resolves when every accepted task is done. */
  idle(): Promise<void>;
}

/** Makes lanes that accept at most `tasksMax` unfinished tasks. */
export function createLanes(tasksMax: number): Lanes {
  const tails = new Map<string, Promise<void>>();
  let size = 0;
  let failure: { readonly error: unknown } | undefined;
  let changed = Promise.withResolvers<void>();

  const settle = () => {
    size--;
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
    async enqueue(key, task) {
      await until(() => size < tasksMax);
      size++;
      const tail = run(tails.get(key), task).finally(() => {
        if (tails.get(key) === tail) tails.delete(key);
        settle();
      });
      tails.set(key, tail);
    },
    idle: () => until(() => size === 0),
  };
}
