/**
 * A filter, compiled: clauses, and all, any and not over them. A clause holds, does not hold, or cannot be decided (an expression
 * that fails); what cannot be decided decides nothing, so `not` of it is as undecided, and the filter matches only when the rest settles it.
 * Matching and explaining use the same clauses and the same rules of combination, so they cannot disagree.
 * Source: Kleene's three-valued logic, as SQL's NULL and CEL's `&&` and `||` have it.
 */
import type { Occurrence } from "./occurrence.ts";
import type { Net, Scope } from "./subject-net.ts";

/** Whether something holds, or why nobody can say; the reason quotes no value of the event. */
export type Verdict = boolean | Undecided;
export interface Undecided {
  readonly reason: string;
}

/** One condition: what it asks, and which part of that NATS can decide. */
export interface Clause {
  readonly type: "clause";
  /** What it asks for, in words: `phase to Failed`. */
  readonly wanted: string;
  /** Throws an Error when the event contradicts itself. */
  holds(occurrence: Occurrence): Verdict;
  /** What is the case in this event, in words; only asked for when somebody reads it. */
  found(occurrence: Occurrence): string;
  /** Every event for which it holds gets through. */
  net(scope: Scope): Net;
  /** The state that it speaks of; left out where it speaks of the event alone. */
  readonly state?: ClauseState;
}

/** What stays so after the event, until another event says otherwise. */
export interface ClauseState {
  /** The clause holds once, when it becomes so; else at every event for as long as it is so. */
  readonly becomes: boolean;
  /** Whether it is so after this event, whatever this event changed. */
  isSo(occurrence: Occurrence): Verdict;
  /** Since when it is so (RFC 3339), where the object tells it. */
  since?(occurrence: Occurrence): string | undefined;
}

/** A filter with everything that can be prepared done. */
export type Compiled =
  | Clause
  | { readonly type: "all" | "any"; readonly parts: readonly Compiled[] }
  | { readonly type: "not"; readonly part: Compiled };

/** How it came out for one event, for people: the filter's own shape, and in each clause what was found. */
export interface Explanation {
  readonly type: Compiled["type"];
  readonly holds: boolean | "undecided";
  /** What was asked for; of `all`, `any` and `not`: that word. */
  readonly wanted: string;
  /** What was the case; empty for `all`, `any` and `not`. */
  readonly found: string;
  readonly parts: readonly Explanation[];
}

/** Whether the filter holds. Looks at no more than it needs. Throws an Error when the event contradicts itself. */
export function evaluate(compiled: Compiled, occurrence: Occurrence): Verdict {
  switch (compiled.type) {
    case "clause":
      return compiled.holds(occurrence);
    case "all":
    case "any":
      return combined(compiled.type, lazily(compiled.parts, occurrence));
    case "not":
      return negated(evaluate(compiled.part, occurrence));
    default:
      return compiled satisfies never;
  }
}

/** The same, with what was found everywhere. Throws an Error when the event contradicts itself. */
export function explain(compiled: Compiled, occurrence: Occurrence): Explanation {
  return traced(compiled, occurrence).explanation;
}

interface Traced {
  readonly verdict: Verdict;
  readonly explanation: Explanation;
}

function traced(compiled: Compiled, occurrence: Occurrence): Traced {
  const { type } = compiled;
  if (type === "clause") {
    const verdict = compiled.holds(occurrence);
    const found = typeof verdict === "boolean" ? compiled.found(occurrence) : verdict.reason;
    return { verdict, explanation: { type, holds: asHolds(verdict), wanted: compiled.wanted, found, parts: [] } };
  }
  const parts = (type === "not" ? [compiled.part] : compiled.parts).map((part) => traced(part, occurrence));
  const verdicts = parts.map(({ verdict }) => verdict);
  const verdict = type === "not" ? negated(verdicts[0] ?? false) : combined(type, verdicts);
  const explanations = parts.map(({ explanation }) => explanation);
  return { verdict, explanation: { type, holds: asHolds(verdict), wanted: type, found: "", parts: explanations } };
}

function* lazily(parts: readonly Compiled[], occurrence: Occurrence): Generator<Verdict> {
  for (const part of parts) yield evaluate(part, occurrence);
}

/** `all` is settled by the first that does not hold, `any` by the first that does; else one undecided leaves it undecided. */
export function combined(type: "all" | "any", verdicts: Iterable<Verdict>): Verdict {
  const settledBy = type === "any";
  let undecided: Undecided | undefined;
  for (const verdict of verdicts) {
    if (verdict === settledBy) return settledBy;
    if (typeof verdict !== "boolean") undecided ??= verdict;
  }
  return undecided ?? !settledBy;
}

export function negated(verdict: Verdict): Verdict {
  return typeof verdict === "boolean" ? !verdict : verdict;
}

function asHolds(verdict: Verdict): Explanation["holds"] {
  return typeof verdict === "boolean" ? verdict : "undecided";
}
