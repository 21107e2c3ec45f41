/** Whether a value can stand at a place, as the schema has it. It says no only where the API server would refuse the object. */
import { isDeepStrictEqual } from "node:util";
import { didYouMean, type Json, type SchemaNode } from "#contract";
import { nameOfType, namesShown } from "./schema-place.ts";

/** Why the value never stands at `title`, which has this node; `undefined`: it may. */
export function valueProblem(node: SchemaNode, value: Json, title: string): string | undefined {
  const shown = JSON.stringify(value);
  if (value === null)
    return node.nullable || isUntyped(node) || node.enum?.includes(null)
      ? undefined
      : `${title} is never null: for a field that is not there, write absent`;
  if (!isOfType(node, value)) return `${title} is ${nameOfType(node)}, and never ${shown}`;
  if (node.enum === undefined || node.enum.some((each) => isDeepStrictEqual(each, value))) return undefined;
  return noneOf(shown, node.enum, title);
}

/** Why the text is none of the values of an enumeration. */
export function noneOf(shown: string, values: readonly Json[], title: string): string {
  const known = values.map((each) => (typeof each === "string" ? each : JSON.stringify(each)));
  return `${title} is never ${shown}${didYouMean(shown.replaceAll('"', ""), known)}: its values are ${namesShown(known)}`;
}

function isUntyped(node: SchemaNode): boolean {
  return node.type === undefined && !node["x-kubernetes-int-or-string"];
}

function isOfType(node: SchemaNode, value: Exclude<Json, null>): boolean {
  if (node["x-kubernetes-int-or-string"]) return typeof value === "string" || typeof value === "number";
  switch (node.type) {
    case undefined:
      return true;
    case "array":
      return Array.isArray(value);
    case "object":
      return typeof value === "object" && !Array.isArray(value);
    case "integer":
      return Number.isInteger(value);
    case "number":
    case "string":
    case "boolean":
      return typeof value === node.type;
    default:
      return node.type satisfies never;
  }
}

/** Why what stands at `title` never grows or shrinks; text may be a quantity such as 10Gi. */
export function amountProblem(node: SchemaNode, title: string): string | undefined {
  const { type, enum: values } = node;
  const isNone =
    type === "boolean" || type === "object" || type === "array" || (type === "string" && values !== undefined);
  return isNone ? `${title} is ${nameOfType(node)}, which has no more and no less` : undefined;
}
