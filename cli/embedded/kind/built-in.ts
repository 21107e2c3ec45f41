/**
 * The built-in kinds that the embedded API server has: what custom resources live among. Their schemas say what is kept and what
 * is refused; kinds that run something (Pods, Deployments) are left out, because nothing would run them.
 * Source: Kubernetes API reference, v1.36.
 */
import type { ResourceKind } from "../object/kind.ts";
import { withSchemaKeywords } from "../schema/schema-keyword.ts";
import type { OpenApiSchema } from "../schema/value-schema.ts";
import { anything, builtIn, flag, strings, struct, text, textMap, texts, time, whole } from "./built-in-kind.ts";
import { EVENT, EVENT_OF_EVENTS } from "./event.ts";

const conditions: OpenApiSchema = {
  type: "array",
  "x-kubernetes-list-type": "map",
  "x-kubernetes-list-map-keys": ["type"],
  items: {
    ...struct({
      ...strings("type", "status", "reason", "message", "lastTransitionTime"),
      observedGeneration: whole,
    }),
    required: ["type", "status"],
  },
};
/** `v1 Namespace`. */
export const NAMESPACE = builtIn({
  kind: "Namespace",
  plural: "namespaces",
  shortNames: ["ns"],
  namespaced: false,
  hasStatus: true,
  selectableFields: ["status.phase"],
  properties: {
    spec: struct({ finalizers: texts }),
    status: struct({ phase: text, conditions }),
  },
});

/** `v1 ConfigMap`. */
export const CONFIG_MAP = builtIn({
  kind: "ConfigMap",
  plural: "configmaps",
  shortNames: ["cm"],
  properties: { data: textMap, binaryData: textMap, immutable: flag },
});

/** `v1 Secret`. */
export const SECRET = builtIn({
  kind: "Secret",
  plural: "secrets",
  selectableFields: ["type"],
  properties: { data: textMap, stringData: textMap, type: text, immutable: flag },
});

/** `coordination.k8s.io/v1 Lease`. */
export const LEASE = builtIn({
  group: "coordination.k8s.io",
  kind: "Lease",
  plural: "leases",
  createsOnUpdate: true,
  properties: {
    spec: struct({
      ...strings("holderIdentity", "strategy", "preferredHolder"),
      acquireTime: time,
      renewTime: time,
      leaseDurationSeconds: whole,
      leaseTransitions: whole,
    }),
  },
});

const nameSchema: OpenApiSchema = {
  ...struct({ ...strings("plural", "singular", "kind", "listKind"), shortNames: texts, categories: texts }),
};
const keyedByName = { type: "array", "x-kubernetes-list-type": "atomic" } as const;

const customResourceDefinition = builtIn({
  group: "apiextensions.k8s.io",
  kind: "CustomResourceDefinition",
  plural: "customresourcedefinitions",
  shortNames: ["crd", "crds"],
  categories: ["api-extensions"],
  namespaced: false,
  hasGeneration: true,
  hasStatus: true,
  properties: {
    spec: {
      ...struct({
        ...strings("group", "scope"),
        names: nameSchema,
        preserveUnknownFields: flag,
        conversion: struct({ strategy: text, webhook: anything }),
        versions: {
          ...keyedByName,
          items: {
            ...struct({
              ...strings("name", "deprecationWarning"),
              served: flag,
              storage: flag,
              deprecated: flag,
              schema: struct({ openAPIV3Schema: anything }),
              subresources: struct({
                status: anything,
                scale: struct(strings("specReplicasPath", "statusReplicasPath", "labelSelectorPath")),
              }),
              selectableFields: { ...keyedByName, items: struct(strings("jsonPath")) },
              additionalPrinterColumns: {
                ...keyedByName,
                items: struct({ ...strings("name", "type", "format", "description", "jsonPath"), priority: whole }),
              },
            }),
          },
        },
      }),
    },
    status: struct({
      conditions,
      acceptedNames: nameSchema,
      storedVersions: texts,
      observedGeneration: whole,
    }),
  },
});

/** `apiextensions.k8s.io/v1 CustomResourceDefinition`. */
export const CUSTOM_RESOURCE_DEFINITION: ResourceKind = {
  ...customResourceDefinition,
  schema: withSchemaKeywords(customResourceDefinition.schema),
};

/** All of them. */
export const BUILT_IN_KINDS: readonly ResourceKind[] = [
  NAMESPACE,
  CONFIG_MAP,
  SECRET,
  EVENT,
  EVENT_OF_EVENTS,
  LEASE,
  CUSTOM_RESOURCE_DEFINITION,
];

/** What every cluster has from its start. */
export const FIRST_NAMESPACES: readonly string[] = ["default", "kube-node-lease", "kube-public", "kube-system"];
