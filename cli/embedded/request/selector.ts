/**
 * Label and field selectors, read once and then asked for each object. What cannot be read is refused with the API server's own
 * sentence, because people find their typing mistake by it.
 * Source: apimachinery `pkg/labels/selector.go`, `pkg/fields/selector.go`; the field labels of each kind as kube-apiserver 1.36 has them.
 */
import type { ResourceKind } from "../object/kind.ts";
import { labelKeyProblems, labelValueProblems } from "../object/label-syntax.ts";
import { isObject, type Json, type KubeObject } from "../object/object.ts";
import { badRequest } from "../object/status-error.ts";

/** The labels of an object. */
export type Labels = Readonly<Record<string, string>>;

interface Token {
  readonly type: "identifier" | "symbol" | "end";
  readonly text: string;
}

type LabelTest = (labels: Labels) => boolean;

const OPERATORS: Readonly<Record<string, (values: readonly string[], value: string | undefined) => boolean>> = {
  in: (values, value) => value !== undefined && values.includes(value),
  notin: (values, value) => value === undefined || !values.includes(value),
  "=": (values, value) => value !== undefined && values.includes(value),
  "==": (values, value) => value !== undefined && values.includes(value),
  "!=": (values, value) => value === undefined || !values.includes(value),
  ">": (values, value) => isWhole(value) && BigInt(value) > BigInt(values[0] ?? 0),
  "<": (values, value) => isWhole(value) && BigInt(value) < BigInt(values[0] ?? 0),
};
/** As the API server lists them; it says `gt` and `lt`, although it reads `>` and `<`. */
const OPERATORS_LISTED = "in, notin, =, ==, !=, gt, lt";

/** Reads a label selector; an empty one selects everything. Throws badRequest. */
export function parseLabelSelector(text: string): (labels: Labels) => boolean {
  const tokens = tokensOf(text);
  const tests: LabelTest[] = [];
  for (;;) {
    const next = tokens[0];
    if (next === undefined || next.type === "end") break;
    if (next.type === "symbol" && next.text !== "!")
      throw badRequest(`found '${next.text}', expected: !, identifier, or 'end of string'`);
    tests.push(readRequirement(tokens));
    const separator = take(tokens);
    if (separator.type === "end") break;
    if (separator.text !== ",") throw badRequest(`found '${separator.text}', expected: ',' or 'end of string'`);
    const after = tokens[0];
    if (after?.type !== "identifier" && after?.text !== "!")
      throw badRequest(`found '${after?.text ?? ""}', expected: identifier after ','`);
  }
  return (labels) => tests.every((test) => test(labels));
}

function readRequirement(tokens: Token[]): LabelTest {
  const first = take(tokens);
  const isNegated = first.text === "!" && first.type === "symbol";
  const key = isNegated ? take(tokens) : first;
  if (key.type !== "identifier") throw unreadable(`found '${key.text}', expected: identifier`);
  const problems = labelKeyProblems(key.text);
  if (problems.length > 0)
    throw unreadable(`<nil>: Invalid value: ${JSON.stringify(key.text)}: ${problems.join("; ")}`);
  const next = tokens[0];
  if (isNegated) return (labels) => !Object.hasOwn(labels, key.text); // whatever follows is the caller's to refuse
  if (next === undefined || next.type === "end" || next.text === ",")
    return (labels) => Object.hasOwn(labels, key.text);
  const operator = take(tokens).text;
  const matches = Object.hasOwn(OPERATORS, operator) ? OPERATORS[operator] : undefined;
  if (matches === undefined) throw unreadable(`found '${operator}', expected: ${OPERATORS_LISTED}`);
  const values = operator === "in" || operator === "notin" ? readValues(tokens) : [readValue(tokens)];
  checkValues(key.text, operator, values);
  return (labels) => matches(values, Object.hasOwn(labels, key.text) ? labels[key.text] : undefined);
}

function readValue(tokens: Token[]): string {
  const next = tokens[0];
  if (next === undefined || next.type === "end" || next.text === ",") return "";
  const { type, text } = take(tokens);
  if (type !== "identifier") throw unreadable(`found '${text}', expected: identifier`);
  return text;
}

/** `(a,b)`; nothing between two separators is the empty value. */
function readValues(tokens: Token[]): readonly string[] {
  const open = take(tokens);
  if (open.text !== "(") throw unreadable(`found '${open.text}' expected: '('`);
  const first = tokens[0];
  if (first?.type !== "identifier" && first?.text !== "," && first?.text !== ")")
    throw unreadable(`found '${first?.text ?? ""}', expected: ',', ')' or identifier`);
  const values: string[] = [];
  for (let wantsValue = true; ; ) {
    const { type, text } = take(tokens);
    if (type === "identifier" && wantsValue) values.push(text);
    else if (type === "symbol" && (text === "," || text === ")")) {
      if (wantsValue) values.push("");
      if (text === ")") return [...new Set(values)].toSorted();
    } else if (wantsValue) throw unreadable(`found '${text}', expected: ',', or identifier`);
    else throw unreadable(`found '${text}', expected: ',' or ')'`);
    wantsValue = type === "symbol";
  }
}

function checkValues(key: string, operator: string, values: readonly string[]): void {
  const problems = values.flatMap((value, index) => {
    const quoted = JSON.stringify(value);
    const rules = labelValueProblems(value);
    const numeric = (operator === ">" || operator === "<") && !isWhole(value);
    return [
      ...(numeric
        ? [`values[${index}]: Invalid value: ${quoted}: for 'Gt', 'Lt' operators, the value must be an integer`]
        : []),
      ...(rules.length > 0 ? [`values[${index}][${key}]: Invalid value: ${quoted}: ${rules.join("; ")}`] : []),
    ];
  });
  if (problems.length > 0) throw unreadable(problems.length === 1 ? (problems[0] ?? "") : `[${problems.join(", ")}]`);
}

const isWhole = (text: string | undefined): text is string => text !== undefined && /^[+-]?\d+$/.test(text);
const unreadable = (why: string) => badRequest(`unable to parse requirement: ${why}`);
const take = (tokens: Token[]): Token => tokens.shift() ?? { type: "end", text: "" };

function tokensOf(text: string): Token[] {
  const found = text.matchAll(/(?<symbol>==|!=|[=!(),<>])|(?<identifier>[^\s=!(),<>]+)/g);
  const tokens: Token[] = [];
  for (const { 0: whole, groups } of found)
    tokens.push({ type: groups?.["symbol"] ? "symbol" : "identifier", text: whole });
  return [...tokens, { type: "end", text: "" }];
}

/** Reads a field selector; an empty one selects everything. Throws badRequest, also for a field that the kind cannot be selected by. */
export function parseFieldSelector(text: string, kind: ResourceKind): (object: KubeObject) => boolean {
  const terms = termsOf(text).toSorted(); // the API server complains of the first in this order
  const parsed = terms.map((term) => {
    const [, field = "", operator, escaped = ""] = /^(.*?)(!=|==|=)(.*)$/s.exec(term) ?? [];
    if (operator === undefined) throw badRequest(`invalid selector: '${text}'; can't understand '${term}'`);
    return { field, isEqual: operator !== "!=", value: unescapeValue(escaped) };
  });
  const tests = parsed
    .filter(({ field, value }) => field !== "" || value !== "")
    .map(({ field, isEqual, value }) => {
      const read = fieldOf(field, kind);
      return (object: KubeObject) => (read(object) === value) === isEqual;
    });
  return (object) => tests.every((test) => test(object));
}

/** Splits at the commas that are not escaped. */
function termsOf(text: string): string[] {
  return (text.match(/(?:\\.|[^,\\]|\\$)+/gs) ?? []).filter((term) => term !== "");
}

function unescapeValue(escaped: string): string {
  return escaped.replaceAll(/\\(.?)|[,=]/gs, (found, character: string | undefined) => {
    if (character === undefined)
      throw badRequest(`invalid field selector: unescaped character in value: ${found.charCodeAt(0)}`);
    if (character === "" || !",=\\".includes(character))
      throw badRequest(`invalid field selector: invalid escape sequence: ${found}`);
    return character;
  });
}

/** How to get a field's value as text; a field that is missing is empty. */
function fieldOf(field: string, kind: ResourceKind): (object: KubeObject) => string {
  const hasOwnFields = kind.custom || kind.selectableFields.length > 0;
  if (field === "metadata.name") return ({ metadata }) => metadata.name ?? "";
  if (field === "metadata.namespace" && (kind.namespaced || !hasOwnFields))
    return ({ metadata }) => metadata.namespace ?? "";
  if (!kind.selectableFields.includes(field))
    throw badRequest(
      hasOwnFields
        ? `field label not supported: ${field}`
        : `"${field}" is not a known field selector: only "metadata.name", "metadata.namespace"`,
    );
  const isEventSource = kind.group === "" && kind.kind === "Event" && field === "source";
  if (isEventSource) return (object) => textAt(object, "source.component") || textAt(object, "reportingComponent");
  return (object) => textAt(object, field);
}

function textAt(object: KubeObject, path: string): string {
  let value: Json | undefined = object;
  for (const name of path.split(".")) value = isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
  return value === undefined || value === null || typeof value === "object" ? "" : String(value);
}
