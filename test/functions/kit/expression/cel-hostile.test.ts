/** What expressions and data can do at worst: each row ends in a refusal by the budget of steps or by a limit, never by a clock. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { type CelDocument, compileCel } from "../../../../functions/kit/expression/cel.ts";
import { STEPS_MAX } from "../../../../functions/kit/expression/cel-meter.ts";
import { ExpressionError } from "../../../../functions/kit/expression/expression-error.ts";

const numbers = (length: number) => Array.from({ length }, (_, n) => n);
const nested = (depth: number) => {
  let value: unknown = 1;
  for (let level = 0; level < depth; level++) value = level % 2 === 0 ? [value] : { a: value };
  return value;
};
const items = numbers(5_000).map((n) => ({ n, name: `item-${n}` }));
const spec = {
  list: numbers(200),
  long: numbers(30_000),
  items,
  map: Object.fromEntries(numbers(20_000).map((n) => [`k${n}`, n])),
  text: "a".repeat(1_000_000),
  word: `${"a".repeat(100)}b`,
  digits: "1".repeat(200_000),
  csv: "a,".repeat(400_000),
};
const document: CelDocument = {
  object: { spec, deep: nested(20_000) },
  before: { spec: { ...spec, items: structuredClone(items) } },
  patch: numbers(20_000).map((n) => ({ op: "replace", path: `/spec/list/${n}`, value: n })),
  transitions: {},
  event: {},
};

/** `cel.bind(x0, first, cel.bind(x1, <of x0>, … last))` */
const chained = (links: number, first: string, next: (name: string) => string, last: (name: string) => string) => {
  const inside = numbers(links).reduceRight(
    (rest, n) => `cel.bind(x${n + 1}, ${next(`x${n}`)}, ${rest})`,
    last(`x${links}`),
  );
  return `cel.bind(x0, ${first}, ${inside})`;
};
const around = (times: number, before: string, inside: string) =>
  `${before.repeat(times)}${inside}${")".repeat(times)}`;
const ten = "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]";
const STEPS = new RegExp(`takes more than ${STEPS_MAX} steps`);

describe("a CEL expression is stopped that", () => {
  const list = "object.spec.list";
  for (const { name, source, reason = STEPS } of [
    { name: "nests all() over lists", source: `${list}.all(a, ${list}.all(b, ${list}.all(c, a + b + c >= 0)))` },
    {
      name: "nests exists() over lists",
      source: `${list}.exists(a, ${list}.exists(b, ${list}.exists(c, a + b + c < 0)))`,
    },
    { name: "nests map() over lists", source: `${list}.map(a, ${list}.map(b, ${list}.map(c, a))).size() > 1` },
    {
      name: "nests filter() over a long list",
      source: "object.spec.long.filter(a, object.spec.long.exists(b, b < 0)).size() == 0",
    },
    { name: "nests loops over lists of its own", source: around(12, `${ten}.all(a, `, "true") },
    {
      name: "nests loops whose errors are swallowed",
      source: `${list}.exists(a, ${list}.exists(b, ${list}.exists(c, a.x == 1)))`,
    },
    {
      name: "meets an error in each of many elements",
      source: "object.spec.long.exists(x, x.missing == 1 || x.other == 2)",
    },
    { name: "hides what it costs behind ||", source: `${around(12, `${ten}.all(a, `, "true")} || true` },
    {
      name: "hides what it costs behind a ternary",
      source: `${around(12, `${ten}.exists(a, `, "false")} ? true : true`,
    },
    {
      name: "doubles a text",
      source: chained(
        40,
        "object.spec.word",
        (x) => `${x} + ${x}`,
        (x) => `size(${x}) > 0`,
      ),
    },
    {
      name: "doubles a list",
      source: chained(
        40,
        "object.spec.list",
        (x) => `${x} + ${x}`,
        (x) => `size(${x}) > 0`,
      ),
    },
    {
      name: "doubles a list of lists",
      source: chained(
        40,
        "object.spec.word",
        (x) => `[${x}, ${x}]`,
        (x) => `${x} == ${x}`,
      ),
    },
    {
      name: "doubles a map",
      source: chained(
        40,
        "object.spec.word",
        (x) => `{"a": ${x}, "b": ${x}}`,
        (x) => `${x} == ${x}`,
      ),
    },
    {
      name: "compares long lists again and again",
      source: "object.spec.items.all(x, object.spec.items == before.spec.items)",
    },
    {
      name: "looks for an object in a long list again and again",
      source: "object.spec.items.all(x, x in object.spec.items)",
    },
    { name: "goes through a large map again and again", source: "object.spec.map.all(k, k in object.spec.map)" },
    {
      name: "searches a long text again and again",
      source: `${list}.exists(x, object.spec.text.contains(object.spec.word))`,
    },
    {
      name: "changes a long text again and again",
      source: `${list}.all(x, object.spec.text.lowerAscii() == object.spec.text)`,
    },
    { name: "splits a long text into single characters", source: 'object.spec.text.split("").size() > 1' },
    { name: "splits a long text", source: 'object.spec.csv.split(",").size() > 1' },
    {
      name: "looks time zones up in a loop",
      source: 'object.spec.long.all(x, timestamp("2026-01-01T00:00:00Z").getHours("Europe/Berlin") == 1)',
    },
    { name: "copies a list for each of its elements", source: "object.spec.long.map(x, object.spec.long).size() > 0" },
    { name: "takes a patch of very many operations", source: 'patch.all(p, p.op == "replace")' },
    {
      name: "reads very many digits as a duration",
      source: 'duration(object.spec.digits) > duration("1s")',
      reason: /duration is too long/,
    },
    { name: "reads very many digits as an int", source: "int(object.spec.digits) > 1", reason: /not of the kinds/ },
    {
      name: "looks for a long text",
      source: "object.spec.text.contains(object.spec.digits)",
      reason: /up to 256 characters/,
    },
    {
      name: "joins by a long text",
      source: "object.spec.csv.split(object.spec.word).join(object.spec.text).size() > 1",
      reason: /join\(\) takes texts of up to 256 characters/,
    },
    { name: "compares what is very deep", source: "object.deep == object.deep", reason: /deeper than 200 levels/ },
    { name: "names a large object as a whole", source: "object == before", reason: /steps|deeper/ },
  ]) {
    test(name, () => {
      const verdict = compileCel(source).evaluate(document);
      assert.match(verdict.type === "failed" ? verdict.reason : `it was ${verdict.value}`, reason);
    });
  }
});

describe("beside large data, a CEL expression still answers that", () => {
  for (const source of [
    "object.spec.list.all(x, x < 200) && before.spec.list[199] == 199",
    "object.spec.items.exists(x, x.n == 4999)",
    "object.spec.list.all(a, [1, 2, 3, 4, 5].exists(b, a >= b) || a == 0)",
    'object.spec.map["k19999"] == 19999 && has(object.deep) && object.deep != null',
    'object.spec.text.contains("b") == false && object.spec.text.startsWith("aaa")',
    "object.spec.text == before.spec.text",
  ]) {
    test(source, () => {
      assert.deepEqual(compileCel(source).evaluate(document), { type: "value", value: true });
    });
  }

  test("is evaluated after one that was stopped", () => {
    const program = compileCel("object.spec.list.all(a, object.spec.list.all(b, object.spec.list.all(c, true)))");
    assert.equal(program.evaluate(document).type, "failed");
    const small = { ...document, object: { spec: { list: [1, 2] } } };
    assert.deepEqual(program.evaluate(small), { type: "value", value: true });
  });
});

const words = [
  ...[
    "object",
    "before",
    "patch",
    "transitions",
    "event",
    ".spec",
    ".?x",
    ".list",
    '["a"]',
    "[0]",
    "x",
    "1",
    "2.5",
    '"a"',
    "null",
    "true",
  ],
  ...[
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    "?",
    "+",
    "-",
    "*",
    "/",
    "%",
    "==",
    "!=",
    "<",
    ">=",
    "&&",
    "||",
    "!",
    " in ",
  ],
  ...[
    ".all(x, ",
    ".map(x, ",
    ".exists(x, ",
    ".size()",
    "has(",
    "size(",
    "int(",
    "duration(",
    "timestamp(",
    "cel.bind(x, ",
    ".orValue(",
    "optional.of(",
  ],
];

test("whatever is written, CEL is refused by an ExpressionError or ends in a value or a failure", () => {
  const source = fc.oneof(
    { arbitrary: fc.array(fc.constantFrom(...words), { maxLength: 25 }).map((all) => all.join("")), weight: 4 },
    { arbitrary: fc.string({ unit: "binary", maxLength: 60 }), weight: 1 },
  );
  const value = fc.jsonValue({ maxDepth: 4 });
  fc.assert(
    fc.property(source, value, value, (text, object, before) => {
      let program: ReturnType<typeof compileCel>;
      try {
        program = compileCel(text);
      } catch (error) {
        assert.ok(error instanceof ExpressionError, String(error));
        assert.match(error.message, /^line \d+, column \d+: /);
        return;
      }
      const verdict = program.evaluate({ object, before, patch: [], transitions: {}, event: {} });
      assert.ok(verdict.type === "failed" || typeof verdict.value === "boolean");
    }),
    { numRuns: 3_000 },
  );
});
