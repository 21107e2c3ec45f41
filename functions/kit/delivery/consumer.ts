/**
 * The durable consumer of a partition on CR_EVENTS: made when it is missing. Where it stands in the log is the server's to know; only
 * when it is missing does this process say where to go on. Its filter is never changed in place: nats-server then delivers nothing old
 * of a widened filter while it runs and all of it after a restart, and once more what was out and is outside of a narrowed one. A
 * consumer with another filter is deleted and made again, where it was or, for a new generation, where that begins.
 * Source: JetStream API, `$JS.API.CONSUMER.CREATE` (an empty action creates or updates), `.DELETE`, `.LIST` and `.INFO`, `$JS.API.STREAM.INFO`.
 */
import { isDeepStrictEqual } from "node:util";
import { EVENTS_STREAM, type JetStream, RequestLostError, unlessMissing } from "#contract";
import { partitionIn } from "../ownership/partition.ts";

/** Where a consumer that is made anew begins. */
export type StartAt =
  | { readonly type: "new" }
  | { readonly type: "all" }
  | { readonly type: "after"; readonly streamSequence: number };

/** Which events it delivers, and whose it is. */
export interface ConsumerIdentity {
  readonly name: string;
  readonly subscription: string;
  readonly functionName: string;
  /** Which edit of the subscription it belongs to. */
  readonly generation: number;
  readonly digest: string;
  readonly subjects: readonly string[];
}

/** How a consumer delivers. */
export interface ConsumerSettings {
  readonly ackWaitMs: number;
  /** Events that may be delivered and not acknowledged. */
  readonly heldMax: number;
}

/** How far a consumer is. */
export interface ConsumerProgress {
  /** Everything up to this stream sequence is acknowledged, or was before its time. */
  readonly floorSequence: number;
  /** Everything up to this stream sequence was delivered at least once, or does not match. */
  readonly deliveredSequence: number;
  /** Delivered and not acknowledged, with whomever. */
  readonly unacknowledged: number;
  /** Not delivered yet. */
  readonly pendingCount: number;
  /** Requests of processes that wait for events. */
  readonly waitingPulls: number;
  /** When the consumer was made, by the server's clock. */
  readonly createdAtMs: number;
  /** When the server answered, by its clock. */
  readonly answeredAtMs: number;
}

/** What was done to the consumer, and how far it is. */
export interface EnsuredConsumer {
  readonly action: "created" | "remade" | "updated" | "kept";
  readonly progress: ConsumerProgress;
}

/** The log as it is now; `createdAt` tells a new stream of the same name from the old one. */
export interface EventsLog {
  readonly createdAt: string;
  readonly lastSequence: number;
  /** When the server answered, by its clock. */
  readonly answeredAtMs: number;
  readonly replicas: number;
  /** How many events of each exact subject are kept; below 1: all. */
  readonly perSubjectMax: number;
}

/** A consumer of this name exists, with settings that cannot be changed and do not fit. */
export class ConsumerMismatchError extends Error {
  readonly code = "CONSUMER_MISMATCH";
  override readonly name = "ConsumerMismatchError";
}

const NANOSECONDS_PER_MS = 1_000_000;
/** Settings that somebody may have added, under which events would come without payload, too late, or not at all. */
const UNWANTED = ["filter_subject", "backoff", "headers_only", "pause_until"];

/** One that only asks where it would begin is removed by the server after this time. */
const PROBE_IDLE_NS = 1_000 * NANOSECONDS_PER_MS;

type ConsumerConfig = Readonly<Record<string, unknown>>;
interface ConsumerInfo {
  readonly name: string;
  readonly created: string;
  readonly ts: string;
  readonly config: ConsumerConfig;
  readonly delivered: { readonly stream_seq: number };
  readonly ack_floor: { readonly stream_seq: number };
  readonly num_ack_pending: number;
  readonly num_pending: number;
  readonly num_waiting: number;
}
interface StreamInfo {
  readonly created: string;
  readonly ts: string;
  readonly state: { readonly last_seq: number };
  readonly config: { readonly num_replicas: number; readonly max_msgs_per_subject: number };
}

/** CR_EVENTS, or `undefined` as long as no bridge has made it. */
export async function findEventsLog(jetStream: JetStream): Promise<EventsLog | undefined> {
  const info = await unlessMissing("stream", jetStream.api<StreamInfo>(`STREAM.INFO.${EVENTS_STREAM}`));
  if (info === undefined) return undefined;
  const { created, ts, state, config } = info;
  return {
    createdAt: created,
    answeredAtMs: Date.parse(ts),
    lastSequence: state.last_seq,
    replicas: config.num_replicas,
    perSubjectMax: config.max_msgs_per_subject,
  };
}

/** How far the consumer is. */
export async function consumerProgress(jetStream: JetStream, consumer: string): Promise<ConsumerProgress> {
  return progressOf(await jetStream.api<ConsumerInfo>(`CONSUMER.INFO.${EVENTS_STREAM}.${consumer}`));
}

/**
 * Asks where in the log a place is, by sequence or by time (epoch milliseconds): behind which sequence, and how many messages are
 * there from it on. A consumer without a filter that nobody reads from answers both, without a message being sent.
 */
export async function findPlace(
  jetStream: JetStream,
  place: { readonly fromSequence: number } | { readonly fromMs: number },
): Promise<{ readonly afterSequence: number; readonly messageCount: number }> {
  const start =
    "fromMs" in place
      ? { deliver_policy: "by_start_time", opt_start_time: new Date(place.fromMs).toISOString() }
      : startConfig({ type: "after", streamSequence: place.fromSequence - 1 });
  const unread = { ack_policy: "none", mem_storage: true, num_replicas: 1, inactive_threshold: PROBE_IDLE_NS };
  // Without a name, so that a user who may only have certain consumers may ask as well.
  const body = { stream_name: EVENTS_STREAM, config: { ...start, ...unread } };
  const info = await jetStream.api<ConsumerInfo>(`CONSUMER.CREATE.${EVENTS_STREAM}`, body);
  return { afterSequence: info.delivered.stream_seq, messageCount: info.num_pending };
}

/** A consumer that exists, and whose it says it is; generation and digest are unknown where it was made by an older cr-reactor. */
export interface FoundConsumer {
  readonly name: string;
  readonly generation: number | undefined;
  readonly digest: string | undefined;
  readonly subjects: readonly string[];
  readonly progress: ConsumerProgress;
}

/** The consumers of a subscription, whatever their partitions and generation. */
export async function findConsumers(jetStream: JetStream, subscription: string): Promise<readonly FoundConsumer[]> {
  const found: FoundConsumer[] = [];
  for (let offset = 0, total = 1; offset < total; ) {
    const page = await jetStream.api<{
      total: number;
      consumers?: readonly ConsumerInfo[];
      missing?: readonly string[];
    }>(`CONSUMER.LIST.${EVENTS_STREAM}`, { offset });
    const { consumers = [], missing = [] } = page;
    if (missing.length > 0) throw new RequestLostError(`consumers did not answer: ${missing.join(", ")}`);
    const own = consumers.filter(({ name }) => partitionIn(name, subscription) !== undefined);
    found.push(...own.map((info) => ({ name: info.name, ...identityIn(info.config), progress: progressOf(info) })));
    offset += consumers.length;
    total = consumers.length === 0 ? offset : page.total;
  }
  return found;
}

/** How the consumer is, or `undefined` when there is none. */
export async function findConsumer(jetStream: JetStream, name: string): Promise<FoundConsumer | undefined> {
  const info = await infoOf(jetStream, name);
  return info && { name, ...identityIn(info.config), progress: progressOf(info) };
}

/** Deletes the consumer, if it is there. */
export async function deleteConsumer(jetStream: JetStream, name: string): Promise<void> {
  await unlessMissing("consumer", jetStream.api(`CONSUMER.DELETE.${EVENTS_STREAM}.${name}`));
}

/**
 * Makes the consumer, or gives it today's settings; `startAt` is asked only when it is missing, or of an older generation. Throws
 * ConsumerMismatchError, JetStreamApiError, RequestLostError.
 */
export async function ensureConsumer(
  jetStream: JetStream,
  identity: ConsumerIdentity,
  settings: ConsumerSettings,
  startAt: () => Promise<StartAt>,
): Promise<EnsuredConsumer> {
  const { name } = identity;
  const found = await infoOf(jetStream, name);
  const wanted = wantedConfig(identity, settings);
  const make = async (start: StartAt) => {
    const config = { name, durable_name: name, ack_policy: "explicit", ...startConfig(start), ...wanted };
    return progressOf(await put(jetStream, name, config));
  };
  if (found === undefined) return { action: "created", progress: await make(await startAt()) };
  refuseUnfit(name, found.config);
  const { generation, subjects } = identityIn(found.config);
  if (generation !== undefined && generation > identity.generation)
    throw new ConsumerMismatchError(
      `consumer ${name} is of a newer edit of the subscription than this process knows of`,
    );
  if (generation !== undefined && generation < identity.generation) {
    const start = await startAt();
    await deleteConsumer(jetStream, name);
    return { action: "created", progress: await make(start) };
  }
  if (!isDeepStrictEqual(subjects, [...identity.subjects])) {
    await deleteConsumer(jetStream, name);
    const streamSequence = found.ack_floor.stream_seq;
    return { action: "remade", progress: await make({ type: "after", streamSequence }) };
  }
  if (isUpToDate(found.config, wanted)) return { action: "kept", progress: progressOf(found) };
  const kept = Object.entries(found.config).filter(([key]) => !UNWANTED.includes(key));
  const updated = await put(jetStream, name, { ...Object.fromEntries(kept), ...wanted });
  return { action: "updated", progress: progressOf(updated) };
}

function infoOf(jetStream: JetStream, name: string): Promise<ConsumerInfo | undefined> {
  return unlessMissing("consumer", jetStream.api<ConsumerInfo>(`CONSUMER.INFO.${EVENTS_STREAM}.${name}`));
}

/** One filter subject may stand alone, in another field. */
function identityIn(config: ConsumerConfig): Pick<FoundConsumer, "generation" | "digest" | "subjects"> {
  const metadata = (config["metadata"] ?? {}) as Readonly<Record<string, string | undefined>>;
  const generation = Number(metadata["cr-generation"]);
  const alone = config["filter_subject"];
  const subjects = (config["filter_subjects"] ?? (alone ? [alone] : [])) as readonly string[];
  return { generation: generation > 0 ? generation : undefined, digest: metadata["cr-digest"], subjects };
}

function progressOf(info: ConsumerInfo): ConsumerProgress {
  return {
    floorSequence: info.ack_floor.stream_seq,
    deliveredSequence: info.delivered.stream_seq,
    unacknowledged: info.num_ack_pending,
    pendingCount: info.num_pending,
    waitingPulls: info.num_waiting,
    createdAtMs: Date.parse(info.created),
    answeredAtMs: Date.parse(info.ts),
  };
}

function put(jetStream: JetStream, name: string, config: ConsumerConfig): Promise<ConsumerInfo> {
  const body = { stream_name: EVENTS_STREAM, config, action: "" };
  return jetStream.api<ConsumerInfo>(`CONSUMER.CREATE.${EVENTS_STREAM}.${name}`, body);
}

/** The part of the configuration that can be changed later, apart from the filter. */
function wantedConfig(identity: ConsumerIdentity, settings: ConsumerSettings) {
  const { subscription, functionName, subjects, generation, digest } = identity;
  return {
    description: `cr-reactor: subscription ${subscription} of function ${functionName}`,
    filter_subjects: subjects,
    ack_wait: settings.ackWaitMs * NANOSECONDS_PER_MS,
    max_ack_pending: settings.heldMax,
    // Without end: giving up is ours to do, because the server would do it silently.
    max_deliver: -1,
    metadata: { "cr-subscription": subscription, "cr-generation": String(generation), "cr-digest": digest },
  };
}

function startConfig(startAt: StartAt): ConsumerConfig {
  if (startAt.type !== "after") return { deliver_policy: startAt.type };
  return { deliver_policy: "by_start_sequence", opt_start_seq: startAt.streamSequence + 1 };
}

/** The server adds keys of its own to the metadata. */
function isUpToDate(found: ConsumerConfig, wanted: ReturnType<typeof wantedConfig>): boolean {
  const { metadata, ...rest } = wanted;
  const foundMetadata = (found["metadata"] ?? {}) as Record<string, unknown>;
  return (
    Object.entries(rest).every(([key, value]) => isDeepStrictEqual(found[key], value)) &&
    Object.entries(metadata).every(([key, value]) => foundMetadata[key] === value) &&
    UNWANTED.every((key) => !found[key])
  );
}

function refuseUnfit(name: string, found: ConsumerConfig): void {
  const remove = `it cannot be changed: rename the subscription, or remove it with \`nats consumer rm ${EVENTS_STREAM} ${name}\``;
  if (found["ack_policy"] !== "explicit")
    throw new ConsumerMismatchError(
      `consumer ${name} has ack_policy ${found["ack_policy"]} instead of explicit; ${remove}`,
    );
  if (found["deliver_subject"])
    throw new ConsumerMismatchError(`consumer ${name} is a push consumer, and cr-reactor pulls; ${remove}`);
}
