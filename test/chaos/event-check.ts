/**
 * What an event says about itself and about its predecessor: attributes and subject agree, versions go up, the patch undone gives the
 * state before, and something did change. It decodes the subject on its own, to be independent of what wrote it.
 */
import { beforeOf, type Op } from "../../bridge/event/change.ts";
import { type Envelope, opOf } from "../../bridge/event/envelope.ts";
import { encodePhase, partitionToken } from "../../bridge/log/subject.ts";
import type { SeenEvent, Violation, ViolationKind } from "./evidence.ts";
import { partsOf, stateDigest, stateText } from "./ledger.ts";

/** An event with what the checker asks of it. */
export interface Judged extends SeenEvent {
  readonly object: string;
  readonly op: Op;
  readonly id: string;
  readonly uid: string;
  /** Of the event: the object's, or for an inferred deletion the list's. */
  readonly resourceVersion: string;
  /** In the order across restores. */
  readonly version: bigint;
  readonly epoch: number;
  readonly gap: boolean;
  /** Of the object it carries. */
  readonly digest: string;
  readonly violation: (kind: ViolationKind, problem: string) => Violation;
}

/** Reads what the checker asks of an event. */
export function judged(event: SeenEvent): Judged {
  const { envelope, sequence } = event;
  const object = `${envelope.namespace}/${envelope.name}`;
  const version = BigInt(envelope.sequence);
  const { epoch, resourceVersion } = partsOf(version);
  return {
    ...event,
    object,
    op: opOf(envelope),
    id: envelope.id,
    uid: envelope.data.object.metadata.uid,
    resourceVersion,
    version,
    epoch,
    gap: envelope.data.gap,
    digest: stateDigest(envelope.data.object),
    violation: (kind, problem) => ({ kind, object, resourceVersion, sequence, problem }),
  };
}

/** Whether the event contradicts itself. */
export function eventProblems(event: Judged): Violation[] {
  const { envelope, op, uid, resourceVersion, epoch, subject } = event;
  const { metadata } = envelope.data.object;
  const tokens = subject.split(".");
  const parts = envelope.changed?.split(",") ?? [];
  const inEpoch = epoch === 1 ? "" : `.e${epoch}`;
  const phase = op === "created" || op === "updated" ? envelope.data.transitions.phase?.to : undefined;
  const expectations: readonly (readonly [what: string, found: string | undefined, expected: string | undefined])[] = [
    ["number of subject tokens", String(tokens.length), "11"],
    ["subject's cluster", decode(tokens[1]), envelope.cluster],
    ["subject's group", decode(tokens[2]), envelope.apiversion.split("/")[0]],
    ["subject's kind", decode(tokens[3]), envelope.kind],
    ["subject's namespace", decode(tokens[4]), envelope.namespace],
    ["subject's name", decode(tokens[5]), envelope.name],
    ["subject's operation", tokens[6], op],
    ["subject's spec token", tokens[7], parts.includes("spec") ? "spec" : "_"],
    ["subject's status token", tokens[8], parts.includes("status") ? "status" : "_"],
    ["subject's phase", tokens[9], phase == null ? "_" : encodePhase(phase)],
    ["subject's partition", tokens[10], partitionToken(tokens.slice(0, 6).join("."))],
    ["partition key", envelope.partitionkey, tokens.slice(0, 6).join(".")],
    ["message id", event.messageId, envelope.id],
    ["id", envelope.id, `${uid}.${op === "deleted" ? "deleted" : resourceVersion}${inEpoch}`],
    ["object's name", metadata.name, envelope.name],
    ["object's namespace", metadata.namespace, envelope.namespace],
    ["object's version", op === "deleted" ? resourceVersion : metadata.resourceVersion, resourceVersion],
  ];
  return expectations
    .filter(([, found, expected]) => found !== expected)
    .map(([what, found, expected]) => event.violation("wrong subject", `the ${what} is ${found}, not ${expected}`));
}

/** Whether the events of one name, in the order of the stream, follow from each other. */
export function chainProblems(events: readonly Judged[]): Violation[] {
  return events.flatMap((event, index) => {
    const previous = events[index - 1];
    return [...orderProblems(event, previous), ...stepProblems(event, previous)];
  });
}

function orderProblems(event: Judged, previous: Judged | undefined): Violation[] {
  if (previous === undefined) return [];
  const isSame = event.uid === previous.uid;
  const isOlder =
    isSame && event.op !== "deleted" ? event.version <= previous.version : event.version < previous.version;
  if (isOlder)
    return [event.violation("out of order", `it comes behind version ${versionText(previous)} (${previous.sequence})`)];
  // Where etcd was restored from before its death, an object lives again.
  const isRevived = event.epoch > previous.epoch && event.op === "created" && event.gap;
  if (isSame && previous.op === "deleted" && event.op !== "deleted" && !isRevived)
    return [event.violation("out of order", `it comes behind the object's deletion (sequence ${previous.sequence})`)];
  if (!isSame && previous.op !== "deleted")
    return [event.violation("lost", `the deletion of uid ${previous.uid} is missing before this event`)];
  return [];
}

const versionText = ({ resourceVersion, epoch }: Judged): string =>
  epoch === 1 ? resourceVersion : `${resourceVersion} of epoch ${epoch}`;

/** Whether the event's before is its predecessor's after, and differs from its own. */
function stepProblems(event: Judged, previous: Judged | undefined): Violation[] {
  const { op, envelope } = event;
  const base = previous?.uid === event.uid && previous.op !== "deleted" ? previous.envelope.data.object : undefined;
  switch (op) {
    case "created":
    case "existing":
      return base === undefined ? [] : [event.violation("false event", `${op} of an object that the log already has`)];
    case "unselected":
      return [event.violation("false event", "the watch has no selector that an object could leave")];
    case "deleted":
      if (base === undefined || stateText(base) === stateText(envelope.data.object)) return [];
      return [event.violation("wrong object", "the deleted object is not the one of the event before")];
    case "updated":
      break;
    default:
      return op satisfies never;
  }
  if (base === undefined) return [event.violation("wrong patch", "the log has no state that was updated")];
  const [before, after] = [stateText(base), stateText(envelope.data.object)];
  if (before === after) return [event.violation("false event", "nothing changed since the event before")];
  return [...patchProblems(event, before), ...changedProblems(event, base)];
}

function patchProblems(event: Judged, before: string): Violation[] {
  try {
    const undone = beforeOf("updated", event.envelope.data);
    if (undone !== null && stateText(undone) === before) return [];
    return [event.violation("wrong patch", "undone, it does not give the state of the event before")];
  } catch (error) {
    return [event.violation("wrong patch", `it cannot be undone: ${(error as Error).message}`)];
  }
}

/** The attribute `changed`, from the two states. */
function changedProblems(event: Judged, base: Envelope["data"]["object"]): Violation[] {
  const [before, after] = [topLevel(base), topLevel(event.envelope.data.object)];
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
  const differing = [...keys].filter((key) => JSON.stringify(before[key]) !== JSON.stringify(after[key]));
  const parts = new Set(differing.map((key) => (key === "metadata" || key === "status" ? key : "spec")));
  const expected = [...parts].toSorted().join(",");
  const found = event.envelope.changed ?? "";
  return found === expected
    ? []
    : [event.violation("wrong object", `changed is "${found}", and what differs is "${expected}"`)];
}

function topLevel(object: Envelope["data"]["object"]): Record<string, unknown> {
  return JSON.parse(stateText(object));
}

/** A subject token's text. */
function decode(token = ""): string {
  if (token === "=") return "";
  try {
    return decodeURIComponent(token.replaceAll("_", ".").replaceAll("=", "%"));
  } catch {
    return token;
  }
}
