/**
 * Posts a message to Slack, through an incoming webhook or as a bot. Slack tells a refusal in two ways: a webhook by status and a
 * word of plain text, the Web API by `{"ok": false, "error"}` with status 200. Both become a PermanentError with the next step, or
 * an error that is tried again. Neither way has an idempotency key: a kill between Slack's answer and its record repeats a message.
 * Source: docs.slack.dev, "Sending messages using incoming webhooks" and "chat.postMessage"; changelog 2016-05-17.
 */
import { z } from "zod";
import { PermanentError, RetryAfterError } from "#kit";
import { type HttpResponse, httpRequest, retryAfterMs } from "./http-client.ts";
import type { SlackMessage } from "./slack-block.ts";

/** Where a message goes. `url` and `token` are secrets. */
export type SlackTarget =
  | { readonly type: "webhook"; readonly url: string }
  | {
      readonly type: "bot";
      readonly token: string;
      /** An id (C0123456789) or a name (#ops). */
      readonly channel: string;
      /** Default https://slack.com/api; GovSlack and tests have another one. */
      readonly apiUrl?: string;
    };

/** How the call is made; see HttpRequest. */
export interface SlackOptions {
  readonly signal?: AbortSignal;
  /** Default 10,000. */
  readonly timeoutMs?: number;
  readonly fetch?: typeof fetch;
  /** Epoch milliseconds; default `Date.now`. */
  readonly now?: () => number;
}

/** What Slack says about a message it took: only a bot learns where it stands, and `ts` names it for threads and updates. */
export type SlackReceipt =
  | { readonly type: "webhook" }
  | { readonly type: "bot"; readonly channel: string; readonly ts: string | null };

const API_URL = "https://slack.com/api";

const NEW_WEBHOOK = "create a new incoming webhook for the channel and put its URL into the secret";
const NEW_TOKEN = "install the app again (OAuth & Permissions) and put its bot token, xoxb-…, into the secret";
const UNARCHIVE = "unarchive the channel, or choose another one";
const ADMIN = "ask an administrator of the workspace to allow it, or choose another channel";
const REPORT = "this is a bug of cr-reactor, please report it with the kind of the object";

/** What to do about an incoming webhook's refusals. */
const WEBHOOK_REFUSALS: ReadonlyMap<string, string> = new Map([
  ["invalid_payload", REPORT],
  ["invalid_blocks", REPORT],
  ["msg_blocks_too_long", REPORT],
  ["no_text", REPORT],
  ["user_not_found", NEW_WEBHOOK],
  ["invalid_token", NEW_WEBHOOK],
  ["no_active_hooks", NEW_WEBHOOK],
  ["no_service", `the webhook was revoked or its URL is not whole: ${NEW_WEBHOOK}`],
  ["no_service_id", `the webhook's URL is not whole: ${NEW_WEBHOOK}`],
  ["no_team", `the workspace does not exist any more, or the URL is not whole: ${NEW_WEBHOOK}`],
  ["team_disabled", "the workspace is disabled: use another one"],
  ["channel_not_found", `the webhook's channel does not exist any more: ${NEW_WEBHOOK}`],
  ["channel_is_archived", UNARCHIVE],
  ["action_prohibited", ADMIN],
  ["posting_to_general_channel_denied", ADMIN],
]);

/** What to do about chat.postMessage's refusals. */
const BOT_REFUSALS: ReadonlyMap<string, string> = new Map([
  ["invalid_auth", `the token is wrong, or this address is not allowed: ${NEW_TOKEN}`],
  ["not_authed", `no token arrived: ${NEW_TOKEN}`],
  ["token_revoked", NEW_TOKEN],
  ["token_expired", NEW_TOKEN],
  ["account_inactive", `the app was removed from the workspace: ${NEW_TOKEN}`],
  [
    "channel_not_found",
    "check the channel's name or id; a private channel shows itself only once the bot is in it: /invite @<the bot>",
  ],
  [
    "not_in_channel",
    "write /invite @<the bot> in the channel, or add the scope chat:write.public and install the app again",
  ],
  ["is_archived", UNARCHIVE],
  ["missing_scope", "add the scope chat:write to the app (OAuth & Permissions) and install it again"],
  ["restricted_action", ADMIN],
  ["ekm_access_denied", ADMIN],
  ["team_access_not_granted", ADMIN],
  ["no_permission", ADMIN],
  ["msg_too_long", REPORT],
  ["msg_blocks_too_long", REPORT],
  ["invalid_blocks", REPORT],
  ["invalid_blocks_format", REPORT],
  ["no_text", REPORT],
]);

/** Slack's own troubles: worth another try, after the time in Retry-After if there is one. */
const BOT_TROUBLES: ReadonlySet<string> = new Set([
  "ratelimited",
  "rate_limited",
  "message_limit_exceeded",
  "internal_error",
  "fatal_error",
  "service_unavailable",
  "request_timeout",
  "team_added_to_org",
]);

/** What we read of chat.postMessage's answer. */
const BotAnswer = z.discriminatedUnion("ok", [
  z.object({ ok: z.literal(true), channel: z.string().optional(), ts: z.string().optional() }),
  z.object({ ok: z.literal(false), error: z.string().optional(), needed: z.string().optional() }),
]);

/**
 * Posts the message. Throws PermanentError with the next step when Slack refuses it, RetryAfterError or an ordinary Error when
 * another try can help; none of them contains the URL, the token or the message.
 */
export async function postSlackMessage(
  target: SlackTarget,
  message: SlackMessage,
  options: SlackOptions = {},
): Promise<SlackReceipt> {
  switch (target.type) {
    case "webhook":
      return postToWebhook(target.url, message, options);
    case "bot":
      return postAsBot(target, message, options);
    default:
      return target satisfies never;
  }
}

/** The status alone decides: Slack says "ok", and look-alikes say other things. */
async function postToWebhook(url: string, message: SlackMessage, options: SlackOptions): Promise<SlackReceipt> {
  await httpRequest({
    ...options,
    url,
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(content(message)),
    explain: (status, text) => {
      const word = text.trim();
      const step = WEBHOOK_REFUSALS.get(word);
      return step && `Slack refused the message (${word}, HTTP ${status}): ${step}`;
    },
  });
  return { type: "webhook" };
}

async function postAsBot(
  target: SlackTarget & { type: "bot" },
  message: SlackMessage,
  options: SlackOptions,
): Promise<SlackReceipt> {
  const response = await httpRequest({
    ...options,
    url: `${(target.apiUrl ?? API_URL).replace(/\/+$/, "")}/chat.postMessage`,
    method: "POST",
    headers: { authorization: `Bearer ${target.token}`, "content-type": "application/json; charset=utf-8" },
    body: JSON.stringify({ channel: target.channel, ...content(message) }),
  });
  const answer = BotAnswer.safeParse(parseJson(response.text));
  if (!answer.success) {
    throw new Error(
      "the answer to chat.postMessage is not one of Slack's: check slackApiUrl, and what proxies stand between",
    );
  }
  if (answer.data.ok) {
    return { type: "bot", channel: answer.data.channel ?? target.channel, ts: answer.data.ts ?? null };
  }
  throw botRefusal(answer.data, response, (options.now ?? Date.now)());
}

/** Links in our messages are few and chosen: a preview below each would bury the text. */
function content(message: SlackMessage): object {
  return { text: message.text, blocks: message.blocks, unfurl_links: false, unfurl_media: false };
}

/** Refusals we do not know are final: there are some eighty of them, and nearly all are about settings. */
function botRefusal(
  answer: { error?: string | undefined; needed?: string | undefined },
  response: HttpResponse,
  nowMs: number,
): Error {
  const error = word(answer.error) ?? "an error without a name";
  if (BOT_TROUBLES.has(error)) {
    const afterMs = retryAfterMs(response.headers, nowMs);
    const sentence = `Slack cannot take the message now (${error})`;
    return afterMs === undefined ? new Error(sentence) : new RetryAfterError(sentence, afterMs);
  }
  const needed = word(answer.needed);
  const step = BOT_REFUSALS.get(error) ?? "docs.slack.dev/reference/methods/chat.postMessage says what it means";
  return new PermanentError(`Slack refused the message (${error}${needed ? `, needs ${needed}` : ""}): ${step}`);
}

/** Slack's words are quoted, anything else that may stand there is not. */
function word(text: string | undefined): string | undefined {
  return text !== undefined && /^[a-z][a-z_:.,]{0,99}$/.test(text) ? text : undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
