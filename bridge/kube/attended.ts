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
 * Yields the items. When the reader is away with one of them for `awayMs` (noticed at most as much later), calls `onAway` at that moment,
 * and throws ReaderAwayError when it comes back.
 */
export async function* attended<T>(
  items: AsyncIterable<T>,
  awayMs: number,
  onAway: () => void,
): AsyncGenerator<T, void, void> {
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
  try {
    for await (const item of items) {
      given++;
      isOut = true;
      yield item;
      isOut = false;
      if (isAway) throw new ReaderAwayError("the reader was away for too long: the stream was given up");
    }
  } finally {
    clearInterval(timer);
  }
}
