/**
 * `cel:` expressions over a change.
 */
import { Environment } from "@marcbachmann/cel-js";
import { ExpressionError } from "./expression-error.ts";
import type { Verdict } from "./verdict.ts";

/** What a CEL expression can see of one event; all of it JSON. */
export interface CelDocument {
  readonly object: unknown;
  /** `null` when there was none (created) or none is told (existing). */
  readonly before: unknown;
  /** The operations of an update; an empty list otherwise. */
  readonly patch: unknown;
  readonly transitions: unknown;
  /** The CloudEvent's attributes, without its data. */
  readonly event: unknown;
}

/** A compiled expression; it keeps nothing from one event to the next. */
export interface CelProgram {
  readonly source: string;
  evaluate(document: CelDocument): Verdict;
}

/** Compiles `source`. Throws ExpressionError. */
export function compileCel(source: string): CelProgram {
  const environment = new Environment({ enableOptionalTypes: true, unlistedVariablesAreDyn: true });
  try {
    const program = environment.parse(source);
    return {
      source,
      evaluate(document) {
        try {
          const value = program({ ...document });
          return typeof value === "boolean" ? { type: "value", value } : { type: "failed", reason: "not a bool" };
        } catch {
          return { type: "failed", reason: "the evaluation failed" };
        }
      },
    };
  } catch (cause) {
    throw new ExpressionError("not CEL", { cause });
  }
}
