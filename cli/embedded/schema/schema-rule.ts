/**
 * The rules (`x-kubernetes-validations`) of a structural schema, evaluated as kube-apiserver evaluates them: `self` is typed by the
 * schema, a rule with `oldSelf` runs only where there was a value before, and what did not change is not held against an update.
 * A rule that needs what only Kubernetes' own CEL libraries have (quantity, ip, url, format) is not enforced, and named.
 * There is no cost budget: a rule with nested macros over long lists can take long.
 * Source: apiextensions-apiserver `pkg/apiserver/schema/cel/validation.go`; Kubernetes "CustomResourceDefinition validation rules".
 */
import { isDeepStrictEqual } from "node:util";
import { Environment, EvaluationError, Optional, type ParseResult } from "@marcbachmann/cel-js";
import { isObject, type Json } from "../object/object.ts";
import type { StatusCause } from "../object/status-error.ts";
import { causeOf, OMITTED, type ValueReason } from "./schema-cause.ts";
import { itemBefore } from "./schema-list.ts";
import { toCel } from "./schema-rule-value.ts";
import type { ValueSchema } from "./value-schema.ts";

/** As a CustomResourceDefinition writes a rule. */
interface Rule {
  readonly rule: string;
  readonly message?: string;
  readonly messageExpression?: string;
  readonly reason?: ValueReason;
  readonly fieldPath?: string;
  readonly optionalOldSelf?: boolean;
}

interface CompiledRule extends Rule {
  readonly holds: ParseResult;
  readonly says: ParseResult | undefined;
  readonly usesBefore: boolean;
}

/** The rules of a schema node, and the nodes below that have some. */
interface RuleNode {
  readonly schema: ValueSchema;
  readonly isResource: boolean;
  readonly rules: readonly CompiledRule[];
  readonly properties: ReadonlyMap<string, RuleNode>;
  readonly additional: RuleNode | undefined;
  readonly items: RuleNode | undefined;
}

/** All rules of a schema. */
export interface SchemaRules {
  /** The rules that an object breaks. */
  check(object: Json, before: Json | undefined): readonly StatusCause[];
  /** One line for each rule that cannot be evaluated: where it stands, the rule, and why. */
  readonly unenforced: readonly string[];
}

const MESSAGE_BYTES_MAX = 5_120; // of an evaluated messageExpression; the API server's limit

/** Compiles the rules of a whole object's schema; undefined where it has none. */
export function compileRules(schema: ValueSchema): SchemaRules | undefined {
  const unenforced: string[] = [];
  const root = compileNode(schema, true, "", unenforced);
  if (root === undefined && unenforced.length === 0) return undefined;
  return {
    check: (object, before) =>
      root === undefined ? [] : checkNode(root, { value: object, before, path: "", ...isSame(object, before) }),
    unenforced,
  };
}

let environment: Environment | undefined; // expensive to make, and the same for all rules

function celEnvironment(): Environment {
  environment ??= new Environment({ enableOptionalTypes: true, homogeneousAggregateLiterals: false })
    .registerVariable("self", "dyn")
    .registerVariable("oldSelf", "dyn");
  return environment;
}

function compileNode(
  schema: ValueSchema,
  isResource: boolean,
  path: string,
  unenforced: string[],
): RuleNode | undefined {
  const below = (child: ValueSchema | undefined, where: string) =>
    child && compileNode(child, child["x-kubernetes-embedded-resource"] === true, where, unenforced);
  const rules = rulesOf(schema).flatMap((rule) => compileRule(rule, path, unenforced) ?? []);
  const properties = Object.entries(schema.properties ?? {}).flatMap(([field, each]): [string, RuleNode][] => {
    const node = below(each, path === "" ? field : `${path}.${field}`);
    return node ? [[field, node]] : [];
  });
  const additional = below(mapped(schema), `${path}[*]`);
  const items = below(schema.items, `${path}[*]`);
  if (rules.length + properties.length === 0 && !additional && !items) return undefined;
  return { schema, isResource, rules, properties: new Map(properties), additional, items };
}

const mapped = ({ additionalProperties }: ValueSchema) =>
  typeof additionalProperties === "object" ? additionalProperties : undefined;

function rulesOf(schema: ValueSchema): readonly Rule[] {
  const rules = schema["x-kubernetes-validations"];
  return Array.isArray(rules) ? rules : [];
}

function compileRule(rule: Rule, path: string, unenforced: string[]): CompiledRule | undefined {
  if (rule.rule.trim() === "") return undefined;
  const holds = compile(rule.rule);
  if (typeof holds === "string") {
    unenforced.push(`${path === "" ? "the object" : path}: ${rule.rule.trim()}: ${holds}`);
    return undefined;
  }
  const says = rule.messageExpression ? compile(rule.messageExpression) : undefined;
  const usesBefore = /\boldSelf\b/.test(rule.rule);
  return { ...rule, holds, says: typeof says === "string" ? undefined : says, usesBefore };
}

/** The expression, or why it cannot be evaluated. */
function compile(expression: string): ParseResult | string {
  try {
    const parsed = celEnvironment().parse(expression);
    const { valid, error } = parsed.check();
    return valid ? parsed : (error?.summary ?? "not valid");
  } catch (error) {
    return error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error);
  }
}

interface Spot {
  readonly value: Json;
  /** What `oldSelf` is. */
  readonly before: Json | undefined;
  readonly path: string;
  /** Whether this value, or the nearest one above that can be compared, is what it was. */
  readonly unchanged: boolean;
  readonly comparable: boolean;
}

const isSame = (value: Json, before: Json | undefined) => ({
  unchanged: before !== undefined && isDeepStrictEqual(value, before),
  comparable: before !== undefined,
});

function checkNode(node: RuleNode, spot: Spot): readonly StatusCause[] {
  const { value, before, path } = spot;
  if (value === null) return [];
  const own = checkRules(node, spot);
  if (Array.isArray(value)) {
    const { items, schema } = node;
    if (items === undefined) return own;
    const inside = (value as readonly Json[]).flatMap((each, index) =>
      checkNode(items, below(spot, each, itemBefore(schema, before, each), `${path}[${index}]`)),
    );
    return [...own, ...inside];
  }
  if (!isObject(value)) return own;
  const inside = Object.entries(value).flatMap(([field, each]) => {
    const known = node.properties.get(field);
    const child = known ?? (isDeclared(node.schema, field) ? undefined : node.additional);
    if (child === undefined || each === undefined) return [];
    const earlier = isObject(before) && Object.hasOwn(before, field) ? before[field] : undefined;
    const place = known ? (path === "" ? field : `${path}.${field}`) : `${path}[${field}]`;
    return checkNode(child, below(spot, each, earlier, place));
  });
  return [...own, ...inside];
}

const isDeclared = ({ properties }: ValueSchema, field: string) =>
  properties !== undefined && Object.hasOwn(properties, field);

function below(spot: Spot, value: Json, before: Json | undefined, path: string): Spot {
  if (!spot.comparable) return { value, before, path, unchanged: spot.unchanged, comparable: false };
  const same = isSame(value, before);
  return {
    value,
    before,
    path,
    comparable: same.comparable,
    unchanged: same.comparable ? same.unchanged : spot.unchanged,
  };
}

function checkRules(
  { rules, schema, isResource }: RuleNode,
  { value, before, path, unchanged }: Spot,
): readonly StatusCause[] {
  if (rules.length === 0) return [];
  const self = toCel(schema, value, isResource);
  const earlier = before === undefined || before === null ? undefined : toCel(schema, before, isResource);
  return rules.flatMap((rule) => {
    if (rule.usesBefore && earlier === undefined && !rule.optionalOldSelf) return [];
    const optional = earlier === undefined ? Optional.none() : Optional.of(earlier);
    const result = evaluate(rule.holds, { self, oldSelf: rule.optionalOldSelf ? optional : earlier });
    if (result.value === true) return [];
    if (result.failure !== undefined) {
      const detail = `${result.failure} evaluating rule: ${nameOf(rule)}`;
      return [causeOf("FieldValueInvalid", path, schema.type ?? "", detail)];
    }
    if (!rule.usesBefore && unchanged) return [];
    const detail = saidBy(rule, self, earlier) ?? (rule.message ? nameOf(rule) : `failed rule: ${nameOf(rule)}`);
    return [brokenRule(rule, schema, value, path, detail)];
  });
}

const nameOf = ({ message, rule }: Rule) => (message || rule).trim();

function brokenRule(rule: Rule, schema: ValueSchema, value: Json, path: string, detail: string): StatusCause {
  const { reason = "FieldValueInvalid" } = rule;
  const field = [path, fieldOf(rule, schema)].filter((part) => part !== "").join(".");
  const shown = schema.type === "object" || schema.type === "array" ? OMITTED : value;
  return causeOf(reason, field, shown, reason === "FieldValueDuplicate" ? "" : detail);
}

interface Result {
  readonly value?: unknown;
  readonly failure?: string;
}

function evaluate(expression: ParseResult, variables: Readonly<Record<string, unknown>>): Result {
  try {
    return { value: expression(variables) };
  } catch (error) {
    if (!(error instanceof EvaluationError)) return { failure: error instanceof Error ? error.message : String(error) };
    const [, index] = /index out of bounds, index (\d+)/.exec(error.summary) ?? [];
    if (index !== undefined) return { failure: `index out of bounds: ${index}` };
    return { failure: `${error.summary.charAt(0).toLowerCase()}${error.summary.slice(1)}` };
  }
}

/** What a messageExpression says; undefined where it fails or says nothing usable. */
function saidBy({ says }: CompiledRule, self: unknown, oldSelf: unknown): string | undefined {
  const said = says && evaluate(says, { self, oldSelf }).value;
  if (typeof said !== "string") return undefined;
  const text = said.trim();
  return text === "" || text.includes("\n") || Buffer.byteLength(text) > MESSAGE_BYTES_MAX ? undefined : text;
}

/** The rule's `fieldPath` (`.spec.size`, `['a.b']`) as causes name fields; keys of maps stand in brackets. */
function fieldOf({ fieldPath = "" }: Rule, schema: ValueSchema): string {
  let at: ValueSchema | undefined = schema;
  let path = "";
  for (const [, dotted, quoted] of fieldPath.matchAll(/\.([^.[\]]+)|\['((?:[^'\\]|\\.)*)'\]/g)) {
    const name: string = dotted ?? (quoted ?? "").replace(/\\(.)/g, "$1");
    const named: ValueSchema | undefined = at?.properties?.[name];
    path += named ? `.${name}` : `[${name}]`;
    at = named ?? (at && mapped(at));
  }
  return path.replace(/^\./, "");
}
