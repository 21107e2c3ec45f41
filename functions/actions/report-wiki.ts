/**
 * A report in Jira's wiki markup, which Jira Server and Data Center take. Every mark in a value is escaped, so that it formats nothing,
 * mentions nobody and stays in its cell. Source: a Jira's own help page, "Text Formatting Notation".
 */
import type { ReportBlock } from "./change-report.ts";

/** Renders the blocks. */
export function reportWiki(blocks: readonly ReportBlock[]): string {
  return blocks.map(rendered).join("\n\n");
}

/** Makes any text safe: it is shown as it is. A word joiner ends what looks like an issue's key or an address. */
function escapeWiki(text: string): string {
  return text
    .toWellFormed()
    .replace(/\r\n?/g, "\n")
    .replace(/(?![\t\n])\p{Cc}/gu, "\uFFFD")
    .replace(/[\\{}[\]|*_?+^~!#@-]/g, "\\$&")
    .replace(/^(?=h[1-6]\.|bq\.)/gm, "\u2060")
    .replaceAll("://", ":\u2060//");
}

function rendered(block: ReportBlock): string {
  switch (block.type) {
    case "paragraph":
      return escapeWiki(block.text);
    case "quotation":
      return `{quote}\n${escapeWiki(block.text)}\n{quote}`;
    case "table": {
      const heads = block.head.some((text) => text !== "") ? [`||${block.head.map(cell).join("||")}||`] : [];
      return [...heads, ...block.rows.map((row) => `|${row.map(cell).join("|")}|`)].join("\n");
    }
    case "links":
      return block.links
        .map(({ text, url }) => `* [${cell(text)}|${url.replace(/[|\]{}\s]/g, encodeURIComponent)}]`)
        .join("\n");
    default:
      return block satisfies never;
  }
}

/** An empty cell would join its neighbours, and a line break would end the row. */
function cell(text: string): string {
  return text === "" ? " " : escapeWiki(text).replaceAll("\n", " ");
}
