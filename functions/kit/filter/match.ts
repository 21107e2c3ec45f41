/**
 * Whether an event is what a subscription asks for, and why not. Pure, and the whole truth: what NATS filters by subject is only a
 * coarser net in front of it (`plan.ts`). What each filter means is in `clause/`, and as a table in functions/README.md.
 */
import type { Envelope } from "#contract";
import { type Explanation, evaluate, explain } from "./clause.ts";
import { compileSelection } from "./compile.ts";
import type { Selection } from "./filter.ts";
import { occurrenceOf } from "./occurrence.ts";

/** How it came out. `undecided`: an expression could not be evaluated and the rest did not settle it; that is no match either. */
export type MatchResult =
  | { readonly type: "matched" }
  | { readonly type: "unmatched" }
  | { readonly type: "undecided"; readonly reason: string };

/** A selection that is compiled; it keeps nothing from one event to the next. */
export interface Matcher {
  /** Throws an Error when the event's patch does not fit its object. */
  match(event: Envelope): MatchResult;
  /** Comes out as `match` does. Throws as `match` does, or sooner, because it looks at everything. */
  explain(event: Envelope): Explanation;
}

/** Compiles a selection once, for many events. Throws ExpressionError for an expression that the schema has not seen. */
export function compileFilter(selection: Selection): Matcher {
  const compiled = compileSelection(selection);
  return {
    match(event) {
      const verdict = evaluate(compiled, occurrenceOf(event));
      if (typeof verdict !== "boolean") return { type: "undecided", reason: verdict.reason };
      return { type: verdict ? "matched" : "unmatched" };
    },
    explain: (event) => explain(compiled, occurrenceOf(event)),
  };
}

/** Why an event matches, or why not: the selection's own shape, with what was found in each part. */
export function explainMatch(selection: Selection, event: Envelope): Explanation {
  return compileFilter(selection).explain(event);
}
