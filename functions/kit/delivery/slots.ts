/**
 * How many tries of a subscription may run at once in this process, granted in the order they were asked for. One that must be alone asks
 * for all the slots. Its partitions share them; while one of them is paused, nothing is granted to it; once it is closed everybody who
 * waits there is sent away.
 */

/** The slots of one subscription, as one partition sees them. */
export interface Slots {
  /** Resolves to true when `count` slots are yours (give them back), to false when the slots were closed. */
  take(count: number): Promise<boolean>;
  give(count: number): void;
  pause(): void;
  resume(): void;
  /** For good: nobody gets a slot here any more. */
  close(): void;
}

interface Waiting {
  readonly count: number;
  readonly isPaused: () => boolean;
  readonly grant: (granted: boolean) => void;
}

/** Makes that many slots; each call of the result is one more that shares them. */
export function createSlots(slotsMax: number): () => Slots {
  const waiting: Waiting[] = [];
  let free = slotsMax;
  const grantNext = () => {
    for (;;) {
      const position = waiting.findIndex(({ isPaused }) => !isPaused());
      const next = waiting[position];
      if (next === undefined || next.count > free) return;
      waiting.splice(position, 1);
      free -= next.count;
      next.grant(true);
    }
  };
  return () => {
    let paused = false;
    let closed = false;
    const isPaused = () => paused;
    return {
      take(count) {
        if (closed) return Promise.resolve(false);
        const { promise, resolve } = Promise.withResolvers<boolean>();
        waiting.push({ count: Math.min(count, slotsMax), isPaused, grant: resolve });
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
        for (const own of waiting.filter((each) => each.isPaused === isPaused)) {
          waiting.splice(waiting.indexOf(own), 1);
          own.grant(false);
        }
        grantNext();
      },
    };
  };
}
