/**
 * The public conformance vectors of CloudEvents SQL (`cesql/cesql_tck/*.yaml` of github.com/cloudevents/spec, Apache-2.0), run from the folder
 * `cesql-tck` beside this file, or from the one that CESQL_TCK names.
 */
import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { parse } from "yaml";
import { z } from "zod";
import { compileCesql } from "../../../../functions/kit/expression/cesql.ts";
import { prepareCesql } from "../../../../functions/kit/expression/cesql-evaluate.ts";
import { parseCesql } from "../../../../functions/kit/expression/cesql-parse.ts";
import { ExpressionError } from "../../../../functions/kit/expression/expression-error.ts";

const Value = z.union([z.string(), z.number(), z.boolean()]);
/** YAML reads a bare `TRUE` or `0` as no text. */
const Text = Value.transform(String);
const Attributes = z.record(z.string(), Value);
const Suite = z.strictObject({
  name: z.string(),
  tests: z.array(
    z.strictObject({
      name: Text,
      expression: Text,
      result: Value.optional(),
      error: z.string().optional(),
      event: Attributes.optional(),
      eventOverrides: Attributes.optional(),
    }),
  ),
});

const FOLDER = process.env["CESQL_TCK"] ?? join(import.meta.dirname, "cesql-tck");
const ANY = { specversion: "1.0", id: "id", source: "http://localhost", type: "type" };
/** The vector contradicts section 3.7 of the specification (an integer is false if it is 0); the SDK for Go has corrected its copy. */
const CORRECTED: Readonly<Record<string, { readonly value: boolean }>> = { "NOT 10": { value: false } };

const skip = existsSync(FOLDER) ? false : `the vectors are not in ${FOLDER}; name their folder in CESQL_TCK`;
describe("CloudEvents SQL conforms:", { skip }, () => {
  for (const file of globSync("*.yaml", { cwd: FOLDER }).toSorted()) {
    const suite = Suite.parse(parse(readFileSync(join(FOLDER, file), "utf8")));
    for (const { name, expression, result, error, event, eventOverrides } of suite.tests) {
      test(`${suite.name}: ${name}: ${expression}`, () => {
        const attributes = event ?? { ...ANY, ...eventOverrides };
        const got = compute(expression, attributes);
        const expected = { value: result ?? got.value, ...(error ? { fault: error } : {}) };
        assert.deepEqual(got, CORRECTED[expression] ?? expected);
        assert.equal(passes(expression, attributes), result === true && error === undefined);
      });
    }
  }
});

function compute(expression: string, attributes: z.infer<typeof Attributes>) {
  try {
    return prepareCesql(parseCesql(expression))(attributes);
  } catch (error) {
    assert.ok(error instanceof ExpressionError);
    return { value: false, fault: "parse" };
  }
}

/** Whether an event passes a filter of this expression; one that cannot be compiled filters nothing. */
function passes(expression: string, attributes: z.infer<typeof Attributes>): boolean {
  try {
    const verdict = compileCesql(expression).evaluate(attributes);
    return verdict.type === "value" && verdict.value;
  } catch (error) {
    assert.ok(error instanceof ExpressionError);
    return false;
  }
}
