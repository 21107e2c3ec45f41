/**
 * The bridge: connects to the API server and to NATS, makes the streams, and, alone or as soon as it leads, captures each configured
 * resource until it is told to stop. One that leads no longer ends, so that it starts again from clean state. Each watch lives on its
 * own: one that cannot go on says why and tries again, and never holds up another.
 */
import { type ApiServer, type ConnectionLimits, connectApiServer } from "./api-server.ts";
import { createBackoff, REFLECTOR_BACKOFF } from "./backoff.ts";
import { type CaptureState, capture } from "./capture.ts";
import type { BridgeConfig } from "./config.ts";
import { discover } from "./discovery.ts";
import { type EventLog, openEventLog } from "./event-log.ts";
import { serveHealth } from "./health.ts";
import type { JanitorTiming } from "./janitor.ts";
import { awaitJetStream, type JetStream, untilAnswered } from "./jetstream.ts";
import { becomeLeader, type LeaderState, type Leadership, sentenceOf, uncontested } from "./leader.ts";
import { type LeaseName, openLease, resolveLease } from "./lease.ts";
import type { Logger } from "./logger.ts";
import { createMetrics, type Metrics } from "./metrics.ts";
import { resolveNatsSettings } from "./nats-settings.ts";
import { readiness, type WatchStates } from "./readiness.ts";
import { describeProblem } from "./reflector.ts";
import { type ResourceSettings, resourceTitle, watchedResource } from "./resource.ts";
import { readSecret, SecretError } from "./secret.ts";
import { createSink, type Sink } from "./sink.ts";
import { checkpointsStream, ensureStream, eventsStream } from "./stream.ts";
import { LogLostError } from "./witness.ts";

/** What a running bridge is given. */
export interface BridgeOptions {
  readonly logger: Logger;
  /** Stops it: what was read is still published, for at most ten seconds. */
  readonly signal: AbortSignal;
  /** Called once the health endpoints listen. */
  readonly onListening?: (port: number) => void;
  /** Default: those of `connectApiServer`. */
  readonly connectionLimits?: ConnectionLimits;
  /** Default: those of `startJanitor`. */
  readonly janitor?: Partial<JanitorTiming>;
}

/** Fewer could be guessed, and with them the values behind the marks. */
const REDACTION_KEY_CHARACTERS_MIN = 16;
/** Time to publish what was read before the stop; Kubernetes kills after 30 s. */
const DRAIN_MS = 10_000;

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
  { logger, signal, onListening, connectionLimits, janitor }: BridgeOptions,
  cleanup: AsyncDisposableStack,
): Promise<void> {
  const metrics = createMetrics();
  const redactionKey = readRedactionKey(config);
  const states: WatchStates = new Map();
  const lease = resolveLease(config.leaderElection, config.cluster, config.kubernetes);
  let leader: LeaderState = { type: lease === undefined ? "off" : "candidate" };
  metrics.leading(lease === undefined);
  const apiServer = await connectApiServer(config.kubernetes, connectionLimits);
  cleanup.defer(() => apiServer.close());
  let jetStream: JetStream | undefined;
  let waitingForRoom = 0;
  const health = await serveHealth({
    ...config.health,
    metrics: metrics.expose,
    readiness: () => readiness({ jetStream, states, leader, waitingForRoom }),
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
  connected.onConnection((event) => logger.warn(event, "the connection to NATS changed"));
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
  const deadline = new AbortController();
  signal.addEventListener("abort", () => setTimeout(() => deadline.abort(), DRAIN_MS).unref(), { once: true });
  const context = {
    config,
    apiServer,
    jetStream: connected,
    logger,
    metrics,
    states,
    leadership,
    log,
    sink: whileLeading(sink, leadership),
    janitor,
    redactionKey,
    signal: AbortSignal.any([signal, leadership.signal]),
    deadline: AbortSignal.any([deadline.signal, leadership.signal]),
  };
  const watches = config.resources.flatMap((entry) =>
    (entry.namespaces ?? [undefined]).map((namespace) => keepWatching(context, entry, namespace)),
  );
  await Promise.race([Promise.all(watches), untilLost(leadership)]);
  leadership.signal.throwIfAborted();
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

/** Throws SecretError when it is named and cannot be read, or is too short to be a secret. */
function readRedactionKey({ redactionKey }: BridgeConfig): string {
  if (redactionKey === undefined) return "";
  const key = readSecret(redactionKey);
  if (key.length >= REDACTION_KEY_CHARACTERS_MIN) return key;
  throw new SecretError(
    `redactionKey has ${key.length} characters, and needs at least ${REDACTION_KEY_CHARACTERS_MIN} random ones: \`openssl rand -hex 32\` makes some`,
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
    async publish(...publishing) {
      leadership.check();
      return await sink.publish(...publishing);
    },
  };
}

async function ensureStreams(jetStream: JetStream, { streams }: BridgeConfig, logger: Logger): Promise<void> {
  for (const definition of [eventsStream(streams), checkpointsStream(streams)]) {
    for (const remark of await ensureStream(jetStream, definition)) logger.warn(remark);
  }
}

interface WatchContext {
  readonly config: BridgeConfig;
  readonly apiServer: ApiServer;
  readonly jetStream: JetStream;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly states: WatchStates;
  readonly leadership: Leadership;
  readonly log: EventLog;
  readonly sink: Sink;
  readonly janitor: Partial<JanitorTiming> | undefined;
  readonly redactionKey: string;
  readonly signal: AbortSignal;
  readonly deadline: AbortSignal;
}

/** The entry's settings, with those of all resources. */
function settingsOf(config: BridgeConfig, entry: BridgeConfig["resources"][number]): ResourceSettings {
  return {
    ...entry,
    ignore: [...config.ignore, ...entry.ignore],
    only: [...config.only, ...entry.only],
    critical: [...config.critical, ...entry.critical],
    redact: [...config.redact, ...entry.redact],
  };
}

/** One watch, started again whenever it fails. */
async function keepWatching(
  context: WatchContext,
  entry: BridgeConfig["resources"][number],
  namespace: string | undefined,
): Promise<void> {
  const { config, apiServer, jetStream, logger, metrics, states, redactionKey, signal } = context;
  const settings = settingsOf(config, entry);
  const backoff = createBackoff(REFLECTOR_BACKOFF);
  let afterLoss = false;
  let epochMin = 1;
  let title = `${entry.kind} of ${entry.apiVersion}${namespace === undefined ? "" : ` in ${namespace}`}`;
  const setState = (state: CaptureState) => {
    states.set(title, state);
    metrics.state(title, state.type === "watching");
    if (state.type === "watching") afterLoss = false; // what was lost is told again, and the checkpoint is saved
  };
  for (let attempt = 1; !signal.aborted; attempt++) {
    try {
      setState({ type: "starting" });
      const discovered = await discover(apiServer, entry.apiVersion, entry.kind, signal);
      if (discovered === undefined) {
        throw new Error(
          `${title} is not served: waiting for its CustomResourceDefinition (check apiVersion and kind if it should be there)`,
        );
      }
      const resource = watchedResource(config.cluster, settings, discovered, namespace, { redactionKey });
      states.delete(title);
      metrics.forget(title);
      if (namespace !== undefined && !discovered.namespaced) {
        logger.warn(`${entry.kind} is cluster-scoped: its namespaces count for nothing; leave them out of its entry`);
        if (namespace !== entry.namespaces?.[0]) return; // one watch sees them all
      }
      title = resourceTitle(resource);
      if (attempt > 1) await ensureStreams(jetStream, config, logger); // a wiped NATS does not have them any more
      const { stateBytesMax, verify } = config;
      const schedule = { everyMs: verify.everyMinutes * 60_000, graceMs: verify.graceSeconds * 1_000 };
      const { deletedDays } = config.streams;
      const known = { afterLoss, epochMin };
      await capture({ ...context, ...known, resource, stateBytesMax, deletedDays, schedule, onState: setState });
    } catch (error) {
      if (error instanceof LogLostError) {
        afterLoss = true;
        epochMin = error.epoch;
      }
      if (signal.aborted)
        return logger.warn(
          { resource: title, error: (error as Error).message },
          "stopped before everything was published; the next start goes on there",
        );
      const problem = describeProblem(error, { plural: title, group: "", namespace: undefined });
      setState({ type: "waiting", problem, attempt });
      if (!(error instanceof LogLostError)) logger.warn({ resource: title, attempt }, problem); // it was told
      await backoff.wait(signal).catch(() => undefined);
      await jetStream.whenConnected(signal).catch(() => undefined);
    }
  }
}
