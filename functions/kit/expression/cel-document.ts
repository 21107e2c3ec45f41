/**
 * What of an event an expression reads, and that part of it as CEL values: whole numbers are `int` (JSON knows doubles only), maps are `Map`
 * (nothing inherited can be reached), and what the expression cannot see is never looked at, so a small expression over a large object is cheap.
 */
import type { ASTNode } from "@marcbachmann/cel-js";
import { type CelMeter, CelRefusal } from "./cel-meter.ts";

/** The variables of an expression. */
export const CEL_VARIABLES = ["object", "before", "patch", "transitions", "event"] as const;
export type CelVariable = (typeof CEL_VARIABLES)[number];

/** Deeper documents end the evaluation: cel-js goes down by recursion. */
const DEPTH_MAX = 200;

/** What is read below a place: everything, some fields, or (with neither) only whether it is there. */
export interface Reads {
  whole: boolean;
  readonly fields: Map<string, Reads>;
}

/** A variable, or a field below it that the expression names. */
export interface CelPath {
  readonly variable: CelVariable;
  readonly path: readonly string[];
}

const nothing = (): Reads => ({ whole: false, fields: new Map() });

/** What an expression reads of each variable; a variable that is not used is absent. */
export function readsOf(root: ASTNode): ReadonlyMap<CelVariable, Reads> {
  const reads = new Map<CelVariable, Reads>();
  const mark = ({ variable, path }: CelPath, whole: boolean) => {
    let at = reads.get(variable) ?? nothing();
    reads.set(variable, at);
    for (const field of path) {
      const below: Reads = at.fields.get(field) ?? nothing();
      at.fields.set(field, below);
      at = below;
    }
    at.whole ||= whole;
  };
  const visit = (node: ASTNode) => {
    const path = pathOf(node);
    if (path) return mark(path, true);
    const asked = onlyAsked(node);
    if (asked) return mark(asked, false);
    return childrenOf(node).forEach(visit);
  };
  visit(root);
  return reads;
}

/** `object.spec["replicas"]` as a path; undefined for what is no chain of constant names below a variable. */
export function pathOf(node: ASTNode): CelPath | undefined {
  switch (node.op) {
    case "id": {
      const variable = CEL_VARIABLES.find((each) => each === node.args);
      return variable && { variable, path: [] };
    }
    case ".":
    case ".?": {
      const [left, field] = node.args;
      const above = pathOf(left);
      return above && { ...above, path: [...above.path, field] };
    }
    case "[]":
    case "[?]": {
      const [left, { op, args }] = node.args;
      const above = op === "value" && typeof args === "string" ? pathOf(left) : undefined;
      return above && { ...above, path: [...above.path, args as string] };
    }
    default:
      return undefined;
  }
}

/** The path in `has(path)`, `path == null` and `path != null`, which ask only whether it is there. */
function onlyAsked(node: ASTNode): CelPath | undefined {
  if (node.op === "call" && node.args[0] === "has") {
    const [, [asked]] = node.args;
    return asked && pathOf(asked);
  }
  if (node.op !== "==" && node.op !== "!=") return undefined;
  const [left, right] = node.args;
  if (right.op === "value" && right.args === null) return pathOf(left);
  return left.op === "value" && left.args === null ? pathOf(right) : undefined;
}

/** The nodes below a node, as they were written. */
export function childrenOf({ args }: ASTNode): readonly ASTNode[] {
  const isNode = (value: unknown): value is ASTNode => typeof value === "object" && value !== null && "op" in value;
  return [args].flat(3).filter(isNode);
}

/** The part of a JSON value that is read, as CEL takes it. Throws CelRefusal when it is too large or too deep. */
export function toCel(value: unknown, reads: Reads, meter: CelMeter, depth = 0): unknown {
  if (depth > DEPTH_MAX) throw new CelRefusal(`the document is nested deeper than ${DEPTH_MAX} levels`);
  meter.spend(1);
  if (typeof value === "number") return Number.isSafeInteger(value) ? BigInt(value) : value;
  if (typeof value === "string" && reads.whole) meter.spend(meter.weigh(value));
  if (typeof value !== "object" || value === null) return value ?? null;
  if (Array.isArray(value)) {
    const list = reads.whole ? value.map((each) => toCel(each, reads, meter, depth + 1)) : [];
    meter.weigh(list);
    return list;
  }
  const fields = reads.whole
    ? Object.keys(value)
    : [...reads.fields.keys()].filter((field) => Object.hasOwn(value, field));
  const map = new Map<string, unknown>();
  for (const field of fields) {
    const below = reads.whole ? reads : (reads.fields.get(field) ?? reads);
    map.set(field, toCel((value as Readonly<Record<string, unknown>>)[field], below, meter, depth + 1));
  }
  meter.weigh(map);
  return map;
}
