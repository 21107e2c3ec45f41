/**
 * A mistake in an expression that somebody wrote in a subscription, told where it stands: before anything runs, never while events flow.
 */

/** An expression cannot be used. The message says where (line and column), what was expected there, and the next step. */
export class ExpressionError extends Error {
  readonly code = "EXPRESSION_INVALID";
  override readonly name = "ExpressionError";
}
