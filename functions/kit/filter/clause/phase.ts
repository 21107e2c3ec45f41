/**
 * A phase was entered or left. A birth in a phase is a transition from nothing; the first sight of an object carries no transition,
 * only its phase.
 */
import { encodePhase, encodeToken, type Op } from "#contract";
import type { Clause } from "../clause.ts";
import type { Occurrence } from "../occurrence.ts";
import { coarse, type Net, type Pattern, type Scope } from "../subject-net.ts";
import { shownChoice, shownStep } from "../wording.ts";

/** The phases left and entered; a list means any of these. */
export interface PhaseWish {
  readonly from?: string | readonly string[] | undefined;
  readonly to?: string | readonly string[] | undefined;
}

/** Enters one of the phases `to`, leaves one of the phases `from`; with neither, any transition, to none too. */
export function phaseClause(wish: PhaseWish): Clause {
  const [from, to] = [isAmong(wish.from), isAmong(wish.to)];
  const isSo = ({ event }: Occurrence) => event.phase !== undefined && to(event.phase);
  return {
    type: "clause",
    wanted: wanted(wish),
    holds(occurrence) {
      const transition = transitionIn(occurrence);
      return transition !== undefined && from(transition.from) && to(transition.to);
    },
    found(occurrence) {
      const transition = transitionIn(occurrence);
      if (transition !== undefined)
        return `the phase went ${shownStep(transition.from ?? "none", transition.to ?? "none")}`;
      const { op, event } = occurrence;
      if (op === "deleted" || op === "unselected") return "an object that is gone enters no phase";
      return event.phase === undefined ? "there is no phase" : `the phase is ${event.phase} as before`;
    },
    net: (scope) => phaseNet(wish, scope),
    ...(wish.to !== undefined && { state: { becomes: true, isSo, since: ({ event }) => event.phasesince } }),
  };
}

function wanted({ from, to }: PhaseWish): string {
  if (from === undefined && to === undefined) return "phase, any transition";
  return `phase${from === undefined ? "" : ` from ${shownChoice(from)}`}${to === undefined ? "" : ` to ${shownChoice(to)}`}`;
}

function transitionIn({ born, updated, event }: Occurrence): { from: string | null; to: string | null } | undefined {
  if (born) return event.phase === undefined ? undefined : { from: null, to: event.phase };
  return updated ? event.data.transitions.phase : undefined;
}

function isAmong(wanted: string | readonly string[] | undefined): (value: string | null) => boolean {
  if (wanted === undefined) return () => true;
  const values = new Set<string | null>([wanted].flat());
  return (value) => values.has(value);
}

/** The first sight of an object has no tokens behind its op; a creation has its phase's. A phase that is cut may stand for another. */
function phaseNet({ from, to }: PhaseWish, { births }: Scope): Net {
  const phases = to === undefined ? undefined : [to].flat();
  const tokens: Pattern[] = phases?.map((phase) => ({ phase: encodePhase(phase) })) ?? [{}];
  const updates = tokens.map((token) => ({ ...token, op: "updated" }));
  if (from !== undefined) return coarse(updates);
  const born = (op: Op): Pattern[] => (op === "existing" ? [{ op }] : tokens.map((token) => ({ ...token, op })));
  const exact =
    phases?.every((phase) => encodePhase(phase) === encodeToken(phase)) === true && !births.includes("existing");
  return { patterns: [...updates, ...births.flatMap(born)], exact };
}
