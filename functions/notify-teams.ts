/** Tells a channel of Microsoft Teams what happened to an object, on a card whose colour says whether it is in trouble. */
import { z } from "zod";
import { defineFunction, readSecret, SecretSource } from "#kit";
import { changeReport } from "./actions/change-report.ts";
import { cutText } from "./actions/cut-text.ts";
import { filledLinks, Links } from "./actions/link.ts";
import { isTooSoon, rememberTold, UpdateEveryMinutes } from "./actions/pace.ts";
import { type CardStyle, postToTeams, teamsCard } from "./actions/teams.ts";
import { renderTemplate, Template } from "./actions/template.ts";

const STYLES: Readonly<Record<"opened" | "updated" | "resolved", CardStyle>> = {
  opened: "attention",
  updated: "warning",
  resolved: "good",
};
const TITLE_CHARS_MAX = 300;

export default defineFunction({
  name: "notify-teams",
  description: "Posts a card about the change to Microsoft Teams.",
  config: z.strictObject({
    /** The URL of a workflow "Post to a channel when a webhook request is received". */
    webhookUrl: SecretSource,
    /** Stands on top instead of what happened. */
    title: Template.optional(),
    links: Links,
    /** Changed fields that are listed, 0 to 50; the rest is counted. */
    fieldsMax: z.int().min(0).max(50).default(10),
    updateEveryMinutes: UpdateEveryMinutes,
  }),
  async run(context) {
    const { config, incident, event, step } = context;
    if (isTooSoon(incident, event, config.updateEveryMinutes)) return "told lately";
    const report = changeReport(event, incident, config.fieldsMax);
    const own = config.title === undefined ? "" : renderTemplate(config.title, context, "plain").trim();
    const title = cutText(own === "" ? report.headline : own, TITLE_CHARS_MAX);
    const card = teamsCard(
      title,
      report,
      incident ? STYLES[incident.type] : "emphasis",
      filledLinks(config.links, context),
    );
    await step("post", ({ signal }) => postToTeams(readSecret(config.webhookUrl), card, { signal }));
    await rememberTold(incident, event);
    return "posted";
  },
});
