/**
 * A local look-alike of Slack: an incoming webhook and chat.postMessage, which check each request against the published shapes
 * and limits and refuse it in Slack's own words. It keeps the messages it took and misbehaves on demand.
 * Source: docs.slack.dev, "Block Kit blocks", "Text object", "chat.postMessage", "Sending messages using incoming webhooks".
 */
import { z } from "zod";
import {
  type Fault,
  parseJson,
  type ReceivedRequest,
  type Receiver,
  type Reply,
  startReceiver,
} from "./webhook-server.ts";

const PlainText = (charsMax: number) =>
  z.strictObject({
    type: z.literal("plain_text"),
    text: z.string().min(1).max(charsMax),
    emoji: z.boolean().optional(),
  });
const Mrkdwn = (charsMax: number) =>
  z.strictObject({
    type: z.literal("mrkdwn"),
    text: z.string().min(1).max(charsMax),
    verbatim: z.boolean().optional(),
  });
const Text = (charsMax: number) => z.discriminatedUnion("type", [PlainText(charsMax), Mrkdwn(charsMax)]);
const blockId = z.string().max(255).optional();
const Button = z.strictObject({
  type: z.literal("button"),
  text: PlainText(75),
  url: z.url().max(3000).optional(),
  action_id: z.string().max(255).optional(),
  value: z.string().max(2000).optional(),
  style: z.enum(["primary", "danger"]).optional(),
});

const Block = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("header"), text: PlainText(150), block_id: blockId }),
  z
    .strictObject({
      type: z.literal("section"),
      text: Text(3000).optional(),
      fields: z.array(Text(2000)).min(1).max(10).optional(),
      accessory: Button.optional(),
      block_id: blockId,
    })
    .refine((section) => section.text !== undefined || section.fields !== undefined),
  z.strictObject({ type: z.literal("context"), elements: z.array(Text(3000)).min(1).max(10), block_id: blockId }),
  z.strictObject({ type: z.literal("divider"), block_id: blockId }),
  z.strictObject({ type: z.literal("actions"), elements: z.array(Button).min(1).max(25), block_id: blockId }),
]);
const Blocks = z.array(Block).max(50);

const Message = z.looseObject({ text: z.string().optional(), blocks: z.unknown().optional() });

/** A message that Slack would have taken. */
export interface SlackMessageReceived {
  readonly via: "webhook" | "bot";
  readonly channel: string;
  readonly text: string;
  readonly blocks: z.infer<typeof Blocks>;
  /** Names the message, as Slack does: epoch seconds and a number. */
  readonly ts: string;
}

/** A running look-alike. `stop()` it, or bind it with `await using`. */
export interface SlackServer extends Omit<Receiver, "origin" | "until"> {
  /** Its path is the secret. */
  readonly webhookUrl: string;
  readonly apiUrl: string;
  readonly token: string;
  /** The one channel there is; the webhook posts to it too. */
  readonly channel: string;
  /** What was taken, in order. */
  readonly messages: readonly SlackMessageReceived[];
  next(fault: Fault): void;
  waitForMessages(count: number, options: { readonly timeoutMs: number }): Promise<void>;
}

const WEBHOOK_PATH = "/services/T0CRREACT/B0CRREACT/wHk9sEcReT4pAtH";
const TOKEN = "xoxb-2147-very-secret-bot-token";
const CHANNEL = "#ops";
/** Undocumented; slackapi/bolt-js issues 2509 and 2867 saw refusals from 11,300 to 13,200 characters on. */
const MESSAGE_CHARS_MAX = 11_300;
const FALLBACK_CHARS_MAX = 40_000;

/** Starts it on a free loopback port. */
export async function startSlack(): Promise<SlackServer> {
  const messages: SlackMessageReceived[] = [];
  const take = (via: "webhook" | "bot", message: z.infer<typeof Message>) => {
    const ts = `${1_700_000_000 + messages.length}.000100`;
    const blocks = Blocks.parse(message.blocks ?? []);
    messages.push({ via, channel: CHANNEL, text: message.text ?? "", blocks, ts });
    return ts;
  };
  const { origin, until, ...receiver } = await startReceiver((request) => {
    if (request.path === "/api/chat.postMessage") return answerBot(request, (message) => take("bot", message));
    if (request.path === WEBHOOK_PATH) return answerWebhook(request, (message) => take("webhook", message));
    return { status: 404, body: "no_service" };
  });
  return {
    ...receiver,
    webhookUrl: `${origin}${WEBHOOK_PATH}`,
    apiUrl: `${origin}/api`,
    token: TOKEN,
    channel: CHANNEL,
    messages,
    waitForMessages: (count, { timeoutMs }) =>
      until(() => messages.length >= count, `${count} Slack messages`, timeoutMs),
  };
}

function answerWebhook(request: ReceivedRequest, take: (message: z.infer<typeof Message>) => string): Reply {
  const message = Message.safeParse(parseJson(request.body));
  if (request.method !== "POST" || mediaType(request) !== "application/json" || !message.success) {
    return { status: 400, body: "invalid_payload" };
  }
  const refusal = refusalOf(message.data);
  if (refusal) return { status: 400, body: refusal };
  take(message.data);
  return { status: 200, body: "ok" };
}

function answerBot(request: ReceivedRequest, take: (message: z.infer<typeof Message>) => string): Reply {
  const { authorization } = request.headers;
  if (authorization === undefined) return botReply({ ok: false, error: "not_authed" });
  if (authorization !== `Bearer ${TOKEN}`) return botReply({ ok: false, error: "invalid_auth" });
  if (mediaType(request) !== "application/json") return botReply({ ok: false, error: "invalid_post_type" });
  const message = Message.safeParse(parseJson(request.body));
  if (!message.success) return botReply({ ok: false, error: "invalid_json" });
  if (message.data["channel"] !== CHANNEL) return botReply({ ok: false, error: "channel_not_found" });
  const error = refusalOf(message.data);
  if (error) return botReply({ ok: false, error });
  return botReply({ ok: true, channel: "C0CRREACT", ts: take(message.data) });
}

function refusalOf(message: z.infer<typeof Message>): string | undefined {
  const { text = "", blocks } = message;
  if (text === "" && blocks === undefined) return "no_text";
  if (text.length > FALLBACK_CHARS_MAX) return "msg_too_long";
  const parsed = Blocks.safeParse(blocks ?? []);
  if (!parsed.success) return "invalid_blocks";
  if (JSON.stringify(parsed.data).length > MESSAGE_CHARS_MAX) return "msg_blocks_too_long";
  return undefined;
}

function botReply(body: object): Reply {
  return { status: 200, headers: { "content-type": "application/json; charset=utf-8" }, body: JSON.stringify(body) };
}

function mediaType(request: ReceivedRequest): string | undefined {
  return request.headers["content-type"]?.split(";")[0]?.trim();
}
