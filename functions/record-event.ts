/**
 * Records a Kubernetes Event on the object, where `kubectl describe` shows what was done or seen. Its name is derived from the change, so that a
 * second try finds the first. The API server forgets Events after an hour, unless it is told otherwise (`--event-ttl`).
 * Source: Kubernetes API reference, events.k8s.io/v1 Event.
 */
import { z } from "zod";
import { defineFunction, type FunctionContext, PermanentError } from "#kit";
import { changeReport } from "./actions/change-report.ts";
import { hashedKey } from "./actions/hashed-key.ts";
import { createKubeClients, KubeSettings } from "./actions/kube/kube-client.ts";
import { madeFor, type OriginObject, originMetadata, originObject } from "./actions/kube/origin.ts";
import { renderTemplate, Template } from "./actions/template.ts";

/** The API server's limit. */
const NOTE_BYTES_MAX = 1_024;
/** Room for the hash behind it. */
const NAME_CHARS_MAX = 200;
/** Where Events of objects without a namespace go. */
const CLUSTER_NAMESPACE = "default";
const EVENT = { apiVersion: "events.k8s.io/v1", kind: "Event" } as const;
const ELLIPSIS = "…";

const Config = z.strictObject({
  /** What happened, in one word that people search for: `DatabaseResized`. */
  reason: z.string().regex(/^[A-Za-z][A-Za-z0-9]{0,127}$/, "expected one word, such as DatabaseResized"),
  type: z.enum(["Normal", "Warning"]).default("Normal"),
  /** A sentence as a template; default: the change in short. */
  note: Template.min(1).optional(),
  /** `origin`: on the object that the event's object was made for, such as the Database of a Workflow that trigger-workflow started. */
  about: z.enum(["object", "origin"]).default("object"),
  kubernetes: KubeSettings,
});
type Config = z.output<typeof Config>;

/** The function with its connections to API servers. */
function createRecordEvent() {
  const clients = createKubeClients();
  return defineFunction({
    name: "record-event",
    description: "Records a Kubernetes Event on the object, for kubectl describe.",
    config: Config,
    rights({ about, kubernetes }, { isNamespaced }) {
      const namespace = about === "origin" ? "*" : isNamespaced ? undefined : CLUSTER_NAMESPACE;
      return [{ ...EVENT, verbs: ["create"], ...(namespace !== undefined && { namespace }), kubernetes }];
    },
    async run(context) {
      const { config, subscription, idempotencyKey } = context;
      const regarding = regardingOf(context);
      const namespace = regarding.namespace ?? CLUSTER_NAMESPACE;
      const name = nameOf(regarding.name, idempotencyKey);
      const place = { apiVersion: EVENT.apiVersion, plural: "events", namespace, name };
      const outcome = await clients(config.kubernetes, context).create(place, {
        ...{ ...EVENT, type: config.type, reason: config.reason, regarding },
        metadata: { name: place.name, namespace, ...originMetadata(context) },
        note: noteOf(context),
        action: "React",
        eventTime: microTime(Date.now()),
        reportingController: "cr-reactor",
        reportingInstance: subscription,
      });
      return `Event ${namespace}/${place.name} ${outcome === "created" ? "recorded" : "was recorded before"}`;
    },
  });
}

export default createRecordEvent();

function regardingOf({ event, object, config }: FunctionContext<Config>): OriginObject {
  if (config.about === "object") return originObject(event);
  const origin = madeFor(object.metadata.annotations);
  if (origin !== undefined) return origin;
  throw new PermanentError(
    `${event.kind} ${event.name} does not say what it was made for (annotation cr-reactor.dev/object): select what functions made with labels: {app.kubernetes.io/managed-by: cr-reactor}`,
  );
}

/** As other controllers call them: the object's name and a hash. */
function nameOf(name: string, idempotencyKey: string): string {
  const readable = name.slice(0, NAME_CHARS_MAX).replace(/[^a-z0-9]+$/, "");
  const hash = hashedKey(idempotencyKey);
  return /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(readable) ? `${readable}.${hash}` : hash;
}

function noteOf(context: FunctionContext<Config>): string {
  const { config, event, incident } = context;
  if (config.note !== undefined) return cutBytes(renderTemplate(config.note, context, "plain"));
  const { headline, fields, fieldsMore } = changeReport(event, incident, 3);
  const changes = fields.map(([path, from, to]) => `${path} ${from} → ${to}`);
  return cutBytes([headline, ...changes, ...(fieldsMore > 0 ? [`and ${fieldsMore} more`] : [])].join(", "));
}

function cutBytes(text: string): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= NOTE_BYTES_MAX) return text;
  const room = NOTE_BYTES_MAX - Buffer.byteLength(ELLIPSIS);
  // What is cut in the middle of a character ends in one that cannot be read.
  return (
    bytes
      .subarray(0, room)
      .toString("utf8")
      .replace(/\uFFFD+$/, "") + ELLIPSIS
  );
}

/** RFC 3339 with microseconds, as MicroTime is written. */
function microTime(ms: number): string {
  return new Date(ms).toISOString().replace("Z", "000Z");
}
