/**
 * One watch, kept going until it is told to stop: captured, and started again whenever it fails. It says why, and never holds up another.
 */
import { createBackoff, REFLECTOR_BACKOFF } from "../backoff.ts";
import type { BridgeConfig } from "../config.ts";
import type { RedactionKeys } from "../event/redaction.ts";
import type { ApiServer } from "../kube/api-server.ts";
import type { LiveShape } from "../kube/list-shape.ts";
import { problemOf } from "../kube/problem.ts";
import { RewoundError } from "../log/epoch.ts";
import type { EventLog } from "../log/event-log.ts";
import type { JanitorTiming } from "../log/janitor.ts";
import type { Sink } from "../log/sink.ts";
import { LogLostError } from "../log/witness.ts";
import type { Logger } from "../logger.ts";
import type { Metrics } from "../metrics/metrics.ts";
import type { WatchStates } from "../metrics/readiness.ts";
import type { JetStream } from "../nats/jetstream.ts";
import { blobsStream, checkpointsStream, ensureStream, eventsStream } from "../nats/stream.ts";
import type { Tracing } from "../trace/tracing.ts";
import { capture } from "./capture.ts";
import type { CaptureState } from "./capture-state.ts";
import { configuredResource } from "./configured-resource.ts";
import type { Gate } from "./gate.ts";
import { resourceTitle } from "./resource.ts";
import type { WantedWatch } from "./selection.ts";

/** What all watches of a bridge share. */
export interface WatchContext {
  readonly config: BridgeConfig;
  readonly apiServer: ApiServer;
  readonly jetStream: JetStream;
  readonly log: EventLog;
  readonly sink: Sink;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly tracing: Tracing | undefined;
  readonly states: WatchStates;
  readonly redactionKeys: RedactionKeys;
  readonly janitor: Partial<JanitorTiming> | undefined;
  /** How many lists are read at once. */
  readonly listGate: Gate;
  /** Stops every watch. */
  readonly signal: AbortSignal;
  /** Ends what cannot be published any more. */
  readonly deadline: AbortSignal;
}

/** What is known of a kind while it is followed. */
export interface FollowedKind {
  /** How its lists are compared. */
  readonly shape: LiveShape;
  /** It was not served when the bridge began to look: all of its objects are new. */
  readonly isNew: boolean;
}

/** Time to publish what was read before a stop; Kubernetes kills after 30 s. */
const DRAIN_MS = 10_000;

/** Runs the watch until `signal` aborts. */
export async function keepWatching(
  context: WatchContext,
  wanted: WantedWatch,
  { shape, isNew }: FollowedKind,
  signal: AbortSignal,
): Promise<void> {
  const { config, jetStream, logger, metrics, states, redactionKeys } = context;
  const resource = configuredResource(config, wanted, { redactionKeys, shape });
  const title = resourceTitle(resource);
  const backoff = createBackoff(REFLECTOR_BACKOFF);
  const deadline = AbortSignal.any([context.deadline, drainedAfter(signal)]);
  let afterLoss = false;
  let epochMin = 1;
  const setState = (state: CaptureState) => {
    states.set(title, state);
    metrics.state(title, state);
    if (state.type === "watching") afterLoss = false; // what was lost is told again, and the checkpoint is saved
  };
  for (let attempt = 1; !signal.aborted; attempt++) {
    try {
      setState({ type: "starting" });
      if (attempt > 1) await ensureStreams(jetStream, config, logger); // a wiped NATS does not have them any more
      const { stateBytesMax, verify } = config;
      const schedule = { everyMs: verify.everyMinutes * 60_000, graceMs: verify.graceSeconds * 1_000 };
      const { deletedDays } = config.streams;
      const wishes = wanted.entry;
      const settings = { wishes, afterLoss, epochMin, stateBytesMax, deletedDays, schedule, isNewKind: isNew };
      await capture({ ...context, ...settings, resource, signal, deadline, onState: setState });
    } catch (error) {
      if (error instanceof LogLostError) {
        afterLoss = true;
        epochMin = error.epoch;
      }
      if (error instanceof RewoundError) {
        epochMin = error.epoch;
        metrics.recovered(title, "rewound");
        logger.error({ resource: title, epoch: error.epoch }, error.message);
        continue;
      }
      if (signal.aborted) {
        const reason = { resource: title, error: (error as Error).message };
        logger.warn(reason, "stopped before everything was published; the next start goes on there");
        break;
      }
      const found = problemOf(error, { plural: title, group: "", namespace: undefined });
      setState({ type: "waiting", ...found, attempt });
      if (!(error instanceof LogLostError)) logger.warn({ resource: title, attempt }, found.problem); // it was told
      await backoff.wait(signal).catch(() => undefined);
      await jetStream.whenConnected(signal).catch(() => undefined);
    }
  }
  states.delete(title);
  metrics.forget(title);
}

/** Makes the streams that are missing, and tells about others' settings. Throws StreamMismatchError about unsafe ones. */
export async function ensureStreams(
  jetStream: JetStream,
  { streams }: Pick<BridgeConfig, "streams">,
  logger: Logger,
): Promise<void> {
  for (const definition of [eventsStream(streams), blobsStream(streams), checkpointsStream(streams)]) {
    for (const remark of await ensureStream(jetStream, definition)) logger.warn(remark);
  }
}

/** Aborts when what was read before `signal` aborted has had its time to be published. */
export function drainedAfter(signal: AbortSignal): AbortSignal {
  const later = new AbortController();
  const wait = () => setTimeout(() => later.abort(), DRAIN_MS).unref();
  if (signal.aborted) wait();
  else signal.addEventListener("abort", wait, { once: true });
  return later.signal;
}
