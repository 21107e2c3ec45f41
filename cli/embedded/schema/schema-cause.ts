/**
 * How kube-apiserver words what is wrong with a value: Go's printing of values, and the sentence of each kind of error.
 * Source: apimachinery `pkg/util/validation/field/errors.go`.
 */
import type { Json } from "../object/object.ts";
import type { StatusCause } from "../object/status-error.ts";

/** What stands for a value that is not shown. */
export const OMITTED = Symbol("omitted");

const TITLES = {
  FieldValueRequired: "Required value",
  FieldValueDuplicate: "Duplicate value",
  FieldValueInvalid: "Invalid value",
  FieldValueTypeInvalid: "Invalid value",
  FieldValueNotSupported: "Unsupported value",
  FieldValueForbidden: "Forbidden",
  FieldValueTooLong: "Too long",
  FieldValueTooMany: "Too many",
} as const;

/** A reason of a cause that concerns a value. */
export type ValueReason = keyof typeof TITLES;

const WITHOUT_VALUE: readonly ValueReason[] = ["FieldValueRequired", "FieldValueForbidden", "FieldValueTooLong"];

/** A cause as the server words it: title, value (where the reason shows one) and detail. An empty `field` means the whole object. */
export function causeOf(reason: ValueReason, field: string, value: Json | typeof OMITTED, detail: string): StatusCause {
  const title = TITLES[reason];
  const shown = value === OMITTED || WITHOUT_VALUE.includes(reason) ? title : `${title}: ${goText(value)}`;
  return { reason, message: detail === "" ? shown : `${shown}: ${detail}`, field: field === "" ? "<nil>" : field };
}

/** The value breaks a rule. */
export function invalidValue(field: string, value: Json, why: string): StatusCause {
  return causeOf("FieldValueInvalid", field, value, why);
}

/** The value is missing. */
export function requiredValue(field: string, why = ""): StatusCause {
  return causeOf("FieldValueRequired", field, null, why);
}

/** There may be no value here. */
export function forbiddenValue(field: string, why: string): StatusCause {
  return causeOf("FieldValueForbidden", field, null, why);
}

/** The value is none of those there are; these are told in the order given. */
export function unsupportedValue(field: string, value: Json, supported: readonly string[]): StatusCause {
  const listed = supported.map((each) => JSON.stringify(each)).join(", ");
  return causeOf("FieldValueNotSupported", field, value, `supported values: ${listed}`);
}

function goText(value: Json): string {
  if (typeof value === "string") return goQuote(value);
  if (typeof value === "number") return goNumber(value);
  return goJson(value);
}

/** A text as Go's `%q` prints it. */
export function goQuote(text: string): string {
  const hex = (character: string) => `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`;
  return JSON.stringify(text)
    .replace(/\\u00([01][0-9a-f])/g, (_, code: string) => SHORT_ESCAPES[code] ?? `\\x${code}`)
    .replace(/\x7f/g, hex);
}

const SHORT_ESCAPES: Readonly<Record<string, string>> = { "07": "\\a", "0b": "\\v" };

/** A number as Go's `%v` prints it: an exponent from 1e+21 on and below 1e-04, of at least two digits. */
export function goNumber(value: number): string {
  const size = Math.abs(value);
  if (value === 0 || (size >= 1e-4 && size < 1e21)) return String(value);
  return value.toExponential().replace(/e([+-])(\d)$/, "e$10$2");
}

/** JSON as Go writes it: keys sorted, and nothing in it that HTML would read. */
export function goJson(value: Json): string {
  const sorted = JSON.stringify(value, (_, each: Json) =>
    typeof each === "object" && each !== null && !Array.isArray(each)
      ? Object.fromEntries(Object.entries(each).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : each,
  );
  return sorted.replace(/[<>&\u2028\u2029]/g, (each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** A value as Go's `%v` prints it: `map[a:1 b:[x y]]`. */
export function goValue(value: Json | undefined): string {
  if (value === null || value === undefined) return "<nil>";
  if (Array.isArray(value)) return `[${(value as readonly Json[]).map(goValue).join(" ")}]`;
  if (typeof value === "number") return goNumber(value);
  if (typeof value !== "object") return String(value);
  const fields = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `map[${fields.map(([field, each]) => `${field}:${goValue(each)}`).join(" ")}]`;
}
