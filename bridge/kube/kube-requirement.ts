/**
 * What the bridge requires of the API server, as data: which verbs on which resources, where, so that `doctor` and `bridge --check` can
 * compare before the bridge is refused, and the exact Roles can be written. The list is held by a test that runs a bridge as a user who may
 * do this and nothing else. Discovery (`/apis`, `/openapi/v3`, `/readyz`) is not in it: the ClusterRole system:discovery gives it to
 * every account.
 * Source: Kubernetes RBAC documentation ("Referring to resources"); reflector, sighting, lease and removed-kind for the requests.
 */
import { isPattern, meansGroup } from "../capture/resource-entry.ts";
import type { WantedWatch } from "../capture/selection.ts";
import type { LeaseName } from "../leader/lease.ts";
import { groupOf } from "./kube-object.ts";

export { type LeaseName, resolveLease } from "../leader/lease.ts";
export { ownPod } from "./own-pod.ts";

/** Verbs on one resource, to be allowed all together. */
export interface KubeRequirement {
  readonly group: string;
  /** The plural. */
  readonly resource: string;
  readonly verbs: readonly string[];
  /** `undefined`: in all namespaces, or of the cluster. */
  readonly namespace: string | undefined;
  /** Only the object of this name. */
  readonly name?: string;
}

/** Lists and watches; an object that a list does not have is read by itself before its deletion is told. */
const WATCH_VERBS = ["get", "list", "watch"] as const;
const ANY_CUSTOM_GROUP = { apiVersion: "*/*" };

/** What one watch needs. */
export function watchRequirement({ resource, namespace }: WantedWatch): KubeRequirement {
  return { group: groupOf(resource.apiVersion), resource: resource.plural, verbs: WATCH_VERBS, namespace };
}

/** What leader election needs. RBAC cannot limit creating to a name. */
export function leaseRequirements({ namespace, name }: LeaseName): readonly KubeRequirement[] {
  const lease = { group: "coordination.k8s.io", resource: "leases", namespace };
  return [
    { ...lease, verbs: ["create"] },
    { ...lease, verbs: ["get", "update"], name },
  ];
}

/** Kubernetes Events about the bridge, in its Pod's namespace, are wanted, not needed. */
export function eventRequirement(namespace: string): KubeRequirement {
  return { group: "events.k8s.io", resource: "events", verbs: ["create", "patch"], namespace };
}

/** What following namespaces by their labels needs. */
export const NAMESPACES_REQUIREMENT: KubeRequirement = {
  group: "",
  resource: "namespaces",
  verbs: ["list"],
  namespace: undefined,
};

/**
 * Reading the definitions of these kinds is wanted, not needed: without it a kind that left while nobody watched is judged by what is served.
 * Patterns may mean kinds that nobody knows yet, so for them it is all definitions.
 */
export function definitionRequirements(watches: readonly WantedWatch[]): readonly KubeRequirement[] {
  const custom = watches.filter(({ resource }) => meansGroup(ANY_CUSTOM_GROUP, groupOf(resource.apiVersion)));
  const names = new Set(custom.map(({ resource }) => `${resource.plural}.${groupOf(resource.apiVersion)}`));
  const definitions = {
    group: "apiextensions.k8s.io",
    resource: "customresourcedefinitions",
    verbs: ["get"],
    namespace: undefined,
  };
  if (custom.some(({ entry }) => isPattern(entry))) return [definitions];
  return [...names].toSorted().map((name) => ({ ...definitions, name }));
}
