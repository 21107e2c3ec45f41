/**
 * One call of Slack's Web API as a bot. Direct, not through @slack/web-api: of that client only the types would be left, because it has
 * no signal, reads answers of any length, and has a queue and retries of its own where the kit has them already.
 * Source: docs.slack.dev, "Using the Slack Web API"; methods chat.postMessage, chat.update, conversations.history, conversations.replies.
 */
import { z } from "zod";
import { httpRequest } from "../http-client.ts";
import { refusalWord, SlackRefusal, webApiFailure } from "./refusal.ts";

/** Who calls. `token` is a secret. */
export interface SlackBot {
  readonly token: string;
  /** Default https://slack.com/api; GovSlack and tests have another one. */
  readonly apiUrl?: string | undefined;
}

/** How the call is made; see HttpRequest. */
export interface SlackOptions {
  readonly signal?: AbortSignal;
  /** Default 10,000. */
  readonly timeoutMs?: number;
  /** Epoch milliseconds; default `Date.now`. */
  readonly now?: () => number;
}

/** A method, how its arguments travel, and what we read of its answer. */
export interface SlackMethod<Answer extends z.ZodType> {
  readonly name: string;
  /** The reading methods are documented with forms, the writing ones with JSON. */
  readonly body: "json" | "form";
  readonly answer: Answer;
}

/** Slack's answer. A refusal that the caller does not expect is to be thrown: `failure` says what to do next. */
export type SlackAnswer<T> =
  | { readonly ok: true; readonly data: T }
  | { readonly ok: false; readonly error: string; readonly failure: Error };

const API_URL = "https://slack.com/api";
/** A hundred messages of a history, with all their blocks. */
const RESPONSE_BYTES_MAX = 4 * 1024 * 1024;

/** Calls a method. Throws RetryAfterError or an ordinary Error when another try can help; nothing of the request is in any error. */
export async function callSlack<Answer extends z.ZodType>(
  bot: SlackBot,
  method: SlackMethod<Answer>,
  args: Readonly<Record<string, unknown>>,
  options: SlackOptions,
): Promise<SlackAnswer<z.output<Answer>>> {
  const response = await httpRequest({
    ...options,
    url: `${(bot.apiUrl ?? API_URL).replace(/\/+$/, "")}/${method.name}`,
    method: "POST",
    headers: { authorization: `Bearer ${bot.token}`, "content-type": CONTENT_TYPES[method.body] },
    body: method.body === "json" ? JSON.stringify(args) : formOf(args),
    ...(method.body === "form" && { responseBytesMax: RESPONSE_BYTES_MAX }),
  });
  const json = parseJson(response.text);
  const refusal = SlackRefusal.safeParse(json);
  if (refusal.success) {
    const failure = webApiFailure(method.name, refusal.data, response, (options.now ?? Date.now)());
    return { ok: false, error: refusalWord(refusal.data), failure };
  }
  const answer = z
    .object({ ok: z.literal(true) })
    .and(method.answer)
    .safeParse(json);
  if (answer.success) return { ok: true, data: answer.data };
  throw new Error(
    `the answer to ${method.name} is not one of Slack's: check slackApiUrl, and what proxies stand between`,
  );
}

const CONTENT_TYPES = {
  json: "application/json; charset=utf-8",
  form: "application/x-www-form-urlencoded",
} as const;

function formOf(args: Readonly<Record<string, unknown>>): string {
  const form = new URLSearchParams();
  for (const [name, value] of Object.entries(args)) if (value !== undefined) form.set(name, String(value));
  return form.toString();
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
