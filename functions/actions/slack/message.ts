/**
 * An event as a Slack message: a header with what happened and who is wanted, and beside a coloured bar the phase and how long it held,
 * conditions, the changed fields from what to what, what is around the object, links, and in small print who, where and when. Pure: the same event is always the
 * same message. It keeps Slack's limits by leaving out fields and saying how many, never by failing.
 */
import type { Envelope } from "#kit";
import { type ChangeSummary, moveInWords, summarise } from "../change-summary.ts";
import { cutEscaped, cutText } from "../cut-text.ts";
import type { Surroundings } from "../kube/surroundings.ts";
import {
  escapeMrkdwn,
  escapePlain,
  header,
  paragraphs,
  SLACK_LIMITS,
  type SlackAttachment,
  type SlackBlock,
  type SlackMessage,
  section,
  slackLink,
} from "./block.ts";
import {
  CONDITIONS_MAX,
  factLines,
  held,
  type IncidentNote,
  incidentLines,
  MESSAGE_CHARS_MAX,
  nameLine,
  STATE_CHARS_MAX,
  smallPrint,
} from "./fact.ts";
import { fieldBlocks } from "./field-table.ts";
import { surroundingBlocks } from "./surroundings-lines.ts";

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
  /** What is around the object. */
  readonly surroundings?: Surroundings | undefined;
}

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

/** Kept free for the changed fields: conditions give way to them. */
const FIELDS_CHARS_MIN = 600;

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
  const after = [
    ...surroundingBlocks(options.surroundings),
    ...linkBlocks(options.links ?? []),
    ...smallPrint(event, incident),
  ];
  const text = fallback(summary, `${prefix}${title && !isReply ? `${title}: ${plain}` : plain}`);
  const message = (conditionsShown: number, fields: readonly SlackBlock[]) => {
    const facts = [
      ...(title && !isReply ? [`*${boldHeadline(summary)}*`] : []),
      ...(isWhole || isReply ? [] : [nameLine(summary)]),
      ...(incident ? incidentLines(incident, event) : []),
      ...factLines(summary, conditionsShown),
    ];
    const before = [...authorBlocks(options.text ?? ""), ...paragraphs(facts)];
    return { text, blocks: top, attachments: [attachment([...before, ...fields, ...after], incident, plain)] };
  };
  const roomBeside = (shown: number) =>
    SLACK_LIMITS.messageCharsMax - JSON.stringify({ ...message(shown, []), text: "" }).length;
  let shown = CONDITIONS_MAX;
  while (shown > 0 && roomBeside(shown) < FIELDS_CHARS_MIN) shown--;
  return message(shown, fieldBlocks(summary, options.fields ?? "table", roomBeside(shown)));
}

/** What an event did to its object, in a few words that can be kept: "Running → Failed". */
export function stateInWords(event: Envelope): string {
  return cutText(stateIn(summarise(event, 0)), STATE_CHARS_MAX);
}

function authorBlocks(text: string): SlackBlock[] {
  return text.trim() === "" ? [] : [section(cutEscaped(text.trim(), TEXT_CHARS_MAX))];
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
