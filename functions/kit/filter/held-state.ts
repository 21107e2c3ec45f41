/**
 * The state behind a filter, for `for`: what has to stay so for that long. A filter that fires when something becomes so has one; what it
 * says of labels, annotations and owners has to stay so beside it; what it says of the event alone (who changed it, expressions) is asked
 * of the event that entered the state, and no more.
 */
import type { Envelope } from "#contract";
import { type ClauseState, type Compiled, combined, negated, type Verdict } from "./clause.ts";
import { compile } from "./compile.ts";
import type { Filter } from "./filter.ts";
import { type Occurrence, occurrenceOf } from "./occurrence.ts";

/** A state that an object can be in. */
export interface HeldState {
  /** Whether the object is in it after this event; an object that is gone is in none. */
  isSo(event: Envelope): boolean;
  /** Since when it is in it, at the event that entered it: RFC 3339, never after the event. */
  since(event: Envelope): string;
}

/** The filter has no state that could hold. The message says what is missing. */
export class StatelessFilterError extends Error {
  readonly code = "STATELESS_FILTER";
  override readonly name = "StatelessFilterError";
}

const NEEDED = "phase with to, condition with to or reason, field with to, present or absent, diverged, or terminating";

/** The state of a filter. Throws StatelessFilterError. */
export function heldStateOf(when: Filter | undefined): HeldState {
  const state = when && stateIn(compile(when));
  if (state?.becomes !== true)
    throw new StatelessFilterError(`needs a filter of something that becomes so and can stay so: ${NEEDED}`);
  return {
    isSo(event) {
      const occurrence = occurrenceOf(event);
      return occurrence.op !== "deleted" && occurrence.op !== "unselected" && state.isSo(occurrence) === true;
    },
    since(event) {
      const told = state.since?.(occurrenceOf(event));
      return told !== undefined && Date.parse(told) < Date.parse(event.time) ? told : event.time;
    },
  };
}

/** `undefined`: it speaks of the event alone. */
function stateIn(compiled: Compiled): ClauseState | undefined {
  switch (compiled.type) {
    case "clause":
      return compiled.state;
    case "all":
      return stateOfAll(compiled.parts.flatMap((part) => stateIn(part) ?? []));
    case "any":
      return stateOfAny(compiled.parts.map(stateIn));
    case "not":
      return stateOfNot(stateIn(compiled.part));
    default:
      return compiled satisfies never;
  }
}

function stateOfAll(states: readonly ClauseState[]): ClauseState | undefined {
  if (states.length === 0) return undefined;
  return {
    becomes: states.some(({ becomes }) => becomes),
    isSo: (occurrence) => combined("all", verdictsOf(states, occurrence)),
    since: (occurrence) => latest(states, occurrence),
  };
}

function stateOfAny(states: readonly (ClauseState | undefined)[]): ClauseState | undefined {
  const known = states.filter((state) => state !== undefined);
  if (known.length === 0) return undefined;
  const becomes = known.some((state) => state.becomes);
  if (known.length < states.length || (becomes && !known.every((state) => state.becomes)))
    throw new StatelessFilterError(`needs in each part of any: [ … ] something that becomes so: ${NEEDED}`);
  return {
    becomes,
    isSo: (occurrence) => combined("any", verdictsOf(known, occurrence)),
    since(occurrence) {
      return latest(
        known.filter((state) => state.isSo(occurrence) === true),
        occurrence,
      );
    },
  };
}

function stateOfNot(state: ClauseState | undefined): ClauseState | undefined {
  if (state?.becomes)
    throw new StatelessFilterError("cannot be said of not: { … } around something that becomes so: name the opposite");
  return state && { becomes: false, isSo: (occurrence) => negated(state.isSo(occurrence)) };
}

function* verdictsOf(states: readonly ClauseState[], occurrence: Occurrence): Generator<Verdict> {
  for (const state of states) yield state.isSo(occurrence);
}

/** It is all so since the last of it became so; one part that does not tell leaves it open. */
function latest(states: readonly ClauseState[], occurrence: Occurrence): string | undefined {
  const becoming = states.filter(({ becomes }) => becomes).map((state) => state.since?.(occurrence));
  if (becoming.some((told) => told === undefined || Number.isNaN(Date.parse(told)))) return undefined;
  return becoming.reduce((a, b) => (Date.parse(a as string) > Date.parse(b as string) ? a : b), becoming[0]);
}
