/**
 * Notices that the reader of a stream does not come back from one single item, however slow it is with many: then its connection can be
 * closed, instead of making the other side keep what nobody reads. It costs two assignments an item and one timer a stream.
 */

/** The reader came back, from an item that it was away with for so long that the stream was given up. */
export class ReaderAwayError extends Error {
  readonly code = "READER_AWAY";
  override readonly name = "ReaderAwayError";
}

/**
 * Yields the items, batch by batch as they come. When the reader is away with one of them for `awayMs` (noticed at most as much later), calls
 * `onAway` at that moment, and throws ReaderAwayError when it comes back.
 */
export async function* attended<T>(
  batches: AsyncIterable<readonly T[]>,
  awayMs: number,
  onAway: () => void,
): AsyncGenerator<Iterable<T>, void, void> {
  let given = 0;
  let givenBefore = 0;
  let isOut = false;
  let isAway = false;
  const timer = setInterval(() => {
    if (isOut && given === givenBefore) {
      clearInterval(timer);
      isAway = true;
      onAway();
    }
    givenBefore = given;
  }, awayMs);
  const handedOut = function* (batch: readonly T[]) {
    for (const item of batch) {
      given++;
      isOut = true;
      yield item;
      isOut = false;
      if (isAway) throw new ReaderAwayError("the reader was away for too long: the stream was given up");
    }
  };
  try {
    for await (const batch of batches) yield handedOut(batch);
  } finally {
    clearInterval(timer);
  }
}
