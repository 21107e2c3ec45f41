/**
 * Makes an incident an alert of Alertmanager, so that the routes, silences and inhibitions that are there apply to it. Its labels are those
 * of the opening for as long as the incident lasts; on recovery it ends.
 */
import { z } from "zod";
import { defineFunction, type FunctionContext, PermanentError, readSecret, SecretSource } from "#kit";
import { type Alert, postAlert } from "./actions/alertmanager.ts";
import { changeReport } from "./actions/change-report.ts";
import { cutText } from "./actions/cut-text.ts";
import { HttpUrl } from "./actions/http-client.ts";
import { fillLink, LinkTemplate } from "./actions/link-template.ts";
import { renderTemplate, Template } from "./actions/template.ts";

/** Prometheus' own names: what older routes can match. */
const LabelName = z.string().regex(/^[a-zA-Z_][a-zA-Z0-9_]*$/, "expected a label's name: letters, digits and _");

const Config = z
  .strictObject({
    /** Of Alertmanager, or of each instance of a cluster: http://alertmanager.monitoring:9093 */
    url: z.union([HttpUrl, z.array(HttpUrl).min(1).max(10)]),
    /** A bearer token; or username and password. */
    token: SecretSource.optional(),
    username: z.string().min(1).optional(),
    password: SecretSource.optional(),
    alertname: Template.default("{{ event.kind }}Incident"),
    severity: Template.default("warning"),
    /** More labels; what they come to at the opening stays. Empty ones are left out. */
    labels: z.record(LabelName, Template).default({}),
    /** More annotations, or others than `summary` and `description`. */
    annotations: z.record(LabelName, Template).default({}),
    /** Where to look: Alertmanager's "Source" link. */
    generatorUrl: LinkTemplate.optional(),
    /** An open incident without a new event ends in Alertmanager after so many hours, because nothing repeats its alert. Default 168. */
    keepOpenHours: z
      .number()
      .positive()
      .max(24 * 365)
      .default(168),
  })
  .refine(
    ({ token, username, password }) =>
      !(token && (username || password)) && (username === undefined) === (password === undefined),
    {
      error: "set token, or username and password, or none of them",
    },
  );
type Config = z.infer<typeof Config>;

const RECEIPT = "alert";
const Labels = z.record(z.string(), z.string());
const HOUR_MS = 3_600_000;
/** Longer texts are for the ticket. */
const TEXT_CHARS_MAX = 2_000;
/** They are remembered for as long as the incident lasts, where there is room for 16 KiB. */
const LABEL_CHARS_MAX = 200;

export default defineFunction({
  name: "notify-alertmanager",
  description: "Makes an incident an alert of Alertmanager, which ends when the object recovers.",
  config: Config,
  async run(context) {
    const { config, incident, event, step } = context;
    const remembered = Labels.safeParse(incident?.receipts[RECEIPT]);
    // Other labels would be another alert, and the first one would never end.
    const labels = remembered.data ?? labelsOf(context);
    await incident?.remember(RECEIPT, labels);
    const alert: Alert = { labels, annotations: annotationsOf(context), ...timesOf(context), ...generatorOf(context) };
    const urls = [config.url].flat();
    const target = { urls, authorization: authorizationOf(config) };
    const count = await step("post", ({ signal }) => postAlert(target, alert, { signal }));
    if (count < urls.length)
      context.log.warn(
        { event: event.id },
        `${urls.length - count} of ${urls.length} instances of Alertmanager did not take the alert`,
      );
    return `${incident?.type ?? "posted"}, ${count} of ${urls.length} instances`;
  },
});

function timesOf({ config, incident, event }: FunctionContext<Config>): Pick<Alert, "startsAt" | "endsAt"> {
  if (incident === undefined) return { startsAt: event.time };
  const startsAt = incident.openedAt;
  if (incident.type !== "resolved")
    return { startsAt, endsAt: new Date(Date.now() + config.keepOpenHours * HOUR_MS).toISOString() };
  const endsMs = Math.max(Date.parse(startsAt), Date.parse(event.time));
  return { startsAt, endsAt: new Date(endsMs).toISOString() };
}

function labelsOf(context: FunctionContext<Config>): Record<string, string> {
  const { config, event, subscription } = context;
  const [group = ""] = event.apiversion.includes("/") ? event.apiversion.split("/") : [];
  const { alertname, severity, labels } = config;
  const own = Object.entries({ ...labels, alertname, severity }).map(([name, template]) => [
    name,
    filled(template, context, LABEL_CHARS_MAX),
  ]);
  const object = {
    subscription,
    cluster: event.cluster,
    group,
    kind: event.kind,
    namespace: event.namespace ?? "",
    name: event.name,
  };
  const all: Record<string, string> = { ...object, ...Object.fromEntries(own) };
  if (all["alertname"] === "") throw new PermanentError("alertname comes to an empty text: choose another template");
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== ""));
}

function annotationsOf(context: FunctionContext<Config>): Record<string, string> {
  const report = changeReport(context.event, context.incident, 10);
  const fields = report.fields.map(([path, from, to]) => `${path}: ${from} → ${to}`);
  const facts = report.facts.map(([name, value]) => `${name}: ${value}`);
  const description = [...(report.message === null ? [] : [report.message]), ...facts, ...fields].join("\n");
  const own = Object.entries(context.config.annotations).map(([name, template]) => [
    name,
    filled(template, context, TEXT_CHARS_MAX),
  ]);
  return { summary: report.headline, description: cutText(description, TEXT_CHARS_MAX), ...Object.fromEntries(own) };
}

function generatorOf(context: FunctionContext<Config>): Pick<Alert, "generatorURL"> {
  const { generatorUrl } = context.config;
  if (generatorUrl === undefined) return {};
  const url = fillLink(generatorUrl, context);
  return url === undefined ? {} : { generatorURL: url };
}

function filled(template: string, context: FunctionContext<Config>, charsMax: number): string {
  return cutText(renderTemplate(template, context, "plain").trim(), charsMax);
}

function authorizationOf({ token, username, password }: Config): string | undefined {
  if (token) return `Bearer ${readSecret(token)}`;
  if (!password) return undefined;
  return `Basic ${Buffer.from(`${username}:${readSecret(password)}`).toString("base64")}`;
}
