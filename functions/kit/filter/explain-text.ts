/**
 * What `cr-reactor explain` says, as plain lines: which part of a selection NATS decides and which stays, and for one event the filter
 * as a tree with what was found. Values are those of the event, shortened: for people who may read the events.
 */
import type { Explanation } from "./clause.ts";
import type { Plan } from "./plan.ts";

const MARKS = { true: "✔", false: "✖", undecided: "?" } as const;
const INDENT = "  ";

/** The plan: what NATS filters by, and what is left to the process. */
export function planText({ subjects, exact, remainder }: Plan): string[] {
  if (subjects.length === 0) return ["no event can ever match: the parts of the filter exclude each other"];
  return [
    "NATS delivers",
    ...subjects.map((subject) => `${INDENT}${subject}`),
    "the process decides",
    `${INDENT}${remainder === undefined ? nothing(exact) : JSON.stringify(remainder)}`,
  ];
}

/** What no filter asks for can still come through, because one subject is read faster than several. */
function nothing(exact: boolean): string {
  if (exact) return "nothing but the API version";
  return "nothing of the filter: only the API version, first sights (existing), and what left the bridge's selection";
}

/** One event: a line for each part of the filter, with what was found where something was asked. */
export function explanationText(explanation: Explanation, depth = 0): string[] {
  const { holds, wanted, found, parts } = explanation;
  const line = `${INDENT.repeat(depth)}${MARKS[`${holds}`]} ${wanted}${found && `: ${found}`}`;
  return [line, ...parts.flatMap((part) => explanationText(part, depth + 1))];
}

/** How many clauses would have to come out otherwise for the event to match; 0 when it does. Sorts what nearly matches first. */
export function distanceOf({ type, holds, parts }: Explanation): number {
  if (holds === true) return 0;
  const distances = parts.map(distanceOf);
  switch (type) {
    case "all":
      return distances.reduce((sum, distance) => sum + distance, 0);
    case "any":
      return Math.min(...distances);
    case "clause":
    case "not":
      return 1;
    default:
      return type satisfies never;
  }
}
