import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { describe, test } from "node:test";
import { readLines } from "../../../bridge/kube/line.ts";

describe("the lines of a watch", () => {
  const rows = [
    { name: "are split at line breaks", chunks: ["a\nb\n"], lines: ["a", "b"] },
    { name: "that come together are all there", chunks: ["a\nb\n\nc", "\nd\n"], lines: ["a", "b", "", "c", "d"] },
    { name: "are joined across chunks", chunks: ["a", "b", "c\nd", "\n"], lines: ["abc", "d"] },
    { name: "may hold U+2028, which node:readline would split at", chunks: ['"a\u2028b"\n'], lines: ['"a\u2028b"'] },
    { name: "that were cut off at the end are dropped", chunks: ["a\nb"], lines: ["a"] },
    {
      name: "keep characters whose bytes are split over chunks",
      chunks: [Buffer.from("é\n").subarray(0, 1), Buffer.from("é\n").subarray(1)],
      lines: ["é"],
    },
  ];
  for (const { name, chunks, lines } of rows) {
    test(name, async () => {
      const stream = Readable.from(chunks.map((chunk) => Buffer.from(chunk)));
      assert.deepEqual((await Array.fromAsync(readLines(stream))).flat(), lines);
    });
  }

  test("longer than any object are refused instead of filling the memory", async () => {
    const megabyte = Buffer.alloc(1024 ** 2, "x");
    const endless = Readable.from(
      (function* () {
        for (;;) yield megabyte;
      })(),
    );
    await assert.rejects(Array.fromAsync(readLines(endless)), /longer than/);
  });
});
