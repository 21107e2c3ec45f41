/**
 * A link to somewhere else about an object: a dashboard, Argo CD, a runbook. A URL with `{namespace}`, `{name}`, `{kind}`,
 * `{cluster}` and `{uid}` in it, each URL-encoded when it is filled in, so that no value can lead the link astray.
 */

import { z } from "zod";
import type { Envelope } from "#kit";
import { HttpUrl } from "./http-client.ts";

const PLACEHOLDERS = ["namespace", "name", "kind", "cluster", "uid"] as const;
type Placeholder = (typeof PLACEHOLDERS)[number];

const BRACED = /\{([^{}]*)\}/g;

/** A template, for settings: an `http` or `https` URL whose placeholders are all known. */
export const LinkTemplate = z.string().superRefine((template, context) => {
  for (const [braced, name = ""] of template.matchAll(BRACED)) {
    if (isPlaceholder(name)) continue;
    const known = PLACEHOLDERS.map((placeholder) => `{${placeholder}}`).join(", ");
    context.addIssue({ code: "custom", message: `${braced} is unknown; known are ${known} (a brace itself is %7B)` });
  }
  const filled = HttpUrl.safeParse(template.replace(BRACED, "x"));
  if (!filled.success)
    context.addIssue({ code: "custom", message: filled.error.issues[0]?.message ?? "expected a URL" });
});

/** Fills in the object of an event; what the object has not, such as a cluster-scoped one's namespace, is left empty. */
export function fillLink(template: string, event: Envelope): string {
  const values: Record<Placeholder, string> = {
    namespace: event.namespace ?? "",
    name: event.name,
    kind: event.kind,
    cluster: event.cluster,
    uid: event.data.object.metadata.uid,
  };
  return template.replace(BRACED, (braced, name: string) =>
    isPlaceholder(name) ? encodeURIComponent(values[name].toWellFormed()) : braced,
  );
}

function isPlaceholder(name: string): name is Placeholder {
  return (PLACEHOLDERS as readonly string[]).includes(name);
}
