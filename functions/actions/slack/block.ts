/**
 * What a Slack message is made of, as far as we use it: Block Kit's blocks, their limits, and text that is safe in them. Every
 * value is escaped, so that nothing in an object can ping a channel, forge a link or break a limit; text is `verbatim`, so that Slack
 * finds no mentions in it on its own.
 * Source: docs.slack.dev, "Block Kit blocks", "Text object", "Table block", "Formatting message text"; the types are Slack's own.
 */
import type {
  ContextBlock,
  HeaderBlock,
  MessageAttachment,
  MrkdwnElement,
  RichTextBlock,
  SectionBlock,
  TableBlock,
} from "@slack/types";
import { cutEscaped } from "../cut-text.ts";
import { escapeEntities, escapeText } from "../escape.ts";

/** A paragraph; Slack's own has other forms too. */
interface Paragraph extends SectionBlock {
  text: MrkdwnElement;
}
/** Small print. */
interface SmallPrint extends ContextBlock {
  elements: MrkdwnElement[];
}

/** One block of a message. */
export type SlackBlock = HeaderBlock | Paragraph | SmallPrint | TableBlock;

/** The part of a message beside the coloured bar. */
export interface SlackAttachment extends Pick<MessageAttachment, "fallback"> {
  /** Green for what is over, red for what is not; left out: grey. */
  readonly color?: "good" | "danger";
  readonly blocks: SlackBlock[];
}

/** A message: `text` is what notifications and screen readers get. */
export interface SlackMessage {
  readonly text: string;
  readonly blocks: readonly SlackBlock[];
  /** At most one: what it is all about, in detail. */
  readonly attachments: readonly SlackAttachment[];
}

/** Renders a message with its changed fields as a table, or as lines for a Slack that refuses the table. */
export type MessageMaker = (fields: "table" | "lines") => SlackMessage;

/** Slack's limits, in characters after escaping, and where we stay below them. */
export const SLACK_LIMITS = {
  /** Blocks of a message. */
  blocksMax: 50,
  /** A text object of a section or a context; longer is `invalid_blocks`. */
  textCharsMax: 3_000,
  /** A header's text. */
  headerCharsMax: 150,
  /** The fallback text: cut by Slack at 40,000, refused from about 4,000 on as `msg_too_long` by some methods. */
  fallbackCharsMax: 3_900,
  /** Rows of a table, its header included. */
  tableRowsMax: 100,
  /** The message as JSON: undocumented; `msg_blocks_too_long` was seen from 11,300 on (slackapi/bolt-js issues 2509, 2867). */
  messageCharsMax: 10_500,
} as const;

/** The large line on top; cut at its limit. Takes text that is escaped. */
export function header(text: string): HeaderBlock {
  return {
    type: "header",
    text: { type: "plain_text", text: cutEscaped(text, SLACK_LIMITS.headerCharsMax), emoji: false },
  };
}

/** A paragraph. Takes mrkdwn within the limit: cutting it here could cut its markup. */
export function section(text: string): Paragraph {
  return { type: "section", text: { type: "mrkdwn", text, verbatim: true } };
}

/** A line of small print. Takes mrkdwn within the limit. */
export function context(text: string): SmallPrint {
  return { type: "context", elements: [{ type: "mrkdwn", text, verbatim: true }] };
}

/** A table of plain cells, the first row in bold. Nothing in a cell is markup. At least one row, at most 100. */
export function table(rows: readonly (readonly string[])[]): TableBlock {
  return {
    type: "table",
    column_settings: [{ is_wrapped: true }, { is_wrapped: true }, { is_wrapped: true }],
    rows: rows.map((cells, index) => cells.map((text) => cell(text, index === 0))),
  };
}

/** Rich text, because Slack was seen to refuse the documented `raw_text` (soxtoby/SlackNet issue 246); it must not be empty. */
function cell(text: string, bold: boolean): RichTextBlock {
  const shown = text.trim() === "" ? "—" : text;
  const element = { type: "text" as const, text: shown, ...(bold && { style: { bold } }) };
  return { type: "rich_text", elements: [{ type: "rich_text_section", elements: [element] }] };
}

/**
 * What of a text can be shown in so many characters: an object's may have a million. Escaping makes a text longer, or at most half as long,
 * where line breaks were two characters.
 */
function head(text: string, charsMax: number): string {
  return text.slice(0, charsMax * 2 + 2);
}

/** Makes any text safe: it is shown as it is and triggers nothing. Cut with "…" at `charsMax`, counted as Slack does. */
export function escapeMrkdwn(text: string, charsMax: number): string {
  return cutEscaped(escapeText(head(text, charsMax), "mrkdwn"), charsMax);
}

/** For plain text, where marks are no marks, but Slack decodes `&amp;`, `&lt;` and `&gt;` all the same. */
export function escapePlain(text: string, charsMax: number): string {
  return cutEscaped(
    escapeEntities(escapeText(head(text, charsMax), "plain").replaceAll("\n", " "), /[&<>]/g),
    charsMax,
  );
}

/** A value in code type, on one line; back-ticks, which would end it, become apostrophes. */
export function codeSpan(text: string, charsMax: number): string {
  const line = head(text, charsMax)
    .replaceAll("`", "'")
    .replace(/\r?\n|\r/g, "⏎");
  return `\`${cutEscaped(escapeEntities(escapeText(line, "plain"), /[&<>]/g), charsMax - 2)}\``;
}

/** A time that Slack shows in the reader's own time zone; old clients get it in UTC. Takes RFC 3339. */
export function slackDate(time: string): string {
  const at = new Date(time);
  const utc = `${at.toISOString().slice(0, 19).replace("T", " ")} UTC`;
  return `<!date^${Math.floor(at.getTime() / 1000)}^{date_short_pretty} {time_secs}|${utc}>`;
}

/**
 * A link, as long as its URL is. It is not a button, because Slack puts a warning beside one when no app answers the click
 * (slackapi/node-slack-sdk issue 869).
 */
export function slackLink(url: string, text: string): string {
  const target = escapeEntities(url.replaceAll("|", "%7C"), /[&<>]/g);
  return `<${target}|${escapeMrkdwn(text.replaceAll("\n", " "), SLACK_LIMITS.headerCharsMax)}>`;
}

/** Lines as paragraphs, each as full as a section may be. No line is longer than that by itself. */
export function paragraphs(lines: readonly string[]): Paragraph[] {
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
