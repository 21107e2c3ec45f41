/**
 * A local look-alike of PagerDuty's Events API v2: it checks each event against the documented shape and limits and keeps alerts by their
 * dedup_key. Source: developer.pagerduty.com, "Send an Alert Event".
 */
import { z } from "zod";
import type { Reply } from "./misbehaviour.ts";
import { parseJson, type Receiver, startReceiver } from "./webhook-server.ts";

const base = { routing_key: z.string().length(32), dedup_key: z.string().min(1).max(255) };
const Event = z.discriminatedUnion("event_action", [
  z.strictObject({
    ...base,
    event_action: z.literal("trigger"),
    client: z.string().optional(),
    client_url: z.url().optional(),
    links: z.array(z.strictObject({ href: z.url(), text: z.string() })).optional(),
    images: z.array(z.strictObject({ src: z.url(), href: z.url().optional(), alt: z.string().optional() })).optional(),
    payload: z.strictObject({
      summary: z.string().min(1).max(1_024),
      source: z.string().min(1),
      severity: z.enum(["critical", "error", "warning", "info"]),
      timestamp: z.iso.datetime().optional(),
      component: z.string().optional(),
      group: z.string().optional(),
      class: z.string().optional(),
      custom_details: z.record(z.string(), z.unknown()).optional(),
    }),
  }),
  z.strictObject({ ...base, event_action: z.literal("acknowledge") }),
  z.strictObject({ ...base, event_action: z.literal("resolve") }),
]);
type Trigger = Extract<z.infer<typeof Event>, { event_action: "trigger" }>;

/** An alert. */
export interface PagerDutyAlert {
  readonly payload: Trigger["payload"];
  readonly links: Trigger["links"];
  isOpen: boolean;
}

/** A running look-alike. */
export interface PagerDutyServer extends Omit<Receiver, "until"> {
  readonly url: string;
  readonly routingKey: string;
  readonly alerts: ReadonlyMap<string, PagerDutyAlert>;
}

const ROUTING_KEY = "R0123456789SECRETROUTINGKEY01234";
const EVENT_BYTES_MAX = 512 * 1024;

/** Starts it on a free loopback port. */
export async function startPagerDuty(): Promise<PagerDutyServer> {
  const alerts = new Map<string, PagerDutyAlert>();
  const { until: _until, ...receiver } = await startReceiver(({ method, path, body }) => {
    if (method !== "POST" || path !== "/v2/enqueue") return { status: 404 };
    if (Buffer.byteLength(body) > EVENT_BYTES_MAX) return { status: 413 };
    const event = Event.safeParse(parseJson(body));
    if (!event.success) return refusal(event.error.issues.map(({ path, message }) => `'${path.join(".")}' ${message}`));
    const { routing_key, dedup_key } = event.data;
    if (routing_key !== ROUTING_KEY) return refusal(["Invalid routing key"]);
    if (event.data.event_action === "trigger")
      alerts.set(dedup_key, { payload: event.data.payload, links: event.data.links, isOpen: true });
    const alert = alerts.get(dedup_key);
    if (event.data.event_action === "resolve" && alert) alert.isOpen = false;
    return reply(202, { status: "success", message: "Event processed", dedup_key });
  });
  return { ...receiver, url: `${receiver.origin}/v2/enqueue`, routingKey: ROUTING_KEY, alerts };
}

function refusal(errors: readonly string[]): Reply {
  return reply(400, { status: "invalid event", message: "Event object is invalid", errors });
}

function reply(status: number, body: object): Reply {
  return { status, headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
}
