/**
 * Splits a stream of bytes into lines at 0x0A, and nowhere else: `node:readline` also splits at U+2028, which may stand raw in
 * JSON. What is behind the last line break when the stream ends was cut off, and is dropped.
 * Source: Kubernetes API concepts (a watch is a stream of JSON documents, one a line).
 */
import type { Readable } from "node:stream";

/** An object in etcd is at most 1.5 MiB, its JSON seldom twice that; a longer line is not a watch event. */
const LINE_BYTES_MAX = 16 * 1024 ** 2;
const LINE_BREAK = 0x0a;

/**
 * Yields the lines as texts, those that have come together in one piece: going through an async generator costs more than splitting a line off. Throws
 * when one is longer than 16 MiB, and whatever the stream throws.
 */
export async function* readLines(stream: Readable): AsyncGenerator<readonly string[]> {
  let parts: Buffer[] = [];
  let partsBytes = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    const lines: string[] = [];
    let start = 0;
    for (let end = chunk.indexOf(LINE_BREAK); end >= 0; end = chunk.indexOf(LINE_BREAK, start)) {
      const tail = chunk.subarray(start, end);
      start = end + 1;
      lines.push(parts.length === 0 ? tail.toString("utf8") : Buffer.concat([...parts, tail]).toString("utf8"));
      parts = [];
      partsBytes = 0;
    }
    if (lines.length > 0) yield lines;
    if (start === chunk.length) continue;
    parts.push(chunk.subarray(start));
    partsBytes += chunk.length - start;
    if (partsBytes > LINE_BYTES_MAX) throw new Error(`a line of the watch is longer than ${LINE_BYTES_MAX} bytes`);
  }
}
