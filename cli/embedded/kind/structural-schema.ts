/**
 * Whether a schema is structural: it says at each place what type it has, so that what it does not know can be dropped, and its value
 * rules (allOf, anyOf, oneOf, not) restrict and never add.
 * Source: KEP-1152; apiextensions-apiserver `pkg/apiserver/schema/{validation,complete}.go`.
 */
import { isDeepStrictEqual } from "node:util";
import { isObject } from "../object/object.ts";
import type { StatusCause } from "../object/status-error.ts";
import { forbiddenValue, invalidValue, requiredValue } from "../schema/schema-cause.ts";
import { compilePattern } from "../schema/schema-pattern.ts";
import type { ValueSchema } from "../schema/value-schema.ts";

type Level = "root" | "item" | "field";

const WITHOUT_TYPE: Readonly<Record<Level, string>> = {
  root: "must not be empty at the root",
  item: "must not be empty for specified array items",
  field: "must not be empty for specified object fields",
};
const EMBEDDED = "x-kubernetes-embedded-resource";
const PRESERVE = "x-kubernetes-preserve-unknown-fields";
const INT_OR_STRING = "x-kubernetes-int-or-string";
const META_NAMES = ["name", "generateName"];
/** What only the structure may say, and what is said when a value rule says it. */
const STRUCTURE_ONLY: readonly (readonly [string, string])[] = [
  ["type", "must be empty to be structural"],
  ["additionalProperties", "must be undefined to be structural"],
  ["default", "must be undefined to be structural"],
  ["title", "must be empty to be structural"],
  ["description", "must be empty to be structural"],
  ["nullable", "must be false to be structural"],
  ["externalDocs", "must be undefined to be structural"],
  [PRESERVE, "must be false to be structural"],
  [EMBEDDED, "must be false to be structural"],
  [INT_OR_STRING, "must be false to be structural"],
  ["x-kubernetes-list-map-keys", "must be empty to be structural"],
  ["x-kubernetes-list-type", "must be undefined to be structural"],
  ["x-kubernetes-map-type", "must be undefined to be structural"],
  ["x-kubernetes-validations", "must be empty to be structural"],
];

/** What keeps a schema from being structural, in the order of its text. `at` is the path of the schema in its definition. */
export function structuralProblems(schema: ValueSchema, at: string): readonly StatusCause[] {
  const problems = [...invariantProblems(schema, "root", at), ...missingStructure(schema, schema, at, at)];
  return problems.toSorted((a, b) => (textOf(a) < textOf(b) ? -1 : 1));
}

const textOf = ({ field, message }: StatusCause) => `${field}: ${message}`;

function invariantProblems(schema: ValueSchema, level: Level, at: string): readonly StatusCause[] {
  const { type = "", items, properties = {}, additionalProperties } = schema;
  const isFree = schema[INT_OR_STRING] === true || schema[PRESERVE] === true;
  const mapped = isObject(additionalProperties)
    ? invariantProblems(additionalProperties, "field", `${at}.additionalProperties`)
    : [];
  return [
    ...(type === "array" && items === undefined ? [requiredValue(`${at}.items`, "must be specified")] : []),
    ...(isObject(items) ? invariantProblems(items, "item", `${at}.items`) : []),
    ...Object.entries(properties).flatMap(([name, each]) =>
      invariantProblems(each, "field", `${at}.properties[${name}]`),
    ),
    ...(additionalProperties !== undefined && level === "root"
      ? [forbiddenValue(`${at}.additionalProperties`, "must not be used at the root")]
      : []),
    ...mapped,
    ...extensionProblems(schema, at),
    ...valueRuleProblems(schema, at, isIntOrString(schema.anyOf), isIntOrString(schema.allOf?.[0]?.anyOf)),
    ...(type === "" && !isFree && schema[EMBEDDED] !== true ? [requiredValue(`${at}.type`, WITHOUT_TYPE[level])] : []),
    ...(level === "root" && type !== "" && type !== "object"
      ? [invalidValue(`${at}.type`, type, "must be object at the root")]
      : []),
    ...metadataProblems(schema, level, at),
  ];
}

function extensionProblems(schema: ValueSchema, at: string): readonly StatusCause[] {
  const { type = "", properties = {}, additionalProperties } = schema;
  const clash = "must be false if x-kubernetes-int-or-string is true";
  if (schema[EMBEDDED] !== true)
    return schema[INT_OR_STRING] && schema[PRESERVE] ? [invalidValue(`${at}.${PRESERVE}`, true, clash)] : [];
  const mustBeObject = "must be object if x-kubernetes-embedded-resource is true";
  const isEmpty = schema[PRESERVE] !== true && Object.keys(properties).length === 0;
  const why = `must not be empty if ${EMBEDDED} is true without ${PRESERVE}`;
  return [
    ...(schema[INT_OR_STRING] ? [invalidValue(`${at}.${EMBEDDED}`, true, clash)] : []),
    ...(type === "" ? [requiredValue(`${at}.type`, mustBeObject)] : []),
    ...(type !== "" && type !== "object" ? [invalidValue(`${at}.type`, type, mustBeObject)] : []),
    ...(additionalProperties === undefined
      ? []
      : [forbiddenValue(`${at}.additionalProperties`, `must not be used if ${EMBEDDED} is set`)]),
    ...(isEmpty ? [requiredValue(`${at}.properties`, why)] : []),
  ];
}

/** Kind, apiVersion and metadata are the server's own matter: a schema may do no more than restrict a name. */
function metadataProblems(schema: ValueSchema, level: Level, at: string): readonly StatusCause[] {
  if (level !== "root" && schema[EMBEDDED] !== true) return [];
  const wanted: readonly (readonly [string, string])[] = [
    ["kind", "string"],
    ["apiVersion", "string"],
    ["metadata", "object"],
  ];
  const mistyped = wanted.flatMap(([name, type]) => {
    const given = schema.properties?.[name];
    if (given === undefined || given.type === type) return [];
    return [invalidValue(`${at}.properties[${name}].type`, given.type ?? "", `must be ${type}`)];
  });
  const metadata = schema.properties?.["metadata"];
  if (level !== "root" || metadata === undefined) return mistyped;
  const { type: _, properties = {}, default: __, ...more } = metadata;
  if (Object.keys(properties).every((name) => META_NAMES.includes(name)) && !Object.keys(more).some(isStructure))
    return mistyped;
  const why = "must not specify anything other than name and generateName, but metadata is implicitly specified";
  return [...mistyped, forbiddenValue(`${at}.properties[metadata]`, why)];
}

const isStructure = (keyword: string) => keyword === "items" || STRUCTURE_ONLY.some(([each]) => each === keyword);

/** The one value rule that may name types: of a value that is an integer or a string. */
function isIntOrString(anyOf: readonly ValueSchema[] | undefined): boolean {
  return isDeepStrictEqual(anyOf, [{ type: "integer" }, { type: "string" }]);
}

function valueRuleProblems(
  { allOf = [], anyOf = [], oneOf = [], not, pattern }: ValueSchema,
  at: string,
  skipAnyOf = false,
  skipFirstAllOf = false,
): readonly StatusCause[] {
  const wrong = pattern ? patternProblem(pattern) : undefined;
  return [
    ...(skipAnyOf ? [] : anyOf.flatMap((each, index) => nestedProblems(each, `${at}.anyOf[${index}]`))),
    ...allOf.flatMap((each, index) => nestedProblems(each, `${at}.allOf[${index}]`, index === 0 && skipFirstAllOf)),
    ...oneOf.flatMap((each, index) => nestedProblems(each, `${at}.oneOf[${index}]`)),
    ...(not ? nestedProblems(not, `${at}.not`) : []),
    ...(wrong
      ? [invalidValue(`${at}.pattern`, pattern ?? "", `must be a valid regular expression, but isn't: ${wrong}`)]
      : []),
  ];
}

function nestedProblems(schema: ValueSchema, at: string, skipAnyOf = false): readonly StatusCause[] {
  const { items, properties = {} } = schema;
  const given = (keyword: string) => {
    const value = schema[keyword];
    return value !== undefined && value !== "" && value !== false && !(Array.isArray(value) && value.length === 0);
  };
  return [
    ...valueRuleProblems(schema, at, skipAnyOf),
    ...(isObject(items) ? nestedProblems(items, `${at}.items`) : []),
    ...Object.entries(properties).flatMap(([name, each]) => nestedProblems(each, `${at}.properties[${name}]`)),
    ...STRUCTURE_ONLY.filter(([keyword]) => given(keyword)).map(([keyword, why]) =>
      forbiddenValue(`${at}.${keyword}`, why),
    ),
    ...(Object.hasOwn(properties, "metadata")
      ? [forbiddenValue(`${at}.properties[metadata]`, "must not be specified in a nested context")]
      : []),
  ];
}

/** What a value rule of the root speaks about has to be there in the structure. `at` is in the structure, `from` in the rule. */
function missingStructure(
  rule: ValueSchema,
  structure: ValueSchema | undefined,
  at: string,
  from: string,
): readonly StatusCause[] {
  const { allOf = [], anyOf = [], oneOf = [], not } = rule;
  const nested: readonly (readonly [ValueSchema, string])[] = [
    ...(not ? ([[not, `${from}.not`]] as const) : []),
    ...allOf.map((each, index) => [each, `${from}.allOf[${index}]`] as const),
    ...anyOf.map((each, index) => [each, `${from}.anyOf[${index}]`] as const),
    ...oneOf.map((each, index) => [each, `${from}.oneOf[${index}]`] as const),
  ];
  return nested.flatMap(([each, where]) => missingInNested(each, structure, at, where));
}

function missingInNested(
  rule: ValueSchema,
  structure: ValueSchema | undefined,
  at: string,
  from: string,
): readonly StatusCause[] {
  if (structure === undefined) return [requiredValue(at, `because it is defined in ${from}`)];
  const { items, properties = {} } = rule;
  return [
    ...missingStructure(rule, structure, at, from),
    ...(isObject(items) ? missingInNested(items, structure.items, `${at}.items`, `${from}.items`) : []),
    ...Object.entries(properties).flatMap(([name, each]) => {
      const place = `properties[${name}]`;
      return missingInNested(each, structure.properties?.[name], `${at}.${place}`, `${from}.${place}`);
    }),
  ];
}

/** What RE2 has and JavaScript has not: such a pattern is no mistake. */
const RE2_ONLY = /\(\?[imsU-]+[:)]|\\[QCpP]|\[\[:/;

/** Why Go's RE2 does not take a pattern; undefined for one that it takes. */
function patternProblem(pattern: string): string | undefined {
  const [, reference] = /(?:^|[^\\])(?:\\\\)*(\\[1-9])/.exec(pattern) ?? [];
  if (reference) return `error parsing regexp: invalid escape sequence: \`${reference}\``;
  const outsideClasses = pattern.replace(/\\./g, "").replace(/\[\^?\]?[^\]]*\]/g, "");
  const [look] = /\(\?(?:=|!|<=|<!)/.exec(outsideClasses) ?? [];
  if (look) return `error parsing regexp: invalid or unsupported Perl syntax: \`${look}\``;
  if (compilePattern(pattern) !== undefined || RE2_ONLY.test(pattern)) return undefined;
  const isOpen = outsideClasses.split("(").length > outsideClasses.split(")").length;
  return `error parsing regexp: ${isOpen ? "missing closing )" : "invalid syntax"}: \`${pattern}\``;
}
