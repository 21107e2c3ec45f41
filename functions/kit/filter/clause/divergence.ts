/**
 * Two places that should agree, and since this event do not: what the spec asks for, and what the status says there is. Only the
 * beginning counts, an object born so included; while they stay apart nothing more is told. Amounts agree when they are as much
 * (`1Gi` and `1024Mi`). A spec that says nothing asks for nothing. `metadata.generation` may stand for the spec, and what the controller
 * has observed for the status: they are apart while it is behind.
 */
import { isDeepStrictEqual } from "node:util";
import { isSameAmount, type Json, type KubeObject, parseFieldPath, toDotted, toPointer, valueAt } from "#contract";
import type { Clause } from "../clause.ts";
import type { Occurrence } from "../occurrence.ts";
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
  const isApart = (wanted: Json | undefined, is: Json | undefined) =>
    wanted !== undefined && !isDeepStrictEqual(wanted, is) && !isSameAmount(wanted, is);
  const isDiverged = (object: KubeObject | null) => isApart(valueAt(object, spec), valueAt(object, status));
  const isReached = ({ reaches }: Occurrence) => reaches(specPointer) || reaches(statusPointer);
  const wasDiverged = (occurrence: Occurrence) =>
    specPointer === GENERATION
      ? isApart(generationBefore(occurrence), valueAt(occurrence.before(), status))
      : isDiverged(occurrence.before());
  return {
    type: "clause",
    wanted: `${toDotted(spec)} and ${toDotted(status)} diverged`,
    holds(occurrence) {
      const { born, updated, object } = occurrence;
      if (!(born || updated) || !isDiverged(object)) return false;
      const isMoved = isReached(occurrence) || (specPointer === GENERATION && isNewGeneration(occurrence));
      return born || (isMoved && !wasDiverged(occurrence));
    },
    found(occurrence) {
      const { born, updated, object } = occurrence;
      if (!born && !updated) return "an object that is gone diverges no more";
      const values = `${shown(valueAt(object, spec))} is wanted, ${shown(valueAt(object, status))} is told`;
      if (!isDiverged(object)) return `they agree: ${values}`;
      return updated && wasDiverged(occurrence) ? `they had diverged before: ${values}` : `they came apart: ${values}`;
    },
    net({ births }) {
      const [asked, told] = [partPattern(spec[0] ?? ""), partPattern(status[0] ?? "")];
      const updates = [asked, told].map((part) => ({ ...part, op: "updated" }));
      return coarse([...updates, ...bornPatterns(asked, births)]);
    },
    state: { becomes: true, isSo: ({ object }) => isDiverged(object) },
  };
}

/** No patch tells of it, because the API server counts it up by itself. */
const GENERATION = "/metadata/generation";

/** It is counted up with each change of the spec, and when the deletion begins (Kubernetes API conventions, "Metadata"). */
function isNewGeneration({ event }: Occurrence): boolean {
  return event.changed?.split(",").includes("spec") === true || event.data.transitions.terminating !== undefined;
}

/** The generation of before the event; over a gap the one that the status told, since nobody knows how many there were. */
function generationBefore(occurrence: Occurrence): Json | undefined {
  const { object, event } = occurrence;
  const { generation } = object.metadata;
  if (!isNewGeneration(occurrence) || typeof generation !== "number") return generation as Json | undefined;
  return event.data.gap ? undefined : generation - 1;
}
