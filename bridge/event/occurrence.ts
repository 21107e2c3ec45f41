/**
 * Decides what a watch event means, given what the log knows of the object: created, updated, deleted, unselected, seen for
 * the first time, or nothing new. Pure, and the only place that decides it, so that resuming, listing again and starting over all agree.
 */
import { compareResourceVersions, type KubeObject } from "../kube/kube-object.ts";
import { epochOf, versionIn } from "../log/epoch.ts";
import type { KnownObject } from "../log/store.ts";
import type { Op } from "./change.ts";

/**
 * What the reflector saw of an object: `initial` is an object in a list, `absent` is one that the list did not have, `unselected` one that
 * left the selection. `epoch` says which life of etcd its version is of; default 1. `entered`: if it is unknown, it was there before, outside
 * the selection; default false.
 */
export type Sighting = { readonly epoch?: number } & (
  | {
      readonly type: "added" | "modified" | "deleted" | "unselected";
      readonly object: KubeObject;
      readonly entered?: boolean;
    }
  /** `firstSight`: this watch has never been complete, so unknown objects were there before us. */
  | {
      readonly type: "initial";
      readonly object: KubeObject;
      readonly firstSight: boolean;
      /** The log has lost events: it may have known the object. Default false. */
      readonly afterLoss?: boolean;
      readonly entered?: boolean;
      /** The selection may be another than before: what had left it may be in it again as it was. Default false. */
      readonly newSelection?: boolean;
    }
  /** `resourceVersion` is the list's; `isThere`: it only left the selection. Default false. */
  | { readonly type: "absent"; readonly uid: string; readonly resourceVersion: string; readonly isThere?: boolean }
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
  readonly op: Op | "gone";
  readonly gap: boolean;
}

/**
 * The next event that a sighting calls for; `undefined` when the log already has it. Ask again after publishing: an object that
 * was deleted and created again under its name is a deletion and then a creation.
 */
export function decide(known: KnownObject | undefined, sighting: Sighting): Decision | undefined {
  if (sighting.type === "absent") {
    if (known === undefined || known.absence || known.uid !== sighting.uid) return undefined;
    return { op: sighting.isThere === true ? "unselected" : "gone", gap: true };
  }
  const { metadata } = sighting.object;
  if (known === undefined) return firstEvent(sighting);
  const age = compareResourceVersions(versionOf(sighting), known.resourceVersion);
  if (known.uid !== metadata.uid) {
    // Resuming replays the past: an earlier object of this name is nothing new.
    if (age < 0) return undefined;
    if (!known.absence) return { op: "gone", gap: true };
    if (isDeparture(sighting)) return { op: sighting.type, gap: true };
    return { op: sighting.entered === true ? "existing" : "created", gap: sighting.type !== "added" };
  }
  if (known.absence === "unselected") return returnOf(sighting, age);
  // The dead do not come back, but in an etcd that was restored from before their death they never died.
  const isRevived = known.absence === "deleted" && epochOf(versionOf(sighting)) > epochOf(known.resourceVersion);
  if (isRevived && !isDeparture(sighting)) return { op: "created", gap: true };
  if (known.absence || age < 0) return undefined;
  if (isDeparture(sighting)) return { op: sighting.type, gap: false };
  if (age === 0) return undefined;
  return { op: "updated", gap: sighting.type === "initial" };
}

type Seen = Exclude<Sighting, { type: "absent" }>;

function isDeparture(sighting: Seen): sighting is Seen & { readonly type: "deleted" | "unselected" } {
  return sighting.type === "deleted" || sighting.type === "unselected";
}

/**
 * An object that had left the selection. It comes back by being written, so what is not newer is the past that is replayed; except to
 * another selection. Its deletion is seen only after it came back.
 */
function returnOf(sighting: Seen, age: number): Decision | undefined {
  if (sighting.type === "unselected") return undefined;
  const isThere = sighting.type === "initial" && sighting.newSelection === true;
  if (age <= 0 && !isThere) return undefined;
  return sighting.type === "deleted"
    ? { op: "deleted", gap: true }
    : { op: "existing", gap: sighting.type !== "added" };
}

/** An object the log has never heard of. A live "modified" of one means that its history is missing: it is not called created. */
function firstEvent(sighting: Seen): Decision {
  switch (sighting.type) {
    case "initial":
      return sighting.firstSight || sighting.entered
        ? { op: "existing", gap: sighting.afterLoss === true }
        : { op: "created", gap: true };
    case "added":
      return { op: sighting.entered ? "existing" : "created", gap: false };
    case "modified":
      return { op: "existing", gap: true };
    case "deleted":
    case "unselected":
      return { op: sighting.type, gap: true };
    default:
      return sighting satisfies never;
  }
}
