/**
 * Where a message goes and whom it calls, as settings. Rules are tried in order: a channel is the first whose `when` holds and whose
 * name comes out whole, mentions are all whose `when` holds. Mentions stand in the settings, never in an object.
 */
import { z } from "zod";
import { compileFilter, type Envelope, Filter, PermanentError } from "#kit";
import { renderTemplate, Template, type TemplateScope } from "../template.ts";

/** A channel's name or id: a template, so that it can come from a namespace, a label or an annotation. */
const Channel = Template.min(1, "expected a channel, such as C0123456789 or #ops");

const ChannelRule = z.strictObject({ when: Filter.optional(), channel: Channel });

/** A channel, or rules of which the first that fits says it. */
export const ChannelChoice = z.union([Channel, z.array(ChannelRule).min(1, "name at least one channel").max(100)]);
export type ChannelChoice = z.infer<typeof ChannelChoice>;

/** Whom to call: `here` or `channel`, a user's id, or a user group's. */
const Mention = z
  .string()
  .regex(
    /^(?:here|channel|[UWS][A-Z0-9]{7,20})$/,
    "expected here, channel, a user's id (U0123456789) or a user group's (S0123456789)",
  );

/** Whom to call when. */
export const MentionRule = z.strictObject({ when: Filter.optional(), who: z.array(Mention).min(1).max(20) });
export type MentionRule = z.infer<typeof MentionRule>;

/** Letters of any script, as Slack allows; or a public or private channel's id. */
const CHANNEL = /^#?[\p{L}\p{M}\p{N}_-]{1,80}$/u;
/** A value of an object must not send a message to a person. */
const PERSON = /^[UWD][A-Z0-9]{7,}$/;

/** The channel for an event. Throws PermanentError when no rule gives one. */
export function channelFor(choice: ChannelChoice, event: Envelope, scope: TemplateScope): string {
  const rules = typeof choice === "string" ? [{ channel: choice }] : choice;
  for (const rule of rules) {
    if ("when" in rule && !holds(rule.when, event)) continue;
    const channel = renderTemplate(rule.channel, scope, "plain").trim();
    if (channel === rule.channel) return channel;
    if (CHANNEL.test(channel) && !PERSON.test(channel)) return channel;
  }
  throw new PermanentError(
    "no rule of config.channel gives a channel for this object: end the list with one that always does, such as { channel: '#ops' }",
  );
}

/** More names than a message has room for. */
const MENTIONS_MAX = 30;

/** Whom to call about an event, as Slack writes it, each once; at most 30. */
export function mentionsFor(rules: readonly MentionRule[], event: Envelope): string[] {
  const called = rules.filter(({ when }) => holds(when, event)).flatMap(({ who }) => who);
  return [...new Set(called)].slice(0, MENTIONS_MAX).map((who) => {
    if (who === "here" || who === "channel") return `<!${who}>`;
    return who.startsWith("S") ? `<!subteam^${who}>` : `<@${who}>`;
  });
}

/** An expression that cannot be decided does not hold, as in a subscription. */
function holds(when: Filter | undefined, event: Envelope): boolean {
  if (when === undefined) return true;
  const { apiversion: apiVersion, kind } = event;
  return compileFilter({ apiVersion, kind, when, includeExisting: true }).match(event).type === "matched";
}
