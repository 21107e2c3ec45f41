import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { pino } from "pino";
import { z } from "zod";
import { BridgeConfig } from "../../../bridge/config.ts";
import { putBlob } from "../../../bridge/log/blob.ts";
import { collectBlobs } from "../../../bridge/log/blob-collection.ts";
import { runBridge } from "../../../bridge/main.ts";
import { connectJetStream } from "../../../bridge/nats/jetstream.ts";
import { notAllowed, overlaps } from "../../../bridge/nats/nats-requirement.ts";
import { createNatsIncidents } from "../../../functions/kit/incident/nats-memory.ts";
import { defineFunction, ensureRetries, findLetter, orderRetry, PermanentError } from "../../../functions/kit/kit.ts";
import { runFunctions } from "../../../functions/main.ts";
import { updated } from "../../functions/kit/event-factory.ts";
import { databasePath } from "../../kit/database-crd.ts";
import { needNats, sharedKube, uniqueNamespace } from "../../kit/shared-kube.ts";
import { until } from "../../kit/until.ts";
import { bridgeText, doctor, file, SECRET, subscriptionText } from "./doctor-run.ts";

/** A NATS whose two users may do what is given. */
const users = (bridge: string, functions: string) => ({
  config: `accounts { A { jetstream: enabled, users: [
    { user: admin, password: ${SECRET} }
    { user: bridge, password: ${SECRET}, permissions: ${bridge} }
    { user: functions, password: ${SECRET}, permissions: ${functions} }
  ] } }
  no_auth_user: admin`,
});
const as = (user: string) => `nats: { user: ${user}, password: { env: SECRET } }`;
const log = pino({ level: "silent" });

describe("the permissions that doctor prints", () => {
  test("are all that a bridge and functions need, with dead letters and a restart, and doctor finds them enough", async (t) => {
    const kube = await sharedKube(t);
    const poor = kube && (await needNats(t, users(`{ publish: "none" }`, `{ publish: "none" }`)));
    if (kube === undefined || poor === undefined) return;
    const files = [
      "--config",
      file(t, "bridge.yaml", bridgeText(as("bridge"))),
      "--subscriptions",
      file(t, "subs.yaml", subscriptionText(as("functions"))),
    ];
    const { lines } = await doctor(files, { NATS_URL: poor.url });
    const printed = (part: string) =>
      /permissions: (\{.*\})$/.exec(lines.find((line) => line.startsWith(`${part} failed`)) ?? "")?.[1] ?? "";
    const nats = await needNats(t, users(printed("nats-bridge"), printed("nats-functions")));
    if (nats === undefined) return;
    const admin = await connectJetStream({ servers: [nats.url] }, "t");
    t.after(() => admin.close());
    const namespace = await uniqueNamespace(kube);
    const signIn = (user: string) => ({ servers: [nats.url], user, password: { env: "SECRET" } });
    const config = BridgeConfig.parse({
      cluster: "dev",
      resources: [{ apiVersion: "demo.example.com/v1", kind: "Database", namespaces: [namespace] }],
      nats: signIn("bridge"),
      kubernetes: { kubeconfig: kube.kubeconfigPath },
      health: { host: "127.0.0.1", port: 0 },
    });
    const create = (name: string, version = "8") =>
      kube.client.create(databasePath(namespace), {
        apiVersion: "demo.example.com/v1",
        kind: "Database",
        metadata: { name },
        spec: { engine: "mysql", version },
      });
    const stored = async (stream: string) =>
      (await admin.api<{ state: { messages: number } }>(`STREAM.INFO.${stream}`).catch(() => undefined))?.state
        .messages ?? 0;

    const seen: string[] = [];
    const held = new Set<string>();
    let isMended = false;
    const stopFunctions = new AbortController();
    const functions = await runFunctions({
      subscriptions: {
        nats: {},
        subscriptions: [
          {
            name: "all",
            function: "probe",
            apiVersion: "demo.example.com/v1",
            kind: "Database",
            resolve: { deleted: true },
            includeExisting: false,
            start: "all",
            config: {},
            concurrency: 1,
            partitions: 1,
            attempts: 1,
          },
          {
            ...{ name: "held", function: "held", apiVersion: "demo.example.com/v1", kind: "Database" },
            ...{ when: { field: { path: "spec", present: true } }, for: "1s", includeExisting: false, start: "all" },
            ...{ config: {}, concurrency: 1, partitions: 1, attempts: 1 },
          },
        ],
      },
      functions: {
        held: async () => ({
          default: defineFunction({
            name: "held",
            description: "Remembers what was there for a second.",
            config: z.object({}),
            run: async ({ object }) => void held.add(object.metadata.name),
          }),
        }),
        probe: async () => ({
          default: defineFunction({
            name: "probe",
            description: "Remembers what it saw.",
            config: z.object({}),
            async run({ object, step }) {
              await step("see", () => {
                seen.push(object.metadata.name);
              });
              if (object.metadata.name === "bad" && !isMended) throw new PermanentError("never");
            },
          }),
        }),
      },
      nats: signIn("functions"),
      log,
      signal: stopFunctions.signal,
    });
    t.after(() => stopFunctions.abort());
    const startBridge = () => {
      const stop = new AbortController();
      t.after(() => stop.abort());
      const done = runBridge(config, { logger: log, signal: stop.signal });
      return () => {
        stop.abort();
        return done;
      };
    };
    const stopBridge = startBridge();
    await until(async () => (await stored("KV_CR_CHECKPOINTS")) > 0);
    await create("good");
    await create("bad");
    await until(async () => seen.length === 2 && (await stored("CR_DEAD_LETTERS")) === 1);
    isMended = true;
    const letter = await findLetter(admin, 1);
    assert.ok(letter);
    await ensureRetries(admin);
    await orderRetry(admin, letter);
    await until(() => held.has("good") && held.has("bad"));
    await until(async () => (await stored("CR_DEAD_LETTERS")) + (await stored("CR_RETRIES")) === 0);
    assert.equal(await stored("KV_CR_STEPS"), 2);
    assert.equal(await stored("KV_CR_INCIDENTS"), 2);
    const asFunctions = await connectJetStream(signIn("functions"), "t");
    t.after(() => asFunctions.close());
    const past = createNatsIncidents(asFunctions, log).history?.(
      updated({ phase: "Running" }, { phase: "Failed" }).envelope,
      AbortSignal.timeout(60_000),
    );
    assert.deepEqual(await Array.fromAsync(past ?? [undefined]), []);
    await stopBridge();
    const stopBridgeAgain = startBridge();
    await create("late", "x".repeat(1_200_000));
    await until(() => seen.length === 3);
    await until(
      async () =>
        (await admin.api<{ ack_floor: { stream_seq: number } }>("CONSUMER.INFO.CR_EVENTS.cr-all")).ack_floor
          .stream_seq === 3,
    );
    assert.ok((await stored("OBJ_CR_BLOBS")) > 1);
    const asBridge = await connectJetStream(signIn("bridge"), "t");
    t.after(() => asBridge.close());
    await putBlob(asBridge, "cr.dev.g.K.ns.n/uid.1/digest", Buffer.from("of an event that never came"));
    const collecting = { jetStream: asBridge, signal: AbortSignal.timeout(60_000), now: () => Date.now() + 7_200_000 };
    assert.equal((await collectBlobs(collecting)).removed, 1);
    await stopBridgeAgain();
    stopFunctions.abort();
    await functions.done;
    assert.doesNotMatch(nats.logTail(), /Violation/);

    const { text } = await doctor(files, { NATS_URL: nats.url });
    assert.match(text, /nats-bridge ok: permissions: all that the bridge needs/);
    assert.match(text, /nats-functions ok: permissions: all that the functions need/);
  });

  const cases = [
    { name: "without limits everything is allowed", permission: {}, expected: [] },
    { name: "a wider pattern allows", permission: { allow: ["cr.>", "$JS.*.INFO"] }, expected: [] },
    { name: "a narrower one does not", permission: { allow: ["cr.dev.*", "$JS.API.INFO"] }, expected: ["cr.dev.>"] },
    { name: "what overlaps a denied pattern is not allowed", permission: { deny: ["cr.*.x"] }, expected: ["cr.dev.>"] },
    {
      name: "a denied pattern elsewhere does not count",
      permission: { allow: [">"], deny: ["cr.prod.>", "$JS.API"] },
      expected: [],
    },
  ];
  for (const { name, permission, expected } of cases) {
    test(name, () => assert.deepEqual(notAllowed(["cr.dev.>", "$JS.API.INFO"], permission), expected));
  }

  test("patterns overlap when some subject matches both", () => {
    assert.deepEqual(
      [
        ["a.*.c", "a.b.>"],
        ["a.b", "a.b.c"],
        ["a.>", "a"],
        ["*.b q", "a.b"],
      ].map(([one = "", other = ""]) => overlaps(one, other)),
      [true, false, false, true],
    );
  });
});
