/**
 * How many tries may run at once, granted in the order they were asked for. One that must be alone asks for all the slots. While
 * paused nothing is granted; once closed everybody who waits is sent away.
 */

/** The slots of one subscription. */
export interface Slots {
  /** Resolves to true when `count` slots are yours (give them back), to false when the slots were closed. */
  take(count: number): Promise<boolean>;
  give(count: number): void;
  pause(): void;
  resume(): void;
  /** For good: nobody gets a slot any more. */
  close(): void;
}

/** Makes that many slots. */
export function createSlots(slotsMax: number): Slots {
  const waiting: { readonly count: number; readonly grant: (granted: boolean) => void }[] = [];
  let free = slotsMax;
  let paused = false;
  let closed = false;

  const grantNext = () => {
    while (!paused && waiting[0] !== undefined && waiting[0].count <= free) {
      const next = waiting.shift();
      free -= next?.count ?? 0;
      next?.grant(true);
    }
  };
  return {
    take(count) {
      if (closed) return Promise.resolve(false);
      const { promise, resolve } = Promise.withResolvers<boolean>();
      waiting.push({ count: Math.min(count, slotsMax), grant: resolve });
      grantNext();
      return promise;
    },
    give(count) {
      free += Math.min(count, slotsMax);
      grantNext();
    },
    pause() {
      paused = true;
    },
    resume() {
      paused = false;
      grantNext();
    },
    close() {
      closed = true;
      for (const { grant } of waiting.splice(0)) grant(false);
    },
  };
}
