/**
 * Text that is safe where it ends up: whatever stands in an object — a name, a label, a controller's message — is shown as it is, and
 * mentions nobody, links nowhere, formats nothing. One function a target's markup; what a message's author writes does not pass here.
 * Source: docs.slack.dev, "Formatting message text"; CommonMark 0.31 section 2.4; GitHub's docs on mentions and autolinked references.
 */

/** What markup a text is put into; `url` is one part of a path or a query. */
export type Markup = "mrkdwn" | "markdown" | "html" | "plain" | "url";

/** Control characters except tab and line feed, those that reverse the direction of what follows, and Unicode's own line ends. */
const UNPRINTABLE = /(?![\t\n])[\p{Cc}\u200E\u200F\u202A-\u202E\u2028\u2029\u2066-\u2069]/gu;
const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};
/** Slack has no escape for its marks: each that could start or end formatting is shown by the character that looks like it. */
const LOOK_ALIKES: Readonly<Record<string, string>> = { "*": "∗", _: "ˍ", "~": "∼", "`": "'" };
/** A mark formats only at the edge of a word, so that MY_VAR and 2*3 stay as they are. */
const SLACK_MARK = /`|(?<![\p{L}\p{N}])[*_~]|[*_~](?![\p{L}\p{N}])/gu;
const ASCII_PUNCTUATION = /[!-/:-@[-`{-~]/g;
/** GitHub finds mentions and references in the rendered text, where a back-slash is gone: a word joiner keeps them apart. */
const WORD_JOINER = "\u2060";

/** Escapes a text; never throws. Control characters become U+FFFD, half a surrogate pair too. */
export function escapeText(text: string, markup: Markup): string {
  const printable = text.toWellFormed().replace(/\r\n?/g, "\n").replace(UNPRINTABLE, "\uFFFD");
  switch (markup) {
    case "mrkdwn":
      return escapeEntities(
        printable.replace(SLACK_MARK, (mark) => LOOK_ALIKES[mark] ?? mark),
        /[&<>]/g,
      );
    case "markdown":
      return escapeMarkdown(printable);
    case "html":
      return escapeEntities(printable, /[&<>"']/g);
    case "plain":
      return printable;
    case "url":
      // The five that encodeURIComponent leaves would end a link in Markdown, or are reserved by RFC 3986.
      return encodeURIComponent(printable).replace(
        /[!'()*]/g,
        (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
      );
    default:
      return markup satisfies never;
  }
}

/** Entities alone: for plain text in Slack, and for what stands in code type, where marks are no marks. */
export function escapeEntities(text: string, which: RegExp): string {
  return text.replace(which, (character) => ENTITIES[character] ?? character);
}

/** Blank lines and indentation go too: a value stays in the paragraph, the item or the quotation that it was put into. */
function escapeMarkdown(text: string): string {
  return (
    text
      // Each run of spaces is looked at once: a million of them must not take a million times as long.
      .replace(/(?<![\t ])[\t ]*\n\s*/g, "\n")
      .replace(/^\s+/, " ")
      .replace(ASCII_PUNCTUATION, (character) =>
        character === "@" || character === "#" ? `\\${character}${WORD_JOINER}` : `\\${character}`,
      )
      .replace(/\b(gh\\-)(?=\d)/gi, `$1${WORD_JOINER}`)
  );
}
