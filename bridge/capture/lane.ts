/**
 * Runs tasks in order for each key and in parallel across keys, at most so many and so many bytes at once: how order per object and
 * bounded memory go together. A task that fails ends its lane's owner: the error comes out of `enqueue` or `idle`.
 */

/** The lanes of one pipe. */
export interface Lanes {
  /** Tasks accepted and not finished. */
  readonly size: number;
  /**
   * Waits for room, then accepts a task behind those of the same key; `bytes` is what it holds in memory until it is done, default 0. Without a
   * promise where there is room, as there mostly is.
   */
  enqueue(key: string, task: () => Promise<void>, bytes?: number): Promise<void> | undefined;
  /** Resolves when every accepted task is done. */
  idle(): Promise<void>;
}

/** Makes lanes that accept at most `tasksMax` unfinished tasks of together at most `bytesMax`, but always one, however large. */
export function createLanes(tasksMax: number, bytesMax = Number.POSITIVE_INFINITY): Lanes {
  const lanes = new Map<string, { tail: Promise<void>; size: number }>();
  let size = 0;
  let bytesUsed = 0;
  let failure: { readonly error: unknown } | undefined;
  /** Made when somebody waits for it. */
  let changed: PromiseWithResolvers<void> | undefined;

  const accept = (key: string, task: () => Promise<void>, bytes: number) => {
    size++;
    bytesUsed += bytes;
    const lane = lanes.get(key);
    if (lane === undefined) lanes.set(key, { tail: run(undefined, key, task, bytes), size: 1 });
    else {
      lane.size++;
      lane.tail = run(lane.tail, key, task, bytes);
    }
  };
  const run = async (before: Promise<void> | undefined, key: string, task: () => Promise<void>, bytes: number) => {
    if (before !== undefined) await before;
    try {
      if (failure === undefined) await task();
    } catch (error) {
      failure ??= { error };
    }
    size--;
    bytesUsed -= bytes;
    const lane = lanes.get(key);
    if (lane !== undefined && --lane.size === 0) lanes.delete(key);
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
    enqueue(key, task, bytes = 0) {
      if (failure === undefined && hasRoom(bytes)) return void accept(key, task, bytes);
      return until(() => hasRoom(bytes)).then(() => accept(key, task, bytes));
    },
    idle: () => until(() => size === 0),
  };
}
