/**
 * A report in the Atlassian Document Format, which Jira Cloud takes. Text is data in it, never markup, so nothing has to be escaped.
 * Source: developer.atlassian.com, "Atlassian Document Format".
 */
import type { ReportBlock } from "./change-report.ts";

/** A node of a document. */
export interface AdfNode {
  readonly type: string;
  readonly text?: string;
  readonly version?: 1;
  readonly marks?: readonly object[];
  readonly content?: readonly AdfNode[];
}

/** The whole document, with a small print at its end. */
export function reportAdf(blocks: readonly ReportBlock[], smallPrint?: string): AdfNode {
  const small = smallPrint ? [paragraphOf([textOf(smallPrint, { type: "subsup", attrs: { type: "sub" } })])] : [];
  return { type: "doc", version: 1, content: [...blocks.flatMap(rendered), ...small] };
}

function rendered(block: ReportBlock): AdfNode[] {
  switch (block.type) {
    case "paragraph":
      return paragraphs(block.text);
    case "quotation":
      return [{ type: "blockquote", content: paragraphs(block.text) }];
    case "table":
      return [table(block.head, block.rows)];
    case "links":
      return [{ type: "bulletList", content: block.links.map(({ text, url }) => item(text, url)) }];
    default:
      return block satisfies never;
  }
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): AdfNode {
  const row = (type: "tableHeader" | "tableCell") => (cells: readonly string[]) => ({
    type: "tableRow",
    content: cells.map((text) => ({ type, content: paragraphs(text) })),
  });
  const heads = head.some((text) => text !== "") ? [row("tableHeader")(head)] : [];
  return { type: "table", content: [...heads, ...rows.map(row("tableCell"))] };
}

function item(text: string, href: string): AdfNode {
  return { type: "listItem", content: [paragraphOf([textOf(text, { type: "link", attrs: { href } })])] };
}

/** A line each; an empty text is no text node, which Jira would refuse. */
function paragraphs(text: string): AdfNode[] {
  return text.split(/\r?\n/).map((line) => paragraphOf(line === "" ? [] : [textOf(line)]));
}

function paragraphOf(content: readonly AdfNode[]): AdfNode {
  return { type: "paragraph", content };
}

function textOf(text: string, ...marks: readonly object[]): AdfNode {
  // Control characters are not allowed in what Jira stores as XML.
  const clean = text.toWellFormed().replace(/(?!\t)\p{Cc}/gu, "\uFFFD");
  return { type: "text", text: clean, ...(marks.length > 0 && { marks }) };
}
