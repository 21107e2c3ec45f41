/**
 * The known name that a mistyped one was probably meant to be, for error messages: the smallest edit distance wins, and what is
 * too far away is no guess at all.
 * Source: Damerau–Levenshtein distance, optimal string alignment (a swap of neighbours counts as one edit).
 */

/** More than this many edits for each three letters of a name is another word, not a typing mistake. */
const EDITS_PER_LETTERS = 3;
/** Names are compared in full up to this length; longer ones are no typing mistakes. */
const NAME_LENGTH_MAX = 64;

/** The nearest of `known`, or `undefined` when none is near. Letter case and `-`, `_` and spaces do not count. */
function nearestName(name: string, known: readonly string[]): string | undefined {
  if (name.length > NAME_LENGTH_MAX) return undefined;
  let nearest: string | undefined;
  let fewest = Math.max(1, Math.floor(name.length / EDITS_PER_LETTERS)) + 1;
  for (const candidate of known) {
    if (candidate.length > NAME_LENGTH_MAX) continue;
    const edits = editDistance(folded(name), folded(candidate));
    if (edits < fewest) [nearest, fewest] = [candidate, edits];
  }
  return nearest;
}

/** ` (did you mean "x"?)` or nothing, to stand behind a wrong name in a sentence. */
export function didYouMean(name: string, known: readonly string[]): string {
  const nearest = nearestName(name, known);
  return nearest === undefined ? "" : ` (did you mean "${nearest}"?)`;
}

function folded(name: string): string {
  return name.toLowerCase().replace(/[-_\s]/g, "");
}

function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let edits = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        edits = Math.min(edits, (beforeLast[j - 2] ?? 0) + 1);
      row.push(edits);
    }
    [beforeLast, last] = [last, row];
  }
  return last[b.length] ?? 0;
}
