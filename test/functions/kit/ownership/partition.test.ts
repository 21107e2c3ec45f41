import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { partitionToken } from "../../../../bridge/log/subject.ts";
import { consumerName, partitionIn, partitionSubjects } from "../../../../functions/kit/ownership/partition.ts";

const COUNTS = [1, 2, 4, 8, 16, 32, 64];
const fits = (pattern: string, subject: string) => {
  const tokens = subject.split(".");
  return pattern.split(".").every((token, i) => token === "*" || token === tokens[i]);
};

describe("partitions", () => {
  test("each object is in exactly one, whatever happens to it", () => {
    const base = "cr.*.g.Kind.*.*.updated.spec.*.*.*";
    for (const count of COUNTS) {
      for (let i = 0; i < 200; i++) {
        const object = `cr.lab.g.Kind.prod.n${i}`;
        const subject = `${object}.updated.spec._._.${partitionToken(object)}`;
        const indexes = Array.from({ length: count }, (_, index) => index).filter((index) =>
          partitionSubjects([base], { index, count }).some((pattern) => fits(pattern, subject)),
        );
        assert.equal(indexes.length, 1);
      }
    }
  });

  test("a plan of many subjects is made coarse before a consumer gets more than the server takes well", () => {
    const many = Array.from({ length: 64 }, (_, i) => `cr.*.g.Kind.n${i}.*.*.*.*.*.*`);
    for (const count of COUNTS) {
      const subjects = partitionSubjects(many, { index: 1 % count, count });
      assert.ok(subjects.length <= 1_024);
      assert.equal(new Set(subjects).size, subjects.length);
    }
    assert.equal(partitionSubjects(many, { index: 0, count: 2 })[0], "cr.*.g.Kind.*.*.*.*.*.*.00");
  });

  for (const { consumer, expected } of [
    { consumer: "cr-a", expected: { index: 0, count: 1 } },
    { consumer: "cr-a_3of8", expected: { index: 3, count: 8 } },
    { consumer: "cr-a-b", expected: undefined },
    { consumer: "cr-a-b_0of8", expected: undefined },
    { consumer: "cr-a_x", expected: undefined },
    { consumer: "other", expected: undefined },
  ]) {
    test(`the name ${consumer} is ${expected ? "" : "not "}one of subscription a`, () => {
      assert.deepEqual(partitionIn(consumer, "a"), expected);
      if (expected !== undefined) assert.equal(consumerName("a", expected), consumer);
    });
  }
});
