/**
 * CloudEvents SQL expressions over an event's attributes: the dialect `sql` of the Subscriptions API, `cesql` in Knative. As a filter an
 * expression is true, false, or failed: a fault on the way to its value means that the event does not pass. What is wrong before it runs
 * is told when it is compiled.
 * Source: CloudEvents SQL 1.0.0; CloudEvents Subscriptions API, section 3.2.4.1.
 */
import { didYouMean } from "#contract";
import { attributeProblem } from "./attribute-name.ts";
import { type CesqlFault, type CesqlType, typeOf } from "./cesql-cast.ts";
import { type CesqlAttributes, prepareCesql, TEXT_LENGTH_MAX } from "./cesql-evaluate.ts";
import { CESQL_FUNCTIONS, findCesqlFunction } from "./cesql-function.ts";
import { type CesqlNode, parseCesql } from "./cesql-parse.ts";
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
    check(source, root);
    const type = resultOf(root);
    if (type !== undefined && type !== "Boolean")
      throw mistakeAt(
        source,
        root.at,
        `expected an expression that is true or false, this one is of type ${type}; compare it with something`,
      );
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

function check(source: string, node: CesqlNode): void {
  const problem = problemOf(node);
  if (problem !== undefined) throw mistakeAt(source, node.at, problem);
  for (const below of operandsOf(node)) check(source, below);
}

function problemOf(node: CesqlNode): string | undefined {
  if (node.type === "attribute" || node.type === "exists") return attributeProblem(node.name);
  if (node.type !== "call" || findCesqlFunction(node.name, node.operands.length)) return undefined;
  if (CESQL_FUNCTIONS.includes(node.name)) return `${node.name} does not take ${node.operands.length} operands`;
  return `there is no function ${node.name}${didYouMean(node.name, CESQL_FUNCTIONS)}; there are ${CESQL_FUNCTIONS.join(", ")}`;
}

function operandsOf(node: CesqlNode): readonly CesqlNode[] {
  switch (node.type) {
    case "literal":
    case "attribute":
    case "exists":
      return [];
    case "not":
    case "negate":
    case "like":
      return [node.operand];
    case "in":
      return [node.operand, ...node.set];
    case "comparison":
    case "arithmetic":
      return [node.left, node.right];
    case "logic":
    case "call":
      return node.operands;
    default:
      return node satisfies never;
  }
}

/** The type of an expression's value; undefined for an attribute, whose type is known with the event. */
function resultOf(node: CesqlNode): CesqlType | undefined {
  switch (node.type) {
    case "attribute":
      return undefined;
    case "literal":
      return typeOf(node.value);
    case "negate":
    case "arithmetic":
      return "Integer";
    case "call":
      return findCesqlFunction(node.name, node.operands.length)?.returns;
    case "exists":
    case "not":
    case "like":
    case "in":
    case "comparison":
    case "logic":
      return "Boolean";
    default:
      return node satisfies never;
  }
}
