/**
 * How large a filter may be: looked at before anything else is, without recursion, because a filter that is nested deeply enough would
 * overflow the stack of whoever reads it.
 */

/** Far deeper than anybody can read. */
const DEPTH_MAX = 32;
/** Filters in one filter: each may look at the whole patch of an event, which can have tens of thousands of operations. */
const COUNT_MAX = 256;

/** What is wrong with the size of something that may be a filter; `undefined` when nothing is. */
export function filterTooLarge(value: unknown): string | undefined {
  let level = [value];
  let count = 0;
  for (let depth = 1; level.length > 0; depth++) {
    if (depth > DEPTH_MAX)
      return `is nested more than ${DEPTH_MAX} filters deep: make it flatter, several keys in one filter must all hold`;
    count += level.length;
    if (count > COUNT_MAX) return `has more than ${COUNT_MAX} filters in it: use lists of values, globs, or cel`;
    level = level.flatMap(below);
  }
  return undefined;
}

function below(value: unknown): unknown[] {
  if (typeof value !== "object" || value === null) return [];
  const { all, any, not } = value as Readonly<Record<string, unknown>>;
  const listed = [all, any].flatMap((list) => (Array.isArray(list) ? list : []));
  return not === undefined ? listed : [...listed, not];
}
