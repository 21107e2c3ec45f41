/**
 * Whether an event is what a subscription asks for, and why not. Pure, and the whole truth: what NATS filters by subject is only a
 * coarser net in front of it (`plan.ts`). What each filter means is in `clause/`, and as a table in functions/README.md.
 */
import type { Envelope } from "#contract";
import { type Explanation, evaluate, explain } from "./clause.ts";
import { compileSelection, resolvingOf } from "./compile.ts";
import type { Selection } from "./filter.ts";
import { occurrenceOf } from "./occurrence.ts";
import { planTimes, type TimePlan } from "./time-plan.ts";

/** How it came out. `resolving`: it is what `resolve` asks for, whether or not it is what `when` asks for. `undecided`: an expression could not be evaluated and the rest did not settle it; that is no match either. */
export type MatchResult =
  | { readonly type: "matched" | "resolving" }
  | { readonly type: "unmatched" }
  | { readonly type: "undecided"; readonly reason: string };

/** A selection that is compiled; it keeps nothing from one event to the next. */
export interface Matcher extends TimePlan {
  /** Throws an Error when the event's patch does not fit its object. */
  match(event: Envelope): MatchResult;
  /** Comes out as `match` does. Throws as `match` does, or sooner, because it looks at everything. */
  explain(event: Envelope): Explanation;
}

/** Compiles a selection once, for many events. Throws ExpressionError for an expression that the schema has not seen, StatelessFilterError. */
export function compileFilter(selection: Selection): Matcher {
  const opening = compileSelection(selection);
  const resolving = resolvingOf(selection);
  const recovery = resolving && compileSelection(resolving);
  return {
    ...planTimes(selection),
    match(event) {
      const occurrence = occurrenceOf(event);
      const isRecovery = recovery !== undefined && evaluate(recovery, occurrence);
      if (isRecovery === true) return { type: "resolving" };
      const verdict = evaluate(opening, occurrence);
      if (verdict === true) return { type: "matched" };
      const undecided = [verdict, isRecovery].find((each) => typeof each !== "boolean");
      return undecided === undefined ? { type: "unmatched" } : { type: "undecided", reason: undecided.reason };
    },
    explain(event) {
      const occurrence = occurrenceOf(event);
      if (recovery === undefined) return explain(opening, occurrence);
      return eitherOf(explain(opening, occurrence), explain(recovery, occurrence));
    },
  };
}

/** Whether the filter matches. An event that contradicts itself is a dead letter, and counts for nothing. */
export function isMatch(match: Matcher["match"], event: Envelope): boolean {
  try {
    return match(event).type === "matched";
  } catch {
    return false;
  }
}

/** What opens an incident or goes on with it, and what resolves it, under one roof. */
function eitherOf(opening: Explanation, recovery: Explanation): Explanation {
  const parts = [
    { ...opening, wanted: "when: opens an incident, or goes on with it" },
    { ...recovery, wanted: "resolve: resolves the incident that is open, if one is" },
  ];
  const holds = [true, "undecided", false].find((each) => parts.some((part) => part.holds === each)) ?? false;
  return { type: "any", holds: holds as Explanation["holds"], wanted: "any", found: "", parts };
}

/** Why an event matches, or why not: the selection's own shape, with what was found in each part. */
export function explainMatch(selection: Selection, event: Envelope): Explanation {
  return compileFilter(selection).explain(event);
}
