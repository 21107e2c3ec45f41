import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { needNats } from "./kit/shared-kube.ts";
import { drawTerminal, wordsOf } from "./kit/terminal-picture.ts";
import { TOUR_COLUMNS, TOUR_TITLE, takeTour } from "./tour.ts";

/** Times, ports, sizes and the names of silences differ from one run to the next, and with them the width of columns. */
function lasting(line: string): string {
  return line
    .replace(/(?<=^|silence (?:show|end) )[a-z0-9]{6}(?=$|;| +on )/g, "#")
    .replace(/\d+(\.\d+)?( (ms|s|min|h|bytes|KiB|MiB))?\b/g, "#")
    .replace(/\s+/g, " ")
    .trim();
}

describe("the tour in the README", () => {
  test("says what its ten commands say today", async (t) => {
    if ((await needNats(t)) === undefined) return;
    const picture = wordsOf(readFileSync(join(import.meta.dirname, "../cli/tour.svg"), "utf8"));
    const today = wordsOf(drawTerminal(await takeTour(), TOUR_TITLE, TOUR_COLUMNS));
    assert.equal(today.filter((line) => line.startsWith("$ cr-reactor ")).length, 11, "the demo, and ten");
    assert.ok(
      today.every((line) => line.length <= TOUR_COLUMNS),
      "every line has room",
    );
    assert.deepEqual(picture.map(lasting), today.map(lasting), "draw it again: npm run tour");
  });
});
