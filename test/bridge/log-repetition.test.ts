import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createRepetition } from "../../bridge/log-repetition.ts";

const WARN = 40;
const FATAL = 60;
const failed = { level: WARN, sentence: "failed; trying again", owner: "database-failed" };

/** Lines, and the end of the minute that the first of each kind began. */
function openMinute() {
  const timers: (() => void)[] = [];
  const told: string[] = [];
  const repetition = createRepetition(
    ({ sentence, owner }, count) => told.push(`${owner}: ${sentence} ×${count}`),
    (callback) => timers.push(callback),
  );
  const write = (count: number, line = failed) =>
    Array.from({ length: count }, () => repetition.admits(line)).filter(Boolean).length;
  return { write, told, endMinute: () => timers.splice(0).map((end) => end()) };
}

describe("a warning that repeats itself", () => {
  test("is written thirty times a minute, and how often it was left out is told once", () => {
    const { write, told, endMinute } = openMinute();
    assert.equal(write(10_000), 30);
    assert.deepEqual(told, []);
    endMinute();
    assert.deepEqual(told, ["database-failed: failed; trying again ×9970"]);
  });

  test("is written again in the next minute", () => {
    const { write, endMinute } = openMinute();
    write(100);
    endMinute();
    assert.equal(write(1), 1);
  });

  test("that was never left out needs no count", () => {
    const { write, told, endMinute } = openMinute();
    write(30);
    endMinute();
    assert.deepEqual(told, []);
  });

  const same = [
    { name: "with another number in it", line: { ...failed, sentence: "given up: dead letter 2" }, isSame: true },
    { name: "of another subscription", line: { ...failed, owner: "other" }, isSame: false },
    { name: "of another level", line: { ...failed, level: 50 }, isSame: false },
    { name: "with another sentence", line: { ...failed, sentence: "NATS is away" }, isSame: false },
  ];
  for (const { name, line, isSame } of same) {
    test(`${name} is ${isSame ? "the same" : "another"}`, () => {
      const { write } = openMinute();
      write(30, isSame ? { ...failed, sentence: "given up: dead letter 1" } : failed);
      assert.equal(write(1, line), isSame ? 0 : 1);
    });
  }

  test("keeps memory bounded, however many kinds there are", () => {
    const { write } = openMinute();
    let written = 0;
    for (let kind = 0; kind < 2_000; kind++) written += write(1, { ...failed, owner: `subscription-${kind}` });
    assert.equal(written, 530);
  });
});

describe("written always", () => {
  const rows = [
    { name: "what is no warning", level: 30 },
    { name: "what ends the process", level: FATAL },
  ];
  for (const { name, level } of rows) {
    test(name, () => {
      const { write } = openMinute();
      assert.equal(write(1_000, { ...failed, level }), 1_000);
    });
  }
});
