/**
 * Calls GitHub's REST API, as a user's token or as an installed app, on github.com or a GitHub Enterprise Server. Its refusals become
 * sentences with the next step; its two rate limits become RetryAfterError. Not octokit: that is seven packages for seven documented
 * calls, and its own retries and clocks beside ours.
 * Source: docs.github.com, REST API: "Rate limits", "Troubleshooting", "Generating a JSON Web Token for a GitHub App".
 */
import { createPrivateKey, sign } from "node:crypto";
import { z } from "zod";
import { PermanentError, RetryAfterError, readSecret, SecretSource } from "#kit";
import { parseJson, readAnswer } from "../answer.ts";
import { type CallOptions, type HttpRequest, type HttpResponse, httpRequest, retryAfterMs } from "../http-client.ts";
import type { ResponseHeaders } from "../http-exchange.ts";

/** Who calls, for settings. */
export const GitHubCredentials = z.strictObject({
  /** A token with the permission "Issues: read and write" on the repository. */
  token: SecretSource.optional(),
  /** An app with that permission that is installed there. */
  app: z
    .strictObject({
      /** Its client id (Iv23…) or app id. */
      id: z.union([z.string().min(1), z.int().positive()]).transform(String),
      /** The number at the end of the installation's page. */
      installationId: z.int().positive(),
      /** The key that GitHub generated: a PEM file. */
      privateKey: SecretSource,
    })
    .optional(),
});
export type GitHubCredentials = z.infer<typeof GitHubCredentials>;

/** Where to call, and as whom. */
export interface GitHubAccess extends CallOptions {
  readonly apiUrl: string;
  readonly repository: string;
  readonly credentials: GitHubCredentials;
  /** What the calls need to write; default `issues`. */
  readonly permission?: GitHubPermission;
}

/** As GitHub's API names them. */
export type GitHubPermission = "issues" | "actions" | "contents";

/** One call; `path` follows the API's address. */
interface GitHubCall {
  readonly method: HttpRequest["method"];
  readonly path: string;
  readonly body?: object;
  /** Refusals that the caller reads itself. */
  readonly accepts?: readonly number[];
}

/** Makes a call and reads its answer. */
export type GitHubApi = (call: GitHubCall) => Promise<{ readonly status: number; readonly body: unknown }>;

/** Fifty issues with the longest bodies there are. */
const RESPONSE_BYTES_MAX = 16 * 1024 * 1024;
const REFUSALS = [301, 302, 307, 308, 400, 401, 403, 404, 410, 422, 429];
/** GitHub's advice where a secondary limit names no time. */
const SECONDARY_LIMIT_MS = 60_000;
/** GitHub takes ten minutes at most, and its clock may be behind ours. */
const JWT_SECONDS = 540;
const CLOCK_SKEW_SECONDS = 60;

const Refusal = z.object({
  message: z.string().catch(""),
  errors: z
    .array(z.object({ field: z.string().optional(), code: z.string().optional(), message: z.string().optional() }))
    .catch([]),
});

/** An API for one call of a function: secrets are read, and an app's token is asked for, when the first call needs it. */
export function githubApi(access: GitHubAccess): GitHubApi {
  let token: Promise<string> | undefined;
  return async (call) => {
    token ??= tokenOf(access);
    return await request(access, await token, call);
  };
}

async function tokenOf(access: GitHubAccess): Promise<string> {
  const { credentials } = access;
  if (credentials.token) return readSecret(credentials.token);
  const { app } = credentials;
  if (!app) throw new PermanentError("no GitHub credentials: set token, or app");
  const { body } = await request(access, appJwt(app.id, readSecret(app.privateKey), (access.now ?? Date.now)()), {
    method: "POST",
    path: `/app/installations/${app.installationId}/access_tokens`,
    // No more than this call needs, whatever the app may do elsewhere.
    body: {
      repositories: [access.repository.split("/")[1]],
      permissions: { [access.permission ?? "issues"]: "write" },
    },
  });
  return readAnswer(z.object({ token: z.string().min(1) }), body, "GitHub").token;
}

function appJwt(id: string, privateKey: string, nowMs: number): string {
  const seconds = Math.floor(nowMs / 1000);
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString("base64url");
  const claims = { iat: seconds - CLOCK_SKEW_SECONDS, exp: seconds + JWT_SECONDS, iss: id };
  const unsigned = `${encode({ alg: "RS256", typ: "JWT" })}.${encode(claims)}`;
  try {
    return `${unsigned}.${sign("sha256", Buffer.from(unsigned), createPrivateKey(privateKey)).toString("base64url")}`;
  } catch {
    // No `cause`: it could quote the key.
    throw new PermanentError(
      "the GitHub app's privateKey is no private key: put the whole .pem file that GitHub generated into the secret",
    );
  }
}

async function request(access: GitHubAccess, token: string, call: GitHubCall) {
  const { signal, timeoutMs, now = Date.now } = access;
  const response = await httpRequest({
    url: `${access.apiUrl.replace(/\/+$/, "")}${call.path}`,
    method: call.method,
    headers: {
      accept: "application/vnd.github+json",
      authorization: `Bearer ${token}`,
      "x-github-api-version": "2022-11-28",
      ...(call.body && { "content-type": "application/json" }),
    },
    ...(call.body && { body: JSON.stringify(call.body) }),
    acceptedStatuses: REFUSALS,
    responseBytesMax: RESPONSE_BYTES_MAX,
    now,
    ...(signal && { signal }),
    ...(timeoutMs !== undefined && { timeoutMs }),
  });
  if (response.status >= 300 && !call.accepts?.includes(response.status)) throw refusal(access, response, now());
  return { status: response.status, body: parseJson(response.text) };
}

function refusal(access: GitHubAccess, response: HttpResponse, nowMs: number): Error {
  const { repository } = access;
  const { status, headers, text } = response;
  const parsed = Refusal.safeParse(parseJson(text));
  const { message, errors } = parsed.success ? parsed.data : { message: "", errors: [] };
  const waitMs = rateLimitMs(status, headers, message, nowMs);
  if (waitMs !== undefined) return new RetryAfterError(`GitHub's rate limit is used up (HTTP ${status})`, waitMs);
  const fields = errors.map((error) => error.message ?? [error.field, error.code].filter(Boolean).join(" "));
  const details = [message, ...fields].filter((part) => part !== "").join("; ");
  const said = details === "" ? `HTTP ${status}` : `HTTP ${status}: ${details.slice(0, 300)}`;
  return new PermanentError(`GitHub refused the call for ${repository} (${said}): ${nextStep(status, access)}`);
}

/** The time to wait for; `undefined` when it is no rate limit. */
function rateLimitMs(status: number, headers: ResponseHeaders, message: string, nowMs: number): number | undefined {
  if (status !== 403 && status !== 429) return undefined;
  const asked = retryAfterMs(headers, nowMs);
  if (asked !== undefined) return asked;
  const reset = Number(headers.get("x-ratelimit-reset") ?? Number.NaN);
  // A second more: the reset is a whole second of GitHub's clock.
  if (headers.get("x-ratelimit-remaining") === "0" && Number.isFinite(reset))
    return Math.min(Math.max(reset * 1000 - nowMs, 0) + 1_000, 3_600_000);
  return status === 429 || /rate limit|abuse/i.test(message) ? SECONDARY_LIMIT_MS : undefined;
}

function nextStep(status: number, { credentials: { app }, permission = "issues" }: GitHubAccess): string {
  const needed = `"${permission.replace(/^./, (first) => first.toUpperCase())}: read and write"`;
  switch (status) {
    case 301:
    case 302:
    case 307:
    case 308:
      return "the repository or the issue was moved: set repository to where it is now";
    case 401:
      return app
        ? "check the app's id and privateKey, and this machine's clock"
        : "the token is wrong or has expired: create a new one and put it into the secret";
    case 403:
      return `give the token or app the permission ${needed}, and authorise it for the organisation where SSO asks for that`;
    case 404:
      return `check the name; GitHub says the same when the token or app may not see it: give it access to the repository and ${needed}`;
    case 410:
      return "issues are disabled: enable them in the repository's settings (General, Features), or choose another one";
    case 422:
      return permission === "issues"
        ? "check labels, assignees (each must be able to be assigned there) and title"
        : "check ref, the workflow's inputs, and that it has the trigger";
    default:
      return "compare the settings with GitHub's documentation";
  }
}
