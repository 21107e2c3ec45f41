/**
 * The checks of one value that need no other: its type, format, length, pattern, bounds and enumeration; and the tally they go into.
 * Source: kube-openapi `pkg/validation/validate/{type,validator,values}.go`.
 */
import { isDeepStrictEqual } from "node:util";
import type { Json } from "../object/object.ts";
import type { StatusCause } from "../object/status-error.ts";
import { causeOf, goNumber, goQuote, type ValueReason } from "./schema-cause.ts";
import { hasFormat, knownFormat } from "./schema-format.ts";
import { compilePattern } from "./schema-pattern.ts";
import type { ValueSchema } from "./value-schema.ts";

/** What was found so far: causes by their message, and how many checks applied, which ranks failed alternatives. */
export interface Tally {
  readonly causes: Map<string, StatusCause>;
  matches: number;
}

/** One value, where it is, and what it was before where that is known. */
export interface Spot {
  readonly value: Json;
  /** Empty at the root. */
  readonly path: string;
  readonly before: Json | undefined;
}

/** What a schema says about the type of its values. */
export interface Typing {
  /** Empty for any type. */
  readonly types: readonly string[];
  readonly format: string | undefined;
  readonly nullable: boolean;
}

/** The types and the format of a schema, as far as the server knows the format. */
export function typingOf(schema: ValueSchema): Typing {
  const { type = "", nullable = false } = schema;
  const types = schema["x-kubernetes-int-or-string"] ? ["integer", "string"] : type === "" ? [] : [type];
  return { types, format: knownFormat(schema.format, types), nullable };
}

const isList = (value: Json): value is readonly Json[] => Array.isArray(value);

/** Type, and whether null may be. */
export function checkType({ types, format, nullable }: Typing, { value, path }: Spot, tally: Tally): void {
  const [type, ownFormat] = typeOf(value);
  const wanted = types.join(",");
  const numeric = types.includes("number") || types.includes("integer");
  const matches = types.includes(type) || (type === "integer" && types.includes("number"));
  const textual = typeof value === "string" || isList(value);
  if (types.length === 0 && format === undefined) return;
  if (value === null && types.length > 0 && !nullable) wrongType(path, wanted, type, tally);
  else if (value === null) tally.matches += 1;
  else if (format !== undefined && !textual && !matches) wrongType(path, format, ownFormat, tally);
  else if (!matches && !(format !== undefined && textual && !numeric)) wrongType(path, wanted, type, tally);
  else tally.matches += 1;
  if (value !== null) tally.matches += 1;
}

/** The type of a value, and the format that its Go type stands for. */
function typeOf(value: Json): readonly [type: string, format: string] {
  if (value === null) return ["null", ""];
  if (isList(value)) return ["array", ""];
  if (typeof value === "number") return Number.isInteger(value) ? ["integer", "int64"] : ["number", "float64"];
  return [typeof value, ""];
}

/** Length, pattern and format. */
export function checkText(schema: ValueSchema, { format }: Typing, text: string, path: string, tally: Tally): void {
  const { minLength, maxLength, pattern } = schema;
  const length = minLength === undefined && maxLength === undefined ? 0 : [...text].length;
  if (maxLength !== undefined && length > maxLength) {
    const detail = `may not be more than ${maxLength} ${maxLength === 1 ? "byte" : "bytes"}`;
    add(tally, "FieldValueTooLong", path, text, detail);
  } else if (minLength !== undefined && length < minLength) {
    add(tally, "FieldValueInvalid", path, text, `${path} in body should be at least ${minLength} chars long`);
  } else if (pattern !== undefined && compilePattern(pattern)?.test(text) === false) {
    add(tally, "FieldValueInvalid", path, text, `${path} in body should match '${pattern}'`);
  }
  if (format !== undefined && !hasFormat(text, format)) wrongType(path, format, text, tally);
  tally.matches += format === undefined ? 1 : 2;
}

/** Bounds and multiples. */
export function checkNumber(schema: ValueSchema, typing: Typing, value: number, path: string, tally: Tally): void {
  const { types, format } = typing;
  const { multipleOf, minimum, maximum, exclusiveMinimum = false, exclusiveMaximum = false } = schema;
  const wrong = (text: string, limit: number) =>
    add(tally, "FieldValueInvalid", path, value, `${path} in body should be ${text} ${goNumber(limit)}`);
  if (!fits(value, typing)) {
    const shown = `${types[0] ?? ""} ${format === undefined ? "(default format)" : `with format ${format}`}`;
    add(tally, "FieldValueInvalid", "", "", `Checked value must be of type ${shown} in ${path}`);
  }
  if (multipleOf !== undefined && !isMultiple(value, multipleOf)) wrong("a multiple of", multipleOf);
  if (minimum !== undefined && (exclusiveMinimum ? value <= minimum : value < minimum)) {
    wrong(exclusiveMinimum ? "greater than" : "greater than or equal to", minimum);
  }
  if (maximum !== undefined && (exclusiveMaximum ? value >= maximum : value > maximum)) {
    wrong(exclusiveMaximum ? "less than" : "less than or equal to", maximum);
  }
  tally.matches += 2;
}

function fits(value: number, { types, format }: Typing): boolean {
  if (types.length !== 1) return true;
  if (types[0] === "integer") {
    return Number.isInteger(value) && (format === "int32" ? value === (value | 0) : Math.abs(value) <= 2 ** 63);
  }
  return format !== "float" || Number.isFinite(Math.fround(value));
}

function isMultiple(value: number, factor: number): boolean {
  const quotient = factor < 1 ? (1 / factor) * value : value / factor;
  return Math.abs(quotient - Math.round(quotient)) < 1e-9;
}

/** The values that are allowed. */
export function checkEnum(schema: ValueSchema, { value, path }: Spot, tally: Tally): void {
  const { enum: allowed } = schema;
  if (!allowed || allowed.length === 0) return;
  if (value !== null && allowed.some((each) => isDeepStrictEqual(each, value))) return;
  const listed = allowed.map((each) => goQuote(typeof each === "string" ? each : JSON.stringify(each)));
  add(tally, "FieldValueNotSupported", path, value, `supported values: ${listed.join(", ")}`);
}

function wrongType(path: string, wanted: string, found: string, tally: Tally): void {
  add(tally, "FieldValueTypeInvalid", path, found, `${path} in body must be of type ${wanted}: ${goQuote(found)}`);
}

/** A list or object with more than it may have. */
export function tooMany(path: string, actual: number, max: number, tally: Tally): void {
  add(tally, "FieldValueTooMany", path, actual, `must have at most ${max} ${max === 1 ? "item" : "items"}`);
}

/** Notes a cause, unless it is there already. */
export function add(tally: Tally, reason: ValueReason, path: string, value: Json, detail: string): void {
  const key = `${reason} ${path} ${detail}`;
  if (!tally.causes.has(key)) tally.causes.set(key, causeOf(reason, path, value, detail));
}
