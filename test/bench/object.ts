/**
 * The objects that the measurements are made with: of a size and a randomness that custom resources have, always the same. Every
 * second change of one is of its status, else of its spec.
 */
import { hash } from "node:crypto";
import type { Json, KubeObject } from "../../bridge/kube/kube-object.ts";
import { databaseCrd } from "../kit/database-crd.ts";

/** The namespaces that the objects are in. */
export const NAMESPACES: readonly string[] = Array.from({ length: 50 }, (_, index) => `team-${index}`);

const PHASES = ["Provisioning", "Running", "Failed"];

/** An object of about this size after so many changes: an operator's usual mixture of words, numbers, hashes and conditions. */
export function objectAt(index: number, change: number, bytes: number, group = "demo.example.com"): KubeObject {
  const id = hash("sha256", String(index), "hex");
  const team = NAMESPACES[index % NAMESPACES.length] ?? "";
  const since = new Date(1_700_000_000_000 + change * 60_000).toISOString();
  const object = {
    apiVersion: `${group}/v1`,
    kind: "Database",
    metadata: {
      name: `orders-${index}`,
      namespace: team,
      uid: `${id.slice(0, 8)}-${id.slice(8, 12)}-4${id.slice(13, 16)}-8${id.slice(17, 20)}-${id.slice(20, 32)}`,
      resourceVersion: String(1_000_000 + index * 1_000 + change),
      generation: 1 + Math.ceil(change / 2),
      creationTimestamp: "2026-11-20T08:00:00Z",
      labels: { "app.kubernetes.io/name": "orders", "app.kubernetes.io/part-of": "shop", team },
    },
    spec: {
      engine: "postgres",
      version: "17",
      replicas: 1 + (Math.ceil(change / 2) % 9),
      settings: settingsOf(id, bytes),
    },
    status: {
      phase: PHASES[Math.floor(change / 2) % PHASES.length],
      observedGeneration: 1 + Math.floor(change / 2),
      conditions: [
        { type: "Ready", status: change % 4 < 2 ? "True" : "False", reason: "Checked", lastTransitionTime: since },
        { type: "BackedUp", status: "True", reason: "Scheduled", lastTransitionTime: "2026-11-20T08:00:00Z" },
      ],
    },
  };
  return object as KubeObject;
}

/** About one value in three is random, as image digests, addresses and tokens' names are. */
function settingsOf(id: string, bytes: number): Readonly<Record<string, string>> {
  const entries = Math.max(0, Math.round((bytes - 1_000) / 52));
  return Object.fromEntries(
    Array.from({ length: entries }, (_, index) => [
      `parameter-${index}`,
      index % 3 === 0 ? hash("sha256", `${id}${index}`, "hex").slice(0, 32) : `value of parameter ${index} by default`,
    ]),
  );
}

/** What `objectAt` has to be asked for, so that an object has this size with the managedFields that an API server adds. */
export function bytesOfServed(bytes: number): number {
  return 1_000 + Math.max(0, ((bytes - 1_230) / 72) * 52); // a setting of 52 bytes has 20 in managedFields
}

/** The object with the managedFields that an API server would add: who wrote which field. */
export function asServed(object: KubeObject): KubeObject {
  const { spec, status, metadata } = object as KubeObject & { spec: Json; status: Json };
  const entry = (manager: string, part: Record<string, Json>) => ({
    ...{ manager, operation: "Update", apiVersion: object.apiVersion, time: "2026-11-20T08:00:00Z" },
    ...{ fieldsType: "FieldsV1", fieldsV1: part },
  });
  const managedFields = [
    entry("kubectl-create", {
      "f:metadata": { "f:labels": fieldsOf({ ".": {}, ...metadata.labels }) },
      "f:spec": fieldsOf(spec),
    }),
    { ...entry("database-operator", { "f:status": fieldsOf(status) }), subresource: "status" },
  ];
  return { ...object, metadata: { ...metadata, managedFields } } as KubeObject;
}

/** The kind of our tests in a group of its own, without a schema, so that objects can be of any size. */
export function freeCrd(group = "demo.example.com") {
  const crd = structuredClone(databaseCrd);
  const openAPIV3Schema = { type: "object", "x-kubernetes-preserve-unknown-fields": true };
  const versions = [{ name: "v1", served: true, storage: true, schema: { openAPIV3Schema } }];
  return { ...crd, metadata: { name: `databases.${group}` }, spec: { ...crd.spec, group, versions } };
}

/** As structured-merge-diff writes a set of fields. */
function fieldsOf(value: Json): Json {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return {};
  return Object.fromEntries(
    Object.entries(value).map(([name, each]) => [name === "." ? name : `f:${name}`, fieldsOf(each)]),
  );
}
