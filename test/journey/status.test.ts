/** What the bridge says of the objects, over restarts and through its health port, and what `cr-reactor status` makes of it. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { describe, type TestContext, test } from "node:test";
import type { BridgeStatus } from "../../bridge/metrics/status-report.ts";
import { database, databasePath } from "../kit/database-crd.ts";
import { openEmbedded } from "../kit/embedded-kube.ts";
import { until } from "../kit/until.ts";
import { openBridgeScene, type RunningBridge } from "./bridge-scene.ts";

const CLI = join(import.meta.dirname, "../../cli/main.ts");
const DATABASES = { apiVersion: "demo.example.com/v1", kind: "Database" };
const RESOURCE = "databases.demo.example.com";

async function openScene(t: TestContext) {
  const stage = await openEmbedded(t);
  const scene = await openBridgeScene(t, stage.kubeconfigPath);
  if (scene === undefined) return undefined;
  for (const namespace of ["prod", "stage"]) await stage.client.createNamespace(namespace);
  const { client } = stage;
  return {
    stage,
    scene,
    async create(namespace: string, name: string, phase?: string) {
      await client.create(databasePath(namespace), database(name, namespace));
      if (phase !== undefined) await this.setPhase(namespace, name, phase);
    },
    setPhase: (namespace: string, name: string, phase: string) =>
      client.patch(databasePath(namespace, name), { status: { phase } }, { subresource: "status" }),
    remove: (namespace: string, name: string) => client.delete(databasePath(namespace, name)),
  };
}

/** Nothing before it listens. */
const metricsOf = async (bridge: RunningBridge) => {
  const answer = await fetch(`http://${bridge.address()}/metrics`).catch(() => undefined);
  return (await answer?.text()) ?? "";
};

/** `namespace phase count`, sorted. */
async function countsOf(bridge: RunningBridge): Promise<readonly string[]> {
  const found = (await metricsOf(bridge)).matchAll(
    /^cr_reactor_objects\{resource="[^"]+",namespace="([^"]*)",phase="([^"]*)"\} (\d+)$/gm,
  );
  return [...found].map(([, namespace, phase, count]) => `${namespace} ${phase} ${count}`).sort();
}

const untilCounts = (bridge: RunningBridge, expected: readonly string[]) =>
  until(async () => JSON.stringify(await countsOf(bridge)) === JSON.stringify(expected), {
    what: `the counts to be ${expected.join(", ")}`,
  });

const statusOf = async (bridge: RunningBridge) =>
  (await (await fetch(`http://${bridge.address()}/status`)).json()) as BridgeStatus;

async function runStatus(...args: string[]) {
  const child = spawn(process.execPath, [CLI, "status", ...args], { env: { ...process.env, NO_COLOR: "1" } });
  const [stdout, stderr, code] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    new Promise<number | null>((resolve) => child.once("close", resolve)),
  ]);
  return { stdout, stderr, code };
}

describe("the objects' metrics", () => {
  test("follow the objects, are right again after a restart that resumes, and go with them", async (t) => {
    const opened = await openScene(t);
    if (opened === undefined) return;
    const { scene, stage } = opened;
    await opened.create("prod", "orders");
    const first = scene.startBridge({ resources: [DATABASES] });
    await first.live(1);
    await opened.setPhase("prod", "orders", "Running");
    await opened.create("stage", "users", "Failed");
    await opened.create("stage", "gone", "Failed");
    await untilCounts(first, ["prod Running 1", "stage Failed 2"]);
    const sinceOf = async (bridge: RunningBridge) => {
      const { resources } = await statusOf(bridge);
      return Date.now() / 1000 - (resources[0]?.phases["Running"]?.longestSeconds ?? 0);
    };
    const since = await sinceOf(first);
    await scene.told("stage/gone updated");
    await first.stop();
    await opened.remove("stage", "gone");
    await opened.setPhase("stage", "users", "Running");
    const second = scene.startBridge({ resources: [DATABASES] });
    await untilCounts(second, ["prod Running 1", "stage Running 1"]);
    assert.ok(second.lines.some(({ msg }) => msg === "resuming behind the checkpoint"));
    assert.ok(Math.abs((await sinceOf(second)) - since) <= 3, "since when the phase holds is known from the log");
    await stage.restart(); // a list is needed
    await opened.remove("prod", "orders");
    await untilCounts(second, ["stage Running 1"]);
  });

  test("of a watch that is taken out of the configuration are not told, of a selection only its own", async (t) => {
    const opened = await openScene(t);
    if (opened === undefined) return;
    const { scene, stage } = opened;
    const namespaceSelector = "team=a";
    const label = (name: string, team: string | null) =>
      stage.client.patch(`/api/v1/namespaces/${name}`, { metadata: { labels: { team } } });
    await label("prod", "a");
    await label("stage", "a");
    await opened.create("prod", "orders", "Running");
    await opened.create("stage", "users", "Running");
    const bridge = scene.startBridge({ resources: [{ ...DATABASES, namespaceSelector }] });
    await untilCounts(bridge, ["prod Running 1", "stage Running 1"]);
    await label("stage", null);
    await untilCounts(bridge, ["prod Running 1"]);
    assert.doesNotMatch(await metricsOf(bridge), /in stage/);
  });
});

describe("cr-reactor status", () => {
  test("says that nothing was there, then that all is right, names what is not well, and what is wrong", async (t) => {
    const opened = await openScene(t);
    if (opened === undefined) return;
    const { scene } = opened;
    const server = ["--server", scene.nats.url];
    const nothing = await runStatus(...server);
    assert.deepEqual([nothing.code, nothing.stderr], [1, ""]);
    assert.match(nothing.stdout, /^problem: there is no stream CR_EVENTS/);
    await opened.create("prod", "orders", "Failed");
    const bridge = scene.startBridge({ resources: [DATABASES] });
    await untilCounts(bridge, ["prod Failed 1"]);
    await until(async () => (await runStatus(...server)).stdout.includes(RESOURCE), { what: "the checkpoint" });
    const good = await runStatus(...server, "--url", `http://${bridge.address()}`);
    assert.equal(good.code, 0, good.stdout + good.stderr);
    assert.match(good.stdout, /^everything is all right/);
    assert.match(good.stdout, /databases\.demo\.example\.com {2,}1 {2,}.*1 Failed/);
    assert.match(good.stdout, /databases\.demo\.example\.com prod\/orders {2,}Failed {2,}\d+ [sm]/);
    const json = JSON.parse((await runStatus(...server, "--json")).stdout) as {
      ok: boolean;
      watches: { cluster: string }[];
    };
    assert.deepEqual([json.ok, json.watches[0]?.cluster], [true, "test"]);
    const wrong = await runStatus(...server, "--url", scene.nats.url.replace("nats:", "http:"));
    assert.equal(wrong.code, 1);
    assert.match(wrong.stderr, /error: .*does not answer/);
  });
});
