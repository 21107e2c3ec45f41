/**
 * A local look-alike of a Teams workflow that posts cards: it checks each card against Adaptive Cards 1.4 as far as we use it, and its size.
 * Source: adaptivecards.io, schema 1.4; learn.microsoft.com, "Create incoming webhooks with Workflows".
 */
import { z } from "zod";
import { parseJson, type Receiver, startReceiver } from "./webhook-server.ts";

const TextRun = z.strictObject({
  type: z.literal("TextRun"),
  text: z.string().min(1),
  weight: z.enum(["Default", "Lighter", "Bolder"]).optional(),
  size: z.enum(["Default", "Small", "Medium", "Large", "ExtraLarge"]).optional(),
  italic: z.boolean().optional(),
  isSubtle: z.boolean().optional(),
});
const RichTextBlock = z.strictObject({
  type: z.literal("RichTextBlock"),
  spacing: z.enum(["Default", "None", "Small", "Medium", "Large"]).optional(),
  inlines: z.array(TextRun).min(1),
});
const Container = z.strictObject({
  type: z.literal("Container"),
  style: z.enum(["default", "emphasis", "good", "attention", "warning", "accent"]),
  bleed: z.boolean().optional(),
  items: z.array(RichTextBlock).min(1),
});
const Card = z.strictObject({
  $schema: z.literal("http://adaptivecards.io/schemas/adaptive-card.json"),
  type: z.literal("AdaptiveCard"),
  version: z.enum(["1.0", "1.1", "1.2", "1.3", "1.4"]),
  fallbackText: z.string().optional(),
  msteams: z.strictObject({ width: z.literal("Full") }).optional(),
  body: z.array(z.union([RichTextBlock, Container])).min(1),
  actions: z
    .array(z.strictObject({ type: z.literal("Action.OpenUrl"), title: z.string(), url: z.url() }))
    .min(1)
    .max(6)
    .optional(),
});
const Message = z.strictObject({
  type: z.literal("message"),
  attachments: z.tuple([
    z.strictObject({
      contentType: z.literal("application/vnd.microsoft.card.adaptive"),
      contentUrl: z.null(),
      content: Card,
    }),
  ]),
});

/** A card that Teams would have posted. */
export type TeamsCard = z.infer<typeof Card>;

/** A running look-alike. */
export interface TeamsServer extends Omit<Receiver, "until"> {
  /** Its query is the secret. */
  readonly url: string;
  readonly cards: readonly TeamsCard[];
}

const PATH =
  "/workflows/0a1b2c/triggers/manual/paths/invoke?api-version=1&sp=%2Ftriggers%2Fmanual%2Frun&sig=vErYsEcReTsIg";
const MESSAGE_BYTES_MAX = 28 * 1024;

/** Starts it on a free loopback port. */
export async function startTeams(): Promise<TeamsServer> {
  const cards: TeamsCard[] = [];
  const { until: _until, ...receiver } = await startReceiver(({ method, path, body }) => {
    if (method !== "POST" || path !== PATH)
      return { status: 401, body: '{"error":{"code":"DirectApiAuthorizationRequired"}}' };
    if (Buffer.byteLength(body) > MESSAGE_BYTES_MAX) return { status: 413 };
    const message = Message.safeParse(parseJson(body));
    if (!message.success) return { status: 400, body: message.error.message };
    cards.push(message.data.attachments[0].content);
    return { status: 202 };
  });
  return { ...receiver, url: `${receiver.origin}${PATH}`, cards };
}
