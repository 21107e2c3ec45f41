/** Keeps one message in a Discord channel for each incident: posted when it opens, changed while it goes on, green when the object recovers. */
import { z } from "zod";
import { defineFunction, readSecret, SecretSource } from "#kit";
import { changeReport } from "./actions/change-report.ts";
import { discordEmbed, editOnDiscord, postToDiscord } from "./actions/discord.ts";
import { filledLinks, Links } from "./actions/link.ts";
import { renderTemplate, Template } from "./actions/template.ts";

const COLOURS = { opened: 0xd92d20, updated: 0xf79009, resolved: 0x12b76a, plain: 0x475467 } as const;
const RECEIPT = "discord";

export default defineFunction({
  name: "notify-discord",
  description: "Keeps a message about each incident in a Discord channel.",
  config: z.strictObject({
    /** The URL of a webhook (channel settings, Integrations): https://discord.com/api/webhooks/… */
    webhookUrl: SecretSource,
    /** The id of a thread, or of a forum's post, to write into. */
    threadId: z
      .string()
      .regex(/^\d{1,20}$/, "expected the number of a thread, in quotes")
      .optional(),
    /** Stands on top instead of what happened. */
    title: Template.optional(),
    links: Links,
    /** Changed fields that are listed, 0 to 20; the rest is counted. */
    fieldsMax: z.int().min(0).max(20).default(10),
  }),
  async run(context) {
    const { config, incident, event, step } = context;
    const report = changeReport(event, incident, config.fieldsMax);
    const own =
      config.title === undefined ? "" : renderTemplate(config.title, context, "plain").replace(/\s+/g, " ").trim();
    const look = { color: COLOURS[incident?.type ?? "plain"], timestamp: event.time };
    const embed = discordEmbed(own === "" ? report.headline : own, report, look, filledLinks(config.links, context));
    const target = { url: readSecret(config.webhookUrl), threadId: config.threadId };
    const known = z.string().safeParse(incident?.receipts[RECEIPT]).data;
    if (known !== undefined && incident?.type !== "opened")
      if (await step("edit", ({ signal }) => editOnDiscord(target, known, embed, { signal })))
        return `changed ${known}`;
    // Forgotten, or deleted by a person.
    const id = await step("post", ({ signal }) => postToDiscord(target, embed, { signal }));
    await incident?.remember(RECEIPT, id);
    return `posted ${id}`;
  },
});
