/**
 * The three types of CloudEvents SQL, how a value of one becomes one of another, and what can go wrong. Every operation has a value even then:
 * the zero of its type.
 * Source: CloudEvents SQL 1.0.0, sections 3.1, 3.3, 3.7.
 */
import type { CesqlValue } from "./cesql-parse.ts";
import { INTEGER_MAX, INTEGER_MIN } from "./cesql-token.ts";

export type CesqlType = "String" | "Integer" | "Boolean";

/** The kinds of errors of the specification; `generic` is a limit of ours. */
export type CesqlFault = "math" | "cast" | "missingAttribute" | "missingFunction" | "functionEvaluation" | "generic";

/** A value, and the first thing that went wrong on the way to it. */
export interface Computed {
  readonly value: CesqlValue;
  readonly fault?: CesqlFault;
}

const ZEROS = { String: "", Integer: 0, Boolean: false } as const;

/** The zero of a type, as what is left of an operation that went wrong. */
export function zeroOf(type: CesqlType, fault: CesqlFault): Computed {
  return { value: ZEROS[type], fault };
}

export function typeOf(value: CesqlValue): CesqlType {
  switch (typeof value) {
    case "string":
      return "String";
    case "number":
      return "Integer";
    default:
      return "Boolean";
  }
}

/** An integer of 32 bits, or a math fault. */
export function integer(value: number): Computed {
  return value >= INTEGER_MIN && value <= INTEGER_MAX ? { value: value + 0 } : zeroOf("Integer", "math");
}

/** The value as one of another type, or a cast fault. */
export function cast(value: CesqlValue, type: CesqlType): Computed {
  if (typeOf(value) === type) return { value };
  switch (type) {
    case "String":
      return { value: String(value) };
    case "Integer":
      return typeof value === "string" ? textToInteger(value) : { value: Number(value) };
    case "Boolean":
      return typeof value === "string" ? textToBoolean(value) : { value: value !== 0 };
    default:
      return type satisfies never;
  }
}

function textToInteger(text: string): Computed {
  const value = /^[+-]?[0-9]{1,32}$/.test(text) ? Number(text) : Number.NaN;
  return value >= INTEGER_MIN && value <= INTEGER_MAX ? { value: value + 0 } : zeroOf("Integer", "cast");
}

function textToBoolean(text: string): Computed {
  const lower = text.length > 5 ? "" : text.toLowerCase();
  return lower === "true" || lower === "false" ? { value: lower === "true" } : zeroOf("Boolean", "cast");
}
