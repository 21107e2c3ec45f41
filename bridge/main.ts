/**
 * The bridge: connects to the API server and to NATS, makes the streams, and, alone or as soon as it leads, captures each configured
 * resource until it is told to stop. One that leads no longer ends, so that it starts again from clean state. Each watch lives on its
 * own: one that cannot go on says why and tries again, and never holds up another.
 */
import { readRedactionKeys } from "./capture/configured-resource.ts";
import { followResources } from "./capture/following.ts";
import { createGate } from "./capture/gate.ts";
import { drainedAfter, ensureStreams, type WatchContext } from "./capture/watch.ts";
import type { BridgeConfig } from "./config.ts";
import { type ApiServer, type ConnectionLimits, connectApiServer } from "./kube/api-server.ts";
import { createEventRecorder } from "./kube/event-recorder.ts";
import { type OwnPod, ownPod } from "./kube/own-pod.ts";
import { becomeLeader, type LeaderState, type Leadership, sentenceOf, uncontested } from "./leader/leader.ts";
import { type LeaseName, openLease, resolveLease } from "./leader/lease.ts";
import { keepCollecting } from "./log/blob-collection.ts";
import { openEventLog } from "./log/event-log.ts";
import type { JanitorTiming } from "./log/janitor.ts";
import { createSink, type Sink } from "./log/sink.ts";
import type { Logger } from "./logger.ts";
import { tellingEvents } from "./metrics/bridge-event.ts";
import { serveHealth } from "./metrics/health.ts";
import { createMetrics, type Metrics } from "./metrics/metrics.ts";
import { readiness, type WatchStates } from "./metrics/readiness.ts";
import { bridgeStatus } from "./metrics/status.ts";
import { logConnection } from "./nats/connection-log.ts";
import { awaitJetStream, type JetStream, untilAnswered } from "./nats/jetstream.ts";
import { resolveNatsSettings } from "./nats/nats-settings.ts";
import type { Telemetry } from "./trace/telemetry.ts";

/** What a running bridge is given. */
export interface BridgeOptions {
  readonly logger: Logger;
  /** Where spans and metrics are sent; its owner closes it. Default: nowhere. */
  readonly telemetry?: Telemetry;
  /** Stops it: what was read is still published, for at most ten seconds. */
  readonly signal: AbortSignal;
  /** Called once the health endpoints listen. */
  readonly onListening?: (port: number) => void;
  /** What Kubernetes Events about the bridge are about. Default: as the downward API says. */
  readonly pod?: OwnPod | undefined;
  /** Default: those of `connectApiServer`. */
  readonly connectionLimits?: ConnectionLimits;
  /** Default: those of `startJanitor`. */
  readonly janitor?: Partial<JanitorTiming>;
}

/** Lists at once, of all watches together: the API server holds each in memory while it sends it. */
const LISTS_MAX = 8;
/** A list takes seconds; longer than this only those in front of it that hang can have taken. */
const LIST_PATIENCE_MS = 30_000;

/**
 * Runs until `signal` aborts. Rejects at start when NATS or the kubeconfig cannot be used, or a stream has unsafe settings; later with a
 * LeadershipLostError when another bridge may lead.
 */
export async function runBridge(config: BridgeConfig, options: BridgeOptions): Promise<void> {
  try {
    await using cleanup = new AsyncDisposableStack();
    await runUntilStopped(config, options, cleanup);
  } catch (error) {
    if (!options.signal.aborted) throw error;
  }
  options.logger.info("the bridge has stopped");
}

async function runUntilStopped(
  config: BridgeConfig,
  options: BridgeOptions,
  cleanup: AsyncDisposableStack,
): Promise<void> {
  const { logger, telemetry, signal, onListening, connectionLimits, janitor } = options;
  const counted = createMetrics();
  telemetry?.measure(counted.families);
  const redactionKeys = readRedactionKeys(config);
  const states: WatchStates = new Map();
  const lease = resolveLease(config.leaderElection, config.cluster, config.kubernetes);
  let leader: LeaderState = { type: lease === undefined ? "off" : "candidate" };
  counted.leading(lease === undefined);
  const apiServer = await connectApiServer(config.kubernetes, connectionLimits, counted.requested);
  cleanup.defer(() => apiServer.close());
  const ended = new AbortController();
  cleanup.defer(() => ended.abort());
  const pod = options.pod ?? ownPod(config.kubernetes);
  const metrics = withKubeEvents(counted, pod, { apiServer, logger, signal: ended.signal });
  let jetStream: JetStream | undefined;
  let waitingForRoom = 0;
  const stateNow = () => ({ jetStream, states, leader, waitingForRoom });
  const health = await serveHealth({
    ...config.health,
    metrics: metrics.expose,
    readiness: () => readiness(stateNow()),
    status: () => bridgeStatus(metrics.censuses(), stateNow(), Date.now() / 1000),
  });
  cleanup.defer(() => health.close());
  onListening?.(health.port);
  const waiting = { signal, onWait: (error: Error) => logger.warn(error.message) };
  const clientName = `cr-reactor bridge ${config.cluster}`;
  const connected = await awaitJetStream(resolveNatsSettings(config.nats), clientName, waiting);
  jetStream = connected;
  cleanup.defer(() => connected.close());
  await untilAnswered(() => ensureStreams(connected, config, logger), waiting);
  const { cluster } = config;
  logger.info({ cluster, apiServer: apiServer.url, natsServer: connected.serverVersion }, "the bridge is connected");
  logConnection(connected, logger, "what is captured waits for it");
  const leadership = await lead(lease, config, apiServer, signal, (state) => {
    leader = state;
    metrics.leading(state.type === "leader");
    const [level, sentence] = sentenceOf(state) ?? [];
    if (level !== undefined) logger[level]({ ...lease }, sentence);
  });
  cleanup.defer(() => leadership.release());
  const log = openEventLog(connected);
  const sink = createSink(connected, log, logger, metrics.publishTrouble, (count) => {
    waitingForRoom = count;
    metrics.waitingForRoom(count);
  });
  const context = {
    config,
    apiServer,
    jetStream: connected,
    logger,
    metrics,
    tracing: telemetry?.tracing,
    states,
    listGate: createGate(LISTS_MAX, LIST_PATIENCE_MS),
    log,
    sink: whileLeading(sink, leadership),
    janitor,
    redactionKeys,
    signal: AbortSignal.any([signal, leadership.signal]),
    deadline: AbortSignal.any([drainedAfter(signal), leadership.signal]),
  };
  void keepCollecting(context);
  await Promise.race([followResources(context), untilLost(leadership)]);
  leadership.signal.throwIfAborted();
}

/** The metrics, which tell of what goes wrong as Kubernetes Events, too, where there is a Pod that these can be about. */
function withKubeEvents(
  metrics: Metrics,
  pod: OwnPod | undefined,
  { apiServer, logger, signal }: Pick<WatchContext, "apiServer" | "logger" | "signal">,
): Metrics {
  if (pod === undefined) {
    logger.info(
      "no Kubernetes Events about the bridge: POD_NAME and POD_NAMESPACE name no Pod of the captured cluster",
    );
    return metrics;
  }
  const onProblem = (problem: string) =>
    logger.warn(`Kubernetes Events about the bridge cannot be written: ${problem}`);
  const recorder = createEventRecorder({ apiServer, pod, signal, onProblem, onOutcome: metrics.recorded });
  return tellingEvents(metrics, recorder);
}

/** Resolves when this bridge is the one to capture. */
async function lead(
  lease: LeaseName | undefined,
  { leaderElection }: BridgeConfig,
  apiServer: ApiServer,
  signal: AbortSignal,
  onState: (state: LeaderState) => void,
): Promise<Leadership> {
  if (lease === undefined) return uncontested();
  const requestMsMax = (leaderElection.renewDeadlineSeconds * 1000) / 2;
  return await becomeLeader(
    { lease: openLease(apiServer, lease, requestMsMax), settings: leaderElection, onState },
    signal,
  );
}

/** Never resolves; rejects with the reason. */
function untilLost({ signal }: Leadership): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}

/** Asks the clock before each event: after a pause, what was read before it comes up before any timer does. */
function whileLeading(sink: Sink, leadership: Leadership): Sink {
  return {
    publish(...publishing) {
      leadership.check();
      return sink.publish(...publishing);
    },
  };
}
