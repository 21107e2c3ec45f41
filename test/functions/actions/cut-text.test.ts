import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { cutEscaped, cutText } from "../../../functions/actions/cut-text.ts";

describe("a text that is cut", () => {
  const rows: { name: string; text: string; charsMax: number; expected: string }[] = [
    { name: "stays whole when it fits", text: "abc", charsMax: 3, expected: "abc" },
    { name: "ends in an ellipsis", text: "abcd", charsMax: 3, expected: "ab…" },
    { name: "keeps an emoji whole", text: "a😀b", charsMax: 3, expected: "a…" },
    { name: "keeps a family together", text: `a👩‍👩‍👧b`, charsMax: 6, expected: "a…" },
    { name: "keeps a letter and its accents", text: "ae\u0301\u0302b", charsMax: 4, expected: "a…" },
    {
      name: "parts what is no character any more",
      text: `a${"\u0301".repeat(500)}`,
      charsMax: 100,
      expected: `a${"\u0301".repeat(98)}…`,
    },
    { name: "may be nothing but the ellipsis", text: "😀😀", charsMax: 1, expected: "…" },
  ];
  for (const { name, text, charsMax, expected } of rows) {
    test(name, () => assert.equal(cutText(text, charsMax), expected));
  }

  test("never ends in half an entity", () => {
    for (let charsMax = 1; charsMax < 12; charsMax++) {
      assert.match(cutEscaped("a&amp;b&lt;c", charsMax), /^(?:[a-c]|&amp;|&lt;)*…?$/);
    }
  });

  test("is never longer than allowed, and well-formed, whatever it is", () => {
    const text = fc.string({
      unit: fc.oneof(fc.constantFrom("👩‍👩‍👧", "e\u0301", "&amp;", "🇩🇪", "\u0301"), fc.string({ unit: "binary" })),
      maxLength: 300,
    });
    fc.assert(
      fc.property(text, fc.integer({ min: 1, max: 400 }), (value, charsMax) => {
        const wellFormed = value.toWellFormed();
        for (const cut of [cutText(wellFormed, charsMax), cutEscaped(wellFormed.replace(/&(?!amp;)/g, ""), charsMax)]) {
          assert.ok(cut.length <= charsMax && cut.isWellFormed());
        }
      }),
    );
  });
});
