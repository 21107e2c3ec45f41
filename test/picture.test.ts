import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { needNats } from "./kit/shared-kube.ts";
import { drawTerminal, wordsOf } from "./kit/terminal-picture.ts";
import { runDemo } from "./picture.ts";

/** What differs from one run to the next: times, ports, and the namespace's random end. */
function lasting(line: string): string {
  return line
    .replace(/\s+\d+ ms$/, " # ms")
    .replace(/\s+[\d.]+ s$/, " # s")
    .replace(/:\d{4,5}\b/, ":#")
    .replace(/demo-[0-9a-f]{6}/g, "demo-#");
}

describe("the picture in the README", () => {
  test("says what the demo says today", async (t) => {
    if ((await needNats(t)) === undefined) return;
    const picture = readFileSync(join(import.meta.dirname, "../cli/demo.svg"), "utf8");
    const today = wordsOf(drawTerminal(await runDemo(), "npm run demo", 80));
    assert.deepEqual(wordsOf(picture).map(lasting), today.map(lasting), "draw it again: npm run picture");
  });
});

describe("a terminal's picture", () => {
  const rows = [
    { name: "keeps every word", output: "a  b\n\nc", words: ["a  b", "", "c"] },
    { name: "keeps what means something in XML", output: `<a> & "b"`, words: [`<a> & "b"`] },
    { name: "keeps no escape sequence", output: "\u001b[1m\u001b[32m✔\u001b[39m\u001b[22m done", words: ["✔ done"] },
  ];
  for (const { name, output, words } of rows) {
    test(name, () => assert.deepEqual(wordsOf(drawTerminal(output, "command", 80)), words));
  }

  test("shows colours and weights", () => {
    const svg = drawTerminal(
      "\u001b[1mbold\u001b[22m \u001b[2mdim\u001b[22m \u001b[31mred\u001b[39m plain",
      "command",
      80,
    );
    assert.match(svg, /class="b">bold</);
    assert.match(svg, /class="d">dim</);
    assert.match(svg, /fill="#ff7b72"[^>]*>red</);
    assert.match(svg, /<tspan x="[\d.]+"> plain</);
  });
});
