/**
 * The second custom resource of the kubectl cases: it can be scaled, and has a category and a column for `-o wide`, which the
 * Database of the tests' kit has not.
 */
/** `workers.kubectl.example.com`, v1, namespaced, with the status and scale subresources. */
export const workerCrd = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "workers.kubectl.example.com" },
  spec: {
    group: "kubectl.example.com",
    scope: "Namespaced",
    names: { kind: "Worker", listKind: "WorkerList", plural: "workers", singular: "worker", categories: ["crew"] },
    versions: [
      {
        name: "v1",
        served: true,
        storage: true,
        subresources: {
          status: {},
          scale: {
            specReplicasPath: ".spec.replicas",
            statusReplicasPath: ".status.replicas",
            labelSelectorPath: ".status.selector",
          },
        },
        additionalPrinterColumns: [
          { name: "Replicas", type: "integer", jsonPath: ".spec.replicas" },
          { name: "Ready", type: "integer", jsonPath: ".status.replicas" },
          { name: "Queue", type: "string", jsonPath: ".spec.queue", priority: 1 },
          { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" },
        ],
        selectableFields: [{ jsonPath: ".spec.queue" }],
        schema: {
          openAPIV3Schema: {
            description: "A Worker takes jobs from a queue.",
            type: "object",
            properties: {
              spec: {
                description: "What is wanted.",
                type: "object",
                required: ["queue"],
                properties: {
                  queue: { description: "Where the jobs come from.", type: "string" },
                  replicas: { type: "integer", minimum: 0, maximum: 20, default: 1 },
                  env: { type: "object", additionalProperties: { type: "string" } },
                },
              },
              status: { type: "object", properties: { replicas: { type: "integer" }, selector: { type: "string" } } },
            },
          },
        },
      },
    ],
  },
};
