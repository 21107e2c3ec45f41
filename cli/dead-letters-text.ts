/**
 * Dead letters for people: a table of many, and everything about one. What stands in them comes from a cluster and from receivers, so no
 * control character gets through that would drive the terminal.
 */
import { DEAD_LETTERS_STREAM, type Envelope, EVENTS_STREAM } from "#contract";
import type { KeptStep, StoredLetter } from "#kit";
import { plain, renderChange } from "./change-text.ts";
import { objectOf } from "./dead-letters-selection.ts";
import { paint } from "./terminal.ts";

/** What `show` tells of a letter beside itself. */
export interface LetterStory {
  readonly event?: Envelope;
  /** Why there is no event to show. */
  readonly problem?: string;
  readonly steps: readonly KeptStep[];
  /** Whether another try is ordered. */
  readonly isOrdered: boolean;
}

/** Where there is no terminal whose width could be kept to. */
const WIDTH_DEFAULT = 160;
const COLUMNS = ["ID", "WHEN (UTC)", "SUBSCRIPTION", "OBJECT", "TRIES"] as const;
/** A reason of less room than this says nothing: the line is longer then. */
const REASON_WIDTH_MIN = 30;

/** One line a letter, below the names of the columns; nothing for no letters. */
export function letterTable(letters: readonly StoredLetter[]): readonly string[] {
  if (letters.length === 0) return [];
  const rows = letters.map((each) => [
    String(each.number),
    timeText(each.storedAtMs),
    plain(each.letter.subscription),
    objectText(each),
    String(each.letter.attempts),
  ]);
  const widths = COLUMNS.map((name, column) => Math.max(name.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[]) => cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ");
  const taken = widths.reduce((sum, width) => sum + width + 2, 0);
  const room = Math.max(REASON_WIDTH_MIN, (process.stdout.columns ?? WIDTH_DEFAULT) - taken);
  return [
    paint("dim", `${line(COLUMNS)}  REASON`),
    ...rows.map((row, index) => `${line(row)}  ${cut(plain(letters[index]?.letter.reason ?? ""), room)}`),
  ];
}

/** All about one letter; several lines, without a line break at the end. */
export function renderLetter(stored: StoredLetter, { event, problem = "", steps, isOrdered }: LetterStory): string {
  const { number, storedAtMs, letter } = stored;
  const facts: readonly (readonly [string, string | undefined])[] = [
    ["subscription", `${letter.subscription} (function ${letter.function})`],
    ["reason", `${letter.error === undefined ? "" : `${letter.error}: `}${letter.reason}`],
    ["caused by", letter.causes],
    ["tried", triesText(letter.attempts, letter.firstTriedAt, letter.lastTriedAt)],
    ["steps", steps.length === 0 ? undefined : stepsText(steps)],
    ["retry of", letter.retryOf === undefined ? undefined : `dead letter ${letter.retryOf}`],
    ["replay", letter.replay && `run ${letter.replay}${letter.again ? ", which runs the steps once more" : ""}`],
    ["retry", isOrdered ? "ordered: it waits for a process of the subscription, or runs now" : undefined],
    ["letter", `${DEAD_LETTERS_STREAM}, sequence ${number}`],
    ["event", `${EVENTS_STREAM}, sequence ${letter.streamSequence}, ${letter.subject}`],
    ...(event === undefined ? [] : eventFacts(event)),
  ];
  const width = Math.max(...facts.map(([name]) => name.length));
  return [
    `${paint("bold", `Dead letter ${number}`)}  ${paint("dim", timeText(storedAtMs))}  ${objectText(stored)}`,
    ...facts.flatMap(([name, text]) =>
      text === undefined ? [] : [`  ${paint("dim", name.padEnd(width))}  ${plain(text)}`],
    ),
    "",
    event === undefined ? paint("red", `The event cannot be shown: ${plain(problem)}`) : renderChange(event),
    "",
    `${paint("cyan", "→")} cr-reactor dead-letters retry ${number}, or drop ${number}`,
  ].join("\n");
}

function eventFacts({ id, type, time, apiversion, cluster }: Envelope): readonly (readonly [string, string])[] {
  return Object.entries({ id, type, time, apiversion, cluster });
}

function objectText(stored: StoredLetter): string {
  const object = objectOf(stored);
  if (object === undefined) return plain(stored.letter.subject);
  const { kind, namespace, name } = object;
  return plain(`${kind} ${namespace === "" ? "" : `${namespace}/`}${name}`);
}

function triesText(attempts: number, first: string | undefined, last: string | undefined): string {
  const times = attempts === 1 ? "once" : `${attempts} times`;
  if (attempts === 0) return "never: it was refused before";
  return first === undefined || last === undefined ? times : `${times}, from ${first} to ${last}`;
}

function stepsText(steps: readonly KeptStep[]): string {
  return steps.map(({ step, state }) => `${step} ${state === "running" ? "begun" : state}`).join(", ");
}

function timeText(epochMs: number): string {
  return new Date(epochMs).toISOString().slice(0, 19).replace("T", " ");
}

function cut(text: string, lengthMax: number): string {
  return text.length > lengthMax ? `${text.slice(0, lengthMax - 1).toWellFormed()}…` : text;
}
