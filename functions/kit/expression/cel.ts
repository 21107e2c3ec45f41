/**
 * `cel:` expressions over a change, in the Common Expression Language. A program says the same of the same event at each try: it knows no
 * clock, no randomness and no machine. It ends after STEPS_MAX steps whatever it is and whatever it is given (cel-meter.ts), and reaches
 * nothing but the JSON of the event (cel-document.ts). What is wrong before it runs is told when it is compiled (cel-check.ts).
 * Source: Common Expression Language, Language Definition (cel.dev); Kubernetes "Common Expression Language in Kubernetes".
 */
import { Environment, EvaluationError, type ParseResult } from "@marcbachmann/cel-js";
import { didYouMean } from "#contract";
import { checkCel } from "./cel-check.ts";
import { CEL_VARIABLES, type CelPath, type CelVariable, type Reads, readsOf, toCel } from "./cel-document.ts";
import { type CelMeter, CelRefusal, createCelMeter, meterNodes } from "./cel-meter.ts";
import { ExpressionError, mistakeAt, placeOf } from "./expression-error.ts";
import type { Verdict } from "./verdict.ts";

/** What a CEL expression can see of one event; all of it JSON. Only what the expression names is read, so fields may be getters. */
export interface CelDocument {
  readonly object: unknown;
  /** `null` when there was none (created) or none is told (existing). */
  readonly before: unknown;
  /** The operations of an update; an empty list otherwise. */
  readonly patch: unknown;
  readonly transitions: unknown;
  /** The CloudEvent's attributes, without its data. */
  readonly event: unknown;
}

/** A compiled expression; it keeps nothing from one event to the next. */
export interface CelProgram<Value = boolean> {
  readonly source: string;
  /** The variables and fields that it names, each as deep as it is named, to be checked against a schema. */
  readonly paths: readonly CelPath[];
  evaluate(document: CelDocument): Verdict<Value>;
}

/** What an expression is to give: which types will do, what it is called, and a value of it as JSON. */
interface Wanted<Value> {
  readonly types: readonly string[];
  readonly what: string;
  readonly next: string;
  readonly otherwise: string;
  /** `undefined`: it is of another kind. */
  read(value: unknown): Value | undefined;
}

const TRUTH: Wanted<boolean> = {
  types: ["bool"],
  what: "true or false",
  next: "compare it with something",
  otherwise: "its value is neither true nor false",
  read: (value) => (typeof value === "boolean" ? value : undefined),
};
const KEY: Wanted<string> = {
  types: ["string", "int", "uint", "double", "bool"],
  what: "a text, a number, or true or false",
  next: "name a field of it",
  otherwise: "its value is neither a text nor a number nor true or false",
  read: (value) =>
    ["string", "number", "bigint", "boolean"].includes(typeof value) ? `${typeof value} ${value}` : undefined,
};

/** An expression is read by people. */
const SOURCE_LENGTH_MAX = 4_096;
const LIMITS = { maxAstNodes: 2_000, maxDepth: 100, maxListElements: 500, maxMapEntries: 500, maxCallArguments: 8 };
const NEXT = 'see "Expressions" in the README of functions';

/** Compiles what is true or false. Throws ExpressionError, which names the place, and a name near to one that does not exist. */
export function compileCel(source: string): CelProgram {
  return compileFor(source, TRUTH);
}

/** Compiles what tells one thing from another: a text that is the same for the same value. Throws ExpressionError. */
export function compileCelKey(source: string): CelProgram<string> {
  return compileFor(source, KEY);
}

function compileFor<Value>(source: string, wanted: Wanted<Value>): CelProgram<Value> {
  if (source.trim() === "") throw mistakeAt(source, 0, `expected an expression that is ${wanted.what}, found nothing`);
  if (source.length > SOURCE_LENGTH_MAX)
    throw mistakeAt(
      source,
      SOURCE_LENGTH_MAX,
      `longer than ${SOURCE_LENGTH_MAX} characters; write it as several filters`,
    );
  const meter = createCelMeter();
  try {
    const parsed = celEnvironment().parse(source);
    checkCel(source, parsed.ast);
    const reads = readsOf(parsed.ast);
    meterNodes(parsed, meter);
    checkTypes(source, parsed, wanted);
    const evaluated = (document: CelDocument) => evaluate(source, parsed, reads, meter, document, wanted);
    return { source, paths: pathsOf(reads), evaluate: evaluated };
  } catch (error) {
    if (error instanceof ExpressionError) throw error;
    if (error instanceof RangeError)
      throw mistakeAt(source, 0, "nested too deeply; write it as several filters", error);
    throw mistakeOf(source, error);
  }
}

/** Made for each expression (64 µs), because the nodes of cel-js keep what they learn of its operators. */
function celEnvironment(): Environment {
  const environment = new Environment({
    enableOptionalTypes: true,
    homogeneousAggregateLiterals: false,
    limits: LIMITS,
  });
  for (const variable of CEL_VARIABLES) environment.registerVariable(variable, "dyn");
  // JSON does not tell 1.0 from 1: a field that is now 1 and now 1.5 is now int and now double.
  const mixed: Readonly<Record<string, (left: number, right: number) => number>> = {
    "+": (left, right) => left + right,
    "-": (left, right) => left - right,
    "*": (left, right) => left * right,
    "/": (left, right) => left / right,
  };
  for (const [operator, of] of Object.entries(mixed))
    for (const types of [`int ${operator} double`, `double ${operator} int`])
      environment.registerOperator(`${types}: double`, (left, right) => of(Number(left), Number(right)));
  return environment;
}

function checkTypes(source: string, parsed: ParseResult, { types, what, next }: Wanted<unknown>): void {
  const { valid, type = "", error } = parsed.check();
  if (!valid) throw mistakeOf(source, error);
  if (!types.includes(type) && type !== "dyn")
    throw mistakeAt(source, 0, `expected an expression that is ${what}, this one is ${type}; ${next}`);
}

/** What cel-js tells of a mistake, in our words. */
function mistakeOf(source: string, error: unknown): ExpressionError {
  const { code, summary = "", range } = (error ?? {}) as Partial<EvaluationError>;
  const at = range?.start ?? 0;
  if (code === "unknown_variable") {
    const name = summary.replace("Unknown variable: ", "");
    const known = `an expression sees ${CEL_VARIABLES.join(", ")}`;
    return mistakeAt(source, at, `there is no variable "${name}"${didYouMean(name, CEL_VARIABLES)}; ${known}`, error);
  }
  const said = summary.replace("EOF", "the end") || "this is not CEL";
  return mistakeAt(source, at, `${said.charAt(0).toLowerCase()}${said.slice(1)}; ${NEXT}`, error);
}

function evaluate<Value>(
  source: string,
  parsed: ParseResult,
  reads: ReadonlyMap<CelVariable, Reads>,
  meter: CelMeter,
  document: CelDocument,
  wanted: Wanted<Value>,
): Verdict<Value> {
  const read = [...reads].map(([variable, fields]) => ({ variable, fields, value: document[variable] }));
  meter.start();
  try {
    const variables: Record<string, unknown> = {};
    for (const { variable, fields, value } of read) variables[variable] = toCel(value, fields, meter);
    const value = wanted.read(parsed(variables));
    if (meter.exhausted) return failed(meter.exhausted.message);
    return value === undefined ? failed(wanted.otherwise) : { type: "value", value };
  } catch (error) {
    return failed(meter.exhausted?.message ?? reasonOf(source, error));
  }
}

const failed = (reason: string) => ({ type: "failed", reason }) as const;

/** What is said of each kind of error. The library's own sentences may quote the data. */
const REASONS: Readonly<Record<string, string>> = {
  no_such_key: "a field that it reads is not there (ask has() first, or use .? with orValue())",
  no_such_overload: "the values do not fit the operator",
  no_matching_overload: "the values do not fit the function",
  division_by_zero: "division by zero",
  modulo_by_zero: "modulo by zero",
  numeric_overflow: "a number is too large",
  index_out_of_range: "an index is out of range",
  optional_value_missing: "an optional value is not there (use orValue())",
  invalid_duration: "a text is no duration",
  invalid_timestamp: "a text is no timestamp",
};

function reasonOf(source: string, error: unknown): string {
  if (error instanceof CelRefusal) return error.message;
  if (error instanceof RangeError && /stack/.test(error.message)) return "it goes too deep";
  if (!(error instanceof EvaluationError)) return "a value is not of a kind that it can take";
  const said =
    (Object.hasOwn(REASONS, error.code) ? REASONS[error.code] : undefined) ??
    "the values are not of the kinds that it needs";
  return error.range === undefined ? said : `${placeOf(source, error.range.start)}: ${said}`;
}

function pathsOf(reads: ReadonlyMap<CelVariable, Reads>): CelPath[] {
  const below = (variable: CelVariable, path: readonly string[], { whole, fields }: Reads): CelPath[] => [
    ...(whole || fields.size === 0 ? [{ variable, path }] : []),
    ...[...fields].flatMap(([field, read]) => below(variable, [...path, field], read)),
  ];
  return [...reads].flatMap(([variable, read]) => below(variable, [], read));
}
