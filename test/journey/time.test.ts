/**
 * Time, with everything real: what waits goes on through kills of the bridge, of NATS and of the functions; what is due wakes functions that
 * sleep; thousands of timers are due within the same second.
 */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { z } from "zod";
import { connectJetStream } from "../../bridge/nats/jetstream.ts";
import { ensureStream, eventsStream, StreamSettings } from "../../bridge/nats/stream.ts";
import { createHistory } from "../functions/kit/timer/history.ts";
import { holdDue } from "../functions/kit/timer/hold-due.ts";
import { createDataFolder } from "../kit/data-folder.ts";
import { database, databasePath } from "../kit/database-crd.ts";
import { needNats } from "../kit/shared-kube.ts";
import { until } from "../kit/until.ts";
import { startFunctionProcess } from "./function-process.ts";
import { startJourney } from "./rig.ts";
import time from "./time-function.ts";

const PATIENT = { waitMsMax: 90_000, pollMs: 100 };
const FAILED = { when: { phase: { to: "Failed" } } };

interface Call {
  readonly subscription: string;
  readonly names: readonly string[];
  readonly heldSince?: string;
  readonly atMs: number;
}

/** Where the function writes, and subscriptions of it. */
function createLedger() {
  const file = join(createDataFolder(time.name).path, "calls");
  const calls = (): Call[] =>
    (existsSync(file) ? readFileSync(file, "utf8") : "")
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Call);
  return {
    calls,
    names: (subscription: string) =>
      calls()
        .filter((call) => call.subscription === subscription)
        .flatMap(({ names }) => names)
        .toSorted(),
    subscription: (name: string, when: object) => ({
      ...{ name, function: join(import.meta.dirname, "time-function.ts"), config: { file } },
      ...{ apiVersion: "demo.example.com/v1", kind: "Database", start: "all" },
      ...FAILED,
      ...when,
    }),
  };
}

const Consumer = z.object({ name: z.string(), num_pending: z.int(), num_ack_pending: z.int() });
const Answer = z.object({
  account_details: z.array(
    z.object({
      stream_detail: z
        .array(z.object({ name: z.string(), consumer_detail: z.array(Consumer).default([]) }))
        .default([]),
    }),
  ),
});

/** As KEDA's scaler computes it (see test/manifests/scale-to-zero.test.ts). */
async function lagOf(monitorUrl: string, stream: string, consumer: string): Promise<number | undefined> {
  const answer = await fetch(`${monitorUrl}/jsz?acc=$G&consumers=true&config=true`);
  const details = Answer.parse(await answer.json()).account_details.flatMap(({ stream_detail }) => stream_detail);
  const found = details.find(({ name }) => name === stream)?.consumer_detail.find(({ name }) => name === consumer);
  return found && found.num_pending + found.num_ack_pending;
}

describe("time, with everything real", () => {
  test("the bridge, NATS and the functions are killed while events wait: each is told once when it is time, and not when it left or is gone", async (t) => {
    const journey = await startJourney(t);
    if (journey === undefined) return;
    const { kube, namespace, nats } = journey;
    const ledger = createLedger();
    const bridge = await journey.startBridge();
    const config = {
      nats: { servers: [nats.url] },
      subscriptions: [
        ledger.subscription("stuck", { for: "5s" }),
        ledger.subscription("quiet", { debounce: "5s" }),
        ledger.subscription("gathered", { batch: { window: "5s" } }),
        ledger.subscription("paced", { throttle: { max: 1, per: "3s" } }),
        ledger.subscription("once", { oncePer: { key: "metadata.name", within: "1h" } }),
      ],
    };
    const functions = await startFunctionProcess(t, { config });
    const jetStream = await journey.connect();
    const releases = await Promise.all(["stuck", "quiet", "gathered"].map((name) => holdDue(jetStream, name)));
    const create = (name: string) => kube.client.create(databasePath(namespace), database(name, namespace));
    const move = (name: string, phase: string) =>
      kube.client.patch(databasePath(namespace, name), { status: { phase } }, { subresource: "status" });
    const names = ["held", "left", "deleted", "recreated"];
    for (const name of names) await create(name);
    for (const name of names) await move(name, "Failed");
    const waiting = async () => {
      const asked = jetStream.api<{ state: { subjects?: object } }>("STREAM.INFO.CR_TIMERS", {
        subjects_filter: "crtimer.>",
      });
      const subjects = Object.keys((await asked.catch(() => undefined))?.state.subjects ?? {});
      const of = (root: string) => subjects.filter((each) => each.startsWith(root)).length;
      const timersOf = (name: string) => of(`crtimer.wait.${name}.cr.`) + of(`crtimer.due.${name}.`);
      return [timersOf("stuck"), timersOf("quiet"), of("crtimer.member.gathered.")].join();
    };
    await until(async () => (await waiting()) === "4,4,4", PATIENT);

    await Promise.all([bridge.kill("SIGKILL"), functions.kill("SIGKILL"), nats.kill("SIGKILL")]);
    await move("left", "Running");
    await kube.client.delete(databasePath(namespace, "deleted"));
    await kube.client.delete(databasePath(namespace, "recreated"));
    await create("recreated");
    await nats.restart();
    await bridge.restart();
    // What is due by now is judged by the log, so everything is in there first.
    const isTold = async () => {
      const told = (await journey.events()).map(
        ({ name, type, phase }) => `${name} ${type.split(".").at(-1)} ${phase}`,
      );
      const count = (pattern: RegExp) => told.filter((each) => pattern.test(each)).length;
      return count(/^left updated Running/) > 0 && count(/^deleted deleted/) > 0 && count(/^recreated created/) > 1;
    };
    await until(isTold, PATIENT);
    for (const release of releases) await release();
    await functions.restart();

    await until(() => ledger.names("stuck").length >= 1 && ledger.names("quiet").length >= 4, PATIENT);
    await until(() => ledger.names("gathered").length >= 4 && new Set(ledger.names("paced")).size >= 4, PATIENT);
    await until(async () => !/[1-9]/.test(await waiting()), PATIENT);
    await journey.untilIdle();
    assert.deepEqual(ledger.names("stuck"), ["held"]);
    for (const subscription of ["quiet", "gathered", "paced", "once"])
      assert.deepEqual([...new Set(ledger.names(subscription))], names.toSorted(), subscription);
    for (const subscription of ["quiet", "gathered"])
      assert.equal(ledger.names(subscription).length, names.length, `${subscription} tells each once`);
  });

  test("functions that sleep are woken by what is due, and by nothing before that", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const { ledger, nats, jetStream, publish } = scene;
    for (const [name, when] of Object.entries({
      stuck: { for: "3s" },
      quiet: { debounce: "3s" },
      gathered: { batch: { window: "3s" } },
      paced: { throttle: { max: 1, per: "3s" } },
    })) {
      const config = { nats: { servers: [nats.url] }, subscriptions: [ledger.subscription(name, when)] };
      const lag = (stream: string) => lagOf(nats.monitorUrl, stream, `cr-${name}`);
      const noting = await startFunctionProcess(t, { config });
      const release = await holdDue(jetStream, name); // before it sleeps
      const objects = [`${name}-a`, `${name}-b`].map((each) => createHistory(each).moved("Failed"));
      await publish(...objects);
      await until(async () => (await lag("CR_EVENTS")) === 0 && (await lag("CR_TIMERS")) === 0, PATIENT);
      const before = ledger.names(name).length;
      await noting.kill("SIGTERM");
      await release();
      await until(async () => ((await lag("CR_TIMERS")) ?? 0) > 0, PATIENT);
      assert.equal(ledger.names(name).length, before);
      await noting.restart();
      await until(async () => ledger.names(name).length >= 2 && (await lag("CR_TIMERS")) === 0, PATIENT);
      await noting.stop();
    }
  });

  test("thousands are due within the same second: each is told once, and none too early", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const { ledger, nats, publish } = scene;
    const COUNT = 3_000;
    const config = { nats: { servers: [nats.url] }, subscriptions: [ledger.subscription("stuck", { for: "20s" })] };
    await startFunctionProcess(t, { config });
    const objects = Array.from({ length: COUNT }, (_, i) => createHistory(`o${i}`).moved("Failed"));
    await publish(...objects);
    await until(() => ledger.calls().length >= COUNT, { ...PATIENT, pollMs: 500 });
    await until(async () => (await lagOf(nats.monitorUrl, "CR_TIMERS", "cr-stuck")) === 0, PATIENT);
    assert.equal(new Set(ledger.names("stuck")).size, COUNT);
    assert.equal(ledger.calls().length, COUNT);
    const late = ledger.calls().map(({ atMs, heldSince = "" }) => atMs - Date.parse(heldSince) - 20_000);
    const sorted = late.toSorted((a, b) => a - b);
    assert.ok((sorted[0] ?? -1) >= 0, `${sorted[0]} ms`);
    const at = (share: number) => sorted[Math.floor(share * (COUNT - 1))];
    t.diagnostic(`late: ${at(0)} ms at least, p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, at most ${at(1)} ms`);
  });

  test("one after the other: how late a single one is", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const { ledger, nats, publish } = scene;
    const COUNT = 40;
    const config = { nats: { servers: [nats.url] }, subscriptions: [ledger.subscription("stuck", { for: "3s" })] };
    await startFunctionProcess(t, { config });
    for (let i = 0; i < COUNT; i++) {
      await publish(createHistory(`o${i}`).moved("Failed"));
      const enteredMs = Date.now();
      await until(() => Date.now() > enteredMs + 97);
    }
    await until(() => ledger.calls().length >= COUNT, PATIENT);
    const late = ledger.calls().map(({ atMs, heldSince = "" }) => atMs - Date.parse(heldSince) - 3_000);
    const sorted = late.toSorted((a, b) => a - b);
    assert.ok((sorted[0] ?? -1) >= 0, `${sorted[0]} ms`);
    t.diagnostic(`late: ${sorted[0]} ms at least, p50 ${sorted[COUNT / 2]} ms, at most ${sorted.at(-1)} ms`);
  });
});

/** NATS with a log, and a ledger; events are published as a bridge does. */
async function startScene(t: TestContext) {
  const nats = await needNats(t);
  if (nats === undefined) return undefined;
  const jetStream = await connectJetStream({ servers: [nats.url] }, "journey");
  t.after(() => jetStream.close());
  await ensureStream(jetStream, eventsStream(StreamSettings.parse({})));
  return {
    nats,
    jetStream,
    ledger: createLedger(),
    async publish(...events: readonly { readonly subject: string; readonly payload: string }[]) {
      const headers = { "content-type": "application/cloudevents+json" };
      for (let first = 0; first < events.length; first += 64)
        await Promise.all(
          events.slice(first, first + 64).map(({ subject, payload }) => jetStream.publish(subject, payload, headers)),
        );
    },
  };
}
