/**
 * What is different between two texts, line by line, as a unified diff has it: hunks with the lines around them.
 * Source: POSIX `diff -u`.
 */

/** One line of the diff. */
export interface DiffLine {
  readonly type: "same" | "removed" | "added";
  readonly text: string;
}

/** A stretch with differences; lines count from 1. */
export interface Hunk {
  readonly fromLine: number;
  readonly toLine: number;
  readonly lines: readonly DiffLine[];
}

/** Lines around a difference. */
const CONTEXT = 3;
/** Pairs of lines that are compared with each other; beyond it everything between the first and the last difference counts as different. */
const PAIRS_MAX = 16_000_000;

/** The hunks; none for equal texts. */
export function hunksOf(from: readonly string[], to: readonly string[]): readonly Hunk[] {
  const lines = linesOf(from, to);
  const hunks: Hunk[] = [];
  let [fromLine, toLine] = [1, 1];
  let start = 0;
  for (const [first, end] of stretchesOf(lines)) {
    for (; start < first; start++) {
      if (lines[start]?.type !== "added") fromLine++;
      if (lines[start]?.type !== "removed") toLine++;
    }
    hunks.push({ fromLine, toLine, lines: lines.slice(first, end) });
  }
  return hunks;
}

/** Where hunks begin and end. */
function stretchesOf(lines: readonly DiffLine[]): readonly (readonly [number, number])[] {
  const stretches: [number, number][] = [];
  for (const [index, { type }] of lines.entries()) {
    if (type === "same") continue;
    const [first, end] = [Math.max(0, index - CONTEXT), Math.min(lines.length, index + CONTEXT + 1)];
    const last = stretches.at(-1);
    if (last !== undefined && first <= last[1]) last[1] = end;
    else stretches.push([first, end]);
  }
  return stretches;
}

function linesOf(from: readonly string[], to: readonly string[]): readonly DiffLine[] {
  let head = 0;
  while (head < Math.min(from.length, to.length) && from[head] === to[head]) head++;
  let tail = 0;
  while (tail < Math.min(from.length, to.length) - head && from.at(-1 - tail) === to.at(-1 - tail)) tail++;
  const same = (text: string): DiffLine => ({ type: "same", text });
  const middle = compared(from.slice(head, from.length - tail), to.slice(head, to.length - tail));
  return [...from.slice(0, head).map(same), ...middle, ...from.slice(from.length - tail).map(same)];
}

/** By the longest common subsequence. */
function compared(from: readonly string[], to: readonly string[]): readonly DiffLine[] {
  const removed = (text: string): DiffLine => ({ type: "removed", text });
  const added = (text: string): DiffLine => ({ type: "added", text });
  if (from.length * to.length > PAIRS_MAX) return [...from.map(removed), ...to.map(added)];
  const width = to.length + 1;
  const common = new Uint16Array((from.length + 1) * width);
  const at = (i: number, j: number) => common[i * width + j] ?? 0;
  for (let i = from.length - 1; i >= 0; i--)
    for (let j = to.length - 1; j >= 0; j--)
      common[i * width + j] = from[i] === to[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
  const lines: DiffLine[] = [];
  let [i, j] = [0, 0];
  while (i < from.length || j < to.length) {
    const [left, right] = [from[i], to[j]];
    if (left !== undefined && left === right) {
      lines.push({ type: "same", text: left });
      i++;
      j++;
    } else if (left !== undefined && (right === undefined || at(i + 1, j) >= at(i, j + 1))) {
      lines.push(removed(left));
      i++;
    } else {
      lines.push(added(right ?? ""));
      j++;
    }
  }
  return lines;
}
