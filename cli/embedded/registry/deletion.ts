/**
 * How objects go: at once, or marked as terminating while finalizers hold them. Pure.
 * Source: apiserver `pkg/registry/rest/delete.go`; Kubernetes "Finalizers", "Cascading deletion".
 */
import { NAMESPACE } from "../kind/built-in.ts";
import { isCrd } from "../kind/crd.ts";
import { withCleanup } from "../kind/crd-status.ts";
import { isOf, type ResourceKind } from "../object/kind.ts";
import { isObject, type JsonObject, type KubeObject, kubeTime, withMetadata } from "../object/object.ts";
import type { Address, RemoveOptions } from "./write.ts";

/** Whether nothing holds the object any longer: it is being deleted (or `now`), and no finalizer is left. */
export function isReleased(kind: ResourceKind, object: KubeObject, now = false): boolean {
  const { deletionTimestamp, finalizers = [] } = object.metadata;
  if ((deletionTimestamp === undefined && !now) || finalizers.length > 0) return false;
  const spec = object["spec"];
  const held =
    isOf(kind, NAMESPACE) && isObject(spec) && Array.isArray(spec["finalizers"]) && spec["finalizers"].length > 0;
  return !held;
}

/** The object as a deletion marks it. */
export function terminatingObject(kind: ResourceKind, object: KubeObject, nowMs: number): KubeObject {
  const { generation } = object.metadata;
  const terminating = withMetadata(object, {
    deletionTimestamp: kubeTime(nowMs),
    deletionGracePeriodSeconds: isOf(kind, NAMESPACE) || isCrd(kind) ? undefined : 0,
    ...(generation !== undefined && !isCrd(kind) && { generation: generation + 1 }),
  });
  return isOf(kind, NAMESPACE) ? { ...terminating, status: { phase: "Terminating" } } : terminating;
}

/** The object with the finalizers that its deletion adds, or takes away. */
export function heldObject(
  kind: ResourceKind,
  object: KubeObject,
  propagation: RemoveOptions["propagation"],
): KubeObject {
  return withPropagation(isCrd(kind) ? withCleanup(object) : object, propagation);
}

const FOREGROUND = "foregroundDeletion";
const ORPHAN = "orphan";

/** Nobody collects garbage here; the finalizers are what the API server leaves for who does. */
function withPropagation(object: KubeObject, propagation: RemoveOptions["propagation"]): KubeObject {
  const finalizers = (object.metadata.finalizers ?? []).filter((each) => each !== FOREGROUND && each !== ORPHAN);
  switch (propagation) {
    case undefined:
      return object;
    case "Background":
      return withMetadata(object, { finalizers: finalizers.length === 0 ? undefined : finalizers });
    case "Foreground":
      return withMetadata(object, { finalizers: [...finalizers, FOREGROUND] });
    case "Orphan":
      return withMetadata(object, { finalizers: [...finalizers, ORPHAN] });
    default:
      return propagation satisfies never;
  }
}

/** What is answered about an object that is gone. */
export function removedStatus({ kind, name }: Address, { metadata }: KubeObject): JsonObject {
  const details = { name, ...(kind.group && { group: kind.group }), kind: kind.plural, uid: metadata.uid ?? "" };
  return { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", details };
}
