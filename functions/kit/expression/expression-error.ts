/**
 * A mistake in an expression that somebody wrote, told where it stands: before anything runs, never while events flow.
 */

/** An expression cannot be used. The message says where (line and column), what was expected there, and the next step. */
export class ExpressionError extends Error {
  readonly code = "EXPRESSION_INVALID";
  override readonly name = "ExpressionError";
}

/** Where an offset (in UTF-16 units) stands in a source: `line 1, column 8`, both from 1. */
export function placeOf(source: string, offset: number): string {
  const before = source.slice(0, Math.min(offset, source.length));
  const line = before.split("\n").length;
  return `line ${line}, column ${before.length - before.lastIndexOf("\n")}`;
}

/** The error for a mistake at an offset of the source. `problem` is a sentence without its full stop. */
export function mistakeAt(source: string, offset: number, problem: string, cause?: unknown): ExpressionError {
  return new ExpressionError(`${placeOf(source, offset)}: ${problem}`, cause === undefined ? undefined : { cause });
}
