/**
 * Verification from outside: one watch of a configuration compared with the log by a process that captures nothing, for `cr-reactor verify`.
 * It reads; only where it is told to, it repairs, as the bridge would and behind the same fence, so that a bridge that runs meanwhile is
 * no danger. It never writes a checkpoint.
 */
import { compareWithLog, type Difference, type DifferenceKind } from "./capture/comparison.ts";
import { configuredResource, readRedactionKeys } from "./capture/configured-resource.ts";
import { createNamespaceSelection } from "./capture/namespace-selection.ts";
import { createPublisher } from "./capture/publisher.ts";
import { checkpointKey, resourceSubjects, resourceTitle, type WatchedResource } from "./capture/resource.ts";
import { meansGroup } from "./capture/resource-entry.ts";
import { type Selection, selectWatches, type WantedWatch } from "./capture/selection.ts";
import { nameOf, type RepairOutcome, repair } from "./capture/verification.ts";
import type { BridgeConfig } from "./config.ts";
import type { ApiServer } from "./kube/api-server.ts";
import { createCatalogReader } from "./kube/catalog.ts";
import { compareResourceVersions } from "./kube/kube-object.ts";
import { metadataPages } from "./kube/metadata-list.ts";
import { describeProblem } from "./kube/problem.ts";
import { type Checkpoint, loadCheckpoint } from "./log/checkpoint.ts";
import { epochOf, resourceVersionOf, versionIn } from "./log/epoch.ts";
import { type EventLog, knownAfter, openEventLog } from "./log/event-log.ts";
import { createSink } from "./log/sink.ts";
import { createStore, type Store } from "./log/store.ts";
import { isWitnessed } from "./log/witness.ts";
import type { Logger } from "./logger.ts";
import { createMetrics } from "./metrics/metrics.ts";
import type { JetStream } from "./nats/jetstream.ts";
import { unlessMissing } from "./nats/jetstream-error.ts";
import { EVENTS_STREAM } from "./nats/stream.ts";

export type { WantedWatch } from "./capture/selection.ts";

/** One watch of the configuration. */
export interface InspectionOptions {
  readonly config: BridgeConfig;
  readonly wanted: WantedWatch;
  readonly apiServer: ApiServer;
  readonly jetStream: JetStream;
  readonly logger: Logger;
  readonly repairs: boolean;
  /** How long a bridge that runs is given to catch up, before each of three looks. */
  readonly graceMs: number;
  readonly signal: AbortSignal;
  readonly onListed: (objects: number) => void;
}

/**
 * How the log stands to the watch, by its checkpoint. Whatever is not `captured` is listed and compared by the bridge at its next start,
 * and not repaired here: `uncaptured` the log has nothing of it; `unfinished` it has no checkpoint, as within the first list; `changed`
 * the checkpoint is of other settings; `lost` the log no longer has what it had acknowledged.
 */
export type Standing = "captured" | "uncaptured" | "unfinished" | "changed" | "lost";

/** A difference, for people. Versions are resourceVersions. */
export interface InspectedDifference {
  readonly kind: DifferenceKind;
  /** `namespace/name`, or the name alone. */
  readonly name: string;
  readonly listed?: string;
  readonly logged?: string;
  /** Left out: nothing was tried. */
  readonly outcome?: RepairOutcome;
}

/** What was found. */
export interface Inspection {
  readonly title: string;
  readonly standing: Standing;
  readonly objects: number;
  /** Alive in the log. */
  readonly known: number;
  readonly differences: readonly InspectedDifference[];
}

/** The resource could not be compared; the message says why and what to do. */
export class InspectionError extends Error {
  readonly code = "INSPECTION";
  override readonly name = "InspectionError";
}

/** Whether this NATS has a log. Throws JetStreamApiError or RequestLostError. */
export async function hasEventLog(jetStream: JetStream): Promise<boolean> {
  return (await unlessMissing("stream", jetStream.api(`STREAM.INFO.${EVENTS_STREAM}`))) !== undefined;
}

/** The watches that a bridge with this configuration would run now. Throws InspectionError, ApiStatusError and connection errors. */
export async function wantedWatches(
  apiServer: ApiServer,
  { resources }: Pick<BridgeConfig, "resources">,
  signal: AbortSignal,
): Promise<Selection> {
  const reader = createCatalogReader(apiServer, (group) => resources.some((entry) => meansGroup(entry, group)));
  const { entries } = await createNamespaceSelection(apiServer)(resources, signal, (_, { problem }) => {
    throw new InspectionError(problem);
  });
  return selectWatches(entries, await reader.look(signal));
}

/** Compares once, and with `repairs` brings the log up to date. Throws InspectionError. */
export async function inspect(options: InspectionOptions): Promise<Inspection> {
  const { config, wanted, signal } = options;
  const resource = configuredResource(config, wanted, { redactionKeys: readRedactionKeys(config) });
  try {
    return await inspectResource(options, resource);
  } catch (error) {
    if (signal.aborted) throw error;
    throw new InspectionError(describeProblem(error, resource), { cause: error });
  }
}

async function inspectResource(options: InspectionOptions, resource: WatchedResource): Promise<Inspection> {
  const { jetStream, signal, repairs, onListed } = options;
  const log = openEventLog(jetStream);
  const checkpoint = await unlessMissing("stream", loadCheckpoint(jetStream, checkpointKey(resource)));
  const { standing, epoch } = await readStanding(log, resource, checkpoint, signal);
  const title = resourceTitle(resource);
  const found: InspectedDifference[] = [];
  if (standing === "uncaptured") {
    let objects = 0;
    for await (const { items } of metadataPages({ ...options, resource })) {
      objects += items?.length ?? 0;
      onListed(objects);
    }
    return { title, standing, objects, known: 0, differences: found };
  }
  const mend = repairs && standing === "captured" ? createRepair(options, resource, log, epoch) : undefined;
  const counts = await compareWithLog({
    ...options,
    resource,
    log,
    epoch,
    async onDifference(difference) {
      const outcome = await mend?.(difference);
      if (outcome !== "caught-up") found.push(forPeople(difference, outcome));
    },
  });
  const differences = found.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  return { title, standing, ...counts, differences };
}

/** Reads the index once, for the epoch and the witness. */
async function readStanding(
  log: EventLog,
  resource: WatchedResource,
  checkpoint: Checkpoint | undefined,
  signal: AbortSignal,
): Promise<{ readonly standing: Standing; readonly epoch: number }> {
  const witness: Store = createStore(0);
  let newest = checkpoint && versionIn(checkpoint.epoch, checkpoint.resourceVersion);
  let isEmpty = true;
  for await (const entry of log.readIndex(resourceSubjects(resource), signal)) {
    const { object, event } = entry;
    if (event === undefined) continue;
    isEmpty = false;
    if (newest === undefined || compareResourceVersions(event.resourceVersion, newest) > 0)
      newest = event.resourceVersion;
    if (checkpoint?.id.startsWith(`${event.uid}.`)) witness.set(object, knownAfter(witness.get(object), entry));
  }
  signal.throwIfAborted(); // the index ends early then
  const epoch = newest === undefined ? 1 : epochOf(newest);
  if (checkpoint === undefined) return { standing: isEmpty ? "uncaptured" : "unfinished", epoch };
  if (!(await isWitnessed(log, witness, checkpoint))) return { standing: "lost", epoch };
  return { standing: checkpoint.settingsHash === resource.settingsHash ? "captured" : "changed", epoch };
}

/** The bridge's own way into the log, with nothing in memory: each object's last event is read first. */
function createRepair(options: InspectionOptions, resource: WatchedResource, log: EventLog, epoch: number) {
  const { jetStream, logger, signal } = options;
  const store = createStore(0);
  const sink = createSink(jetStream, log, logger, () => undefined);
  const publisher = createPublisher({
    ...options,
    resource,
    log,
    sink,
    store,
    metrics: createMetrics(),
    deadline: signal,
    onStored: () => undefined,
  });
  return async (difference: Difference): Promise<RepairOutcome> => {
    try {
      return await repair({ store, publisher }, difference, epoch);
    } finally {
      store.delete(difference.object);
    }
  };
}

function forPeople(
  { kind, object, listed, logged }: Difference,
  outcome: RepairOutcome | undefined,
): InspectedDifference {
  return {
    kind,
    name: nameOf(object),
    ...(listed && { listed: resourceVersionOf(listed.version) }),
    ...(logged !== undefined && { logged: resourceVersionOf(logged) }),
    ...(outcome && { outcome }),
  };
}
