/**
 * The only door between the bridge and the functions: the event, its subject, and the way to NATS. What is not exported here is
 * the bridge's own.
 */

export type { Backoff, BackoffOptions } from "./backoff.ts";
export { createBackoff } from "./backoff.ts";
export type { Actor } from "./event/change.ts";
export { beforeOf, Change, Op } from "./event/change.ts";
export { diff } from "./event/diff.ts";
export {
  CLOUDEVENTS_JSON,
  checkSent,
  Envelope,
  MalformedEventError,
  opOf,
  parseEnvelope,
  parseSent,
  type SentEnvelope,
  TYPE_PREFIX,
} from "./event/envelope.ts";
export { FieldPath, parseFieldPath, parsePointer, toDotted, toPointer, valueAt } from "./event/field-path.ts";
export { type PatchOperation, type ValueOperation, valueOperations } from "./event/patch.ts";
export { presetPhase } from "./event/phase-preset.ts";
export { isRedacted } from "./event/redaction.ts";
export { type KubeAccess, type KubeRefusal, kubeRefusalOf, openKubeAccess } from "./kube/kube-access.ts";
export { groupOf, type Json, KubeObject, versionPartOf } from "./kube/kube-object.ts";
export { KubernetesSettings } from "./kube/kubernetes-settings.ts";
export { compareQuantities, isSameAmount } from "./kube/quantity.ts";
export { BlobLostError } from "./log/blob.ts";
export { type Checkpoint, loadCheckpoints } from "./log/checkpoint.ts";
export { findEvent, openEnvelope, readEvent } from "./log/dataref.ts";
export {
  decodeToken,
  encodePhase,
  encodeToken,
  objectPart,
  objectSubject,
  opIn,
  parseObjectSubject,
  SUBJECT_ROOT,
} from "./log/subject.ts";
export { createLogger, type Logger } from "./logger.ts";
export { type MetricFamily, renderMetrics } from "./metrics/exposition.ts";
export { HealthSettings, type Readiness, serveHealth } from "./metrics/health.ts";
export { BridgeStatus } from "./metrics/status-report.ts";
export { logConnection } from "./nats/connection-log.ts";
export {
  DEAD_LETTERS_ROOT,
  DEAD_LETTERS_STREAM,
  deadLettersStream,
  INCIDENTS_BUCKET,
  incidentsStream,
  RETRIES_ROOT,
  RETRIES_STREAM,
  retriesStream,
  SILENCES_BUCKET,
  STEPS_BUCKET,
  SUBSCRIPTIONS_BUCKET,
  silencesStream,
  stepsStream,
  subscriptionsStream,
  TIMERS_ROOT,
  TIMERS_STREAM,
  timersStream,
} from "./nats/function-stream.ts";
export type { JetStream, NatsMessage } from "./nats/jetstream.ts";
export { awaitJetStream, connectJetStream, untilAnswered } from "./nats/jetstream.ts";
export {
  isUnavailable,
  isWrongLastSequence,
  JetStreamApiError,
  NatsUnreachableError,
  NatsUnusableError,
  RequestLostError,
  unlessMissing,
} from "./nats/jetstream-error.ts";
export { NatsSettings, resolveNatsSettings, shownServer } from "./nats/nats-settings.ts";
export type { Delivered } from "./nats/pull.ts";
export { ConsumerGoneError, pull } from "./nats/pull.ts";
export { follow, ReadInterruptedError, type Reading, read } from "./nats/reader.ts";
export { getStored, type StoredMessage, type StoredQuery } from "./nats/stored-message.ts";
export {
  BLOBS_BUCKET,
  EVENTS_STREAM,
  ensureStream,
  SCHEMAS_BUCKET,
  type StreamDefinition,
  StreamSettings,
} from "./nats/stream.ts";
export { didYouMean } from "./nearest-name.ts";
export { type KindSchema, kindSchemaKey, OPEN, parseKindSchema, type SchemaNode } from "./schema/kind-schema.ts";
export { isSameSecret, readSecret, SecretError, SecretSource } from "./secret.ts";
export { destinationOf, eventAttributes } from "./trace/event-span.ts";
export { openTelemetry, type Telemetry } from "./trace/telemetry.ts";
export { parseTraceparent, type TraceContext, toTraceparent, traceFields } from "./trace/trace-context.ts";
export type { Span, SpanStart, Tracing } from "./trace/tracing.ts";
export { ConfigError, type ConfigProblem, parseYamlConfig } from "./yaml-config.ts";
