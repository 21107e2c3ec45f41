/**
 * Objects nearly as large as etcd takes them, with everything real: their events are up to three times as large, and no message of NATS
 * is. Neither the bridge, stopped and started in between, nor a function notices.
 */
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { pino } from "pino";
import { z } from "zod";
import { type Envelope, opOf } from "../../bridge/event/envelope.ts";
import { type EventLog, openEventLog } from "../../bridge/log/event-log.ts";
import { defineFunction } from "../../functions/kit/define.ts";
import type { FunctionContext } from "../../functions/kit/kit.ts";
import { runFunctions } from "../../functions/main.ts";
import { database, databasePath } from "../kit/database-crd.ts";
import { until } from "../kit/until.ts";
import { startJourney } from "./rig.ts";

const LONG = { waitMsMax: 60_000 };
const text = (seed: string) => `${seed} `.repeat(Math.ceil(1_400_000 / (seed.length + 1)));
const versionIn = (object: object | null | undefined) =>
  String((object as { spec?: { version?: string } } | undefined)?.spec?.version).slice(0, 4);

/** A function that remembers what it was given. */
async function startProbe(t: TestContext, natsUrl: string) {
  const seen: (Pick<FunctionContext<unknown>, "object" | "before" | "change"> & { event: Envelope })[] = [];
  const stop = new AbortController();
  const functions = await runFunctions({
    subscriptions: {
      text: "subscriptions: [{ name: all, function: probe, apiVersion: demo.example.com/v1, kind: Database, start: all }]",
      fileName: "subscriptions.yaml",
    },
    functions: {
      probe: async () => ({
        default: defineFunction({
          name: "probe",
          description: "Remembers what it was given.",
          config: z.object({}),
          async run({ event, object, before, change }) {
            seen.push({ event, object, before, change });
          },
        }),
      }),
    },
    nats: { servers: [natsUrl] },
    log: pino({ level: "silent" }),
    signal: stop.signal,
  });
  t.after(async () => {
    stop.abort();
    await functions.done;
  });
  return seen;
}

describe("an object of 1.4 MB", () => {
  for (const options of [{}, { config: "max_payload: 64KB" }]) {
    test(`is created, changed and deleted with ${options.config ?? "the default max_payload"}, over restarts of the bridge`, async (t) => {
      const journey = await startJourney(t, { nats: options });
      if (journey === undefined) return;
      const { kube, nats, namespace } = journey;
      const bridge = await journey.startBridge();
      const seen = await startProbe(t, nats.url);
      await kube.client.create(databasePath(namespace), database("large", namespace, { version: text("one") }));
      await until(() => seen.length === 1, LONG);
      await bridge.kill("SIGKILL");
      await bridge.restart();
      await kube.client.patch(databasePath(namespace, "large"), { spec: { version: text("two") } });
      await until(() => seen.length === 2, LONG);
      const begunMs = performance.now();
      await kube.client.patch(databasePath(namespace, "large"), { spec: { version: text("three") } });
      await until(() => seen.length === 3, LONG);
      t.diagnostic(`from the request to the function: ${Math.round(performance.now() - begunMs)} ms`);
      await bridge.kill("SIGKILL");
      await kube.client.delete(databasePath(namespace, "large"));
      await bridge.restart();
      await until(() => seen.length === 4, LONG);
      assert.deepEqual(
        seen.map(({ event, object, before, change }) => [
          opOf(event),
          versionIn(before),
          versionIn(object),
          change.patch?.map(({ op, path }) => `${op} ${path}`),
          change.gap,
        ]),
        [
          ["created", "unde", "one ", undefined, false],
          ["updated", "one ", "two ", ["replace /spec/version"], false],
          ["updated", "two ", "thre", ["replace /spec/version"], false],
          ["deleted", "thre", "thre", undefined, false],
        ],
      );
      assert.deepEqual(seen[2]?.before?.["spec"], database("large", namespace, { version: text("two") }).spec);
      const log = openEventLog(await journey.connect());
      const dataOf = async (sequence: number) => (await log.eventAt(sequence))?.envelope?.data;
      assert.deepEqual(await Promise.all([1, 2, 3, 4].map(dataOf)), [undefined, undefined, undefined, undefined]);
    });
  }

  test("whose last state NATS has lost is published without a difference, and goes on from there", async (t) => {
    const journey = await startJourney(t);
    if (journey === undefined) return;
    const { kube, namespace } = journey;
    const bridge = await journey.startBridge();
    for (const name of ["kept", "gone"])
      await kube.client.create(databasePath(namespace), database(name, namespace, { version: text("one") }));
    const jetStream = await journey.connect();
    const log = openEventLog(jetStream);
    const last = async (name: string, from: EventLog = log) =>
      (await from.lastEvent(`cr.test.demo_example_com.Database.${namespace}.${name}`))?.envelope;
    await until(async () => (await last("kept")) !== undefined && (await last("gone")) !== undefined, LONG);
    await bridge.kill("SIGKILL");
    await jetStream.api("STREAM.PURGE.OBJ_CR_BLOBS");
    await jetStream.api("STREAM.PURGE.KV_CR_CHECKPOINTS"); // so that the deletion is found by comparing
    await kube.client.patch(databasePath(namespace, "kept"), { spec: { version: "17" } });
    await kube.client.delete(databasePath(namespace, "gone"));
    await bridge.restart();
    await until(async () => String((await last("gone"))?.type).endsWith("deleted"), LONG);
    await until(async () => (await last("kept"))?.data !== undefined, LONG);
    const [kept, gone] = [await last("kept"), await last("gone")];
    assert.deepEqual([kept && opOf(kept), kept?.data?.gap, versionIn(kept?.data?.object)], ["existing", true, "17"]);
    assert.deepEqual([gone?.data?.gap, gone?.data?.object.metadata.name], [true, "gone"]);
    assert.match(bridge.logTail(), /gone from the bucket CR_BLOBS: its state is published without a difference/);
    await kube.client.patch(databasePath(namespace, "kept"), { spec: { replicas: 3 } });
    await until(async () => (await last("kept"))?.changed === "spec", LONG);
    assert.deepEqual((await last("kept"))?.data?.patch, [
      { op: "replace", path: "/spec/replicas", value: 3, oldValue: 1 },
    ]);
  });
});
