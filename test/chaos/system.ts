/**
 * The system under chaos, everything real: etcd, kube-apiserver, nats-server, the bridge as a user starts it, behind two proxies that
 * can misbehave, and the writer. The writer and the recorders do not go through the proxies.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import { connectJetStream, EVENTS_STREAM, ensureStream, StreamSettings } from "#contract";
import { eventsStream } from "../../bridge/stream.ts";
import { createDataFolder, type DataFolder } from "../kit/data-folder.ts";
import { kubeconfigText } from "../kit/kube-access.ts";
import type { KubeServer } from "../kit/kube-apiserver.ts";
import type { NatsServer } from "../kit/nats-server.ts";
import { type ServerProcess, startServer } from "../kit/server-process.ts";
import { until } from "../kit/until.ts";
import type { Breakable } from "./fault.ts";
import { startProxy } from "./proxy.ts";
import { type EventRecorder, type LedgerRecorder, recordEvents, recordLedger } from "./recorder.ts";
import { namespaceNames, WIDGET_API_VERSION, widgetCrd } from "./widget.ts";
import type { WriterSettings } from "./writer-settings.ts";

/** How much is written, and from which seed. */
export interface Load {
  readonly seed: number;
  /** Writes a second. */
  readonly rate: number;
  readonly objects: number;
  readonly namespaces: number;
}

/** Fresh servers that nobody else uses; whoever started them stops them. */
export interface Servers {
  readonly kube: KubeServer;
  readonly nats: NatsServer;
}

/** Everything that runs. */
export interface System extends Breakable, Servers, AsyncDisposable {
  readonly kube: KubeServer;
  readonly nats: NatsServer;
  readonly writer: ServerProcess;
  readonly ledger: LedgerRecorder;
  readonly log: EventRecorder;
  /** From the first start of the bridge until it had compared its first list, in epoch milliseconds. */
  readonly start: { readonly fromMs: number; readonly toMs: number };
  /** The number of the newest event in the log. */
  lastSequence(): Promise<number>;
}

/** Small, so that most differences start from a state that is read back from the log. */
const STATE_BYTES_MAX = 50_000;
/** Of each object, on average, before the bridge starts: it is to find objects that were there before it. */
const HEAD_START_WRITES = 2;
const BRIDGE_READY = /resuming behind the checkpoint|compared with the log/;
const FOLDER_ROOT = join(import.meta.dirname, "../..");

/** Starts the rest around the servers; the bridge last, when objects are already there. Throws ServerStartError. */
export async function startSystem(servers: Servers, load: Load): Promise<System> {
  const cleanup = new AsyncDisposableStack();
  try {
    return await startParts(servers, load, cleanup);
  } catch (error) {
    await cleanup.disposeAsync();
    throw error;
  }
}

async function startParts({ kube, nats }: Servers, load: Load, cleanup: AsyncDisposableStack): Promise<System> {
  const namespaces = namespaceNames(load.namespaces);
  await kube.client.applyCrd(widgetCrd);
  for (const namespace of namespaces) await kube.client.createNamespace(namespace);
  const natsProxy = cleanup.use(await startProxy(nats.port));
  const kubeProxy = cleanup.use(await startProxy(Number(new URL(kube.url).port)));
  const jetStream = await connectJetStream({ servers: [nats.url] }, "chaos");
  cleanup.defer(() => jetStream.close());
  await ensureStream(jetStream, eventsStream(StreamSettings.parse({})));
  const log = cleanup.use(await recordEvents(nats.url));

  const { writer, ledgerPath } = await startWriter(kube, namespaces, load);
  cleanup.use(writer);
  const ledger = cleanup.use(await recordLedger(ledgerPath));
  await until(() => ledger.lines.length >= load.objects * HEAD_START_WRITES, { what: "the writer writes" });
  const fromMs = Date.now();
  const bridge = cleanup.use(await startBridge(kube, kubeProxy.port, natsProxy.port));
  const start = { fromMs, toMs: Date.now() };
  return {
    kube,
    nats,
    bridge,
    writer,
    natsProxy,
    kubeProxy,
    ledger,
    log,
    start,
    async lastSequence() {
      const { state } = await jetStream.api<{ state: { last_seq: number } }>(`STREAM.INFO.${EVENTS_STREAM}`);
      return state.last_seq;
    },
    [Symbol.asyncDispose]: () => cleanup.disposeAsync(),
  };
}

async function startWriter(kube: KubeServer, namespaces: readonly string[], { seed, rate, objects }: Load) {
  const folder = createDataFolder("chaos-writer");
  const { url, caPem, tokens, kubeconfigPath } = kube;
  const ledgerPath = join(folder.path, "ledger.ndjson");
  const settings: WriterSettings = {
    kube: { url, caPem, tokens, kubeconfigPath },
    ledgerPath,
    seed,
    rate,
    objects,
    namespaces: [...namespaces],
  };
  const file = join(folder.path, "writer.json");
  writeFileSync(file, JSON.stringify(settings), { mode: 0o600 });
  return { writer: await startNode("chaos writer", folder, ["test/chaos/writer.ts", file], /^writing/), ledgerPath };
}

async function startBridge(kube: KubeServer, kubePort: number, natsPort: number): Promise<ServerProcess> {
  const folder = createDataFolder("chaos-bridge");
  const kubeconfig = join(folder.path, "kubeconfig");
  const { caPem, tokens } = kube;
  writeFileSync(kubeconfig, kubeconfigText({ url: `https://127.0.0.1:${kubePort}`, caPem, tokens }), { mode: 0o600 });
  const config = {
    cluster: "chaos",
    resources: [{ apiVersion: WIDGET_API_VERSION, kind: "Widget" }],
    nats: { servers: [`nats://127.0.0.1:${natsPort}`] },
    kubernetes: { kubeconfig },
    health: { host: "127.0.0.1", port: 0 },
    stateBytesMax: STATE_BYTES_MAX,
  };
  const file = join(folder.path, "bridge.yaml");
  writeFileSync(file, stringify(config));
  return await startNode("cr-reactor bridge", folder, ["cli/main.ts", "bridge", "--config", file], BRIDGE_READY);
}

function startNode(name: string, folder: DataFolder, [script = "", ...args]: readonly string[], isReady: RegExp) {
  return startServer({
    name,
    command: process.execPath,
    args: () => [join(FOLDER_ROOT, script), ...args],
    folder,
    isReady,
    stopMsMax: 30_000,
  });
}
