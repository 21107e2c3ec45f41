/**
 * The changed fields of an event in a Slack message: a table of field, before and after where it fits, else a list of lines as far as
 * there is room; what is left out is counted.
 */
import type { ChangeSummary } from "../change-summary.ts";
import type { ChangedField } from "../changed-field.ts";
import { cutText } from "../cut-text.ts";
import { escapeText } from "../escape.ts";
import { codeSpan, paragraphs, type SlackBlock, section, table } from "./block.ts";

/** Room for a field's path, and for each of its values, in mrkdwn. */
const SPAN_CHARS_MAX = 300;
/** Room in a cell, which needs no escaping. */
const CELL_CHARS_MAX = 200;
/** What a section's JSON has beside its text. */
const SECTION_CHARS = 100;

/** The fields as blocks whose JSON has at most `charsMax` characters. None when no field changed. */
export function fieldBlocks(summary: ChangeSummary, as: "table" | "lines", charsMax: number): SlackBlock[] {
  const { fields, fieldsMore } = summary;
  if (fields.length + fieldsMore === 0) return [];
  if (as === "table" && fields.length > 0) {
    const blocks = [fieldTable(fields), ...(fieldsMore > 0 ? [section(`… and ${fieldsMore} more`)] : [])];
    if (JSON.stringify(blocks).length <= charsMax) return blocks;
  }
  return paragraphs(fieldLines(summary, charsMax));
}

function fieldTable(fields: readonly ChangedField[]): SlackBlock {
  const rows = fields.map(({ path, from, to }) => [path, from ?? "", to ?? ""].map(cellText));
  return table([["Field", "Before", "After"], ...rows]);
}

function cellText(text: string): string {
  return cutText(escapeText(text, "plain").replaceAll("\n", "⏎"), CELL_CHARS_MAX);
}

function fieldLines(summary: ChangeSummary, charsMax: number): string[] {
  const lines: string[] = [];
  // Each section that is begun costs its frame; the last line needs room too.
  let room = charsMax - SECTION_CHARS * 2;
  for (const field of summary.fields) {
    const line = fieldLine(field);
    room -= JSON.stringify(line).length + Math.ceil((line.length * SECTION_CHARS) / 1_000);
    if (room < 0) break;
    lines.push(line);
  }
  const more = summary.fields.length - lines.length + summary.fieldsMore;
  if (more > 0) lines.push(lines.length === 0 ? `${more} fields changed` : `… and ${more} more`);
  return lines;
}

function fieldLine({ path, from, to }: ChangedField): string {
  const name = codeSpan(path, SPAN_CHARS_MAX);
  if (from === null) return `• ${name} set to ${codeSpan(to ?? "", SPAN_CHARS_MAX)}`;
  if (to === null) return `• ${name} removed, was ${codeSpan(from, SPAN_CHARS_MAX)}`;
  return `• ${name} ${codeSpan(from, SPAN_CHARS_MAX)} → ${codeSpan(to, SPAN_CHARS_MAX)}`;
}
