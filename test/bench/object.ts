/**
 * The objects that the measurements are made with: of a size and a randomness that custom resources have, always the same. Every
 * second change of one is of its status, else of its spec.
 */
import { hash } from "node:crypto";
import type { KubeObject } from "../../bridge/kube/kube-object.ts";

/** The namespaces that the objects are in. */
export const NAMESPACES: readonly string[] = Array.from({ length: 50 }, (_, index) => `team-${index}`);

const PHASES = ["Provisioning", "Running", "Failed"];

/** An object of about this size after so many changes: an operator's usual mixture of words, numbers, hashes and conditions. */
export function objectAt(index: number, change: number, bytes: number): KubeObject {
  const id = hash("sha256", String(index), "hex");
  const team = NAMESPACES[index % NAMESPACES.length] ?? "";
  const since = new Date(1_700_000_000_000 + change * 60_000).toISOString();
  const object = {
    apiVersion: "demo.example.com/v1",
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
