/**
 * Posts alerts to Alertmanager. It keeps no history: an alert is its labels, and the same labels with other times are the same alert, so
 * that a repetition changes nothing. Instances of a cluster do not hand on alerts, so each gets them, as Prometheus does it.
 * Source: prometheus/alertmanager, api/v2/openapi.yaml; prometheus.io, "Alertmanager, High availability".
 */
import { PermanentError } from "#kit";
import { type CallOptions, httpRequest } from "./http-client.ts";

/** An alert. Times are RFC 3339. */
export interface Alert {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly startsAt: string;
  /** Left out: after Alertmanager's resolve_timeout, five minutes by default. In the past: it is resolved. */
  readonly endsAt?: string;
  readonly generatorURL?: string;
}

/** Where alerts go; `authorization` is a secret. */
export interface AlertmanagerTarget {
  /** Of each instance, with its route prefix. */
  readonly urls: readonly string[];
  readonly authorization?: string | undefined;
}

/**
 * Posts the alert to every instance. Resolves to how many took it, at least one: the others are down or do not exist any more. Throws
 * as httpRequest does when none took it: the error that another try can help with, if there is one.
 */
export async function postAlert(target: AlertmanagerTarget, alert: Alert, options: CallOptions = {}): Promise<number> {
  const posts = await Promise.allSettled(target.urls.map((url) => post(url, target.authorization, alert, options)));
  const errors = posts.flatMap((each) => (each.status === "rejected" ? [each.reason as unknown] : []));
  if (errors.length < posts.length) return posts.length - errors.length;
  throw errors.find((error) => !(error instanceof PermanentError)) ?? errors[0];
}

async function post(url: string, authorization: string | undefined, alert: Alert, options: CallOptions): Promise<void> {
  await httpRequest({
    ...options,
    url: `${url.replace(/\/+$/, "")}/api/v2/alerts`,
    method: "POST",
    headers: { "content-type": "application/json", ...(authorization !== undefined && { authorization }) },
    body: JSON.stringify([alert]),
    explain: (status, text) => {
      if (status === 401 || status === 403)
        return `Alertmanager refused the credentials (HTTP ${status}): check token or username and password`;
      if (status !== 400 && status !== 422) return undefined;
      // Its own words are about labels and times, never about credentials.
      return `Alertmanager refused the alert (HTTP ${status}: ${text.trim().slice(0, 300)}): check labels and annotations`;
    },
  });
}
