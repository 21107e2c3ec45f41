/** Makes an incident an alert of PagerDuty: triggered when it opens, changed while it goes on, resolved when the object recovers. */
import { z } from "zod";
import { defineFunction, type FunctionContext, readSecret, SecretSource } from "#kit";
import { type ChangeReport, changeReport } from "./actions/change-report.ts";
import { cutText } from "./actions/cut-text.ts";
import { fittingKey } from "./actions/hashed-key.ts";
import { HttpUrl } from "./actions/http-client.ts";
import { filledLinks, Links } from "./actions/link.ts";
import {
  PAGERDUTY_LIMITS,
  PAGERDUTY_URL,
  type PagerDutyEvent,
  PagerDutySeverity,
  sendPagerDutyEvent,
} from "./actions/pagerduty.ts";
import { renderTemplate, Template } from "./actions/template.ts";

const Config = z.strictObject({
  /** The integration key of a service's "Events API v2" integration. */
  routingKey: SecretSource,
  url: HttpUrl.default(PAGERDUTY_URL),
  /** critical, error, warning or info, as a template; `severities` says what other words mean. */
  severity: Template.default("error"),
  /** What a word of yours means to PagerDuty: `{page: critical, ticket: warning}`. What is in neither is an error. */
  severities: z.record(z.string(), PagerDutySeverity).default({}),
  /** Default what happened: "Database prod/orders: Running → Failed". */
  summary: Template.optional(),
  links: Links,
});
type Config = z.infer<typeof Config>;

const FIELDS_MAX = 20;

export default defineFunction({
  name: "notify-pagerduty",
  description: "Triggers and resolves an alert of PagerDuty for each incident.",
  config: Config,
  async run(context) {
    const { config, incident, event, idempotencyKey, step } = context;
    const dedupKey = fittingKey(incident?.key ?? idempotencyKey, PAGERDUTY_LIMITS.dedupKeyCharsMax);
    const report = changeReport(event, incident, FIELDS_MAX);
    const sent: PagerDutyEvent =
      incident?.type === "resolved"
        ? { event_action: "resolve", dedup_key: dedupKey }
        : triggerOf(context, report, dedupKey);
    await step("send", ({ signal }) =>
      sendPagerDutyEvent({ url: config.url, routingKey: readSecret(config.routingKey) }, sent, { signal }),
    );
    return `${sent.event_action} ${dedupKey}`;
  },
});

function triggerOf(context: FunctionContext<Config>, report: ChangeReport, dedupKey: string): PagerDutyEvent {
  const { config, event } = context;
  const own =
    config.summary === undefined ? "" : renderTemplate(config.summary, context, "plain").replace(/\s+/g, " ").trim();
  const links = filledLinks(config.links, context).map(({ text, url }) => ({ href: url, text }));
  const [group = ""] = event.apiversion.includes("/") ? event.apiversion.split("/") : [];
  return {
    event_action: "trigger",
    dedup_key: dedupKey,
    client: "cr-reactor",
    ...(links.length > 0 && { links }),
    payload: {
      summary: cutText(own === "" ? report.headline : own, PAGERDUTY_LIMITS.summaryCharsMax),
      source: `${event.cluster}${event.subject}`,
      severity: severityOf(context),
      timestamp: event.time,
      component: event.name,
      ...(event.namespace && { group: event.namespace }),
      class: group === "" ? event.kind : `${event.kind}.${group}`,
      custom_details: detailsOf(report),
    },
  };
}

function severityOf(context: FunctionContext<Config>): PagerDutySeverity {
  const { severity, severities } = context.config;
  const word = renderTemplate(severity, context, "plain").trim();
  if (Object.hasOwn(severities, word)) return severities[word] ?? "error";
  return PagerDutySeverity.safeParse(word.toLowerCase()).data ?? "error";
}

function detailsOf({ message, facts, fields, fieldsMore }: ChangeReport): Record<string, string> {
  const moves = fields.map(([path, from, to]) => [path, `${from} → ${to}`] as const);
  const entries = [...(message === null ? [] : [["message", message] as const]), ...facts, ...moves];
  const more = fieldsMore > 0 ? { "more changed fields": String(fieldsMore) } : {};
  const cut = entries.map(([name, value]) => [cutText(name, 200), cutText(value, PAGERDUTY_LIMITS.detailCharsMax)]);
  return { ...Object.fromEntries(cut), ...more };
}
