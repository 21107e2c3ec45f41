import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { compareQuantities, isSameAmount } from "../../../bridge/kube/quantity.ts";

describe("quantities", () => {
  for (const [less, more] of [
    [1, 2],
    [-1, 0.5],
    ["500m", 1],
    ["500m", "1"],
    ["999Mi", "1Gi"],
    ["1G", "1Gi"],
    ["1Ei", "9.3E18"],
    ["100n", "1u"],
    ["-1", "1"],
    ["1e3", "1001"],
    ["1E", "2e18"],
    [".5", "1."],
    ["9223372036854775807", "9223372036854775808"],
    ["1", 1e21],
  ] as const) {
    test(`${less} is less than ${more}`, () => {
      assert.ok((compareQuantities(less, more) ?? 0) < 0);
      assert.ok((compareQuantities(more, less) ?? 0) > 0);
      assert.equal(isSameAmount(less, more), false);
    });
  }

  for (const [one, other] of [
    ["1Gi", "1024Mi"],
    ["1", "1000m"],
    [1, "1"],
    [0.1, "100m"],
    ["1k", 1000],
    ["0", "-0m"],
  ] as const) {
    test(`${one} is as much as ${other}`, () => {
      assert.equal(compareQuantities(one, other), 0);
      assert.equal(isSameAmount(one, other), true);
    });
  }

  test("1.10 and 1.1 are two versions when both are text without a unit", () => {
    assert.equal(isSameAmount("1.10", "1.1"), false);
    assert.equal(isSameAmount("15", "15.0"), false);
  });

  for (const text of [
    "",
    ".",
    "-",
    "5 Gi",
    "1gi",
    "1KiB",
    "10s",
    "50%",
    "0x10",
    "1e9999",
    "Infinity",
    "1,5",
    "1e",
    "9".repeat(65),
  ]) {
    test(`"${text.slice(0, 20)}" is no amount`, () => assert.equal(compareQuantities(text, "1"), undefined));
  }
  for (const value of [undefined, null, true, [], {}]) {
    test(`${JSON.stringify(value)} is no amount`, () => assert.equal(compareQuantities(value, 1), undefined));
  }
});
