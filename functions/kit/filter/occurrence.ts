/**
 * An event as filters look at it: what happened, the object, and what is computed at most once an event and only when a filter
 * asks for it — the object before, the attributes, and where the patch reaches.
 */
import { beforeOf, type Envelope, type KubeObject, type Op, opOf, valueOperations } from "#contract";

/** The CloudEvent's attributes, without its data. */
export type Attributes = Readonly<Record<string, string | number | boolean>>;

/** One event, looked at by one filter. */
export interface Occurrence {
  readonly event: Envelope;
  readonly op: Op;
  readonly object: KubeObject;
  /** It was created, or seen for the first time: every state it is in came from nothing. */
  readonly born: boolean;
  readonly updated: boolean;
  /** As `beforeOf`. Throws an Error when the patch does not fit the object. */
  before(): KubeObject | null;
  attributes(): Attributes;
  /** Whether an update's patch has a change at, above or below the place. Throws nothing. */
  reaches(pointer: string): boolean;
}

/** Looks at an event. */
export function occurrenceOf(event: Envelope): Occurrence {
  const op = opOf(event);
  const { object, patch = [] } = event.data;
  let before: KubeObject | null | undefined;
  let attributes: Attributes | undefined;
  let reached: readonly string[] | undefined;
  return {
    event,
    op,
    object,
    born: op === "created" || op === "existing",
    updated: op === "updated",
    before: () => (before ??= beforeOf(op, event.data)),
    attributes: () => (attributes ??= attributesOf(event)),
    reaches(pointer) {
      reached ??= valueOperations(patch).map(reachOf);
      return reached.some((reach) => isWithin(pointer, reach) || isWithin(reach, pointer));
    },
  };
}

/** An element that comes or goes moves its neighbours, so it reaches its whole list. */
function reachOf({ op, path }: ReturnType<typeof valueOperations>[number]): string {
  return op === "replace" ? path : path.replace(/\/(?:\d+|-)$/, "");
}

/** Whether a pointer is at another one or below it. */
function isWithin(pointer: string, other: string): boolean {
  return pointer.startsWith(other) && (pointer.length === other.length || pointer.charAt(other.length) === "/");
}

function attributesOf({ data: _, ...attributes }: Envelope): Attributes {
  const entries = Object.entries(attributes).filter(([, value]) => /^(?:string|number|boolean)$/.test(typeof value));
  return Object.fromEntries(entries) as Attributes;
}
