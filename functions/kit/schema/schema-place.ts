/**
 * Where a path leads in the schema of a kind: to a place that is known, to one of which nothing is said, or to none. It says "none" only
 * where the API server would drop the field: below what keeps unknown fields, in a map, and where the schema is silent anything may stand.
 */
import { didYouMean, type KindSchema, type SchemaNode, toDotted } from "#contract";

/** What a path leads to. `open`: anything may stand there. */
export type Place =
  | { readonly type: "known"; readonly node: SchemaNode }
  | { readonly type: "open" }
  | { readonly type: "none"; readonly problem: string };

const OPEN_PLACE: Place = { type: "open" };

/** Follows the path; the problem is a sentence's beginning, with the nearest name. */
export function placeIn({ schema, kind, apiVersion }: KindSchema, path: readonly string[]): Place {
  let node = schema;
  for (const [index, key] of path.entries()) {
    if (isOpen(node)) return OPEN_PLACE;
    const below = nodeBelow(node, key);
    if (below === undefined) {
      const problem = problemAt(node, path, index, `${kind} ${apiVersion}`);
      return { type: "none", problem };
    }
    node = below;
  }
  return isOpen(node) ? OPEN_PLACE : { type: "known", node };
}

/** What stands behind one more key; `undefined`: nothing ever does. */
function nodeBelow(node: SchemaNode, key: string): SchemaNode | undefined {
  const { properties, additionalProperties, items } = node;
  if (properties !== undefined && Object.hasOwn(properties, key)) return properties[key];
  if (additionalProperties !== undefined) return additionalProperties;
  if (node["x-kubernetes-preserve-unknown-fields"]) return {};
  return items !== undefined && /^(\d+|-|\*)$/.test(key) ? items : undefined;
}

/** Says nothing about what is below, and nothing about itself. */
function isOpen(node: SchemaNode): boolean {
  const isStructured = node.properties ?? node.additionalProperties ?? node.items ?? node.enum;
  if (isStructured !== undefined || node["x-kubernetes-int-or-string"]) return false;
  return node.type === undefined || node.type === "object" || node.type === "array";
}

function problemAt(node: SchemaNode, path: readonly string[], index: number, kind: string): string {
  const parent = toDotted(path.slice(0, index));
  if (node.items !== undefined)
    return `${toDotted(path)} is not in ${kind}: ${parent} is a list, so a position must follow, such as ${parent}[0]`;
  if (node.properties === undefined)
    return `${toDotted(path)} is not in ${kind}: ${parent} is ${nameOfType(node)}, with nothing below it`;
  return `${toDotted(path)} is not in ${kind}${nearestPath(node, path, index)}`;
}

/** The whole path with the name that was meant: ` (did you mean "spec.replicas"?)`. */
function nearestPath({ properties = {} }: SchemaNode, path: readonly string[], index: number): string {
  const known = Object.keys(properties);
  const [, name] = /"(.*)"/.exec(didYouMean(path[index] ?? "", known)) ?? [];
  if (name === undefined) {
    const parent = index === 0 ? "it" : toDotted(path.slice(0, index));
    return `: ${parent} has ${namesShown(known)}`;
  }
  return ` (did you mean "${toDotted([...path.slice(0, index), name, ...path.slice(index + 1)])}"?)`;
}

/** More names than this are no help. */
const NAMES_SHOWN_MAX = 12;

/** A list for a sentence, cut where it gets long. */
export function namesShown(names: readonly string[]): string {
  if (names.length === 0) return "nothing";
  const shown = names.slice(0, NAMES_SHOWN_MAX).join(", ");
  return names.length > NAMES_SHOWN_MAX ? `${shown} and ${names.length - NAMES_SHOWN_MAX} more` : shown;
}

/** `an integer`, `text`. */
export function nameOfType(node: SchemaNode): string {
  if (node["x-kubernetes-int-or-string"]) return "a number or text";
  switch (node.type) {
    case "object":
      return "an object";
    case "array":
      return "a list";
    case "string":
      return "text";
    case "integer":
      return "a whole number";
    case "number":
      return "a number";
    case "boolean":
      return "true or false";
    case undefined:
      return "anything";
    default:
      return node.type satisfies never;
  }
}
