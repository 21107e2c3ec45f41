import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { diff } from "../../bridge/event/diff.ts";
import { applyPatch, undoPatch, valueOperations } from "../../bridge/event/patch.ts";
import { pathSet } from "../../bridge/event/path-set.ts";
import type { Json } from "../../bridge/kube/kube-object.ts";
import { OpenApiDocument, type Shape, shapeOf } from "../../bridge/kube/list-shape.ts";

const NAMED = { group: "demo.example.com", version: "v1", kind: "Database" };

/** The shape of a kind with this schema; parts named in `definitions` can be referred to. */
function shapeFrom(properties: object, definitions: object = {}): Shape | undefined {
  const gvk = { "x-kubernetes-group-version-kind": [NAMED] };
  const schemas = { "com.example.Database": { ...gvk, type: "object", properties }, ...definitions };
  return shapeOf(OpenApiDocument.parse({ components: { schemas } }), NAMED);
}

const list = (type: string, rest: object = {}) => ({ type: "array", "x-kubernetes-list-type": type, ...rest });
const ports = list("map", { "x-kubernetes-list-map-keys": ["port", "protocol"], items: { type: "object" } });
const spec = {
  spec: {
    properties: {
      ports,
      hosts: list("set"),
      args: list("atomic"),
      selector: { type: "object", "x-kubernetes-map-type": "atomic" },
      groups: list("map", { "x-kubernetes-list-map-keys": ["name"], items: { properties: { members: list("set") } } }),
      byName: { type: "object", additionalProperties: { properties: { hosts: list("set") } } },
      plain: { type: "array" },
    },
  },
};
const shape = shapeFrom(spec);
const condition = (type: string, status: string) => ({ type, status });

describe("a list is compared as its schema says", () => {
  const rows: { name: string; before: Json; after: Json; ignore?: string[]; patch: unknown[] }[] = [
    {
      name: "a condition that moved is no change",
      before: { status: { conditions: [condition("Ready", "True"), condition("Synced", "True")] } },
      after: { status: { conditions: [condition("Synced", "True"), condition("Ready", "True")] } },
      patch: [],
    },
    {
      name: "a condition that changed is an operation on that element only, also behind a new one",
      before: { status: { conditions: [condition("Ready", "True")] } },
      after: { status: { conditions: [condition("Synced", "True"), condition("Ready", "False")] } },
      patch: [
        { op: "add", path: "/status/conditions/0", value: condition("Synced", "True") },
        { op: "replace", path: "/status/conditions/1/status", value: "False", oldValue: "True" },
      ],
    },
    {
      name: "a condition that changed and moved says so, so that the patch fits",
      before: { status: { conditions: [condition("Ready", "True"), condition("Synced", "True")] } },
      after: { status: { conditions: [condition("Synced", "False"), condition("Ready", "True")] } },
      patch: [
        { op: "move", from: "/status/conditions/1", path: "/status/conditions/0" },
        { op: "replace", path: "/status/conditions/0/status", value: "False", oldValue: "True" },
      ],
    },
    {
      name: "an element that went is a removal of it, not a change of all behind it",
      before: { status: { conditions: [condition("A", "1"), condition("B", "2"), condition("C", "3")] } },
      after: { status: { conditions: [condition("B", "2"), condition("C", "3")] } },
      patch: [{ op: "remove", path: "/status/conditions/0", oldValue: condition("A", "1") }],
    },
    {
      name: "several keys name an element together",
      before: {
        spec: {
          ports: [
            { port: 53, protocol: "TCP", n: 1 },
            { port: 53, protocol: "UDP", n: 1 },
          ],
        },
      },
      after: {
        spec: {
          ports: [
            { port: 53, protocol: "UDP", n: 2 },
            { port: 53, protocol: "TCP", n: 1 },
          ],
        },
      },
      patch: [
        { op: "move", from: "/spec/ports/1", path: "/spec/ports/0" },
        { op: "replace", path: "/spec/ports/0/n", value: 2, oldValue: 1 },
      ],
    },
    {
      name: "the order of a set is nothing, what it has is told",
      before: { spec: { hosts: ["a", "b"] } },
      after: { spec: { hosts: ["c", "b"] } },
      patch: [
        { op: "remove", path: "/spec/hosts/0", oldValue: "a" },
        { op: "add", path: "/spec/hosts/0", value: "c" },
      ],
    },
    {
      name: "finalizers are a set in every kind",
      before: { metadata: { finalizers: ["a", "b"] } },
      after: { metadata: { finalizers: ["b", "a"] } },
      patch: [],
    },
    {
      name: "an atomic list is replaced as a whole",
      before: { spec: { args: ["a", { b: 1 }] } },
      after: { spec: { args: ["a", { b: 2 }] } },
      patch: [{ op: "replace", path: "/spec/args", value: ["a", { b: 2 }], oldValue: ["a", { b: 1 }] }],
    },
    {
      name: "an atomic map too",
      before: { spec: { selector: { a: "1", b: "1" } } },
      after: { spec: { selector: { a: "1", b: "2" } } },
      patch: [{ op: "replace", path: "/spec/selector", value: { a: "1", b: "2" }, oldValue: { a: "1", b: "1" } }],
    },
    {
      name: "what is ignored in an atomic list does not replace it",
      before: { spec: { args: [{ seen: 1 }] } },
      after: { spec: { args: [{ seen: 2 }] } },
      ignore: ["/spec/args/*/seen"],
      patch: [],
    },
    {
      name: "lists in elements of keyed lists",
      before: {
        spec: {
          groups: [
            { name: "x", members: ["a"] },
            { name: "y", members: ["b", "c"] },
          ],
        },
      },
      after: {
        spec: {
          groups: [
            { name: "y", members: ["c", "b"] },
            { name: "x", members: ["a"] },
          ],
        },
      },
      patch: [],
    },
    {
      name: "lists below keys that no schema names",
      before: { spec: { byName: { any: { hosts: ["a", "b"] } } } },
      after: { spec: { byName: { any: { hosts: ["b", "a"] } } } },
      patch: [],
    },
    {
      name: "a list of which the schema says nothing is compared by position",
      before: { spec: { plain: [{ name: "a" }, { name: "b" }] } },
      after: { spec: { plain: [{ name: "b" }] } },
      patch: [
        { op: "replace", path: "/spec/plain/0/name", value: "b", oldValue: "a" },
        { op: "remove", path: "/spec/plain/1", oldValue: { name: "b" } },
      ],
    },
    {
      name: "elements without their key, or with the same one, are compared by position",
      before: {
        status: {
          conditions: [
            { type: "A", n: 1 },
            { type: "A", n: 2 },
          ],
        },
      },
      after: { status: { conditions: [{ type: "A", n: 1 }, { n: 3 }] } },
      patch: [
        { op: "remove", path: "/status/conditions/1/type", oldValue: "A" },
        { op: "replace", path: "/status/conditions/1/n", value: 3, oldValue: 2 },
      ],
    },
    {
      name: "ignored fields of moved elements",
      before: {
        status: {
          conditions: [
            { type: "A", beat: 1 },
            { type: "B", beat: 1 },
          ],
        },
      },
      after: {
        status: {
          conditions: [
            { type: "B", beat: 2 },
            { type: "A", beat: 2 },
          ],
        },
      },
      ignore: ["/status/conditions/*/beat"],
      patch: [],
    },
  ];
  for (const { name, before, after, ignore = [], patch } of rows) {
    test(name, () => assert.deepEqual(diff(before, after, { ignored: pathSet(ignore), shape }), patch));
  }
});

describe("with keyed lists, sets and atomic lists a patch", () => {
  const element = fc.record({ name: fc.constantFrom("a", "b", "c", "d", "e"), members: fc.uniqueArray(fc.nat(4)) });
  const generated = fc.record({
    spec: fc.record({
      groups: fc.uniqueArray(element, { selector: ({ name }) => name }),
      hosts: fc.uniqueArray(fc.constantFrom("a", "b", "c", "d", "e", "f")),
      args: fc.array(fc.nat(2), { maxLength: 3 }),
      ports: fc.array(fc.record({ port: fc.nat(2), protocol: fc.constantFrom("TCP", "UDP"), n: fc.nat(1) }), {
        maxLength: 4,
      }),
    }),
  });

  /** As the API server would send it: plain objects. */
  const state = generated.map((value) => JSON.parse(JSON.stringify(value)) as Json);

  test("is empty, or fits exactly in both directions, for any two states", () => {
    fc.assert(
      fc.property(state, state, (before, after) => {
        const patch = diff(before, after, { shape });
        if (patch.length === 0) return assert.deepEqual(inOrder(before), inOrder(after));
        assert.ok(valueOperations(patch).length > 0);
        assert.deepEqual(applyPatch(before, patch), after);
        assert.deepEqual(undoPatch(after, patch), before);
      }),
      { numRuns: 3_000 },
    );
  });

  test("of a thousand elements in reverse order is still found, and fits", () => {
    const elements = Array.from({ length: 1_000 }, (_, index) => ({ name: `n${index}` }));
    const before = { spec: { groups: elements } };
    const after = { spec: { groups: [...elements.toReversed(), { name: "new" }] } };
    const patch = diff(before, after, { shape });
    assert.deepEqual(applyPatch(before, patch), after);
    assert.deepEqual(undoPatch(after, patch), before);
  });
});

describe("the shape of a kind", () => {
  test("is read through references, also when a schema contains itself", () => {
    const node = { properties: { hosts: list("set"), inner: { $ref: "#/components/schemas/Node" } } };
    const read = shapeFrom({ spec: { allOf: [{ $ref: "#/components/schemas/Node" }] } }, { Node: node });
    const [before, after] = [
      ["a", "b"],
      ["b", "a"],
    ].map((hosts) => ({ spec: { hosts } }));
    assert.deepEqual(diff(before as Json, after as Json, { shape: read }), []);
  });

  test("is undefined for a kind that the document does not have", () => {
    assert.equal(shapeOf(OpenApiDocument.parse({ components: { schemas: {} } }), NAMED), undefined);
  });
});

/** Sets and keyed lists in one order. */
function inOrder(value: unknown): unknown {
  if (Array.isArray(value))
    return value.map(inOrder).toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, inOrder(inner)]));
}
