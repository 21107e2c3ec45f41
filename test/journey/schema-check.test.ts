/**
 * A subscription with a mistake that no filter can tell by itself: `spec.replcas` never changes. The bridge publishes what the kind has, and
 * whoever runs the function is told, and told again when the definition makes it right. Nothing is refused or delayed.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { pino } from "pino";
import { z } from "zod";
import { defineFunction } from "../../functions/kit/define.ts";
import { SubscriptionsFile } from "../../functions/kit/kit.ts";
import { runFunctions } from "../../functions/main.ts";
import { databaseCrd } from "../kit/database-crd.ts";
import { openEmbedded } from "../kit/embedded-kube.ts";
import { until } from "../kit/until.ts";
import { openBridgeScene } from "./bridge-scene.ts";

const quiet = defineFunction({ name: "quiet", description: "Does nothing.", config: z.any(), async run() {} });

/** The Database's definition with one more field in its spec. */
function withField(name: string): typeof databaseCrd {
  const copy = structuredClone(databaseCrd);
  for (const { schema } of copy.spec.versions)
    Object.assign(schema.openAPIV3Schema.properties.spec.properties, { [name]: { type: "integer" } });
  return copy;
}

test("a mistaken path is told at start with the nearest name, and that it is healed when the definition has it", async (t) => {
  const { client, kubeconfigPath } = await openEmbedded(t);
  const scene = await openBridgeScene(t, kubeconfigPath);
  if (scene === undefined) return;
  const lines: { readonly msg: string; readonly subscription?: string; readonly level: number }[] = [];
  const log = pino({ base: null }, { write: (line: string) => lines.push(JSON.parse(line)) });
  const stop = new AbortController();
  const selection = { apiVersion: "demo.example.com/v1", kind: "Database", function: "quiet" };
  const subscriptions = SubscriptionsFile.parse({
    subscriptions: [
      { ...selection, name: "mistaken", when: { field: { path: "spec.replcas" } } },
      { ...selection, name: "right", when: { field: { path: "spec.replicas" } } },
    ],
  });
  // Before there is a bridge, a log, or a schema.
  const running = await runFunctions({
    subscriptions,
    functions: { quiet: async () => ({ default: quiet }) },
    nats: { servers: [scene.nats.url] },
    log,
    signal: stop.signal,
  });
  t.after(async () => {
    stop.abort();
    await running.done;
  });
  await until(() =>
    lines.some(({ msg }) => /no bridge has published a schema of Database demo\.example\.com\/v1/.test(msg)),
  );
  const bridge = scene.startBridge({ resources: [{ apiVersion: "demo.example.com/v1", kind: "Database" }] });
  const told = (text: RegExp) => lines.filter(({ msg }) => text.test(msg));
  await until(() => told(/did you mean "spec\.replicas"/).length > 0, { what: "the mistake to be told" });
  const [mistake] = told(/did you mean/);
  assert.equal(mistake?.subscription, "mistaken");
  assert.equal(mistake?.level, 40);
  const status = (name: string) => running.status().subscriptions.find((each) => each.name === name);
  assert.match(status("mistaken")?.mistakes.join() ?? "", /^when\.field: spec\.replcas is not in Database/);
  assert.deepEqual(status("right")?.mistakes, []);
  await client.applyCrd(withField("replcas"));
  await until(() => told(/^it is right now, and was: when\.field: spec\.replcas/).length === 1, {
    what: "the healed mistake to be told",
    waitMsMax: 60_000,
  });
  assert.deepEqual(status("mistaken")?.mistakes, []);
  assert.equal(told(/did you mean/).filter(({ level }) => level === 40).length, 1);
  await bridge.stop();
});
