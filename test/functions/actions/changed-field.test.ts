import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Json, parseFieldPath, type ValueOperation } from "#contract";
import { changedField, readingOrder } from "../../../functions/actions/changed-field.ts";

const replace = (path: string, oldValue: Json, value: Json): ValueOperation => ({
  op: "replace",
  path,
  value,
  oldValue,
});

describe("a changed field", () => {
  const long = "x".repeat(5_000);
  const rows: {
    name: string;
    operation: ValueOperation;
    expected: [path: string, from: string | null, to: string | null];
  }[] = [
    { name: "shows a number", operation: replace("/spec/replicas", 3, 5), expected: ["spec.replicas", "3", "5"] },
    {
      name: "shows what is new",
      operation: { op: "add", path: "/spec/tier", value: "gold" },
      expected: ["spec.tier", null, "gold"],
    },
    {
      name: "shows what is gone",
      operation: { op: "remove", path: "/spec/tier", oldValue: "gold" },
      expected: ["spec.tier", "gold", null],
    },
    {
      name: "names a list's element",
      operation: replace("/spec/hosts/0/port", 80, 81),
      expected: ["spec.hosts[0].port", "80", "81"],
    },
    {
      name: "quotes an unusual key",
      operation: replace("/metadata/annotations/a.b~1c", "x", "y"),
      expected: ['metadata.annotations["a.b/c"]', "x", "y"],
    },
    {
      name: "keeps null apart from nothing",
      operation: replace("/spec/a", null, 1),
      expected: ["spec.a", "null", "1"],
    },
    { name: "keeps 5 apart from its text", operation: replace("/spec/a", 5, "5"), expected: ["spec.a", "5", '"5"'] },
    { name: "quotes an empty text", operation: replace("/spec/a", "", " b"), expected: ["spec.a", '""', '" b"'] },
    {
      name: "shows a small object whole",
      operation: { op: "add", path: "/spec/limits", value: { cpu: "2" } },
      expected: ["spec.limits", null, '{"cpu":"2"}'],
    },
    {
      name: "summarises a large object by its keys",
      operation: { op: "add", path: "/spec/map", value: Object.fromEntries([..."abcdefgh"].map((key) => [key, 1])) },
      expected: ["spec.map", null, "{a, b, c, d, e, … 8 fields}"],
    },
    {
      name: "summarises a long list by its length",
      operation: { op: "remove", path: "/spec/list", oldValue: Array.from({ length: 40 }, () => long) },
      expected: ["spec.list", "[40 items]", null],
    },
    {
      name: "cuts a long text",
      operation: { op: "add", path: "/spec/text", value: long },
      expected: ["spec.text", null, `${"x".repeat(120)}…`],
    },
    {
      name: "cuts two long texts to where they differ",
      operation: replace("/spec/text", `${long}old`, `${long}new`),
      expected: ["spec.text", `…${"x".repeat(20)}old`, `…${"x".repeat(20)}new`],
    },
  ];
  for (const { name, operation, expected } of rows) {
    test(name, () => {
      const { path, from, to } = changedField(operation);
      assert.deepEqual([path, from, to], expected);
    });
  }

  test("has a path that filters take as it stands", () => {
    for (const path of [
      "/spec/replicas",
      "/metadata/labels/app.kubernetes.io~1name",
      '/data/we"ird\\ key',
      "/spec/l/0/x",
      "/spec/",
    ]) {
      assert.deepEqual(parseFieldPath(changedField(replace(path, 1, 2)).path), parseFieldPath(path));
    }
  });
});

describe("the order of fields", () => {
  test("is spec and data first, then metadata, then status", () => {
    const patch = ["/status/a", "/metadata/labels/a", "/spec/b", "/data/c"].map((path) => replace(path, 1, 2));
    assert.deepEqual(
      readingOrder(patch).map(({ path }) => path),
      ["/spec/b", "/data/c", "/metadata/labels/a", "/status/a"],
    );
  });

  test("a status that appears is told field by field", () => {
    const patch: ValueOperation[] = [{ op: "add", path: "/status", value: { phase: "Running", ready: true } }];
    assert.deepEqual(readingOrder(patch), [
      { op: "add", path: "/status/phase", value: "Running" },
      { op: "add", path: "/status/ready", value: true },
    ]);
  });
});
