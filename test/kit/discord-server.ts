/**
 * A local look-alike of a Discord webhook: posts with `wait`, changes by id, the documented limits of embeds, and Discord's refusals.
 * Source: discord.com/developers, "Execute Webhook", "Edit Webhook Message", "Embed limits".
 */
import { z } from "zod";
import type { Reply } from "./misbehaviour.ts";
import { parseJson, type Receiver, startReceiver } from "./webhook-server.ts";

const Embed = z
  .strictObject({
    title: z.string().max(256).optional(),
    description: z.string().max(4_096).optional(),
    color: z.int().min(0).max(0xffffff).optional(),
    timestamp: z.iso.datetime().optional(),
    fields: z
      .array(
        z.strictObject({
          name: z.string().min(1).max(256),
          value: z.string().min(1).max(1_024),
          inline: z.boolean().optional(),
        }),
      )
      .max(25)
      .optional(),
  })
  .refine(({ title = "", description = "", fields = [] }) => {
    return [title, description, ...fields.flatMap(({ name, value }) => [name, value])].join("").length <= 6_000;
  }, "Embed size exceeds maximum size of 6000");
const Message = z.strictObject({
  embeds: z.array(Embed).min(1).max(10),
  allowed_mentions: z.strictObject({ parse: z.tuple([]) }),
});

/** A message with its embed. */
export interface DiscordMessage {
  readonly id: string;
  embed: z.infer<typeof Embed>;
  readonly threadId: string | null;
}

/** A running look-alike. */
export interface DiscordServer extends Omit<Receiver, "until"> {
  readonly url: string;
  /** Delete one by taking it out. */
  readonly messages: DiscordMessage[];
}

const PATH = "/api/webhooks/123456789012345678/vErYsEcReTtOkEn";

/** Starts it on a free loopback port. */
export async function startDiscord(): Promise<DiscordServer> {
  const messages: DiscordMessage[] = [];
  let posted = 0;
  const { until: _until, ...receiver } = await startReceiver((request) => {
    const { pathname, searchParams } = new URL(request.path, "http://discord");
    if (!pathname.startsWith(PATH)) return refusal(404, 10_015, "Unknown Webhook");
    const message = Message.safeParse(parseJson(request.body));
    if (!message.success) return refusal(400, 50_035, "Invalid Form Body");
    const [embed] = message.data.embeds;
    if (embed === undefined) return refusal(400, 50_006, "Cannot send an empty message");
    if (request.method === "POST" && pathname === PATH) {
      if (searchParams.get("wait") !== "true") return { status: 204 };
      const sent: DiscordMessage = {
        id: `90000000000000000${++posted}`,
        embed,
        threadId: searchParams.get("thread_id"),
      };
      messages.push(sent);
      return reply(200, { id: sent.id, type: 0 });
    }
    const known = messages.find(({ id }) => pathname === `${PATH}/messages/${id}`);
    if (request.method !== "PATCH" || known === undefined) return refusal(404, 10_008, "Unknown Message");
    known.embed = embed;
    return reply(200, { id: known.id, type: 0 });
  });
  return { ...receiver, url: `${receiver.origin}${PATH}`, messages };
}

function refusal(status: number, code: number, message: string): Reply {
  return reply(status, { code, message });
}

function reply(status: number, body: object): Reply {
  return { status, headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
}
