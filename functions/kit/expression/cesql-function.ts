/**
 * The functions of CloudEvents SQL. Characters are code points, and places in a text count from 1.
 * `IS_INT` and `IS_BOOL` are of the drafts before 1.0 and still in use.
 * Source: CloudEvents SQL 1.0.0, section 3.5.
 */
import { type CesqlFault, type CesqlType, type Computed, cast, integer, typeOf } from "./cesql-cast.ts";
import type { CesqlValue } from "./cesql-parse.ts";
import { INTEGER_MAX, INTEGER_MIN } from "./cesql-token.ts";

/** `Any` is not cast. */
type Parameter = CesqlType | "Any";

export interface CesqlFunction {
  readonly parameters: readonly Parameter[];
  /** Takes any number of further operands of this type. */
  readonly rest?: Parameter;
  readonly returns: CesqlType;
  /** The operands have the types of the parameters. */
  apply(...operands: readonly CesqlValue[]): Computed;
}

type Text = (text: string) => Computed;

const ofText = (returns: CesqlType, apply: Text): CesqlFunction => ({
  parameters: ["String"],
  returns,
  apply: (x) => apply(String(x)),
});
const ofAny = (returns: CesqlType, apply: (value: CesqlValue) => Computed): CesqlFunction => ({
  parameters: ["Any"],
  returns,
  apply: (value) => apply(value ?? false),
});
const ofPart = (
  count: number,
  apply: (characters: readonly string[], ...places: readonly number[]) => Computed,
): CesqlFunction => ({
  parameters: ["String", ...Array.from({ length: count }, () => "Integer" as const)],
  returns: "String",
  apply: (text, ...places) => apply([...String(text)], ...places.map(Number)),
});
/** Of the type, or a text that reads as one. */
const isA = (type: CesqlType) =>
  ofAny("Boolean", (value) => ({
    value: typeOf(value) === type || (typeof value === "string" && cast(value, type).fault === undefined),
  }));

const FUNCTIONS: Readonly<Record<string, readonly CesqlFunction[]>> = {
  ABS: [{ parameters: ["Integer"], returns: "Integer", apply: (x) => absolute(Number(x)) }],
  LENGTH: [ofText("Integer", (text) => integer([...text].length))],
  CONCAT: [{ parameters: [], rest: "String", returns: "String", apply: (...texts) => ({ value: texts.join("") }) }],
  CONCAT_WS: [
    {
      parameters: ["String"],
      rest: "String",
      returns: "String",
      apply: (by, ...texts) => ({ value: texts.join(String(by)) }),
    },
  ],
  LOWER: [ofText("String", (text) => ({ value: text.toLowerCase() }))],
  UPPER: [ofText("String", (text) => ({ value: text.toUpperCase() }))],
  TRIM: [ofText("String", (text) => ({ value: trim([...text]) }))],
  LEFT: [ofPart(1, (characters, count = 0) => part(characters, 0, count, count < 0))],
  RIGHT: [
    ofPart(1, (characters, count = 0) => part(characters, Math.max(0, characters.length - count), count, count < 0)),
  ],
  SUBSTRING: [
    ofPart(1, (characters, place = 0) => substring(characters, place, characters.length)),
    ofPart(2, (characters, place = 0, length = 0) => substring(characters, place, length)),
  ],
  INT: [ofAny("Integer", (value) => cast(value, "Integer"))],
  BOOL: [ofAny("Boolean", (value) => cast(value, "Boolean"))],
  STRING: [ofAny("String", (value) => cast(value, "String"))],
  IS_INT: [isA("Integer")],
  IS_BOOL: [isA("Boolean")],
};

/** The names of all functions. */
export const CESQL_FUNCTIONS: readonly string[] = Object.keys(FUNCTIONS);

/** The function of a name (in upper case) that takes so many operands. */
export function findCesqlFunction(name: string, operands: number): CesqlFunction | undefined {
  const all = Object.hasOwn(FUNCTIONS, name) ? FUNCTIONS[name] : undefined;
  return all?.find(({ parameters, rest }) =>
    rest === undefined ? parameters.length === operands : parameters.length <= operands,
  );
}

function absolute(value: number): Computed {
  return value === INTEGER_MIN ? { value: INTEGER_MAX, fault: "math" } : { value: Math.abs(value) };
}

const isSpace = (character = "") => /\p{White_Space}/u.test(character);

/** What Unicode calls white space; not the same as what JavaScript trims. */
function trim(characters: readonly string[]): string {
  let [from, to] = [0, characters.length];
  while (from < to && isSpace(characters[from])) from++;
  while (to > from && isSpace(characters[to - 1])) to--;
  return characters.slice(from, to).join("");
}

const BAD_PLACE: CesqlFault = "functionEvaluation";

/** A part of the text; the whole text and a fault when the count is wrong. */
function part(characters: readonly string[], from: number, count: number, isWrong: boolean): Computed {
  if (isWrong) return { value: characters.join(""), fault: BAD_PLACE };
  return { value: characters.slice(from, from + count).join("") };
}

function substring(characters: readonly string[], place: number, length: number): Computed {
  if (place > characters.length || place < -characters.length || length < 0) return { value: "", fault: BAD_PLACE };
  if (place === 0) return { value: "" };
  const from = place > 0 ? place - 1 : characters.length + place;
  return { value: characters.slice(from, from + length).join("") };
}
