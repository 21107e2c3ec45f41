/**
 * What spans tell of an event: its attributes as a CloudEvent and as a message, and the span of its publishing, with which its trace
 * begins. Names and attributes: OpenTelemetry's semantic conventions for messaging and for CloudEvents.
 */
import type { Envelope } from "../event/envelope.ts";
import { eventTrace } from "./trace-context.ts";
import type { SpanAttributes, Tracing } from "./tracing.ts";

/** Of a subject: the root, cluster, group and kind. */
const KIND_TOKENS = 4;
/** Over HTTP anybody may have written it. */
const NAME_CHARS_MAX = 300;

/** An event's attributes: its data is not looked at. */
type EventFacts = Pick<
  Envelope,
  | "id"
  | "source"
  | "type"
  | "subject"
  | "specversion"
  | "partitionkey"
  | "cluster"
  | "apiversion"
  | "kind"
  | "name"
  | "namespace"
  | "phase"
>;

/** An event that was published. */
interface PublishedEvent {
  readonly id: string;
  readonly envelope: EventFacts;
  readonly payload: string;
  readonly gap: boolean;
}

/** The subjects of its kind: what spans are grouped by. */
export function destinationOf({ partitionkey }: Pick<EventFacts, "partitionkey">): string {
  return `${partitionkey.split(".", KIND_TOKENS).join(".").slice(0, NAME_CHARS_MAX)}.>`;
}

/** Of publishing and of processing alike. */
export function eventAttributes(event: EventFacts): SpanAttributes {
  return {
    "messaging.system": "nats",
    "messaging.destination.name": event.partitionkey,
    "messaging.destination.template": destinationOf(event),
    "messaging.message.id": event.id,
    "cloudevents.event_id": event.id,
    "cloudevents.event_source": event.source,
    "cloudevents.event_type": event.type,
    "cloudevents.event_subject": event.subject,
    "cloudevents.event_spec_version": event.specversion,
    "k8s.cluster.name": event.cluster,
    "k8s.namespace.name": event.namespace,
    "cr_reactor.object.api_version": event.apiversion,
    "cr_reactor.object.kind": event.kind,
    "cr_reactor.object.name": event.name,
    "cr_reactor.object.phase": event.phase,
  };
}

/** Tells that an event was published: the span that its `traceparent` names. */
export function recordPublished(
  tracing: Tracing,
  { id, envelope, payload, gap }: PublishedEvent,
  startedAtMs: number,
): void {
  const context = eventTrace(id, tracing.isSampled);
  if (!context.isSampled) return;
  tracing.record({
    name: `publish ${destinationOf(envelope)}`,
    kind: "producer",
    context,
    startedAtMs,
    endedAtMs: Date.now(),
    attributes: {
      "messaging.operation.name": "publish",
      "messaging.operation.type": "send",
      "messaging.message.body.size": Buffer.byteLength(payload),
      ...eventAttributes(envelope),
      "cr_reactor.gap": gap,
    },
  });
}
