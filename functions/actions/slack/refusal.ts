/**
 * What Slack's refusals mean and what to do about each. An incoming webhook refuses by status and a word of plain text, the Web API by
 * `{"ok": false, "error"}` with status 200. Nearly all of them are about settings, so what is not listed is final too.
 * Source: docs.slack.dev, "Sending messages using incoming webhooks", chat.postMessage, chat.update, conversations.history; changelog 2016-05-17.
 */
import { z } from "zod";
import { PermanentError, RetryAfterError } from "#kit";
import { type HttpResponse, retryAfterMs } from "../http-client.ts";

const NEW_WEBHOOK = "create a new incoming webhook for the channel and put its URL into the secret";
const NEW_TOKEN = "install the app again (OAuth & Permissions) and put its bot token, xoxb-…, into the secret";
const UNARCHIVE = "unarchive the channel, or choose another one";
const ADMIN = "ask an administrator of the workspace to allow it, or choose another channel";
const REPORT = "this is a bug of cr-reactor, please report it with the kind of the object";

const WEBHOOK_REFUSALS: ReadonlyMap<string, string> = new Map([
  ["invalid_payload", REPORT],
  ["invalid_blocks", REPORT],
  ["invalid_attachments", REPORT],
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

const BOT_REFUSALS: ReadonlyMap<string, string> = new Map([
  ["invalid_auth", `the token is wrong, or this address is not allowed: ${NEW_TOKEN}`],
  ["not_authed", `no token arrived: ${NEW_TOKEN}`],
  ["token_revoked", NEW_TOKEN],
  ["token_expired", NEW_TOKEN],
  ["account_inactive", `the app was removed from the workspace: ${NEW_TOKEN}`],
  ["not_allowed_token_type", `the token is of another kind: ${NEW_TOKEN}`],
  [
    "channel_not_found",
    "check the channel's name or id; a private channel shows itself only once the bot is in it: /invite @<the bot>",
  ],
  [
    "not_in_channel",
    "write /invite @<the bot> in the channel, or add the scope chat:write.public and install the app again",
  ],
  ["is_archived", UNARCHIVE],
  ["missing_scope", "add the scope to the app (OAuth & Permissions) and install it again"],
  ["restricted_action", ADMIN],
  ["restricted_action_read_only_channel", ADMIN],
  ["restricted_action_thread_only_channel", ADMIN],
  ["restricted_action_non_threadable_channel", ADMIN],
  ["ekm_access_denied", "the workspace's administrators have suspended posting (Enterprise Key Management): ask them"],
  [
    "team_access_not_granted",
    "the app may not act in this workspace: ask an administrator of the organization to grant it",
  ],
  ["access_denied", ADMIN],
  ["no_permission", ADMIN],
  ["org_login_required", "the workspace is being moved to another organization: wait until that is done"],
  ["msg_too_long", REPORT],
  ["msg_blocks_too_long", REPORT],
  ["invalid_blocks", REPORT],
  ["invalid_blocks_format", REPORT],
  ["invalid_attachments", REPORT],
  ["too_many_attachments", REPORT],
  ["metadata_too_large", REPORT],
  ["no_text", REPORT],
]);

/** Slack's own troubles: worth another try, after the time in Retry-After if there is one. */
const TROUBLES: ReadonlySet<string> = new Set([
  "ratelimited",
  "rate_limited",
  "message_limit_exceeded",
  "internal_error",
  "fatal_error",
  "service_unavailable",
  "request_timeout",
  "team_added_to_org",
]);

/** Refusals of what a message is made of: the same message in simpler blocks may pass. */
const BLOCK_REFUSALS: ReadonlySet<string> = new Set(["invalid_blocks", "invalid_blocks_format", "invalid_attachments"]);

/** `{"ok": false, …}`. */
export const SlackRefusal = z.object({
  ok: z.literal(false),
  error: z.string().optional(),
  /** Of `missing_scope`. */
  needed: z.string().optional(),
  /** Of `invalid_blocks` and `invalid_arguments`: which block, and why. */
  response_metadata: z.object({ messages: z.array(z.string()).optional() }).optional(),
});
export type SlackRefusal = z.infer<typeof SlackRefusal>;

/** The sentence for a webhook's refusal; `undefined` when the text is none of Slack's words. */
export function webhookRefusal(status: number, text: string): string | undefined {
  const word = text.trim();
  const step = WEBHOOK_REFUSALS.get(word);
  return step && `Slack refused the message (${word}, HTTP ${status}): ${step}`;
}

/** Whether a refusal's word is about the blocks. */
export function isBlockRefusal(word: string): boolean {
  return BLOCK_REFUSALS.has(word);
}

/** Slack's word for a refusal; anything else that may stand there is not quoted. */
export function refusalWord(refusal: SlackRefusal): string {
  return wordIn(refusal.error) ?? "an error without a name";
}

/** The error for a refusal of a call of this method: final with the next step, or to be tried again. */
export function webApiFailure(method: string, refusal: SlackRefusal, response: HttpResponse, nowMs: number): Error {
  const error = refusalWord(refusal);
  if (TROUBLES.has(error)) {
    const afterMs = retryAfterMs(response.headers, nowMs);
    const sentence = `Slack cannot do ${method} now (${error})`;
    return afterMs === undefined ? new Error(sentence) : new RetryAfterError(sentence, afterMs);
  }
  const needed = wordIn(refusal.needed);
  const step = BOT_REFUSALS.get(error) ?? `docs.slack.dev/reference/methods/${method} says what it means`;
  const details = [error, ...(needed ? [`needs ${needed}`] : []), ...blockProblems(refusal)].join(", ");
  return new PermanentError(`Slack refused ${method} (${details}): ${step}`);
}

/** Where in the blocks, and the rule that was broken, never the text that broke it: "must be less than 151 characters /blocks/0/text". */
function blockProblems(refusal: SlackRefusal): string[] {
  return (refusal.response_metadata?.messages ?? []).slice(0, 3).flatMap((text) => {
    const [, rule, pointer] =
      /^(?:\[ERROR\] )?([a-zA-Z0-9 ,_'-]{1,100}?) ?\[json-pointer:([\w/]{1,100})\]$/.exec(text) ?? [];
    return rule && pointer ? [`${rule} ${pointer}`] : [];
  });
}

function wordIn(text: string | undefined): string | undefined {
  return text !== undefined && /^[a-z][a-z_:.,]{0,99}$/.test(text) ? text : undefined;
}
