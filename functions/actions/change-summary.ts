/**
 * What a change means, in plain words and before any target's markup: a headline, the phase and how long it held, conditions,
 * the object's own message, and the fields that are left to tell. Each fact is told once: what the headline or a condition says
 * is not repeated as a changed field. A Slack message, a ticket and an e-mail are three renderings of this.
 */
import { type Change, type Envelope, type Json, opOf, type ValueOperation, valueAt } from "#contract";
import { type ChangedField, changedField, readingOrder, segmentsOf } from "./changed-field.ts";

/** A summary of one event. */
export interface ChangeSummary {
  readonly kind: string;
  /** `prod/orders`, or the name alone of a cluster-scoped object. */
  readonly object: string;
  /** What happened: "Running → Failed", "created", "deleted", "changed". */
  readonly state: string;
  readonly phase: PhaseSummary | null;
  readonly conditions: readonly ConditionSummary[];
  /** `status.reason` and `status.message`, when they are new. */
  readonly message: string | null;
  readonly fields: readonly ChangedField[];
  /** How many more fields changed than `fields` has. */
  readonly fieldsMore: number;
}

/** The phase: a move from one to another, or the one it is in. */
export type PhaseSummary =
  | {
      readonly type: "moved";
      readonly from: string | null;
      readonly to: string | null;
      readonly heldSeconds: number | null;
    }
  | { readonly type: "holds"; readonly name: string; readonly since: string };

/** A condition whose status changed. */
export interface ConditionSummary {
  readonly type: string;
  readonly from: string | null;
  readonly to: string | null;
  readonly heldSeconds: number | null;
  readonly reason: string | null;
  readonly message: string | null;
}

/** Sums up an event, with at most `fieldsMax` changed fields. */
export function summarise(event: Envelope, fieldsMax: number): ChangeSummary {
  const { data: change } = event;
  const operations = readingOrder(change.patch ?? []);
  const conditions = Object.entries(change.transitions.conditions ?? {}).map(([type, moved]) => ({ type, ...moved }));
  const phaseCondition = conditionThatIsThePhase(change, conditions);
  const told = toldElsewhere(event);
  const rest = operations.filter((operation) => !told(operation));
  return {
    kind: event.kind,
    object: event.namespace ? `${event.namespace}/${event.name}` : event.name,
    state: stateOf(event, phaseCondition),
    phase: phaseCondition === undefined ? phaseOf(event) : null,
    conditions,
    message: newMessage(event, operations, conditions),
    fields: rest.slice(0, fieldsMax).map(changedField),
    fieldsMore: Math.max(0, rest.length - fieldsMax),
  };
}

/** A move in words: "Running → Failed", "Failed" when there was nothing before, "Running → none". */
export function moveInWords(from: string | null, to: string | null): string {
  return from === null ? (to ?? "none") : `${from} → ${to ?? "none"}`;
}

function stateOf(event: Envelope, phaseCondition: string | undefined): string {
  const moved = event.data.transitions.phase;
  const name = phaseCondition === undefined ? "" : `${phaseCondition} `;
  const op = opOf(event);
  switch (op) {
    case "created":
      return moved ? `created, ${name}${moveInWords(null, moved.to)}` : "created";
    case "updated":
      return moved ? `${name}${moveInWords(moved.from, moved.to)}` : "changed";
    case "deleted":
      return "deleted";
    case "existing":
      return event.phase ? `found, ${event.phase}` : "found";
    case "unselected":
      return "no longer selected";
    default:
      return op satisfies never;
  }
}

function phaseOf(event: Envelope): PhaseSummary | null {
  const moved = event.data.transitions.phase;
  if (moved) return { type: "moved", from: moved.from, to: moved.to, heldSeconds: moved.heldSeconds };
  if (event.phase === undefined || event.phasesince === undefined) return null;
  return { type: "holds", name: event.phase, since: event.phasesince };
}

/** A phase that is a condition's status ("True → False") says nothing without the condition's name. */
function conditionThatIsThePhase(change: Change, conditions: readonly ConditionSummary[]): string | undefined {
  const moved = change.transitions.phase;
  if (!moved || valueAt(change.object, ["status", "phase"]) === moved.to) return undefined;
  return conditions.find(({ from, to }) => from === moved.from && to === moved.to)?.type;
}

/** What the object says about itself, if it did not say so before and no condition that moved says the same. */
function newMessage(
  event: Envelope,
  operations: readonly ValueOperation[],
  conditions: readonly ConditionSummary[],
): string | null {
  const known = new Set(conditions.flatMap(({ reason, message }) => [reason, message]));
  const texts = ["reason", "message"].flatMap((key) => {
    const text = valueAt(event.data.object, ["status", key]);
    const isNew = opOf(event) === "created" || operations.some(({ path }) => path === `/status/${key}`);
    return isNew && typeof text === "string" && text !== "" && !known.has(text) ? [text] : [];
  });
  return texts.length > 0 ? texts.join(": ") : null;
}

/** Whether an operation is told by the phase, by a condition that moved, or by the object's message. */
function toldElsewhere(event: Envelope): (operation: ValueOperation) => boolean {
  const { transitions, object } = event.data;
  const moved = transitions.conditions ?? {};
  const isTold = (condition: Json | undefined) => {
    const type = valueAt(condition, ["type"]);
    return typeof type === "string" && Object.hasOwn(moved, type);
  };
  return (operation) => {
    const [part, key, position, ...deeper] = segmentsOf(operation);
    if (part !== "status") return false;
    if (position === undefined && transitions.phase && isMove(operation, transitions.phase)) return true;
    if (key === "message" || key === "reason") {
      return operation.op !== "remove" && typeof operation.value === "string" && operation.value !== "";
    }
    if (key !== "conditions") return false;
    const value = operation.op === "remove" ? operation.oldValue : operation.value;
    if (position === undefined) return Array.isArray(value) && value.every(isTold);
    if (deeper.length === 0) return isTold(value);
    return isTold(valueAt(object, ["status", "conditions", position]));
  };
}

/** The phase need not stand in `status.phase`: what moves as it does is the phase, or says the same. */
function isMove(
  operation: ValueOperation,
  moved: { readonly from: string | null; readonly to: string | null },
): boolean {
  const from = operation.op === "add" ? null : operation.oldValue;
  const to = operation.op === "remove" ? null : operation.value;
  return from === moved.from && to === moved.to;
}
