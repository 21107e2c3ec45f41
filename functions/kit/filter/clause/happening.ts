/**
 * What happened to the object: `op` by the event's own type, `created` and `deleted` for short, and `terminating`, the beginning of a
 * deletion that has to wait for finalizers.
 */
import type { Op } from "#contract";
import type { Clause } from "../clause.ts";
import { coarse, opsNet } from "../subject-net.ts";
import { shownChoice } from "../wording.ts";

/** One of these happened. */
export function opClause(wanted: Op | readonly Op[]): Clause {
  const ops = [wanted].flat();
  return {
    type: "clause",
    wanted: `op ${shownChoice(wanted)}`,
    holds: ({ op }) => ops.includes(op),
    found: ({ op }) => `it was ${op}`,
    net: (scope) => opsNet(scope.ops.filter((op) => ops.includes(op))),
  };
}

/** It was created; with `includeExisting`, or seen for the first time. */
export function createdClause(): Clause {
  return {
    type: "clause",
    wanted: "created",
    holds: ({ born }) => born,
    found: ({ op }) => `it was ${op}`,
    net: ({ births }) => opsNet(births),
  };
}

/** Its deletion began with this change, or it was born so. */
export function terminatingClause(): Clause {
  return {
    type: "clause",
    wanted: "terminating",
    holds: ({ born, event }) => (born ? event.terminating === true : event.data.transitions.terminating !== undefined),
    found({ op, event }) {
      if (op === "deleted") return "it is gone; terminating is the time before";
      if (event.terminating !== true) return "no deletion has begun";
      return event.data.transitions.terminating === undefined ? "its deletion had begun before" : "its deletion began";
    },
    net: ({ births }) => coarse([{ op: "updated" }, ...births.map((op) => ({ op }))]),
    state: { becomes: true, isSo: ({ event }) => event.terminating === true },
  };
}
