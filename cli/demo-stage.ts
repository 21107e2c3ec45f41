/**
 * Sets the stage of the demo: starts every part, tells what it is and how long it took, and registers how each is taken down
 * again, whatever happens.
 */
import {
  connectJetStream,
  createLogger,
  type Envelope,
  follow,
  type JetStream,
  type Logger,
  NatsSettings,
  readEvent,
} from "#contract";
import { BridgeConfig } from "../bridge/config.ts";
import { runBridge } from "../bridge/main.ts";
import { type RunningFunctions, runFunctions } from "../functions/main.ts";
import { stderrReport } from "../test/kit/install/progress.ts";
import { startNats } from "../test/kit/nats-server.ts";
import { type SlackServer, startSlack } from "../test/kit/slack-server.ts";
import { startWorkflowEndpoint, type WorkflowEndpoint } from "../test/kit/webhook-server.ts";
import { type DemoCluster, type DemoClusterChoice, openDemoCluster } from "./demo-cluster.ts";
import { demoSubscriptions } from "./demo-story.ts";
import { printHeading, printMore, showWork } from "./demo-view.ts";
import { waitUntil } from "./wait.ts";

/** Everything that runs during the story. */
export interface DemoStage {
  readonly cluster: DemoCluster;
  readonly natsUrl: string;
  readonly jetStream: JetStream;
  readonly slack: SlackServer;
  readonly workflows: WorkflowEndpoint;
  readonly functions: RunningFunctions;
  /** The events of the story, with the time each arrived (`performance.now()`). */
  readonly events: readonly { readonly envelope: Envelope; readonly atMs: number }[];
}

const CLUSTER_NAME = "demo";
/** Plenty for a story, and it fits everywhere. */
const EVENTS_BYTES_MAX = 64 * 1024 ** 2;

/** Starts everything; `cleanup` takes it down in the opposite order. Throws what keeps a part from starting. */
export async function prepareStage(
  choice: DemoClusterChoice,
  signal: AbortSignal,
  cleanup: AsyncDisposableStack,
): Promise<DemoStage> {
  const report = stderrReport();
  const logger = createLogger("demo", process.env["LOG_LEVEL"] ?? "error");
  printHeading("Preparing");
  const cluster = await showWork(
    "API server",
    () => openDemoCluster(choice, signal, report, cleanup),
    ({ title }) => title,
  );
  const nats = await showWork(
    "NATS",
    () => startNats({ report }),
    ({ url }) => `nats-server with JetStream at ${url.replace("nats://", "")}`,
  );
  cleanup.defer(() => nats.stop());
  const settings = NatsSettings.parse({ servers: [nats.url] });
  const jetStream = await connectJetStream(settings, "cr-reactor demo");
  cleanup.defer(() => jetStream.close());
  await showWork(
    "bridge",
    () => startDemoBridge(cluster, settings, logger, signal, cleanup),
    () => `watches Databases in ${cluster.namespace}`,
  );
  const [slack, workflows] = [await startSlack(), await startWorkflowEndpoint()];
  cleanup.use(slack);
  cleanup.use(workflows);
  const functions = await showWork(
    "functions",
    () => startDemoFunctions(slack, workflows, settings, logger, signal, cleanup),
    () => "notify-slack      when a Database becomes Failed",
  );
  printMore("trigger-workflow  when its spec.replicas changes");
  return {
    cluster,
    natsUrl: nats.url,
    jetStream,
    slack,
    workflows,
    functions,
    events: collectEvents(jetStream, cleanup),
  };
}

async function startDemoBridge(
  cluster: DemoCluster,
  nats: NatsSettings,
  logger: Logger,
  signal: AbortSignal,
  cleanup: AsyncDisposableStack,
): Promise<void> {
  const config = BridgeConfig.parse({
    cluster: CLUSTER_NAME,
    resources: [{ apiVersion: "demo.example.com/v1", kind: "Database", namespaces: [cluster.namespace] }],
    nats,
    kubernetes: cluster.settings,
    streams: { eventsBytesMax: EVENTS_BYTES_MAX, blobsBytesMax: EVENTS_BYTES_MAX },
    health: { host: "127.0.0.1", port: 0 },
  });
  const stop = new AbortController();
  let port = 0;
  const bridge = runBridge(config, {
    logger,
    signal: stop.signal,
    onListening: (listening) => {
      port = listening;
    },
  });
  cleanup.defer(async () => {
    stop.abort();
    await bridge.catch(() => undefined);
  });
  const ready = async () => port > 0 && (await fetch(`http://127.0.0.1:${port}/readyz`)).ok;
  await Promise.race([bridge, waitUntil(ready, signal)]);
}

async function startDemoFunctions(
  slack: SlackServer,
  workflows: WorkflowEndpoint,
  nats: NatsSettings,
  log: Logger,
  signal: AbortSignal,
  cleanup: AsyncDisposableStack,
): Promise<RunningFunctions> {
  // As secrets are given in life: by the environment, not in the file.
  process.env["CR_REACTOR_DEMO_SLACK"] = slack.webhookUrl;
  process.env["CR_REACTOR_DEMO_TOKEN"] = workflows.token;
  const stop = new AbortController();
  const subscriptions = { text: demoSubscriptions(workflows.url), fileName: "subscriptions.yaml" };
  const functions = await runFunctions({ subscriptions, nats, log, signal: stop.signal });
  cleanup.defer(async () => {
    stop.abort();
    await functions.done;
  });
  await waitUntil(() => functions.status().subscriptions.every(({ state }) => state === "running"), signal);
  return functions;
}

function collectEvents(jetStream: JetStream, cleanup: AsyncDisposableStack): DemoStage["events"] {
  const events: { envelope: Envelope; atMs: number }[] = [];
  const stop = new AbortController();
  const collect = async () => {
    for await (const { message } of follow(
      jetStream,
      { filter_subjects: [`cr.${CLUSTER_NAME}.>`], deliver_policy: "all" },
      stop.signal,
    )) {
      events.push({ envelope: await readEvent(jetStream, message.data, stop.signal), atMs: performance.now() });
    }
  };
  const collecting = collect();
  cleanup.defer(async () => {
    stop.abort();
    await collecting;
  });
  return events;
}
