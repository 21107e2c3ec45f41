import { createRequire as createBundleRequire } from "node:module";
const require = createBundleRequire(import.meta.url);
import {
  PermanentError,
  RetryAfterError
} from "./chunk-LRB5TKVP.js";
import {
  external_exports
} from "./chunk-TWY6VLQO.js";

// functions/actions/http-client.ts
var HttpUrl = external_exports.url({ protocol: /^https?$/, error: "expected an http or https URL" }).refine((text) => !hasCredentials(URL.parse(text)), "credentials do not belong into a URL: name a secret instead"), TIMEOUT_MS = 1e4, RESPONSE_BYTES_MAX = 256 * 1024, REQUEST_BYTES_MAX = 1024 * 1024, RETRY_AFTER_MS_MAX = 36e5, RETRY_AFTER_MS_MIN = 1e3, RETRIED_STATUSES = /* @__PURE__ */ new Set([408, 425, 429]);
async function httpRequest(request) {
  let url = checkUrl(request.url), headers = checkHeaders(request, url.host);
  request.body !== void 0 && checkBody(request.body, url.host);
  let response = await send(request, url, headers), { text, truncated } = await readText(response, request.responseBytesMax ?? RESPONSE_BYTES_MAX), { status } = response;
  if (response.ok || request.acceptedStatuses?.includes(status))
    return { status, headers: response.headers, text, truncated };
  throw refusal(request, url.host, response, text);
}
function retryAfterMs(headers, nowMs) {
  let value = headers.get("retry-after")?.trim() ?? "", wait = (/^\d{1,9}$/.test(value) ? Number(value) * 1e3 : void 0) ?? (value.endsWith("GMT") ? Date.parse(value) - nowMs : Number.NaN);
  return Number.isNaN(wait) ? void 0 : Math.min(Math.max(wait, RETRY_AFTER_MS_MIN), RETRY_AFTER_MS_MAX);
}
function checkUrl(text) {
  let url = URL.parse(text);
  if (url === null)
    throw new PermanentError("the URL to call cannot be read: set it to a whole one, https://host/path");
  if (url.protocol !== "https:" && url.protocol !== "http:")
    throw new PermanentError("the URL to call is neither http nor https: set it to a whole one, https://host/path");
  if (hasCredentials(url))
    throw new PermanentError(
      `the URL for ${url.host} has credentials in it: leave them out and name a secret for the token`
    );
  return url;
}
function hasCredentials(url) {
  return url !== null && `${url.username}${url.password}` != "";
}
function checkHeaders(request, host) {
  let headers = new Headers({ "user-agent": "cr-reactor" }), own = request.idempotencyKey === void 0 ? {} : { "idempotency-key": request.idempotencyKey };
  for (let [name, value] of Object.entries({ ...request.headers, ...own }))
    try {
      headers.set(name, value);
    } catch {
      throw new PermanentError(
        `the header ${name} for ${host} is not what HTTP allows (a line break, or a character outside Latin-1): check where its value comes from`
      );
    }
  return headers;
}
function checkBody(body, host) {
  let bytes = Buffer.byteLength(body);
  if (!(bytes <= REQUEST_BYTES_MAX))
    throw new PermanentError(
      `the request for ${host} has ${bytes} bytes, more than the ${REQUEST_BYTES_MAX} that are sent: choose smaller parameters`
    );
}
async function send(request, url, headers) {
  let timeoutMs = request.timeoutMs ?? TIMEOUT_MS, timeout = AbortSignal.timeout(timeoutMs);
  try {
    return await (request.fetch ?? fetch)(url, {
      method: request.method,
      headers,
      redirect: "manual",
      signal: request.signal ? AbortSignal.any([request.signal, timeout]) : timeout,
      ...request.body !== void 0 && { body: request.body }
    });
  } catch (cause) {
    throw request.signal?.aborted ? new Error(`the call to ${url.host} was cancelled before it answered`, { cause }) : timeout.aborted ? new Error(`${url.host} did not answer within ${timeoutMs} ms`, { cause }) : new Error(`${url.host} cannot be reached, or broke off before it answered${codeOf(cause)}`, { cause });
  }
}
function codeOf(error) {
  let cause = error instanceof Error ? error.cause : void 0;
  return cause instanceof Error && "code" in cause ? ` (${String(cause.code)})` : "";
}
async function readText(response, bytesMax) {
  let chunks = [], bytes = 0, truncated = !1;
  try {
    for await (let chunk of response.body ?? [])
      if (chunks.push(chunk.subarray(0, bytesMax - bytes)), bytes += chunk.length, truncated = bytes > bytesMax, truncated) break;
  } catch {
    truncated = !0;
  }
  return { text: new TextDecoder().decode(Buffer.concat(chunks)), truncated };
}
function refusal(request, host, response, text) {
  let { status } = response;
  if (status >= 300 && status < 400)
    return new PermanentError(
      `${host} answered with a redirect (HTTP ${status}), which is not followed: configure the final URL`
    );
  if (status >= 500 || RETRIED_STATUSES.has(status)) {
    let afterMs = retryAfterMs(response.headers, (request.now ?? Date.now)()), sentence = `${host} cannot take the request now (HTTP ${status})`;
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
