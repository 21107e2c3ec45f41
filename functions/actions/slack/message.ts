/**
 * An event as a Slack message: a header with what happened and who is wanted, and beside a coloured bar the phase and how long it held,
 * conditions, the changed fields from what to what, links, and in small print who, where and when. Pure: the same event is always the
 * same message. It keeps Slack's limits by leaving out fields and saying how many, never by failing.
 */
import type { Envelope, Incident } from "#kit";
import {
  type ChangeSummary,
  type ConditionSummary,
  moveInWords,
  type PhaseSummary,
  summarise,
} from "../change-summary.ts";
import { cutEscaped } from "../cut-text.ts";
import { durationInWords } from "../duration.ts";
import {
  codeSpan,
  context,
  escapeMrkdwn,
  escapePlain,
  header,
  paragraphs,
  SLACK_LIMITS,
  type SlackAttachment,
  type SlackBlock,
  type SlackMessage,
  section,
  slackDate,
  slackLink,
} from "./block.ts";
import { fieldBlocks } from "./field-table.ts";

/** What a subscription may choose. */
export interface SlackMessageOptions {
  /** Stands on top instead of what happened, which moves below it. */
  readonly title?: string | undefined;
  /** The author's own paragraph, in mrkdwn with every value escaped. */
  readonly text?: string | undefined;
  readonly links?: readonly { readonly text: string; readonly url: string }[] | undefined;
  /** Who is to be called, as Slack writes it: `<@U0123456789>`. From the settings alone. */
  readonly mentions?: readonly string[] | undefined;
  /** Changed fields that are listed, at most; the rest is counted. */
  readonly fieldsMax: number;
  /** `lines`: for where Slack does not take a table; default `table`. */
  readonly fields?: "table" | "lines";
  readonly incident?: IncidentNote | undefined;
}

/** What a message says about the incident that its event belongs to. */
export interface IncidentNote extends Pick<Incident, "type" | "openedAt" | "updateCount"> {
  /** Whether it is the thread's first message, or one below it. */
  readonly place: "first" | "reply";
  /** What happened when it was opened: "Running → Failed". */
  readonly opened?: string | undefined;
  /** The thread's first message could not be found, and this one takes its place. */
  readonly isSubstitute?: boolean;
}

/** Room for a phase or a condition's status; Kubernetes names neither with more than a word or two. */
const STATE_CHARS_MAX = 60;
/** Room for an object's or a condition's own sentence. */
const MESSAGE_CHARS_MAX = 600;
/** A message with more lines is a stack trace: its head is enough. */
const MESSAGE_LINES_MAX = 6;
/** Conditions that are listed; kinds with more exist, but not with more that move at once. */
const CONDITIONS_MAX = 6;
/** Room for the object's name in the body. */
const NAME_CHARS_MAX = 600;
/** Room for the author's own paragraph. */
const TEXT_CHARS_MAX = 1_500;
/** A link's markup; a longer URL is left out, because it cannot be cut. */
const LINK_CHARS_MAX = 1_000;
/** All of them: what does not fit any more is left out. */
const LINKS_CHARS_MAX = 1_500;
/** Fields that the fallback text names: it is read on a lock screen. */
const FALLBACK_FIELDS = 3;
/** Room for them; with title, headline and message the whole stays below SLACK_LIMITS.fallbackCharsMax. */
const FALLBACK_TABLE_CHARS_MAX = 1_500;

/** Renders the event. */
export function slackMessage(event: Envelope, options: SlackMessageOptions): SlackMessage {
  const summary = summarise(event, options.fieldsMax);
  const { incident } = options;
  const { plain, isWhole } = headlineOf(summary);
  const title = options.title && escapePlain(options.title, SLACK_LIMITS.headerCharsMax);
  const prefix = incident?.type === "resolved" ? "Resolved: " : "";
  const isReply = incident?.place === "reply";
  const top: SlackBlock[] = [
    isReply
      ? section(`*${prefix}${escapeMrkdwn(stateIn(summary), STATE_CHARS_MAX * 2)}*`)
      : header(`${prefix}${title || plain}`),
    ...(options.mentions?.length ? [section(options.mentions.join(" "))] : []),
  ];
  const facts = [
    ...(title && !isReply ? [`*${boldHeadline(summary)}*`] : []),
    ...(isWhole || isReply ? [] : [nameLine(summary)]),
    ...(incident ? incidentLines(incident, event) : []),
    ...(summary.phase ? [phaseLine(summary.phase)] : []),
    ...(summary.message ? [quoted(summary.message)] : []),
    ...conditionLines(summary.conditions),
  ];
  const before = [
    ...(options.text?.trim() ? [section(cutEscaped(options.text.trim(), TEXT_CHARS_MAX))] : []),
    ...paragraphs(facts),
  ];
  const after = [...linkBlocks(options.links ?? []), ...smallPrint(event, incident)];
  const text = fallback(summary, `${prefix}${title && !isReply ? `${title}: ${plain}` : plain}`);
  const message = (fields: readonly SlackBlock[]) => ({
    text,
    blocks: top,
    attachments: [attachment([...before, ...fields, ...after], incident, plain)],
  });
  const room = SLACK_LIMITS.messageCharsMax - JSON.stringify({ ...message([]), text: "" }).length;
  return message(fieldBlocks(summary, options.fields ?? "table", room));
}

/** What an event did to its object, in a few words that can be kept: "Running → Failed". */
export function stateInWords(event: Envelope): string {
  return escapePlain(summarise(event, 0).state, STATE_CHARS_MAX);
}

function attachment(blocks: SlackBlock[], incident: IncidentNote | undefined, fallbackText: string): SlackAttachment {
  const color = incident && (incident.type === "resolved" ? "good" : "danger");
  return { ...(color && { color }), fallback: fallbackText, blocks };
}

/** "Database prod/orders: Running → Failed". The state stays whole: of a name that is too long, the object gives way. */
function headlineOf(summary: ChangeSummary): { plain: string; isWhole: boolean } {
  const state = escapePlain(summary.state, STATE_CHARS_MAX);
  const whole = escapePlain(`${summary.kind} ${summary.object}`, Number.MAX_SAFE_INTEGER);
  const room = SLACK_LIMITS.headerCharsMax - "Resolved: ".length - state.length - 2;
  const object = escapePlain(`${summary.kind} ${summary.object}`, room);
  return { plain: `${object}: ${state}`, isWhole: object === whole };
}

function boldHeadline(summary: ChangeSummary): string {
  const text = `${summary.kind} ${summary.object}: ${stateIn(summary)}`;
  return escapeMrkdwn(text.replaceAll("\n", " "), SLACK_LIMITS.headerCharsMax * 2);
}

function stateIn(summary: ChangeSummary): string {
  return summary.state.replaceAll("\n", " ");
}

function nameLine(summary: ChangeSummary): string {
  return `*${escapeMrkdwn(summary.kind, STATE_CHARS_MAX * 2)}* ${codeSpan(summary.object, NAME_CHARS_MAX)}`;
}

function incidentLines(incident: IncidentNote, event: Envelope): string[] {
  const lost = incident.isSubstitute
    ? ["_The first message of this incident could not be found: this one takes its place._"]
    : [];
  const since = `open since ${slackDate(incident.openedAt)}`;
  const opened = incident.opened ? ` (${codeSpan(incident.opened, STATE_CHARS_MAX * 2)})` : "";
  const updates =
    incident.updateCount > 0 ? ` · ${incident.updateCount} ${incident.updateCount === 1 ? "update" : "updates"}` : "";
  switch (incident.type) {
    case "opened":
      return lost;
    case "updated":
      return incident.place === "first" ? [...lost, `*Incident* ${since}${opened}${updates}`] : lost;
    case "resolved":
      return [...lost, `*Resolved* after ${openFor(incident, event)} · ${since}${opened}${updates}`];
    default:
      return incident.type satisfies never;
  }
}

function openFor(incident: IncidentNote, event: Envelope): string {
  return durationInWords(Math.max(0, Math.floor((Date.parse(event.time) - Date.parse(incident.openedAt)) / 1000)));
}

function phaseLine(phase: PhaseSummary): string {
  switch (phase.type) {
    case "moved":
      return `*Phase* ${move(phase)}${held(phase)}`;
    case "holds":
      return `*Phase* ${codeSpan(phase.name, STATE_CHARS_MAX)} since ${slackDate(phase.since)}`;
    default:
      return phase satisfies never;
  }
}

function conditionLines(conditions: readonly ConditionSummary[]): string[] {
  const lines = conditions.slice(0, CONDITIONS_MAX).map((condition) => {
    const type = escapeMrkdwn(condition.type, STATE_CHARS_MAX);
    const reason = condition.reason ? ` · ${escapeMrkdwn(condition.reason, STATE_CHARS_MAX * 2)}` : "";
    const message = condition.message ? `\n${quoted(condition.message)}` : "";
    return `*${type}* ${move(condition)}${held(condition)}${reason}${message}`;
  });
  const more = conditions.length - lines.length;
  return more > 0 ? [...lines, `… and ${more} more conditions`] : lines;
}

function move({ from, to }: { from: string | null; to: string | null }): string {
  const now = to === null ? "none" : codeSpan(to, STATE_CHARS_MAX);
  return from === null ? now : `${codeSpan(from, STATE_CHARS_MAX)} → ${now}`;
}

function held({ from, heldSeconds }: { from: string | null; heldSeconds: number | null }): string {
  return from === null || heldSeconds === null ? "" : ` after ${durationInWords(heldSeconds)}`;
}

function quoted(message: string): string {
  const lines = escapeMrkdwn(message.trim(), MESSAGE_CHARS_MAX).split("\n");
  const shown = lines.slice(0, MESSAGE_LINES_MAX).map((line) => `> ${line}`);
  return [...shown, ...(lines.length > MESSAGE_LINES_MAX ? ["> …"] : [])].join("\n");
}

function linkBlocks(links: readonly { readonly url: string; readonly text: string }[]): SlackBlock[] {
  const shown: string[] = [];
  let room = LINKS_CHARS_MAX;
  for (const { url, text } of links) {
    const link = slackLink(url, text);
    if (link.length > Math.min(room, LINK_CHARS_MAX)) continue;
    room -= link.length + 3;
    shown.push(link);
  }
  return shown.length === 0 ? [] : [section(shown.join(" · "))];
}

function smallPrint(event: Envelope, incident: IncidentNote | undefined): SlackBlock[] {
  const manager = event.manager ?? event.data.actor?.manager;
  const update = incident?.place === "reply" && incident.type === "updated" ? [`update ${incident.updateCount}`] : [];
  const line = [
    ...update,
    ...(manager ? [`by ${codeSpan(manager, STATE_CHARS_MAX * 2)}`] : []),
    `cluster ${codeSpan(event.cluster, STATE_CHARS_MAX * 2)}`,
    slackDate(event.time),
  ].join(" · ");
  return [context(line), ...(event.data.gap ? [context(":warning: some intermediate states may be missing")] : [])];
}

/** One line for notifications and screen readers, without code type. Takes a headline that is escaped. */
function fallback(summary: ChangeSummary, headline: string): string {
  const { phase } = summary;
  const message = summary.message ?? summary.conditions.find((condition) => condition.message)?.message;
  const fields = summary.fields
    .slice(0, FALLBACK_FIELDS)
    .map((field) => `${field.path} ${moveInWords(field.from, field.to)}`);
  const more = summary.fields.length - fields.length + summary.fieldsMore;
  const moved = phase?.type === "moved" ? held(phase) : "";
  const fieldList = fields.length === 0 ? "" : fields.join(", ") + (more > 0 ? `, and ${more} more` : "");
  const details = [escapeMrkdwn(message ?? "", MESSAGE_CHARS_MAX), escapeMrkdwn(fieldList, FALLBACK_TABLE_CHARS_MAX)];
  return [`${headline}${moved}`, ...details.filter((detail) => detail !== "")].join(" · ").replaceAll("\n", " ");
}
