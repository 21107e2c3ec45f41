/**
 * A link to somewhere else about an object: a dashboard, Argo CD, a runbook. A URL as a template, whose values are URL-encoded when they
 * are filled in. Scheme and host stand there as they are: no value can lead the link elsewhere.
 */
import { HttpUrl } from "./http-client.ts";
import { renderTemplate, Template, type TemplateScope } from "./template.ts";

/** Scheme, host and port, and then a path, a query or the end. */
const LITERAL_ORIGIN = /^https?:\/\/[^/?#{}\s\\]+(?=[/?#]|$)/i;
const SINGLE_BRACE = /(?<!\{)\{[a-z]+\}(?!\})/;

/** A template, for settings: an `http` or `https` URL with values in its path or query. */
export const LinkTemplate = Template.superRefine((template, context) => {
  const brace = SINGLE_BRACE.exec(template)?.[0];
  const origin = LITERAL_ORIGIN.exec(template)?.[0];
  const problem =
    origin === undefined
      ? "expected an http or https URL whose host is written out, such as https://host/{{ event.name }}"
      : brace !== undefined
        ? `${brace} is not filled in: write {{ event${brace === "{uid}" ? ".data.object.metadata.uid" : `.${brace.slice(1, -1)}`} }}`
        : HttpUrl.safeParse(origin).error?.issues[0]?.message;
  if (problem !== undefined) context.addIssue({ code: "custom", message: problem });
});

/** Fills in the event. `undefined` when what came out is no URL on that host, or one whose path climbs (`..`): then there is no link. */
export function fillLink(template: string, scope: TemplateScope): string | undefined {
  const origin = LITERAL_ORIGIN.exec(template)?.[0];
  const text = renderTemplate(template, scope, "url").trim();
  const url = URL.parse(text);
  if (url === null || origin === undefined || url.origin !== new URL(origin).origin) return undefined;
  const path = text.slice(origin.length).split(/[?#]/, 1)[0] ?? "";
  return path.split("/").some((part) => /^(?:\.|%2e){1,2}$/i.test(part)) ? undefined : text;
}
