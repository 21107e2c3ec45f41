/**
 * The durable consumer of a subscription on CR_EVENTS: made when it is missing, brought up to date when the subscription changed.
 * Where it stands in the log is the server's to know; only when somebody deleted it does this process say where to go on.
 * Source: JetStream API, `$JS.API.CONSUMER.CREATE` (an empty action creates or updates) and `.INFO`, `$JS.API.STREAM.INFO`.
 */
import { hash } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { EVENTS_STREAM, type JetStream, unlessMissing } from "#contract";
import type { Binding } from "./subscription.ts";

/** Where a consumer that is made anew begins. */
export type StartAt =
  | { readonly type: "new" }
  | { readonly type: "all" }
  | { readonly type: "after"; readonly streamSequence: number };

/** How a consumer delivers, apart from what the subscription says. */
export interface ConsumerSettings {
  readonly ackWaitMs: number;
  /** Events that may be delivered and not acknowledged. */
  readonly heldMax: number;
}

/** What was done to the consumer. */
export interface EnsuredConsumer {
  readonly action: "created" | "updated" | "kept";
  /** Everything up to this stream sequence is acknowledged, or was before its time. */
  readonly floorSequence: number;
}

/** The log as it is now; `createdAt` tells a new stream of the same name from the old one. */
export interface EventsLog {
  readonly createdAt: string;
  readonly lastSequence: number;
  readonly replicas: number;
}

/** A consumer of this name exists, with settings that cannot be changed and do not fit. */
export class ConsumerMismatchError extends Error {
  readonly code = "CONSUMER_MISMATCH";
  override readonly name = "ConsumerMismatchError";
}

const NANOSECONDS_PER_MS = 1_000_000;
/** Settings that somebody may have added, under which events would come without payload, too late, or not at all. */
const UNWANTED = ["filter_subject", "backoff", "headers_only", "pause_until"];

type ConsumerConfig = Readonly<Record<string, unknown>>;
interface ConsumerInfo {
  readonly config: ConsumerConfig;
  readonly ack_floor: { readonly stream_seq: number };
  readonly num_ack_pending: number;
}

/** The name of a subscription's consumer. */
export function consumerName({ subscription }: Binding): string {
  return `cr-${subscription.name}`;
}

/** CR_EVENTS, or `undefined` as long as no bridge has made it. */
export async function findEventsLog(jetStream: JetStream): Promise<EventsLog | undefined> {
  const info = await unlessMissing(
    "stream",
    jetStream.api<{ created: string; state: { last_seq: number }; config: { num_replicas: number } }>(
      `STREAM.INFO.${EVENTS_STREAM}`,
    ),
  );
  return info && { createdAt: info.created, lastSequence: info.state.last_seq, replicas: info.config.num_replicas };
}

/** How far the consumer is: up to where everything is acknowledged, and how many events are out, with whomever. */
export async function consumerProgress(
  jetStream: JetStream,
  consumer: string,
): Promise<{ readonly floorSequence: number; readonly unacknowledged: number }> {
  const info = await jetStream.api<ConsumerInfo>(`CONSUMER.INFO.${EVENTS_STREAM}.${consumer}`);
  return { floorSequence: info.ack_floor.stream_seq, unacknowledged: info.num_ack_pending };
}

/** Makes the consumer, or gives it today's settings. Throws ConsumerMismatchError, JetStreamApiError, RequestLostError. */
export async function ensureConsumer(
  jetStream: JetStream,
  binding: Binding,
  settings: ConsumerSettings,
  startAt: StartAt,
): Promise<EnsuredConsumer> {
  const name = consumerName(binding);
  const found = await unlessMissing("consumer", jetStream.api<ConsumerInfo>(`CONSUMER.INFO.${EVENTS_STREAM}.${name}`));
  const wanted = wantedConfig(binding, settings);
  if (found === undefined) {
    const config = { name, durable_name: name, ack_policy: "explicit", ...startConfig(startAt), ...wanted };
    return { action: "created", floorSequence: (await put(jetStream, name, config)).ack_floor.stream_seq };
  }
  refuseUnfit(name, found.config);
  const floorSequence = found.ack_floor.stream_seq;
  if (isUpToDate(found.config, wanted)) return { action: "kept", floorSequence };
  const kept = Object.entries(found.config).filter(([key]) => !UNWANTED.includes(key));
  await put(jetStream, name, { ...Object.fromEntries(kept), ...wanted });
  return { action: "updated", floorSequence };
}

function put(jetStream: JetStream, name: string, config: ConsumerConfig): Promise<ConsumerInfo> {
  const body = { stream_name: EVENTS_STREAM, config, action: "" };
  return jetStream.api<ConsumerInfo>(`CONSUMER.CREATE.${EVENTS_STREAM}.${name}`, body);
}

/** The part of the configuration that can be changed later. */
function wantedConfig({ subscription, subjects, functionName }: Binding, settings: ConsumerSettings) {
  return {
    description: `cr-reactor: subscription ${subscription.name} of function ${functionName}`,
    filter_subjects: subjects,
    ack_wait: settings.ackWaitMs * NANOSECONDS_PER_MS,
    max_ack_pending: settings.heldMax,
    // Without end: giving up is ours to do, because the server would do it silently.
    max_deliver: -1,
    metadata: {
      "cr-subscription": subscription.name,
      "cr-plan": hash("sha256", subjects.join(" "), "hex").slice(0, 16),
    },
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
