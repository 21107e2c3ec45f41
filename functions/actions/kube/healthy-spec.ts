/**
 * The last spec under which an object was healthy, from its events in the log, and the patch that restores it. Healthy *under a spec* is more
 * than healthy: right after an edit the status is still that of the spec before. So the object must have said that it is about this spec
 * (observedGeneration), or where it never does, its status must have changed to healthy, or while healthy, after the spec.
 */
import { hash } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import { isRedacted } from "#contract";
import { type Envelope, type Json, type KubeObject, opOf, PermanentError, valueAt } from "#kit";

/** When an object is healthy, for settings: all that is named must hold. */
export const Healthy = z
  .strictObject({
    /** In one of these phases. */
    phases: z.array(z.string().min(1)).min(1).optional(),
    /** This condition is True. */
    condition: z.string().min(1).optional(),
  })
  .refine(({ phases, condition }) => (phases ?? condition) !== undefined, {
    error: "say when the object is healthy: phases: [Running], condition: Ready, or both",
  });
export type Healthy = z.infer<typeof Healthy>;

/** A spec that worked. */
export interface HealthySpec {
  readonly spec: Json;
  readonly eventId: string;
  /** RFC 3339. */
  readonly time: string;
}

/** 64 bits, among the few specs of one object. */
const HASH_DIGITS = 16;

/** Whether the object is healthy in that phase; a phase that is not known counts as none of them. */
export function isHealthy(object: KubeObject, phase: string | undefined, { phases, condition }: Healthy): boolean {
  if (phases !== undefined && (phase === undefined || !phases.includes(phase))) return false;
  if (condition === undefined) return true;
  const conditions = valueAt(object, ["status", "conditions"]);
  return (
    Array.isArray(conditions) &&
    conditions.some((each) => valueAt(each, ["type"]) === condition && valueAt(each, ["status"]) === "True")
  );
}

/** The newest spec that worked and is not among these; `undefined` when the log has none any more. */
export async function lastHealthySpec(
  history: AsyncIterable<Envelope>,
  healthy: Healthy,
  badHashes: readonly string[],
): Promise<HealthySpec | undefined> {
  let found: HealthySpec | undefined;
  for await (const event of history) {
    const spec = event.data.object["spec"] as Json | undefined;
    if (spec === undefined || !isProven(event, healthy) || badHashes.includes(specHash(spec))) continue;
    found = { spec, eventId: event.id, time: event.time };
  }
  return found;
}

/** Names a spec, whatever the order of its keys. */
export function specHash(spec: Json): string {
  return hash("sha256", JSON.stringify(spec, sorted), "hex").slice(0, HASH_DIGITS);
}

/** The JSON merge patch from one spec to the other. Throws PermanentError where the log has no value, because it was redacted. */
export function restoringPatch(now: Json, then: Json, path = "spec"): Json {
  if (!isMap(now) || !isMap(then)) return readable(then, path);
  const patch: { [key: string]: Json } = {};
  for (const key of new Set([...Object.keys(now), ...Object.keys(then)])) {
    const [from, to] = [now[key], then[key]];
    if (isDeepStrictEqual(from, to)) continue;
    const below = `${path}.${key}`;
    patch[key] = to === undefined ? null : from === undefined ? readable(to, below) : restoringPatch(from, to, below);
  }
  return patch;
}

/** The paths that a merge patch writes. */
export function patchedPaths(patch: Json, path = "spec"): string[] {
  if (!isMap(patch) || Object.keys(patch).length === 0) return [path];
  return Object.entries(patch).flatMap(([key, value]) => patchedPaths(value, `${path}.${key}`));
}

function isProven(event: Envelope, healthy: Healthy): boolean {
  const { object, reconciliation } = event.data;
  if (event.terminating || !isHealthy(object, event.phase, healthy)) return false;
  if (reconciliation !== undefined) return reconciliation.observedGeneration >= reconciliation.generation;
  if (opOf(event) !== "updated") return opOf(event) !== "deleted";
  const changed = event.changed?.split(",") ?? [];
  return changed.includes("status") && !changed.includes("spec");
}

/** What is not a mark anywhere. */
function readable(value: Json, path: string): Json {
  if (isRedacted(value))
    throw new PermanentError(`${path} is redacted in the log, so nobody knows what to restore: restore it by hand`);
  if (Array.isArray(value)) for (const [index, each] of value.entries()) readable(each, `${path}[${index}]`);
  else if (isMap(value)) for (const [key, each] of Object.entries(value)) readable(each, `${path}.${key}`);
  return value;
}

function sorted(_: string, value: Json): Json {
  if (!isMap(value)) return value;
  return Object.fromEntries(Object.entries(value).toSorted(([one], [other]) => (one < other ? -1 : 1)));
}

function isMap(value: Json | undefined): value is { [key: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
