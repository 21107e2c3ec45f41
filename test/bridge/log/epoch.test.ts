/** Versions that are ordered across restores of etcd. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { compareResourceVersions } from "../../../bridge/kube/kube-object.ts";
import { epochOf, resourceVersionOf, versionIn } from "../../../bridge/log/epoch.ts";

describe("a version in its epoch", () => {
  const rows = [
    { name: "is the resourceVersion itself in the first one", epoch: 1, version: "42", expected: "42" },
    { name: "has the epoch in front in a later one", epoch: 2, version: "42", expected: "200000000000000000042" },
    {
      name: "keeps the longest version there can be",
      epoch: 3,
      version: "9223372036854775807",
      expected: "309223372036854775807",
    },
  ];
  for (const { name, epoch, version, expected } of rows) {
    test(name, () => {
      assert.equal(versionIn(epoch, version), expected);
      assert.deepEqual([epochOf(expected), resourceVersionOf(expected)], [epoch, version]);
    });
  }

  test("is newer than every version of an earlier one", () => {
    const ordered = [
      versionIn(1, "5"),
      versionIn(1, "9223372036854775807"),
      versionIn(2, "1"),
      versionIn(2, "7"),
      versionIn(11, "1"),
    ];
    assert.deepEqual(ordered.toSorted(compareResourceVersions), ordered);
  });
});
