import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { diff } from "../../../bridge/event/diff.ts";
import { applyPatch, undoPatch } from "../../../bridge/event/patch.ts";
import { pathSet } from "../../../bridge/event/path-set.ts";
import type { Json } from "../../../bridge/kube/kube-object.ts";

describe("the difference of two states", () => {
  const rows: { name: string; before: Json; after: Json; ignore?: string[]; patch: unknown[] }[] = [
    { name: "nothing changed", before: { a: [1, { b: null }] }, after: { a: [1, { b: null }] }, patch: [] },
    {
      name: "a value was replaced, and the old one is told",
      before: { spec: { replicas: 3 } },
      after: { spec: { replicas: 5 } },
      patch: [{ op: "replace", path: "/spec/replicas", value: 5, oldValue: 3 }],
    },
    {
      name: "keys came and went",
      before: { spec: { old: 1 } },
      after: { spec: { new: { deep: true } } },
      patch: [
        { op: "remove", path: "/spec/old", oldValue: 1 },
        { op: "add", path: "/spec/new", value: { deep: true } },
      ],
    },
    {
      name: "null is a value, not an absence",
      before: { a: null },
      after: {},
      patch: [{ op: "remove", path: "/a", oldValue: null }],
    },
    {
      name: "a list is compared by position and grows at its end",
      before: { l: [1, 2] },
      after: { l: [1, 3, 4] },
      patch: [
        { op: "replace", path: "/l/1", value: 3, oldValue: 2 },
        { op: "add", path: "/l/2", value: 4 },
      ],
    },
    {
      name: "a list shrinks from its end, so that each operation finds its place",
      before: { l: [1, 2, 3] },
      after: { l: [1] },
      patch: [
        { op: "remove", path: "/l/2", oldValue: 3 },
        { op: "remove", path: "/l/1", oldValue: 2 },
      ],
    },
    {
      name: "a map that became a list was replaced",
      before: { a: {} },
      after: { a: [] },
      patch: [{ op: "replace", path: "/a", value: [], oldValue: {} }],
    },
    {
      name: "keys are escaped as RFC 6901 says",
      before: { "a/b~c": 1 },
      after: { "a/b~c": 2 },
      patch: [{ op: "replace", path: "/a~1b~0c", value: 2, oldValue: 1 }],
    },
    {
      name: "ignored paths make no operation",
      before: { metadata: { resourceVersion: "1" }, status: { beats: { a: { time: 1, ok: true } } } },
      after: { metadata: { resourceVersion: "2" }, status: { beats: { a: { time: 2, ok: false } } } },
      ignore: ["/metadata/resourceVersion", "status.beats.*.time"],
      patch: [{ op: "replace", path: "/status/beats/a/ok", value: false, oldValue: true }],
    },
    {
      name: "a wildcard and a key beside it both count",
      before: { s: { a: { x: 1, y: 1 }, b: { x: 1, y: 1 } } },
      after: { s: { a: { x: 2, y: 2 }, b: { x: 2, y: 2 } } },
      ignore: ["/s/*/x", "/s/a/y"],
      patch: [{ op: "replace", path: "/s/b/y", value: 2, oldValue: 1 }],
    },
  ];
  const many = Object.fromEntries(Array.from({ length: 200 }, (_, index) => [`key-${index}`, "as it was"]));
  rows.push(
    {
      name: "a map of very many keys is compared as one of few",
      before: { ...many, went: 1, "key-7": 1 },
      after: { came: 1, ...many },
      patch: [
        { op: "replace", path: "/key-7", value: "as it was", oldValue: 1 },
        { op: "remove", path: "/went", oldValue: 1 },
        { op: "add", path: "/came", value: 1 },
      ],
    },
    {
      name: "so is a map whose keys are numbers, and one in another order",
      before: { a: 1, b: 2, "8080": { x: 1 } },
      after: { b: 2, "443": 0, "8080": { x: 2 }, a: 1 },
      patch: [
        { op: "replace", path: "/8080/x", value: 2, oldValue: 1 },
        { op: "add", path: "/443", value: 0 },
      ],
    },
  );
  for (const { name, before, after, ignore = [], patch } of rows) {
    test(name, () => assert.deepEqual(diff(before, after, { ignored: pathSet(ignore) }), patch));
  }
});

describe("a patch", () => {
  const json = fc.jsonValue({ maxDepth: 4, noUnicodeString: false }) as fc.Arbitrary<Json>;

  test("applied to before gives after, undone on after gives before, for any two documents", () => {
    fc.assert(
      fc.property(json, json, (a, b) => {
        // JSON has no negative zero; the wire would turn it into zero.
        const [before, after] = [a, b].map((value) => JSON.parse(JSON.stringify(value)) as Json) as [Json, Json];
        const patch = diff(before, after);
        assert.deepEqual(applyPatch(before, patch), after);
        assert.deepEqual(undoPatch(after, patch), before);
      }),
      { numRuns: 2_000 },
    );
  });

  test("survives the wire: keys that JavaScript treats specially are only keys", () => {
    const before = JSON.parse('{"a":{"__proto__":{"x":1},"constructor":1}}') as Json;
    const after = JSON.parse('{"a":{"__proto__":{"x":2},"toString":2}}') as Json;
    const patch = diff(before, after);
    assert.equal(
      JSON.stringify(undoPatch(after, JSON.parse(JSON.stringify(patch)))),
      '{"a":{"__proto__":{"x":1},"constructor":1}}',
    );
    assert.equal(({} as { x?: number }).x, undefined);
  });

  test("leaves the documents alone", () => {
    const after = { spec: { list: [1] } };
    undoPatch(after, [{ op: "add", path: "/spec/list/0", value: 1 }]);
    assert.deepEqual(after, { spec: { list: [1] } });
  });

  test("that does not fit the object is refused, not half applied", () => {
    assert.throws(
      () => applyPatch({}, [{ op: "replace", path: "/a/b", value: 1, oldValue: 2 }]),
      /nothing at "\/a\/b"/,
    );
  });
});
