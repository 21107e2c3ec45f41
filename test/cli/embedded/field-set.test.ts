import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { FieldSet } from "../../../cli/embedded/field/field-set.ts";
import {
  difference,
  elementKey,
  formatFieldSet,
  formatPath,
  hasPath,
  intersection,
  isEmpty,
  NO_FIELDS,
  parseFieldSet,
  pathsOf,
  recursiveDifference,
  setOfPaths,
  union,
  valueKey,
} from "../../../cli/embedded/field/field-set.ts";
import { fieldTypeOf } from "../../../cli/embedded/field/field-type.ts";
import { compare, fieldsOf, merge, withoutFields } from "../../../cli/embedded/field/typed-value.ts";
import type { Json, JsonObject } from "../../../cli/embedded/object/object.ts";
import { SHELF } from "./field-case.ts";

const SHELF_TYPE = fieldTypeOf(SHELF.openApi);
const parsed = (fields: JsonObject): FieldSet => {
  const set = parseFieldSet(fields);
  assert.ok(set, JSON.stringify(fields));
  return set;
};

describe("a set of fields in its FieldsV1 form", () => {
  const rows: readonly { name: string; fields: JsonObject; expected: JsonObject | undefined }[] = [
    {
      name: "comes back as it was, a parent with a dot only where it belongs to the set",
      fields: { "f:a": { ".": {}, "f:b": {} }, "f:c": { "f:d": {} } },
      expected: { "f:a": { ".": {}, "f:b": {} }, "f:c": { "f:d": {} } },
    },
    {
      name: "has the keys of an element sorted, however a client wrote them",
      fields: { "f:a": { 'k:{"z": 1, "b":"x"}': {} } },
      expected: { "f:a": { 'k:{"b":"x","z":1}': {} } },
    },
    { name: "escapes texts as the real server does", fields: { 'v:"<"': {} }, expected: { 'v:"\\u003c"': {} } },
    {
      name: "leaves out kinds of keys that are yet to come",
      fields: { "x:1": {}, "f:a": {} },
      expected: { "f:a": {} },
    },
    { name: "takes null for a field of which nothing is said", fields: { "f:a": null }, expected: { "f:a": {} } },
    { name: "is refused with a key that has no kind", fields: { a: {} }, expected: undefined },
    { name: "is refused with an element that is no JSON", fields: { "k:{": {} }, expected: undefined },
    { name: "is refused with something else than fields in it", fields: { "f:a": "b" }, expected: undefined },
  ];
  for (const { name, fields, expected } of rows) {
    test(name, () => {
      const set = parseFieldSet(fields);
      assert.deepEqual(set && formatFieldSet(set), expected);
    });
  }

  test("lists fields before elements, elements by their fields, numbers by their size and before texts", () => {
    const keys = ["v:10", 'v:"a"', "v:9", 'k:{"port":443}', 'k:{"port":80}', 'k:{"name":"a"}', "f:b", "f:B", "v:true"];
    const expected = [
      "f:B",
      "f:b",
      'k:{"name":"a"}',
      'k:{"port":80}',
      'k:{"port":443}',
      "v:9",
      "v:10",
      'v:"a"',
      "v:true",
    ];
    assert.deepEqual(Object.keys(formatFieldSet(setOfPaths(keys.map((key) => [key])))), expected);
  });

  test("names a field in a message as the real server does", () => {
    const path = ["f:status", "f:conditions", elementKey({ type: "Ready", id: 1 }), "f:seen", valueKey("a")];
    assert.equal(formatPath(path), '.status.conditions[id=1,type="Ready"].seen[="a"]');
  });
});

describe("the fields of an object", () => {
  const rows: readonly { name: string; spec: JsonObject; expected: Json }[] = [
    {
      name: "are its values, wherever they are nested",
      spec: { nested: { a: "1", b: { c: "2" } } },
      expected: { "f:nested": { "f:a": {}, "f:b": { "f:c": {} } } },
    },
    {
      name: "are the keys of a map, which count themselves",
      spec: { limits: { x: { cpu: "1" } } },
      expected: { "f:limits": { "f:x": { ".": {}, "f:cpu": {} } } },
    },
    { name: "are one for an atomic object", spec: { whole: { a: "1" } }, expected: { "f:whole": {} } },
    {
      name: "are one for a list without a list type",
      spec: { list: ["a"], plain: [{ a: "1" }] },
      expected: { "f:list": {}, "f:plain": {} },
    },
    {
      name: "are the elements of a set",
      spec: { tags: ["b", "a"] },
      expected: { "f:tags": { 'v:"a"': {}, 'v:"b"': {} } },
    },
    {
      name: "are the elements of a keyed list, a key that is left out having its default",
      spec: { ports: [{ port: 80, name: "n" }] },
      expected: { "f:ports": { 'k:{"port":80,"protocol":"TCP"}': { ".": {}, "f:name": {}, "f:port": {} } } },
    },
    {
      name: "are deduced where the schema says nothing",
      spec: { free: { a: { b: [1] } } },
      expected: { "f:free": { "f:a": { ".": {}, "f:b": {} } } },
    },
    {
      name: "are an empty object, but not an empty list of elements",
      spec: { names: {}, tags: [], list: [] },
      expected: { "f:list": {}, "f:names": {} },
    },
    {
      name: "are the elements with the same key as one",
      spec: { ports: [{ port: 1 }, { port: 1 }] },
      expected: { "f:ports": { 'k:{"port":1,"protocol":"TCP"}': {} } },
    },
  ];
  for (const { name, spec, expected } of rows) {
    test(name, () => assert.deepEqual(formatFieldSet(fieldsOf(SHELF_TYPE, { spec })), { "f:spec": expected }));
  }
});

describe("the difference of two states", () => {
  const all: JsonObject = {
    data: { a: "1" },
    spec: {
      size: 1,
      nested: { a: "1", b: { c: "x" } },
      names: { a: "b" },
      whole: { a: "1" },
      tags: ["x", "y"],
      list: ["a"],
      ports: [{ port: 1, protocol: "X" }],
      free: { a: { b: 1 } },
    },
  };
  const rows: readonly { name: string; after: JsonObject; expected: JsonObject }[] = [
    {
      name: "is nothing between equal ones",
      after: structuredClone(all) as JsonObject,
      expected: { added: {}, modified: {}, removed: {} },
    },
    {
      name: "names what has gone with all that was in it",
      after: { spec: all["spec"] },
      expected: { added: {}, modified: {}, removed: { "f:data": { ".": {}, "f:a": {} } } },
    },
    {
      name: "does not care for the order of a set, but for that of a list",
      after: { ...all, spec: { ...(all["spec"] as JsonObject), tags: ["y", "x"], list: ["b", "a"] } },
      expected: { added: {}, modified: { "f:spec": { "f:list": {} } }, removed: {} },
    },
  ];
  for (const { name, after, expected } of rows) {
    test(name, () => {
      const sets = Object.entries(compare(SHELF_TYPE, all, after)).map(([how, set]) => [how, formatFieldSet(set)]);
      assert.deepEqual(Object.fromEntries(sets), expected);
    });
  }
});

const keys = fc.constantFrom("f:a", "f:b", "f:c", 'v:"x"', "v:1", 'k:{"id":1}', 'k:{"id":2}');
const sets = fc.array(fc.array(keys, { minLength: 1, maxLength: 4 }), { maxLength: 12 }).map(setOfPaths);
const texts = (set: FieldSet): string[] =>
  pathsOf(set)
    .map((path) => path.join("/"))
    .sort();
const setsOfTwo = (check: (a: FieldSet, b: FieldSet) => void) => fc.assert(fc.property(sets, sets, check));

describe("sets of fields", () => {
  test("are what they contain: union, intersection and difference are those of their fields", () => {
    setsOfTwo((a, b) => {
      const [left, right] = [texts(a), texts(b)];
      assert.deepEqual(texts(union(a, b)), [...new Set([...left, ...right])].sort());
      assert.deepEqual(
        texts(intersection(a, b)),
        left.filter((path) => right.includes(path)),
      );
      assert.deepEqual(
        texts(difference(a, b)),
        left.filter((path) => !right.includes(path)),
      );
    });
  });

  test("lose with a field what is below it, when they are asked to", () => {
    setsOfTwo((a, b) => {
      const right = texts(b);
      const isBelow = (path: string) => right.some((other) => path === other || path.startsWith(`${other}/`));
      assert.deepEqual(
        texts(recursiveDifference(a, b)),
        texts(a).filter((path) => !isBelow(path)),
      );
    });
  });

  test("survive being written and read", () => {
    fc.assert(fc.property(sets, (set) => assert.deepEqual(texts(parsed(formatFieldSet(set))), texts(set))));
  });

  test("know each of their fields, and are empty without any", () => {
    fc.assert(
      fc.property(sets, (set) => {
        assert.ok(pathsOf(set).every((path) => hasPath(set, path)));
        assert.equal(isEmpty(set), texts(set).length === 0);
        assert.equal(isEmpty(difference(set, set)), true);
        assert.deepEqual(texts(union(set, NO_FIELDS)), texts(set));
      }),
    );
  });
});

const word = fc.constantFrom("a", "b", "c", "d");
const specs = fc.record(
  {
    size: fc.nat(3),
    nested: fc.record({ a: word, b: fc.record({ c: word }, { requiredKeys: [] }) }, { requiredKeys: [] }),
    names: fc.dictionary(word, word, { maxKeys: 3 }),
    whole: fc.record({ a: word, b: word }, { requiredKeys: [] }),
    tags: fc.uniqueArray(word),
    list: fc.array(word, { maxLength: 3 }),
    ports: fc.uniqueArray(fc.record({ port: fc.nat(3), protocol: word, name: word }), {
      selector: ({ port, protocol }) => `${port} ${protocol}`,
    }),
    free: fc.dictionary(word, fc.oneof(word, fc.nat(2), fc.dictionary(word, word, { maxKeys: 2 })), { maxKeys: 3 }),
  },
  { requiredKeys: [] },
) as fc.Arbitrary<JsonObject>;
const states = specs.map((spec) => JSON.parse(JSON.stringify({ spec: { ...spec, owner: "o" } })) as JsonObject);

describe("two states of an object", () => {
  test("differ in nothing that one has not from the other: what is added one way is removed the other way", () => {
    fc.assert(
      fc.property(states, states, (a, b) => {
        const [there, back] = [compare(SHELF_TYPE, a, b), compare(SHELF_TYPE, b, a)];
        assert.deepEqual(texts(there.added), texts(back.removed));
        assert.deepEqual(texts(there.modified), texts(back.modified));
      }),
    );
  });

  test("merged have every field of the other as the other has it, and what is merged again stays as it is", () => {
    fc.assert(
      fc.property(states, states, (a, b) => {
        const merged = merge(SHELF_TYPE, a, b);
        const { added, modified } = compare(SHELF_TYPE, merged, b);
        assert.deepEqual([texts(added), texts(intersection(modified, fieldsOf(SHELF_TYPE, b)))], [[], []]);
        assert.deepEqual(merge(SHELF_TYPE, merged, b), merged);
        assert.deepEqual(merge(SHELF_TYPE, a, a), a);
      }),
    );
  });

  test("without some fields has none of them left", () => {
    fc.assert(
      fc.property(states, states, (a, b) => {
        const taken = intersection(fieldsOf(SHELF_TYPE, a), fieldsOf(SHELF_TYPE, b));
        const rest = withoutFields(SHELF_TYPE, a, taken);
        const leftovers = intersection(compare(SHELF_TYPE, { spec: {} }, rest ?? {}).added, taken);
        const nulls = texts(leftovers).filter((path) => /^f:spec\/f:[a-z]+$/.test(path)); // a container that has lost everything
        assert.deepEqual(texts(leftovers), nulls);
      }),
    );
  });
});
