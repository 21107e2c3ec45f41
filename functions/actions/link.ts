/** Links about an object, for settings: a dashboard, Argo CD, a runbook. */
import { z } from "zod";
import type { ReportLink } from "./change-report.ts";
import { fillLink, LinkTemplate } from "./link-template.ts";
import type { TemplateScope } from "./template.ts";

/** A list of them, each a text and a URL as a template; more than ten is a menu. */
export const Links = z
  .array(z.strictObject({ text: z.string().min(1).max(100), url: LinkTemplate }))
  .max(10)
  .default([]);

/** Fills in the links. One that comes to no URL is left out: a message without it is better than none. */
export function filledLinks(links: z.infer<typeof Links>, scope: TemplateScope): ReportLink[] {
  return links.flatMap(({ text, url: template }) => {
    const url = fillLink(template, scope);
    return url === undefined ? [] : [{ text, url }];
  });
}
