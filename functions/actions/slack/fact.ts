/**
 * The facts of an event as lines of a Slack message: the phase and how long it held, conditions, the object's own sentence, what is
 * known of its incident, and in small print who, where and when.
 */
import type { Envelope, Incident } from "#kit";
import type { ChangeSummary, ConditionSummary, PhaseSummary } from "../change-summary.ts";
import { durationInWords } from "../duration.ts";
import { gitOpsInWords } from "../gitops-source.ts";
import { codeSpan, context, escapeMrkdwn, type SlackBlock, slackDate } from "./block.ts";

/** What a message says about the incident that its event belongs to. */
export interface IncidentNote extends Pick<Incident, "type" | "openedAt" | "updateCount"> {
  /** Whether it is the thread's first message, or one below it. */
  readonly place: "first" | "reply";
  /** What happened when it was opened: "Running → Failed". */
  readonly opened?: string | undefined;
  /** The thread's first message could not be found, and this one takes its place. */
  readonly isSubstitute?: boolean;
}

/** Room for a phase or a condition's status; Kubernetes names neither with more than a word or two. */
export const STATE_CHARS_MAX = 60;
/** Room for an object's or a condition's own sentence. */
export const MESSAGE_CHARS_MAX = 600;
/** A message with more lines is a stack trace: its head is enough. */
const MESSAGE_LINES_MAX = 6;
/** Conditions that are listed; kinds with more exist, but not with more that move at once. */
export const CONDITIONS_MAX = 6;
/** Room for the object's name in the body. */
const NAME_CHARS_MAX = 600;

/** What is known of the object now: phase, sentence, and of its conditions so many. */
export function factLines({ phase, message, conditions }: ChangeSummary, conditionsMax: number): string[] {
  return [
    ...(phase ? [phaseLine(phase)] : []),
    ...(message ? [quoted(message)] : []),
    ...conditionLines(conditions, conditionsMax),
  ];
}

/** The object's name in full, for where the header had no room. */
export function nameLine(summary: ChangeSummary): string {
  return `*${escapeMrkdwn(summary.kind, STATE_CHARS_MAX * 2)}* ${codeSpan(summary.object, NAME_CHARS_MAX)}`;
}

/** What an incident's message says about it. */
export function incidentLines(incident: IncidentNote, event: Envelope): string[] {
  const lost = incident.isSubstitute
    ? ["_The first message of this incident could not be found: this one takes its place._"]
    : [];
  const since = `open since ${slackDate(incident.openedAt)}`;
  const opened = incident.opened ? ` (${codeSpan(incident.opened, STATE_CHARS_MAX * 2)})` : "";
  const updates =
    incident.updateCount > 0 ? ` · ${incident.updateCount} ${incident.updateCount === 1 ? "update" : "updates"}` : "";
  switch (incident.type) {
    case "opened":
      return lost;
    case "updated":
      return incident.place === "first" ? [...lost, `*Incident* ${since}${opened}${updates}`] : lost;
    case "resolved":
      return [...lost, `*Resolved* after ${openFor(incident, event)} · ${since}${opened}${updates}`];
    default:
      return incident.type satisfies never;
  }
}

function openFor(incident: IncidentNote, event: Envelope): string {
  return durationInWords(Math.max(0, Math.floor((Date.parse(event.time) - Date.parse(incident.openedAt)) / 1000)));
}

function phaseLine(phase: PhaseSummary): string {
  switch (phase.type) {
    case "moved":
      return `*Phase* ${move(phase)}${held(phase)}`;
    case "holds":
      return `*Phase* ${codeSpan(phase.name, STATE_CHARS_MAX)} since ${slackDate(phase.since)}`;
    default:
      return phase satisfies never;
  }
}

function conditionLines(conditions: readonly ConditionSummary[], conditionsMax: number): string[] {
  const lines = conditions.slice(0, conditionsMax).map((condition) => {
    const type = escapeMrkdwn(condition.type, STATE_CHARS_MAX);
    const reason = condition.reason ? ` · ${escapeMrkdwn(condition.reason, STATE_CHARS_MAX * 2)}` : "";
    const message = condition.message ? `\n${quoted(condition.message)}` : "";
    return `*${type}* ${move(condition)}${held(condition)}${reason}${message}`;
  });
  const more = conditions.length - lines.length;
  return more > 0 ? [...lines, `… and ${more} more conditions`] : lines;
}

function move({ from, to }: { from: string | null; to: string | null }): string {
  const now = to === null ? "none" : codeSpan(to, STATE_CHARS_MAX);
  return from === null ? now : `${codeSpan(from, STATE_CHARS_MAX)} → ${now}`;
}

/** " after 2 h 15 m", or nothing. */
export function held({ from, heldSeconds }: { from: string | null; heldSeconds: number | null }): string {
  return from === null || heldSeconds === null ? "" : ` after ${durationInWords(heldSeconds)}`;
}

function quoted(message: string): string {
  const lines = escapeMrkdwn(message.trim(), MESSAGE_CHARS_MAX).split("\n");
  const shown = lines.slice(0, MESSAGE_LINES_MAX).map((line) => `> ${line}`);
  return [...shown, ...(lines.length > MESSAGE_LINES_MAX ? ["> …"] : [])].join("\n");
}

/** Who, where and when, and whether something may be missing. */
export function smallPrint(event: Envelope, incident: IncidentNote | undefined): SlackBlock[] {
  const manager = event.manager ?? event.data.actor?.manager;
  const gitOps = gitOpsInWords(event);
  const update = incident?.place === "reply" && incident.type === "updated" ? [`update ${incident.updateCount}`] : [];
  const line = [
    ...update,
    ...(manager ? [`by ${codeSpan(manager, STATE_CHARS_MAX * 2)}`] : []),
    ...(gitOps ? [escapeMrkdwn(gitOps, STATE_CHARS_MAX * 4)] : []),
    `cluster ${codeSpan(event.cluster, STATE_CHARS_MAX * 2)}`,
    slackDate(event.time),
  ].join(" · ");
  return [context(line), ...(event.data.gap ? [context(":warning: some intermediate states may be missing")] : [])];
}
