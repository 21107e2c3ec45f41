/**
 * A configuration file: YAML text and a zod schema give the value, or one error that names every problem with file, line, column
 * and field, what was expected, and the nearest known name of a mistyped key. Configuration is read once, at start, so nothing is
 * guessed and nothing unknown is passed over.
 * Source: YAML 1.2 (core schema); the `yaml` package's documents keep the position of every node.
 */
import { type Document, isMap, isNode, isScalar, LineCounter, type Node, parseDocument } from "yaml";
import { z } from "zod";
import { valueAt } from "./event/field-path.ts";
import type { Json } from "./kube/kube-object.ts";
import { didYouMean } from "./nearest-name.ts";

/** One thing that is wrong. `line` and `column` count from 1; `field` is empty for the file as a whole. */
export interface ConfigProblem {
  readonly line: number;
  readonly column: number;
  readonly field: string;
  readonly problem: string;
}

/** The configuration cannot be used. The message has one line for each problem: `file:line:column field: what to do`. */
export class ConfigError extends Error {
  readonly code = "CONFIG_INVALID";
  override readonly name = "ConfigError";
  readonly problems: readonly ConfigProblem[];
  constructor(fileName: string, problems: readonly ConfigProblem[], options?: ErrorOptions) {
    super(problems.map((problem) => sentence(fileName, problem)).join("\n"), options);
    this.problems = problems;
  }
}

/** Far more than a configuration needs; a larger file is a mistake. */
const TEXT_LENGTH_MAX = 1024 * 1024;
/** Nodes that aliases may expand to, as a multiple of what is written: enough for anchors, too few for a bomb. */
const ALIAS_COUNT_MAX = 100;
/** More problems than this tell nothing new. */
const PROBLEMS_MAX = 20;
/** Enough of a wrong value to find it. */
const SHOWN_LENGTH_MAX = 40;

/** YAML's words for zod's types. */
const TYPE_NAMES: Readonly<Record<string, string>> = {
  object: "a map",
  record: "a map",
  array: "a list",
  string: "a string",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
};

type Path = readonly PropertyKey[];
type Issue = z.core.$ZodIssue;

/** Reads a configuration. Throws ConfigError. */
export function parseYamlConfig<Schema extends z.ZodType>(
  schema: Schema,
  text: string,
  fileName: string,
): z.output<Schema> {
  if (text.length > TEXT_LENGTH_MAX) {
    const problem = `the file is larger than ${TEXT_LENGTH_MAX / 1024} KiB: is it the right one?`;
    throw new ConfigError(fileName, [{ line: 1, column: 1, field: "", problem }]);
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  if (document.errors.length > 0) throw new ConfigError(fileName, syntaxProblems(document, lines));
  const value = toValue(document, fileName);
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues
    .flatMap((issue) => toProblems(issue, [], { document, value, lines, schema }))
    .sort((a, b) => a.line - b.line || a.column - b.column);
  throw new ConfigError(fileName, problems.slice(0, PROBLEMS_MAX));
}

function sentence(fileName: string, { line, column, field, problem }: ConfigProblem): string {
  return `${fileName}:${line}:${column}${field && ` ${field}`}: ${problem}`;
}

function syntaxProblems(document: Document.Parsed, lines: LineCounter): ConfigProblem[] {
  return document.errors.slice(0, PROBLEMS_MAX).map((error) => ({
    ...position(lines, error.pos[0]),
    field: "",
    problem:
      error.code === "DUPLICATE_KEY" ? "this key is here twice: keep one of them" : `not valid YAML: ${error.message}`,
  }));
}

function toValue(document: Document.Parsed, fileName: string): unknown {
  try {
    return document.toJS({ maxAliasCount: ALIAS_COUNT_MAX });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ConfigError(fileName, [{ line: 1, column: 1, field: "", problem: `aliases (*name): ${reason}` }], {
      cause,
    });
  }
}

interface Source {
  readonly document: Document.Parsed;
  readonly value: unknown;
  readonly lines: LineCounter;
  readonly schema: z.ZodType;
}

/** `prefix` is where a union stands whose branch this issue belongs to. */
function toProblems(issue: Issue, prefix: Path, source: Source): ConfigProblem[] {
  const path = [...prefix, ...issue.path];
  if (issue.code === "unrecognized_keys") {
    const known = knownKeys(source.schema, path);
    return issue.keys.map((key) => ({
      ...position(source.lines, keyOffset(source.document, path, key)),
      field: shownPath([...path, key]),
      problem: `unknown key${didYouMean(key, known) || expectedKeys(known)}`,
    }));
  }
  if (issue.code === "invalid_union") {
    const branch = nearestBranch(issue.errors);
    if (branch !== undefined && isDefaultMessage(issue))
      return branch.flatMap((inner) => toProblems(inner, path, source));
  }
  return [{ ...position(source.lines, offsetOf(source.document, path)), field: shownPath(path), problem: tell() }];

  function tell(): string {
    const expected = expectation(issue);
    const value = valueAt(source.value, path.map(String));
    if (value === undefined && issue.code !== "custom")
      return `is missing: add it${expected && ` (expected ${expected})`}`;
    if (value !== undefined && isDefaultMessage(issue) && expected)
      return `expected ${expected}, got ${shownValue(value)}`;
    return issue.message;
  }
}

/** The union's branch that came furthest into the value: the one the writer meant. `undefined` when none fits better. */
function nearestBranch(branches: readonly (readonly Issue[])[]): readonly Issue[] | undefined {
  const depth = (issues: readonly Issue[]) =>
    Math.max(...issues.map((issue) => issue.path.length + (issue.code === "unrecognized_keys" ? 1 : 0)));
  const deepest = branches.toSorted((a, b) => depth(b) - depth(a) || a.length - b.length)[0];
  return deepest === undefined || depth(deepest) === 0 ? undefined : deepest;
}

function isDefaultMessage(issue: Issue): boolean {
  return issue.message.startsWith("Invalid ");
}

/** What an issue says should have been there, in the words of its schema; empty when it is no question of type or value. */
function expectation(issue: Issue): string {
  switch (issue.code) {
    case "invalid_type":
      return TYPE_NAMES[issue.expected] ?? issue.expected;
    case "invalid_value":
      return issue.values.map((value) => JSON.stringify(value)).join(" or ");
    case "invalid_union":
      return [...new Set(issue.errors.flat().map(expectation))].filter(Boolean).join(" or ");
    default:
      return "";
  }
}

function expectedKeys(known: readonly string[]): string {
  return known.length === 0 ? ": remove it" : `: known are ${known.join(", ")}`;
}

/** A value as an error shows it: scalars short, because they may be long; collections by their kind. */
function shownValue(value: Json): string {
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object" && value !== null) return "a map";
  const text = JSON.stringify(value).replace(/\/\/[^@/]*@/, "//"); // a URL may carry a password
  return text.length > SHOWN_LENGTH_MAX ? `${text.slice(0, SHOWN_LENGTH_MAX - 1)}…` : text;
}

/** `subscriptions[0].when.phase`; a key with a dot or a space stands in brackets. */
function shownPath(path: Path): string {
  let shown = "";
  for (const step of path) {
    if (typeof step === "number") shown += `[${step}]`;
    else if (/^[\w-]+$/.test(String(step))) shown += `${shown && "."}${String(step)}`;
    else shown += `[${JSON.stringify(String(step))}]`;
  }
  return shown;
}

function position(lines: LineCounter, offset: number): { line: number; column: number } {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(line, 1), column: Math.max(col, 1) };
}

/** Where the value at the path begins; what is missing is where the nearest thing around it begins. */
function offsetOf(document: Document.Parsed, path: Path): number {
  for (let length = path.length; length >= 0; length--) {
    const node = length === 0 ? document.contents : document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range) return node.range[0];
  }
  return 0;
}

function keyOffset(document: Document.Parsed, path: Path, key: string): number {
  const map = path.length === 0 ? document.contents : document.getIn(path, true);
  const pair = isMap(map)
    ? map.items.find((item) => String(isScalar(item.key) ? item.key.value : item.key) === key)
    : 0;
  const node: Node | undefined = pair && isNode(pair.key) ? pair.key : undefined;
  return node?.range?.[0] ?? offsetOf(document, path);
}

type JsonSchema = z.core.JSONSchema.JSONSchema;

/** The keys that the schema allows at a path, read from its JSON Schema, which sees through unions and recursion. */
function knownKeys(schema: z.ZodType, path: Path): string[] {
  const root = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }) as JsonSchema;
  let level = alternatives(root, root);
  for (const step of path) {
    const next = level.flatMap((one) => {
      if (typeof step === "number") {
        const item = one.prefixItems?.[step] ?? one.items;
        return typeof item === "object" && !Array.isArray(item) ? [item] : [];
      }
      const below = one.properties?.[String(step)] ?? one.additionalProperties;
      return typeof below === "object" ? [below] : [];
    });
    level = next.flatMap((one) => alternatives(one as JsonSchema, root));
  }
  return [...new Set(level.flatMap((one) => Object.keys(one.properties ?? {})))];
}

/** The schema itself, or those it refers to or chooses from. */
function alternatives(schema: JsonSchema, root: JsonSchema, depth = 0): JsonSchema[] {
  if (depth > 8) return [];
  const inner = [...(schema.anyOf ?? []), ...(schema.oneOf ?? []), ...(schema.allOf ?? [])];
  const name = schema.$ref === "#" ? undefined : schema.$ref?.replace(/^#\/\$defs\//, "");
  if (schema.$ref !== undefined) inner.push(name === undefined ? root : (root.$defs?.[name] ?? {}));
  return [schema, ...inner.flatMap((one) => alternatives(one as JsonSchema, root, depth + 1))];
}
