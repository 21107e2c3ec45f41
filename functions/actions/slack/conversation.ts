/**
 * A bot's messages in a channel: post one, reply in its thread, change it, find it again. Slack has no idempotency key, so a call whose
 * answer is lost may have posted: each message carries a key in its metadata, by which it is looked for before it is posted once more.
 * That takes the channel's id and the scope channels:history (groups:history in a private channel); without them it is posted again.
 * Source: docs.slack.dev, "Using message metadata", "Rate limits"; chat.postMessage, chat.update, conversations.history and .replies.
 */
import { z } from "zod";
import type { MessageMaker, SlackMessage } from "./block.ts";
import { isBlockRefusal } from "./refusal.ts";
import { callSlack, type SlackAnswer, type SlackBot, type SlackMethod, type SlackOptions } from "./web-api.ts";

/** Where a message stands. */
export interface SlackReceipt {
  /** As Slack answered it: an id. */
  readonly channel: string;
  /** Names the message in its channel; `null` when the answer did not say. */
  readonly ts: string | null;
}

/** A message to be posted. */
export interface SlackPost {
  /** An id (C0123456789) or a name (#ops). */
  readonly channel: string;
  /** The thread's first message; left out: a message of its own. */
  readonly threadTs?: string;
  /** Also shows a reply in the channel. */
  readonly broadcast?: boolean;
  /** The same on every try: goes with the message, visible to the workspace's apps. */
  readonly key: string;
  readonly message: MessageMaker;
}

/** Whether a message is there. `unknown`: it could not be looked for, and `problem` says what would allow it. */
export type Finding =
  | { readonly type: "found"; readonly ts: string }
  | { readonly type: "absent" }
  | { readonly type: "unknown"; readonly problem: string };

const Posted = z.object({ channel: z.string().optional(), ts: z.string().optional() });
const Page = z.object({
  messages: z.array(
    z.object({
      ts: z.string(),
      metadata: z
        .object({ event_type: z.string(), event_payload: z.object({ key: z.unknown() }).optional() })
        .optional(),
    }),
  ),
  response_metadata: z.object({ next_cursor: z.string().optional() }).optional(),
});

const POST: SlackMethod<typeof Posted> = { name: "chat.postMessage", body: "json", answer: Posted };
const UPDATE: SlackMethod<typeof Posted> = { name: "chat.update", body: "json", answer: Posted };
const HISTORY: SlackMethod<typeof Page> = { name: "conversations.history", body: "form", answer: Page };
const REPLIES: SlackMethod<typeof Page> = { name: "conversations.replies", body: "form", answer: Page };

/** Slack is not to look for names and channels in the text; chat.update did so by default once. */
const AS_IT_STANDS = { parse: "none" } as const;
const EVENT_TYPE = "cr_reactor_message";
const CHANNEL_ID = /^[CGD][A-Z0-9]{7,}$/;
/** Slack recommends no more than 200; with their blocks, a hundred are already a large answer. */
const PAGE_MESSAGES = 100;
/** A thousand messages since it must have been posted: the channel is too busy to look further. */
const PAGES_MAX = 10;
/** The message that is to be changed is not there or not ours any more. */
const GONE: ReadonlySet<string> = new Set(["message_not_found", "cant_update_message", "edit_window_closed"]);
const THREAD_GONE: ReadonlySet<string> = new Set(["thread_not_found", "message_not_found", "cannot_reply_to_message"]);
/** Refusals that say that we may not look. */
const NOT_ALLOWED: ReadonlySet<string> = new Set([
  "missing_scope",
  "not_in_channel",
  "channel_not_found",
  "no_permission",
  "not_allowed_token_type",
]);

/** Posts it. `undefined` when the thread it belongs to is gone. Throws PermanentError with the next step, or an error worth another try. */
export async function postMessage(
  bot: SlackBot,
  post: SlackPost,
  options: SlackOptions = {},
): Promise<SlackReceipt | undefined> {
  const { channel, threadTs, broadcast } = post;
  const thread = threadTs === undefined ? {} : { thread_ts: threadTs, ...(broadcast && { reply_broadcast: true }) };
  const metadata = { event_type: EVENT_TYPE, event_payload: { key: post.key } };
  const answer = await simplerIfRefused(post.message, (message) =>
    // Links in our messages are few and chosen: a preview below each would bury the text.
    callSlack(
      bot,
      POST,
      { channel, ...message, ...thread, ...AS_IT_STANDS, metadata, unfurl_links: false, unfurl_media: false },
      options,
    ),
  );
  if (answer.ok) return { channel: answer.data.channel ?? channel, ts: answer.data.ts ?? null };
  if (threadTs !== undefined && THREAD_GONE.has(answer.error)) return undefined;
  throw answer.failure;
}

/** Gives a message another content; the same any number of times. Resolves to Slack's word when the message cannot be changed any more. */
export async function updateMessage(
  bot: SlackBot,
  where: { readonly channel: string; readonly ts: string; readonly message: MessageMaker; readonly key: string },
  options: SlackOptions = {},
): Promise<"updated" | { readonly gone: string }> {
  const { channel, ts } = where;
  const metadata = { event_type: EVENT_TYPE, event_payload: { key: where.key } };
  const answer = await simplerIfRefused(where.message, (message) =>
    callSlack(bot, UPDATE, { channel, ts, ...message, ...AS_IT_STANDS, metadata }, options),
  );
  if (answer.ok) return "updated";
  if (GONE.has(answer.error)) return { gone: answer.error };
  throw answer.failure;
}

/** Looks for the message with a key, among those since `sinceMs` (epoch) in the channel, or in a thread. */
export async function findMessage(
  bot: SlackBot,
  where: { readonly channel: string; readonly threadTs?: string; readonly key: string; readonly sinceMs: number },
  options: SlackOptions = {},
): Promise<Finding> {
  const { channel, threadTs, key } = where;
  if (!CHANNEL_ID.test(channel)) {
    return { type: "unknown", problem: `set the channel by its id (C0123456789) instead of ${channel}` };
  }
  const method = threadTs === undefined ? HISTORY : REPLIES;
  const range = { channel, ts: threadTs, oldest: (where.sinceMs / 1000).toFixed(6), limit: PAGE_MESSAGES };
  let cursor: string | undefined;
  for (let page = 0; page < PAGES_MAX; page++) {
    const answer = await callSlack(bot, method, { ...range, include_all_metadata: true, cursor }, options);
    if (!answer.ok && THREAD_GONE.has(answer.error)) return { type: "absent" };
    if (!answer.ok && NOT_ALLOWED.has(answer.error)) return { type: "unknown", problem: answer.failure.message };
    if (!answer.ok) throw answer.failure;
    const found = answer.data.messages.find(
      ({ metadata }) => metadata?.event_type === EVENT_TYPE && metadata.event_payload?.key === key,
    );
    if (found) return { type: "found", ts: found.ts };
    cursor = answer.data.response_metadata?.next_cursor || undefined;
    if (cursor === undefined) return { type: "absent" };
  }
  return { type: "unknown", problem: `it is not among the last ${PAGES_MAX * PAGE_MESSAGES} messages of the channel` };
}

/** A refusal of blocks means that nothing was posted: the same is said without a table, once. */
async function simplerIfRefused<T>(
  make: MessageMaker,
  call: (message: SlackMessage) => Promise<SlackAnswer<T>>,
): Promise<SlackAnswer<T>> {
  const answer = await call(make("table"));
  return !answer.ok && isBlockRefusal(answer.error) ? await call(make("lines")) : answer;
}
