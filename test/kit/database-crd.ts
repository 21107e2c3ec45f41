/**
 * The custom resource of our tests and the demo: a database that somebody asks for and an operator brings up. It has what the
 * bridge is about — a phase, conditions as a keyed list, a status subresource — and nothing else.
 */
const text = { type: "string" };

const specSchema = {
  type: "object",
  required: ["engine"],
  properties: {
    engine: { type: "string", enum: ["postgres", "mysql"] },
    version: text,
    replicas: { type: "integer", minimum: 1, maximum: 9 },
    storageGb: { type: "integer", minimum: 1 },
  },
};

const statusSchema = {
  type: "object",
  properties: {
    phase: { type: "string", enum: ["Pending", "Provisioning", "Running", "Failed"] },
    message: text,
    observedGeneration: { type: "integer", format: "int64" },
    conditions: {
      type: "array",
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["type"],
      items: {
        type: "object",
        required: ["type", "status"],
        properties: {
          type: text,
          status: { type: "string", enum: ["True", "False", "Unknown"] },
          reason: text,
          message: text,
          lastTransitionTime: { type: "string", format: "date-time" },
        },
      },
    },
  },
};

/** `databases.demo.example.com`, v1, namespaced, with a status subresource. */
export const databaseCrd = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "databases.demo.example.com" },
  spec: {
    group: "demo.example.com",
    scope: "Namespaced",
    names: {
      kind: "Database",
      listKind: "DatabaseList",
      plural: "databases",
      singular: "database",
      shortNames: ["db"],
    },
    versions: [
      {
        name: "v1",
        served: true,
        storage: true,
        subresources: { status: {} },
        additionalPrinterColumns: [
          { name: "Phase", type: "string", jsonPath: ".status.phase" },
          { name: "Replicas", type: "integer", jsonPath: ".spec.replicas" },
          { name: "Engine", type: "string", jsonPath: ".spec.engine" },
        ],
        schema: { openAPIV3Schema: { type: "object", properties: { spec: specSchema, status: statusSchema } } },
      },
    ],
  },
};

/** What a user asks for. */
export interface DatabaseSpec {
  engine: "postgres" | "mysql";
  version?: string;
  replicas?: number;
  storageGb?: number;
}

interface DatabaseCondition {
  type: string;
  status: "True" | "False" | "Unknown";
  reason?: string;
  message?: string;
  lastTransitionTime?: string;
}

interface DatabaseStatus {
  phase?: "Pending" | "Provisioning" | "Running" | "Failed";
  message?: string;
  observedGeneration?: number;
  conditions?: DatabaseCondition[];
}

/** The custom resource as the tests write it. */
export interface Database {
  apiVersion: "demo.example.com/v1";
  kind: "Database";
  metadata: { name: string; namespace: string };
  spec: DatabaseSpec;
  status?: DatabaseStatus;
}

/** A Database to be created: a small postgres, unless `spec` says otherwise. */
export function database(name: string, namespace: string, spec: Partial<DatabaseSpec> = {}): Database {
  return {
    apiVersion: "demo.example.com/v1",
    kind: "Database",
    metadata: { name, namespace },
    spec: { engine: "postgres", version: "17", replicas: 1, storageGb: 10, ...spec },
  };
}

/** The API path of a namespace's Databases, of all of them without a namespace, or of one of them. */
export function databasePath(namespace?: string, name?: string): string {
  const scope = namespace === undefined ? "" : `/namespaces/${namespace}`;
  return `/apis/demo.example.com/v1${scope}/databases${name === undefined ? "" : `/${name}`}`;
}
