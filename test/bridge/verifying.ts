/**
 * A log and a cluster that can be set against each other by hand: a real NATS, an API server, a bridge in this process, and
 * `cr-reactor verify` as a process of its own. The log's duplicate window is short, because what is purged here is published again at once.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { pino } from "pino";
import { stringify } from "yaml";
import { watchedResource } from "../../bridge/capture/resource.ts";
import { BridgeConfig } from "../../bridge/config.ts";
import { opOf, parseEnvelope } from "../../bridge/event/envelope.ts";
import { seal } from "../../bridge/event/seal.ts";
import { openEventLog } from "../../bridge/log/event-log.ts";
import { objectSubject } from "../../bridge/log/subject.ts";
import { runBridge } from "../../bridge/main.ts";
import { connectJetStream } from "../../bridge/nats/jetstream.ts";
import { read } from "../../bridge/nats/reader.ts";
import { ensureStream, eventsStream, StreamSettings } from "../../bridge/nats/stream.ts";
import { createDataFolder } from "../kit/data-folder.ts";
import { database, databasePath } from "../kit/database-crd.ts";
import type { KubeClient } from "../kit/kube-client.ts";
import { needNats } from "../kit/shared-kube.ts";
import { until } from "../kit/until.ts";

const CLI = join(import.meta.dirname, "../../cli/main.ts");
/** Hidden in the configuration: no output may show it. */
const SECRET = "hunter2";
const DUPLICATE_WINDOW_NS = 100 * 1e6;

/** A line of the bridge's own log. */
export interface LogLine {
  readonly level: number;
  readonly msg: string;
  readonly [field: string]: unknown;
}

/** Databases in `namespace`; `extra` goes into their entry. `undefined` where NATS is missing. */
export async function openVerifying(
  t: TestContext,
  kube: { readonly client: KubeClient; readonly kubeconfigPath: string },
  namespace: string,
  extra: object = {},
) {
  const nats = await needNats(t);
  if (nats === undefined) return undefined;
  const { client } = kube;
  const jetStream = await connectJetStream({ servers: [nats.url] }, "verifying");
  t.after(() => jetStream.close());
  const { config: stream, guarded } = eventsStream(StreamSettings.parse({}));
  const makeStream = () =>
    ensureStream(jetStream, { config: { ...stream, duplicate_window: DUPLICATE_WINDOW_NS }, guarded });
  const entry = { apiVersion: "demo.example.com/v1", kind: "Database", namespaces: [namespace], ...extra };
  const config = {
    cluster: "test",
    resources: [entry],
    nats: { servers: [nats.url.replace("nats://", `nats://user:${SECRET}@`)] },
    kubernetes: { kubeconfig: kube.kubeconfigPath },
    health: { host: "127.0.0.1", port: 0 },
  };
  const folder = createDataFolder("verifying");
  t.after(() => folder.remove());
  const [first = entry] = BridgeConfig.parse(config).resources;
  const resource = watchedResource(
    "test",
    { phase: "status.phase", ignore: [], ...first },
    { plural: "databases", namespaced: true },
    namespace,
  );
  const keyOf = (name: string) => objectSubject({ ...resource, namespace, name });
  const log = openEventLog(jetStream);
  const path = (name?: string) => databasePath(namespace, name);
  const envelopes = async () => {
    const reading = { filter_subjects: ["cr.>"], deliver_policy: "all" } as const;
    const delivered = await Array.fromAsync(read(jetStream, reading, AbortSignal.timeout(60_000), false));
    return delivered.map(({ message }) => parseEnvelope(message.data));
  };
  const writeFile = (name: string, text: string) => {
    writeFileSync(join(folder.path, name), text);
    return join(folder.path, name);
  };
  return {
    jetStream,
    makeStream,
    /** Removed with the test; answers its path. */
    writeFile,
    create: (name: string) => client.create(path(), database(name, namespace, { replicas: 1 })),
    scale: (name: string, replicas: number) => client.patch(path(name), { spec: { replicas } }),
    setMessage: (name: string, message: string) =>
      client.patch(path(name), { status: { message } }, { subresource: "status" }),
    remove: (name: string) => client.delete(path(name)),
    /** Takes the object's newest event away. */
    async dropLast(name: string) {
      const last = await log.lastEvent(keyOf(name));
      assert.ok(last);
      await jetStream.api("STREAM.MSG.DELETE.CR_EVENTS", { seq: last.sequence, no_erase: true });
    },
    /** Takes all of the object's events away. */
    purge: (name: string) => jetStream.api("STREAM.PURGE.CR_EVENTS", { filter: `${keyOf(name)}.>` }),
    /** An event of an object that never was, behind those that the name has. */
    async invent(name: string) {
      const object = {
        ...database(name, namespace),
        metadata: { name, namespace, uid: `uid-of-${name}`, resourceVersion: "1" },
      };
      const event = seal(resource, {
        op: "existing",
        object,
        before: undefined,
        resourceVersion: "1",
        gap: false,
        seenAtMs: Date.now(),
      });
      assert.ok(event);
      await log.append(keyOf(name), event, (await log.lastEvent(keyOf(name)))?.sequence ?? 0);
    },
    /** `name op`, with `gap`, in the order of the log. */
    events: async () => (await envelopes()).map((each) => `${each.name} ${opOf(each)}${each.data.gap ? " gap" : ""}`),
    /** Runs `cr-reactor verify --wait 0.3` to its end. */
    verify: (args: readonly string[] = [], overrides: object = {}) => {
      const file = writeFile("bridge.yaml", stringify({ ...config, ...overrides }));
      return runVerify(["--config", file, "--wait", "0.3", ...args]);
    },
    /** In this process. */
    startBridge: (overrides: object = {}) => startBridge(t, { ...config, ...overrides }),
  };
}

/** Runs the command to its end; no output shows a secret or a stack. */
export async function runVerify(args: readonly string[]) {
  const child = spawn(process.execPath, [CLI, "verify", ...args], {
    env: { ...process.env, NO_COLOR: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [out = "", err = ""] = await Promise.all(
    [child.stdout, child.stderr].map(async (stream) => (await Array.fromAsync(stream)).join("")),
  );
  const code = child.exitCode ?? (await new Promise<number | null>((resolve) => child.once("close", resolve)));
  assert.doesNotMatch(out + err, new RegExp(SECRET));
  assert.doesNotMatch(out + err, /\n\s+at /, "no stack");
  return { code, out, err };
}

/** Resolves when it watches. */
async function startBridge(t: TestContext, settings: object) {
  const lines: LogLine[] = [];
  const logger = pino({ base: null }, { write: (line: string) => lines.push(JSON.parse(line) as LogLine) });
  const stop = new AbortController();
  let port = 0;
  const running = runBridge(BridgeConfig.parse(settings), {
    logger,
    signal: stop.signal,
    onListening: (listening) => {
      port = listening;
    },
  });
  const end = () => {
    stop.abort();
    return running;
  };
  t.after(end);
  const get = async (what: string) => (await fetch(`http://127.0.0.1:${port}/${what}`)).text();
  await until(async () => port !== 0 && /"watching"/.test(await get("readyz")), { what: "the bridge to watch" });
  /** The sum of a counter's values; `labels` must be in each. */
  const metric = async (name: string, labels = "") =>
    (await get("metrics"))
      .split("\n")
      .filter((line) => line.startsWith(`${name}{`) && line.includes(labels))
      .reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
  return {
    lines,
    metric,
    /** Resolves when so many verifications more than now have ended. */
    async verified(count: number) {
      const before = await metric("cr_reactor_verifications_total");
      await until(async () => (await metric("cr_reactor_verifications_total")) >= before + count, {
        what: `${count} verifications`,
      });
    },
    stop: end,
  };
}
