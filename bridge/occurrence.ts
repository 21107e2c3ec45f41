/**
 * Decides what a watch event means, given what the log knows of the object: created, updated, deleted, seen for the first time,
 * or nothing new. Pure, and the only place that decides it, so that resuming, listing again and starting over all agree.
 */
import type { Op } from "./change.ts";
import { epochOf, versionIn } from "./epoch.ts";
import { compareResourceVersions, type KubeObject } from "./kube-object.ts";
import type { KnownObject } from "./store.ts";

/**
 * What the reflector saw of an object: `initial` is an object in a list, `absent` is one that the list did not have. `epoch` says
 * which life of etcd its version is of; default 1.
 */
export type Sighting = { readonly epoch?: number } & (
  | { readonly type: "added" | "modified" | "deleted"; readonly object: KubeObject }
  /** `firstSight`: this watch has never been complete, so unknown objects were there before us. */
  | {
      readonly type: "initial";
      readonly object: KubeObject;
      readonly firstSight: boolean;
      /** The log has lost events: it may have known the object. Default false. */
      readonly afterLoss?: boolean;
    }
  /** `resourceVersion` is the list's. */
  | { readonly type: "absent"; readonly uid: string; readonly resourceVersion: string }
);

/** The version of the object, or of the list that did not have it, in the form that orders across epochs. */
export function versionOf(sighting: Sighting): string {
  const { epoch = 1 } = sighting;
  return versionIn(
    epoch,
    sighting.type === "absent" ? sighting.resourceVersion : sighting.object.metadata.resourceVersion,
  );
}

/** The next event to publish. `gone`: the known object vanished unseen, and its last state is to be published as deleted. */
export interface Decision {
  readonly op: Exclude<Op, "unselected"> | "gone";
  readonly gap: boolean;
}

/**
 * The next event that a sighting calls for; `undefined` when the log already has it. Ask again after publishing: an object that
 * was deleted and created again under its name is a deletion and then a creation.
 */
export function decide(known: KnownObject | undefined, sighting: Sighting): Decision | undefined {
  if (sighting.type === "absent") {
    return known === undefined || known.deleted || known.uid !== sighting.uid ? undefined : { op: "gone", gap: true };
  }
  const { metadata } = sighting.object;
  if (known === undefined) return firstEvent(sighting);
  const age = compareResourceVersions(versionOf(sighting), known.resourceVersion);
  if (known.uid !== metadata.uid) {
    // Resuming replays the past: an earlier object of this name is nothing new.
    if (age < 0) return undefined;
    if (!known.deleted) return { op: "gone", gap: true };
    return { op: sighting.type === "deleted" ? "deleted" : "created", gap: sighting.type !== "added" };
  }
  // The dead do not come back, but in an etcd that was restored from before their death they never died.
  const isRevived = known.deleted && epochOf(versionOf(sighting)) > epochOf(known.resourceVersion);
  if (isRevived && sighting.type !== "deleted") return { op: "created", gap: true };
  if (known.deleted || age < 0) return undefined;
  if (sighting.type === "deleted") return { op: "deleted", gap: false };
  if (age === 0) return undefined;
  return { op: "updated", gap: sighting.type === "initial" };
}

/** An object the log has never heard of. A live "modified" of one means that its history is missing: it is not called created. */
function firstEvent(sighting: Exclude<Sighting, { type: "absent" }>): Decision {
  switch (sighting.type) {
    case "initial":
      return sighting.firstSight ? { op: "existing", gap: sighting.afterLoss === true } : { op: "created", gap: true };
    case "added":
      return { op: "created", gap: false };
    case "modified":
      return { op: "existing", gap: true };
    case "deleted":
      return { op: "deleted", gap: true };
    default:
      return sighting satisfies never;
  }
}
