import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { opOf } from "../../bridge/event/envelope.ts";
import { database, databasePath } from "../kit/database-crd.ts";
import { until } from "../kit/until.ts";
import { startJourney } from "./rig.ts";

const EFFECT = { timeoutMs: 60_000 };
const short = (event: { name: string; type: `dev.cr-reactor.resource.${string}`; data: { gap: boolean } }) =>
  `${event.name} ${event.type.split(".").at(-1)}${event.data.gap ? " gap" : ""}`;

describe("the main job", () => {
  test("a phase that becomes Failed is one Slack message, changed replicas are one workflow, with before and after right", async (t) => {
    const journey = await startJourney(t);
    if (journey === undefined) return;
    const { kube, namespace, slack, workflows } = journey;
    const patch = (path: string, body: object) =>
      kube.client.patch(
        databasePath(namespace, "orders"),
        body,
        path === "status" ? { subresource: "status", fieldManager: "operator" } : { fieldManager: "person" },
      );
    await kube.client.create(databasePath(namespace), database("old", namespace));
    await journey.startBridge();
    await journey.startFunctions();

    await kube.client.create(
      databasePath(namespace),
      database("orders", namespace, { engine: "postgres", replicas: 3 }),
    );
    await patch("status", { status: { phase: "Running" } });
    await patch("status", { status: { phase: "Failed", message: "disk full" } });
    await slack.waitForMessages(1, EFFECT);
    await patch("spec", { spec: { replicas: 5 } });
    await workflows.waitForWorkflows(1, EFFECT);
    await patch("status", { status: { phase: "Running" } });
    await kube.client.delete(databasePath(namespace, "orders"));
    await until(async () => (await journey.events()).some((event) => opOf(event) === "deleted"));
    await journey.untilIdle();

    assert.equal(slack.messages.length, 1);
    const message = JSON.stringify(slack.messages[0]);
    for (const part of ["orders", "Running → Failed", "disk full", "operator"])
      assert.ok(message.includes(part), `the message says ${part}`);
    assert.deepEqual(
      [...workflows.workflows.values()].map(({ parameters }) => parameters),
      [{ from: 3, to: 5 }],
    );
    assert.deepEqual((await journey.events()).map(short), [
      "old existing",
      "orders created",
      "orders updated",
      "orders updated",
      "orders updated",
      "orders updated",
      "orders deleted",
    ]);
  });

  test("a bridge that was killed and started again tells what happened meanwhile, and nothing false", async (t) => {
    const journey = await startJourney(t);
    if (journey === undefined) return;
    const { kube, namespace, slack } = journey;
    const bridge = await journey.startBridge();
    await journey.startFunctions();
    for (const name of ["quiet", "failing", "removed", "replaced"]) {
      await kube.client.create(databasePath(namespace), database(name, namespace));
    }
    await until(async () => (await journey.events()).length === 4);
    await bridge.kill("SIGKILL");

    await kube.client.patch(
      databasePath(namespace, "failing"),
      { status: { phase: "Failed" } },
      { subresource: "status" },
    );
    await kube.client.delete(databasePath(namespace, "removed"));
    await kube.client.delete(databasePath(namespace, "replaced"));
    await kube.client.create(databasePath(namespace), database("replaced", namespace));
    await kube.client.create(databasePath(namespace), database("born", namespace));
    await bridge.restart();
    await slack.waitForMessages(1, EFFECT);
    await until(async () => (await journey.events()).length >= 9);
    await bridge.kill("SIGTERM");
    await bridge.restart();
    await kube.client.create(databasePath(namespace), database("last", namespace));
    await until(async () => (await journey.events()).some(({ name }) => name === "last"));

    const events = await journey.events();
    assert.deepEqual(
      events
        .slice(4)
        .map(({ name }) => name)
        .filter((name) => name === "quiet"),
      [],
      "nothing about an unchanged object",
    );
    assert.deepEqual(events.slice(4).map(short).toSorted(), [
      "born created",
      "failing updated",
      "last created",
      "removed deleted",
      "replaced created",
      "replaced deleted",
    ]);
    assert.equal(new Set(events.map(({ id }) => id)).size, events.length, "no event twice");
    assert.equal(slack.messages.length, 1);
  });

  test("SIGTERM ends bridge and functions cleanly", async (t) => {
    const journey = await startJourney(t);
    if (journey === undefined) return;
    const [bridge, functions] = [await journey.startBridge(), await journey.startFunctions()];
    await Promise.all([bridge.kill("SIGTERM"), functions.kill("SIGTERM")]);
    assert.match(bridge.logTail(), /the bridge has stopped/);
    assert.match(functions.logTail(), /the functions have stopped/);
  });
});
