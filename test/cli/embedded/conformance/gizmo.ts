/** Definitions of a kind Gizmo for the cases about CustomResourceDefinitions, each in a group of its own. */
import { uniqueName } from "./widget.ts";

/** The path of all definitions. */
export const CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

type Parts = Record<string, unknown>;

const open = { type: "object", "x-kubernetes-preserve-unknown-fields": true };
/** A served and stored version that is open to all fields. */
export const version = (name = "v1", parts: Parts = {}) => ({
  name,
  served: true,
  storage: true,
  schema: { openAPIV3Schema: open },
  ...parts,
});

/** A definition of the kind Gizmo in a group of its own. */
export function gizmoCrd(spec: Parts = {}, group = `${uniqueName("g")}.example.com`) {
  const names = { kind: "Gizmo", plural: "gizmos" };
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `gizmos.${group}` },
    spec: { group, scope: "Namespaced", names, versions: [version()], ...spec },
  };
}

/** The versions of a definition whose one schema has these properties. */
export const schema = (properties: unknown, parts: Parts = {}) => ({
  versions: [version("v1", { schema: { openAPIV3Schema: { type: "object", properties, ...parts } } })],
});
