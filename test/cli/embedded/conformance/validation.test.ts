/** A custom kind's schema is enforced: what is pruned, defaulted and refused, and the words of each refusal. */
import assert from "node:assert/strict";
import { conformCases } from "./case.ts";
import { accepted, refusal } from "./raw.ts";
import type { Desk } from "./widget.ts";

const GROUP = "validation.conformance.example.com";

/** The causes for which this spec is refused: reason, field and message. */
const refusedSpec = (spec: unknown) => async (desk: Desk) => {
  const answer = await desk.send("POST", desk.path(), { body: desk.widget(spec as object) });
  assert.equal(refusal(answer).code, 422);
  const causes = answer.body["details"].causes as readonly Record<string, string>[];
  return causes.map(({ reason, field, message }) => `${reason} ${field}: ${message}`);
};

/** The reason and the field of the first cause, where the real server's words are about its own workings. */
const refusedField = (spec: unknown) => async (desk: Desk) => (await refusedSpec(spec)(desk))[0]?.split(":")[0];

/** The spec that is stored for this one. */
const keptSpec = (spec: object) => async (desk: Desk) =>
  accepted(await desk.send("POST", desk.path(), { body: desk.widget(spec) }), 201)["spec"];

conformCases("The schema of a custom kind", GROUP, [
  {
    name: "defaults are put in, in items too",
    run: keptSpec({ size: 1, ports: [{ name: "a" }] }),
    expected: { color: "green", ports: [{ name: "a", protocol: "TCP" }], size: 1 },
  },
  {
    name: "a default does not override",
    run: keptSpec({ size: 1, color: "red" }),
    expected: { color: "red", size: 1 },
  },
  {
    name: "a null is replaced by the default where the field is not nullable",
    run: keptSpec({ size: 1, color: null }),
    expected: { color: "green", size: 1 },
  },
  {
    name: "a null is kept where the field is nullable",
    run: keptSpec({ size: 1, maybe: null }),
    expected: { color: "green", maybe: null, size: 1 },
  },
  {
    name: "a null without a default is dropped",
    run: keptSpec({ size: 1, code: null }),
    expected: { color: "green", size: 1 },
  },
  {
    name: "an unknown field is pruned, in objects and items too",
    run: keptSpec({ size: 1, no: 1, nested: { a: "x", no: 1 }, ports: [{ name: "a", no: 1 }] }),
    expected: { color: "green", nested: { a: "x" }, ports: [{ name: "a", protocol: "TCP" }], size: 1 },
  },
  {
    name: "what is open to unknown fields keeps them",
    run: keptSpec({ size: 1, free: { a: { b: [null, 1.5, "x"] } }, limits: { x: 1 } }),
    expected: { color: "green", free: { a: { b: [null, 1.5, "x"] } }, limits: { x: 1 }, size: 1 },
  },
  {
    name: "an int-or-string may be a number",
    run: keptSpec({ size: 1, port: 80 }),
    expected: { color: "green", port: 80, size: 1 },
  },
  {
    name: "an int-or-string may be a text",
    run: keptSpec({ size: 1, port: "http" }),
    expected: { color: "green", port: "http", size: 1 },
  },
  {
    name: "a whole number may be written with a fraction of zero",
    run: async (desk) => {
      const body = JSON.stringify(desk.widget()).replace('"size":1', '"size":1.0');
      return accepted(await desk.send("POST", desk.path(), { body }), 201)["spec"];
    },
    expected: { color: "green", size: 1 },
  },
  {
    name: "an int-or-string may be nothing else",
    run: refusedSpec({ size: 1, port: true }),
    expected: [
      'FieldValueTypeInvalid spec.port: Invalid value: "boolean": spec.port in body must be of type integer,string: "boolean"',
    ],
  },
  {
    name: "a required field is missed",
    run: refusedSpec({}),
    expected: ["FieldValueRequired spec.size: Required value"],
  },
  {
    name: "a required object is missed",
    run: refusedSpec(null),
    expected: ["FieldValueRequired spec: Required value"],
  },
  {
    name: "a required field of an item is missed",
    run: refusedSpec({ size: 1, ports: [{ port: 1 }] }),
    expected: ["FieldValueRequired spec.ports[0].name: Required value"],
  },
  {
    name: "a text is no integer",
    run: refusedSpec({ size: "1" }),
    expected: [
      'FieldValueTypeInvalid spec.size: Invalid value: "string": spec.size in body must be of type integer: "string"',
    ],
  },
  { name: "a fraction is no integer", run: refusedField({ size: 1.5 }), expected: "FieldValueTypeInvalid spec.size" },
  {
    name: "a number is no text",
    run: refusedSpec({ size: 1, maybe: 5 }),
    expected: [
      'FieldValueTypeInvalid spec.maybe: Invalid value: "integer": spec.maybe in body must be of type string: "integer"',
    ],
  },
  {
    name: "a text is no boolean",
    run: refusedSpec({ size: 1, enabled: "true" }),
    expected: [
      'FieldValueTypeInvalid spec.enabled: Invalid value: "string": spec.enabled in body must be of type boolean: "string"',
    ],
  },
  {
    name: "a text is no object",
    run: refusedSpec({ size: 1, nested: "x" }),
    expected: [
      'FieldValueTypeInvalid spec.nested: Invalid value: "string": spec.nested in body must be of type object: "string"',
    ],
  },
  {
    name: "an object is no array",
    run: refusedSpec({ size: 1, args: {} }),
    expected: [
      'FieldValueTypeInvalid spec.args: Invalid value: "object": spec.args in body must be of type array: "object"',
    ],
  },
  {
    name: "an array is no object",
    run: refusedSpec({ size: 1, nested: [] }),
    expected: [
      'FieldValueTypeInvalid spec.nested: Invalid value: "array": spec.nested in body must be of type object: "array"',
    ],
  },
  {
    name: "a spec that is a text",
    run: refusedField("text"),
    expected: "FieldValueTypeInvalid spec",
  },
  {
    name: "a type is wrong in a map",
    run: refusedSpec({ size: 1, limits: { a: "x" } }),
    expected: [
      'FieldValueTypeInvalid spec.limits.a: Invalid value: "string": spec.limits.a in body must be of type integer: "string"',
    ],
  },
  {
    name: "a type is wrong in an item",
    run: refusedSpec({ size: 1, args: ["a", 1] }),
    expected: [
      'FieldValueTypeInvalid spec.args[1]: Invalid value: "integer": spec.args[1] in body must be of type string: "integer"',
    ],
  },
  {
    name: "an integer below the minimum",
    run: refusedSpec({ size: 0 }),
    expected: ["FieldValueInvalid spec.size: Invalid value: 0: spec.size in body should be greater than or equal to 1"],
  },
  {
    name: "an integer above the maximum",
    run: refusedSpec({ size: 11 }),
    expected: ["FieldValueInvalid spec.size: Invalid value: 11: spec.size in body should be less than or equal to 10"],
  },
  {
    name: "a number at an exclusive minimum",
    run: refusedSpec({ size: 1, ratio: 0 }),
    expected: ["FieldValueInvalid spec.ratio: Invalid value: 0: spec.ratio in body should be greater than 0"],
  },
  {
    name: "a number that is no multiple",
    run: refusedSpec({ size: 1, step: 0.7 }),
    expected: ["FieldValueInvalid spec.step: Invalid value: 0.7: spec.step in body should be a multiple of 0.5"],
  },
  {
    name: "an int32 that is too large",
    run: async (desk) =>
      (await desk.send("POST", desk.path(), { body: desk.widget({ size: 1, replicas: 3_000_000_000 }) })).status,
    expected: 422,
  },
  {
    name: "a text that is none of the choices",
    run: refusedSpec({ size: 1, color: "pink" }),
    expected: [
      'FieldValueNotSupported spec.color: Unsupported value: "pink": supported values: "red", "green", "blue"',
    ],
  },
  {
    name: "a text that breaks the pattern",
    run: refusedSpec({ size: 1, code: "A1" }),
    expected: ["FieldValueInvalid spec.code: Invalid value: \"A1\": spec.code in body should match '^[a-z]+$'"],
  },
  {
    name: "a text that is too short",
    run: refusedSpec({ size: 1, code: "a" }),
    expected: ['FieldValueInvalid spec.code: Invalid value: "a": spec.code in body should be at least 2 chars long'],
  },
  {
    name: "a text that is too long",
    run: refusedSpec({ size: 1, code: "abcdef" }),
    expected: ["FieldValueTooLong spec.code: Too long: may not be more than 5 bytes"],
  },
  {
    name: "a text that is no time",
    run: refusedSpec({ size: 1, when: "yesterday" }),
    expected: [
      'FieldValueTypeInvalid spec.when: Invalid value: "yesterday": spec.when in body must be of type date-time: "yesterday"',
    ],
  },
  {
    name: "a time",
    run: keptSpec({ size: 1, when: "2026-01-02T03:04:05Z" }),
    expected: { color: "green", size: 1, when: "2026-01-02T03:04:05Z" },
  },
  {
    name: "too few items",
    run: refusedSpec({ size: 1, args: [] }),
    expected: ["FieldValueInvalid spec.args: Invalid value: 0: spec.args in body should have at least 1 items"],
  },
  {
    name: "too many items",
    run: refusedSpec({ size: 1, args: ["a", "b", "c", "d"] }),
    expected: ["FieldValueTooMany spec.args: Too many: 4: must have at most 3 items"],
  },
  {
    name: "too many entries",
    run: refusedSpec({ size: 1, limits: { a: 1, b: 2, c: 3 } }),
    expected: ["FieldValueTooMany spec.limits: Too many: 3: must have at most 2 items"],
  },
  {
    name: "an item twice in a set",
    run: refusedSpec({ size: 1, tags: ["a", "b", "a"] }),
    expected: ['FieldValueDuplicate spec.tags[2]: Duplicate value: "a"'],
  },
  {
    name: "a key twice in a keyed list",
    run: refusedSpec({ size: 1, ports: [{ name: "a" }, { name: "b" }, { name: "a" }] }),
    expected: ['FieldValueDuplicate spec.ports[2]: Duplicate value: {"name":"a"}'],
  },
  {
    name: "several at once",
    run: async (desk) => {
      const causes = await refusedSpec({ size: 0, color: "pink", code: "A", nested: { a: 1 } })(desk);
      return causes.map((cause) => cause.split(":")[0]).sort(); // they come in any order
    },
    expected: [
      "FieldValueInvalid spec.code",
      "FieldValueInvalid spec.size",
      "FieldValueNotSupported spec.color",
      "FieldValueTypeInvalid spec.nested.a",
    ],
  },
]);
