/** What /readyz says about a process of `cr-reactor run`, and that it is there when a subscriptions file asks for it, and only then. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { pino } from "pino";
import { z } from "zod";
import { type FunctionsState, readinessOf } from "../../functions/health.ts";
import { defineFunction } from "../../functions/kit/define.ts";
import type { SubscriptionState } from "../../functions/kit/kit.ts";
import { runFunctions } from "../../functions/main.ts";
import { startRig, until } from "./kit/delivery/rig.ts";

const subscription = (state: SubscriptionState, more: object = {}) => ({
  ...{ name: `is-${state}`, state, partitions: { held: [0], count: 1 }, lastError: undefined },
  ...more,
});
const state = (states: readonly SubscriptionState[], more: Partial<FunctionsState> = {}): FunctionsState => ({
  ...{ connected: true, stopping: false, subscriptions: states.map((each) => subscription(each)) },
  ...more,
});

describe("a process of functions", () => {
  const rows: readonly { name: string; given: FunctionsState; ready: boolean }[] = [
    { name: "is ready while it runs", given: state(["running"]), ready: true },
    { name: "is ready as a standby", given: state(["standby"]), ready: true },
    { name: "is ready while no bridge has made the log yet", given: state(["waiting"]), ready: true },
    { name: "is ready while one of its subscriptions fails", given: state(["failing", "running"]), ready: true },
    { name: "is not ready when all of them fail", given: state(["failing", "failing"]), ready: false },
    { name: "is not ready while it starts", given: state(["starting"]), ready: false },
    { name: "is not ready before NATS was there", given: state([], { connected: undefined }), ready: false },
    { name: "is not ready without NATS", given: state(["running"], { connected: false }), ready: false },
    { name: "is not ready once it was told to stop", given: state(["draining"], { stopping: true }), ready: false },
  ];
  for (const { name, given, ready } of rows) test(name, () => assert.equal(readinessOf(given).ready, ready));

  test("says of each subscription how it is, and what is wrong with one that fails", () => {
    const failing = subscription("failing", { lastError: "no answer" });
    const edited = subscription("running", { edit: { generation: 2, waitsFor: "1 of 1 partitions" } });
    assert.deepEqual(readinessOf(state([], { subscriptions: [failing, edited] })).details, {
      nats: "connected",
      subscriptions: {
        "is-failing": { state: "failing", partitions: "1 of 1 held", error: "no answer" },
        "is-running": { state: "running", partitions: "1 of 1 held", edit: "1 of 1 partitions" },
      },
    });
  });

  const functions = {
    idle: async () => ({
      default: defineFunction({ name: "idle", description: "", config: z.object({}), run: async () => {} }),
    }),
  };
  const text = (health: string) =>
    `${health}\nsubscriptions: [{ name: a, function: idle, apiVersion: demo.example.com/v1, kind: Database }]`;

  test("answers while it waits for NATS, is ready when it runs, and listens to nothing unless it is asked to", async (t) => {
    const rig = await startRig(t);
    if (rig === undefined) return;
    const stop = new AbortController();
    t.after(() => stop.abort());
    const start = (health: string) =>
      runFunctions({
        subscriptions: { text: text(health), fileName: "s.yaml" },
        functions,
        nats: { servers: [rig.nats.url] },
        log: pino({ level: "silent" }),
        signal: stop.signal,
      });
    const quiet = await start("");
    assert.equal(quiet.healthPort, undefined);
    const running = await start("health: { host: 127.0.0.1, port: 0 }");
    const ask = (path: string) => fetch(`http://127.0.0.1:${running.healthPort}${path}`);
    await until(async () => (await ask("/readyz")).status === 200);
    assert.equal((await ask("/livez")).status, 200);
    assert.match(await (await ask("/metrics")).text(), /^cr_reactor_subscription_runs_total\{subscription="a"\} 0$/m);
    const { subscriptions } = (await (await ask("/status")).json()) as { subscriptions: { name: string }[] };
    assert.deepEqual(
      subscriptions.map(({ name }) => name),
      ["a"],
    );
    assert.match(await (await ask("/")).text(), /ask \/livez, \/readyz, \/metrics or \/status/);
    stop.abort();
    await Promise.all([quiet.done, running.done]);
    await assert.rejects(ask("/livez"));
  });
});
