/** The examples of functions/actions/README.md for what acts on Kubernetes: accepted, and working with the rights that are written there and no others. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { parse } from "yaml";
import type { Envelope } from "../../bridge/event/envelope.ts";
import type { FunctionDefinition } from "../../functions/kit/define.ts";
import { compileFilter } from "../../functions/kit/filter/match.ts";
import { BUILT_IN_FUNCTIONS, bindAll } from "../../functions/main.ts";
import type { KubeObject } from "../kit/kube-client.ts";
import { workflowCrds } from "../kit/workflow-crd.ts";
import { sampleEvent } from "./actions/sample-event.ts";
import { type KubeScene, openKubeScene } from "./kube-scene.ts";

const readme = readFileSync(join(import.meta.dirname, "../../functions/actions/README.md"), "utf8");
const blocks = [...readme.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].map(([, text = ""]) => text);
const examples = blocks
  .filter((text) => text.startsWith("- name: "))
  .map((text) => (parse(text) as { name: string; function: string; config: object }[])[0]);
const rules = parse(blocks.find((text) => text.startsWith("rules:")) ?? "").rules as object[];

async function exampleNamed(name: string) {
  const example = examples.find((each) => each?.name === name);
  assert.ok(example, `functions/actions/README.md has ${name}`);
  const text = JSON.stringify({ subscriptions: [example] });
  process.env["SLACK_WEBHOOK_URL"] ??= "https://hooks.slack.example/x";
  const [binding] = await bindAll({ subscriptions: { text, fileName: "README.md" } });
  assert.ok(binding);
  const loaded = await BUILT_IN_FUNCTIONS[example.function]?.();
  return { binding, definition: loaded?.default as FunctionDefinition, config: example.config };
}

/** A Database that grew and then failed, and a user with the written rights. */
async function openScene(t: TestContext) {
  const scene = await openKubeScene(t);
  if (scene === undefined) return undefined;
  for (const crd of workflowCrds) await scene.client.applyCrd(crd);
  const kubernetes = { kubeconfig: await scene.userWhoMay(rules) };
  const first = await scene.createDatabase("orders", { storageGb: 10 });
  const running = await scene.setStatus("orders", { phase: "Running", observedGeneration: 1 });
  const grown = await scene.setSpec("orders", { storageGb: 200 });
  const failed = await scene.setStatus("orders", { phase: "Failed", observedGeneration: 2 });
  const log = [scene.created(first), scene.updated(first, running), scene.updated(running, grown)];
  const events = { grown: log[2] as Envelope, failed: scene.updated(grown, failed) };
  return {
    ...scene,
    ...events,
    async runExample(name: string, event: Envelope) {
      const { binding, definition, config } = await exampleNamed(name);
      assert.equal(binding.matcher.match(event).type, "matched", `${name} is told of it`);
      const target = "target" in config ? { target: { ...(config.target as object), kubernetes } } : { kubernetes };
      const history = async function* () {
        yield* log;
      };
      const context = { subscription: name, history, idempotencyKey: `${name}/${event.id}` };
      return await scene.run(definition, { ...config, ...target }, event, context);
    },
  };
}

const eventsOf = ({ client, namespace }: KubeScene) =>
  client.list<KubeObject>(`/apis/events.k8s.io/v1/namespaces/${namespace}/events`);

describe("an example of functions/actions/README.md, with the rights that stand there,", () => {
  test("starts a workflow, and tells its end on the Database", async (t) => {
    const scene = await openScene(t);
    if (scene === undefined) return;
    assert.match((await scene.runExample("database-resize", scene.grown)) ?? "", /^workflow resize-\w+ started$/);
    assert.match((await scene.runExample("database-resize", scene.grown)) ?? "", /already started$/);
    const path = `/apis/argoproj.io/v1alpha1/namespaces/${scene.namespace}/workflows`;
    const [workflow] = await scene.client.list<KubeObject>(path);
    assert.ok(workflow);
    const status = { phase: "Succeeded", message: "done" };
    const ended = await scene.client.patch(`${path}/${workflow.metadata.name}`, { status });
    await scene.runExample("resize-ended", scene.updated(workflow, ended));
    const [event] = await eventsOf(scene);
    assert.equal(event?.["regarding"].kind, "Database");
    assert.equal(event?.["note"], `${workflow.metadata.name}: Succeeded done`);
  });

  const others = [
    { name: "database-seen", says: /recorded$/ },
    { name: "database-stamp", says: /annotated$/ },
    { name: "database-dashboard", says: /orders-facts applied/ },
    { name: "database-undo", says: /rolled back to the spec of .*: spec\.storageGb$/ },
  ];
  for (const { name, says } of others) {
    test(`works: ${name}`, async (t) => {
      const scene = await openScene(t);
      if (scene === undefined) return;
      const event = name === "database-undo" ? scene.failed : scene.grown;
      assert.match((await scene.runExample(name, event)) ?? "", says);
    });
  }

  test("tells drift, and not what the tool, an autoscaler or a function did, nor a status", async () => {
    const { binding } = await exampleNamed("database-drift");
    const { match } = compileFilter(binding.subscription);
    const scaled = (manager: string) =>
      match(sampleEvent({ before: { spec: { replicas: 3 } }, after: { spec: { replicas: 5 } }, manager })).type;
    const silent = ["argocd-controller", "kustomize-controller", "horizontal-pod-autoscaler", "cr-reactor/undo"];
    assert.deepEqual(
      silent.map(scaled),
      silent.map(() => "unmatched"),
    );
    assert.equal(scaled("kubectl-edit"), "matched");
    assert.equal(scaled(""), "matched", "of a manager that cannot be told");
    const status = sampleEvent({ before: { status: { phase: "A" } }, after: { status: { phase: "B" } } });
    assert.equal(match(status).type, "unmatched");
  });
});
