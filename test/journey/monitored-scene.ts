/** A bridge and functions at work, whose /metrics tests read: an object that failed, a kind that is missing, configured metrics of each sort. */
import type { TestContext } from "node:test";
import { pino } from "pino";
import { z } from "zod";
import { defineFunction } from "#kit";
import { runFunctions } from "../../functions/main.ts";
import { database, databasePath } from "../kit/database-crd.ts";
import { openEmbedded } from "../kit/embedded-kube.ts";
import { until } from "../kit/until.ts";
import { openBridgeScene } from "./bridge-scene.ts";

const SUBSCRIPTIONS = `health: { host: 127.0.0.1, port: 0 }
subscriptions:
  - { name: failed, function: idle, apiVersion: demo.example.com/v1, kind: Database, when: { phase: { to: Failed } } }
  - { name: stuck, function: idle, apiVersion: demo.example.com/v1, kind: Database, when: { phase: { to: Failed } }, for: 1h }`;
const RESOURCES = [
  { apiVersion: "demo.example.com/v1", kind: "Nobody" },
  {
    ...{ apiVersion: "demo.example.com/v1", kind: "Database" },
    diverged: [{ spec: "spec.replicas", status: "status.readyReplicas" }],
    metrics: [{ name: "database_replicas", path: "spec.replicas", labels: { engine: "spec.engine" } }],
  },
];
/** 60 ms: so that one comparison is over when the test looks. */
const VERIFY = { everyMinutes: 0.001, graceSeconds: 0.01 };

/** Starts them; the addresses are `host:port` of the bridge and of the functions. `undefined` where NATS is missing. */
export async function openMonitoredScene(t: TestContext) {
  const stage = await openEmbedded(t);
  const scene = await openBridgeScene(t, stage.kubeconfigPath);
  if (scene === undefined) return undefined;
  await stage.client.createNamespace("prod");
  const bridge = scene.startBridge({ resources: RESOURCES, verify: VERIFY });
  await bridge.live(1);
  const functions = await startFunctions(t, scene.nats.url);
  await stage.client.create(databasePath("prod"), database("orders", "prod", { replicas: 2 }));
  for (const phase of ["Running", "Failed"]) {
    const ready = {
      type: "Ready",
      status: "False",
      reason: phase,
      message: "",
      lastTransitionTime: "2026-01-01T00:00:00Z",
    };
    const patch = { status: { phase, conditions: [ready] } };
    await stage.client.patch(databasePath("prod", "orders"), patch, { subresource: "status" });
  }
  await until(() => functions.status().subscriptions.some(({ done }) => done === 1), { what: "the function to run" });
  return [bridge.address(), `127.0.0.1:${functions.healthPort}`] as const;
}

async function startFunctions(t: TestContext, server: string) {
  const stop = new AbortController();
  const [name, description, config] = ["idle", "Does nothing.", z.object({})] as const;
  const idle = defineFunction({ name, description, config, run: async () => undefined });
  const functions = await runFunctions({
    subscriptions: { text: SUBSCRIPTIONS, fileName: "subscriptions.yaml" },
    functions: { idle: async () => ({ default: idle }) },
    nats: { servers: [server] },
    log: pino({ level: "silent" }),
    signal: stop.signal,
  });
  t.after(async () => {
    stop.abort();
    await functions.done;
  });
  await until(() => functions.status().subscriptions.every(({ state }) => state === "running"));
  return functions;
}
