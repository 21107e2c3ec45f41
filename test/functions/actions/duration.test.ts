import assert from "node:assert/strict";
import { test } from "node:test";
import { durationInWords } from "../../../functions/actions/duration.ts";

test("a duration reads as its two largest units", () => {
  const rows: [seconds: number, words: string][] = [
    [0, "less than 1 s"],
    [45, "45 s"],
    [60, "1 m"],
    [61, "1 m 1 s"],
    [3_600, "1 h"],
    [3_605, "1 h"],
    [8_123, "2 h 15 m"],
    [90_061, "1 d 1 h"],
    [86_400 * 400, "400 d"],
  ];
  for (const [seconds, words] of rows) assert.equal(durationInWords(seconds), words);
});
