/** The measurements and verdicts as text: Markdown tables that line up on a terminal as well. */
import { PEER_NAMES, type Row, UNITS } from "./measure.ts";
import type { Summary } from "./statistics.ts";
import { type Verdict, valueFor } from "./target.ts";

/** One table a scenario: a row a measure, a column a peer, and ours divided by the floor's where both were measured. */
export function measurementTables(rows: readonly Row[], notBuilt: Readonly<Record<string, string>>): string {
  const scenarios = Map.groupBy(rows, ({ scenario }) => scenario);
  return [...scenarios].map(([scenario, each]) => `### ${scenario}\n\n${scenarioTable(each, notBuilt)}`).join("\n");
}

/** What became of each promise. */
export function verdictTable(verdicts: readonly Verdict[]): string {
  const lines = verdicts.map(({ promise, work, found, result }) => [
    promise,
    work,
    found === undefined ? "" : found.toFixed(2),
    result,
  ]);
  return markdownTable(["target", "at", "found", ""], lines);
}

/** A table with columns as wide as their widest cell. */
export function markdownTable(head: readonly string[], lines: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) =>
    Math.max(3, title.length, ...lines.map((line) => line[column]?.length ?? 0)),
  );
  const text = (line: readonly string[]) =>
    `| ${widths.map((width, column) => (line[column] ?? "").padEnd(width)).join(" | ")} |`;
  return [text(head), text(widths.map((width) => "-".repeat(width))), ...lines.map(text), ""].join("\n");
}

function scenarioTable(rows: readonly Row[], notBuilt: Readonly<Record<string, string>>): string {
  const isOfPeers = rows.some(({ cells }) => "floor" in cells || "client-node" in cells);
  const names = new Set(rows.flatMap(({ cells }) => Object.keys(cells)));
  const columns = isOfPeers ? [...PEER_NAMES] : [...names].filter((name) => name !== "us").concat("us");
  const ratio = isOfPeers ? "us/floor" : columns.length > 1 ? "us/fastest other" : undefined;
  const lines = rows.map((row) => [
    row.work,
    row.unit === "count" ? row.measure : `${row.measure}, ${row.unit}`,
    ...columns.map((name) => cellText(row, row.cells[name], name in notBuilt ? "not built" : "–")),
    ...(ratio === undefined ? [] : [ratioText(row, isOfPeers)]),
  ]);
  return markdownTable(["", "", ...columns, ...(ratio === undefined ? [] : [ratio])], lines);
}

/** The median, and in brackets the smallest and the largest where they differ from it. */
function cellText({ unit }: Row, summary: Summary | undefined, missing: string): string {
  if (summary === undefined) return missing;
  const [median, min, max] = [summary.median, summary.min, summary.max].map(UNITS[unit]);
  return min === max ? `${median}` : `${median} (${min}–${max})`;
}

function ratioText(row: Row, isOfPeers: boolean): string {
  return valueFor(row, isOfPeers ? "floor" : "fastest other")?.toFixed(2) ?? "";
}
