/**
 * What a Slack message is made of, as far as we use it: Block Kit's blocks, their limits, and text that is safe in them. Every
 * value passes `escapeMrkdwn` or `codeSpan`, so that nothing in an object can ping a channel, forge a link or break a limit; text
 * is `verbatim`, so that Slack finds no mentions in it on its own.
 * Source: docs.slack.dev, "Block Kit blocks", "Text object", "Formatting message text".
 */

/** Text without markup. Slack decodes `&amp;`, `&lt;` and `&gt;` in it too. */
export interface PlainText {
  readonly type: "plain_text";
  readonly text: string;
  readonly emoji: false;
}

/** Text in Slack's own markup. */
export interface Mrkdwn {
  readonly type: "mrkdwn";
  readonly text: string;
  readonly verbatim: true;
}

/** One block of a message. */
export type SlackBlock =
  | { readonly type: "header"; readonly text: PlainText }
  | { readonly type: "section"; readonly text: Mrkdwn }
  | { readonly type: "context"; readonly elements: readonly Mrkdwn[] };

/** A message: `text` is what notifications and screen readers get. */
export interface SlackMessage {
  readonly text: string;
  readonly blocks: readonly SlackBlock[];
}

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
  /** All text of a message: undocumented; `msg_blocks_too_long` was seen from 11,300 on (slackapi/bolt-js issues 2509, 2867). */
  messageCharsMax: 9_000,
} as const;

const ENTITIES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;" };
/** Control characters except tab and line feed, and those that reverse the direction of what follows. */
const UNPRINTABLE = /(?![\t\n])[\p{Cc}\u202A-\u202E\u2066-\u2069]/gu;
/** What a cut can leave at the end: half a surrogate pair, or half an entity. */
const HALF_AT_THE_END = /[\uD800-\uDBFF]$|&[a-z]*$/;

/** The large line on top; cut at its limit. Takes text that is escaped. */
export function header(text: string): SlackBlock {
  return { type: "header", text: { type: "plain_text", text: cut(text, SLACK_LIMITS.headerCharsMax), emoji: false } };
}

/** A paragraph. Takes mrkdwn within the limit: cutting it here could cut its markup. */
export function section(text: string): SlackBlock {
  return { type: "section", text: { type: "mrkdwn", text, verbatim: true } };
}

/** A line of small print. Takes mrkdwn within the limit. */
export function context(text: string): SlackBlock {
  return { type: "context", elements: [{ type: "mrkdwn", text, verbatim: true }] };
}

/** Makes any text safe: it is shown as it is and triggers nothing. Cut with "…" at `charsMax`, counted as Slack does. */
export function escapeMrkdwn(text: string, charsMax: number): string {
  const printable = text.toWellFormed().replaceAll("\r\n", "\n").replace(UNPRINTABLE, "\uFFFD");
  return cut(
    printable.replace(/[&<>]/g, (character) => ENTITIES[character] ?? character),
    charsMax,
  );
}

/** A value in code type, on one line; back-ticks, which would end it, become apostrophes. */
export function codeSpan(text: string, charsMax: number): string {
  const line = text.replaceAll("`", "'").replace(/\r?\n/g, "⏎");
  return `\`${escapeMrkdwn(line, charsMax - 2)}\``;
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
  const target = escapeMrkdwn(url.replaceAll("|", "%7C"), Number.MAX_SAFE_INTEGER);
  return `<${target}|${escapeMrkdwn(text.replaceAll("\n", " "), SLACK_LIMITS.headerCharsMax)}>`;
}

function cut(text: string, charsMax: number): string {
  return text.length <= charsMax ? text : `${text.slice(0, charsMax - 1).replace(HALF_AT_THE_END, "")}…`;
}
