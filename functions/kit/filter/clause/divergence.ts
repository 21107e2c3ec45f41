/**
 * Two places that should agree, and since this event do not: what the spec asks for, and what the status says there is. Only the
 * beginning counts, an object born so included; while they stay apart nothing more is told. Amounts agree when they are as much
 * (`1Gi` and `1024Mi`). A spec that says nothing asks for nothing.
 */
import { isDeepStrictEqual } from "node:util";
import { isSameAmount, type KubeObject, parseFieldPath, toDotted, toPointer, valueAt } from "#contract";
import type { Clause } from "../clause.ts";
import { coarse } from "../subject-net.ts";
import { shown } from "../wording.ts";
import { bornPatterns, partPattern } from "./field.ts";

/** Two paths; the names are those of where they usually stand. */
export interface DivergenceWish {
  readonly spec: string;
  readonly status: string;
}

/** What the spec asks for and what the status says came apart. */
export function divergedClause(wish: DivergenceWish): Clause {
  const [spec, status] = [parseFieldPath(wish.spec), parseFieldPath(wish.status)];
  const [specPointer, statusPointer] = [toPointer(spec), toPointer(status)];
  const isDiverged = (object: KubeObject | null) => {
    const [wanted, is] = [valueAt(object, spec), valueAt(object, status)];
    return wanted !== undefined && !isDeepStrictEqual(wanted, is) && !isSameAmount(wanted, is);
  };
  return {
    type: "clause",
    wanted: `${toDotted(spec)} and ${toDotted(status)} diverged`,
    holds({ born, updated, object, before, reaches }) {
      if (!(born || updated) || !isDiverged(object)) return false;
      return born || ((reaches(specPointer) || reaches(statusPointer)) && !isDiverged(before()));
    },
    found({ born, updated, object, before }) {
      if (!born && !updated) return "an object that is gone diverges no more";
      const values = `${shown(valueAt(object, spec))} is wanted, ${shown(valueAt(object, status))} is told`;
      if (!isDiverged(object)) return `they agree: ${values}`;
      return updated && isDiverged(before()) ? `they had diverged before: ${values}` : `they came apart: ${values}`;
    },
    net({ births }) {
      const [asked, told] = [partPattern(spec[0] ?? ""), partPattern(status[0] ?? "")];
      const updates = [asked, told].map((part) => ({ ...part, op: "updated" }));
      return coarse([...updates, ...bornPatterns(asked, births)]);
    },
    state: { becomes: true, isSo: ({ object }) => isDiverged(object) },
  };
}
