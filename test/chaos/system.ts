/**
 * The system under chaos, everything real: etcd, kube-apiserver, one nats-server or three, two bridges as a user starts them, behind
 * proxies that can misbehave, and the writer. The writer and the recorders do not go through those proxies.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { connectJetStream, EVENTS_STREAM, ensureStream, StreamSettings } from "#contract";
import { eventsStream } from "../../bridge/nats/stream.ts";
import { createDataFolder, type DataFolder } from "../kit/data-folder.ts";
import { kubeconfigText } from "../kit/kube-access.ts";
import type { KubeServer } from "../kit/kube-apiserver.ts";
import type { NatsCluster } from "../kit/nats-cluster.ts";
import type { NatsServer } from "../kit/nats-server.ts";
import { type OtherBuild, otherBuild } from "../kit/other-build.ts";
import { type ServerProcess, startServer } from "../kit/server-process.ts";
import { until } from "../kit/until.ts";
import type { Breakable } from "./breakable.ts";
import { BRIDGE_NAMESPACE, BRIDGE_USER, FORBIDDEN_KIND, grantAccess } from "./bridge-access.ts";
import { LEASE_TIMES, startBridges } from "./bridges.ts";
import { type ChaosProxy, startProxy } from "./proxy.ts";
import { type LedgerRecorder, recordEvents, recordLedger } from "./recorder.ts";
import { namespaceNames, WIDGET_API_VERSION, widgetCrd } from "./widget.ts";
import { ordersTo } from "./writer-order.ts";
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
  /** With the bridges' user: see `CHAOS_KUBE`. */
  readonly kube: KubeServer;
  readonly nats: NatsServer | NatsCluster;
}

/** Everything that runs. */
export interface System extends Breakable, AsyncDisposable {
  readonly writer: ServerProcess;
  readonly ledger: LedgerRecorder;
  /** From the start of the first bridge until it had compared its first list, in epoch milliseconds. */
  readonly start: { readonly fromMs: number; readonly toMs: number };
  /** What a fault or the supervisor of the bridges complained of. */
  readonly problems: readonly string[];
}

/** Small, so that most differences start from a state that is read back from the log. */
const STATE_BYTES_MAX = 50_000;
/** Of each object, on average, before the bridge starts: it is to find objects that were there before it. */
const HEAD_START_WRITES = 2;
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

async function startParts(servers: Servers, load: Load, cleanup: AsyncDisposableStack): Promise<System> {
  const { kube } = servers;
  const namespaces = namespaceNames(load.namespaces);
  await kube.client.applyCrd(widgetCrd);
  await grantAccess(kube);
  for (const namespace of namespaces) await kube.client.createNamespace(namespace);
  const { nats, cluster, url, natsProxies, streams } = await natsParts(servers, cleanup);
  const kubeProxy = cleanup.use(await startProxy(Number(new URL(kube.url).port)));
  const jetStream = await connectJetStream({ servers: [url] }, "chaos");
  cleanup.defer(() => jetStream.close());
  await ensureStream(jetStream, eventsStream(streams));
  const log = cleanup.use(await recordEvents(url));

  const { writer, ledgerPath, ordersPath } = await startWriter(kube, namespaces, load);
  cleanup.use(writer);
  const ledger = cleanup.use(await recordLedger(ledgerPath));
  await until(() => ledger.lines.length >= load.objects * HEAD_START_WRITES, { what: "the writer writes" });
  const problems: string[] = [];
  const complain = (problem: string) => problems.push(problem);
  const fromMs = Date.now();
  const config = bridgeConfig(kube, cleanup, kubeProxy.port, natsProxies, streams);
  const bridge = cleanup.use(await startBridges(config, complain));
  const start = { fromMs, toMs: bridge.capturingMs };
  let built: Promise<OtherBuild> | undefined;
  return {
    ...{ kube, nats, cluster, bridge, writer, kubeProxy, jetStream, ledger, log, start, problems },
    orderWriter: ordersTo(writer, ordersPath),
    otherBuild() {
      built ??= otherBuild();
      return built;
    },
    losses: { restores: [], wipesMs: [] },
    natsProxy: {
      set(mode) {
        for (const proxy of natsProxies) proxy.set(mode);
      },
      cut() {
        for (const proxy of natsProxies) proxy.cut();
      },
    },
    complain,
    async lastSequence() {
      const { state } = await jetStream.api<{ state: { last_seq: number } }>(`STREAM.INFO.${EVENTS_STREAM}`);
      return state.last_seq;
    },
    [Symbol.asyncDispose]: () => cleanup.disposeAsync(),
  };
}

/** One server or a cluster, a proxy in front of each server, and where whoever looks on connects: with a cluster, to one that runs. */
async function natsParts({ nats }: Servers, cleanup: AsyncDisposableStack) {
  const cluster = "nodes" in nats ? nats : undefined;
  const nodes = "nodes" in nats ? nats.nodes : [nats];
  const [first] = nodes;
  if (first === undefined) throw new Error("a cluster without servers");
  const natsProxies: ChaosProxy[] = [];
  for (const { port } of nodes) natsProxies.push(cleanup.use(await startProxy(port)));
  const front = cleanup.use(await startProxy(() => (nodes.find(({ pid }) => pid !== undefined) ?? first).port));
  const streams = StreamSettings.parse({ replicas: cluster === undefined ? 1 : 3 });
  return { nats: first, cluster, url: `nats://127.0.0.1:${front.port}`, natsProxies, streams };
}

async function startWriter(kube: KubeServer, namespaces: readonly string[], { seed, rate, objects }: Load) {
  const folder = createDataFolder("chaos-writer");
  const { url, caPem, tokens, kubeconfigPath } = kube;
  const ledgerPath = join(folder.path, "ledger.ndjson");
  const ordersPath = join(folder.path, "order.json");
  const settings: WriterSettings = {
    kube: { url, caPem, tokens, kubeconfigPath },
    ledgerPath,
    ordersPath,
    seed,
    rate,
    objects,
    namespaces: [...namespaces],
  };
  const file = join(folder.path, "writer.json");
  writeFileSync(file, JSON.stringify(settings), { mode: 0o600 });
  const writer = await startNode("chaos writer", folder, ["test/chaos/writer.ts", file], /^writing/);
  return { writer, ledgerPath, ordersPath };
}

function bridgeConfig(
  { caPem, tokens }: KubeServer,
  cleanup: AsyncDisposableStack,
  kubePort: number,
  natsProxies: readonly ChaosProxy[],
  streams: StreamSettings,
): object {
  const folder = cleanup.adopt(createDataFolder("chaos-bridge"), (each) => each.remove());
  const kubeconfig = join(folder.path, "kubeconfig");
  const url = `https://127.0.0.1:${kubePort}`;
  writeFileSync(kubeconfig, kubeconfigText({ url, caPem, tokens }, BRIDGE_USER), { mode: 0o600 });
  return {
    cluster: "chaos",
    resources: [{ apiVersion: WIDGET_API_VERSION, kind: "Widget" }, FORBIDDEN_KIND],
    nats: { servers: natsProxies.map(({ port }) => `nats://127.0.0.1:${port}`) },
    kubernetes: { kubeconfig },
    leaderElection: { enabled: true, namespace: BRIDGE_NAMESPACE, ...LEASE_TIMES },
    streams,
    stateBytesMax: STATE_BYTES_MAX,
  };
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
