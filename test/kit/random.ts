/**
 * Random numbers that can be had again: the same seed gives the same numbers, so that a schedule that found something is replayed.
 * Source: mulberry32 (Tommy Ettinger), 32 bits of state, good enough for choosing.
 */

/** A source of random choices. */
export interface Random {
  /** From 0 up to, not including, 1. */
  next(): number;
  /** A number from `min` up to, not including, `max`. */
  between(min: number, max: number): number;
  /** One of the list, which must not be empty. */
  pick<T>(list: readonly T[]): T;
}

/** Starts a source at a seed. */
export function createRandom(seed: number): Random {
  let state = seed;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    next,
    between: (min, max) => min + next() * (max - min),
    pick<T>(list: readonly T[]): T {
      if (list.length === 0) throw new Error("there is nothing to pick from");
      return list[Math.floor(next() * list.length)] as T;
    },
  };
}
