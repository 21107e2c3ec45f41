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
import { type Attributes, DATA_SCHEMA, type Envelope, isTimestamp, TYPE_PREFIX } from "./envelope.ts";
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
  /** The attributes that the SDK has checked in events of this watch. Left out: each event is checked. */
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

/** An object is nested deeper than JSON can be written: some thousand levels, where API servers take 10,000. There can be no event about it. */
export class TooDeepError extends Error {
  readonly code = "TOO_DEEP";
  override readonly name = "TooDeepError";
}

/**
 * Makes the event, or `undefined` when an update changed nothing that is not ignored. `isSampled`: whether its trace is recorded; default none.
 * Throws TooDeepError.
 */
export function seal(
  context: SealContext,
  occurrence: Occurrence,
  isSampled: (traceId: string) => boolean = () => false,
): SealedEvent | undefined {
  try {
    return sealed(context, occurrence, isSampled);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new TooDeepError("the object is nested too deeply to be written as JSON: there is no event about it", {
      cause: error,
    });
  }
}

function sealed(
  context: SealContext,
  occurrence: Occurrence,
  isSampled: (traceId: string) => boolean,
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
  const transitions = transitionsOf(occurrence, object, phaseBefore, phase, time);
  const { gap } = occurrence;
  const change: Change =
    patch === undefined ? { object, transitions, actor, gap } : { object, patch, transitions, actor, gap };
  if (reconciliation !== undefined) change.reconciliation = reconciliation;
  const changed = changedParts(op, object, patch);
  const { cluster, group, kind } = context;
  const { name, namespace, deletionTimestamp } = object.metadata;
  const object6 = objectSubject({ cluster, group, kind, namespace: namespace ?? "", name });
  const id = eventId(op, object, occurrence.resourceVersion);
  // By assignment: spreading what may be left out makes an object that takes three times as long to write.
  const attributes: Attributes = {
    specversion: "1.0",
    id,
    source: `/clusters/${cluster}`,
    type: `${TYPE_PREFIX}${op}`,
    subject: subjectPath(context, object),
    time,
    recordedtime: seenAt,
    datacontenttype: "application/json",
    dataschema: DATA_SCHEMA,
    apiversion: object.apiVersion,
    kind: object.kind,
    name,
    cluster,
    partitionkey: object6,
    sequence: sequenceOf(occurrence.resourceVersion),
    traceparent: toTraceparent(eventTrace(id, isSampled)), // a retry belongs to the same trace
  };
  if (namespace) attributes.namespace = namespace;
  if (changed.length > 0) attributes.changed = changed.join();
  if (phase !== undefined) {
    attributes.phase = phase.name;
    attributes.phasesince = phase.since;
  }
  if (transitions.phase?.from != null) attributes.phasefrom = transitions.phase.from;
  if (actor !== null) attributes.manager = actor.manager;
  if (op !== "deleted" && deletionTimestamp) attributes.terminating = true;
  if (isCritical(patch, context.critical)) Object.assign(attributes, CRITICAL);
  check(attributes, context.checked);
  const envelope = attributes as Envelope;
  envelope.data = change; // last: whoever reads the text comes upon the attributes first
  const subject = eventSubject(object6, {
    op,
    spec: changed.includes("spec"),
    status: changed.includes("status"),
    phase: op === "created" || op === "updated" ? (transitions.phase?.to ?? undefined) : undefined,
  });
  const { resourceVersion } = occurrence;
  const payload = JSON.stringify(envelope);
  const after = { object, phase };
  return { id, subject, payload, op, changed, gap, envelope, resourceVersion, after };
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
  const transitions: Change["transitions"] = {};
  const phaseMoved = phaseTransition(phaseBefore, phase, at);
  if (phaseMoved !== undefined) transitions.phase = phaseMoved;
  const conditions = conditionTransitions(before?.object ?? null, object, at);
  if (conditions !== undefined) transitions.conditions = conditions;
  const terminating = op === "updated" ? terminatingTransition(before?.object ?? null, object) : undefined;
  if (terminating !== undefined) transitions.terminating = terminating;
  return transitions;
}

/** An update's parts are those in its patch, a creation's are those it has; anything outside metadata and status is spec. */
function changedParts(op: Op, object: KubeObject, patch: readonly PatchOperation[] | undefined): Part[] {
  if (op !== "created" && op !== "updated") return [];
  const keys = patch ? valueOperations(patch).map(({ path }) => topOf(path)) : Object.keys(object);
  const parts = keys.map((key) => (key === "metadata" || key === "status" ? key : isHead(key) ? undefined : "spec"));
  return PARTS.filter((part) => parts.includes(part));
}

/** The first key of a JSON Pointer. */
function topOf(pointer: string): string {
  const end = pointer.indexOf("/", 1);
  return pointer.slice(1, end < 0 ? undefined : end);
}

function isHead(key: string): boolean {
  return key === "apiVersion" || key === "kind";
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
 * events of a watch that have an attribute, so it is asked once about each: asked each time, it took a sixth of all.
 */
function check(attributes: Attributes, checked: Set<string> | undefined): void {
  for (const name in attributes) {
    if (checked?.has(name)) continue;
    new CloudEvent(attributes, true);
    for (const each in attributes) checked?.add(each);
    return;
  }
}

function withoutManagedFields(object: KubeObject): KubeObject {
  if (object.metadata.managedFields === undefined) return object;
  const { managedFields: _, ...metadata } = object.metadata;
  return { ...object, metadata } as KubeObject;
}
