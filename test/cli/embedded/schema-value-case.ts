/**
 * Schemas and values for schema.test.ts: a schema each, put under `spec.<field>` of one kind, with a value and what the API server says about it.
 * The causes are the real server's, word by word.
 */
import type { Json } from "../../../cli/embedded/object/object.ts";
import type { OpenApiSchema } from "../../../cli/embedded/schema/value-schema.ts";

/** One value under one schema. */
export interface SchemaCase {
  readonly name: string;
  /** The field of `spec` that has the schema. */
  readonly field: string;
  readonly schema: OpenApiSchema;
  readonly value: Json;
  /** The valid value that is there already; then the case is an update. */
  readonly before?: Json;
  /** `<reason> <field>: <message>` each, sorted. */
  readonly expected: readonly string[];
}

const text: OpenApiSchema = { type: "string" };
const integer: OpenApiSchema = { type: "integer" };
const object = (properties: Record<string, OpenApiSchema>, rest: OpenApiSchema = {}): OpenApiSchema => ({
  type: "object",
  properties,
  ...rest,
});
const list = (items: OpenApiSchema, rest: OpenApiSchema = {}): OpenApiSchema => ({ type: "array", items, ...rest });

const FORMATS: readonly {
  readonly format: string;
  readonly good: readonly string[];
  readonly bad: readonly string[];
}[] = [
  {
    format: "date-time",
    good: ["2026-11-21T08:00:00Z", "2026-11-21t08:00:00.5+01:00"],
    bad: ["2026-11-21 08:00", "2026-02-30T08:00:00Z"],
  },
  { format: "date", good: ["2026-11-21"], bad: ["2026-02-30", "today"] },
  { format: "duration", good: ["1h30m", "22 ns", "3 days"], bad: ["soon", "1"] },
  { format: "email", good: ["a@example.com", "A <a@example.com>"], bad: ["a@", "example.com"] },
  { format: "hostname", good: ["example.com"], bad: ["-a.example", "a_b"] },
  { format: "ipv4", good: ["127.0.0.1"], bad: ["256.0.0.1", "::1"] },
  { format: "ipv6", good: ["::1"], bad: ["127.0.0.1", "::g"] },
  { format: "cidr", good: ["10.0.0.0/8"], bad: ["10.0.0.0/33", "10.0.0.0"] },
  { format: "mac", good: ["00:00:5e:00:53:01", "0000.5e00.5301"], bad: ["00:00:5e"] },
  { format: "uri", good: ["https://example.com/a?b", "/a"], bad: ["example.com", "http://a b"] },
  { format: "uuid", good: ["6f1c5a2e-6a52-4b3c-9f2d-0a1b2c3d4e5f"], bad: ["6f1c"] },
  { format: "uuid4", good: [], bad: ["6f1c5a2e-6a52-3b3c-9f2d-0a1b2c3d4e5f"] },
  { format: "byte", good: ["aGVsbG8="], bad: ["aGVsbG8", "-_=="] },
  { format: "hexcolor", good: ["#fff"], bad: ["#ff"] },
  { format: "rgbcolor", good: ["rgb(255,0,1)"], bad: ["rgb(256,0,1)"] },
  { format: "isbn", good: ["978-0321751041", "0321751043"], bad: ["0321751044"] },
  { format: "creditcard", good: ["4111 1111 1111 1111"], bad: ["4111 1111 1111 1112"] },
  { format: "ssn", good: ["111-22-3333"], bad: ["11-22-3333"] },
  { format: "password", good: ["x"], bad: [] },
  { format: "k8s-short-name", good: ["a-1"], bad: ["A", "a."] },
  { format: "k8s-long-name", good: ["a.b"], bad: ["a..b"] },
  { format: "unheard", good: ["anything"], bad: [] },
];

function formatCase(format: string, value: string, index: number, isGood: boolean): SchemaCase {
  const field = `${isGood ? "good" : "bad"}${format.replaceAll("-", "")}${index}`;
  const shown = JSON.stringify(value);
  const cause = `FieldValueTypeInvalid spec.${field}: Invalid value: ${shown}: spec.${field} in body must be of type ${format}: ${shown}`;
  const name = `${value} is ${isGood ? "a" : "no"} ${format}`;
  return { name, field, schema: { type: "string", format }, value, expected: isGood ? [] : [cause] };
}

/** What the values of a schema may be. */
export const valueCases: readonly SchemaCase[] = [
  {
    name: "a text for a number",
    field: "typeNumber",
    schema: integer,
    value: "three",
    expected: [
      'FieldValueTypeInvalid spec.typeNumber: Invalid value: "string": spec.typeNumber in body must be of type integer: "string"',
    ],
  },
  {
    name: "a number for a text",
    field: "typeText",
    schema: text,
    value: 3,
    expected: [
      'FieldValueTypeInvalid spec.typeText: Invalid value: "integer": spec.typeText in body must be of type string: "integer"',
    ],
  },
  {
    name: "a fraction for an integer",
    field: "typeInteger",
    schema: integer,
    value: 1.5,
    expected: [
      'FieldValueInvalid <nil>: Invalid value: "": Checked value must be of type integer (default format) in spec.typeInteger',
      'FieldValueTypeInvalid spec.typeInteger: Invalid value: "number": spec.typeInteger in body must be of type integer: "number"',
    ],
  },
  { name: "an integer for a number", field: "typeDouble", schema: { type: "number" }, value: 3, expected: [] },
  {
    name: "an object for a list",
    field: "typeList",
    schema: list(text),
    value: {},
    expected: [
      'FieldValueTypeInvalid spec.typeList: Invalid value: "object": spec.typeList in body must be of type array: "object"',
    ],
  },
  {
    name: "a list for an object",
    field: "typeObject",
    schema: object({ a: text }),
    value: ["a"],
    expected: [
      'FieldValueTypeInvalid spec.typeObject: Invalid value: "array": spec.typeObject in body must be of type object: "array"',
    ],
  },
  {
    name: "a truth value for a text",
    field: "typeBoolean",
    schema: text,
    value: true,
    expected: [
      'FieldValueTypeInvalid spec.typeBoolean: Invalid value: "boolean": spec.typeBoolean in body must be of type string: "boolean"',
    ],
  },
  {
    name: "null in a list",
    field: "nullItem",
    schema: list(text),
    value: ["a", null],
    expected: [
      'FieldValueTypeInvalid spec.nullItem[1]: Invalid value: "null": spec.nullItem[1] in body must be of type string: "null"',
    ],
  },
  {
    name: "null where null may be",
    field: "nullAllowed",
    schema: { type: "string", nullable: true },
    value: null,
    expected: [],
  },
  {
    name: "null where null may be, but not among the values",
    field: "nullEnum",
    schema: { type: "string", nullable: true, enum: ["a"] },
    value: null,
    expected: ['FieldValueNotSupported spec.nullEnum: Unsupported value: null: supported values: "a"'],
  },
  {
    name: "a missing field",
    field: "required",
    schema: object({ a: text, b: text }, { required: ["a", "b"] }),
    value: { a: "x" },
    expected: ["FieldValueRequired spec.required.b: Required value"],
  },
  {
    name: "a missing field in an item",
    field: "requiredItem",
    schema: list(object({ a: text }, { required: ["a"] })),
    value: [{ a: "x" }, {}],
    expected: ["FieldValueRequired spec.requiredItem[1].a: Required value"],
  },
  {
    name: "a value that is not among the allowed",
    field: "enumText",
    schema: { type: "string", enum: ["a", 'b"c'] },
    value: "x",
    expected: ['FieldValueNotSupported spec.enumText: Unsupported value: "x": supported values: "a", "b\\"c"'],
  },
  {
    name: "a number that is not among the allowed",
    field: "enumNumber",
    schema: { type: "integer", enum: [1, 2] },
    value: 3,
    expected: ['FieldValueNotSupported spec.enumNumber: Unsupported value: 3: supported values: "1", "2"'],
  },
  {
    name: "wrong in type and value at once",
    field: "enumType",
    schema: { type: "string", enum: ["a"] },
    value: 3,
    expected: [
      'FieldValueNotSupported spec.enumType: Unsupported value: 3: supported values: "a"',
      'FieldValueTypeInvalid spec.enumType: Invalid value: "integer": spec.enumType in body must be of type string: "integer"',
    ],
  },
  {
    name: "below the minimum",
    field: "minimum",
    schema: { type: "integer", minimum: 1 },
    value: 0,
    expected: [
      "FieldValueInvalid spec.minimum: Invalid value: 0: spec.minimum in body should be greater than or equal to 1",
    ],
  },
  {
    name: "above the maximum",
    field: "maximum",
    schema: { type: "integer", maximum: 9 },
    value: 10,
    expected: [
      "FieldValueInvalid spec.maximum: Invalid value: 10: spec.maximum in body should be less than or equal to 9",
    ],
  },
  {
    name: "at an exclusive minimum",
    field: "minimumExclusive",
    schema: { type: "number", minimum: 0.5, exclusiveMinimum: true },
    value: 0.5,
    expected: [
      "FieldValueInvalid spec.minimumExclusive: Invalid value: 0.5: spec.minimumExclusive in body should be greater than 0.5",
    ],
  },
  {
    name: "at an exclusive maximum",
    field: "maximumExclusive",
    schema: { type: "integer", maximum: 9, exclusiveMaximum: true },
    value: 9,
    expected: [
      "FieldValueInvalid spec.maximumExclusive: Invalid value: 9: spec.maximumExclusive in body should be less than 9",
    ],
  },
  {
    name: "no multiple",
    field: "multiple",
    schema: { type: "integer", multipleOf: 5 },
    value: 7,
    expected: ["FieldValueInvalid spec.multiple: Invalid value: 7: spec.multiple in body should be a multiple of 5"],
  },
  {
    name: "a multiple of a fraction",
    field: "multipleFraction",
    schema: { type: "number", multipleOf: 0.1 },
    value: 0.3,
    expected: [],
  },
  {
    name: "more than 32 bits",
    field: "int32",
    schema: { type: "integer", format: "int32" },
    value: 3_000_000_000,
    expected: [
      'FieldValueInvalid <nil>: Invalid value: "": Checked value must be of type integer with format int32 in spec.int32',
    ],
  },
  {
    name: "a tiny limit",
    field: "tiny",
    schema: { type: "number", minimum: 0.00001 },
    value: 0.0000001,
    expected: [
      "FieldValueInvalid spec.tiny: Invalid value: 1e-07: spec.tiny in body should be greater than or equal to 1e-05",
    ],
  },
  {
    name: "too short",
    field: "minLength",
    schema: { type: "string", minLength: 3 },
    value: "ab",
    expected: [
      'FieldValueInvalid spec.minLength: Invalid value: "ab": spec.minLength in body should be at least 3 chars long',
    ],
  },
  {
    name: "too long, in characters",
    field: "maxLength",
    schema: { type: "string", maxLength: 1 },
    value: "äö",
    expected: ["FieldValueTooLong spec.maxLength: Too long: may not be more than 1 byte"],
  },
  {
    name: "as long as may be, in characters",
    field: "maxLengthFits",
    schema: { type: "string", maxLength: 2 },
    value: "äö",
    expected: [],
  },
  {
    name: "another pattern",
    field: "pattern",
    schema: { type: "string", pattern: "^[a-z]+$" },
    value: "A1",
    expected: ["FieldValueInvalid spec.pattern: Invalid value: \"A1\": spec.pattern in body should match '^[a-z]+$'"],
  },
  {
    name: "another pattern, written for RE2",
    field: "patternRe2",
    schema: { type: "string", pattern: "(?i)^[[:alpha:]]\\z" },
    value: "é",
    expected: [
      "FieldValueInvalid spec.patternRe2: Invalid value: \"é\": spec.patternRe2 in body should match '(?i)^[[:alpha:]]\\z'",
    ],
  },
  {
    name: "a pattern that changes the rules after its start",
    field: "patternFlags",
    schema: { type: "string", pattern: "^(?i)(abort|warn)?$" },
    value: "Warned",
    expected: [
      `FieldValueInvalid spec.patternFlags: Invalid value: "Warned": spec.patternFlags in body should match '^(?i)(abort|warn)?$'`,
    ],
  },
  {
    name: "both too short and of another pattern",
    field: "lengthAndPattern",
    schema: { type: "string", minLength: 3, pattern: "^x" },
    value: "a",
    expected: [
      'FieldValueInvalid spec.lengthAndPattern: Invalid value: "a": spec.lengthAndPattern in body should be at least 3 chars long',
    ],
  },
  {
    name: "quotes and line breaks in the value",
    field: "quoted",
    schema: { type: "string", pattern: "^x$" },
    value: 'a"\n\u0001é<&',
    expected: [
      'FieldValueInvalid spec.quoted: Invalid value: "a\\"\\n\\x01é<&": spec.quoted in body should match \'^x$\'',
    ],
  },
  {
    name: "too few items",
    field: "minItems",
    schema: list(text, { minItems: 1 }),
    value: [],
    expected: ["FieldValueInvalid spec.minItems: Invalid value: 0: spec.minItems in body should have at least 1 items"],
  },
  {
    name: "too many items",
    field: "maxItems",
    schema: list(text, { maxItems: 1 }),
    value: ["a", "b"],
    expected: ["FieldValueTooMany spec.maxItems: Too many: 2: must have at most 1 item"],
  },
  {
    name: "too few fields",
    field: "minProperties",
    schema: { type: "object", additionalProperties: text, minProperties: 1 },
    value: {},
    expected: [
      "FieldValueInvalid spec.minProperties: Invalid value: 0: spec.minProperties in body should have at least 1 properties",
    ],
  },
  {
    name: "too many fields",
    field: "maxProperties",
    schema: { type: "object", additionalProperties: text, maxProperties: 1 },
    value: { a: "1", b: "2" },
    expected: ["FieldValueTooMany spec.maxProperties: Too many: 2: must have at most 1 item"],
  },
  {
    name: "a wrong value in a map",
    field: "map",
    schema: { type: "object", additionalProperties: integer },
    value: { "a.b/c": "x" },
    expected: [
      'FieldValueTypeInvalid spec.map.a.b/c: Invalid value: "string": spec.map.a.b/c in body must be of type integer: "string"',
    ],
  },
  {
    name: "twice in a set",
    field: "set",
    schema: list(text, { "x-kubernetes-list-type": "set" }),
    value: ["a", "b", "a", "a"],
    expected: ['FieldValueDuplicate spec.set[2]: Duplicate value: "a"'],
  },
  {
    name: "the same key twice",
    field: "keyed",
    schema: list(object({ k: text, v: text }, { required: ["k"] }), {
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["k"],
    }),
    value: [
      { k: "a", v: "1" },
      { k: "a", v: "2" },
    ],
    expected: ['FieldValueDuplicate spec.keyed[1]: Duplicate value: {"k":"a"}'],
  },
  {
    name: "the same two keys twice",
    field: "keyedTwice",
    schema: list(object({ a: integer, b: text }, { required: ["a", "b"] }), {
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["b", "a"],
    }),
    value: [
      { a: 1, b: "x" },
      { a: 2, b: "x" },
      { a: 1, b: "x" },
    ],
    expected: ['FieldValueDuplicate spec.keyedTwice[2]: Duplicate value: {"a":1,"b":"x"}'],
  },
  {
    name: "a duplicate in a list of a map",
    field: "keyedInMap",
    schema: { type: "object", additionalProperties: list(text, { "x-kubernetes-list-type": "set" }) },
    value: { m: ["a", "a"] },
    expected: ['FieldValueDuplicate spec.keyedInMap[m][1]: Duplicate value: "a"'],
  },
  {
    name: "an integer where both may be",
    field: "intOrString",
    schema: { "x-kubernetes-int-or-string": true },
    value: 3,
    expected: [],
  },
  {
    name: "a fraction where an integer or a text may be",
    field: "intOrStringWrong",
    schema: { "x-kubernetes-int-or-string": true },
    value: 3.5,
    expected: [
      'FieldValueTypeInvalid spec.intOrStringWrong: Invalid value: "number": spec.intOrStringWrong in body must be of type integer,string: "number"',
    ],
  },
  {
    name: "an embedded resource without type",
    field: "embedded",
    schema: { type: "object", "x-kubernetes-embedded-resource": true, "x-kubernetes-preserve-unknown-fields": true },
    value: { apiVersion: "", metadata: { name: "a" } },
    expected: [
      'FieldValueInvalid spec.embedded.apiVersion: Invalid value: "": must not be empty',
      "FieldValueRequired spec.embedded.kind: Required value",
    ],
  },
  {
    name: "no alternative, the nearest told",
    field: "anyOf",
    schema: object(
      { a: text, b: integer },
      {
        anyOf: [
          { required: ["c"], properties: { c: {} } },
          { required: ["a"], properties: { b: { minimum: 5 } } },
        ],
      },
    ),
    value: { a: "x", b: 1 },
    expected: [
      'FieldValueInvalid <nil>: Invalid value: "": "spec.anyOf" must validate at least one schema (anyOf)',
      "FieldValueInvalid spec.anyOf.b: Invalid value: 1: spec.anyOf.b in body should be greater than or equal to 5",
    ],
  },
  {
    name: "one alternative too many",
    field: "oneOfTwo",
    schema: object({ a: text, b: text }, { oneOf: [{ required: ["a"] }, { required: ["b"] }] }),
    value: { a: "x", b: "y" },
    expected: [
      'FieldValueInvalid <nil>: Invalid value: "": "spec.oneOfTwo" must validate one and only one schema (oneOf). Found 2 valid alternatives',
    ],
  },
  {
    name: "no alternative of exactly one",
    field: "oneOfNone",
    schema: object({ a: text, b: text }, { oneOf: [{ required: ["a"] }, { required: ["b"] }] }),
    value: {},
    expected: [
      'FieldValueInvalid <nil>: Invalid value: "": "spec.oneOfNone" must validate one and only one schema (oneOf). Found none valid',
      "FieldValueRequired spec.oneOfNone.a: Required value",
    ],
  },
  {
    name: "alternatives by length and pattern",
    field: "oneOfText",
    schema: { type: "string", oneOf: [{ pattern: "^a" }, { minLength: 5 }] },
    value: "b",
    expected: [
      'FieldValueInvalid <nil>: Invalid value: "": "spec.oneOfText" must validate one and only one schema (oneOf). Found none valid',
      "FieldValueInvalid spec.oneOfText: Invalid value: \"b\": spec.oneOfText in body should match '^a'",
    ],
  },
  {
    name: "not all of several",
    field: "allOf",
    schema: { type: "integer", allOf: [{ minimum: 5 }, { maximum: 9 }] },
    value: 3,
    expected: [
      'FieldValueInvalid <nil>: Invalid value: "": "spec.allOf" must validate all the schemas (allOf)',
      "FieldValueInvalid spec.allOf: Invalid value: 3: spec.allOf in body should be greater than or equal to 5",
    ],
  },
  {
    name: "none of several",
    field: "allOfNone",
    schema: { type: "integer", allOf: [{ minimum: 5 }, { multipleOf: 2 }] },
    value: 3,
    expected: [
      'FieldValueInvalid <nil>: Invalid value: "": "spec.allOfNone" must validate all the schemas (allOf). None validated',
      "FieldValueInvalid spec.allOfNone: Invalid value: 3: spec.allOfNone in body should be a multiple of 2",
      "FieldValueInvalid spec.allOfNone: Invalid value: 3: spec.allOfNone in body should be greater than or equal to 5",
    ],
  },
  {
    name: "what must not be",
    field: "not",
    schema: { type: "string", not: { enum: ["x"] } },
    value: "x",
    expected: ['FieldValueInvalid <nil>: Invalid value: "": "spec.not" must not validate the schema (not)'],
  },
  {
    name: "several faults at once",
    field: "several",
    schema: object({ a: integer, b: { type: "string", maxLength: 2 } }, { required: ["c"] }),
    value: { a: "x", b: "long" },
    expected: [
      "FieldValueRequired spec.several.c: Required value",
      "FieldValueTooLong spec.several.b: Too long: may not be more than 2 bytes",
      'FieldValueTypeInvalid spec.several.a: Invalid value: "string": spec.several.a in body must be of type integer: "string"',
    ],
  },
  ...FORMATS.flatMap(({ format, good, bad }) => [
    ...good.map((value, index) => formatCase(format, value, index, true)),
    ...bad.map((value, index) => formatCase(format, value, index, false)),
  ]),
  {
    name: "a number as a date",
    field: "formatNumber",
    schema: { type: "string", format: "date-time" },
    value: 3,
    expected: [
      'FieldValueTypeInvalid spec.formatNumber: Invalid value: "int64": spec.formatNumber in body must be of type date-time: "int64"',
    ],
  },
];
