/**
 * NATS as overlays/multi-cluster configures it, on real servers: the hub is production's cluster of three with TLS, its users and their
 * permissions, as the ConfigMap has them; another cluster's leaf node is connected to it. Replaced are addresses and
 * folders; certificates and passwords are those that make-secrets.sh prints.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { pino } from "pino";
import { parseAllDocuments } from "yaml";
import { z } from "zod";
import { BridgeConfig } from "../../bridge/config.ts";
import { runBridge } from "../../bridge/main.ts";
import { connectJetStream } from "../../bridge/nats/jetstream.ts";
import type { NatsSettings } from "../../bridge/nats/nats-settings.ts";
import { parseYamlConfig } from "../../bridge/yaml-config.ts";
import { defineFunction, PermanentError, parseSubscriptions } from "../../functions/kit/kit.ts";
import { runFunctions } from "../../functions/main.ts";
import { findBinary } from "../kit/binary.ts";
import { createDataFolder } from "../kit/data-folder.ts";
import { database, databaseCrd, databasePath } from "../kit/database-crd.ts";
import { withFreePorts } from "../kit/free-port.ts";
import type { KubeObject } from "../kit/kube-client.ts";
import { type ServerProcess, startServer } from "../kit/server-process.ts";
import { needKube, needNats, needOpenssl, uniqueNamespace } from "../kit/shared-kube.ts";
import { until } from "../kit/until.ts";
import { configOf, MANIFESTS, RENDERINGS, render } from "./rendering.ts";

/** The variables of the configuration, and their keys in the Secret nats-users. */
const PASSWORDS = {
  NATS_BRIDGE_PRODUCTION_PASSWORD: "bridge",
  NATS_BRIDGE_EDGE_PASSWORD: "bridge-edge",
  NATS_FUNCTIONS_PASSWORD: "functions",
  NATS_OPERATOR_PASSWORD: "operator",
} as const;
/** Production's subscription gets a timer, so that those permissions are used too. */
const HELD_FOR = "1s";
const log = pino({ level: "silent" });
const NODES = 3;
const PORTS_PER_NODE = 4;

interface Ports {
  readonly client: number;
  readonly monitor: number;
  readonly route: number;
  readonly leaf: number;
}

async function renderingOf(t: TestContext, name: string): Promise<KubeObject[] | undefined> {
  const rendering = RENDERINGS.find((each) => each.name === name);
  return rendering && (await render(t, rendering));
}

/** The text with this machine's addresses and folders. */
function local(text: string, ports: Ports, routes: readonly number[], folder: string, certificates: string): string {
  const replaced = text
    .replace("0.0.0.0:4222", `127.0.0.1:${ports.client}`)
    .replace("0.0.0.0:8222", `127.0.0.1:${ports.monitor}`)
    .replace("0.0.0.0:6222", `127.0.0.1:${ports.route}`)
    .replace("0.0.0.0:7422", `127.0.0.1:${ports.leaf}`)
    .replace(/nats:\/\/nats-(\d)\.nats:6222/g, (_, index) => `nats://localhost:${routes[Number(index)]}`)
    .replace(/\/etc\/nats-(tls|hub)/g, certificates)
    .replace("/data", join(folder, "data"));
  assert.doesNotMatch(replaced, /0\.0\.0\.0|\/etc\//);
  return replaced;
}

async function startNode(t: TestContext, name: string, files: Readonly<Record<string, string>>, ready: RegExp) {
  const folder = createDataFolder("nats");
  const conf = join(folder.path, "nats.conf");
  for (const [file, text] of Object.entries(files))
    writeFileSync(join(folder.path, file), text.replaceAll("/data-here", folder.path));
  const command = await findBinary("nats-server");
  process.env["POD_NAME"] = name;
  const node = await startServer({ name, command, args: () => ["--config", conf], folder, isReady: ready });
  t.after(() => node.stop());
  return node;
}

/** The hub's three servers. */
async function startHub(t: TestContext, objects: readonly KubeObject[], certificates: string) {
  return await withFreePorts(NODES * PORTS_PER_NODE, async (free) => {
    const ports = Array.from({ length: NODES }, (_, index): Ports => {
      const [client = 0, monitor = 0, route = 0, leaf = 0] = free.slice(index * PORTS_PER_NODE);
      return { client, monitor, route, leaf };
    });
    const routes = ports.map(({ route }) => route);
    const nodes: ServerProcess[] = [];
    for (const [index, each] of ports.entries()) {
      const conf = local(configOf(objects, "nats-config", "nats.conf"), each, routes, "/data-here", certificates);
      const files = { "nats.conf": conf, "users.conf": configOf(objects, "nats-config", "users.conf") };
      nodes.push(await startNode(t, `nats-${index}`, files, /Server is ready|Waiting for routing/));
    }
    return { nodes, ports };
  });
}

async function startLeaf(t: TestContext, objects: readonly KubeObject[], certificates: string) {
  return await withFreePorts(2, async ([client = 0, monitor = 0]) => {
    const ports = { client, monitor, route: 0, leaf: 0 };
    const conf = local(configOf(objects, "nats-config", "nats.conf"), ports, [], "", certificates);
    return { node: await startNode(t, "leaf", { "nats.conf": conf }, /Server is ready/), ports };
  });
}

describe("NATS of several clusters", () => {
  test("lets each bridge and function do its work with its own user, through a leaf node too, in three copies", async (t) => {
    const hubObjects = await renderingOf(t, "hub");
    const leafObjects = hubObjects && (await renderingOf(t, "leaf"));
    const kube = leafObjects && (await needKube(t));
    // Only for its answer to whether nats-server is there.
    if (!hubObjects || !leafObjects || !kube || !(await needNats(t))) return;
    const secrets = await makeSecrets(t);
    if (secrets === undefined) return;
    for (const [variable, key] of Object.entries(PASSWORDS)) process.env[variable] = secrets.passwords[key] ?? "";
    await kube.client.applyCrd(databaseCrd);
    const { certificates } = secrets;
    const hub = await startHub(t, hubObjects, certificates);
    process.env["NATS_HUB_URL"] =
      `tls://bridge-edge:${secrets.passwords["bridge-edge"]}@localhost:${hub.ports[0]?.leaf}`;
    const leaf = await startLeaf(t, leafObjects, certificates);
    const servers = hub.ports.map(({ client }) => `nats://localhost:${client}`);
    const tls = { caFile: join(certificates, "ca.crt") };
    const as = (user: string, variable: keyof typeof PASSWORDS): NatsSettings => {
      return { servers, user, password: { env: variable }, tls };
    };

    // One API server plays both clusters, each in a namespace.
    const [production, edge] = [await uniqueNamespace(kube), await uniqueNamespace(kube)];
    const stop = new AbortController();
    t.after(() => stop.abort());
    const startBridge = (objects: readonly KubeObject[], namespace: string, nats: NatsSettings) => {
      const config = parseYamlConfig(BridgeConfig, configOf(objects, "bridge-config", "bridge.yaml"), "bridge.yaml");
      const here = {
        ...config,
        resources: config.resources.map((each) => ({ ...each, namespaces: [namespace] })),
        ...{ nats, kubernetes: { kubeconfig: kube.kubeconfigPath }, health: { host: "127.0.0.1", port: 0 } },
      };
      return runBridge(here, { logger: log, signal: stop.signal });
    };
    const operator = await untilConnected(as("operator", "NATS_OPERATOR_PASSWORD"));
    t.after(() => operator.close());
    const bridges = [
      startBridge(hubObjects, production, as("bridge-production", "NATS_BRIDGE_PRODUCTION_PASSWORD")),
      startBridge(leafObjects, edge, { servers: [`nats://127.0.0.1:${leaf.ports.client}`] }),
    ];
    const { subscriptions } = parseSubscriptions(
      configOf(hubObjects, "functions-config", "subscriptions.yaml"),
      "subscriptions.yaml",
    );
    const called: string[] = [];
    const told = defineFunction({
      name: "notify-slack",
      description: "Remembers what it was called for.",
      config: z.looseObject({}),
      async run({ event, object, step }) {
        called.push(await step("tell", async () => `${event.cluster} ${object.metadata.name}`));
        if (object.metadata.name === "bad") throw new PermanentError("never");
      },
    });
    const functions = await runFunctions({
      subscriptions: {
        nats: {},
        subscriptions: subscriptions.map((each) => ({ ...each, start: "all" as const, for: HELD_FOR })),
      },
      functions: { "notify-slack": async () => ({ default: told }) },
      nats: as("functions", "NATS_FUNCTIONS_PASSWORD"),
      log,
      signal: stop.signal,
    });
    const messages = async (stream: string) => {
      const info = await operator.api<StreamInfo>(`STREAM.INFO.${stream}`).catch(() => undefined);
      return info?.state.messages ?? 0;
    };
    await until(async () => (await messages("KV_CR_CHECKPOINTS")) >= 2, {
      what: "both bridges have checkpoints",
      waitMsMax: 60_000,
    });
    for (const [namespace, name] of [production, edge].flatMap((each) => [
      [each, "good"] as const,
      [each, "bad"] as const,
    ])) {
      await kube.client.create(databasePath(namespace), database(name, namespace));
      await kube.client.patch(
        databasePath(namespace, name),
        { status: { phase: "Failed" } },
        { subresource: "status" },
      );
    }
    await until(async () => called.length >= 4 && (await messages("CR_DEAD_LETTERS")) === 2, {
      what: "both clusters' failures are told",
      waitMsMax: 60_000,
    });
    assert.deepEqual([...called].sort(), ["edge bad", "edge good", "production bad", "production good"]);
    const { config } = await operator.api<StreamInfo>("STREAM.INFO.CR_EVENTS");
    assert.equal(config.num_replicas, NODES);

    stop.abort();
    await Promise.all([...bridges, functions.done]);
    for (const node of [...hub.nodes, leaf.node]) assert.doesNotMatch(node.logTail(2_000), /Violation/);

    const intruder = await connectJetStream(as("functions", "NATS_FUNCTIONS_PASSWORD"), "t");
    t.after(() => intruder.close());
    const before = await messages("CR_EVENTS");
    const forbidden = ["cr.production.g.K.ns.n.created._._._.00", "$KV.CR_STEPS.another.e.s", "crdead.another.x"];
    await Promise.all([
      ...forbidden.map((subject) => assert.rejects(async () => intruder.publish(subject, "{}", {}), subject)),
      assert.rejects(intruder.api("CONSUMER.DELETE.CR_EVENTS.cr-another")),
      assert.rejects(intruder.api("STREAM.PURGE.CR_EVENTS")),
    ]);
    assert.equal(await messages("CR_EVENTS"), before);
  });
});

interface StreamInfo {
  readonly state: { readonly messages: number };
  readonly config: { readonly num_replicas: number };
}

/** As make-secrets.sh prints them, for this machine. */
async function makeSecrets(t: TestContext) {
  const openssl = await needOpenssl(t);
  if (openssl === undefined) return undefined;
  const script = join(MANIFESTS, "overlays/production/make-secrets.sh");
  const { status, stdout, stderr } = spawnSync("sh", [script, "DNS:localhost", "IP:127.0.0.1"], {
    encoding: "utf8",
    env: { ...process.env, PATH: [dirname(openssl), process.env["PATH"]].join(delimiter) },
  });
  assert.equal(status, 0, stderr);
  const [certificate, users] = parseAllDocuments(stdout).map((document) => document.toJS() as KubeObject);
  const folder = createDataFolder("nats-secrets");
  t.after(() => folder.remove());
  for (const [file, data] of Object.entries(certificate?.["data"] ?? {}))
    writeFileSync(join(folder.path, file), Buffer.from(String(data), "base64"));
  return { certificates: folder.path, passwords: users?.["stringData"] as Readonly<Record<string, string>> };
}

/** The cluster has a leader. */
async function untilConnected(settings: NatsSettings) {
  let connected: Awaited<ReturnType<typeof connectJetStream>> | undefined;
  await until(
    async () => {
      connected = await connectJetStream(settings, "operator").catch(() => undefined);
      return connected !== undefined;
    },
    { what: "JetStream answers", waitMsMax: 60_000 },
  );
  return connected ?? assert.fail("not connected");
}
