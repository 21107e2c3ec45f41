import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { compileGlob } from "../../../../functions/kit/filter/glob.ts";

describe("globs", () => {
  for (const [glob, text, expected] of [
    ["prod", "prod", true],
    ["prod", "prod-1", false],
    ["*", "", true],
    ["*", "anything", true],
    ["prod-*", "prod-1", true],
    ["prod-*", "prod", false],
    ["*-eu", "prod-eu", true],
    ["a*a", "a", false],
    ["a*b*c", "a-b-b-c", true],
    ["a*b*c", "a-c", false],
    ["*b*b*", "b", false],
    ["a.c", "abc", false],
    [`${"a*".repeat(30)}b`, "a".repeat(63), false],
  ] as const) {
    test(`${glob} ${expected ? "fits" : "does not fit"} "${text}"`, () =>
      assert.equal(compileGlob(glob)(text), expected));
  }
});
