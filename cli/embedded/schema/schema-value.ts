/**
 * Whether a value obeys its OpenAPI schema, with the causes that kube-apiserver gives: the same checks in the same order, one message
 * once, and of the failed alternatives of anyOf and oneOf the one that matched best. What did not change with an update is not held
 * against it ("ratcheting"). Recursion goes as deep as the schema, never as the value.
 * Source: kube-openapi `pkg/validation/validate`; apiextensions-apiserver `pkg/apiserver/validation/{validation,ratcheting}.go`.
 */
import { isDeepStrictEqual } from "node:util";
import { isObject, type Json, type JsonObject } from "../object/object.ts";
import type { StatusCause } from "../object/status-error.ts";
import { goQuote } from "./schema-cause.ts";
import { itemBefore } from "./schema-list.ts";
import {
  add,
  checkEnum,
  checkNumber,
  checkText,
  checkType,
  type Spot,
  type Tally,
  tooMany,
  typingOf,
} from "./schema-scalar.ts";
import { schemaOfField, type ValueSchema } from "./value-schema.ts";

/** The causes why a value, mostly a whole object, is not what its schema wants; none for a valid one. */
export function checkValue(schema: ValueSchema, value: Json, before?: Json): readonly StatusCause[] {
  const tally: Tally = { causes: new Map(), matches: 0 };
  checkUnlessUnchanged(schema, { value, path: "", before }, tally);
  return [...tally.causes.values()];
}

function checkUnlessUnchanged(schema: ValueSchema, spot: Spot, tally: Tally): void {
  const own: Tally = spot.before === undefined ? tally : { causes: new Map(), matches: 0 };
  check(schema, spot, own);
  if (own === tally) return;
  if (own.causes.size > 0 && isDeepStrictEqual(spot.value, spot.before)) own.causes.clear();
  merge(tally, own);
}

function check(schema: ValueSchema, spot: Spot, tally: Tally): void {
  const { value, path } = spot;
  const typing = typingOf(schema);
  checkType(typing, spot, tally);
  if (value !== null) {
    checkCombinations(schema, spot, tally);
    if (typeof value === "string") checkText(schema, typing, value, path, tally);
    if (typeof value === "number") checkNumber(schema, typing, value, path, tally);
    if (isList(value)) checkList(schema, value, spot, tally);
    tally.matches += 4; // each check that applies counts, failed or not; combinations count twice
  }
  checkEnum(schema, spot, tally);
  if (isObject(value)) checkObject(schema, value, spot, tally);
}

const isList = (value: Json): value is readonly Json[] => Array.isArray(value);

function checkList(schema: ValueSchema, list: readonly Json[], { path, before }: Spot, tally: Tally): void {
  const { items, minItems, maxItems, uniqueItems } = schema;
  if (items !== undefined) {
    for (const [index, value] of list.entries()) {
      const spot = { value, path: `${path}[${index}]`, before: itemBefore(schema, before, value) };
      checkUnlessUnchanged(items, spot, tally);
    }
  }
  if (minItems !== undefined && list.length < minItems) {
    add(tally, "FieldValueInvalid", path, list.length, `${path} in body should have at least ${minItems} items`);
  }
  if (maxItems !== undefined && list.length > maxItems) tooMany(path, list.length, maxItems, tally);
  if (uniqueItems && list.some((each, index) => list.slice(0, index).some((other) => isDeepStrictEqual(each, other)))) {
    add(tally, "FieldValueInvalid", path, "", `${path} in body shouldn't contain duplicates`);
  }
  tally.matches += 2;
}

function checkObject(schema: ValueSchema, object: JsonObject, { path, before }: Spot, tally: Tally): void {
  const fields = Object.entries(object);
  const { minProperties, maxProperties, required } = schema;
  if (minProperties !== undefined && fields.length < minProperties) {
    const detail = `${path} in body should have at least ${minProperties} properties`;
    add(tally, "FieldValueInvalid", path, fields.length, detail);
  }
  if (maxProperties !== undefined && fields.length > maxProperties) tooMany(path, fields.length, maxProperties, tally);
  for (const [field, value] of fields) {
    const fieldSchema = schemaOfField(schema, field);
    if (fieldSchema === undefined || value === undefined) continue;
    const spot = { value, path: child(path, field), before: fieldBefore(path, before, field) };
    checkUnlessUnchanged(fieldSchema, spot, tally);
  }
  for (const field of required ?? []) {
    if (!Object.hasOwn(object, field)) add(tally, "FieldValueRequired", child(path, field), "", "");
  }
  tally.matches += 1;
}

/** Both states are converted to one version, so `apiVersion` and `kind` of the root cannot be compared. */
function fieldBefore(path: string, before: Json | undefined, field: string): Json | undefined {
  if (!isObject(before) || !Object.hasOwn(before, field)) return undefined;
  return path === "" && (field === "apiVersion" || field === "kind") ? undefined : before[field];
}

function checkCombinations({ anyOf = [], oneOf = [], allOf = [], not }: ValueSchema, spot: Spot, tally: Tally): void {
  const whole = (detail: string) => add(tally, "FieldValueInvalid", "", "", `${goQuote(spot.path)} must ${detail}`);
  if (anyOf.length > 0) {
    const results = alternatives(anyOf, spot);
    const valid = results.find(isValid);
    if (valid === undefined) whole("validate at least one schema (anyOf)");
    merge(tally, valid ?? best(results));
  }
  if (oneOf.length > 0) checkOneOf(alternatives(oneOf, spot), whole, tally);
  if (allOf.length > 0) {
    const results = alternatives(allOf, spot);
    for (const result of results) merge(tally, result);
    const none = results.some(isValid) ? "" : ". None validated";
    if (!results.every(isValid)) whole(`validate all the schemas (allOf)${none}`);
  }
  if (not !== undefined && alternatives([not], spot).every(isValid)) whole("not validate the schema (not)");
}

function checkOneOf(results: readonly Tally[], whole: (detail: string) => void, tally: Tally): void {
  const valid = results.filter(isValid);
  if (valid.length !== 1) {
    const found = valid.length === 0 ? "none valid" : `${valid.length} valid alternatives`;
    whole(`validate one and only one schema (oneOf). Found ${found}`);
  }
  if (valid.length <= 1) merge(tally, valid[0] ?? best(results));
}

const isValid = ({ causes }: Tally) => causes.size === 0;

function alternatives(schemas: readonly ValueSchema[], spot: Spot): readonly Tally[] {
  return schemas.map((each) => {
    const own: Tally = { causes: new Map(), matches: 0 };
    check(each, spot, own);
    return own;
  });
}

/** The first of those with the most checks that applied. */
function best(results: readonly Tally[]): Tally {
  return results.reduce((a, b) => (b.matches > a.matches ? b : a));
}

function merge(into: Tally, from: Tally): void {
  for (const [key, cause] of from.causes) if (!into.causes.has(key)) into.causes.set(key, cause);
  into.matches += from.matches;
}

const child = (path: string, field: string) => (path === "" ? field : `${path}.${field}`);
