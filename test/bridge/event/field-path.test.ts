import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { parseFieldPath, parsePointer, toDotted, toPointer, valueAt } from "../../../bridge/event/field-path.ts";

describe("a path", () => {
  const rows = [
    { name: "dotted", path: "spec.replicas", segments: ["spec", "replicas"] },
    {
      name: "with a quoted key",
      path: 'metadata.labels["app.kubernetes.io/name"]',
      segments: ["metadata", "labels", "app.kubernetes.io/name"],
    },
    {
      name: "with a key in single quotes",
      path: "metadata.annotations['a b']",
      segments: ["metadata", "annotations", "a b"],
    },
    { name: "with a position", path: "spec.containers[0].image", segments: ["spec", "containers", "0", "image"] },
    { name: "as a JSON Pointer", path: "/spec/replicas", segments: ["spec", "replicas"] },
    {
      name: "as a JSON Pointer with escapes",
      path: "/metadata/labels/a~1b~0c",
      segments: ["metadata", "labels", "a/b~c"],
    },
  ];
  for (const { name, path, segments } of rows) {
    test(name, () => assert.deepEqual(parseFieldPath(path), segments));
  }

  for (const path of ["", "spec..replicas", "spec.", "spec[", 'spec["a]', "spec[x]"]) {
    test(`"${path}" is refused, and both notations are shown`, () => {
      assert.throws(() => parseFieldPath(path), /write it as spec\.replicas/);
    });
  }

  test("both notations of any path lead to the same place", () => {
    const key = fc.string({ minLength: 1 });
    fc.assert(
      fc.property(fc.array(key, { minLength: 1 }), (segments) => {
        assert.deepEqual(parsePointer(toPointer(segments)), segments);
        assert.deepEqual(parseFieldPath(toDotted(segments)), segments);
      }),
    );
  });

  test("finds its value, and nothing that an object merely inherits", () => {
    const document = { spec: { list: [{ a: 1 }], none: null } };
    assert.equal(valueAt(document, ["spec", "list", "0", "a"]), 1);
    assert.equal(valueAt(document, ["spec", "none"]), null);
    assert.equal(valueAt(document, ["spec", "none", "deeper"]), undefined);
    assert.equal(valueAt(document, ["spec", "constructor"]), undefined);
  });
});
