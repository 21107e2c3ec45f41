/**
 * Schemas with rules (CEL) and values for schema.test.ts, as those of schema-value-case.ts. The causes are the real server's.
 */
import type { Json } from "../../../cli/embedded/object/object.ts";
import type { OpenApiSchema } from "../../../cli/embedded/schema/value-schema.ts";
import type { SchemaCase } from "./schema-value-case.ts";

const integer: OpenApiSchema = { type: "integer" };
const object = (properties: Record<string, OpenApiSchema>, rest: OpenApiSchema = {}): OpenApiSchema => ({
  type: "object",
  properties,
  ...rest,
});
const list = (items: OpenApiSchema, rest: OpenApiSchema = {}): OpenApiSchema => ({ type: "array", items, ...rest });
const rule = (rule: string, rest: Readonly<Record<string, Json>> = {}): OpenApiSchema => ({
  "x-kubernetes-validations": [{ rule, ...rest }],
});
const keyed: OpenApiSchema = { "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"], maxItems: 9 };
const short: OpenApiSchema = { type: "string", maxLength: 20 };

/** What the rules of a schema (CEL) say. */
export const ruleCases: readonly SchemaCase[] = [
  {
    name: "a rule that holds",
    field: "holds",
    schema: object({ a: integer, b: integer }, rule("self.a + 1 == self.b")),
    value: { a: 1, b: 2 },
    expected: [],
  },
  {
    name: "a broken rule without a message",
    field: "plain",
    schema: object({ a: integer, b: integer }, rule(" self.a <= self.b ")),
    value: { a: 3, b: 2 },
    expected: ["FieldValueInvalid spec.plain: Invalid value: failed rule: self.a <= self.b"],
  },
  {
    name: "a broken rule of a number, with its message",
    field: "message",
    schema: { ...integer, ...rule("self % 2 == 0", { message: "must be even" }) },
    value: 3,
    expected: ["FieldValueInvalid spec.message: Invalid value: 3: must be even"],
  },
  {
    name: "a broken rule of a text",
    field: "ofText",
    schema: { ...short, ...rule("self.startsWith('a') && self.matches('^[a-z]+$') && size(self) < 5") },
    value: "b",
    expected: [
      "FieldValueInvalid spec.ofText: Invalid value: \"b\": failed rule: self.startsWith('a') && self.matches('^[a-z]+$') && size(self) < 5",
    ],
  },
  {
    name: "a message that is computed",
    field: "messageExpression",
    schema: object(
      { a: short },
      rule("self.a == 'x'", { message: "fixed", messageExpression: "'a is ' + self.a + ', not x'" }),
    ),
    value: { a: "y" },
    expected: ["FieldValueInvalid spec.messageExpression: Invalid value: a is y, not x"],
  },
  {
    name: "a computed message that fails",
    field: "messageFails",
    schema: object(
      { a: integer, l: list(short, { maxItems: 3 }) },
      rule("self.a < 5", { message: "fixed", messageExpression: "'at ' + self.l[2]" }),
    ),
    value: { a: 7, l: [] },
    expected: ["FieldValueInvalid spec.messageFails: Invalid value: fixed"],
  },
  {
    name: "a reason and a field",
    field: "reason",
    schema: object(
      { a: short, b: short },
      rule("has(self.b)", { reason: "FieldValueRequired", fieldPath: ".b", message: "b goes with a" }),
    ),
    value: { a: "x" },
    expected: ["FieldValueRequired spec.reason.b: Required value: b goes with a"],
  },
  {
    name: "what is forbidden",
    field: "forbidden",
    schema: object({ a: short }, rule("!has(self.a)", { reason: "FieldValueForbidden", fieldPath: ".a" })),
    value: { a: "x" },
    expected: ["FieldValueForbidden spec.forbidden.a: Forbidden: failed rule: !has(self.a)"],
  },
  {
    name: "a duplicate told by a rule",
    field: "duplicate",
    schema: object(
      { a: list(short, { maxItems: 5 }) },
      rule("self.a.all(x, self.a.exists_one(y, x == y))", { reason: "FieldValueDuplicate", fieldPath: ".a" }),
    ),
    value: { a: ["x", "x"] },
    expected: ["FieldValueDuplicate spec.duplicate.a: Duplicate value"],
  },
  {
    name: "a field whose name CEL cannot write",
    field: "escaped",
    schema: object(
      { namespace: short, "a-b": integer, "c.d/e": integer },
      rule("self.__namespace__ == 'x' && self.a__dash__b == 2 && self.c__dot__d__slash__e == 3"),
    ),
    value: { namespace: "x", "a-b": 2, "c.d/e": 4 },
    expected: [
      "FieldValueInvalid spec.escaped: Invalid value: failed rule: self.__namespace__ == 'x' && self.a__dash__b == 2 && self.c__dot__d__slash__e == 3",
    ],
  },
  {
    name: "a field that is not there",
    field: "noSuchKey",
    schema: object({ a: integer, b: integer }, rule("self.b > 1")),
    value: { a: 1 },
    expected: ['FieldValueInvalid spec.noSuchKey: Invalid value: "object": no such key: b evaluating rule: self.b > 1'],
  },
  {
    name: "an index that is not there",
    field: "noSuchIndex",
    schema: list(integer, { maxItems: 5, ...rule("self[3] == 1", { message: "fourth is 1" }) }),
    value: [1],
    expected: [
      'FieldValueInvalid spec.noSuchIndex: Invalid value: "array": index out of bounds: 3 evaluating rule: fourth is 1',
    ],
  },
  {
    name: "a division by zero",
    field: "division",
    schema: object({ a: integer }, rule("10 / self.a > 1")),
    value: { a: 0 },
    expected: [
      'FieldValueInvalid spec.division: Invalid value: "object": division by zero evaluating rule: 10 / self.a > 1',
    ],
  },
  {
    name: "rules of the items of a list",
    field: "items",
    schema: list(object({ a: integer }, rule("self.a > 0")), { maxItems: 5 }),
    value: [{ a: 1 }, { a: 0 }],
    expected: ["FieldValueInvalid spec.items[1]: Invalid value: failed rule: self.a > 0"],
  },
  {
    name: "rules of the values of a map",
    field: "values",
    schema: { type: "object", maxProperties: 5, additionalProperties: { ...integer, ...rule("self > 0") } },
    value: { "a.b": 0 },
    expected: ["FieldValueInvalid spec.values[a.b]: Invalid value: 0: failed rule: self > 0"],
  },
  {
    name: "a rule about the keys of a map",
    field: "mapKeys",
    schema: {
      type: "object",
      maxProperties: 5,
      additionalProperties: integer,
      ...rule("self.all(k, k.startsWith('x')) && 'xa' in self && self['xa'] == 1"),
    },
    value: { xa: 1, y: 2 },
    expected: [
      "FieldValueInvalid spec.mapKeys: Invalid value: failed rule: self.all(k, k.startsWith('x')) && 'xa' in self && self['xa'] == 1",
    ],
  },
  {
    name: "numbers with a fraction",
    field: "double",
    schema: object({ a: { type: "number" } }, rule("self.a + 0.5 > 2.0 && self.a > 1")),
    value: { a: 1 },
    expected: ["FieldValueInvalid spec.double: Invalid value: failed rule: self.a + 0.5 > 2.0 && self.a > 1"],
  },
  {
    name: "an integer or a text",
    field: "intOrString",
    schema: object(
      { a: { "x-kubernetes-int-or-string": true } },
      rule("type(self.a) == int ? self.a > 5 : self.a == 'x'"),
    ),
    value: { a: 3 },
    expected: [
      "FieldValueInvalid spec.intOrString: Invalid value: failed rule: type(self.a) == int ? self.a > 5 : self.a == 'x'",
    ],
  },
  {
    name: "times and durations",
    field: "times",
    schema: object(
      { at: { type: "string", format: "date-time" }, for: { type: "string", format: "duration" } },
      rule("self.at < timestamp('2026-01-01T00:00:00Z') && self.__for__ < duration('1h')"),
    ),
    value: { at: "2025-01-01T00:00:00Z", for: "90m" },
    expected: [
      "FieldValueInvalid spec.times: Invalid value: failed rule: self.at < timestamp('2026-01-01T00:00:00Z') && self.__for__ < duration('1h')",
    ],
  },
  {
    name: "optional fields",
    field: "optional",
    schema: object({ a: short }, rule("self.?a.orValue('x') == 'y'")),
    value: {},
    expected: ["FieldValueInvalid spec.optional: Invalid value: failed rule: self.?a.orValue('x') == 'y'"],
  },
  {
    name: "a nullable field",
    field: "nullable",
    schema: object({ a: { type: "integer", nullable: true } }, rule("has(self.a)")),
    value: { a: null },
    expected: ["FieldValueInvalid spec.nullable: Invalid value: failed rule: has(self.a)"],
  },
  {
    name: "two variables of a macro",
    field: "texts",
    schema: { ...short, ...rule("self.split('-').size() == 2 && self.lowerAscii() == self && self.indexOf('b') == 0") },
    value: "a-b",
    expected: [
      "FieldValueInvalid spec.texts: Invalid value: \"a-b\": failed rule: self.split('-').size() == 2 && self.lowerAscii() == self && self.indexOf('b') == 0",
    ],
  },
  {
    name: "an invalid object, whose rules are not looked at",
    field: "blocked",
    schema: object({ a: integer }, { required: ["a"], ...rule("self.a > 5") }),
    value: {},
    expected: [
      "FieldValueInvalid <nil>: Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation",
      "FieldValueRequired spec.blocked.a: Required value",
    ],
  },
  {
    name: "too small, and its rules looked at all the same",
    field: "notBlocked",
    schema: object({ a: { type: "integer", minimum: 3 } }, rule("self.a > 5")),
    value: { a: 1 },
    expected: [
      "FieldValueInvalid spec.notBlocked.a: Invalid value: 1: spec.notBlocked.a in body should be greater than or equal to 3",
      "FieldValueInvalid spec.notBlocked: Invalid value: failed rule: self.a > 5",
    ],
  },
  {
    name: "a transition at creation",
    field: "transitionNew",
    schema: { ...integer, ...rule("self >= oldSelf") },
    value: 1,
    expected: [],
  },
  {
    name: "a transition that may not be",
    field: "transition",
    schema: { ...integer, ...rule("self >= oldSelf", { message: "must not shrink" }) },
    before: 3,
    value: 1,
    expected: ["FieldValueInvalid spec.transition: Invalid value: 1: must not shrink"],
  },
  {
    name: "a transition of an item of a keyed list",
    field: "transitionItem",
    schema: list(
      object({ k: short, v: { ...short, ...rule("self == oldSelf", { message: "immutable" }) } }, { required: ["k"] }),
      keyed,
    ),
    before: [
      { k: "a", v: "1" },
      { k: "b", v: "2" },
    ],
    value: [
      { k: "b", v: "3" },
      { k: "c", v: "4" },
      { k: "a", v: "1" },
    ],
    expected: ['FieldValueInvalid spec.transitionItem[0].v: Invalid value: "3": immutable'],
  },
  {
    name: "a transition of an item of a list without keys",
    field: "transitionAtomic",
    schema: list(object({ v: short }), {
      "x-kubernetes-list-type": "atomic",
      ...rule("self.size() >= oldSelf.size()"),
    }),
    before: [{ v: "1" }, { v: "2" }],
    value: [{ v: "3" }],
    expected: ["FieldValueInvalid spec.transitionAtomic: Invalid value: failed rule: self.size() >= oldSelf.size()"],
  },
  {
    name: "a transition with or without a value before",
    field: "transitionOptional",
    schema: {
      ...integer,
      ...rule("oldSelf.hasValue() || self == 1", { optionalOldSelf: true, message: "starts at 1" }),
    },
    value: 2,
    expected: ["FieldValueInvalid spec.transitionOptional: Invalid value: 2: starts at 1"],
  },
];
