/**
 * Tells a Slack channel what happened to an object: what changed from what to what, its phase and how long the one before held,
 * and who did it. Through an incoming webhook, or as a bot; as a bot it keeps one thread for each incident, whose first message turns
 * green when the object recovers.
 */
import { z } from "zod";
import { defineFunction, type FunctionContext, readSecret, SecretSource } from "#kit";
import { HttpUrl } from "./actions/http-client.ts";
import {
  createLookAround,
  type Surroundings,
  SurroundingsSettings,
  surroundingRights,
} from "./actions/kube/surroundings.ts";
import { filledLinks, Links } from "./actions/link.ts";
import type { MessageMaker } from "./actions/slack/block.ts";
import type { SlackReceipt } from "./actions/slack/conversation.ts";
import type { IncidentNote } from "./actions/slack/fact.ts";
import { slackGroupMessage } from "./actions/slack/group-message.ts";
import { postOnce, tellIncident } from "./actions/slack/incident-thread.ts";
import { type SlackMessageOptions, slackMessage, stateInWords } from "./actions/slack/message.ts";
import { ChannelChoice, channelFor, MentionRule, mentionsFor } from "./actions/slack/setting.ts";
import { postToWebhook } from "./actions/slack/webhook.ts";
import { renderTemplate, Template } from "./actions/template.ts";

/** More is no message any more. */
const FIELDS_MAX = 50;

const Config = z
  .strictObject({
    /** The URL of an incoming webhook, which is bound to its channel. */
    webhookUrl: SecretSource.optional(),
    /** A bot's token, `xoxb-…`, with the scope `chat:write`; it needs `channel`. */
    botToken: SecretSource.optional(),
    /** An id (C0123456789) or a name (#ops), as a template; or rules. With an id a lost answer makes no second message. */
    channel: ChannelChoice.optional(),
    /** Where a bot's calls go, if not to slack.com: GovSlack, or a test. */
    slackApiUrl: HttpUrl.optional(),
    /** On top of the message, a template. */
    title: Template.min(1).optional(),
    /** A paragraph of one's own in Slack's markup, a template whose values are escaped. */
    text: Template.min(1).optional(),
    /** Links about the object: a dashboard, Argo CD, a runbook. */
    links: Links,
    /** Whom to call. In an incident: when it opens. */
    mentions: z.array(MentionRule).max(20).default([]),
    /** Changed fields that are listed; the rest is counted. */
    fieldsMax: z.int().min(0).max(FIELDS_MAX).default(10),
    /** Which replies in an incident's thread are also shown in the channel. */
    broadcast: z.enum(["never", "resolved", "always"]).default("never"),
    /** Asks the API server what is around the object: its newest warning Events, and what it owns. */
    kubernetes: SurroundingsSettings,
  })
  .superRefine((config, context) => {
    const problem = targetProblem(config);
    if (problem) context.addIssue({ code: "custom", message: problem });
  });
type Config = z.infer<typeof Config>;

/** The function with its connections to API servers. */
function createNotifySlack() {
  const lookAround = createLookAround();
  return defineFunction({
    name: "notify-slack",
    description: "Posts a message about the change to a Slack channel, and keeps one thread for each incident.",
    config: Config,
    rights: ({ kubernetes }, told) => surroundingRights(kubernetes, told),
    batches: true,
    // A look into the channel's history, a post, a reply and an update of ten seconds each.
    timeoutMs: 60_000,
    async run(context) {
      const { config, incident } = context;
      if (config.webhookUrl && incident?.type === "updated")
        return "not posted: an incoming webhook has no threads for an incident's updates";
      const surroundings = await lookAround(config.kubernetes, context);
      return config.webhookUrl
        ? await notifyThroughWebhook(context, surroundings, config.webhookUrl)
        : await notifyAsBot(context, surroundings);
    },
  });
}

export default createNotifySlack();

function targetProblem({ webhookUrl, botToken, channel, slackApiUrl }: Config): string | undefined {
  if (webhookUrl && botToken) return "webhookUrl and botToken are two ways to post: keep one";
  if (webhookUrl && channel)
    return "an incoming webhook posts to the channel it was made for: leave channel out, or use botToken";
  if (webhookUrl && slackApiUrl) return "slackApiUrl is for a botToken: leave it out";
  if (botToken && !channel) return "a botToken needs a channel, such as #ops";
  if (!webhookUrl && !botToken) return "set webhookUrl, or botToken and channel";
  return undefined;
}

/** Opened and resolved are messages of their own: nothing that was posted can be found or changed. */
async function notifyThroughWebhook(
  context: FunctionContext<Config>,
  surroundings: Surroundings | undefined,
  webhookUrl: SecretSource,
): Promise<string> {
  const { incident, step } = context;
  const make = messageMaker(context, surroundings, incident && { ...incident, place: "first" });
  // The secret is read at each try, so that a rotated one needs no restart.
  await step("post", ({ signal }) => postToWebhook(readSecret(webhookUrl), make, { signal }));
  return "posted through the webhook";
}

async function notifyAsBot(context: FunctionContext<Config>, surroundings: Surroundings | undefined): Promise<string> {
  const { config, event, incident, step, attempt, log } = context;
  const { botToken, channel: choice, slackApiUrl: apiUrl } = config;
  if (!botToken || !choice) throw new Error(targetProblem(config));
  const bot = () => ({ token: readSecret(botToken), apiUrl });
  const call = { bot, step, event, attempt, log };
  const channel = () => channelFor(choice, event, context);
  if (incident === undefined) {
    const message = messageMaker(context, surroundings, undefined);
    return postedTo(await postOnce({ ...call, name: "post", channel: channel(), message }));
  }
  return await tellIncident({
    ...call,
    incident,
    channel,
    state: stateInWords(event),
    message: (note) => messageMaker(context, surroundings, note),
    isBroadcast: config.broadcast === "always" || config.broadcast === incident.type,
  });
}

function postedTo({ channel, ts }: SlackReceipt): string {
  return `posted to ${channel}, ts ${ts}`;
}

/** Fills in the templates now: one that cannot be filled in is told before anything is sent. */
function messageMaker(
  context: FunctionContext<Config>,
  surroundings: Surroundings | undefined,
  incident: IncidentNote | undefined,
): MessageMaker {
  const { config, event } = context;
  const isReply = incident?.place === "reply";
  const { events = [event] } = context;
  if (events.length > 1) {
    const title = config.title && renderTemplate(config.title, context, "plain");
    return () => slackGroupMessage(events, { title, mentions: mentionsFor(config.mentions, event) });
  }
  const isNews = incident === undefined || (incident.type === "opened" && !isReply);
  const options: SlackMessageOptions = {
    title: config.title && renderTemplate(config.title, context, "plain"),
    text: isReply ? undefined : config.text && renderTemplate(config.text, context, "mrkdwn"),
    links: isReply ? [] : filledLinks(config.links, context),
    mentions: isNews ? mentionsFor(config.mentions, event) : [],
    fieldsMax: config.fieldsMax,
    incident,
    surroundings,
  };
  return (fields) => slackMessage(event, { ...options, fields });
}
