/**
 * CloudEvents SQL expressions over an event's attributes: the dialect `sql` of the Subscriptions API, `cesql` in Knative. As a filter an
 * expression is true, false, or failed: a fault on the way to its value means that the event does not pass. What is wrong before it runs
 * is told when it is compiled.
 * Source: CloudEvents SQL 1.0.0; CloudEvents Subscriptions API, section 3.2.4.1.
 */
import type { CesqlFault } from "./cesql-cast.ts";
import { checkCesql } from "./cesql-check.ts";
import { type CesqlAttributes, prepareCesql, TEXT_LENGTH_MAX } from "./cesql-evaluate.ts";
import { parseCesql } from "./cesql-parse.ts";
import { mistakeAt } from "./expression-error.ts";
import type { Verdict } from "./verdict.ts";

/** A compiled expression; it keeps nothing from one event to the next. */
export interface CesqlProgram {
  readonly source: string;
  evaluate(attributes: CesqlAttributes): Verdict;
}

/** Compiles `source`. Throws ExpressionError, which names the place, and a name near to one that does not exist. */
export function compileCesql(source: string): CesqlProgram {
  try {
    const root = parseCesql(source);
    checkCesql(source, root);
    const evaluation = prepareCesql(root);
    return {
      source,
      evaluate(attributes) {
        const { value, fault } = evaluation(attributes);
        if (fault) return { type: "failed", reason: REASONS[fault] };
        if (typeof value !== "boolean") return { type: "failed", reason: "its value is neither true nor false" };
        return { type: "value", value };
      },
    };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw mistakeAt(source, 0, "nested too deeply; write it as several filters", error);
  }
}

const REASONS: Readonly<Record<CesqlFault, string>> = {
  math: "a calculation leaves the integers of 32 bits, or divides by zero",
  cast: "a value cannot be read as the type that is needed",
  missingAttribute: "an attribute that it reads is not there (ask EXISTS first)",
  missingFunction: "a function does not exist",
  functionEvaluation: "a function cannot take its operands",
  generic: `a text is longer than ${TEXT_LENGTH_MAX} characters`,
};
