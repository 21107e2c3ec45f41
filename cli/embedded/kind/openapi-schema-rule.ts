/**
 * What a schema may not be written with even where it is structural: keywords that are not supported, types that are none, lists and
 * maps whose merge rules contradict themselves, rules without a rule; and defaults that the schema itself refuses.
 * Source: apiextensions-apiserver `pkg/apis/apiextensions/validation`, `pkg/apiserver/schema/defaulting/validation.go`.
 */
import { isObject, type Json } from "../object/object.ts";
import type { StatusCause } from "../object/status-error.ts";
import { compileSchema } from "../schema/schema.ts";
import { forbiddenValue, invalidValue, requiredValue, unsupportedValue } from "../schema/schema-cause.ts";
import { checkValue } from "../schema/schema-value.ts";
import type { ValueSchema } from "../schema/value-schema.ts";

const TYPES = ["array", "boolean", "integer", "number", "object", "string"];
const MAP_TYPES = ["atomic", "granular"];
const LIST_TYPES = ["atomic", "set", "map"];
const RULE_REASONS = ["FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired"];
const UNSUPPORTED = ["id", "additionalItems", "patternProperties", "definitions", "dependencies", "$ref"];
const LIST_TYPE = "x-kubernetes-list-type";
const LIST_KEYS = "x-kubernetes-list-map-keys";
const MAP_TYPE = "x-kubernetes-map-type";
const RULES = "x-kubernetes-validations";

/** Whether one of the problems is a keyword without which the structure cannot be judged. */
export function hidesStructure(problems: readonly StatusCause[]): boolean {
  const keywords = [...UNSUPPORTED, "x-kubernetes-preserve-unknown-fields"];
  return problems.some(({ field = "" }) => keywords.some((keyword) => field.endsWith(`.${keyword}`)));
}

/** What is wrong with a schema and all within it. `at` is the path of the schema in its definition. */
export function openApiProblems(schema: ValueSchema, at: string): readonly StatusCause[] {
  const { properties = {}, additionalProperties, items, not, allOf = [], oneOf = [], anyOf = [] } = schema;
  const below: readonly (readonly [ValueSchema, string])[] = [
    ...(isObject(additionalProperties) ? ([[additionalProperties, "additionalProperties"]] as const) : []),
    ...Object.entries(properties).map(([name, each]) => [each, `properties[${name}]`] as const),
    ...(not ? ([[not, "not"]] as const) : []),
    ...allOf.map((each, index) => [each, `allOf[${index}]`] as const),
    ...oneOf.map((each, index) => [each, `oneOf[${index}]`] as const),
    ...anyOf.map((each, index) => [each, `anyOf[${index}]`] as const),
    ...(isObject(items) ? ([[items, "items"]] as const) : []),
  ];
  return [
    ...keywordProblems(schema, at),
    ...below.flatMap(([each, place]) => openApiProblems(each, `${at}.${place}`)),
    ...mergeTypeProblems(schema, at),
    ...(schema[LIST_TYPE] === "map" ? keyedListProblems(schema, at) : []),
    ...ruleProblems(schema, at),
  ];
}

function keywordProblems(schema: ValueSchema, at: string): readonly StatusCause[] {
  const { type = "", properties = {}, additionalProperties, uniqueItems, items } = schema;
  const hasBoth = Object.keys(properties).length > 0 && additionalProperties !== undefined;
  return [
    ...(type !== "" && !TYPES.includes(type) ? [unsupportedValue(`${at}.type`, type, TYPES)] : []),
    ...UNSUPPORTED.filter((each) => schema[each] !== undefined).map((each) =>
      forbiddenValue(`${at}.${each}`, `${each} is not supported`),
    ),
    ...(type === "null"
      ? [forbiddenValue(`${at}.type`, "type cannot be set to null, use nullable as an alternative")]
      : []),
    ...(Array.isArray(items) ? [forbiddenValue(`${at}.items`, "items must be a schema object and not an array")] : []),
    ...(uniqueItems
      ? [
          forbiddenValue(
            `${at}.uniqueItems`,
            "uniqueItems cannot be set to true since the runtime complexity becomes quadratic",
          ),
        ]
      : []),
    ...(hasBoth && additionalProperties !== true
      ? [forbiddenValue(`${at}.additionalProperties`, "additionalProperties and properties are mutual exclusive")]
      : []),
    ...(schema["x-kubernetes-preserve-unknown-fields"] === false
      ? [invalidValue(`${at}.x-kubernetes-preserve-unknown-fields`, false, "must be true or undefined")]
      : []),
  ];
}

function mergeTypeProblems(schema: ValueSchema, at: string): readonly StatusCause[] {
  const { [MAP_TYPE]: mapType, [LIST_TYPE]: listType, [LIST_KEYS]: keys = [], items } = schema;
  const setOf = listType === "set" && schema.type === "array" && isObject(items) ? items : undefined;
  const why = "must be atomic as item of a list with x-kubernetes-list-type=set";
  const needsKeys = "must be map if x-kubernetes-list-map-keys is non-empty";
  return [
    ...(mapType === undefined ? [] : typeProblems(schema, "object", MAP_TYPE, at)),
    ...(mapType !== undefined && !MAP_TYPES.includes(mapType)
      ? [unsupportedValue(`${at}.${MAP_TYPE}`, mapType, MAP_TYPES)]
      : []),
    ...(listType === undefined ? [] : typeProblems(schema, "array", LIST_TYPE, at)),
    ...(setOf?.type === "array" && (setOf[LIST_TYPE] ?? "atomic") !== "atomic"
      ? [invalidValue(`${at}.items.${LIST_TYPE}`, setOf[LIST_TYPE] ?? null, why)]
      : []),
    // The real server shows the list type there as well.
    ...(setOf?.type === "object" && setOf[MAP_TYPE] !== "atomic"
      ? [invalidValue(`${at}.items.${MAP_TYPE}`, setOf[LIST_TYPE] ?? null, why)]
      : []),
    ...(listType !== undefined && !LIST_TYPES.includes(listType)
      ? [unsupportedValue(`${at}.${LIST_TYPE}`, listType, LIST_TYPES)]
      : []),
    ...(keys.length > 0 && listType === undefined ? [requiredValue(`${at}.${LIST_TYPE}`, needsKeys)] : []),
    ...(keys.length > 0 && listType !== undefined && listType !== "map"
      ? [invalidValue(`${at}.${LIST_TYPE}`, listType, needsKeys)]
      : []),
    ...((listType === "map" || listType === "set") && isObject(items) && items.nullable
      ? [forbiddenValue(`${at}.items.nullable`, `cannot be nullable when ${LIST_TYPE} is ${listType}`)]
      : []),
  ];
}

function typeProblems({ type = "" }: ValueSchema, wanted: string, keyword: string, at: string): readonly StatusCause[] {
  const why = `must be ${wanted} if ${keyword} is specified`;
  if (type === wanted) return [];
  return [type === "" ? requiredValue(`${at}.type`, why) : invalidValue(`${at}.type`, type, why)];
}

function keyedListProblems({ [LIST_KEYS]: keys = [], items }: ValueSchema, at: string): readonly StatusCause[] {
  const shown = `${at}.${LIST_KEYS}`;
  const parent = "if parent array's x-kubernetes-list-type is map";
  const missing = keys.length === 0 ? [requiredValue(shown, "must not be empty if x-kubernetes-list-type is map")] : [];
  if (!isObject(items))
    return [...missing, requiredValue(`${at}.items`, "must have a schema if x-kubernetes-list-type is map")];
  if (items.type !== "object")
    return [...missing, invalidValue(`${at}.items.type`, items.type ?? "", `must be object ${parent}`)];
  return [
    ...missing,
    ...keys.flatMap((key, index) => [
      ...keyProblems(key, items, at, shown, keys),
      ...(keys.indexOf(key) < index ? [invalidValue(shown, keys, "must not contain duplicate entries")] : []),
    ]),
  ];
}

function keyProblems(
  key: string,
  { properties = {}, required: always = [] }: ValueSchema,
  at: string,
  shown: string,
  keys: readonly string[],
): readonly StatusCause[] {
  const place = `${at}.items.properties[${key}]`;
  const of = properties[key];
  if (of === undefined) return [invalidValue(shown, keys, "entries must all be names of item properties")];
  const isScalar = of.type !== "array" && of.type !== "object";
  const isThere = always.includes(key) || of.default !== undefined;
  const listed = "this property is in x-kubernetes-list-map-keys, so it";
  const scalar = "must be a scalar type if parent array's x-kubernetes-list-type is map";
  return [
    ...(isScalar ? [] : [invalidValue(`${place}.type`, "object", scalar)]),
    ...(isThere ? [] : [requiredValue(`${place}.default`, `${listed} must have a default or be a required property`)]),
    ...(of.nullable ? [forbiddenValue(`${place}.nullable`, `${listed} cannot be nullable`)] : []),
  ];
}

function ruleProblems(schema: ValueSchema, at: string): readonly StatusCause[] {
  const rules = schema[RULES];
  if (!Array.isArray(rules)) return [];
  return rules.flatMap((rule: Json, index) => {
    if (!isObject(rule)) return [];
    const place = `${at}.${RULES}[${index}]`;
    const given = (field: string): string => String(rule[field] ?? "");
    const isSpace = (field: string) => given(field) !== "" && given(field).trim() === "";
    const isBroken = /[\n\r]/.test(given("rule").trim()) && given("message") === "";
    const reason = given("reason");
    return [
      ...(given("rule").trim() === "" ? [requiredValue(`${place}.rule`, "rule is not specified")] : []),
      ...(isSpace("message")
        ? [invalidValue(`${place}.message`, given("message"), "must be non-empty if specified")]
        : []),
      ...(isBroken
        ? [requiredValue(`${place}.message`, "message must be specified if rule contains line breaks")]
        : []),
      ...(isSpace("messageExpression")
        ? [requiredValue(`${place}.messageExpression`, "messageExpression must be non-empty if specified")]
        : []),
      ...(reason !== "" && !RULE_REASONS.includes(reason)
        ? [unsupportedValue(`${place}.reason`, reason, RULE_REASONS)]
        : []),
    ];
  });
}

/** Defaults that the schema at their place refuses, or would drop fields of. Within additionalProperties there are none. */
export function defaultProblems(schema: ValueSchema, at: string): readonly StatusCause[] {
  const { default: given, items, properties = {} } = schema;
  return [
    ...(given === undefined || given === null ? [] : defaultProblemsHere(schema, given, `${at}.default`)),
    ...(isObject(items) ? defaultProblems(items, `${at}.items`) : []),
    ...Object.entries(properties).flatMap(([name, each]) => defaultProblems(each, `${at}.properties[${name}]`)),
  ];
}

function defaultProblemsHere(schema: ValueSchema, given: Json, at: string): readonly StatusCause[] {
  const { unknown } = compileSchema({ type: "object", properties: { given: schema } }).prune({ given });
  const causes = checkValue(schema, given).map((cause) => {
    const { field = "<nil>" } = cause;
    const join = field.startsWith("[") ? "" : ".";
    return { ...cause, field: field === "<nil>" ? at : `${at}${join}${field}` };
  });
  return [...(unknown.length > 0 ? [invalidValue(at, given, "must not have unknown fields")] : []), ...causes];
}
