/**
 * The object as it was at a point of its timeline, and what is different between two: what is known, and what the log cannot tell any more.
 */

import { stringify } from "yaml";
import { beforeOf, diff, type Json, type KubeObject, opOf, type PatchOperation } from "#contract";
import { plain } from "../change-text.ts";
import type { Point } from "../point.ts";
import { type Entry, ObjectError } from "./timeline.ts";

/** What is known of a point. `absent`: there was no object. `doubt` says what may be wrong about it. */
export type State =
  | { readonly type: "there"; readonly object: KubeObject; readonly title: string; readonly doubt: string | undefined }
  | { readonly type: "absent"; readonly reason: string };

/** Throws ObjectError for a point that is not on the timeline. */
export function stateAt(entries: readonly Entry[], point: Point): State {
  if (point.type === "time") return stateAtTime(entries, point.ms);
  const entry = entryAt(entries, point);
  if (opOf(entry.envelope) === "deleted") return deleted(entry);
  return { type: "there", object: objectOf(entry), title: titleOf(entry), doubt: undefined };
}

function entryAt(entries: readonly Entry[], point: Exclude<Point, { type: "time" }>): Entry {
  const found =
    point.type === "place"
      ? entries.at(-point.fromEnd)
      : entries.find(({ sequence, envelope }) =>
          point.type === "id" ? envelope.id === point.id : sequence === point.sequence,
        );
  if (found !== undefined) return found;
  const [first, last] = [entries[0]?.sequence, entries.at(-1)?.sequence];
  const what = point.type === "place" ? `-${point.fromEnd}` : point.type === "id" ? point.id : `#${point.sequence}`;
  throw new ObjectError(
    `${what} is no event of this object: the log has ${entries.length} of it, #${first} to #${last}`,
  );
}

function stateAtTime(entries: readonly Entry[], ms: number): State {
  const index = entries.findLastIndex((entry) => knownFromMs(entry) <= ms);
  const [entry, next] = [entries[index], entries[index + 1]];
  if (entry === undefined)
    return next === undefined ? { type: "absent", reason: "nothing is known" } : stateBefore(next);
  const doubt =
    next?.isAfterHole || next?.envelope.data.gap
      ? `what happened between #${entry.sequence} and #${next.sequence} is not all in the log: it may have been another one by then`
      : undefined;
  if (opOf(entry.envelope) === "deleted") return deleted(entry, doubt);
  return { type: "there", object: objectOf(entry), title: titleOf(entry), doubt };
}

/** From when on its state is known: of a first sight, whose time is the object's birth, from when it was seen. */
function knownFromMs({ envelope }: Entry): number {
  return Date.parse(opOf(envelope) === "existing" ? envelope.recordedtime : envelope.time);
}

/** Before the first event that the log has. */
function stateBefore({ envelope, sequence, isAfterHole }: Entry): State {
  const op = opOf(envelope);
  if (op === "created" && !isAfterHole)
    return { type: "absent", reason: `it was created at ${envelope.time} (#${sequence})` };
  const before = op === "created" ? null : beforeOf(op, envelope.data);
  if (before === null)
    return {
      type: "absent",
      reason: `nothing is known of before ${envelope.time} (#${sequence}): ${op === "existing" ? "it was there when the bridge first saw it" : "the log has lost the events before"}`,
    };
  const doubt = `the log begins later: this is how it was right before #${sequence}, and since when is not known`;
  return { type: "there", object: before, title: `before #${sequence}  ${envelope.time}`, doubt };
}

function deleted({ envelope, sequence }: Entry, doubt?: string): State {
  return { type: "absent", reason: `it was deleted at ${envelope.time} (#${sequence})${doubt ? `; ${doubt}` : ""}` };
}

function objectOf({ envelope }: Entry): KubeObject {
  return envelope.data.object;
}

function titleOf({ sequence, envelope }: Entry): string {
  return `#${sequence}  ${envelope.time}`;
}

/** As a manifest is written; no control character gets through that would drive a terminal. */
export function yamlOf(value: unknown): string {
  return stringify(value, { lineWidth: 0, aliasDuplicateObjects: false }).trimEnd().split("\n").map(plain).join("\n");
}

/** From one object to another, apart from what every write changes; an object that is not there is nothing. */
export function differenceOf(from: KubeObject | undefined, to: KubeObject | undefined): readonly PatchOperation[] {
  return diff(lasting(from) ?? {}, lasting(to) ?? {});
}

/** Without what every write changes. */
export function lasting(object: KubeObject | undefined): Json | undefined {
  if (object === undefined) return undefined;
  const {
    resourceVersion: _,
    generation: __,
    managedFields: ___,
    ...metadata
  } = object.metadata as Record<string, Json>;
  return { ...object, metadata } as Json;
}
