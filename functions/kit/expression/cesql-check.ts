/**
 * What is told of a CloudEvents SQL expression before it runs, beyond its grammar: names that do not exist, what can never be computed, and
 * a value that is neither true nor false. Every mistake is an ExpressionError with its place.
 * Source: CloudEvents SQL 1.0.0, section 3.3 ("some error checks SHOULD be done at compile time").
 */
import { didYouMean } from "#contract";
import { attributeProblem } from "./attribute-name.ts";
import { type CesqlType, cast, typeOf } from "./cesql-cast.ts";
import { CESQL_FUNCTIONS, findCesqlFunction } from "./cesql-function.ts";
import type { CesqlNode } from "./cesql-parse.ts";
import { mistakeAt } from "./expression-error.ts";

/** Throws ExpressionError at the first mistake. */
export function checkCesql(source: string, root: CesqlNode): void {
  const visit = (node: CesqlNode, needed?: CesqlType) => {
    const problem = problemOf(node, needed);
    if (problem !== undefined) throw mistakeAt(source, node.at, problem);
    for (const operand of operandsOf(node)) visit(operand, neededBy(node));
  };
  visit(root);
  const type = resultOf(root);
  if (type !== undefined && type !== "Boolean")
    throw mistakeAt(
      source,
      0,
      `expected an expression that is true or false, this one is of type ${type}; compare it with something`,
    );
}

function problemOf(node: CesqlNode, needed: CesqlType | undefined): string | undefined {
  switch (node.type) {
    case "attribute":
    case "exists":
      return attributeProblem(node.name);
    case "literal":
      if (needed === undefined || cast(node.value, needed).fault === undefined) return undefined;
      return `this text can never be read as the ${needed} that is needed here, so the event would never pass`;
    case "call":
      if (findCesqlFunction(node.name, node.operands.length)) return undefined;
      if (CESQL_FUNCTIONS.includes(node.name)) return `${node.name} does not take ${node.operands.length} operands`;
      return `there is no function ${node.name}${didYouMean(node.name, CESQL_FUNCTIONS)}; there are ${CESQL_FUNCTIONS.join(", ")}`;
    default:
      return undefined;
  }
}

/** The type that an operator casts its operands to; undefined where it depends on them. */
function neededBy(node: CesqlNode): CesqlType | undefined {
  switch (node.type) {
    case "not":
    case "logic":
      return "Boolean";
    case "negate":
    case "arithmetic":
      return "Integer";
    case "comparison":
      return node.operator === "=" || node.operator === "!=" ? undefined : "Integer";
    default:
      return undefined;
  }
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
