/** The public conformance vectors of CloudEvents SQL, from the module of the SDK for Go, which publishes them corrected. */
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { parse } from "yaml";
import { z } from "zod";
import { compileCesql } from "../../../../functions/kit/expression/cesql.ts";
import { prepareCesql } from "../../../../functions/kit/expression/cesql-evaluate.ts";
import { parseCesql } from "../../../../functions/kit/expression/cesql-parse.ts";
import { ExpressionError } from "../../../../functions/kit/expression/expression-error.ts";
import { downloadGoModule } from "../../../kit/install/go-module.ts";

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

const VECTORS = {
  path: "github.com/cloudevents/sdk-go/sql/v2",
  version: "v2.16.2",
  sum: "h1:ufWHXiH1ZVd0WDbzTX9Nod9Sdq5wcnaqyL0iA1fBwYs=",
};
const ANY = { specversion: "1.0", id: "id", source: "http://localhost", type: "type" };

const folder = await downloadGoModule(VECTORS, "test/tck").catch((error: Error) => error);
if (folder instanceof Error && process.env["CI"] === "true") throw folder;
const skip = folder instanceof Error ? `the vectors cannot be had: ${folder.message}` : false;

describe("CloudEvents SQL conforms:", { skip }, () => {
  if (folder instanceof Error) return;
  for (const file of globSync("*.yaml", { cwd: folder }).toSorted()) {
    const suite = Suite.parse(parse(readFileSync(join(folder, file), "utf8")));
    for (const { name, expression, result, error, event, eventOverrides } of suite.tests) {
      test(`${suite.name}: ${name}: ${expression}`, () => {
        const attributes = event ?? { ...ANY, ...eventOverrides };
        const got = compute(expression, attributes);
        const expected = { value: result ?? got.value, ...(error ? { fault: error } : {}) };
        assert.deepEqual(got, expected);
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
