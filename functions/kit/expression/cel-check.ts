/**
 * What is told of a CEL expression before it runs, beyond its grammar and types: names that do not exist, functions that are not bounded,
 * and expressions too deep. Every mistake is an ExpressionError with its place.
 */
import type { ASTNode } from "@marcbachmann/cel-js";
import { didYouMean } from "#contract";
import { attributeProblem } from "./attribute-name.ts";
import { CEL_VARIABLES, childrenOf, pathOf } from "./cel-document.ts";
import { TIMESTAMP } from "./cel-meter.ts";
import { mistakeAt } from "./expression-error.ts";

const TIMES = [
  "FullYear",
  "Month",
  "Date",
  "DayOfMonth",
  "DayOfWeek",
  "DayOfYear",
  "Hours",
  "Minutes",
  "Seconds",
  "Milliseconds",
];
/** What may be called as `f(x)`. */
const FUNCTIONS = ["has", "size", "int", "uint", "double", "string", "bool", "type", "dyn", "timestamp", "duration"];
/** Take a variable and an expression: `list.all(x, x > 1)`. */
const LOOPS = ["all", "exists", "exists_one", "filter", "map"];
/** What may be called as `x.f(y)`. */
const METHODS = [
  ...LOOPS,
  ...["size", "startsWith", "endsWith", "contains", "indexOf", "substring", "split", "join"],
  ...["lowerAscii", "upperAscii", "trim", "bind"],
  ...["of", "none", "or", "orValue", "hasValue", "value"],
  ...TIMES.map((part) => `get${part}`),
];
/** Unbounded, or of no use for JSON; the reason stands in the message. */
const REFUSED: Readonly<Record<string, string>> = {
  matches: "a regular expression can take for ever; use startsWith(), endsWith(), contains() or split()",
};
/** How the texts of times are written, and an example. */
const TIMES_WRITTEN: Readonly<Record<string, { readonly form: RegExp; readonly example: string }>> = {
  timestamp: { form: TIMESTAMP, example: '"2026-01-31T10:00:00Z"' },
  duration: { form: /^[+-]?(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+$/, example: '"90s" or "1h30m" (there are no days)' },
};
/** cel-js goes down the expression by recursion. */
const DEPTH_MAX = 200;

const PHASE = ["from", "to", "heldSeconds"];
const CONDITION = [...PHASE, "reason", "message"];
/** The fields of `transitions` at each level (bridge/event/change.ts); undefined where any name can stand. */
const TRANSITIONS: Readonly<Record<string, readonly (readonly string[] | undefined)[]>> = {
  phase: [PHASE],
  conditions: [undefined, CONDITION],
  terminating: [["since", "finalizers"]],
};

/** Throws ExpressionError at the first mistake. */
export function checkCel(source: string, root: ASTNode): void {
  const visit = (node: ASTNode, depth: number) => {
    if (depth > DEPTH_MAX)
      throw mistakeAt(source, node.start, `nested deeper than ${DEPTH_MAX} levels; write it as several filters`);
    const problem = callProblem(node) ?? pathProblem(node);
    if (problem !== undefined) throw mistakeAt(source, node.op === "rcall" ? node.args[1].end + 1 : node.pos, problem);
    for (const child of childrenOf(node)) visit(child, depth + 1);
  };
  visit(root, 1);
}

function callProblem(node: ASTNode): string | undefined {
  if (node.op !== "call" && node.op !== "rcall") return undefined;
  const [name] = node.args;
  const known = node.op === "call" ? FUNCTIONS : METHODS;
  const shown = node.op === "call" ? `${name}()` : `.${name}()`;
  if (!known.includes(name)) {
    const refused = Object.hasOwn(REFUSED, name) ? REFUSED[name] : undefined;
    if (refused !== undefined) return `${shown} is not available: ${refused}`;
    return `there is no function ${shown}${didYouMean(name, known)}; the README of functions lists those there are`;
  }
  if (node.op === "call") return timeProblem(name, node.args[1][0]);
  const [variable] = node.args[2];
  if (!(LOOPS.includes(name) || name === "bind") || variable?.op !== "id") return undefined;
  const isTaken = [...CEL_VARIABLES, "cel", "optional"].includes(variable.args);
  return isTaken ? `${variable.args} is already a variable; give that of ${shown} another name` : undefined;
}

function timeProblem(name: string, given: ASTNode | undefined): string | undefined {
  const written = Object.hasOwn(TIMES_WRITTEN, name) ? TIMES_WRITTEN[name] : undefined;
  if (written === undefined || given?.op !== "value" || typeof given.args !== "string") return undefined;
  return written.form.test(given.args)
    ? undefined
    : `${name}() cannot read this text; write it like ${written.example}`;
}

function pathProblem(node: ASTNode): string | undefined {
  const { variable, path } = pathOf(node) ?? {};
  const [field] = path ?? [];
  if (path === undefined || field === undefined) return undefined;
  switch (variable) {
    case "transitions":
      return transitionProblem(field, path.slice(1));
    case "event":
      return path.length === 1 ? attributeProblem(field) : undefined;
    default:
      return undefined;
  }
}

function transitionProblem(field: string, below: readonly string[]): string | undefined {
  const levels = Object.hasOwn(TRANSITIONS, field) ? TRANSITIONS[field] : undefined;
  if (levels === undefined) return unknownField("transitions", field, Object.keys(TRANSITIONS));
  for (const [level, name] of below.entries()) {
    const known = levels[level];
    if (known && !known.includes(name)) return unknownField(`transitions.${field}`, name, known);
  }
  return undefined;
}

const unknownField = (of: string, name: string, known: readonly string[]) =>
  `${of} has no field "${name}"${didYouMean(name, known)}; it has ${known.join(", ")}`;
