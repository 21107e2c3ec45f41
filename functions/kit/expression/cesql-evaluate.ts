/**
 * The value of a CloudEvents SQL expression for one event. Every expression has one; the first fault on the way to it is told beside it, and
 * an operation that meets a fault is the zero of its type. The work is bounded: no loops, texts of a limited length.
 * Source: CloudEvents SQL 1.0.0, sections 3.2 to 3.7.
 */
import { type CesqlType, type Computed, cast, integer, typeOf, zeroOf } from "./cesql-cast.ts";
import { findCesqlFunction } from "./cesql-function.ts";
import type { CesqlArithmetic, CesqlComparison, CesqlNode, CesqlValue } from "./cesql-parse.ts";
import { INTEGER_MAX, INTEGER_MIN } from "./cesql-token.ts";
import { compileLike } from "./like-pattern.ts";

/** An event's attributes; what is undefined is not there. */
export type CesqlAttributes = Readonly<Record<string, string | number | boolean | undefined>>;

/** A prepared expression: what can be done once (patterns) is done. */
export type CesqlEvaluation = (attributes: CesqlAttributes) => Computed;

/** Of attributes and of what CONCAT makes, in UTF-16 units: it bounds LIKE (text times pattern, some 40 ms at worst). */
export const TEXT_LENGTH_MAX = 4_096;

/** Prepares a tree. The evaluation throws nothing. */
export function prepareCesql(node: CesqlNode): CesqlEvaluation {
  switch (node.type) {
    case "literal": {
      const computed = { value: node.value };
      return () => computed;
    }
    case "attribute":
      return (attributes) => attributeOf(attributes, node.name);
    case "exists":
      return (attributes) => ({ value: isThere(attributes, node.name) });
    case "not":
      return unary(prepareCesql(node.operand), "Boolean", (value) => ({ value: !value }));
    case "negate":
      return unary(prepareCesql(node.operand), "Integer", (value) => integer(-Number(value)));
    case "logic":
      return node.operator === "XOR"
        ? exclusive(node.operands.map(prepareCesql))
        : logic(node.operator, node.operands.map(prepareCesql));
    case "comparison":
      return comparison(node.operator, prepareCesql(node.left), prepareCesql(node.right));
    case "arithmetic":
      return arithmetic(node.operator, prepareCesql(node.left), prepareCesql(node.right));
    case "like": {
      const like = compileLike(node.pattern);
      const test = (value: CesqlValue) => ({ value: like(String(value)) !== node.negated });
      return unary(prepareCesql(node.operand), "String", test, "Boolean");
    }
    case "in":
      return membership(prepareCesql(node.operand), node.set.map(prepareCesql), node.negated);
    case "call":
      return call(node.name, node.operands.map(prepareCesql));
    default:
      return node satisfies never;
  }
}

const isThere = (attributes: CesqlAttributes, name: string) =>
  Object.hasOwn(attributes, name) && attributes[name] !== undefined;

/** The zero of a missing attribute's type is false, because its type is not known. */
function attributeOf(attributes: CesqlAttributes, name: string): Computed {
  const value = isThere(attributes, name) ? attributes[name] : undefined;
  if (value === undefined) return zeroOf("Boolean", "missingAttribute");
  if (typeof value === "string") return limited(value);
  const isInteger =
    typeof value === "boolean" || (Number.isInteger(value) && value >= INTEGER_MIN && value <= INTEGER_MAX);
  return { value: isInteger ? value : String(value) };
}

const limited = (text: string): Computed =>
  text.length > TEXT_LENGTH_MAX ? zeroOf("String", "generic") : { value: text };

function unary(
  operand: CesqlEvaluation,
  type: CesqlType,
  apply: (value: CesqlValue) => Computed,
  returns: CesqlType = type,
): CesqlEvaluation {
  return (attributes) => {
    const given = castTo(operand(attributes), type);
    return given.fault ? zeroOf(returns, given.fault) : apply(given.value);
  };
}

const castTo = (given: Computed, type: CesqlType): Computed => (given.fault ? given : cast(given.value, type));

/** AND and OR stop at the first operand that decides. */
function logic(operator: "AND" | "OR", operands: readonly CesqlEvaluation[]): CesqlEvaluation {
  const decides = operator === "OR";
  return (attributes) => {
    for (const operand of operands) {
      const { value, fault } = castTo(operand(attributes), "Boolean");
      if (fault) return zeroOf("Boolean", fault);
      if (value === decides) return { value: decides };
    }
    return { value: !decides };
  };
}

function exclusive(operands: readonly CesqlEvaluation[]): CesqlEvaluation {
  return (attributes) => {
    let isOdd = false;
    for (const operand of operands) {
      const { value, fault } = castTo(operand(attributes), "Boolean");
      if (fault) return zeroOf("Boolean", fault);
      if (value) isOdd = !isOdd;
    }
    return { value: isOdd };
  };
}

/** Equality takes the type of what stands on the right; an order is of integers. */
function comparison(operator: CesqlComparison, left: CesqlEvaluation, right: CesqlEvaluation): CesqlEvaluation {
  const isEquality = operator === "=" || operator === "!=";
  return (attributes) => {
    const first = left(attributes);
    if (first.fault) return zeroOf("Boolean", first.fault);
    const second = right(attributes);
    const type = isEquality ? typeOf(second.value) : "Integer";
    const b = castTo(second, type);
    const a = castTo(first, type);
    const fault = b.fault ?? a.fault;
    return fault ? zeroOf("Boolean", fault) : { value: compare(operator, a.value, b.value) };
  };
}

function compare(operator: CesqlComparison, a: CesqlValue, b: CesqlValue): boolean {
  switch (operator) {
    case "=":
      return a === b;
    case "!=":
      return a !== b;
    case "<":
      return a < b;
    case "<=":
      return a <= b;
    case ">":
      return a > b;
    case ">=":
      return a >= b;
    default:
      return operator satisfies never;
  }
}

function arithmetic(operator: CesqlArithmetic, left: CesqlEvaluation, right: CesqlEvaluation): CesqlEvaluation {
  return (attributes) => {
    const a = castTo(left(attributes), "Integer");
    if (a.fault) return zeroOf("Integer", a.fault);
    const b = castTo(right(attributes), "Integer");
    return b.fault ? zeroOf("Integer", b.fault) : calculate(operator, Number(a.value), Number(b.value));
  };
}

function calculate(operator: CesqlArithmetic, a: number, b: number): Computed {
  switch (operator) {
    case "+":
      return integer(a + b);
    case "-":
      return integer(a - b);
    case "*":
      return integer(a * b);
    case "/":
      return b === 0 ? zeroOf("Integer", "math") : integer(Math.trunc(a / b));
    case "%":
      return b === 0 ? zeroOf("Integer", "math") : integer(a % b);
    default:
      return operator satisfies never;
  }
}

/** The elements take the type of what is looked for. */
function membership(operand: CesqlEvaluation, set: readonly CesqlEvaluation[], negated: boolean): CesqlEvaluation {
  return (attributes) => {
    const { value, fault } = operand(attributes);
    if (fault) return zeroOf("Boolean", fault);
    for (const each of set) {
      const element = castTo(each(attributes), typeOf(value));
      if (element.fault) return zeroOf("Boolean", element.fault);
      if (element.value === value) return { value: !negated };
    }
    return { value: negated };
  };
}

function call(name: string, operands: readonly CesqlEvaluation[]): CesqlEvaluation {
  const found = findCesqlFunction(name, operands.length);
  if (found === undefined) return () => zeroOf("Boolean", "missingFunction");
  const { parameters, rest = "Any", returns } = found;
  return (attributes) => {
    const values: CesqlValue[] = [];
    for (const [index, operand] of operands.entries()) {
      const parameter = parameters[index] ?? rest;
      const given = operand(attributes);
      const { value, fault } = parameter === "Any" ? given : castTo(given, parameter);
      if (fault) return zeroOf(returns, fault);
      values.push(value);
    }
    const computed = found.apply(...values);
    return typeof computed.value === "string" && computed.value.length > TEXT_LENGTH_MAX
      ? zeroOf("String", "generic")
      : computed;
  };
}
