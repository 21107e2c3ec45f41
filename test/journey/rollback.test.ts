/**
 * Functions that write to the object they are told of, with bridge, log and API server real: a bad spec is rolled back once from the object's
 * history in the log, what was written brings events, and those set nothing off.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { readLetters } from "../../functions/kit/delivery/dead-letter-box.ts";
import { database, databasePath } from "../kit/database-crd.ts";
import { until } from "../kit/until.ts";
import { startCommand, startJourney } from "./rig.ts";

const PATIENCE = { waitMsMax: 60_000 };

describe("an object that fails under a new spec", () => {
  test("gets back the one under which it was healthy, once, and what functions write ends there", async (t) => {
    const journey = await startJourney(t);
    if (journey === undefined) return;
    const { kube, nats, namespace } = journey;
    const path = databasePath(namespace, "orders");
    const kubernetes = { kubeconfig: kube.kubeconfigPath, cluster: "test" };
    const entry = (name: string, functionName: string, config: object, when?: object) => ({
      ...{ name, function: functionName, apiVersion: "demo.example.com/v1", kind: "Database", ...(when && { when }) },
      config: { ...config, kubernetes },
    });
    const subscriptions = [
      entry("undo", "rollback", { healthy: { phases: ["Running"] } }, { phase: { to: "Failed" } }),
      // Every event, with a value that is another one each time: what would go on for ever.
      entry("stamp", "annotate", { annotations: { "example.com/last": "{{ event.id }}" } }),
      entry("stamp-too", "annotate", { labels: { last: "{{ event.sequence }}" } }),
    ];
    await journey.startBridge();
    await startCommand(
      t,
      "run",
      "--subscriptions",
      { nats: { servers: [nats.url] }, subscriptions },
      /"consumer created"/,
    );
    const jetStream = await journey.connect();
    const consumers = () => jetStream.api<{ total: number }>("CONSUMER.NAMES.CR_EVENTS");
    await until(async () => (await consumers()).total === subscriptions.length, PATIENCE);

    const get = () => kube.client.get(path);
    const edit = (spec: object) => kube.client.patch(path, { spec }, { fieldManager: "kubectl-edit" });
    const report = async (phase: string) => {
      const observedGeneration = (await get()).metadata.generation;
      await kube.client.patch(
        path,
        { status: { phase, observedGeneration } },
        { subresource: "status", fieldManager: "operator" },
      );
    };
    const letters = async () =>
      await Array.fromAsync(readLetters(jetStream, {}, AbortSignal.timeout(60_000))).catch(() => []);

    await kube.client.create(databasePath(namespace), database("orders", namespace, { replicas: 1 }));
    await report("Running");
    await edit({ replicas: 9 });
    await report("Failed");
    await until(async () => (await get())["spec"].replicas === 1, { ...PATIENCE, what: "the spec is rolled back" });
    await report("Running");
    await edit({ replicas: 9 });
    await report("Failed");
    await until(async () => (await letters()).length > 0, { ...PATIENCE, what: "a second time is refused" });
    await journey.untilIdle();

    const [letter, ...others] = await letters();
    assert.deepEqual(others, []);
    assert.match(letter?.letter.reason ?? "", /fails again under a spec that was rolled back before/);
    assert.equal((await get())["spec"].replicas, 9);
    const byUndo = (await journey.events()).filter(({ manager }) => manager === "cr-reactor/undo");
    assert.equal(byUndo.length, 1);
    const { resourceVersion } = (await get()).metadata;
    await journey.untilIdle();
    assert.equal((await get()).metadata.resourceVersion, resourceVersion);
  });
});
