import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { describe, test } from "node:test";
import { promisify } from "node:util";
import recordEvent from "../../functions/record-event.ts";
import triggerWorkflow from "../../functions/trigger-workflow.ts";
import type { KubeObject } from "../kit/kube-client.ts";
import { needKubectl } from "../kit/shared-kube.ts";
import { workflowCrds } from "../kit/workflow-crd.ts";
import { failureOf } from "./actions/thrown.ts";
import { type KubeScene, openKubeScene } from "./kube-scene.ts";

const eventsOf = ({ client, namespace }: KubeScene) =>
  client.list<KubeObject>(`/apis/events.k8s.io/v1/namespaces/${namespace}/events`);

async function resized(scene: KubeScene, version?: string) {
  const before = await scene.createDatabase("orders", { replicas: 1 });
  const after = await scene.setSpec("orders", { replicas: 2, ...(version && { version }) });
  return scene.updated(before, after);
}

describe("record-event", () => {
  test("records one Event for a change, whatever is tried again, and kubectl describe shows it", async (t) => {
    const scene = await openKubeScene(t);
    const kubectl = scene && (await needKubectl(t));
    if (scene === undefined || kubectl === undefined) return;
    const event = await resized(scene);
    const config = { reason: "DatabaseResized", kubernetes: scene.kubernetes };
    const note = await scene.run(recordEvent, config, event);
    assert.match(note ?? "", /^Event test-\w+\/orders\.[0-9a-f]{20} recorded$/);
    assert.match((await scene.run(recordEvent, config, event)) ?? "", /was recorded before$/);
    const events = await eventsOf(scene);
    assert.equal(events.length, 1);
    assert.equal(events[0]?.["note"], `Database ${scene.namespace}/orders: changed, spec.replicas 1 → 2`);
    const args = ["describe", "database", "orders", "-n", scene.namespace, "--kubeconfig", scene.kube.kubeconfigPath];
    const { stdout } = await promisify(execFile)(kubectl, args);
    assert.match(stdout, /Normal\s+DatabaseResized\s+\S+\s+cr-reactor\s+Database \S+: changed, spec\.replicas 1 → 2/);
  });

  test("keeps to the API server's limit whatever an object says", async (t) => {
    const scene = await openKubeScene(t);
    if (scene === undefined) return;
    const event = await resized(scene, "€".repeat(2_000));
    const config = { reason: "X", type: "Warning", note: "{{ object.spec.version }}", kubernetes: scene.kubernetes };
    await scene.run(recordEvent, config, event);
    const [recorded] = await eventsOf(scene);
    assert.equal(recorded?.["note"], `${"€".repeat(340)}…`);
    assert.equal(recorded?.["type"], "Warning");
  });

  test("reports a workflow's end on the object that it was started for", async (t) => {
    const scene = await openKubeScene(t);
    if (scene === undefined) return;
    for (const crd of workflowCrds) await scene.client.applyCrd(crd);
    const { kubernetes, namespace, client } = scene;
    const event = await resized(scene);
    const target = { type: "argo", workflowTemplate: "resize", kubernetes };
    await scene.run(triggerWorkflow, { target }, event);
    const path = `/apis/argoproj.io/v1alpha1/namespaces/${namespace}/workflows`;
    const [workflow] = await client.list<KubeObject>(path);
    assert.ok(workflow);
    const ended = await client.patch(`${path}/${workflow.metadata.name}`, { status: { phase: "Succeeded" } });
    const config = {
      ...{
        reason: "ResizeEnded",
        note: "{{ event.kind }} {{ event.name }}: {{ event.phase }}",
        about: "origin",
        kubernetes,
      },
    };
    await scene.run(recordEvent, config, scene.updated(workflow, ended));
    const [recorded] = await eventsOf(scene);
    assert.equal(recorded?.["regarding"].kind, "Database");
    assert.equal(recorded?.["regarding"].uid, event.data.object.metadata.uid);
    assert.equal(recorded?.["note"], `Workflow ${workflow.metadata.name}: Succeeded`);
    const failure = await failureOf(() => scene.run(recordEvent, config, event));
    assert.match(failure.message, /does not say what it was made for/);
  });
});
