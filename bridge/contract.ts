/**
 * The only door between the bridge and the functions: the event, its subject, and the way to NATS. What is not exported here is
 * the bridge's own.
 */

export type { Backoff, BackoffOptions } from "./backoff.ts";
export { createBackoff } from "./backoff.ts";
export { BlobLostError } from "./blob.ts";
export type { Actor } from "./change.ts";
export { beforeOf, Change, Op } from "./change.ts";
export { type Checkpoint, loadCheckpoints } from "./checkpoint.ts";
export { openEnvelope, readEvent } from "./dataref.ts";
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
} from "./envelope.ts";
export { type MetricFamily, renderMetrics } from "./exposition.ts";
export { FieldPath, parseFieldPath, parsePointer, toDotted, toPointer, valueAt } from "./field-path.ts";
export {
  DEAD_LETTERS_ROOT,
  DEAD_LETTERS_STREAM,
  deadLettersStream,
  INCIDENTS_BUCKET,
  incidentsStream,
  RETRIES_ROOT,
  RETRIES_STREAM,
  retriesStream,
  STEPS_BUCKET,
  SUBSCRIPTIONS_BUCKET,
  stepsStream,
  subscriptionsStream,
  TIMERS_ROOT,
  TIMERS_STREAM,
  timersStream,
} from "./function-stream.ts";
export { HealthSettings, type Readiness, serveHealth } from "./health.ts";
export type { JetStream, NatsMessage } from "./jetstream.ts";
export { awaitJetStream, connectJetStream, untilAnswered } from "./jetstream.ts";
export {
  isUnavailable,
  isWrongLastSequence,
  JetStreamApiError,
  NatsUnreachableError,
  NatsUnusableError,
  RequestLostError,
  unlessMissing,
} from "./jetstream-error.ts";
export { type KindSchema, kindSchemaKey, OPEN, parseKindSchema, type SchemaNode } from "./kind-schema.ts";
export { type KubeAccess, type KubeRefusal, kubeRefusalOf, openKubeAccess } from "./kube-access.ts";
export { groupOf, type Json, KubeObject, versionPartOf } from "./kube-object.ts";
export { KubernetesSettings } from "./kubernetes-settings.ts";
export { createLogger, type Logger } from "./logger.ts";
export { NatsSettings, resolveNatsSettings, shownServer } from "./nats-settings.ts";
export { didYouMean } from "./nearest-name.ts";
export { type PatchOperation, type ValueOperation, valueOperations } from "./patch.ts";
export { presetPhase } from "./phase-preset.ts";
export type { Delivered } from "./pull.ts";
export { ConsumerGoneError, pull } from "./pull.ts";
export { compareQuantities, isSameAmount } from "./quantity.ts";
export { follow, ReadInterruptedError, type Reading, read } from "./reader.ts";
export { isRedacted } from "./redaction.ts";
export { isSameSecret, readSecret, SecretError, SecretSource } from "./secret.ts";
export { BridgeStatus } from "./status-report.ts";
export { getStored, type StoredMessage, type StoredQuery } from "./stored-message.ts";
export {
  BLOBS_BUCKET,
  EVENTS_STREAM,
  ensureStream,
  SCHEMAS_BUCKET,
  type StreamDefinition,
  StreamSettings,
} from "./stream.ts";
export {
  encodePhase,
  encodeToken,
  objectPart,
  objectSubject,
  opIn,
  parseObjectSubject,
  SUBJECT_ROOT,
} from "./subject.ts";
export { ConfigError, type ConfigProblem, parseYamlConfig } from "./yaml-config.ts";
