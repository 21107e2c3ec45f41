/**
 * The scene for the examples of every command's help: a folder with the files that they name, a NATS whose log has event 1042 and whose dead letters
 * begin with 12, a silence k3f9qz, an API server in the context kind-dev with a bridge on it, and stand-ins for the programs behind a pipe.
 */
import assert from "node:assert/strict";
import { chmodSync, cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { pathToFileURL } from "node:url";
import { stringify } from "yaml";
import { BridgeConfig } from "../../bridge/config.ts";
import { createLogger } from "../../bridge/logger.ts";
import { runBridge } from "../../bridge/main.ts";
import { deadLettersStream, silencesStream } from "../../bridge/nats/function-stream.ts";
import { ensureStream, eventsStream, type StreamDefinition, StreamSettings } from "../../bridge/nats/stream.ts";
import { createAuditFile } from "../../functions/actions/audit/audit-file.ts";
import { PermanentError } from "../../functions/kit/outcome.ts";
import { startRig } from "../functions/kit/delivery/rig.ts";
import { createDataFolder } from "../kit/data-folder.ts";
import { databaseCrd } from "../kit/database-crd.ts";
import { openEmbedded } from "../kit/embedded-kube.ts";
import { spawnOwned } from "../kit/owned-child.ts";
import { startSlack } from "../kit/slack-server.ts";
import { until } from "../kit/until.ts";
import { CLI, runCli } from "./run-cli.ts";

const ROOT = join(import.meta.dirname, "../..");
const DATABASES = "/apis/demo.example.com/v1/namespaces/prod/databases";
/** The numbers that the examples name. */
const FIRST_EVENT = 1_042;
const SILENCE = "k3f9qz";
const FIRST_LETTER = 12;
const silenceOfOthers = {
  ...{ version: 1, subscriptions: ["others"], reason: "an example", by: "somebody", summary: false },
  ...{ begins: "2026-01-01T00:00:00Z", ends: "2126-01-01T00:00:00Z" },
};
const BEAT_MS = 300;

const database = (name: string) => ({
  apiVersion: "demo.example.com/v1",
  kind: "Database",
  metadata: { name, namespace: "prod" },
  spec: { engine: "postgres", replicas: 3 },
});

const OWN_FUNCTION = `
import { defineFunction } from ${JSON.stringify(pathToFileURL(join(ROOT, "functions/door.ts")).href)};
import { z } from ${JSON.stringify(import.meta.resolve("zod"))};

export default defineFunction({
  name: "my-function",
  description: "Does nothing.",
  config: z.strictObject({}),
  subscription: { apiVersion: "demo.example.com/v1", kind: "Database", when: { phase: { to: "Failed" } } },
  async run() {},
});
`;

/** Runs a line of a shell in a folder of its own. */
export interface ExampleScene {
  /** To its end; with `readyWhen`, until it has written that, and then it gets Ctrl-C. Ports of the example are others. */
  run(line: string, readyWhen?: RegExp): Promise<{ readonly code: number | null; readonly written: string }>;
}

/** Sets it; `undefined` where there is no nats-server. */
export async function startExampleScene(t: TestContext): Promise<ExampleScene | undefined> {
  const rig = await startRig(t, { withLog: false });
  if (rig === undefined) return undefined;
  const { jetStream, nats } = rig;
  const settings = StreamSettings.parse({});
  const beginAt = ({ config, ...rest }: StreamDefinition, first_seq: number) =>
    ({ ...rest, config: { ...config, first_seq } }) as StreamDefinition;
  await ensureStream(jetStream, beginAt(eventsStream(settings), FIRST_EVENT));
  await ensureStream(jetStream, beginAt(deadLettersStream(settings), FIRST_LETTER));
  await ensureStream(jetStream, silencesStream(settings));
  await jetStream.publish(`$KV.CR_SILENCES.${SILENCE}`, JSON.stringify(silenceOfOthers), {});
  const kube = await openEmbedded(t);
  const slack = await startSlack();
  t.after(() => slack[Symbol.asyncDispose]());
  const folder = createDataFolder("examples");
  t.after(() => folder.remove());
  const files = join(folder.path, "files");
  const { port } = await startBridge(t, nats.url, kube.kubeconfigPath);
  const refusing = rig.start(
    async () => {
      throw new PermanentError("no such channel");
    },
    { name: "database-failed", when: { phase: { to: "Failed" } } },
  );
  await until(() => refusing.status().state === "running");
  await kube.client.createNamespace("prod");
  for (const name of ["orders", "users"]) {
    await kube.client.create(DATABASES, database(name));
    for (const phase of ["Running", "Failed"])
      await kube.client.patch(`${DATABASES}/${name}`, { status: { phase } }, { subresource: "status" });
  }
  await until(() => refusing.status().deadLetters === 2);
  await rig.untilAcked("database-failed");
  await refusing.stop();
  await writeFiles(files, kube.server.kubeconfig());
  const typed = await runCli(["types", "Database", "--output", "database.ts"], { url: nats.url, cwd: files });
  assert.equal(typed.code, 0, typed.err);
  const failed = ["tail", "--json", "--filter", "{ phase: { to: Failed } }", "--since", "1h", "--count", "1"];
  writeFileSync(join(files, "failed.ndjson"), (await runCli(failed, { url: nats.url })).out);
  let count = 0;
  return {
    async run(line, readyWhen) {
      const cwd = join(folder.path, `run-${++count}`);
      cpSync(files, cwd, { recursive: true });
      const env = {
        ...process.env,
        ...{ NO_COLOR: "1", NATS_URL: nats.url, HOME: cwd, KUBECONFIG: join(cwd, "kubeconfig") },
        ...{ PATH: `${join(cwd, "bin")}:${process.env["PATH"]}`, SLACK_WEBHOOK: slack.webhookUrl },
      };
      const ported = line.replace("127.0.0.1:8080", `127.0.0.1:${port()}`).replace(/--port \d+/, "--port 0");
      const child = spawnOwned("/bin/bash", ["-o", "pipefail", "-c", `trap : INT; ${ported}`], {
        cwd,
        env,
        detached: true,
      });
      let written = "";
      let isTold = false;
      let replicas = 3;
      // Who waits for changes sees some.
      const beat = setInterval(() => {
        replicas = replicas === 3 ? 4 : 3;
        if (readyWhen) void kube.client.patch(`${DATABASES}/users`, { spec: { replicas } }).catch(() => undefined);
      }, BEAT_MS);
      const hear = async (stream: AsyncIterable<unknown>) => {
        for await (const chunk of stream) {
          written += String(chunk);
          if (isTold || !readyWhen?.test(written) || child.pid === undefined) continue;
          isTold = true; // a second one would end it at once
          process.kill(-child.pid, "SIGINT");
        }
      };
      const closed = new Promise<number | null>((resolve) => child.once("close", resolve));
      await Promise.all([hear(child.stdout), hear(child.stderr)]);
      clearInterval(beat);
      return { code: await closed, written };
    },
  };
}

async function startBridge(t: TestContext, url: string, kubeconfig: string) {
  const stop = new AbortController();
  let port = 0;
  const config = BridgeConfig.parse({ ...bridgeConfig(kubeconfig), nats: { servers: [url] } });
  const running = runBridge(config, {
    logger: createLogger("bridge", "error"),
    signal: stop.signal,
    onListening: (listening) => {
      port = listening;
    },
  });
  t.after(async () => {
    stop.abort();
    await running.catch(() => undefined);
  });
  await until(async () => port > 0 && (await fetch(`http://127.0.0.1:${port}/readyz`)).ok);
  return { port: () => port };
}

function bridgeConfig(kubeconfig?: string) {
  return {
    cluster: "dev",
    resources: [{ apiVersion: "demo.example.com/v1", kind: "Database" }],
    health: { port: 0 },
    ...(kubeconfig !== undefined && { kubernetes: { kubeconfig } }),
  };
}

async function writeFiles(folder: string, kubeconfig: string): Promise<void> {
  const subscription = { apiVersion: "demo.example.com/v1", kind: "Database", when: { phase: { to: "Failed" } } };
  const subscriptions = [
    {
      name: "database-failed",
      function: "notify-slack",
      ...subscription,
      config: { webhookUrl: { env: "SLACK_WEBHOOK" } },
    },
    { name: "page-oncall", function: "./my-function.ts", ...subscription },
  ];
  for (const each of ["bin", ".local/share/bash-completion/completions", ".config/fish/completions"])
    mkdirSync(join(folder, each), { recursive: true });
  const programs = {
    "cr-reactor": `#!/bin/sh\nexec ${JSON.stringify(process.execPath)} ${JSON.stringify(CLI)} "$@"\n`,
    ...Object.fromEntries(["jq", "kubectl"].map((name) => [name, "#!/bin/sh\ntrap '' INT\ncat\n"])),
  };
  for (const [name, text] of Object.entries(programs)) {
    writeFileSync(join(folder, "bin", name), text);
    chmodSync(join(folder, "bin", name), 0o755);
  }
  const texts = {
    kubeconfig: kubeconfig.replace(/embedded/g, "kind-dev"),
    "bridge.yaml": stringify(bridgeConfig()),
    "subscriptions.yaml": stringify({ subscriptions }),
    "crd.yaml": stringify(databaseCrd),
    "database.yaml": stringify({ ...database("orders"), metadata: { name: "orders", namespace: "default" } }),
    "my-function.ts": OWN_FUNCTION,
  };
  for (const [name, text] of Object.entries(texts)) writeFileSync(join(folder, name), text);
  for (const name of ["audit.ndjson.1", "audit.ndjson"])
    await createAuditFile(join(folder, name)).write("id", { "event.id": "id" });
}
