/**
 * Secrets planted everywhere a process knows them, receivers and a collector that quote what they were sent, and then looked for in everything
 * that the real processes tell: logs, events, dead letters, steps, spans, metrics, status.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { database, databasePath } from "../kit/database-crd.ts";
import { withFreePorts } from "../kit/free-port.ts";
import { startOtlpCollector } from "../kit/otlp-collector.ts";
import type { ServerProcess } from "../kit/server-process.ts";
import { needNats, sharedKube, uniqueNamespace } from "../kit/shared-kube.ts";
import { until } from "../kit/until.ts";
import { startReceiver } from "../kit/webhook-server.ts";
import { databases, startCommand } from "./rig.ts";

const PATIENCE = { waitMsMax: 60_000 };
const base64 = (text: string) => Buffer.from(text).toString("base64");
const secret = (name: string) => `${name}-${randomBytes(12).toString("hex")}`;

/** What must be nowhere, by where it was planted. */
const PLANTED = {
  "the password of NATS": secret("nats"),
  "the path of a webhook": secret("path"),
  "the query of a webhook": secret("query"),
  "the token of a webhook": secret("token"),
  "the header of a webhook": secret("header"),
  "the header of the collector": secret("otlp"),
  "the token of /status": secret("status"),
  "a value in a Secret": secret("value"),
  "a redacted path": secret("redacted"),
  "the key of the marks": secret("key"),
};

/** A receiver that refuses everything, and says back what it was sent; the collector does so every other time. */
async function startScene(t: TestContext) {
  const receiver = await startReceiver(({ path, headers }) => ({
    status: 403,
    body: `refused ${path} ${JSON.stringify(headers)}`,
  }));
  let asked = 0;
  const collector = await startOtlpCollector(() => (asked++ % 2 === 0 ? 200 : 400));
  t.after(() => Promise.all([receiver.stop(), collector.stop()]));
  Object.assign(process.env, {
    LOG_LEVEL: "trace",
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint,
    OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
    OTEL_EXPORTER_OTLP_HEADERS: `authorization=Bearer%20${PLANTED["the header of the collector"]}`,
    OTEL_BSP_SCHEDULE_DELAY: "100",
    OTEL_METRIC_EXPORT_INTERVAL: "3000",
    TEST_NATS_PASSWORD: PLANTED["the password of NATS"],
    TEST_WEBHOOK: `${receiver.origin}/services/${PLANTED["the path of a webhook"]}?key=${PLANTED["the query of a webhook"]}`,
    TEST_TOKEN: PLANTED["the token of a webhook"],
    TEST_HEADER: PLANTED["the header of a webhook"],
    TEST_STATUS_TOKEN: PLANTED["the token of /status"],
    TEST_KEY: PLANTED["the key of the marks"],
  });
  return { receiver, collector };
}

/** What is answered to somebody without the token, and to somebody with it. */
async function served(port: number): Promise<string> {
  const headers = { authorization: `Bearer ${PLANTED["the token of /status"]}` };
  const urls = ["metrics", "readyz", "status"].map((path) => `http://127.0.0.1:${port}/${path}`);
  return (await Promise.all(urls.map(async (url) => await (await fetch(url, { headers })).text()))).join("\n");
}

test("nothing that a process tells has a secret in it, whatever receivers and collectors say back", async (t) => {
  const kube = await sharedKube(t);
  const nats = kube && (await needNats(t, { auth: { user: "bridge", password: PLANTED["the password of NATS"] } }));
  if (kube === undefined || nats === undefined) return;
  const namespace = await uniqueNamespace(kube);
  const { receiver, collector } = await startScene(t);
  const health = { host: "127.0.0.1", token: { env: "TEST_STATUS_TOKEN" } };
  const settings = { servers: [nats.url], user: "bridge", password: { env: "TEST_NATS_PASSWORD" } };
  const startBoth = async (ports: readonly number[]) => {
    const resources = [
      { ...databases(namespace), redact: ["spec.version"] },
      { apiVersion: "v1", kind: "Secret", namespaces: [namespace] },
    ];
    const kubernetes = { kubeconfig: kube.kubeconfigPath };
    const bridgeConfig = { cluster: "test", resources, nats: settings, kubernetes, redactionKey: { env: "TEST_KEY" } };
    const of = { apiVersion: "demo.example.com/v1", kind: "Database", when: { phase: { to: "Failed" } } };
    const relay = {
      url: process.env["TEST_WEBHOOK"],
      token: { env: "TEST_TOKEN" },
      headers: { "x-api-key": { env: "TEST_HEADER" } },
    };
    const subscriptions = [
      { name: "slack", function: "notify-slack", ...of, config: { webhookUrl: { env: "TEST_WEBHOOK" } } },
      { name: "relay", function: "relay", ...of, config: relay },
      { name: "secrets", function: "relay", apiVersion: "v1", kind: "Secret", config: relay },
    ];
    const functionsConfig = { nats: settings, health: { ...health, port: ports[1] }, subscriptions };
    const ready = /compared with the log|resuming/;
    return [
      await startCommand(t, "bridge", "--config", { ...bridgeConfig, health: { ...health, port: ports[0] } }, ready),
      await startCommand(t, "run", "--subscriptions", functionsConfig, /"consumer created"/),
    ] as const;
  };
  const { processes, ports } = await withFreePorts(2, async (ports) => ({ processes: await startBoth(ports), ports }));
  const secrets = `/api/v1/namespaces/${namespace}/secrets`;
  await kube.client.create(secrets, {
    metadata: { name: "login" },
    data: { password: base64(PLANTED["a value in a Secret"]) },
  });
  const setPhase = (phase: string) =>
    kube.client.patch(databasePath(namespace, "orders"), { status: { phase } }, { subresource: "status" });
  const version = PLANTED["a redacted path"];
  await kube.client.create(databasePath(namespace), database("orders", namespace, { version }));
  await setPhase("Failed");
  const refused = () => processes[1].logTail(200).match(/given up: the event is a dead letter/g)?.length ?? 0;
  await until(() => refused() >= 3, { what: "everything to be refused", ...PATIENCE });
  const hasComplaints = async () => {
    for (const phase of ["Running", "Failed"]) await setPhase(phase); // so that there is something to send
    return processes.every(complains);
  };
  await until(hasComplaints, { what: "both to complain about the collector", pollMs: 300, ...PATIENCE });
  await until(() => collector.spans.some(({ status: { code } }) => code === 2), { what: "a failed span", ...PATIENCE });
  const answers = await Promise.all(ports.map(served));
  for (const each of processes) await each.kill("SIGTERM");
  await nats.kill("SIGTERM");

  const told: Readonly<Record<string, string>> = {
    "the bridge's log": processes[0].logTail(200),
    "the functions' log": processes[1].logTail(200),
    "what is sent by OTLP": collector.requests.map(({ body }) => body.toString("utf8")).join("\n"),
    "what is served": answers.join("\n"),
    "what NATS has": stored(nats.storeDir),
  };
  assert.match(told["the functions' log"] ?? "", /telemetry is sent by OTLP/, "no line of the log is missing");
  assert.match(told["what is sent by OTLP"] ?? "", /refused the request/);
  assert.match(told["what NATS has"] ?? "", /orders/);
  assert.ok(receiver.requests.some(({ path }) => path.includes(PLANTED["the path of a webhook"])));
  const leaks = Object.entries(PLANTED).flatMap(([what, value]) =>
    Object.entries(told).flatMap(([where, text]) =>
      [value, base64(value), encodeURIComponent(value)].some((form) => text.includes(form))
        ? [`${what} in ${where}`]
        : [],
    ),
  );
  assert.deepEqual(leaks, []);
});

/** It has told what the collector said, without the secret that was quoted. */
function complains(process_: ServerProcess): boolean {
  return /"reason":"[^\n]*refused: [^\n]*\*\*\*[^\n]*spans or metrics may be missing/.test(process_.logTail(200));
}

function stored(folder: string): string {
  return globSync("**/*", { cwd: folder, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), "latin1"))
    .join("\n");
}
