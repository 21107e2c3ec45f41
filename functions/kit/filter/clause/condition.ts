/**
 * A status condition changed its status, or was born with one. With `reason`, status and reason together are the state that is
 * entered: `Ready` that stays False for another reason counts. A condition that is taken away goes to none.
 * Source: Kubernetes API conventions, "Typical status properties" (a list keyed by `type`; `status` is True, False or Unknown).
 */
import { type KubeObject, valueAt } from "#contract";
import type { Clause } from "../clause.ts";
import type { Occurrence } from "../occurrence.ts";
import { coarse } from "../subject-net.ts";
import { shownChoice, shownStep } from "../wording.ts";
import { bornPatterns } from "./field.ts";

/** YAML reads an unquoted True as a boolean, and it can mean nothing else here. */
type Status = string | boolean;

/** Without `to` and `from`: any transition. */
export interface ConditionWish {
  readonly type: string;
  readonly to?: Status | readonly Status[] | undefined;
  readonly from?: Status | readonly Status[] | undefined;
  /** The reason that it has afterwards. */
  readonly reason?: string | readonly string[] | undefined;
}

interface Condition {
  readonly status: string | undefined;
  readonly reason: string | undefined;
  readonly since?: string | undefined;
}

const CONDITIONS = ["status", "conditions"];
const POINTER = "/status/conditions";
const NONE: Condition = { status: undefined, reason: undefined };

/** The condition entered the wanted state. */
export function conditionClause(wish: ConditionWish): Clause {
  const { type } = wish;
  const [from, to, reason] = [isAmong(wish.from), isAmong(wish.to), isAmong(wish.reason)];
  const stepIn = ({ born, updated, object, event, before, reaches }: Occurrence) => {
    if (born) return { was: NONE, is: conditionOf(object, type) };
    if (!updated || !reaches(POINTER)) return undefined;
    // The bridge tells every transition of a status, so most updates need no look at the state before.
    const isTold = Object.hasOwn(event.data.transitions.conditions ?? {}, type);
    if (!isTold && wish.reason === undefined) return undefined;
    return { was: conditionOf(before(), type), is: conditionOf(object, type) };
  };
  return {
    type: "clause",
    wanted: wanted(wish),
    holds(occurrence) {
      const step = stepIn(occurrence);
      if (step === undefined) return false;
      const { was, is } = step;
      const isOther = was.status !== is.status || (wish.reason !== undefined && was.reason !== is.reason);
      return isOther && from(was.status) && to(is.status) && reason(is.reason);
    },
    found(occurrence) {
      const step = stepIn(occurrence);
      const { status, reason: why } = step?.is ?? conditionOf(occurrence.object, type);
      const because = why ? ` (${shownChoice(why)})` : "";
      if (step !== undefined && step.was.status !== status)
        return `${type} went ${shownStep(step.was.status, status)}${because}`;
      if (status === undefined) return `there is no condition ${type}`;
      if (step !== undefined && step.was.reason !== why)
        return `${type} is ${status} as before, its reason went ${shownStep(step.was.reason, why)}`;
      return occurrence.updated ? `${type} is ${status} as before${because}` : "an object that is gone changes no more";
    },
    net: ({ births }) => coarse([{ op: "updated", status: "status" }, ...bornPatterns({ status: "status" }, births)]),
    ...((wish.to ?? wish.reason) !== undefined && {
      state: {
        becomes: true,
        isSo({ object }) {
          const is = conditionOf(object, type);
          return is.status !== undefined && to(is.status) && reason(is.reason);
        },
        // One reason for another does not move the time that the object tells.
        since: ({ object }) => (wish.reason === undefined ? conditionOf(object, type).since : undefined),
      },
    }),
  };
}

function wanted({ type, from, to, reason }: ConditionWish): string {
  const parts = [
    ...(from === undefined ? [] : [`from ${shownChoice(statuses(from))}`]),
    ...(to === undefined ? [] : [`to ${shownChoice(statuses(to))}`]),
    ...(reason === undefined ? [] : [`because of ${shownChoice(reason)}`]),
  ];
  return `condition ${type} ${parts.length === 0 ? "changed" : parts.join(" ")}`;
}

function isAmong(wanted: Status | readonly Status[] | undefined): (value: string | undefined) => boolean {
  if (wanted === undefined) return () => true;
  const values = new Set<string | undefined>(statuses(wanted));
  return (value) => values.has(value);
}

function statuses(wanted: Status | readonly Status[]): string[] {
  return [wanted].flat().map((status) => (typeof status === "string" ? status : status ? "True" : "False"));
}

/** The last of its type counts, as it does for the bridge. */
function conditionOf(object: KubeObject | null, type: string): Condition {
  const list = valueAt(object, CONDITIONS);
  if (!Array.isArray(list)) return NONE;
  const found = list.findLast((entry) => valueAt(entry, ["type"]) === type && isText(valueAt(entry, ["status"])));
  if (found === undefined) return NONE;
  const [reason, since] = [valueAt(found, ["reason"]), valueAt(found, ["lastTransitionTime"])];
  return {
    status: String(valueAt(found, ["status"])),
    reason: isText(reason) ? reason : undefined,
    since: isText(since) ? since : undefined,
  };
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}
