/**
 * The only way out for outbound HTTP: one call, one answer, within a time and a size. It tells apart what a retry can heal (an
 * ordinary Error, or RetryAfterError when the receiver says when) from what it cannot (PermanentError). Paths, queries, headers
 * and bodies may be secrets — a Slack webhook's path is one — so that errors name the host and nothing else of a request.
 * Redirects are not followed, to no host at all: they would carry the body, and a token, where nobody configured.
 *
 * Hosts come from the configuration alone: no action puts a value of an object before a URL's path. So private addresses are allowed (most
 * receivers stand in the cluster), and only what is never a receiver is refused: link-local addresses, where clouds hand out credentials.
 * A name that resolves to one is not noticed; a NetworkPolicy is the fence around all of it.
 * Source: RFC 9110 sections 10.2.3 (Retry-After) and 15 (status codes); RFC 3927, RFC 4291 section 2.5.6.
 */
import { BlockList, isIPv6 } from "node:net";
import { z } from "zod";
import { asPart, type Part, PermanentError, RetryAfterError, traceHeaders } from "#kit";
import { secretsSent, withoutEcho } from "./echo.ts";
import { type Exchanged, exchange, headerOf, type ResponseHeaders } from "./http-exchange.ts";

/** An `http` or `https` URL without credentials in it, for settings. */
export const HttpUrl = z
  .url({ protocol: /^https?$/, error: "expected an http or https URL" })
  .refine((text) => !hasCredentials(URL.parse(text)), "credentials do not belong into a URL: name a secret instead")
  .refine(
    (text) => !isLinkLocal(URL.parse(text)),
    "this is a link-local address, where no receiver is: name another host",
  );

/** One call. */
export interface HttpRequest {
  /** `http` or `https`; a secret as far as errors and logs are concerned, apart from its host. */
  readonly url: string;
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** What a body may have; default 1,048,576. */
  readonly bodyBytesMax?: number;
  /** Sent as `idempotency-key`: the same on every try, so that the receiver can tell a repetition. */
  readonly idempotencyKey?: string;
  /** For the whole call, the answer's body included; default 10,000. */
  readonly timeoutMs?: number;
  /** What is read of the answer's body; default 262,144. */
  readonly responseBytesMax?: number;
  /** Statuses besides 2xx that mean success, such as 409 where a repeated creation says that it is there already. */
  readonly acceptedStatuses?: readonly number[];
  /** Refusals that time heals at this receiver, besides 408, 425, 429 and 5xx. */
  readonly retriedStatuses?: readonly number[];
  /** Makes the sentence for a refusal (4xx): what to do next. `undefined` leaves the general one. It must not quote `text` unseen. */
  readonly explain?: (status: number, text: string) => string | undefined;
  /** Cancels the call. */
  readonly signal?: AbortSignal;
  /** The clock for a Retry-After date, in epoch milliseconds; default `Date.now`. */
  readonly now?: () => number;
}

/** What a caller of a target may choose about its calls; see HttpRequest. */
export type CallOptions = Pick<HttpRequest, "signal" | "timeoutMs" | "now">;

/** The answer to a call that succeeded; a body that broke off after the status had arrived is no reason to repeat the call. */
export type HttpResponse = Exchanged;

/** Longer than a healthy receiver needs, and well within a function's 30 s. */
const TIMEOUT_MS = 10_000;
/** Answers are receipts; what is longer is an error page. */
const RESPONSE_BYTES_MAX = 256 * 1024;
/** A Kubernetes object is at most about 1.5 MB in etcd, and receivers refuse bodies long before. */
const REQUEST_BYTES_MAX = 1024 * 1024;
/** A receiver that asks for more is down; the retry's own limits decide then. */
const RETRY_AFTER_MS_MAX = 3_600_000;
/** `Retry-After: 0` must not become a tight loop. */
const RETRY_AFTER_MS_MIN = 1_000;
/** Refusals that time heals: Request Timeout, Too Early, Too Many Requests. */
const RETRIED_STATUSES: ReadonlySet<number> = new Set([408, 425, 429]);

/** Link-local addresses, and the names and addresses under which clouds answer besides. */
const LINK_LOCAL = new BlockList();
LINK_LOCAL.addSubnet("169.254.0.0", 16, "ipv4");
LINK_LOCAL.addSubnet("fe80::", 10, "ipv6");
LINK_LOCAL.addAddress("fd00:ec2::254", "ipv6");
const METADATA_HOST = /^metadata(\.google\.internal|\.goog)\.?$/;

/**
 * Makes the call. Throws PermanentError (unusable URL, header or body; redirect; refusal), RetryAfterError (408, 425, 429, 5xx
 * with a Retry-After), or an Error that is worth another try (the same without one; no answer; no connection).
 */
export async function httpRequest(request: HttpRequest): Promise<HttpResponse> {
  const url = checkUrl(request.url);
  const headers = checkHeaders(request, url.host);
  if (request.body !== undefined) checkBody(request.body, request.bodyBytesMax ?? REQUEST_BYTES_MAX, url.host);
  return await asPart(clientSpan(request, url), (part) => call(request, url, headers, part));
}

/** Of the URL only what errors tell too. */
function clientSpan({ method, idempotencyKey }: HttpRequest, url: URL): Parameters<typeof asPart>[0] {
  return {
    name: method,
    kind: "client",
    attributes: {
      "http.request.method": method,
      "url.scheme": url.protocol.slice(0, -1),
      "server.address": url.hostname,
      "server.port": Number(url.port) || (url.protocol === "https:" ? 443 : 80),
      "cr_reactor.idempotency_key": idempotencyKey,
    },
  };
}

async function call(
  request: HttpRequest,
  url: URL,
  headers: ReadonlyMap<string, string>,
  { context, span }: Part,
): Promise<HttpResponse> {
  const answer = await send(request, url, new Map([...headers, ...Object.entries(traceHeaders(context))]));
  const { status } = answer;
  span?.set({ "http.response.status_code": status });
  const isOk = status >= 200 && status < 300;
  const text = isOk ? answer.text : withoutEcho(answer.text, secretsSent(request.url, request.headers));
  if (isOk || request.acceptedStatuses?.includes(status)) return { ...answer, text };
  const error = refusal(request, url.host, { ...answer, text });
  span?.fail(error, String(status));
  throw error;
}

/** The time that an answer asks to wait, between 1 s and 1 h; `undefined` when it names none that can be read. */
export function retryAfterMs(headers: ResponseHeaders, nowMs: number): number | undefined {
  const value = headers.get("retry-after")?.trim() ?? "";
  const seconds = /^\d{1,9}$/.test(value) ? Number(value) * 1000 : undefined;
  // RFC 9110's dates all end in GMT; Date.parse alone would take "1.5" for a date.
  const wait = seconds ?? (value.endsWith("GMT") ? Date.parse(value) - nowMs : Number.NaN);
  return Number.isNaN(wait) ? undefined : Math.min(Math.max(wait, RETRY_AFTER_MS_MIN), RETRY_AFTER_MS_MAX);
}

/** No `cause` here: Node's own error for an unusable URL quotes the URL. */
function checkUrl(text: string): URL {
  const url = URL.parse(text);
  if (url === null)
    throw new PermanentError("the URL to call cannot be read: set it to a whole one, https://host/path");
  if (url.protocol !== "https:" && url.protocol !== "http:") {
    throw new PermanentError("the URL to call is neither http nor https: set it to a whole one, https://host/path");
  }
  if (hasCredentials(url)) {
    throw new PermanentError(
      `the URL for ${url.host} has credentials in it: leave them out and name a secret for the token`,
    );
  }
  if (isLinkLocal(url)) {
    throw new PermanentError(`${url.host} is a link-local address, where no receiver is: set the URL to another host`);
  }
  return url;
}

/** The URL's parser has already read every way to write an IPv4 address. */
function isLinkLocal(url: URL | null): boolean {
  if (url === null) return false;
  const host = url.hostname.replace(/^\[|\]$/g, "");
  return METADATA_HOST.test(host) || LINK_LOCAL.check(host, isIPv6(host) ? "ipv6" : "ipv4");
}

function hasCredentials(url: URL | null): boolean {
  return url !== null && `${url.username}${url.password}` !== "";
}

/** No `cause` here either: Node's error for an unusable header quotes its value. */
function checkHeaders(request: HttpRequest, host: string): ReadonlyMap<string, string> {
  const own = request.idempotencyKey === undefined ? {} : { "idempotency-key": request.idempotencyKey };
  const headers = { "user-agent": "cr-reactor", ...request.headers, ...own };
  const checked = Object.entries(headers).map(([name, value]) => {
    try {
      return headerOf(name, value);
    } catch {
      throw new PermanentError(
        `the header ${name} for ${host} is not what HTTP allows (a line break, or a character outside Latin-1): check where its value comes from`,
      );
    }
  });
  return new Map(checked);
}

function checkBody(body: string, bytesMax: number, host: string): void {
  const bytes = Buffer.byteLength(body);
  if (bytes <= bytesMax) return;
  throw new PermanentError(
    `the request for ${host} has ${bytes} bytes, more than the ${bytesMax} that are sent: choose smaller parameters`,
  );
}

async function send(request: HttpRequest, url: URL, headers: ReadonlyMap<string, string>): Promise<Exchanged> {
  const { method, body, responseBytesMax = RESPONSE_BYTES_MAX, timeoutMs = TIMEOUT_MS } = request;
  const timeout = AbortSignal.timeout(timeoutMs);
  const signal = request.signal ? AbortSignal.any([request.signal, timeout]) : timeout;
  try {
    return await exchange(url, { method, headers, body, responseBytesMax, signal });
  } catch (cause) {
    if (request.signal?.aborted) throw new Error(`the call to ${url.host} was cancelled before it answered`, { cause });
    if (timeout.aborted) throw new Error(`${url.host} did not answer within ${timeoutMs} ms`, { cause });
    throw new Error(`${url.host} cannot be reached, or broke off before it answered${codeOf(cause)}`, { cause });
  }
}

/** The system's word for it, such as ECONNREFUSED. */
function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? ` (${String(error.code)})` : "";
}

function refusal(request: HttpRequest, host: string, { status, headers, text }: Exchanged): Error {
  if (status >= 300 && status < 400) {
    return new PermanentError(
      `${host} answered with a redirect (HTTP ${status}), which is not followed: configure the final URL`,
    );
  }
  if (status >= 500 || RETRIED_STATUSES.has(status) || request.retriedStatuses?.includes(status)) {
    const afterMs = retryAfterMs(headers, (request.now ?? Date.now)());
    const sentence = `${host} cannot take the request now (HTTP ${status})`;
    return afterMs === undefined ? new Error(sentence) : new RetryAfterError(sentence, afterMs);
  }
  return new PermanentError(
    request.explain?.(status, text) ?? `${host} refused the request (HTTP ${status}): ${nextStep(status)}`,
  );
}

function nextStep(status: number): string {
  switch (status) {
    case 401:
    case 403:
      return "check the token, and what it is allowed to do";
    case 404:
    case 405:
    case 410:
      return "check the URL";
    default:
      return "compare what this function sends with what the receiver expects";
  }
}
