/**
 * What a request is answered with: a status alone when the event is through, else a problem that says what to do about it. A broker
 * tries again after 503 (and 429, 408), and keeps what got another 4xx as a dead letter.
 * Source: RFC 9457 (problem details); Knative eventing's `kncloudevents/retries.go` for what is tried again.
 */

/** As in bridge/metrics/health.ts: an `import` would load the global `fetch`, too. */
const { STATUS_CODES } = process.getBuiltinModule("node:http");

/** A status with its headers and body. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** The request is not taken, whatever the event in it. */
export class RequestRefusedError extends Error {
  readonly code = "REQUEST_REFUSED";
  override readonly name = "RequestRefusedError";
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  constructor(status: number, detail: string, headers: Readonly<Record<string, string>> = {}, options?: ErrorOptions) {
    super(detail, options);
    this.status = status;
    this.headers = headers;
  }
}

/** For a token that is not taken. */
export function unauthorized(detail: string, error = "invalid_token"): RequestRefusedError {
  return new RequestRefusedError(401, detail, { "www-authenticate": `Bearer error="${error}"` });
}

/** Long enough for a sentence; Knative keeps 1,024 bytes of an answer with its dead letter. */
const DETAIL_LENGTH_MAX = 800;

/** No sender waits longer; and infinity is no number of seconds. */
const RETRY_AFTER_MS_MAX = 86_400_000;

/** A problem, as JSON. */
export function problem(status: number, detail: string, headers: Readonly<Record<string, string>> = {}): Answer {
  const cut = detail.length > DETAIL_LENGTH_MAX ? `${detail.slice(0, DETAIL_LENGTH_MAX - 1).toWellFormed()}…` : detail;
  const body = JSON.stringify({ title: STATUS_CODES[status] ?? "Problem", status, detail: cut });
  return { status, headers: { ...headers, "content-type": "application/problem+json" }, body: `${body}\n` };
}

/** The event is through. Without a body: Knative would take a CloudEvent in it for a reply. */
export function through(outcome: "done" | "skipped"): Answer {
  return { status: 204, headers: { "cr-outcome": outcome }, body: "" };
}

/** Try again, after this time if it is known. */
export function tryAgain(detail: string, afterMs?: number): Answer {
  if (afterMs === undefined) return problem(503, detail);
  const seconds = Math.ceil(Math.min(afterMs, RETRY_AFTER_MS_MAX) / 1_000);
  return problem(503, detail, { "retry-after": String(seconds) });
}
