/** What `explain` found, as text: the filter, what NATS decides of it, what is mistaken, and why events matched or did not. */
import { stringify } from "yaml";
import type { Explanation, Plan, Selection } from "#kit";
import { plain, renderChange } from "./change-text.ts";
import type { ExplainedEvent, Scan } from "./explain-events.ts";
import type { ExplainedSilence } from "./explain-silences.ts";
import { paint } from "./terminal.ts";

/** All that there is to say about one subscription. */
export interface Explained {
  readonly name: string;
  readonly functionName: string;
  readonly selection: Selection;
  readonly plan: Plan;
  /** When the function is called for what matches; `undefined`: at once. */
  readonly called: string | undefined;
  readonly schema: {
    /** Those whose schemas were asked. */
    readonly clusters: readonly string[];
    readonly mistakes: readonly string[];
    /** Why it was not checked. */
    readonly problem?: string;
  };
  /** In front of it now. */
  readonly silences: readonly ExplainedSilence[];
  /** Why the log was not asked. */
  readonly nats?: string;
  readonly scan?: Scan;
  readonly event?: ExplainedEvent;
}

/** Longer lists of subjects are for machines. */
const SUBJECTS_SHOWN_MAX = 10;

/** Renders everything; without a line break at the end. */
export function renderExplained(explained: Explained): string {
  const { name, functionName, selection, plan, called, schema, silences, nats, scan, event } = explained;
  const title = `${paint("bold", name)}${name === functionName ? "" : ` ${paint("dim", `runs ${functionName}`)}`}`;
  const sections = [
    title,
    section("Filter", indented(stringify(selection).trimEnd())),
    section("NATS decides", planText(plan)),
    ...(called === undefined ? [] : [section("The function is called", `  ${called}`)]),
    section("Schema", schemaText(schema)),
    ...(silences.length === 0 ? [] : [section("Silences", silences.map(silenceText).join("\n"))]),
    ...(nats === undefined ? [] : [paint("yellow", nats)]),
    ...(scan === undefined ? [] : [scanText(scan, selection.when !== undefined)]),
    ...(event === undefined ? [] : [eventText(event, selection.when !== undefined)]),
  ];
  return sections.join("\n\n");
}

function section(title: string, text: string): string {
  return `${paint("bold", title)}\n${text}`;
}

function planText({ subjects, exact, remainder }: Explained["plan"]): string {
  if (subjects.length === 0)
    return `  ${paint("red", "✖")} nothing: its parts exclude each other, so no event can ever match`;
  const shown = subjects.slice(0, SUBJECTS_SHOWN_MAX).map((subject) => `  ${subject}`);
  const more =
    subjects.length > SUBJECTS_SHOWN_MAX
      ? [`  … and ${subjects.length - SUBJECTS_SHOWN_MAX} more (--json has all)`]
      : [];
  const left =
    remainder === undefined
      ? [exact ? "  all of it: what comes through matches" : "  The whole filter is checked again in the process"]
      : ["  and the process decides:", indented(indented(stringify(remainder).trimEnd()))];
  return [...shown, ...more, ...left].join("\n");
}

function schemaText({ clusters, mistakes, problem }: Explained["schema"]): string {
  if (problem !== undefined) return `  ${paint("yellow", "!")} not checked: ${plain(problem)}`;
  const where = clusters.length === 1 ? `the cluster ${clusters[0]}` : `the clusters ${clusters.join(", ")}`;
  if (mistakes.length === 0)
    return `  ${paint("green", "✔")} nothing is mistaken, as ${where} ${clusters.length === 1 ? "has" : "have"} the kind`;
  return mistakes.map((mistake) => `  ${paint("red", "✖")} ${plain(mistake)}`).join("\n");
}

const SILENCE_TEXTS = {
  on: "holds its events back now, those that it is about",
  off: "is not on now",
  depends: "holds back where an annotation or a label says so",
} as const;

function silenceText({ id, state, reason, problem }: ExplainedSilence): string {
  const mark = problem !== undefined || state === "on" ? paint("yellow", "!") : paint("green", "✔");
  const why = reason === undefined ? "" : paint("dim", `: ${plain(reason)}`);
  return `  ${mark} ${plain(id)} ${problem === undefined ? SILENCE_TEXTS[state] : plain(problem)}${why}`;
}

function scanText({ scanned, isWhole, matched, events }: Scan, hasFilter: boolean): string {
  const which = isWhole ? `all ${scanned} events of the kind` : `the newest ${scanned} events of the kind`;
  const head = `${paint("bold", "Events")} ${paint("dim", `${matched} of ${which} match`)}`;
  if (scanned === 0) return `${head}\n  there is none in the log`;
  return [head, ...events.map((event) => eventText(event, hasFilter))].join("\n");
}

/** One event: what happened, and under it what was asked and found. */
function eventText({ sequence, envelope, isMatch, explanation }: ExplainedEvent, hasFilter: boolean): string {
  const [head = ""] = renderChange(envelope).split("\n");
  const mark = isMatch ? paint("green", "✔") : paint("red", "✖");
  const parts =
    explanation.type === "any" // when and resolve
      ? explanation.parts.map((part) => ({ ...part, parts: tellingParts(part, true) }))
      : tellingParts(explanation, hasFilter);
  return [`${mark} ${paint("dim", `#${sequence}`)} ${head}`, ...parts.map((part) => tree(part, 2))].join("\n");
}

/** The kind and the like are worth a line only when they are why. */
function tellingParts({ parts }: Explanation, hasFilter: boolean): readonly Explanation[] {
  return parts.filter(({ holds }, index) => holds !== true || (hasFilter && index === parts.length - 1));
}

function tree({ type, holds, wanted, found, parts }: Explanation, level: number): string {
  const mark = holds === true ? paint("green", "✔") : holds === false ? paint("red", "✖") : paint("yellow", "?");
  const text = type === "clause" ? `${plain(wanted)}${found === "" ? "" : paint("dim", `: ${plain(found)}`)}` : wanted;
  return [`${"  ".repeat(level)}${mark} ${text}`, ...parts.map((part) => tree(part, level + 1))].join("\n");
}

function indented(text: string): string {
  return text.replaceAll(/^/gm, "  ");
}
