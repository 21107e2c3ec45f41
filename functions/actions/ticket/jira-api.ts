/**
 * Calls Jira's REST API: Cloud's version 3 as an account with its API token, Server's and Data Center's version 2 with a personal access
 * token. Refusals become sentences with Jira's own words for each field, and the next step.
 * Source: developer.atlassian.com, "The Jira Cloud platform REST API", "Jira Data Center REST API": status codes, error collections.
 */
import { z } from "zod";
import { PermanentError, readSecret, SecretSource } from "#kit";
import { parseJson } from "../answer.ts";
import { type CallOptions, type HttpRequest, HttpUrl, httpRequest } from "../http-client.ts";

/** Where Jira is and who calls, for settings: `email` and `apiToken` for Cloud, `token` for Server and Data Center. */
export const JiraAccess = z.object({
  /** https://<site>.atlassian.net, or a server's own address. */
  url: HttpUrl,
  email: z.string().min(3).optional(),
  apiToken: SecretSource.optional(),
  token: SecretSource.optional(),
});
export type JiraAccess = z.infer<typeof JiraAccess>;

/** One call; `path` follows `/rest/api/<version>`. */
interface JiraCall {
  readonly method: HttpRequest["method"];
  readonly path: string;
  readonly body?: object;
  readonly accepts?: readonly number[];
}

/** Makes a call and reads its answer. */
export type JiraApi = (call: JiraCall) => Promise<{ readonly status: number; readonly body: unknown }>;

const RESPONSE_BYTES_MAX = 8 * 1024 * 1024;

const Refusal = z.object({
  errorMessages: z.array(z.string()).catch([]),
  errors: z.record(z.string(), z.unknown()).catch({}),
  /** Some refusals of gateways. */
  message: z.string().catch(""),
});

/** An API for one call of a function: the secret is read now. */
export function jiraApi(access: JiraAccess, options: CallOptions): JiraApi {
  const isCloud = access.apiToken !== undefined;
  const authorization = authorizationOf(access);
  return async ({ method, path, body, accepts = [] }) => {
    const response = await httpRequest({
      ...options,
      url: `${access.url.replace(/\/+$/, "")}/rest/api/${isCloud ? 3 : 2}${path}`,
      method,
      headers: { accept: "application/json", authorization, ...(body && { "content-type": "application/json" }) },
      ...(body && { body: JSON.stringify(body) }),
      acceptedStatuses: accepts,
      responseBytesMax: RESPONSE_BYTES_MAX,
      explain: (status, text) => `Jira refused the call (${saidBy(status, text)}): ${nextStep(status, isCloud)}`,
    });
    return { status: response.status, body: parseJson(response.text) };
  };
}

function authorizationOf({ email, apiToken, token }: JiraAccess): string {
  if (apiToken) return `Basic ${Buffer.from(`${email}:${readSecret(apiToken)}`).toString("base64")}`;
  if (token) return `Bearer ${readSecret(token)}`;
  throw new PermanentError("no Jira credentials: set email and apiToken (Cloud), or token (Server, Data Center)");
}

/** Jira's own words, with the fields that they are about. */
function saidBy(status: number, text: string): string {
  const parsed = Refusal.safeParse(parseJson(text));
  const { errorMessages, errors, message } = parsed.data ?? { errorMessages: [], errors: {}, message: "" };
  const fields = Object.entries(errors).map(([field, problem]) => `${field}: ${String(problem)}`);
  const words = [...errorMessages, ...fields, ...(message === "" ? [] : [message])].join("; ").replace(/\s+/g, " ");
  return words === "" ? `HTTP ${status}` : `HTTP ${status}: ${words.slice(0, 400)}`;
}

function nextStep(status: number, isCloud: boolean): string {
  switch (status) {
    case 400:
      return "check the fields that it names: what the project's create screen asks for goes into fields";
    case 401:
      return isCloud
        ? "check email, and create a new API token (id.atlassian.com, Security) for the secret"
        : "create a new personal access token (Profile) and put it into the secret";
    case 403:
      return "the account needs Browse Projects, Create Issues, Edit Issues, Add Comments and Transition Issues in the project; after failed logins Jira may ask for a CAPTCHA: log in once in a browser";
    case 404:
      return isCloud
        ? "check url and the names; Jira says the same when the account may not see it, or when email and apiToken do not fit"
        : "check url (with its context path) and the names; Jira says the same when the account may not see it";
    case 413:
      return "the text is too long: shorten body";
    default:
      return "compare the settings with Jira's documentation";
  }
}
