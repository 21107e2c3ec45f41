/** A kind of two versions, of which the first lets a reader select by a field and the second does not. */

const schema = (field: string) => {
  const properties = { color: { type: "string" }, carat: { type: "integer" }, [field]: { type: "string" } };
  return { openAPIV3Schema: { type: "object", properties: { spec: { type: "object", properties } } } };
};

/** `gems.<group>`, v1 and v2, namespaced; v1 selects by `spec.color` and `spec.carat`. Each file has a group of its own. */
export function gemCrd(group: string) {
  const selectableFields = [{ jsonPath: ".spec.color" }, { jsonPath: ".spec.carat" }];
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `gems.${group}` },
    spec: {
      group,
      scope: "Namespaced",
      names: { plural: "gems", singular: "gem", kind: "Gem", listKind: "GemList" },
      versions: [
        { name: "v1", served: true, storage: true, selectableFields, schema: schema("first") },
        { name: "v2", served: true, storage: false, schema: schema("second") },
      ],
    },
  };
}

/** The path of a namespace's Gems in one version, or of one of them. */
export function gemPath(group: string, version: "v1" | "v2", namespace: string, name?: string): string {
  return `/apis/${group}/${version}/namespaces/${namespace}/gems${name === undefined ? "" : `/${name}`}`;
}
