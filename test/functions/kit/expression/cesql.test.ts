import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { compileCesql } from "../../../../functions/kit/expression/cesql.ts";
import { prepareCesql } from "../../../../functions/kit/expression/cesql-evaluate.ts";
import { parseCesql } from "../../../../functions/kit/expression/cesql-parse.ts";
import { ExpressionError } from "../../../../functions/kit/expression/expression-error.ts";

const attributes = {
  specversion: "1.0",
  id: "id-1",
  source: "https://cluster/shop",
  type: "dev.cr-reactor.resource.updated",
  name: "o_1%",
  sequence: "5",
  severitynumber: 18,
  terminating: true,
  myext: "abc",
  big: 2 ** 40,
  half: 1.5,
};
const computed = (source: string) => prepareCesql(parseCesql(source))(attributes);

describe("CloudEvents SQL computes", () => {
  for (const [source, value] of [
    // literals and their casing
    ["TRUE", true],
    ["fAlSe", false],
    ["-2147483648", -2147483648],
    ["+7", 7],
    [`'it\\'s "so"'`, `it's "so"`],
    [`"say \\"it's\\""`, `say "it's"`],
    ["'a\\nb'", "a\\nb"],
    // precedence, and chains from left to right
    ["1 + 2 * 3", 7],
    ["(1 + 2) * 3", 9],
    ["10 - 3 - 2", 5],
    ["10-3", 7],
    ["2 +3", 5],
    ["2 - -3", 5],
    ["100 / 7 / 2", 7],
    ["-7 / 2", -3],
    ["-7 % 4", -3],
    ["- -5", 5],
    ["1 < 2 = TRUE", true],
    ["NOT TRUE = FALSE", true],
    ["NOT EXISTS missing", true],
    ["NOT NOT TRUE", true],
    // logic
    ["TRUE AND FALSE", false],
    ["FALSE or TRUE", true],
    ["TRUE XOR TRUE XOR TRUE", true],
    ["(TRUE OR FALSE) AND NOT FALSE", true],
    ["FALSE AND missing", false],
    ["TRUE OR missing", true],
    // attributes and their types
    ["ID = 'id-1'", true],
    ["severitynumber + 1", 19],
    ["terminating", true],
    ["terminating = 'true'", true],
    ["sequence = 5", true],
    ["sequence < severitynumber", true],
    ["big = '1099511627776'", true],
    ["half = '1.5'", true],
    ["EXISTS myext AND EXISTS Source", true],
    ["EXISTS toString", false],
    // casts
    ["'TRUE' = true", true],
    ["TRUE = 'TRUE'", false],
    ["'5' + TRUE", 6],
    ["NOT 10", false],
    ["INT('-1') + INT(TRUE)", 0],
    ["BOOL(100)", true],
    ["STRING(-5)", "-5"],
    ["IS_INT('12') AND NOT IS_INT('1x') AND NOT IS_INT(TRUE)", true],
    ["IS_BOOL('False') AND NOT IS_BOOL(0)", true],
    // LIKE and IN
    ["type LIKE 'dev.%.updated'", true],
    ["type NOT LIKE '%.deleted'", true],
    ["name LIKE 'o\\_1\\%'", true],
    ["name LIKE 'o\\%%'", false],
    ["myext LIKE 'a_c'", true],
    ["myext LIKE 'a__c'", false],
    ["234 LIKE '2%'", true],
    ["'a😀c' LIKE 'a_c'", true],
    ["'a.c' LIKE 'a.c' AND NOT ('abc' LIKE 'a.c')", true],
    ["'' LIKE '%' AND '' LIKE ''", true],
    ["myext IN ('x', 'abc')", true],
    ["myext NOT IN ('x', 'y')", true],
    ["severitynumber IN ('17', '18')", true],
    ["'true' IN (TRUE)", true],
    ["myext IN ('abc', missing)", true],
    // functions
    ["ABS(-4) + LENGTH('a😀')", 6],
    ["CONCAT(myext, 1, TRUE)", "abc1true"],
    ["CONCAT()", ""],
    ["CONCAT_WS('-', 'a', 'b')", "a-b"],
    ["concat_ws('-')", ""],
    ["LOWER('ÄB') = 'äb' AND UPPER('äb') = 'ÄB'", true],
    ["TRIM('\u2003 a b \u00a0')", "a b"],
    ["TRIM('\u0085\ufeffa\u3000')", "\ufeffa"],
    ["LEFT('a😀bc', 2)", "a😀"],
    ["RIGHT('abc', 0)", ""],
    ["RIGHT('abc', 10)", "abc"],
    ["SUBSTRING('Reactor', 3)", "actor"],
    ["SUBSTRING('Reactor', -3, 2)", "to"],
    ["SUBSTRING('Reactor', 1, 99)", "Reactor"],
    ["SUBSTRING('Reactor', 0, 2)", ""],
  ] as const) {
    test(`${source} as ${JSON.stringify(value)}`, () => assert.deepEqual(computed(source), { value }));
  }
});

describe("CloudEvents SQL tells a fault beside the zero of the operation's type:", () => {
  for (const [source, value, fault] of [
    ["missing", false, "missingAttribute"],
    ["missing = ''", false, "missingAttribute"],
    ["missing + 1", 0, "missingAttribute"],
    ["1 / missing", 0, "missingAttribute"],
    ["NOT missing", false, "missingAttribute"],
    ["missing NOT LIKE '%'", false, "missingAttribute"],
    ["missing NOT IN ('a')", false, "missingAttribute"],
    ["CONCAT('a', missing)", "", "missingAttribute"],
    ["TRUE AND missing", false, "missingAttribute"],
    ["5 / 0", 0, "math"],
    ["5 % 0", 0, "math"],
    ["2147483647 + 1", 0, "math"],
    ["-2147483648 - 1", 0, "math"],
    ["65536 * 65536", 0, "math"],
    ["- -2147483648", 0, "math"],
    ["ABS(-2147483648)", 2147483647, "math"],
    ["1 != 1 / 0", false, "math"],
    ["'abc' = 1", false, "cast"],
    ["INT('2147483648')", 0, "cast"],
    ["INT('')", 0, "cast"],
    ["INT(' 1')", 0, "cast"],
    ["BOOL('yes')", false, "cast"],
    ["1 IN ('a', '1')", false, "cast"],
    ["LEFT('abc', -1)", "abc", "functionEvaluation"],
    ["SUBSTRING('abc', 4)", "", "functionEvaluation"],
    ["SUBSTRING('abc', 1, -1)", "", "functionEvaluation"],
    ["CONCAT_WS()", false, "missingFunction"],
  ] as const) {
    test(`${source} is ${JSON.stringify(value)} with a ${fault} fault`, () =>
      assert.deepEqual(computed(source), { value, fault }));
  }
});

describe("as a filter, a CloudEvents SQL expression", () => {
  const failed = (reason: RegExp) => reason;
  for (const { name, source, expected } of [
    { name: "is true", source: "type LIKE '%.updated' AND severitynumber >= 18", expected: true },
    { name: "is false", source: "name = 'other'", expected: false },
    {
      name: "fails where an attribute is missing",
      source: "missing = 'x'",
      expected: failed(/attribute that it reads is not there/),
    },
    {
      name: "fails where a missing attribute is negated",
      source: "NOT (missing = 'x')",
      expected: failed(/not there/),
    },
    { name: "is decided before a missing attribute", source: "EXISTS missing AND missing = 'x'", expected: false },
    {
      name: "fails where a fault stands behind what decides",
      source: "1 / 0 = 1 OR TRUE",
      expected: failed(/divides by zero/),
    },
    { name: "fails where an attribute is no boolean", source: "myext", expected: failed(/neither true nor false/) },
    { name: "takes a boolean attribute", source: "terminating", expected: true },
  ]) {
    test(name, () => {
      const verdict = compileCesql(source).evaluate(attributes);
      if (typeof expected === "boolean") assert.deepEqual(verdict, { type: "value", value: expected });
      else assert.match(verdict.type === "failed" ? verdict.reason : "a value", expected);
    });
  }
});

describe("a mistake in CloudEvents SQL is told before it runs:", () => {
  for (const { source, problem } of [
    { source: "", problem: /^line 1, column 1: expected a value, found the end/ },
    { source: "ABS(", problem: /^line 1, column 5: expected a value, found the end/ },
    { source: "(id = 'x'", problem: /^line 1, column 10: expected an operator or "\)", found the end/ },
    { source: "id = 'x' )", problem: /expected an operator or the end, found "\)"/ },
    { source: "id ==\n 'x'", problem: /^line 1, column 5: expected a value, found "="/ },
    { source: "id = 'x'\nAND type == 'x'", problem: /^line 2, column 11/ },
    { source: "id = 'x", problem: /^line 1, column 6: this text has no end; close it with '/ },
    { source: "id = 'x\\'", problem: /this text has no end/ },
    { source: "id = 'a''b'", problem: /expected an operator or the end, found a text/ },
    { source: "id LIKE 123", problem: /^line 1, column 9: expected a pattern in quotes, found "123"/ },
    { source: "id LIKE name", problem: /expected a pattern in quotes/ },
    { source: "id IN ()", problem: /expected a value, found "\)"/ },
    { source: "id IN 'x'", problem: /expected "\("/ },
    { source: "EXISTS 'id'", problem: /expected the name of an attribute, found a text/ },
    { source: "my_ext = 'x'", problem: /expected a value, found "my_ext"/ },
    { source: "id = 'x' ; id = 'y'", problem: /";" has no meaning/ },
    { source: "severitynumber = 2147483648", problem: /too large; an integer is from -2147483648 to 2147483647/ },
    { source: "LENGHT(id) = 1", problem: /^line 1, column 1: there is no function LENGHT \(did you mean "LENGTH"\?\)/ },
    { source: "LENGTH(id, 2) = 1", problem: /LENGTH does not take 2 operands/ },
    { source: "nmae = 'x'", problem: /no attribute "nmae" \(did you mean "name"\?\)/ },
    { source: "EXISTS knid", problem: /did you mean "kind"/ },
    { source: "severitynumber > 'high'", problem: /^line 1, column 18: .* never be read as the Integer/ },
    { source: "id = 'x' AND 'yes'", problem: /never be read as the Boolean/ },
    { source: "data = 'x'", problem: /data is no attribute/ },
    { source: "LENGTH(id)", problem: /true or false, this one is of type Integer/ },
    { source: "'true'", problem: /this one is of type String/ },
    {
      source: "id = 'a' AND id = 'b' OR id = 'c'",
      problem: /^line 1, column 23: OR after AND can be read in two ways/,
    },
    { source: `${"(".repeat(500)}TRUE${")".repeat(500)}`, problem: /nested deeper than 100 levels/ },
    { source: `${"NOT ".repeat(500)}TRUE`, problem: /nested deeper than 100 levels/ },
    { source: `${Array(500).fill("1").join("+")}=1`, problem: /nested deeper than 100 levels/ },
    { source: `id = '${"x".repeat(3_000)}'`, problem: /longer than 2048 characters/ },
  ]) {
    test(source.slice(0, 60) || "nothing", () => {
      assert.throws(() => compileCesql(source), {
        name: "ExpressionError",
        code: "EXPRESSION_INVALID",
        message: problem,
      });
    });
  }
});

describe("CloudEvents SQL is bounded where", () => {
  const long = "a".repeat(4_000);
  test("a chain of conditions is long", () => {
    const source = Array.from({ length: 120 }, (_, n) => `id != '${n}'`).join(" AND ");
    assert.deepEqual(compileCesql(source).evaluate(attributes), { type: "value", value: true });
  });
  test("a pattern has very many wildcards", () => {
    const program = compileCesql(`myext LIKE '${"%a".repeat(900)}b'`);
    assert.deepEqual(program.evaluate({ myext: long }), { type: "value", value: false });
  });
  test("an attribute is too long", () => {
    assert.equal(compileCesql("myext LIKE 'a%'").evaluate({ myext: `${long}${long}` }).type, "failed");
  });
  test("a text is put together that is too long", () => {
    assert.equal(compileCesql("CONCAT(myext, myext) = ''").evaluate({ myext: long }).type, "failed");
    const doubled = Array.from({ length: 40 }).reduce((inside) => `CONCAT(${inside}, myext)`, "myext");
    assert.equal(compileCesql(`${doubled} = ''`).evaluate({ myext: long }).type, "failed");
  });
});

const words = [
  ...["id", "type", "myext", "missing", "1", "-2147483648", "'a'", '"%_"', "TRUE", "FALSE", "(", ")", ","],
  ...["AND", "OR", "XOR", "NOT", "LIKE", "IN", "EXISTS", "=", "!=", "<>", "<", ">=", "+", "-", "*", "/", "%"],
  ...["ABS(", "LENGTH(", "CONCAT(", "LEFT(", "SUBSTRING(", "INT(", "IS_BOOL(", "NOPE("],
];

test("whatever is written, CloudEvents SQL is refused by an ExpressionError or ends in a value or a failure", () => {
  const source = fc.oneof(
    { arbitrary: fc.array(fc.constantFrom(...words), { maxLength: 20 }).map((all) => all.join(" ")), weight: 4 },
    { arbitrary: fc.string({ unit: "binary", maxLength: 60 }), weight: 1 },
  );
  const values = fc.dictionary(
    fc.constantFrom("id", "type", "myext"),
    fc.oneof(fc.string(), fc.double(), fc.boolean()),
  );
  fc.assert(
    fc.property(source, values, (text, event) => {
      let program: ReturnType<typeof compileCesql>;
      try {
        program = compileCesql(text);
      } catch (error) {
        assert.ok(error instanceof ExpressionError, String(error));
        assert.match(error.message, /^line \d+, column \d+: /);
        return;
      }
      const verdict = program.evaluate(event);
      assert.ok(verdict.type === "failed" || typeof verdict.value === "boolean");
    }),
    { numRuns: 5_000 },
  );
});
