import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { compileLike } from "../../../../functions/kit/expression/like-pattern.ts";

/** The meaning of a pattern, by trying everything; only for short texts. */
function reference(pattern: readonly string[], text: readonly string[]): boolean {
  const [first, ...rest] = pattern;
  if (first === undefined) return text.length === 0;
  if (first === "%")
    return Array.from({ length: text.length + 1 }, (_, taken) => text.slice(taken)).some((left) =>
      reference(rest, left),
    );
  if (first === "\\" && (rest[0] === "%" || rest[0] === "_"))
    return text[0] === rest[0] && reference(rest.slice(1), text.slice(1));
  return text.length > 0 && (first === "_" || text[0] === first) && reference(rest, text.slice(1));
}

test("LIKE takes what its definition takes", () => {
  const part = fc.constantFrom("a", "b", "%", "_", "\\%", "\\_", "\\", "😀", "\n", ".");
  const character = fc.constantFrom("a", "b", "%", "_", "\\", "😀", "\n", ".");
  fc.assert(
    fc.property(fc.array(part, { maxLength: 7 }), fc.array(character, { maxLength: 7 }), (parts, characters) => {
      const [pattern, text] = [parts.join(""), characters.join("")];
      assert.equal(compileLike(pattern)(text), reference([...pattern], [...text]));
    }),
    { numRuns: 5_000 },
  );
});

describe("LIKE ends on", () => {
  const text = "a".repeat(4_000);
  for (const { name, pattern } of [
    { name: "many wildcards", pattern: `${"%a".repeat(1_000)}%b` },
    { name: "many single characters", pattern: `%${"_".repeat(1_000)}b` },
    { name: "nothing but wildcards and a last letter", pattern: `${"%".repeat(2_000)}b` },
  ]) {
    test(name, () => assert.equal(compileLike(pattern)(text), false));
  }
});
