/**
 * One change as a record of the Elastic Common Schema, flat, so that one line of JSON is one document: what happened to which object, by
 * which field manager, which fields from what to what. Values are summarised as in messages; what the bridge redacts is redacted.
 * Source: Elastic Common Schema 8.17 (event, orchestrator, user_agent, trace); keys of our own begin with `cr_reactor.`.
 */
import { type Envelope, type Op, opOf } from "#contract";
import { changedField, readingOrder } from "../changed-field.ts";

const ECS_VERSION = "8.17.0";

/** ECS has a word for each; what came into view or left it is no change. */
const EVENT_TYPES: Readonly<Record<Op, string>> = {
  created: "creation",
  updated: "change",
  deleted: "deletion",
  existing: "info",
  unselected: "info",
};

/** The record, without the keys of the chain. */
export function auditRecord(event: Envelope, fieldsMax: number): Readonly<Record<string, unknown>> {
  const op = opOf(event);
  const { data } = event;
  const operations = readingOrder(data.patch ?? []);
  const fields = operations.slice(0, fieldsMax).map(changedField);
  return {
    "@timestamp": event.time,
    "ecs.version": ECS_VERSION,
    "event.kind": "event",
    "event.category": ["configuration"],
    "event.type": [EVENT_TYPES[op]],
    "event.action": op,
    "event.dataset": "cr-reactor.audit",
    "event.id": event.id,
    "event.created": event.recordedtime,
    "orchestrator.type": "kubernetes",
    "orchestrator.cluster.name": event.cluster,
    ...(event.namespace !== undefined && { "orchestrator.namespace": event.namespace }),
    "orchestrator.resource.type": event.kind,
    "orchestrator.resource.name": event.name,
    "orchestrator.resource.id": data.object.metadata.uid,
    "orchestrator.api_version": event.apiversion,
    ...(event.manager !== undefined && { "user_agent.name": event.manager }),
    ...(event.traceparent !== undefined && { "trace.id": event.traceparent.split("-")[1] }),
    "cr_reactor.resource_version": data.object.metadata.resourceVersion,
    ...(event.changed !== undefined && { "cr_reactor.changed": event.changed.split(",") }),
    ...(event.phase !== undefined && { "cr_reactor.phase": event.phase }),
    ...(event.phasefrom !== undefined && { "cr_reactor.phase_before": event.phasefrom }),
    ...(data.gap && { "cr_reactor.gap": true }),
    ...(fields.length > 0 && { "cr_reactor.fields": fields }),
    ...(operations.length > fields.length && { "cr_reactor.fields_more": operations.length - fields.length }),
  };
}
