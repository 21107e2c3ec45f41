/**
 * An event as a Slack message: a header with what happened, the phase and how long it held, conditions, the changed fields from
 * what to what, a link, and below in small print who, where and when. Pure: the same event is always the same message. It keeps
 * Slack's limits by leaving out fields and saying how many, never by failing.
 */
import type { Envelope } from "#kit";
import {
  type ChangeSummary,
  type ConditionSummary,
  moveInWords,
  type PhaseSummary,
  summarise,
} from "./change-summary.ts";
import type { ChangedField } from "./changed-field.ts";
import { durationInWords } from "./duration.ts";
import {
  codeSpan,
  context,
  escapeMrkdwn,
  header,
  SLACK_LIMITS,
  type SlackBlock,
  type SlackMessage,
  section,
  slackDate,
  slackLink,
} from "./slack-block.ts";

/** What a subscription may choose. */
export interface SlackMessageOptions {
  /** Stands on top instead of what happened, which moves below it. */
  readonly title?: string | undefined;
  readonly link?: { readonly text: string; readonly url: string } | undefined;
  /** Changed fields that are listed, at most; the rest is counted. */
  readonly fieldsMax: number;
}

/** Room for a phase or a condition's status; Kubernetes names neither with more than a word or two. */
const STATE_CHARS_MAX = 60;
/** Room for an object's or a condition's own sentence. */
const MESSAGE_CHARS_MAX = 600;
/** A message with more lines is a stack trace: its head is enough. */
const MESSAGE_LINES_MAX = 6;
/** Conditions that are listed; kinds with more exist, but not with more that move at once. */
const CONDITIONS_MAX = 6;
/** Room for a field's path, and for each of its values, in mrkdwn. */
const SPAN_CHARS_MAX = 300;
/** A link's markup; a longer URL is left out, because it cannot be cut. */
const LINK_CHARS_MAX = 1_500;
/** Kept free for the header and the small print. */
const FRAME_CHARS = 800;
/** Fields that the fallback text names: it is read on a lock screen. */
const FALLBACK_FIELDS = 3;
/** Room for them; with title, headline and message the whole stays below SLACK_LIMITS.fallbackCharsMax. */
const FALLBACK_TABLE_CHARS_MAX = 2_000;

/** Renders the event. */
export function slackMessage(event: Envelope, options: SlackMessageOptions): SlackMessage {
  const summary = summarise(event, options.fieldsMax);
  const { headline, isWhole } = headlineOf(summary);
  const facts = [
    ...(options.title ? [`*${headline}*`] : []),
    ...(isWhole
      ? []
      : [`*${escapeMrkdwn(summary.kind, STATE_CHARS_MAX * 2)}* ${codeSpan(summary.object, SPAN_CHARS_MAX * 2)}`]),
    ...(summary.phase ? [phaseLine(summary.phase)] : []),
    ...(summary.message ? [quoted(summary.message)] : []),
    ...conditionLines(summary.conditions),
  ];
  const link = options.link ? linkLine(options.link) : [];
  const room = SLACK_LIMITS.messageCharsMax - FRAME_CHARS - lengthOf([...facts, ...link]);
  const title = options.title && escapeMrkdwn(options.title, SLACK_LIMITS.headerCharsMax);
  return {
    text: fallback(summary, title ? `${title}: ${headline}` : headline),
    blocks: [
      header(title || headline),
      ...paragraphs(facts),
      ...paragraphs(fieldLines(summary, room)),
      ...paragraphs(link),
      context(originLine(event)),
      ...(event.data.gap ? [context(":warning: some intermediate states may be missing")] : []),
    ],
  };
}

/** "Database prod/orders: Running → Failed". The state stays whole: of a name that is too long, the object gives way. */
function headlineOf(summary: ChangeSummary): { headline: string; isWhole: boolean } {
  const state = escapeMrkdwn(summary.state, STATE_CHARS_MAX);
  const whole = escapeMrkdwn(`${summary.kind} ${summary.object}`, Number.MAX_SAFE_INTEGER);
  const object = escapeMrkdwn(`${summary.kind} ${summary.object}`, SLACK_LIMITS.headerCharsMax - state.length - 2);
  return { headline: `${object}: ${state}`.replaceAll("\n", " "), isWhole: object === whole };
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
  return more > 0 ? [...lines, `…and ${more} more conditions`] : lines;
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

/** The table of fields, as far as there is room in characters. */
function fieldLines(summary: ChangeSummary, charsMax: number): string[] {
  if (summary.fields.length + summary.fieldsMore === 0) return [];
  const lines: string[] = [];
  let room = charsMax;
  for (const field of summary.fields) {
    const line = fieldLine(field);
    room -= line.length + 1;
    if (room < 0) break;
    lines.push(line);
  }
  const more = summary.fields.length - lines.length + summary.fieldsMore;
  if (more > 0) lines.push(lines.length === 0 ? `${more} fields changed` : `…and ${more} more`);
  return lines;
}

function fieldLine({ path, from, to }: ChangedField): string {
  const name = codeSpan(path, SPAN_CHARS_MAX);
  if (from === null) return `• ${name} set to ${codeSpan(to ?? "", SPAN_CHARS_MAX)}`;
  if (to === null) return `• ${name} removed, was ${codeSpan(from, SPAN_CHARS_MAX)}`;
  return `• ${name} ${codeSpan(from, SPAN_CHARS_MAX)} → ${codeSpan(to, SPAN_CHARS_MAX)}`;
}

function linkLine({ url, text }: { url: string; text: string }): string[] {
  const link = slackLink(url, text);
  return link.length <= LINK_CHARS_MAX ? [link] : [];
}

function originLine(event: Envelope): string {
  const manager = event.manager ?? event.data.actor?.manager;
  return [
    ...(manager ? [`by ${codeSpan(manager, STATE_CHARS_MAX * 2)}`] : []),
    `cluster ${codeSpan(event.cluster, STATE_CHARS_MAX * 2)}`,
    slackDate(event.time),
  ].join(" · ");
}

/** Lines as paragraphs, each as full as a section may be. No line is longer than that by itself. */
function paragraphs(lines: readonly string[]): SlackBlock[] {
  const texts: string[] = [];
  for (const line of lines) {
    const last = texts.at(-1);
    if (last !== undefined && last.length + 1 + line.length <= SLACK_LIMITS.textCharsMax) {
      texts[texts.length - 1] = `${last}\n${line}`;
    } else {
      texts.push(line);
    }
  }
  return texts.map(section);
}

function lengthOf(lines: readonly string[]): number {
  return lines.reduce((sum, line) => sum + line.length + 1, 0);
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
  const table = fields.length === 0 ? "" : fields.join(", ") + (more > 0 ? `, and ${more} more` : "");
  const details = [escapeMrkdwn(message ?? "", MESSAGE_CHARS_MAX), escapeMrkdwn(table, FALLBACK_TABLE_CHARS_MAX)];
  return [`${headline}${moved}`, ...details.filter((detail) => detail !== "")].join(" · ").replaceAll("\n", " ");
}
