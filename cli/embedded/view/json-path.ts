/**
 * Kubernetes' JSONPath as far as definitions use it for printer columns, scale paths and selectable fields: names, indices, slices,
 * unions, wildcards, descent and one comparison in a filter. It reads values and can do nothing else: there is no script in it.
 * (jsonpath-plus, which comes along with the Kubernetes client, evaluates scripts and speaks another dialect.)
 * Source: Kubernetes reference "JSONPath Support"; client-go `util/jsonpath`, whose results it gives, empty where that one fails.
 */
import { isObject, type Json, type JsonObject } from "../object/object.ts";

/** The text is no path, or a part of JSONPath that is not supported. */
export class JsonPathError extends Error {
  readonly code = "JSON_PATH";
  override readonly name = "JsonPathError";
  constructor(text: string, rest: string) {
    super(`JSON path ${text}: cannot read ${JSON.stringify(rest)}; use names, indices, [*] and [?(@.name=="value")]`);
  }
}

/** From the values so far to the next ones; `undefined` when the values do not allow it, and nothing is found. */
type Step = (values: readonly Json[]) => readonly Json[] | undefined;

/** A number as written: Kubernetes does not compare whole ones with others. */
interface Literal {
  readonly type: "text" | "whole" | "fraction" | "flag" | "other";
  readonly value: Json;
}

const FIELD = /\.((?:\\.|[^\\\s.,[\]$@{}])*)/y;
const KEY = /\['([^']*)'\]/y;
const SLICE = /\[(?:\*|(-?\d*)(?:(:)(-?\d*)(?::([1-9]\d*)?)?)?)\]/y;
const UNION = /\[([^[\]?(]*,[^[\]?(]*)\]/y;
/** The first of two dots; the second one begins the name. */
const DESCENT = /\.(?=\.)/y;
const FILTER = /\[\?\(((?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|[^"')])*)\)\]/y;
const SPACE = / +/y;
const COMPARISON = /^\s*@([^!<>=]*?)\s*(?:(==|!=|<=|>=|<|>)\s*(.+?)\s*)?$/s;

/** Reads a path such as `.spec.replicas`, with or without the first dot's `@` or `$`; the function finds its values in an object. Throws JsonPathError. */
export function compileJsonPath(text: string): (object: JsonObject) => readonly Json[] {
  const steps = stepsOf(text);
  return (object) => follow(steps, [object]) ?? [];
}

function follow(steps: readonly Step[], start: readonly Json[]): readonly Json[] | undefined {
  let values: readonly Json[] | undefined = start;
  for (const step of steps) {
    values = step(values);
    if (values === undefined) return undefined;
  }
  return values;
}

function stepsOf(text: string): readonly Step[] {
  const steps: Step[] = [];
  let at = /^[$@]/.test(text) ? 1 : 0;
  const match = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    at += found?.[0].length ?? 0;
    return found;
  };
  while (at < text.length) {
    if (match(SPACE) !== null) continue;
    if (match(DESCENT) !== null) steps.push((values) => values.flatMap(withDescendants));
    const [field, key, slice, union, filter] = [FIELD, KEY, SLICE, UNION, FILTER].map(match);
    if (field) steps.push(fieldStep(field[1] ?? ""));
    if (key) steps.push(...stepsOf(`.${key[1]}`)); // dots in a quoted key separate as well, in Kubernetes
    if (slice) steps.push(sliceStep(slice));
    if (union) steps.push(unionStep((union[1] ?? "").split(",").map((part) => stepsOf(`[${part.trim()}]`))));
    if (filter) steps.push(filterStep(text, filter[1] ?? ""));
    if (!(field ?? key ?? slice ?? union ?? filter)) throw new JsonPathError(text, text.slice(at));
  }
  return steps;
}

function fieldStep(escaped: string): Step {
  const name = escaped.replaceAll("\\", "");
  if (name === "*") return (values) => values.flatMap(childrenOf);
  return (values) =>
    values.flatMap((value) => {
      const child = isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
      return child === undefined ? [] : [child];
    });
}

function childrenOf(value: Json): readonly Json[] {
  if (isArray(value)) return value;
  return isObject(value) ? Object.values(value).filter((child) => child !== undefined) : [];
}

/** The objects and arrays in a value, itself first; not what is no container. */
function withDescendants(value: Json): readonly Json[] {
  const children = childrenOf(value);
  return children.length === 0 ? [] : [value, ...children.flatMap(withDescendants)];
}

function unionStep(parts: readonly (readonly Step[])[]): Step {
  return (values) => {
    const found = parts.map((steps) => follow(steps, values));
    return found.includes(undefined) ? undefined : found.flatMap((each) => each ?? []);
  };
}

/** Out of bounds is an error, as in Kubernetes, unless nothing is asked for. */
function sliceStep([whole, first = "", colon, last = "", stride = "1"]: RegExpExecArray): Step {
  const isRange = whole === "[*]" || colon !== undefined;
  return (values) => {
    let found: readonly Json[] = [];
    for (const value of values) {
      if (value === null) continue;
      if (!isArray(value)) return undefined;
      const { length } = value;
      const from = fromEnd(first === "" ? 0 : Number(first), length);
      const to = isRange ? fromEnd(last === "" ? length : Number(last), length) : from + 1;
      if (from < 0 || to < from || (from !== to && (from >= length || to > length))) return undefined;
      found = [...found, ...value.slice(from, to).filter((_, index) => index % Number(stride) === 0)];
    }
    return found;
  };
}

const fromEnd = (index: number, length: number): number => (index < 0 ? index + length : index);

function filterStep(text: string, condition: string): Step {
  const passes = conditionOf(text, condition);
  return (values) => {
    const found: Json[] = [];
    for (const value of values) {
      if (!isArray(value)) return undefined;
      for (const item of value) {
        const isWanted = passes(item);
        if (isWanted === undefined) return undefined;
        if (isWanted) found.push(item);
      }
    }
    return found;
  };
}

/** Whether an item is wanted; one that lacks the value is not, and `undefined` ends the search. */
function conditionOf(text: string, condition: string): (item: Json) => boolean | undefined {
  const [, path, operator, right = ""] = COMPARISON.exec(condition) ?? [];
  if (path === undefined) throw new JsonPathError(text, condition);
  const left = stepsOf(path);
  const other = operandOf(text, right);
  return (item) => {
    const [given, ...more] = follow(left, [item]) ?? [];
    if (given === undefined) return false;
    if (operator === undefined) return true;
    return more.length === 0 ? compare(literalOf(given), operator, other(item)) : undefined;
  };
}

/** What is on the right of an operator: a quoted text, a number, a flag, or a path of the same item. */
function operandOf(text: string, operand: string): (item: Json) => Literal {
  if (operand.startsWith("@")) {
    const steps = stepsOf(operand);
    return (item) => literalOf(follow(steps, [item])?.[0] ?? null);
  }
  const literal = parseLiteral(operand);
  if (literal === undefined) throw new JsonPathError(text, operand);
  return () => literal;
}

function parseLiteral(operand: string): Literal | undefined {
  if (operand === "") return { type: "other", value: null };
  if (operand === "true" || operand === "false") return { type: "flag", value: operand === "true" };
  if (/^[+-]?\d+$/.test(operand)) return { type: "whole", value: Number(operand) };
  if (/^[+-]?\d*\.\d*$/.test(operand)) return { type: "fraction", value: Number(operand) };
  const [, , quoted] = /^(["'])(.*)\1$/s.exec(operand) ?? [];
  if (quoted !== undefined) return { type: "text", value: quoted.replaceAll(/\\(.)/g, "$1") };
  return /^\w+$/.test(operand) ? { type: "other", value: operand } : undefined;
}

function literalOf(value: Json): Literal {
  if (typeof value === "string") return { type: "text", value };
  if (typeof value === "boolean") return { type: "flag", value };
  if (typeof value === "number") return { type: Number.isInteger(value) ? "whole" : "fraction", value };
  return { type: "other", value };
}

/** `undefined` where Kubernetes refuses to compare. */
function compare(left: Literal, operator: string, right: Literal): boolean | undefined {
  if (left.type !== right.type || left.type === "other") return undefined;
  if (operator === "==") return left.value === right.value;
  if (operator === "!=") return left.value !== right.value;
  const [a, b] = [left.value, right.value];
  if (left.type === "flag" || a === null || b === null) return undefined;
  if (operator === "<") return a < b;
  if (operator === ">") return a > b;
  return operator === "<=" ? a <= b : a >= b;
}

function isArray(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}
