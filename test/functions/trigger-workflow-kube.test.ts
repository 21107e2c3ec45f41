/** Workflows that are Kubernetes objects, started on the real API server. */
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import triggerWorkflow from "../../functions/trigger-workflow.ts";
import type { KubeObject } from "../kit/kube-client.ts";
import { workflowCrds } from "../kit/workflow-crd.ts";
import { failureOf } from "./actions/thrown.ts";
import { openKubeScene } from "./kube-scene.ts";

const WORKFLOWS = "apis/argoproj.io/v1alpha1";

async function openScene(t: TestContext) {
  const scene = await openKubeScene(t);
  if (scene === undefined) return undefined;
  for (const crd of workflowCrds) await scene.client.applyCrd(crd);
  const before = await scene.createDatabase("orders", { replicas: 1 });
  const after = await scene.setSpec("orders", { replicas: 2, version: "18 $(HOME) $x" });
  const event = scene.updated(before, after);
  const list = (path: string, resource: string) =>
    scene.client.list<KubeObject>(`/${path}/namespaces/${scene.namespace}/${resource}`);
  return {
    ...scene,
    database: after,
    event,
    start: (target: object, more: object = {}, context = {}) => {
      const config = { target: { kubernetes: scene.kubernetes, ...target }, ...more };
      return scene.run(triggerWorkflow, config, event, context);
    },
    workflows: () => list(WORKFLOWS, "workflows"),
    pipelineRuns: () => list("apis/tekton.dev/v1", "pipelineruns"),
    jobs: () => list("apis/batch/v1", "jobs"),
  };
}

const parameters = {
  replicas: "object.spec.replicas",
  was: "before.spec.replicas",
  title: "{{ event.name }} grows to {{ object.spec.replicas }}",
  nothing: "object.spec.restoreFrom",
};
const jobTemplate = {
  metadata: { labels: { team: "data" } },
  spec: {
    backoffLimit: 0,
    template: {
      spec: {
        restartPolicy: "Never",
        containers: [
          {
            name: "main",
            image: "busybox",
            env: [
              { name: "A", value: "a" },
              { name: "VERSION", value: "1" },
            ],
          },
        ],
      },
    },
  },
};

describe("trigger-workflow on Kubernetes", () => {
  test("starts an Argo Workflow that leads back to the event and its object", async (t) => {
    const scene = await openScene(t);
    if (scene === undefined) return;
    const { event } = scene;
    const target = { type: "argo", workflowTemplate: "resize", entrypoint: "main", serviceAccountName: "runner" };
    const note = await scene.start(
      { ...target, labels: { team: "data" }, owner: true },
      { parameters, namePrefix: "resize-" },
    );
    const [workflow, ...others] = await scene.workflows();
    assert.deepEqual(others, []);
    assert.match(workflow?.metadata.name ?? "", /^resize-[0-9a-f]{20}$/);
    assert.equal(note, `workflow ${workflow?.metadata.name} started`);
    assert.deepEqual(workflow?.["spec"], {
      workflowTemplateRef: { name: "resize" },
      entrypoint: "main",
      serviceAccountName: "runner",
      arguments: {
        parameters: [
          { name: "replicas", value: "2" },
          { name: "was", value: "1" },
          { name: "title", value: "orders grows to 2" },
        ],
      },
    });
    const uid = scene.database.metadata.uid;
    assert.deepEqual(workflow?.metadata.labels, {
      "app.kubernetes.io/managed-by": "cr-reactor",
      "cr-reactor.dev/object-uid": uid,
      "cr-reactor.dev/subscription": "databases",
      team: "data",
    });
    assert.deepEqual(workflow?.metadata.annotations, {
      "cr-reactor.dev/event": event.id,
      "cr-reactor.dev/idempotency-key": `databases/${event.id}`,
      "cr-reactor.dev/object": JSON.stringify({
        ...{ apiVersion: "demo.example.com/v1", kind: "Database", namespace: scene.namespace, name: "orders", uid },
      }),
    });
    assert.deepEqual(workflow?.metadata["ownerReferences"], [
      {
        apiVersion: "demo.example.com/v1",
        kind: "Database",
        name: "orders",
        uid,
        controller: false,
        blockOwnerDeletion: false,
      },
    ]);
    const managers = workflow?.metadata["managedFields"] as { manager: string }[];
    assert.deepEqual(
      managers.map(({ manager }) => manager),
      ["cr-reactor/databases"],
    );
  });

  const targets = [
    {
      name: "an Argo Workflow",
      target: { type: "argo", workflowTemplate: "resize", clusterScope: true },
      list: "workflows",
    },
    { name: "a Tekton PipelineRun", target: { type: "tekton", pipeline: "resize" }, list: "pipelineRuns" },
    { name: "a Job", target: { type: "job", template: jobTemplate }, list: "jobs" },
  ] as const;
  for (const { name, target, list } of targets) {
    test(`${name} is started once, though the first try is forgotten`, async (t) => {
      const scene = await openScene(t);
      if (scene === undefined) return;
      const tries = await Promise.all(Array.from({ length: 4 }, () => scene.start(target)));
      assert.deepEqual(tries.map((note) => note?.replace(/^workflow \S+ /, "")).toSorted(), [
        ...["already started", "already started", "already started", "started"],
      ]);
      assert.equal((await scene[list]()).length, 1);
    });
  }

  test("does not take another's workflow of the same name for its own", async (t) => {
    const scene = await openScene(t);
    if (scene === undefined) return;
    const target = { type: "argo", workflowTemplate: "resize" };
    await scene.start(target);
    const [workflow] = await scene.workflows();
    const path = `/${WORKFLOWS}/namespaces/${scene.namespace}/workflows/${workflow?.metadata.name}`;
    await scene.client.patch(path, { metadata: { annotations: { "cr-reactor.dev/idempotency-key": "others/1" } } });
    const failure = await failureOf(() => scene.start(target));
    assert.equal(failure.treated, "dead-letter");
    assert.match(failure.message, /was not made for this event: remove it, or set another namePrefix$/);
  });

  test("starts a PipelineRun whose lists and maps stay what they are", async (t) => {
    const scene = await openScene(t);
    if (scene === undefined) return;
    const workspaces = [{ name: "source", emptyDir: {} }];
    const pipeline = { resolver: "git", params: [{ name: "url", value: "https://git.example/x" }] };
    const target = { type: "tekton", pipeline, workspaces, serviceAccountName: "runner" };
    await scene.start(target, { parameters: { replicas: "object.spec.replicas", spec: "object.spec" } });
    const [run] = await scene.pipelineRuns();
    assert.deepEqual(run?.["spec"], {
      pipelineRef: pipeline,
      workspaces,
      taskRunTemplate: { serviceAccountName: "runner" },
      params: [
        { name: "replicas", value: "2" },
        { name: "spec", value: { engine: "postgres", replicas: "2", storageGb: "10", version: "18 $(HOME) $x" } },
      ],
    });
  });

  test("starts a Job from a CronJob, with parameters as environment variables that nothing is filled into", async (t) => {
    const scene = await openScene(t);
    if (scene === undefined) return;
    const cronJobs = `/apis/batch/v1/namespaces/${scene.namespace}/cronjobs`;
    const spec = { schedule: "0 0 1 1 *", suspend: true, jobTemplate };
    await scene.client.create(cronJobs, { metadata: { name: "resize" }, spec });
    await scene.start({ type: "job", cronJob: "resize" }, { parameters: { VERSION: "object.spec.version" } });
    const [job] = await scene.jobs();
    assert.deepEqual(job?.["spec"].template.spec.containers[0].env, [
      { name: "A", value: "a" },
      { name: "VERSION", value: "18 $$(HOME) $$x" },
    ]);
    assert.equal(job?.["spec"].backoffLimit, 0);
    assert.equal(job?.metadata.labels?.["team"], "data");
    assert.equal(job?.metadata.annotations?.["cronjob.kubernetes.io/instantiate"], "manual");
  });

  test("says which rule is missing", async (t) => {
    const scene = await openScene(t);
    if (scene === undefined) return;
    const kubernetes = { kubeconfig: await scene.userWhoMay([]) };
    const failure = await failureOf(() => scene.start({ type: "argo", workflowTemplate: "resize", kubernetes }));
    assert.equal(failure.treated, "dead-letter");
    const rule = `Add this rule to the Role in ${scene.namespace} of the functions: {apiGroups: ["argoproj.io"], resources: ["workflows"], verbs: ["create"]}`;
    assert.ok(failure.message.endsWith(rule), failure.message);
  });

  const refused = [
    {
      name: "an event of another cluster",
      target: { type: "argo", workflowTemplate: "resize", kubernetes: { cluster: "us-1" } },
      treated: "dead-letter",
      says: /the event is from the cluster test, and kubernetes\.cluster says that this function acts on us-1/,
    },
    {
      name: "a CronJob that is not there",
      target: { type: "job", cronJob: "none" },
      treated: "dead-letter",
      says: /there is no CronJob test-\w+\/none/,
    },
    {
      name: "an owner in another namespace",
      target: { type: "argo", workflowTemplate: "resize", namespace: "default", owner: true },
      treated: "dead-letter",
      says: /cannot own what is made, in the namespace default/,
    },
    {
      name: "a namespace that is not there yet",
      target: { type: "argo", workflowTemplate: "resize", namespace: "not-there" },
      treated: "retry",
      says: /namespaces "not-there" not found\. Create what is missing/,
    },
    {
      name: "a Job that the API server finds invalid, with its reasons",
      target: {
        type: "job",
        template: { spec: { template: { spec: { containers: [{ name: "A B", image: "x" }] } } } },
      },
      treated: "dead-letter",
      says: /422 Invalid\).*containers\[0\]\.name/,
    },
    {
      name: "a kubeconfig that is not there",
      target: { type: "argo", workflowTemplate: "resize", kubernetes: { kubeconfig: "/not/there" } },
      treated: "dead-letter",
      says: /kubeconfig \/not\/there cannot be read/,
    },
  ] as const;
  for (const { name, target, treated, says } of refused) {
    test(`${name} is told`, async (t) => {
      const scene = await openScene(t);
      if (scene === undefined) return;
      const failure = await failureOf(() => scene.start({ ...target }));
      assert.match(failure.message, says);
      assert.equal(failure.treated, treated);
    });
  }
});
