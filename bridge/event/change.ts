/**
 * What happened to one object, and exactly what is different: the `data` of every event. This file is the schema; `diff.ts` and
 * `transitions.ts` compute it. The state before is never sent: it is the object with the patch undone.
 */
import { z } from "zod";
import { type Json, KubeObject } from "../kube/kube-object.ts";
import { PatchOperation, undoPatch } from "./patch.ts";

/** What happened. `existing` is the first sight of an object that was already there; `unselected` left its watch's selection. */
export const Op = z.enum(["created", "updated", "deleted", "existing", "unselected"]);
export type Op = z.infer<typeof Op>;

/** From one phase to another; `null` means that there was none. `heldSeconds` is how long `from` had held, if known. */
export const PhaseTransition = z.object({
  from: z.string().nullable(),
  to: z.string().nullable(),
  heldSeconds: z.int().nonnegative().nullable(),
});
export type PhaseTransition = z.infer<typeof PhaseTransition>;

/** A condition whose status changed, with the reason and message it has now. */
export const ConditionTransition = PhaseTransition.extend({
  reason: z.string().nullable(),
  message: z.string().nullable(),
});
export type ConditionTransition = z.infer<typeof ConditionTransition>;

/** Its deletion has begun, and waits until nobody holds it any more. */
export const Terminating = z.object({
  since: z.string(),
  /** Who holds it. */
  finalizers: z.array(z.string()),
});
export type Terminating = z.infer<typeof Terminating>;

/** Which generation of the spec the status is about; a lower `observedGeneration` means that the controller is behind. */
export const Reconciliation = z.object({ generation: z.int(), observedGeneration: z.int() });
export type Reconciliation = z.infer<typeof Reconciliation>;

/** The field manager that made the change: the name of a client, not of a person. */
export const Actor = z.object({
  manager: z.string(),
  operation: z.string(),
  subresource: z.string(),
  time: z.string(),
});
export type Actor = z.infer<typeof Actor>;

/** The `data` of an event. */
export const Change = z.object({
  /** The object after the change, for a deletion its last known state; without `metadata.managedFields`. */
  object: KubeObject,
  /** Only of `updated`: RFC 6902 operations from before to after. */
  patch: z.array(PatchOperation).optional(),
  transitions: z.object({
    phase: PhaseTransition.optional(),
    conditions: z.record(z.string(), ConditionTransition).optional(),
    terminating: Terminating.optional(),
  }),
  reconciliation: Reconciliation.optional(),
  /** `null` when it cannot be told. */
  actor: Actor.nullable(),
  /** True when states between before and after may be missing. */
  gap: z.boolean(),
});
export type Change = z.infer<typeof Change>;

/** A fact that one of these parts changed; everything outside metadata and status counts as spec. */
export type Part = "metadata" | "spec" | "status";

/** The object before the change: `null` when there was none (created) or none is told (existing). */
export function beforeOf(op: Op, change: Change): KubeObject | null {
  switch (op) {
    case "created":
    case "existing":
      return null;
    case "deleted":
    case "unselected":
      return change.object;
    case "updated":
      return undoPatch(change.object as Json, change.patch ?? []) as KubeObject;
    default:
      return op satisfies never;
  }
}
