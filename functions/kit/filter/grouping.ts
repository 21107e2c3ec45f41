/**
 * Which events belong together, for what counts, limits and collects: those of one object, of one namespace, of one value at a path or of an
 * expression, or all of a subscription. A group is named by a short text that tells nothing of the value, since it stands in subjects.
 */
import { hash } from "node:crypto";
import { z } from "zod";
import { type Envelope, FieldPath, parseFieldPath, toDotted, valueAt } from "#contract";
import { type CelProgram, compileCelKey } from "../expression/cel.ts";
import { ExpressionError } from "../expression/expression-error.ts";
import { evaluateCel } from "./clause/expression.ts";
import { occurrenceOf } from "./occurrence.ts";
import { shown } from "./wording.ts";

/** An expression over object, before, patch, transitions and event, whose value is a text, a number, or true or false. */
const Expression = z.strictObject({
  cel: z.string().superRefine((source, context) => {
    try {
      compileCelKey(source);
    } catch (error) {
      if (!(error instanceof ExpressionError)) throw error;
      context.addIssue({ code: "custom", message: error.message });
    }
  }),
});

/** `object` is the object itself, by its uid; a namespace is one of a cluster; anything else is a path. */
export const Grouping = z.union([z.literal(["object", "namespace", "all"]), FieldPath, Expression], {
  error: 'expected object, namespace, all, a path such as metadata.labels.team, or { cel: "…" }',
});
export type Grouping = z.infer<typeof Grouping>;

/** The group of an event: `[a-z0-9]{1,32}`; `undefined`: the path or the expression has no value there. */
export type GroupOf = (event: Envelope) => string | undefined;

/** The group of those that have no value, where they are to be together. */
export const NO_VALUE = "none";

/** Compiles a grouping once. Throws ExpressionError for an expression that the schema has not seen. */
export function compileGrouping(grouping: Grouping): GroupOf {
  if (grouping === "all") return () => "all";
  if (grouping === "object") return ({ cluster, data }) => named([cluster, data.object.metadata.uid]);
  if (grouping === "namespace") return ({ cluster, namespace = "" }) => named([cluster, namespace]);
  if (typeof grouping !== "string") return byExpression(compileCelKey(grouping.cel));
  const segments = parseFieldPath(grouping);
  return ({ data }) => {
    const value = valueAt(data.object, segments);
    return value === undefined ? undefined : named([value]);
  };
}

/** The paths below the object that a grouping names. */
export function pathsIn(grouping: Grouping): readonly (readonly string[])[] {
  if (typeof grouping !== "string")
    return compileCelKey(grouping.cel).paths.flatMap(({ variable, path }) =>
      (variable === "object" || variable === "before") && path.length > 0 ? [path] : [],
    );
  return ["all", "object", "namespace"].includes(grouping) ? [] : [parseFieldPath(grouping)];
}

/** As people read it. */
export function shownGrouping(grouping: Grouping): string {
  switch (grouping) {
    case "object":
      return "object";
    case "namespace":
      return "namespace";
    case "all":
      return "subscription";
    default:
      return typeof grouping === "string" ? toDotted(parseFieldPath(grouping)) : `cel ${shown(grouping.cel)}`;
  }
}

/** What fails, and what contradicts itself, has no value; matching has told of it. */
function byExpression(program: CelProgram<string>): GroupOf {
  return (event) => {
    try {
      const outcome = evaluateCel(program, occurrenceOf(event));
      return outcome.type === "value" ? named([outcome.value]) : undefined;
    } catch {
      return undefined;
    }
  };
}

function named(parts: readonly unknown[]): string {
  return hash("sha256", JSON.stringify(parts), "hex").slice(0, 32);
}
