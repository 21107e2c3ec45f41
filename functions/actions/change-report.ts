/**
 * What a change means as a small document without any markup: paragraphs, a quotation, two tables and links, from the summary that
 * every target shares. A ticket, a comment, an e-mail are renderings of it; each escapes all of its text for its own markup.
 */
import type { Envelope, Incident } from "#kit";
import { type ChangeSummary, type ConditionSummary, moveInWords, summarise } from "./change-summary.ts";
import { cutText } from "./cut-text.ts";
import { durationInWords } from "./duration.ts";
import { escapeText } from "./escape.ts";
import { gitOpsInWords } from "./gitops-source.ts";
import type { Surroundings } from "./kube/surroundings.ts";

/** A part of a report. All text is plain, as it stands in the object. */
export type ReportBlock =
  | { readonly type: "paragraph"; readonly text: string }
  | { readonly type: "quotation"; readonly text: string }
  | { readonly type: "table"; readonly head: readonly string[]; readonly rows: readonly (readonly string[])[] }
  | { readonly type: "links"; readonly links: readonly ReportLink[] };

/** A link with its text. */
export interface ReportLink {
  readonly text: string;
  readonly url: string;
}

/** A headline, for a title or a subject, and what stands below it. */
export interface ChangeReport {
  /** "Database prod/orders: Running → Failed" */
  readonly headline: string;
  /** Name and value of what there is to say: the phase, conditions, by whom, where, when, and what is around the object. */
  readonly facts: readonly (readonly [name: string, value: string])[];
  /** What the object says about itself. */
  readonly message: string | null;
  /** The changed fields: path, from, to. */
  readonly fields: readonly (readonly [path: string, from: string, to: string])[];
  /** How many more changed. */
  readonly fieldsMore: number;
}

/** More conditions do not move at once. */
const CONDITIONS_MAX = 8;
/** Room for what an object or a condition says: a controller may put a whole log there. */
const MESSAGE_CHARS_MAX = 2_000;
const FACT_CHARS_MAX = 600;
/** Room for a condition's type. */
const NAME_CHARS_MAX = 120;
/** A title in every tracker; the state behind a long name stays whole. */
const HEADLINE_CHARS_MAX = 300;
const STATE_CHARS_MAX = 120;

/** Reports an event, with at most `fieldsMax` changed fields. */
export function changeReport(
  event: Envelope,
  incident: Incident | undefined,
  fieldsMax: number,
  surroundings?: Surroundings,
): ChangeReport {
  const summary = summarise(event, fieldsMax);
  const manager = event.manager ?? event.data.actor?.manager;
  const gitOps = gitOpsInWords(event);
  const { phase } = summary;
  const facts: readonly (readonly [name: string, value: string])[] = [
    ...(phase?.type === "moved" ? [["Phase", moveInWords(phase.from, phase.to) + held(phase)] as const] : []),
    ...(phase?.type === "holds" ? [["Phase", `${phase.name} since ${inUtc(phase.since)}`] as const] : []),
    ...summary.conditions.slice(0, CONDITIONS_MAX).map((condition) => [condition.type, inWords(condition)] as const),
    ...(surroundings ? surroundingFacts(surroundings) : []),
    ...(incident ? [["Incident", incidentInWords(incident, event)] as const] : []),
    ...(manager ? [["Changed by", manager] as const] : []),
    ...(gitOps ? [["GitOps", gitOps] as const] : []),
    ["Cluster", event.cluster],
    ["When", inUtc(event.time) + (event.data.gap ? " (some states in between may be missing)" : "")],
  ];
  return {
    headline: headlineOf(summary),
    facts: facts.map(([name, value]) => [cutText(name, NAME_CHARS_MAX), cutText(value, FACT_CHARS_MAX)]),
    message: summary.message && cutText(summary.message, MESSAGE_CHARS_MAX),
    fields: summary.fields.map(({ path, from, to }) => [path, from ?? "(not there)", to ?? "(removed)"]),
    fieldsMore: summary.fieldsMore,
  };
}

/** The report with as many of its fields as fit into so many characters of text, and their number is told. */
export function fitReport(report: ChangeReport, charsMax: number): ChangeReport {
  const lengthOf = (cells: readonly string[]) => cells.reduce((sum, cell) => sum + cell.length, 0);
  let room = charsMax - lengthOf([report.headline, report.message ?? "", ...report.facts.flat()]);
  const fitting = report.fields.findIndex((field) => {
    room -= lengthOf(field);
    return room < 0;
  });
  if (fitting === -1) return report;
  const fieldsMore = report.fieldsMore + report.fields.length - fitting;
  return { ...report, fields: report.fields.slice(0, fitting), fieldsMore };
}

/** The report as blocks, in reading order. */
export function reportBlocks(report: ChangeReport, links: readonly ReportLink[]): ReportBlock[] {
  const { message, facts, fields, fieldsMore } = report;
  const more = fieldsMore > 0 ? [[`… and ${fieldsMore} more`, "", ""]] : [];
  return [
    ...(message === null ? [] : [{ type: "quotation", text: message } as const]),
    { type: "table", head: ["", ""], rows: facts },
    ...(fields.length + fieldsMore === 0
      ? []
      : [{ type: "table", head: ["Field", "From", "To"], rows: [...fields, ...more] } as const]),
    ...(links.length === 0 ? [] : [{ type: "links", links } as const]),
  ];
}

/** `2026-03-04 05:06:07 UTC`. Takes RFC 3339. */
export function inUtc(time: string): string {
  return `${new Date(time).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

function inWords(condition: ConditionSummary): string {
  const details = [condition.reason, condition.message].filter((text) => text !== null && text !== "");
  return [moveInWords(condition.from, condition.to) + held(condition), ...details].join(" · ");
}

/** One line that is safe in a title, where nothing is markup: a phase may be any text. */
function headlineOf({ kind, object, state }: ChangeSummary): string {
  const what = cutText(`${kind} ${object}`, HEADLINE_CHARS_MAX - STATE_CHARS_MAX - 2);
  return escapeText(`${what}: ${cutText(state, STATE_CHARS_MAX)}`.replace(/\s+/g, " "), "plain");
}

function surroundingFacts({ warnings, owned, ownedMore, incomplete }: Surroundings): [name: string, value: string][] {
  return [
    ...warnings.map(({ reason, message, count, at }, index): [string, string] => [
      `Warning ${index + 1}`,
      `${reason} (${count > 1 ? `${count} times, last ` : ""}${inUtc(at)}): ${message}`,
    ]),
    ...owned.map(({ kind, name, state }): [string, string] => [`Owns ${kind} ${name}`, state === "" ? "–" : state]),
    ...(ownedMore > 0 ? [["Owns", `… and ${ownedMore} more`] as [string, string]] : []),
    ...incomplete.map((kind): [string, string] => [`Owns ${kind}`, "… there are too many to look at all"]),
  ];
}

function held({ from, heldSeconds }: { readonly from: string | null; readonly heldSeconds: number | null }): string {
  return from === null || heldSeconds === null ? "" : ` after ${durationInWords(heldSeconds)}`;
}

function incidentInWords(incident: Incident, event: Envelope): string {
  const seconds = Math.max(0, Math.floor((Date.parse(event.time) - Date.parse(incident.openedAt)) / 1000));
  switch (incident.type) {
    case "opened":
      return `since ${inUtc(incident.openedAt)}`;
    case "updated":
      return `open for ${durationInWords(seconds)}, ${incident.updateCount} ${incident.updateCount === 1 ? "update" : "updates"}`;
    case "resolved":
      return `resolved after ${durationInWords(seconds)}`;
    default:
      return incident.type satisfies never;
  }
}
