/**
 * Sends events to PagerDuty's Events API v2. Events with one `dedup_key` are one alert: a repeated trigger changes it without waking
 * anybody again, and a repeated resolve changes nothing. Source: developer.pagerduty.com, "Events API v2", "Send an Alert Event".
 */
import { z } from "zod";
import { parseJson } from "./answer.ts";
import { type CallOptions, httpRequest } from "./http-client.ts";

/** Where to: https://events.eu.pagerduty.com/v2/enqueue for accounts in the EU. */
export const PAGERDUTY_URL = "https://events.pagerduty.com/v2/enqueue";

export const PagerDutySeverity = z.enum(["critical", "error", "warning", "info"]);
export type PagerDutySeverity = z.infer<typeof PagerDutySeverity>;

/** PagerDuty's limits. A whole event has at most 512 KB, which `details` are kept far below. */
export const PAGERDUTY_LIMITS = { dedupKeyCharsMax: 255, summaryCharsMax: 1_024, detailCharsMax: 4_000 } as const;

/** An event, without the routing key. */
export type PagerDutyEvent =
  | {
      readonly event_action: "trigger";
      readonly dedup_key: string;
      readonly client?: string;
      readonly links?: readonly { readonly href: string; readonly text: string }[];
      readonly payload: {
        readonly summary: string;
        readonly source: string;
        readonly severity: PagerDutySeverity;
        readonly timestamp: string;
        readonly component?: string;
        readonly group?: string;
        readonly class?: string;
        readonly custom_details?: object;
      };
    }
  | { readonly event_action: "resolve"; readonly dedup_key: string };

const Refusal = z.object({ message: z.string().catch(""), errors: z.array(z.string()).catch([]) });

/** Sends the event. `routingKey` is a secret. Throws as httpRequest does. */
export async function sendPagerDutyEvent(
  { url, routingKey }: { readonly url: string; readonly routingKey: string },
  event: PagerDutyEvent,
  options: CallOptions = {},
): Promise<void> {
  await httpRequest({
    ...options,
    url,
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ routing_key: routingKey, ...event }),
    explain: (status, text) => {
      if (status !== 400) return undefined;
      const { message, errors } = Refusal.safeParse(parseJson(text)).data ?? { message: "", errors: [] };
      const said = [message, ...errors].join("; ").replaceAll(routingKey, "…").slice(0, 300);
      return `PagerDuty refused the event (HTTP 400: ${said}): check routingKey, which is the integration key of a service's "Events API v2" integration`;
    },
  });
}
