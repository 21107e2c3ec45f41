/** A definition with everything that makes a schema awkward: odd names, mixed types, maps in lists, defaults in defaults, words that end comments. */
export const gadgetCrd = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "gadgets.odd.example.com" },
  spec: {
    group: "odd.example.com",
    scope: "Namespaced",
    names: { kind: "Gadget", listKind: "GadgetList", plural: "gadgets", singular: "gadget" },
    versions: [
      {
        name: "v1beta1",
        served: true,
        storage: false,
        schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
      },
      {
        name: "v1",
        served: true,
        storage: true,
        subresources: { status: {} },
        schema: {
          openAPIV3Schema: {
            type: "object",
            required: ["spec"],
            properties: {
              apiVersion: { type: "string" },
              kind: { type: "string" },
              metadata: { type: "object" },
              spec: {
                type: "object",
                description: 'What is wanted. It ends here: */ "or" not $x `y`.',
                required: ["replicas", "mode"],
                properties: {
                  replicas: { type: "integer", minimum: 0 },
                  mode: { type: "string", enum: ["slow", "fast", ""] },
                  level: { type: "integer", enum: [3, 1, 2] },
                  big: { type: "integer", format: "int64" },
                  ratio: { type: "number" },
                  port: { "x-kubernetes-int-or-string": true, anyOf: [{ type: "integer" }, { type: "string" }] },
                  note: { type: "string", nullable: true },
                  paused: { type: "boolean", default: false },
                  "odd-name": { type: "string" },
                  "a.b/c": { type: "string" },
                  class: { type: "string", description: "A word of the language." },
                  limits: { type: "object", additionalProperties: { type: "string" } },
                  groups: {
                    type: "object",
                    additionalProperties: {
                      type: "array",
                      items: { type: "object", properties: { id: { type: "integer" } } },
                    },
                  },
                  parts: {
                    type: "array",
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["name"],
                    items: {
                      type: "object",
                      required: ["name"],
                      properties: { name: { type: "string" }, weight: { type: "integer", default: 1 } },
                    },
                  },
                  backup: {
                    type: "object",
                    default: {},
                    properties: { keep: { type: "integer", default: 7 }, target: { type: "string" } },
                  },
                  free: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
                  half: {
                    type: "object",
                    "x-kubernetes-preserve-unknown-fields": true,
                    properties: { known: { type: "string" } },
                  },
                  anything: { "x-kubernetes-preserve-unknown-fields": true },
                  matrix: { type: "array", items: { type: "array", items: { type: "number" } } },
                },
              },
              status: {
                type: "object",
                properties: {
                  phase: { type: "string", enum: ["Pending", "Ready", "Failed"] },
                  since: { type: "string", format: "date-time", nullable: true },
                },
              },
            },
          },
        },
      },
    ],
  },
};

/** A Gadget as the API server stores it. */
export const gadget = {
  apiVersion: "odd.example.com/v1",
  kind: "Gadget",
  metadata: { name: "one", namespace: "default", uid: "8a1f", resourceVersion: "12", labels: { "a.b/c": "d" } },
  spec: {
    replicas: 3,
    mode: "fast",
    level: 2,
    big: 9_007_199_254_740_992,
    port: "http",
    note: null,
    paused: false,
    "odd-name": "x",
    "a.b/c": "y",
    class: "z",
    limits: { cpu: "1" },
    groups: { a: [{ id: 1 }] },
    parts: [{ name: "p", weight: 1 }],
    backup: { keep: 7 },
    free: { any: ["thing"] },
    half: { known: "k", other: 1 },
    anything: [1, "a"],
    matrix: [[1, 2.5]],
  },
  status: { phase: "Ready", since: null },
};
