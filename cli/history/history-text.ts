/** A timeline for people: what happened, how long each phase held, and what functions did about it. What is in it drives no terminal. */
import { opOf, type PatchOperation, parsePointer, toDotted, valueOperations } from "#contract";
import type { Json, KnownStep } from "#kit";
import { plain, renderChange, renderOperation } from "../change-text.ts";
import { count } from "../doctor/check.ts";
import { paint } from "../terminal.ts";
import type { Hunk } from "./line-diff.ts";
import type { PhaseSpell } from "./phase.ts";
import type { Deed, Entry, Timeline } from "./timeline.ts";

/** What a step gave is cut behind so many characters; a link is not. */
const RESULT_LENGTH_MAX = 120;

/** Renders it; several lines, without a line break at the end. `shown` are the entries that were asked for. */
export function renderTimeline(
  { entries, functions }: Timeline,
  shown: readonly Entry[],
  phases: readonly PhaseSpell[],
): string {
  const [first, last] = [entries[0], entries.at(-1)];
  if (first === undefined || last === undefined) return "";
  const { kind, namespace, name, cluster, apiversion } = last.envelope;
  const title = plain(`${kind} ${namespace === undefined ? "" : `${namespace}/`}${name}`);
  return [
    `${paint("bold", title)}  ${paint("dim", plain(`${apiversion} in ${cluster}`))}`,
    ...(phases.length === 0 ? [] : [`phases: ${phases.map(spellText).join(" → ")}`]),
    paint("dim", beginningText(first, entries)),
    ...(shown.length < entries.length
      ? [paint("dim", `… ${count(entries.length - shown.length, "older event")}`)]
      : []),
    "",
    ...shown.map((entry) => entryText(entry, entry === first, functions)),
  ].join("\n");
}

/** `Running 2 h 5 min`, or since when the present one holds. */
function spellText({ phase, heldSeconds, isNow }: PhaseSpell): string {
  const held = heldSeconds === undefined ? "" : paint("dim", ` ${spanText(heldSeconds)}`);
  return isNow
    ? `${paint("bold", plain(phase ?? "none"))}${held && paint("dim", " for")}${held}`
    : `${plain(phase ?? "none")}${held}`;
}

function beginningText({ envelope, isAfterHole, sequence }: Entry, [, ...later]: readonly Entry[]): string {
  const op = opOf(envelope);
  if (isAfterHole) return `The log has no more than this: what was before #${sequence} is gone from it.`;
  if (op === "existing") return "It was there before the bridge: what was before is not known.";
  if (op !== "created") return `The log begins with #${sequence}: what was before is not known.`;
  const isWhole = later.every(({ isAfterHole, envelope: { data } }) => !isAfterHole && !data.gap);
  return isWhole ? "The log has all of it." : "The log has its creation, and not all that followed.";
}

function entryText(entry: Entry, isFirst: boolean, functions: Timeline["functions"]): string {
  const { sequence, envelope, isAfterHole, isReplacement, deeds } = entry;
  const [head = "", ...rest] = renderChange(envelope).split("\n");
  return [
    ...(isAfterHole && !isFirst
      ? [paint("magenta", "  ⋯ events are missing here: the log keeps the newest of each sort of change")]
      : []),
    ...(isReplacement ? [paint("magenta", "  ⋯ another object of this name (its uid is another one)")] : []),
    `${paint("dim", `#${sequence}  ${envelope.recordedtime.slice(0, 10)}`)} ${head}`,
    ...rest,
    ...deeds.map((deed) => deedText(deed, functions)),
  ].join("\n");
}

function deedText(deed: Deed, functions: Timeline["functions"]): string {
  const { subscription } = deed;
  const name = functions.get(subscription);
  const who = `${paint("cyan", plain(subscription))}${name === undefined || name === subscription ? "" : paint("dim", ` (${plain(name)})`)}`;
  switch (deed.type) {
    case "step":
      return `    ${paint("green", "→")} ${who}  ${stepText(deed.step)}`;
    case "incident":
      return `    ${paint("green", "→")} ${who}  incident ${deed.what}${receiptsText(deed.receipts)}`;
    case "dead-letter": {
      const { number, letter } = deed.letter;
      return `    ${paint("red", "✖")} ${who}  dead letter ${number}: ${plain(letter.reason)}`;
    }
    case "matched":
      return `    ${paint("green", "→")} ${who}  ${paint("dim", "asked for it, and left nothing to tell")}`;
    case "coming":
      return `    ${paint("yellow", "…")} ${who}  ${paint("dim", "is not through with it")}`;
    default:
      return deed satisfies never;
  }
}

function stepText({ step, state, again, result, problem, storedAtMs }: KnownStep): string {
  const when = paint("dim", new Date(storedAtMs).toISOString().slice(11, 19));
  const replayed = again === undefined ? "" : paint("dim", ` (again, run ${plain(again)})`);
  const what = { running: "begun, and not ended", unusable: `done; ${problem}`, done: valueText(result) }[state];
  return `${plain(step)}${replayed} ${when}${what && `  ${plain(what)}`}`;
}

function receiptsText(receipts: Readonly<Record<string, Json>>): string {
  const texts = Object.entries(receipts).map(([name, receipt]) => `${name} ${valueText(receipt)}`);
  return texts.length === 0 ? "" : `  ${plain(texts.join("; "))}`;
}

/** Links whole, the rest in short. */
function valueText(value: Json | undefined): string {
  if (value === undefined || value === null) return "";
  const links: string[] = [];
  const rest = JSON.stringify(value, (_, each: unknown) => {
    if (typeof each !== "string" || !/^https?:\/\/\S+$/.test(each)) return each;
    links.push(each);
    return undefined;
  }) as string | undefined;
  const text = rest === undefined || rest === "{}" ? "" : rest;
  const cut = text.length > RESULT_LENGTH_MAX ? `${text.slice(0, RESULT_LENGTH_MAX).toWellFormed()}…` : text;
  return [cut, ...links].filter(Boolean).join("  ");
}

/** The patch as `tail` has it, then the same as a unified diff of YAML. */
export function renderDifference(
  patch: readonly PatchOperation[],
  hunks: readonly Hunk[],
  [from, to]: readonly [string, string],
): string {
  const moved = patch.flatMap((operation) =>
    operation.op === "move" ? [`  ↕ ${plain(toDotted(parsePointer(operation.path)))}`] : [],
  );
  const unified = hunks.flatMap(({ fromLine, toLine, lines }) => {
    const size = (type: "removed" | "added") =>
      lines.filter((line) => line.type === "same" || line.type === type).length;
    return [
      paint("cyan", `@@ -${fromLine},${size("removed")} +${toLine},${size("added")} @@`),
      ...lines.map(({ type, text }) =>
        type === "same" ? ` ${text}` : type === "added" ? paint("green", `+${text}`) : paint("red", `-${text}`),
      ),
    ];
  });
  return [
    ...valueOperations(patch).map(renderOperation),
    ...moved,
    "",
    paint("bold", `--- ${from}`),
    paint("bold", `+++ ${to}`),
    ...unified,
  ].join("\n");
}

const UNITS = [
  [86_400, "d"],
  [3_600, "h"],
  [60, "min"],
  [1, "s"],
] as const;

/** In the two largest units of which there is any. */
export function spanText(seconds: number): string {
  const parts: string[] = [];
  let rest = Math.max(0, Math.floor(seconds));
  for (const [size, unit] of UNITS) {
    const number = Math.floor(rest / size);
    rest -= number * size;
    if (number > 0) parts.push(`${number} ${unit}`);
    else if (parts.length > 0) break;
    if (parts.length === 2) break;
  }
  return parts.length === 0 ? "0 s" : parts.join(" ");
}
