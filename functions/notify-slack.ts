/**
 * Tells a Slack channel what happened to an object: what changed from what to what, its phase and how long the one before held,
 * and who did it. Through an incoming webhook, or as a bot.
 */

import { z } from "zod";
import { defineFunction, readSecret, SecretSource } from "#kit";
import { HttpUrl } from "./actions/http-client.ts";
import { fillLink, LinkTemplate } from "./actions/link-template.ts";
import { postSlackMessage, type SlackTarget } from "./actions/slack.ts";
import { slackMessage } from "./actions/slack-message.ts";

/** More is no message any more. */
const FIELDS_MAX = 50;

const Config = z
  .strictObject({
    /** The URL of an incoming webhook, which is bound to its channel. */
    webhookUrl: SecretSource.optional(),
    /** A bot's token, `xoxb-…`, with the scope `chat:write`; it needs `channel`. */
    botToken: SecretSource.optional(),
    /** An id (C0123456789) or a name (#ops). */
    channel: z.string().min(1).optional(),
    /** Where a bot's calls go, if not to slack.com: GovSlack, or a test. */
    slackApiUrl: HttpUrl.optional(),
    /** Plain text on top of the message. */
    title: z.string().min(1).optional(),
    /** A link about the object; its URL may name {namespace}, {name}, {kind}, {cluster} and {uid}. */
    link: z.strictObject({ text: z.string().min(1), url: LinkTemplate }).optional(),
    /** Changed fields that are listed; the rest is counted. */
    fieldsMax: z.int().min(0).max(FIELDS_MAX).default(10),
  })
  .superRefine((config, context) => {
    const problem = targetProblem(config);
    if (problem) context.addIssue({ code: "custom", message: problem });
  });
type Config = z.infer<typeof Config>;

export default defineFunction({
  name: "notify-slack",
  description: "Posts a message about the change to a Slack channel.",
  config: Config,
  async run({ event, config, step }) {
    const link = config.link && { text: config.link.text, url: fillLink(config.link.url, event) };
    const message = slackMessage(event, { title: config.title, link, fieldsMax: config.fieldsMax });
    const receipt = await step("post", ({ signal }) => postSlackMessage(targetOf(config), message, { signal }));
    return receipt.type === "bot" ? `posted to ${receipt.channel}, ts ${receipt.ts}` : "posted through the webhook";
  },
});

function targetProblem({ webhookUrl, botToken, channel, slackApiUrl }: Config): string | undefined {
  if (webhookUrl && botToken) return "webhookUrl and botToken are two ways to post: keep one";
  if (webhookUrl && channel)
    return "an incoming webhook posts to the channel it was made for: leave channel out, or use botToken";
  if (webhookUrl && slackApiUrl) return "slackApiUrl is for a botToken: leave it out";
  if (botToken && !channel) return "a botToken needs a channel, such as #ops";
  if (!webhookUrl && !botToken) return "set webhookUrl, or botToken and channel";
  return undefined;
}

/** Reads the secret at each run, so that a rotated one needs no restart. */
function targetOf(config: Config): SlackTarget {
  if (config.webhookUrl) return { type: "webhook", url: readSecret(config.webhookUrl) };
  if (config.botToken && config.channel) {
    const apiUrl = config.slackApiUrl;
    return { type: "bot", token: readSecret(config.botToken), channel: config.channel, ...(apiUrl && { apiUrl }) };
  }
  throw new Error(targetProblem(config));
}
