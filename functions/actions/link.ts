/** Links about an object, for settings: a dashboard, Argo CD, a runbook. */
import { z } from "zod";
import type { ReportLink } from "./change-report.ts";
import { cutText } from "./cut-text.ts";
import { fillLink, LinkTemplate } from "./link-template.ts";
import { renderTemplate, Template, type TemplateScope } from "./template.ts";

const TEXT_CHARS_MAX = 100;

/** A list of them, each a text and a URL as templates; more than ten is a menu. */
export const Links = z
  .array(z.strictObject({ text: Template.min(1), url: LinkTemplate }))
  .max(10)
  .default([]);

/** Fills in the links. One that comes to no URL, or to no text, is left out: a message without it is better than none. */
export function filledLinks(links: z.infer<typeof Links>, scope: TemplateScope): ReportLink[] {
  return links.flatMap(({ text: template, url }) => {
    const filled = fillLink(url, scope);
    const text = cutText(renderTemplate(template, scope, "plain").replace(/\s+/g, " ").trim(), TEXT_CHARS_MAX);
    return filled === undefined || text === "" ? [] : [{ text, url: filled }];
  });
}
