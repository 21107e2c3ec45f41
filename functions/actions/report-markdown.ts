/** A report in GitHub Flavored Markdown, which GitLab reads too. Source: github.github.com/gfm. */
import type { ReportBlock } from "./change-report.ts";
import { escapeText } from "./escape.ts";

/** Renders the blocks. Nothing in them can mention anybody, close another issue, or leave its cell. */
export function reportMarkdown(blocks: readonly ReportBlock[]): string {
  return blocks.map(rendered).join("\n\n");
}

function rendered(block: ReportBlock): string {
  switch (block.type) {
    case "paragraph":
      return escapeText(block.text, "markdown");
    case "quotation":
      return escapeText(block.text.trim(), "markdown").replace(/^/gm, "> ");
    case "table":
      return [row(block.head), `|${" --- |".repeat(block.head.length)}`, ...block.rows.map(row)].join("\n");
    case "links":
      return block.links
        .map(({ text, url }) => `- [${line(text)}](<${url.replace(/[<>\s\\]/g, encodeURIComponent)}>)`)
        .join("\n");
    default:
      return block satisfies never;
  }
}

function row(cells: readonly string[]): string {
  return `| ${cells.map(line).join(" | ")} |`;
}

function line(text: string): string {
  return escapeText(text, "markdown").replaceAll("\n", " ");
}
