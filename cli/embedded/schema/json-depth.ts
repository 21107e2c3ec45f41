/**
 * How deep a JSON value may be. Node parses a body of a million nested brackets without complaint, and then whatever looks at the
 * value recursively (JSON.stringify included) runs out of stack; so what arrives from a client is measured once, without recursion.
 * Source: sigs.k8s.io/json refuses more than 10,000 levels with "exceeded max depth".
 */
import type { Json } from "../object/object.ts";
import { badRequest } from "../object/status-error.ts";

/** Node's deep comparison overflows between 1,000 and 2,000 levels; real objects have fewer than 50. */
const DEPTH_MAX = 500;

/** Throws StatusError 400 for a value that is nested deeper than 500 levels. */
export function assertDepth(value: Json | undefined): void {
  let level: readonly Json[] = value === undefined ? [] : [value];
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > DEPTH_MAX) throw badRequest(`json: exceeded max depth: more than ${DEPTH_MAX} levels`);
    level = level.flatMap((each) => nested(each));
  }
}

function nested(value: Json): readonly Json[] {
  if (typeof value !== "object" || value === null) return [];
  const values: readonly (Json | undefined)[] = Array.isArray(value) ? value : Object.values(value);
  return values.filter((each): each is Json => typeof each === "object" && each !== null);
}
