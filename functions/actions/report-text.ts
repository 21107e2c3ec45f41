/** A report as plain text and as HTML, for e-mail: the same words in both. */
import type { ReportBlock } from "./change-report.ts";
import { escapeText } from "./escape.ts";

/** Plain text, for clients that show no HTML. */
export function reportPlain(blocks: readonly ReportBlock[]): string {
  return blocks.map(plain).join("\n\n");
}

/** HTML without styles that a mail client would drop; every value is escaped. */
export function reportHtml(blocks: readonly ReportBlock[]): string {
  return `<div style="font-family:sans-serif">${blocks.map(html).join("")}</div>`;
}

function plain(block: ReportBlock): string {
  switch (block.type) {
    case "paragraph":
      return escapeText(block.text, "plain");
    case "quotation":
      return escapeText(block.text, "plain").replace(/^/gm, "> ");
    case "table":
      return block.rows.map(plainRow).join("\n");
    case "links":
      return block.links.map(({ text, url }) => `${oneLine(text)}: ${url}`).join("\n");
    default:
      return block satisfies never;
  }
}

function plainRow([name = "", first = "", second]: readonly string[]): string {
  const value = second === undefined || second === "" ? first : `${first} → ${second}`;
  return oneLine(value === "" ? name : `${name}: ${value}`);
}

function html(block: ReportBlock): string {
  switch (block.type) {
    case "paragraph":
      return `<p>${lines(block.text)}</p>`;
    case "quotation":
      return `<blockquote style="border-left:3px solid #ccc;margin-left:0;padding-left:8px">${lines(block.text)}</blockquote>`;
    case "table": {
      const row = (tag: string) => (cells: readonly string[]) =>
        `<tr>${cells.map((text) => `<${tag} align="left" valign="top" style="padding:2px 8px">${lines(text)}</${tag}>`).join("")}</tr>`;
      const head = block.head.some((text) => text !== "") ? row("th")(block.head) : "";
      return `<table>${head}${block.rows.map(row("td")).join("")}</table>`;
    }
    case "links":
      return `<p>${block.links.map(({ text, url }) => `<a href="${escapeText(url, "html")}">${lines(text)}</a>`).join(" · ")}</p>`;
    default:
      return block satisfies never;
  }
}

function lines(text: string): string {
  return escapeText(text, "html").replaceAll("\n", "<br>");
}

function oneLine(text: string): string {
  return escapeText(text, "plain").replace(/\s+/g, " ");
}
