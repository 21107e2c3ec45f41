/**
 * Hands every matching event on as a CloudEvent over HTTP: to Knative (a SinkBinding's `K_SINK`, `K_CE_OVERRIDES`, `K_CA_CERTS`), to
 * the webhook source of Argo Events, to anything else that takes CloudEvents. An event is acknowledged only when the receiver answered
 * with 2xx; what Knative retries is retried. In order per object, as everything that a subscription delivers.
 * Source: Knative SinkBinding, "Runtime contract"; Knative Eventing `pkg/kncloudevents/retries.go`.
 */
import tls from "node:tls";
import { z } from "zod";
import { defineFunction, type Envelope, type Op, opOf, SecretSource } from "#kit";
import { cloudEventRequest, cloudEventsRequest, type OutgoingEvent } from "./actions/cloudevents-http.ts";
import { HttpUrl, httpRequest } from "./actions/http-client.ts";
import { endpointHeaders, HttpEndpoint } from "./actions/http-endpoint.ts";
import { signatureHeaders } from "./actions/webhook-signature.ts";

/** Refusals that Knative's own senders retry, besides 408, 429 and 5xx: a route that is not there yet, a conflict. */
const RETRIED_STATUSES = [404, 409];
/** An event can be three times its object, and an object 1.5 MB. */
const BODY_BYTES_MAX = 8 * 1024 * 1024;

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** What Knative's ApiServerSource calls it; what left a selection is a deletion to a watch. */
const KNATIVE_TYPES: Readonly<Record<Op, string>> = {
  created: "dev.knative.apiserver.resource.add",
  existing: "dev.knative.apiserver.resource.add",
  updated: "dev.knative.apiserver.resource.update",
  deleted: "dev.knative.apiserver.resource.delete",
  unselected: "dev.knative.apiserver.resource.delete",
};

const extensionName = z
  .string()
  .regex(/^[a-z0-9]{1,20}$/, "expected 1 to 20 of a-z and 0-9 (CloudEvents, attribute names)");
/** As a SinkBinding writes them into `K_CE_OVERRIDES`. */
const CloudEventOverrides = z.object({ extensions: z.record(extensionName, z.string()).default({}) });
/** Attributes that are the event's identity and content: overriding one would make it another event. */
const KEPT_ATTRIBUTES = [
  "specversion",
  "id",
  "source",
  "type",
  "subject",
  "time",
  "datacontenttype",
  "dataschema",
  "data",
];

const Config = z.strictObject({
  ...HttpEndpoint.shape,
  /** Left out: the environment's `K_SINK`. */
  url: HttpUrl.optional(),
  /** Attributes as headers with the data as the body, or everything in the body; default `structured`, which every receiver takes. */
  mode: z.enum(["structured", "binary"]).default("structured"),
  /** `knative`: the types of Knative's ApiServerSource, so that its Triggers keep working. */
  types: z.enum(["cr-reactor", "knative"]).default("cr-reactor"),
  /** What the event carries: the change (object, patch, transitions), or only the object, as ApiServerSource sends it. */
  data: z.enum(["change", "object"]).default("change"),
  /** Further extension attributes, of this subscription; `K_CE_OVERRIDES` go before them. */
  extensions: z
    .record(
      extensionName.refine((name) => !KEPT_ATTRIBUTES.includes(name), "is an attribute of every event"),
      z.string(),
    )
    .default({}),
  /** Signs each request, by Standard Webhooks. */
  signature: z.strictObject({ secret: SecretSource }).optional(),
});
type Config = z.output<typeof Config>;

export default defineFunction({
  name: "relay",
  description: "Hands events on as CloudEvents over HTTP: to Knative, to Argo Events, to any endpoint.",
  config: Config,
  batches: true,
  async run({ event, events = [event], config, idempotencyKey, signal }) {
    const url = config.url ?? sink();
    trustSinkAuthority();
    const outgoing = events.map((each) => outgoingOf(each, config));
    const [first] = outgoing;
    const isOne = outgoing.length === 1 && first !== undefined;
    const { headers, body } = isOne ? cloudEventRequest(first, config.mode) : cloudEventsRequest(outgoing);
    const id = isOne ? event.id : idempotencyKey;
    const signed = config.signature && signatureHeaders(config.signature.secret, { id, body, atMs: Date.now() });
    const { status } = await httpRequest({
      url,
      method: "POST",
      headers: { ...endpointHeaders(config), ...headers, ...signed },
      body,
      bodyBytesMax: BODY_BYTES_MAX,
      idempotencyKey,
      retriedStatuses: RETRIED_STATUSES,
      signal,
    });
    return `${new URL(url).host} answered ${status}`;
  },
});

function outgoingOf(event: Envelope, config: Config): OutgoingEvent {
  const data = config.data === "object" ? event.data.object : event.data;
  return { attributes: attributesOf(event, config), data };
}

function attributesOf({ data: _, ...event }: Envelope, config: Config): Record<string, string | number | boolean> {
  const { dataschema, ...others } = event as Record<string, string | number | boolean | undefined>;
  const told = Object.entries({
    ...others,
    // It describes the change.
    ...(config.data === "change" && { dataschema }),
    ...(config.types === "knative" && { type: KNATIVE_TYPES[opOf(event)] }),
    ...config.extensions,
    ...overrides(),
  });
  return Object.fromEntries(told.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])));
}

/** A SinkBinding sets it; without one the settings have to. */
function sink(): string {
  const found = HttpUrl.safeParse(process.env["K_SINK"]);
  if (found.success) return found.data;
  const why = process.env["K_SINK"] === undefined ? "is not set" : "is no http or https URL";
  throw new Error(`there is nowhere to relay to: config.url is left out, and K_SINK ${why}. Set url, or bind a sink`);
}

function overrides(): Readonly<Record<string, string>> {
  const text = process.env["K_CE_OVERRIDES"];
  if (!text) return {};
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    json = undefined;
  }
  const parsed = CloudEventOverrides.safeParse(json);
  if (!parsed.success)
    throw new Error('K_CE_OVERRIDES is not what a SinkBinding writes: expected {"extensions":{"name":"value"}}');
  const kept = Object.entries(parsed.data.extensions).filter(([name]) => !KEPT_ATTRIBUTES.includes(name));
  return Object.fromEntries(kept);
}

/** A sink inside the cluster has a certificate of the cluster's own authority, which a SinkBinding gives as PEM. */
function trustSinkAuthority(): void {
  const pem = process.env["K_CA_CERTS"];
  if (!pem) return;
  const trusted = tls.getCACertificates("default");
  const known = new Set(trusted.map(withoutSpace));
  const missing = (pem.match(CERTIFICATE) ?? []).filter((certificate) => !known.has(withoutSpace(certificate)));
  if (missing.length > 0) tls.setDefaultCACertificates([...trusted, ...missing]);
}

const withoutSpace = (text: string) => text.replace(/\s/g, "");
