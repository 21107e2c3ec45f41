/** Links about an object, for settings: a dashboard, Argo CD, a runbook. Each value in a URL is encoded, so that none can lead it astray. */
import { z } from "zod";
import type { ReportLink } from "./change-report.ts";
import { HttpUrl } from "./http-client.ts";
import { renderTemplate, Template, type TemplateScope } from "./template.ts";

/** A text, and a URL as a template: `https://grafana.example/d/db?var-ns={{ object.metadata.namespace }}`. */
export const Link = z.strictObject({
  text: z.string().min(1).max(100),
  url: Template.regex(/^https?:\/\/[^{}/]+/, "expected a template that begins with http:// or https:// and a host"),
});

/** A list of them; more is a menu. */
export const Links = z.array(Link).max(10).default([]);

/** Fills in the links. One that is no URL then is left out: a message without it is better than none. */
export function filledLinks(links: z.infer<typeof Links>, scope: TemplateScope): ReportLink[] {
  return links
    .map(({ text, url }) => ({ text, url: renderTemplate(url, scope, "url").trim() }))
    .filter(({ url }) => HttpUrl.safeParse(url).success);
}
