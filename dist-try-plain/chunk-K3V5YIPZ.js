import { createRequire as createBundleRequire } from "node:module";
const require = createBundleRequire(import.meta.url);
import {
  PermanentError,
  RetryAfterError
} from "./chunk-AQK4HXSM.js";
import {
  external_exports
} from "./chunk-T7EPHQBX.js";

// functions/actions/http-client.ts
var HttpUrl = external_exports.url({ protocol: /^https?$/, error: "expected an http or https URL" }).refine((text) => !hasCredentials(URL.parse(text)), "credentials do not belong into a URL: name a secret instead");
var TIMEOUT_MS = 1e4;
var RESPONSE_BYTES_MAX = 256 * 1024;
var REQUEST_BYTES_MAX = 1024 * 1024;
var RETRY_AFTER_MS_MAX = 36e5;
var RETRY_AFTER_MS_MIN = 1e3;
var RETRIED_STATUSES = /* @__PURE__ */ new Set([408, 425, 429]);
async function httpRequest(request) {
  const url = checkUrl(request.url);
  const headers = checkHeaders(request, url.host);
  if (request.body !== void 0) checkBody(request.body, url.host);
  const response = await send(request, url, headers);
  const { text, truncated } = await readText(response, request.responseBytesMax ?? RESPONSE_BYTES_MAX);
  const { status } = response;
  if (response.ok || request.acceptedStatuses?.includes(status)) {
    return { status, headers: response.headers, text, truncated };
  }
  throw refusal(request, url.host, response, text);
}
function retryAfterMs(headers, nowMs) {
  const value = headers.get("retry-after")?.trim() ?? "";
  const seconds = /^\d{1,9}$/.test(value) ? Number(value) * 1e3 : void 0;
  const wait = seconds ?? (value.endsWith("GMT") ? Date.parse(value) - nowMs : Number.NaN);
  return Number.isNaN(wait) ? void 0 : Math.min(Math.max(wait, RETRY_AFTER_MS_MIN), RETRY_AFTER_MS_MAX);
}
function checkUrl(text) {
  const url = URL.parse(text);
  if (url === null)
    throw new PermanentError("the URL to call cannot be read: set it to a whole one, https://host/path");
  if (url.protocol !== "https:" && url.protocol !== "http:") {
    throw new PermanentError("the URL to call is neither http nor https: set it to a whole one, https://host/path");
  }
  if (hasCredentials(url)) {
    throw new PermanentError(
      `the URL for ${url.host} has credentials in it: leave them out and name a secret for the token`
    );
  }
  return url;
}
function hasCredentials(url) {
  return url !== null && `${url.username}${url.password}` !== "";
}
function checkHeaders(request, host) {
  const headers = new Headers({ "user-agent": "cr-reactor" });
  const own = request.idempotencyKey === void 0 ? {} : { "idempotency-key": request.idempotencyKey };
  for (const [name, value] of Object.entries({ ...request.headers, ...own })) {
    try {
      headers.set(name, value);
    } catch {
      throw new PermanentError(
        `the header ${name} for ${host} is not what HTTP allows (a line break, or a character outside Latin-1): check where its value comes from`
      );
    }
  }
  return headers;
}
function checkBody(body, host) {
  const bytes = Buffer.byteLength(body);
  if (bytes <= REQUEST_BYTES_MAX) return;
  throw new PermanentError(
    `the request for ${host} has ${bytes} bytes, more than the ${REQUEST_BYTES_MAX} that are sent: choose smaller parameters`
  );
}
async function send(request, url, headers) {
  const timeoutMs = request.timeoutMs ?? TIMEOUT_MS;
  const timeout = AbortSignal.timeout(timeoutMs);
  try {
    return await (request.fetch ?? fetch)(url, {
      method: request.method,
      headers,
      redirect: "manual",
      signal: request.signal ? AbortSignal.any([request.signal, timeout]) : timeout,
      ...request.body !== void 0 && { body: request.body }
    });
  } catch (cause) {
    if (request.signal?.aborted) throw new Error(`the call to ${url.host} was cancelled before it answered`, { cause });
    if (timeout.aborted) throw new Error(`${url.host} did not answer within ${timeoutMs} ms`, { cause });
    throw new Error(`${url.host} cannot be reached, or broke off before it answered${codeOf(cause)}`, { cause });
  }
}
function codeOf(error) {
  const cause = error instanceof Error ? error.cause : void 0;
  return cause instanceof Error && "code" in cause ? ` (${String(cause.code)})` : "";
}
async function readText(response, bytesMax) {
  const chunks = [];
  let bytes = 0;
  let truncated = false;
  try {
    for await (const chunk of response.body ?? []) {
      chunks.push(chunk.subarray(0, bytesMax - bytes));
      bytes += chunk.length;
      truncated = bytes > bytesMax;
      if (truncated) break;
    }
  } catch {
    truncated = true;
  }
  return { text: new TextDecoder().decode(Buffer.concat(chunks)), truncated };
}
function refusal(request, host, response, text) {
  const { status } = response;
  if (status >= 300 && status < 400) {
    return new PermanentError(
      `${host} answered with a redirect (HTTP ${status}), which is not followed: configure the final URL`
    );
  }
  if (status >= 500 || RETRIED_STATUSES.has(status)) {
    const afterMs = retryAfterMs(response.headers, (request.now ?? Date.now)());
    const sentence = `${host} cannot take the request now (HTTP ${status})`;
    return afterMs === void 0 ? new Error(sentence) : new RetryAfterError(sentence, afterMs);
  }
  return new PermanentError(
    request.explain?.(status, text) ?? `${host} refused the request (HTTP ${status}): ${nextStep(status)}`
  );
}
function nextStep(status) {
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

export {
  HttpUrl,
  httpRequest,
  retryAfterMs
};
