/**
 * The public door for functions of one's own that act as the built-in ones do: `import { notifySlack, perform } from "cr-reactor/actions"`.
 */
export { default as annotate } from "./annotate.ts";
export { default as applyManifest } from "./apply-manifest.ts";
export { perform } from "./kit/perform.ts";
export { default as notifyAlertmanager } from "./notify-alertmanager.ts";
export { default as notifyDiscord } from "./notify-discord.ts";
export { default as notifyEmail } from "./notify-email.ts";
export { default as notifyPagerduty } from "./notify-pagerduty.ts";
export { default as notifySlack } from "./notify-slack.ts";
export { default as notifyTeams } from "./notify-teams.ts";
export { default as openTicket } from "./open-ticket.ts";
export { default as recordEvent } from "./record-event.ts";
export { default as relay } from "./relay.ts";
export { default as triggerWorkflow } from "./trigger-workflow.ts";
