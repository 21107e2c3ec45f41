/**
 * Silences for people: what one is about on one line, a table of many, and what each held back. What stands in them comes from people and
 * from a cluster, so no control character gets through that would drive the terminal.
 */
import { stringify } from "yaml";
import type { HeldBackCount, Silence } from "#kit";
import { plain } from "./change-text.ts";
import { count } from "./doctor/check.ts";
import type { SilencePreview } from "./silence-preview.ts";
import type { ListedSilence } from "./silence-survey.ts";
import { paint } from "./terminal.ts";

const COLUMNS = ["ID", "STATE", "ENDS (UTC)", "HELD BACK", "WHAT"] as const;

/** One line a silence, below the names of the columns; nothing for no silences. */
export function silenceTable(listed: readonly ListedSilence[]): readonly string[] {
  if (listed.length === 0) return [];
  const rows = listed.map(({ id, state, silence, heldBack }) => [
    plain(id),
    state,
    timeText(silence?.ends ?? heldBack[0]?.ends),
    heldBackText(heldBack),
    silence === undefined ? "(of a subscriptions file)" : scopeText(silence),
  ]);
  const widths = COLUMNS.map((name, column) => Math.max(name.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[]) => cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ");
  const reasons = listed.map(({ silence }) =>
    silence === undefined ? "" : plain(`${silence.reason} (${silence.by})`),
  );
  return [
    paint("dim", `${line(COLUMNS)}  WHY`),
    ...rows.map((row, index) => `${line(row)}  ${reasons[index]}`.trimEnd()),
  ];
}

/** All about one; several lines, without a line break at the end. */
export function renderSilence({ id, state, silence, heldBack }: ListedSilence): string {
  const facts: readonly (readonly [string, string | undefined])[] = [
    ["what", silence && scopeText(silence)],
    ["why", silence && plain(silence.reason)],
    ["by", silence && plain(silence.by)],
    ["begins", silence && timeText(silence.begins)],
    ["ends", timeText(silence?.ends ?? heldBack[0]?.ends)],
    ["ended by", silence?.endedBy && plain(silence.endedBy)],
    ["summary", silence && (silence.summary ? "when it is over" : "none: what is held back is not told later")],
    ["held back", heldBackText(heldBack)],
  ];
  const shown = facts.flatMap(([name, value]) => (value === undefined ? [] : [`  ${name.padEnd(10)} ${value}`]));
  return [`${paint("bold", plain(id))} ${state}`, ...shown, ...heldBack.flatMap(countText)].join("\n");
}

/** What would have been held back, as a sentence a subscription. */
export function previewText({ subscriptions, isWhole }: SilencePreview): string {
  if (subscriptions.length === 0) return "No subscription on this NATS is concerned: is its name right?";
  const parts = subscriptions.map(({ subscription, events, heldBack }) => `${subscription} ${heldBack} of ${events}`);
  const which = isWhole ? "the last 24 hours' events" : "the first 10,000 events of the last 24 hours";
  return `Of ${which} it would have held back: ${parts.join(", ")}`;
}

/** What it is about, in the filter's own language, on one line. */
export function scopeText({ subscriptions, apiVersion, kind, cluster, when }: Silence): string {
  const said = Object.entries({ subscriptions, apiVersion, kind, cluster, ...when });
  const scope = Object.fromEntries(said.filter(([, value]) => value !== undefined));
  if (Object.keys(scope).length === 0) return "everything";
  return plain(stringify(scope, { collectionStyle: "flow", lineWidth: 0 }).trimEnd());
}

function heldBackText(heldBack: readonly HeldBackCount[]): string {
  const sum = (of: (each: HeldBackCount) => number) => heldBack.reduce((total, each) => total + of(each), 0);
  if (heldBack.length === 0) return "-";
  const untold = sum((each) => each.untold);
  const left = untold === 0 ? "" : `, ${untold} to tell`;
  return `${count(
    sum((each) => each.events),
    "event",
  )} of ${count(
    sum((each) => each.objects),
    "object",
  )}${left}`;
}

function countText({ subscription, events, objects, last }: HeldBackCount): string[] {
  const lines = last.map(({ kind, namespace, name, events: own, streamSequence, storedAt }) => {
    const object = plain(`${kind} ${namespace === "" ? "" : `${namespace}/`}${name}`);
    return `    ${paint("dim", timeText(storedAt))} ${object}, ${count(own, "event")}, the last is #${streamSequence}`;
  });
  const more = objects > last.length ? [`    … and ${objects - last.length} more`] : [];
  return [`  ${plain(subscription)}: ${count(events, "event")} of ${count(objects, "object")}`, ...lines, ...more];
}

function timeText(time: string | undefined): string {
  return time === undefined ? "-" : time.slice(0, 19).replace("T", " ");
}
