/**
 * How the demo looks: one line for each part with the time it took, then a timeline of the story with one line for each effect.
 * Everything fits a terminal of 80 columns; on a terminal a line says what is being waited for until it is there.
 */
import { type Envelope, opOf, parsePointer, toDotted, type ValueOperation, valueOperations } from "#contract";
import { paint, print, type Style } from "./terminal.ts";

const COLUMNS = 80;
const LABEL_COLUMNS = 11;
const TOOK_COLUMNS = 8;
/** What stands before the label of a line: two spaces, a sign, a space. */
const SIGN_COLUMNS = 4;
const TEXT_COLUMNS = COLUMNS - SIGN_COLUMNS - LABEL_COLUMNS - TOOK_COLUMNS - 1;
/** A line is written over the one that said what is being waited for. */
const CLEAR_LINE = "\r\u001b[2K";

/** Prints a heading, with what the right column below it means. */
export function printHeading(title: string, right = ""): void {
  const space = " ".repeat(Math.max(1, COLUMNS - 2 - title.length - right.length));
  print(`\n  ${paint("bold", title)}${right && `${space}${paint("dim", right)}`}`);
}

/** Does something, shows on a terminal that it is being done, and prints what it is and how long it took. */
export async function showWork<T>(label: string, work: () => Promise<T>, text: (result: T) => string): Promise<T> {
  const startedMs = performance.now();
  if (process.stdout.isTTY) process.stdout.write(`  ${paint("yellow", "…")} ${label}`);
  const result = await work();
  const took = `${((performance.now() - startedMs) / 1000).toFixed(1)} s`;
  const clear = process.stdout.isTTY ? CLEAR_LINE : "";
  print(clear + row(paint("green", "✔"), label, undefined, text(result), took));
  return result;
}

/** Prints a further line of what was just shown. */
export function printMore(text: string): void {
  print(row(" ", "", undefined, text, ""));
}

/** Prints the beginning of a step: what happens, and what does it. */
export function printStep(title: string, command: string): void {
  print(`  ${paint("cyan", "●")} ${paint("bold", title)}`);
  print(`  ${paint("dim", "│")} ${paint("dim", command)}`);
}

/** Prints one effect of a step, and how long after the write it came. */
export function printEffect(label: string, text: string, tookMs: number): void {
  const style = label === "event" ? "cyan" : "green";
  const [first = "", ...more] = wrap(text);
  print(row(paint("dim", "│"), label, style, first, `${Math.max(0, Math.round(tookMs))} ms`));
  for (const line of more) print(row(paint("dim", "│"), "", style, line, ""));
}

function wrap(text: string): readonly string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last === undefined || last.length + 1 + word.length > TEXT_COLUMNS) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}

/** Prints that an effect did not come. */
export function printMissing(label: string, withinMs: number): void {
  print(row(paint("dim", "│"), label, "red", paint("red", `nothing within ${withinMs / 1000} s`), ""));
}

/** The end: whether everything came, and nothing else. */
export function printSummary(isGood: boolean, counts: string): void {
  const [sign, end] = isGood ? [paint("green", "✔"), ": each once, nothing else."] : [paint("red", "✖"), "."];
  print(`\n  ${sign} ${counts}${end}`);
}

/** What an event says, in few words: what happened, and its phase transition. */
export function describeEvent(envelope: Envelope | undefined): string | undefined {
  if (envelope === undefined) return undefined;
  const { phase } = envelope.data.transitions;
  return phase === undefined ? opOf(envelope) : `${opOf(envelope)}  ${phase.from ?? "none"} → ${phase.to ?? "none"}`;
}

/** What an event says, for people: also the difference where there is no transition, and who made it. */
export function eventText(envelope: Envelope): string {
  const { data, manager } = envelope;
  const change = data.transitions.phase === undefined ? valueOperations(data.patch ?? []).find(isOfSpec) : undefined;
  const by = manager === undefined ? "" : `  by ${manager}`;
  return `${describeEvent(envelope)}${change === undefined ? "" : `  ${renderOperation(change)}`}${by}`;
}

const isOfSpec = ({ path }: ValueOperation) => path.startsWith("/spec/");

function renderOperation(operation: ValueOperation): string {
  const path = toDotted(parsePointer(operation.path));
  const before = operation.op === "add" ? "none" : JSON.stringify(operation.oldValue);
  const after = operation.op === "remove" ? "none" : JSON.stringify(operation.value);
  return `${path}: ${before} → ${after}`;
}

function row(sign: string, label: string, style: Style | undefined, text: string, took: string): string {
  const shown = text.length > TEXT_COLUMNS ? `${text.slice(0, TEXT_COLUMNS - 1)}…` : text.padEnd(TEXT_COLUMNS);
  const padded = label.padEnd(LABEL_COLUMNS);
  const line = `  ${sign} ${style === undefined ? padded : paint(style, padded)} ${shown}`;
  return took === "" ? line.trimEnd() : `${line}${paint("dim", took.padStart(TOOK_COLUMNS))}`;
}
