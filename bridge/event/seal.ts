/**
 * Turns two states of an object into the event about it: diff, transitions and actor become the change, the change becomes a
 * CloudEvent, checked by the CloudEvents SDK, and the facts in it become the subject. Pure: the same states give the same bytes,
 * so that a retry publishes what was refused, not something new.
 */
import { CloudEvent } from "cloudevents";
import type { Json, KubeObject } from "../kube/kube-object.ts";
import type { LiveShape } from "../kube/list-shape.ts";
import { epochOf, resourceVersionOf, sequenceOf } from "../log/epoch.ts";
import { eventSubject, objectSubject } from "../log/subject.ts";
import { eventTrace, toTraceparent } from "../trace/trace-context.ts";
import { actorOf } from "./actor.ts";
import type { Actor, Change, Op, Part } from "./change.ts";
import { diff } from "./diff.ts";
import { DATA_SCHEMA, type Envelope, isTimestamp, TYPE_PREFIX } from "./envelope.ts";
import { parsePointer } from "./field-path.ts";
import { type PatchOperation, valueOperations } from "./patch.ts";
import { NO_PATHS, type PathSet, reaches } from "./path-set.ts";
import type { Redaction } from "./redaction.ts";
import {
  conditionTransitions,
  type PastPhase,
  type Phase,
  type PhaseSource,
  phaseOf,
  phaseThen,
  phaseTransition,
  reconciliationOf,
  terminatingTransition,
} from "./transitions.ts";

/** What the events of one watch have in common. */
export interface SealContext {
  readonly cluster: string;
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly phase: PhaseSource;
  readonly ignored: PathSet;
  readonly only?: PathSet;
  /** Paths whose changes are more severe. */
  readonly critical?: PathSet;
  readonly redaction?: Pick<Redaction, "isSame">;
  /** Which lists are compared by keys, as sets or as a whole; it follows the kind's schema. */
  readonly shape?: LiveShape;
  /** The sets of attributes that the SDK has checked of this watch. Left out: each event is checked. */
  readonly checked?: Set<string>;
}

/** A published state of an object: what the next difference starts from. */
export interface ObservedState {
  readonly object: KubeObject;
  readonly phase: Phase | undefined;
}

/** What happened to one object. `object` still has its managedFields; `before` is the state last published. */
export interface Occurrence {
  readonly op: Op;
  readonly object: KubeObject;
  readonly before: ObservedState | undefined;
  /** The object's, or the list's that did not have it; in the form that orders across epochs. */
  readonly resourceVersion: string;
  readonly gap: boolean;
  /** When it was seen, in epoch milliseconds. */
  readonly seenAtMs: number;
}

/** An event ready to be published, and the state it leaves behind. */
export interface SealedEvent {
  readonly id: string;
  readonly subject: string;
  readonly payload: string;
  readonly op: Op;
  readonly changed: readonly Part[];
  readonly gap: boolean;
  /** What the payload says. */
  readonly envelope: Envelope;
  /** As in the occurrence. */
  readonly resourceVersion: string;
  readonly after: ObservedState;
}

/** OpenTelemetry maps a critical syslog message to ERROR2, number 18. */
const CRITICAL = { severitytext: "CRITICAL", severitynumber: 18 } as const;
/** The order of the parts in the attribute `changed`. */
const PARTS: readonly Part[] = ["metadata", "spec", "status"];

/** Makes the event, or `undefined` when an update changed nothing that is not ignored. `isSampled`: whether its trace is recorded; default none. */
export function seal(
  context: SealContext,
  occurrence: Occurrence,
  isSampled: (traceId: string) => boolean = () => false,
): SealedEvent | undefined {
  const { op, before } = occurrence;
  const object = withoutManagedFields(occurrence.object);
  const patch = op === "updated" ? patchOf(before, object, context) : undefined;
  const reconciliation = reconciliationOf(object);
  if (patch?.length === 0) return undefined;
  const seenAt = new Date(occurrence.seenAtMs).toISOString();
  const actor = op === "updated" || op === "created" ? actorOf(occurrence.object, patch) : null;
  const told = timeOf(occurrence, actor);
  const time = told !== undefined && isTimestamp(told) ? told : seenAt;
  const keepsState = op === "deleted" || op === "unselected";
  const phaseBefore = before && phaseThen(before.object, context.phase, before.phase);
  const phase = phaseOf(keepsState && before ? before.object : object, context.phase, phaseBefore, time);
  const change: Change = {
    object,
    ...(patch && { patch }),
    transitions: transitionsOf(occurrence, object, phaseBefore, phase, time),
    ...(reconciliation && { reconciliation }),
    actor,
    gap: occurrence.gap,
  };
  const changed = changedParts(op, object, patch);
  const object6 = objectSubject({ ...context, namespace: object.metadata.namespace ?? "", name: object.metadata.name });
  const id = eventId(op, object, occurrence.resourceVersion);
  const envelope: Envelope = {
    specversion: "1.0",
    id,
    source: `/clusters/${context.cluster}`,
    type: `${TYPE_PREFIX}${op}`,
    subject: subjectPath(context, object),
    time,
    recordedtime: seenAt,
    datacontenttype: "application/json",
    dataschema: DATA_SCHEMA,
    apiversion: object.apiVersion,
    kind: object.kind,
    name: object.metadata.name,
    ...(object.metadata.namespace && { namespace: object.metadata.namespace }),
    cluster: context.cluster,
    ...(changed.length > 0 && { changed: changed.join(",") }),
    ...(phase && { phase: phase.name, phasesince: phase.since }),
    ...(change.transitions.phase?.from != null && { phasefrom: change.transitions.phase.from }),
    ...(actor && { manager: actor.manager }),
    ...(op !== "deleted" && object.metadata.deletionTimestamp && { terminating: true as const }),
    ...(isCritical(patch, context.critical) && CRITICAL),
    partitionkey: object6,
    sequence: sequenceOf(occurrence.resourceVersion),
    traceparent: toTraceparent(eventTrace(id, isSampled)), // a retry belongs to the same trace
    data: change,
  };
  const subject = eventSubject(object6, {
    op,
    spec: changed.includes("spec"),
    status: changed.includes("status"),
    phase: op === "created" || op === "updated" ? (change.transitions.phase?.to ?? undefined) : undefined,
  });
  const { resourceVersion } = occurrence;
  const payload = toStructuredJson(envelope, context.checked);
  const after = { object, phase };
  return { id, subject, payload, op, changed, gap: occurrence.gap, envelope, resourceVersion, after };
}

/** `<uid>.<resourceVersion>`, one that left with `.unselected`; one id for a deletion however often it is seen; later epochs with `.e<n>`. */
export function eventId(op: Op, object: KubeObject, version: string): string {
  const epoch = epochOf(version);
  const what = op === "deleted" ? op : `${resourceVersionOf(version)}${op === "unselected" ? `.${op}` : ""}`;
  return `${object.metadata.uid}.${what}${epoch === 1 ? "" : `.e${epoch}`}`;
}

function patchOf(before: ObservedState | undefined, object: KubeObject, context: SealContext): PatchOperation[] {
  if (before === undefined)
    throw new Error("an update needs the state before it; without one it is a creation or a first sight");
  const { ignored, only, shape, redaction } = context;
  return diff(before.object as Json, object as Json, {
    ignored,
    only,
    shape: shape?.current,
    isSame: redaction?.isSame,
  });
}

function isCritical(patch: readonly PatchOperation[] = [], critical: PathSet = NO_PATHS): boolean {
  if (critical === NO_PATHS) return false;
  return valueOperations(patch).some((operation) => {
    const segments = parsePointer(operation.path);
    const values = [
      ...("value" in operation ? [operation.value] : []),
      ...("oldValue" in operation ? [operation.oldValue] : []),
    ];
    return values.some((value) => reaches(critical, segments, value));
  });
}

function transitionsOf(
  occurrence: Occurrence,
  object: KubeObject,
  phaseBefore: PastPhase | undefined,
  phase: Phase | undefined,
  at: string,
): Change["transitions"] {
  const { op, before } = occurrence;
  if (op !== "created" && op !== "updated") return {};
  const phaseMoved = phaseTransition(phaseBefore, phase, at);
  const conditions = conditionTransitions(before?.object ?? null, object, at);
  const terminating = op === "updated" && terminatingTransition(before?.object ?? null, object);
  return {
    ...(phaseMoved && { phase: phaseMoved }),
    ...(conditions && { conditions }),
    ...(terminating && { terminating }),
  };
}

/** An update's parts are those in its patch, a creation's are those it has; anything outside metadata and status is spec. */
function changedParts(op: Op, object: KubeObject, patch: readonly PatchOperation[] | undefined): Part[] {
  if (op !== "created" && op !== "updated") return [];
  const keys = patch
    ? valueOperations(patch).map((operation) => operation.path.split("/")[1] ?? "")
    : Object.keys(object);
  const found = new Set<Part>();
  for (const key of keys) {
    if (key === "apiVersion" || key === "kind") continue;
    found.add(key === "metadata" || key === "status" ? key : "spec");
  }
  return PARTS.filter((part) => found.has(part));
}

/** When the object itself tells when this happened; it has whole seconds only, which is why `recordedtime` exists. */
function timeOf(occurrence: Occurrence, actor: Actor | null): string | undefined {
  const { metadata } = occurrence.object;
  switch (occurrence.op) {
    case "created":
      return metadata.creationTimestamp ?? undefined;
    case "updated":
      return actor?.time;
    case "deleted":
      return metadata.deletionTimestamp ?? undefined;
    case "existing":
    case "unselected":
      return undefined;
    default:
      return occurrence.op satisfies never;
  }
}

/** The object's API path, as Knative's ApiServerSource writes it in `subject`. */
function subjectPath(context: SealContext, object: KubeObject): string {
  const root = context.group === "" ? `/apis/${context.version}` : `/apis/${context.group}/${context.version}`;
  const scope = object.metadata.namespace ? `/namespaces/${object.metadata.namespace}` : "";
  return `${root}${scope}/${context.plural}/${object.metadata.name}`;
}

/**
 * The SDK checks attribute names and values (strict mode) on the attributes alone: it would copy the data. What it can find is the same for all
 * events of a watch that have the same attributes, so it is asked once about each set of them: asked each time, it took a sixth of all.
 */
function toStructuredJson(envelope: Envelope, checked: Set<string> | undefined): string {
  const names = Object.keys(envelope).join();
  if (checked?.has(names) !== true) {
    const { data: _, ...attributes } = envelope;
    new CloudEvent(attributes, true);
    checked?.add(names);
  }
  return JSON.stringify(envelope);
}

function withoutManagedFields(object: KubeObject): KubeObject {
  if (object.metadata.managedFields === undefined) return object;
  const { managedFields: _, ...metadata } = object.metadata;
  return { ...object, metadata } as KubeObject;
}
