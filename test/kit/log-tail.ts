/**
 * The last lines that a server wrote, kept in memory for error messages, and a way to wait for a line. Bounded: a server that
 * logs all day costs no more than LINES_MAX lines.
 */
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";

/** Enough for a Go stack trace with what led to it. */
const LINES_MAX = 200;

/** kube-apiserver can log whole objects on one line. */
const LINE_CHARS_MAX = 2000;

/** Fed with streams, asked for lines. */
export interface LogTail {
  /** Takes in a stream's lines until it ends. */
  add(stream: Readable): void;
  /** Calls `listener` with each new line until the returned function is called. */
  onLine(listener: (line: string) => void): () => void;
  /** The last `count` lines, at most the 200 that are kept. */
  text(count?: number): string;
}

/** An empty log tail. */
export function createLogTail(): LogTail {
  const lines: string[] = [];
  const listeners = new Set<(line: string) => void>();
  function take(raw: string): void {
    const line = raw.slice(0, LINE_CHARS_MAX);
    lines.push(line);
    if (lines.length > LINES_MAX) lines.shift();
    for (const listener of listeners) listener(line);
  }
  return {
    add(stream) {
      createInterface({ input: stream }).on("line", take);
    },
    onLine(listener) {
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
      };
    },
    text: (count = LINES_MAX) => lines.slice(-count).join("\n"),
  };
}
