/**
 * The requests that Slack takes, as it documents them: the arguments of each method, blocks and attachments with their limits. Strict:
 * what is not documented is refused, although Slack lets some of it pass.
 * Source: docs.slack.dev, "Block Kit blocks", "Text object", "Table block", "Rich text block", "Secondary message attachments",
 * "Using message metadata", chat.postMessage, chat.update, conversations.history, conversations.replies; @slack/types.
 */
import { z } from "zod";

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

const RichTextElement = z.strictObject({
  type: z.literal("text"),
  text: z.string().min(1),
  style: z.strictObject({ bold: z.boolean().optional(), code: z.boolean().optional() }).optional(),
});
const RichText = z.strictObject({
  type: z.literal("rich_text"),
  elements: z
    .array(z.strictObject({ type: z.literal("rich_text_section"), elements: z.array(RichTextElement).min(1) }))
    .min(1),
  block_id: blockId,
});
const Table = z.strictObject({
  type: z.literal("table"),
  rows: z.array(z.array(RichText).min(1).max(20)).min(1).max(100),
  column_settings: z
    .array(
      z.strictObject({ align: z.enum(["left", "center", "right"]).optional(), is_wrapped: z.boolean().optional() }),
    )
    .max(20)
    .optional(),
  block_id: blockId,
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
  // Documented beside the others, but seen to be refused outside of attachments.
  Table,
]);

/** The blocks of a message. */
export const Blocks = z
  .array(Block)
  .max(50)
  .refine((blocks) => blocks.every(({ type }) => type !== "table"));

/** A message's attachments: each a coloured bar with blocks beside it; one table in all. */
export const Attachments = z
  .array(
    z.strictObject({
      color: z.union([z.enum(["good", "warning", "danger"]), z.string().regex(/^#[0-9a-f]{6}$/i)]).optional(),
      fallback: z.string().max(3_000).optional(),
      blocks: z.array(Block).min(1).max(50),
    }),
  )
  .max(100)
  .refine((all) => all.flatMap(({ blocks }) => blocks).filter(({ type }) => type === "table").length <= 1);

const Metadata = z.strictObject({
  event_type: z.string().regex(/^[a-z0-9_]+$/),
  event_payload: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
});

const content = { text: z.string().optional(), blocks: z.unknown().optional(), attachments: z.unknown().optional() };
const unfurl = { unfurl_links: z.boolean().optional(), unfurl_media: z.boolean().optional() };
const parse = z.enum(["full", "none"]).optional();
const Ts = z.string().regex(/^\d{10}\.\d{6}$/);

/** What an incoming webhook takes. */
export const WebhookBody = z.strictObject({ ...content, ...unfurl });
/** What chat.postMessage takes. */
export const PostArguments = z.strictObject({
  channel: z.string(),
  ...content,
  ...unfurl,
  parse,
  thread_ts: Ts.optional(),
  reply_broadcast: z.boolean().optional(),
  metadata: Metadata.optional(),
});
/** What chat.update takes. */
export const UpdateArguments = z.strictObject({
  channel: z.string(),
  ts: Ts,
  ...content,
  parse,
  metadata: Metadata.optional(),
});
const reading = {
  channel: z.string(),
  oldest: z
    .string()
    .regex(/^\d+\.\d{6}$/)
    .optional(),
  limit: z.coerce.number().int().min(1).max(999).default(100),
  cursor: z.string().optional(),
  include_all_metadata: z.literal("true").optional(),
};
/** What conversations.history takes. */
export const HistoryArguments = z.strictObject(reading);
/** What conversations.replies takes. */
export const RepliesArguments = z.strictObject({ ...reading, ts: Ts });

/** What was posted, when it is as documented. */
export interface Content {
  readonly text: string;
  readonly blocks: z.infer<typeof Blocks>;
  readonly attachments: z.infer<typeof Attachments>;
}

/** Undocumented; slackapi/bolt-js issues 2509 and 2867 saw refusals from 11,300 to 13,200 characters on. */
const MESSAGE_CHARS_MAX = 11_300;
const FALLBACK_CHARS_MAX = 40_000;

/** The content, or Slack's word for what is wrong with it. */
export function readContent(message: {
  text?: string | undefined;
  blocks?: unknown;
  attachments?: unknown;
}): Content | string {
  const { text = "" } = message;
  if (text === "" && message.blocks === undefined && message.attachments === undefined) return "no_text";
  if (text.length > FALLBACK_CHARS_MAX) return "msg_too_long";
  const blocks = Blocks.safeParse(message.blocks ?? []);
  if (!blocks.success) return "invalid_blocks";
  const attachments = Attachments.safeParse(message.attachments ?? []);
  if (!attachments.success) return "invalid_attachments";
  if (JSON.stringify([blocks.data, attachments.data]).length > MESSAGE_CHARS_MAX) return "msg_blocks_too_long";
  return { text, blocks: blocks.data, attachments: attachments.data };
}
