/**
 * The streams, as data, and the one way to make them: a missing one is created, an existing one is compared and never changed
 * silently. A difference that would break a guarantee (the log forgetting an object's last event) is refused; any other is told.
 * Source: DESIGN "NATS"; JetStream API `$JS.API.STREAM.*`, ADR-8 for key-value buckets.
 */
import { z } from "zod";
import { SUBJECT_ROOT } from "../log/subject.ts";
import type { JetStream } from "./jetstream.ts";
import { JetStreamApiError, unlessMissing } from "./jetstream-error.ts";

/** The log of all changes, and at the same time the state: of each object each kind of change keeps its newest events. */
export const EVENTS_STREAM = "CR_EVENTS";
/** The key-value bucket of the bridge's checkpoints. */
export const CHECKPOINTS_BUCKET = "CR_CHECKPOINTS";
/** The key-value bucket of the kinds' schemas, for functions. */
export const SCHEMAS_BUCKET = "CR_SCHEMAS";
/** The object store's bucket for the data of events that are larger than a message may be. */
export const BLOBS_BUCKET = "CR_BLOBS";

/** What an operator may choose about the streams. */
export const StreamSettings = z
  .strictObject({
    /** Copies of each stream: 1, 3 or 5; default 1. */
    replicas: z.union([z.literal(1), z.literal(3), z.literal(5)]).default(1),
    /** The log's size limit; when it is reached the bridge stops and says so. Default 4 GiB. */
    eventsBytesMax: z
      .int()
      .positive()
      .default(4 * 1024 ** 3),
    /**
     * Whether the log is compressed on disk (`s2`); default none: six times the room, and a state that is read back costs NATS a hundredth
     * (a server that compresses unpacks megabytes for each).
     */
    compression: z.enum(["none", "s2"]).default("none"),
    /** The size limit of the data of very large events; when it is reached their objects wait. Default 1 GiB. */
    blobsBytesMax: z
      .int()
      .positive()
      .default(1024 ** 3),
    /** How many events of each object and kind of change are kept; default 32. */
    eventsPerSubjectMax: z.int().min(1).default(32),
    /** After how many days a deleted object leaves the log, once every subscription has read its deletion; default 7. */
    deletedDays: z.number().positive().default(7),
  })
  .prefault({});
export type StreamSettings = z.infer<typeof StreamSettings>;

/** A stream's configuration as the JetStream API takes it, and which of its fields carry a guarantee. */
export interface StreamDefinition {
  readonly config: Readonly<Record<string, unknown>> & { readonly name: string };
  readonly guarded: readonly string[];
}

/** A stream exists with settings under which cr-reactor's guarantees do not hold. */
export class StreamMismatchError extends Error {
  readonly code = "STREAM_MISMATCH";
  override readonly name = "StreamMismatchError";
}

const STREAM_EXISTS_WITH_OTHER_CONFIG = 10058;
/** The duplicate window is a second net behind the fence; more would cost 229 bytes of server memory per event in it. */
export const DUPLICATE_WINDOW_NS = 120 * 1e9;
/** Some thousand kinds of usual size: 30 KB, compressed to a fifth. The server sets it aside, so it is no more than that. */
const SCHEMAS_BYTES_MAX = 64 * 1024 ** 2;

/** CR_EVENTS. No age limit: once an object's events are gone, its fence would accept a replay. */
export function eventsStream(settings: StreamSettings): StreamDefinition {
  return {
    config: {
      name: EVENTS_STREAM,
      description: "cr-reactor: every change of every captured custom resource, as CloudEvents",
      subjects: [`${SUBJECT_ROOT}.>`],
      storage: "file",
      retention: "limits",
      discard: "new",
      compression: settings.compression,
      num_replicas: settings.replicas,
      max_age: 0,
      max_msgs: -1,
      max_bytes: settings.eventsBytesMax,
      max_msgs_per_subject: settings.eventsPerSubjectMax,
      duplicate_window: DUPLICATE_WINDOW_NS,
      allow_direct: true,
    },
    guarded: ["subjects", "storage", "retention", "discard", "max_age", "max_msgs", "discard_new_per_subject"],
  };
}

/** The bucket of blobs, as ADR-20 lays it out, so that `nats object` reads it. No age limit: the log may name the oldest. */
export function blobsStream(settings: StreamSettings): StreamDefinition {
  return {
    config: {
      name: `OBJ_${BLOBS_BUCKET}`,
      description: "cr-reactor: the data of events that are larger than max_payload",
      subjects: [`$O.${BLOBS_BUCKET}.C.>`, `$O.${BLOBS_BUCKET}.M.>`],
      storage: "file",
      retention: "limits",
      discard: "new",
      compression: "s2",
      num_replicas: settings.replicas,
      max_age: 0,
      max_msgs: -1,
      max_msgs_per_subject: -1,
      max_bytes: settings.blobsBytesMax,
      allow_rollup_hdrs: true,
      allow_direct: true,
    },
    guarded: ["subjects", "storage", "retention", "discard", "max_age", "max_msgs", "max_msgs_per_subject"],
  };
}

/** What one key-value bucket has of its own. */
export interface KeyValueBucket extends Pick<StreamDefinition, "guarded"> {
  readonly description: string;
  readonly config: Readonly<Record<string, unknown>>;
}

/** A key-value bucket as ADR-8 lays it out, with one revision a key and no age limit unless its own part says so; `nats kv` reads it. */
export function keyValueStream(
  bucket: string,
  { replicas }: Pick<StreamSettings, "replicas">,
  { description, config, guarded }: KeyValueBucket,
): StreamDefinition {
  return {
    config: {
      name: `KV_${bucket}`,
      description,
      subjects: [`$KV.${bucket}.>`],
      storage: "file",
      retention: "limits",
      num_replicas: replicas,
      max_age: 0,
      max_msgs_per_subject: 1,
      allow_rollup_hdrs: true,
      deny_delete: true,
      allow_direct: true,
      ...config,
    },
    guarded,
  };
}

/** The checkpoints' key-value bucket, as ADR-8 lays it out, so that `nats kv` reads it. */
export function checkpointsStream(settings: StreamSettings): StreamDefinition {
  return keyValueStream(CHECKPOINTS_BUCKET, settings, {
    description: "cr-reactor: how far each watch of the bridge is",
    config: {
      discard: "new",
    },
    guarded: ["subjects", "max_age", "max_msgs_per_subject"],
  });
}

/** The schemas' key-value bucket. A schema is made again from the cluster at any time, so it may be full or gone without harm. */
export function schemasStream(settings: Pick<StreamSettings, "replicas">): StreamDefinition {
  return keyValueStream(SCHEMAS_BUCKET, settings, {
    description: "cr-reactor: the schemas of the captured kinds, for functions",
    config: {
      discard: "new",
      compression: "s2",
      max_bytes: SCHEMAS_BYTES_MAX,
    },
    guarded: ["subjects", "max_msgs_per_subject"],
  });
}

/**
 * Creates the stream when it is missing. Returns sentences about harmless differences of an existing one.
 * Throws StreamMismatchError about one that breaks a guarantee, JetStreamApiError when the server refuses.
 */
export async function ensureStream(
  jetStream: JetStream,
  { config, guarded }: StreamDefinition,
): Promise<readonly string[]> {
  const existing = (await findStream(jetStream, config.name)) ?? (await createStream(jetStream, config));
  if (existing === undefined) return [];
  const remarks: string[] = [];
  for (const field of new Set([...Object.keys(config), ...guarded])) {
    const [wanted, found] = [config[field] ?? zeroOf(existing[field]), existing[field] ?? zeroOf(config[field])];
    if (field === "description" || JSON.stringify(wanted) === JSON.stringify(found)) continue;
    const remark = `stream ${config.name} has ${field} ${JSON.stringify(found)}, the configuration says ${JSON.stringify(wanted)}`;
    if (guarded.includes(field)) {
      throw new StreamMismatchError(
        `${remark}: events could be lost or doubled. Change it with \`nats stream edit ${config.name}\`, or remove the stream if it is not cr-reactor's`,
      );
    }
    remarks.push(
      `${remark}; it was left as it is: change either with \`nats stream edit ${config.name}\` or in the configuration`,
    );
  }
  return remarks;
}

type StreamConfig = Readonly<Record<string, unknown>>;

async function findStream(jetStream: JetStream, name: string): Promise<StreamConfig | undefined> {
  const info = await unlessMissing("stream", jetStream.api<{ config: StreamConfig }>(`STREAM.INFO.${name}`));
  return info?.config;
}

/** Creates it; when another process was faster, with other settings, returns what is there. */
async function createStream(
  jetStream: JetStream,
  config: StreamDefinition["config"],
): Promise<StreamConfig | undefined> {
  try {
    await jetStream.api(`STREAM.CREATE.${config.name}`, config);
    return undefined;
  } catch (error) {
    if (error instanceof JetStreamApiError && error.errCode === STREAM_EXISTS_WITH_OTHER_CONFIG)
      return await findStream(jetStream, config.name);
    throw error;
  }
}

/** The server leaves out what is zero; a left-out field equals the zero of its kind. */
function zeroOf(value: unknown): unknown {
  switch (typeof value) {
    case "number":
      return 0;
    case "boolean":
      return false;
    case "string":
      return "";
    default:
      return undefined;
  }
}
