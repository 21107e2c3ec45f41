/**
 * The facts people subscribe to, told once by the bridge instead of guessed by every reader: which phase the object is in, since
 * when, and which conditions changed their status.
 * Source: Kubernetes API conventions, "Typical status properties" (conditions are a list keyed by `type`).
 */
import type { KubeObject } from "../kube/kube-object.ts";
import type { Change, ConditionTransition, PhaseTransition, Reconciliation, Terminating } from "./change.ts";
import { isTimestamp } from "./envelope.ts";
import { parseFieldPath, type Segments, valueAt } from "./field-path.ts";

/** Where the phase of an object stands: a path, or the status of one of its conditions. */
export type PhaseSource =
  | { readonly type: "path"; readonly segments: Segments }
  | { readonly type: "condition"; readonly condition: string };

/** The phase an object is in, and since when (RFC 3339). */
export interface Phase {
  readonly name: string;
  readonly since: string;
}

/** The phase of an earlier state; `since` is `undefined` when nobody has told it. */
export interface PastPhase {
  readonly name: string;
  readonly since: string | undefined;
}

const CONDITION_PREFIX = "condition:";

const OBSERVED_GENERATION = ["status", "observedGeneration"];
const CONDITIONS = ["status", "conditions"];

/** One entry of `status.conditions`, as far as we read it. */
interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string | null;
  readonly message?: string | null;
  readonly lastTransitionTime?: string | null;
}

/** Reads `status.phase` (any path) or `condition:Ready`. Throws an Error that names the two forms. */
export function parsePhaseSource(text: string): PhaseSource {
  if (!text.startsWith(CONDITION_PREFIX)) return { type: "path", segments: parseFieldPath(text) };
  const condition = text.slice(CONDITION_PREFIX.length);
  if (condition === "")
    throw new Error('phase "condition:" names no condition; write it as condition:Ready, or as a path: status.phase');
  return { type: "condition", condition };
}

/**
 * The phase the object is in, or `undefined` when it has none. It has held since the phase of the state before did when that
 * was the same one, and else since `at`, the time of this change.
 */
export function phaseOf(
  object: KubeObject,
  source: PhaseSource,
  before: PastPhase | undefined,
  at: string,
): Phase | undefined {
  switch (source.type) {
    case "path": {
      const value = valueAt(object, source.segments);
      if (value === undefined || value === null || value === "" || typeof value === "object") return undefined;
      const name = String(value);
      return { name, since: (before?.name === name ? before.since : undefined) ?? at };
    }
    case "condition": {
      const condition = conditionsOf(object).get(source.condition);
      if (condition === undefined) return undefined;
      const told = before?.name === condition.status ? before.since : undefined;
      const written = condition.lastTransitionTime ?? "";
      const since = isTimestamp(written) ? written : (told ?? at);
      return { name: condition.status, since };
    }
    default:
      return source satisfies never;
  }
}

/**
 * The phase of a published state, read as today: its event may have been made when the configuration had another path, and then
 * what it says of a phase counts for nothing.
 */
export function phaseThen(object: KubeObject, source: PhaseSource, told: Phase | undefined): PastPhase | undefined {
  const read = phaseOf(object, source, told, "");
  return read && { name: read.name, since: read.since || undefined };
}

/** The transition from one phase to another; `undefined` when the phase is the same. */
export function phaseTransition(
  before: PastPhase | undefined,
  after: Phase | undefined,
  at: string,
): PhaseTransition | undefined {
  if (before?.name === after?.name) return undefined;
  return {
    from: before?.name ?? null,
    to: after?.name ?? null,
    heldSeconds: secondsBetween(before?.since, after?.since ?? at),
  };
}

/** The first conditions of an object: type and status of each, which are cut at so many characters. */
export function conditionStatuses(
  object: KubeObject,
  conditionsMax: number,
  lengthMax: number,
): readonly (readonly [string, string])[] {
  const found: (readonly [string, string])[] = [];
  for (const { type, status } of conditionsOf(object).values()) {
    if (found.push([type.slice(0, lengthMax), status.slice(0, lengthMax)]) === conditionsMax) break;
  }
  return found;
}

/** The conditions whose status differs, by their type; `undefined` when none does. A condition that appears is from `null`. */
export function conditionTransitions(
  before: KubeObject | null,
  after: KubeObject,
  at: string,
): Change["transitions"]["conditions"] | undefined {
  const old = before === null ? new Map<string, Condition>() : conditionsOf(before);
  const now = conditionsOf(after);
  const found: [string, ConditionTransition][] = [];
  const compare = (type: string, was: Condition | undefined, is: Condition | undefined) => {
    if (was?.status === is?.status) return;
    const heldSeconds = secondsBetween(was?.lastTransitionTime, is?.lastTransitionTime ?? at);
    const { reason = null, message = null } = is ?? {};
    found.push([type, { from: was?.status ?? null, to: is?.status ?? null, reason, message, heldSeconds }]);
  };
  for (const [type, was] of old) compare(type, was, now.get(type));
  for (const [type, is] of now) if (!old.has(type)) compare(type, undefined, is);
  return found.length === 0 ? undefined : Object.fromEntries(found);
}

/** The object's deletion, when it has begun with this change. */
export function terminatingTransition(before: KubeObject | null, after: KubeObject): Terminating | undefined {
  const since = after.metadata.deletionTimestamp;
  if (!since || before?.metadata.deletionTimestamp) return undefined;
  const { finalizers } = after.metadata;
  const names = Array.isArray(finalizers) ? finalizers.filter((name) => typeof name === "string") : [];
  return { since, finalizers: names };
}

/** How far the controller is, as its status says; `undefined` when it does not say. */
export function reconciliationOf(object: KubeObject): Reconciliation | undefined {
  const { generation } = object.metadata;
  const told = valueAt(object, OBSERVED_GENERATION);
  const observedGeneration = typeof told === "string" ? Number(told) : told; // Argo Rollouts writes it as text
  if (!Number.isSafeInteger(generation) || !Number.isSafeInteger(observedGeneration)) return undefined;
  return { generation, observedGeneration } as Reconciliation;
}

function conditionsOf(object: KubeObject): Map<string, Condition> {
  const list = valueAt(object, CONDITIONS);
  const conditions = new Map<string, Condition>();
  if (!Array.isArray(list)) return conditions;
  for (const entry of list) if (isCondition(entry)) conditions.set(entry.type, entry);
  return conditions;
}

/** Checked by hand: this is asked of every event, several times. */
function isCondition(entry: unknown): entry is Condition {
  if (entry === null || typeof entry !== "object") return false;
  const { type, status, reason, message, lastTransitionTime } = entry as Readonly<Record<string, unknown>>;
  if (typeof type !== "string" || typeof status !== "string") return false;
  return isText(reason) && isText(message) && isText(lastTransitionTime);
}

function isText(value: unknown): boolean {
  return typeof value === "string" || value === undefined || value === null;
}

/** Whole seconds from one RFC 3339 time to another, never negative; `null` when either cannot be read. */
function secondsBetween(from: string | null | undefined, to: string | null | undefined): number | null {
  const seconds = Math.floor((Date.parse(to ?? "") - Date.parse(from ?? "")) / 1000);
  return Number.isNaN(seconds) ? null : Math.max(0, seconds);
}
