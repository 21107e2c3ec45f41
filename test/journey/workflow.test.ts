/**
 * One event, one workflow: processes of `cr-reactor run` that start Argo Workflows, Tekton PipelineRuns and Jobs on the real API server are
 * killed at each point between call and acknowledgement, while a good part of the API server's answers is lost or never given.
 */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { stringify } from "yaml";
import { startRig } from "../functions/kit/delivery/rig.ts";
import { created, type TestEvent, updated } from "../functions/kit/event-factory.ts";
import { createDataFolder } from "../kit/data-folder.ts";
import type { KubeObject } from "../kit/kube-client.ts";
import { startKubeProxy } from "../kit/kube-proxy.ts";
import { type ServerProcess, startServer } from "../kit/server-process.ts";
import { sharedKube, uniqueNamespace } from "../kit/shared-kube.ts";
import { until } from "../kit/until.ts";
import { workflowCrds } from "../kit/workflow-crd.ts";
import { armKill, type KillPoint } from "./kill-point.ts";

const CLI = join(import.meta.dirname, "../../cli/main.ts");
const PRELOAD = join(import.meta.dirname, "kill-point-preload.ts");
const PATIENCE = { waitMsMax: 120_000 };
const OBJECTS = 3;
const FAULT_SHARE = 0.3;
const SEED = Number(process.env["CR_REACTOR_TEST_SEED"] ?? 20_261_121);

const POINTS: readonly KillPoint[] = ["claimed:start", "before-record:start", "recorded:start", "before-ack"];

const container = { name: "main", image: "busybox", command: ["true"] };
const job = { spec: { template: { spec: { restartPolicy: "Never", containers: [container] } } } };
const TARGETS = [
  {
    name: "argo",
    target: { type: "argo", workflowTemplate: "resize" },
    resource: "apis/argoproj.io/v1alpha1",
    plural: "workflows",
  },
  {
    name: "tekton",
    target: { type: "tekton", pipeline: "resize" },
    resource: "apis/tekton.dev/v1",
    plural: "pipelineruns",
  },
  { name: "job", target: { type: "job", template: job }, resource: "apis/batch/v1", plural: "jobs" },
] as const;

async function startScene(t: TestContext) {
  const kube = await sharedKube(t);
  const rig = kube && (await startRig(t));
  if (kube === undefined || rig === undefined) return undefined;
  for (const crd of workflowCrds) await kube.client.applyCrd(crd);
  const namespace = await uniqueNamespace(kube);
  const proxy = await startKubeProxy(kube);
  t.after(() => proxy.stop());
  const folder = createDataFolder("workflows");
  const kubeconfig = join(folder.path, "kubeconfig");
  writeFileSync(kubeconfig, proxy.kubeconfig());
  const config = {
    nats: { servers: [rig.nats.url] },
    subscriptions: TARGETS.map(({ name, target }) => ({
      ...{ name, function: "trigger-workflow", apiVersion: "demo.example.com/v1", kind: "Database", start: "all" },
      // Faults are no reason to give up here.
      attempts: 1_000,
      config: {
        target: { ...target, kubernetes: { kubeconfig } },
        parameters: { REPLICAS: "object.spec.replicas" },
        namePrefix: `${name}-`,
      },
    })),
  };
  writeFileSync(join(folder.path, "subscriptions.yaml"), stringify(config));
  return {
    ...rig,
    proxy,
    namespace,
    folder,
    async startFunctions(): Promise<ServerProcess> {
      const functions = await startServer({
        ...{ name: "cr-reactor run", command: process.execPath, folder, stopMsMax: 10_000 },
        args: () => ["--import", PRELOAD, CLI, "run", "--subscriptions", "subscriptions.yaml"],
        isReady: /"consumer (created|kept|updated)"/,
      });
      t.after(() => functions.stop());
      return functions;
    },
    untilIdle: () =>
      until(
        async () => {
          for (const { name } of TARGETS) {
            const { num_ack_pending, num_pending } = await rig.consumer(name);
            if (num_ack_pending + num_pending > 0) return false;
          }
          return true;
        },
        { ...PATIENCE, what: "every event is acknowledged" },
      ),
    started: async ({ resource, plural }: (typeof TARGETS)[number]) =>
      await kube.client.list<KubeObject>(`/${resource}/namespaces/${namespace}/${plural}`),
  };
}

/** A few Databases change once more. */
function changes(namespace: string, round: number): TestEvent[] {
  return Array.from({ length: OBJECTS }, (_, index) => {
    const object = (replicas: number) => ({ name: `db-${index}`, namespace, spec: { replicas } });
    return round === 0 ? created(object(0)) : updated(object(round - 1), object(round));
  });
}

describe("workflows", () => {
  test("are started once for each event, whatever is killed and whatever answers are lost", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const { proxy, folder, namespace } = scene;
    proxy.at(FAULT_SHARE, SEED);
    const events: TestEvent[] = [];
    const functions = await scene.startFunctions();
    for (const [round, point] of POINTS.entries()) {
      armKill(folder.path, point, 1 + (round % 3));
      const batch = changes(namespace, round);
      events.push(...batch);
      await scene.publish(...batch);
      await until(() => functions.pid === undefined, { ...PATIENCE, what: `the process is killed at ${point}` });
      assert.equal(functions.lastExit?.signal, "SIGKILL");
      await functions.restart();
    }
    await scene.untilIdle();
    for (const target of TARGETS) {
      const started: readonly KubeObject[] = await scene.started(target);
      const keys = started.map(({ metadata }) => metadata.annotations?.["cr-reactor.dev/idempotency-key"]);
      assert.deepEqual(keys.toSorted(), events.map(({ envelope }) => `${target.name}/${envelope.id}`).toSorted());
    }
    const posts = proxy.answers.filter((answer) => answer.startsWith("POST"));
    assert.ok(
      posts.some((answer) => answer.endsWith(" 409")),
      "a second try found the first",
    );
    t.diagnostic(`${posts.length} creations were asked for, ${TARGETS.length * events.length} made; seed ${SEED}`);
  });
});
