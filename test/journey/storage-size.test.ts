/**
 * The example from the field: somebody enlarges a Database's storage, and three things happen at once. A Knative service is told (a function
 * served over HTTP, behind `relay`), an Argo Workflow resizes the volume, and Slack shows who changed what from how much to how much. Everything
 * is real but Slack; no broker stands between relay and the service.
 */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { createDataFolder } from "../kit/data-folder.ts";
import { database, databasePath } from "../kit/database-crd.ts";
import type { KubeObject } from "../kit/kube-client.ts";
import { until } from "../kit/until.ts";
import { startReceiver } from "../kit/webhook-server.ts";
import { workflowCrds } from "../kit/workflow-crd.ts";
import { startCommand, startJourney } from "./rig.ts";

const EFFECT = { timeoutMs: 60_000 };

/** What the Knative service does with the event: a quota is asked for elsewhere. */
const QUOTA = `
import { z } from ${JSON.stringify(import.meta.resolve("zod"))};
import { defineFunction } from ${JSON.stringify(import.meta.resolve("../../functions/door.ts"))};
export default defineFunction({
  name: "reserve-quota",
  description: "Asks for as much storage as is wanted now.",
  config: z.strictObject({ url: z.string() }),
  async run({ object, before, config, step, signal }) {
    const body = JSON.stringify({ name: object.metadata.name, from: before?.spec.storageGb, to: object.spec.storageGb });
    await step("reserve", () => fetch(config.url, { method: "POST", body, signal }).then(() => undefined));
  },
});
`;

describe("the storage of a Database grows", () => {
  test("and a Knative service, an Argo Workflow and Slack hear of it, each once", async (t) => {
    const journey = await startJourney(t);
    if (journey === undefined) return;
    const { kube, nats, namespace, slack } = journey;
    for (const crd of workflowCrds) await kube.client.applyCrd(crd);
    const quota = await startReceiver(() => ({ status: 200 }));
    t.after(() => quota.stop());
    const kind = { apiVersion: "demo.example.com/v1", kind: "Database" };
    const when = { field: { path: "spec.storageGb", increased: true } };

    const file = join(createDataFolder("quota").path, "reserve-quota.ts");
    writeFileSync(file, QUOTA);
    const reserve = { name: "reserve-quota", function: file, ...kind, when, config: { url: quota.origin } };
    const serve = { host: "127.0.0.1", port: 0 };
    const served = await startCommand(
      ...([t, "serve", "--subscriptions", { serve, subscriptions: [reserve] }, /"listening for CloudEvents"/] as const),
    );
    const sink = /"url":"([^"]+)"/.exec(served.logTail())?.[1];

    await journey.startBridge();
    const entry = (name: string, functionName: string, config: object) => ({
      name,
      function: functionName,
      ...kind,
      when,
      config,
    });
    const target = { type: "argo", workflowTemplate: "resize", kubernetes: { kubeconfig: kube.kubeconfigPath } };
    const parameters = { database: "event.name", from: "before.spec.storageGb", to: "object.spec.storageGb" };
    const subscriptions = [
      entry("storage-knative", "relay", { url: sink, mode: "binary" }),
      entry("storage-workflow", "trigger-workflow", { target, parameters, namePrefix: "resize-" }),
      entry("storage-slack", "notify-slack", { webhookUrl: { env: "TEST_SLACK_URL" } }),
    ];
    await startCommand(
      t,
      "run",
      "--subscriptions",
      { nats: { servers: [nats.url] }, subscriptions },
      /"consumer created"/,
    );
    const jetStream = await journey.connect();
    const consumers = () => jetStream.api<{ total: number }>("CONSUMER.NAMES.CR_EVENTS");
    await until(async () => (await consumers()).total === subscriptions.length);

    await kube.client.create(databasePath(namespace), database("orders", namespace, { storageGb: 10 }));
    const patch = (spec: object) =>
      kube.client.patch(databasePath(namespace, "orders"), { spec }, { fieldManager: "kubectl-edit" });
    await patch({ replicas: 2 });
    await patch({ storageGb: 20 });
    await patch({ storageGb: 15 });

    await quota.until(() => quota.requests.length > 0, "the quota's reservation", EFFECT.timeoutMs);
    await slack.waitForMessages(1, EFFECT);
    const path = `/apis/argoproj.io/v1alpha1/namespaces/${namespace}/workflows`;
    await until(async () => (await kube.client.list(path)).length > 0, { waitMsMax: EFFECT.timeoutMs });
    await journey.untilIdle();

    assert.deepEqual(
      quota.requests.map(({ body }) => JSON.parse(body)),
      [{ name: "orders", from: 10, to: 20 }],
    );
    const workflows = await kube.client.list<KubeObject>(path);
    assert.deepEqual(
      workflows.map((workflow) => workflow["spec"].arguments.parameters),
      [
        [
          { name: "database", value: "orders" },
          { name: "from", value: "10" },
          { name: "to", value: "20" },
        ],
      ],
    );
    assert.equal(slack.messages.length, 1);
    const message = JSON.stringify(slack.messages[0]);
    for (const part of ["orders", "spec.storageGb", "10", "20", "kubectl-edit"])
      assert.ok(message.includes(part), `the message says ${part}`);
  });
});
