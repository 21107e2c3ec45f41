/**
 * What the bridges of the chaos runs may do: watch Widgets, hold their Lease, and nothing else. They are told to watch a second kind as
 * well, which they may not: it must say which right is missing, and must never hold up the first.
 */
import type { KubeOptions, KubeServer } from "../kit/kube-apiserver.ts";
import { WIDGET_API_VERSION } from "./widget.ts";

/** The user of the bridges; it is named by whoever starts the API server. */
export const BRIDGE_USER = "bridge";

/** The API server as the chaos runs need it. */
export const CHAOS_KUBE: KubeOptions = { users: { [BRIDGE_USER]: [] } };

/** Where the Lease is. */
export const BRIDGE_NAMESPACE = "chaos-bridge";

/** The kind that the bridges may not list. */
export const FORBIDDEN_KIND = { apiVersion: WIDGET_API_VERSION, kind: "Gadget" } as const;

/** What /readyz says of it. */
export const FORBIDDEN_WATCH = "gadgets.chaos.example.com";
export const FORBIDDEN_PROBLEM =
  /forbidden \(403\)\. Add this rule to the ClusterRole: \{apiGroups: \["chaos\.example\.com"\], resources: \["gadgets"\], verbs: \["get", "list", "watch"\]\}/;

const GROUP = "rbac.authorization.k8s.io";
const GADGETS = "gadgets.chaos.example.com";

/** Makes the second kind, the namespace of the Lease, and the user's rights. */
export async function grantAccess({ client }: KubeServer): Promise<void> {
  await client.applyCrd(gadgetCrd);
  await client.createNamespace(BRIDGE_NAMESPACE);
  const subjects = [{ apiGroup: GROUP, kind: "User", name: BRIDGE_USER }];
  const grant = async (kind: "Role" | "ClusterRole", where: string, rule: object) => {
    const metadata = { name: "chaos-bridge" };
    const collection = `/apis/${GROUP}/v1${where}/${kind.toLowerCase()}`;
    await client.create(`${collection}s`, { metadata, rules: [rule] });
    await client.create(`${collection}bindings`, {
      metadata,
      roleRef: { apiGroup: GROUP, kind, ...metadata },
      subjects,
    });
  };
  const watching = { apiGroups: ["chaos.example.com"], resources: ["widgets"], verbs: ["get", "list", "watch"] };
  await grant("ClusterRole", "", watching);
  const leading = { apiGroups: ["coordination.k8s.io"], resources: ["leases"], verbs: ["get", "create", "update"] };
  await grant("Role", `/namespaces/${BRIDGE_NAMESPACE}`, leading);
}

const gadgetCrd = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: GADGETS },
  spec: {
    group: "chaos.example.com",
    scope: "Namespaced",
    names: { kind: "Gadget", listKind: "GadgetList", plural: "gadgets", singular: "gadget" },
    versions: [{ name: "v1", served: true, storage: true, schema: { openAPIV3Schema: { type: "object" } } }],
  },
};
