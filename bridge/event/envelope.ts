/**
 * The event on the wire: a CloudEvent 1.0 in structured JSON mode, one NATS message with the header
 * `content-type: application/cloudevents+json` and no `ce-*` headers, so that every reader takes it. This file is its schema
 * and its reader; `seal.ts` writes it.
 * Source: CloudEvents 1.0.2 core and JSON format; its extensions partitioning, sequence, recordedtime, severity, distributed tracing;
 * the attribute names `apiversion`, `kind`, `name`, `namespace` are Knative ApiServerSource's.
 */
import { z } from "zod";
import { Change, Op } from "./change.ts";

/** The media type of a structured CloudEvent; the header name is lower-case because Go's SDK compares it so. */
export const CLOUDEVENTS_JSON = "application/cloudevents+json";
/** Every event's type is this followed by what happened. */
export const TYPE_PREFIX = "dev.cr-reactor.resource.";
/** Names version 1 of the JSON Schema of `data`, which `cr-reactor schema change` prints. */
export const DATA_SCHEMA = "urn:cr-reactor:schema:change:1";

const timestamp = z.iso.datetime({ offset: true });

/** One event. Extension attributes that we do not know pass through. */
export const Envelope = z.looseObject({
  specversion: z.literal("1.0"),
  id: z.string().min(1),
  source: z.string().min(1),
  type: z.templateLiteral([TYPE_PREFIX, Op]),
  /** `/apis/<group>/<version>/namespaces/<ns>/<plural>/<name>` */
  subject: z.string().min(1),
  /** When the change happened, where the object tells it; else when it was seen. */
  time: timestamp,
  /** When the bridge captured it. */
  recordedtime: timestamp,
  datacontenttype: z.literal("application/json"),
  dataschema: z.string(),
  apiversion: z.string().min(1),
  kind: z.string().min(1),
  name: z.string().min(1),
  /** Left out for cluster-scoped kinds. */
  namespace: z.string().optional(),
  cluster: z.string().min(1),
  /** Sorted list of `metadata`, `spec`, `status`; left out when empty. */
  changed: z.string().optional(),
  phase: z.string().optional(),
  phasefrom: z.string().optional(),
  phasesince: timestamp.optional(),
  manager: z.string().optional(),
  /** The object's deletion has begun, and waits for its finalizers. */
  terminating: z.literal(true).optional(),
  /** Only when a critical path changed: CRITICAL, 18 (OpenTelemetry's ERROR2). */
  severitytext: z.string().optional(),
  severitynumber: z.int().optional(),
  partitionkey: z.string().min(1),
  sequence: z.string().min(1),
  /** Where the trace of the event began: at its publishing. */
  traceparent: z.string().optional(),
  data: Change,
});
export type Envelope = z.infer<typeof Envelope>;

/** What stands around the data. */
export const Attributes = Envelope.omit({ data: true });
export type Attributes = z.infer<typeof Attributes>;

/** An event whose data did not fit into the message: `dataref` (a CloudEvents extension) says where it is. */
export const ReferringEnvelope = Attributes.extend({
  dataref: z.string().min(1),
  data: z.undefined().optional(),
});
export type ReferringEnvelope = z.infer<typeof ReferringEnvelope>;

/** An event as it is on the wire; `openEnvelope` makes it whole. */
export type SentEnvelope = Envelope | ReferringEnvelope;

/** The message is not an event of ours. `problem` is a sentence that quotes no content, because content may be secret. */
export class MalformedEventError extends Error {
  readonly code = "MALFORMED_EVENT";
  override readonly name = "MalformedEventError";
}

/** Whether a text of somebody else's is a time as an attribute may have it. */
export function isTimestamp(text: string): boolean {
  return timestamp.safeParse(text).success;
}

/** What happened, read from an event's type. */
export function opOf(envelope: Pick<Envelope, "type">): Op {
  return envelope.type.slice(TYPE_PREFIX.length) as Op;
}

/** Parses a whole event. Throws MalformedEventError, which names the first attributes that are wrong. */
export function parseEnvelope(payload: Uint8Array | string): Envelope {
  return check(Envelope, readJson(payload));
}

/** Parses a message's payload, whose data may be elsewhere. Throws MalformedEventError. */
export function parseSent(payload: Uint8Array | string): SentEnvelope {
  return checkSent(readJson(payload));
}

/** Checks an event that was read from JSON, or put together from headers. Throws MalformedEventError. */
export function checkSent(json: unknown): SentEnvelope {
  const isReferring = typeof json === "object" && json !== null && "dataref" in json && !("data" in json);
  return isReferring ? check(ReferringEnvelope, json) : check(Envelope, json);
}

function readJson(payload: Uint8Array | string): unknown {
  const text =
    typeof payload === "string"
      ? payload
      : Buffer.from(payload.buffer, payload.byteOffset, payload.length).toString("utf8");
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new MalformedEventError("the message is not JSON; events are CloudEvents 1.0 in structured JSON mode", {
      cause,
    });
  }
}

function check<T>(schema: z.ZodType<T>, json: unknown): T {
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues
    .slice(0, 3)
    .map((issue) => `${issue.path.join(".") || "event"}: ${issue.message}`);
  throw new MalformedEventError(`the message is not an event of cr-reactor: ${problems.join("; ")}`);
}
