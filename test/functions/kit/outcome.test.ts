import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { outcomeOf, PermanentError, RetryAfterError } from "../../../functions/kit/outcome.ts";

/** As another copy of the package has them, in a bundle of the user's own. */
class ForeignPermanentError extends Error {
  readonly code = "PERMANENT";
}
class ForeignRetryAfterError extends Error {
  readonly code = "RETRY_AFTER";
  readonly afterMs: unknown;
  constructor(afterMs: unknown) {
    super("later");
    this.afterMs = afterMs;
  }
}

const cases = [
  { name: "a PermanentError is not tried again", thrown: new PermanentError("no"), expected: { type: "dead-letter" } },
  {
    name: "a PermanentError of another copy of the package neither",
    thrown: new ForeignPermanentError("no"),
    expected: { type: "dead-letter" },
  },
  {
    name: "a RetryAfterError is tried again when it says",
    thrown: new RetryAfterError("later", 5),
    expected: { type: "retry", afterMs: 5 },
  },
  {
    name: "a RetryAfterError of another copy of the package too",
    thrown: new ForeignRetryAfterError(5),
    expected: { type: "retry", afterMs: 5 },
  },
  {
    name: "a RetryAfterError that does not say when is tried again",
    thrown: new ForeignRetryAfterError("soon"),
    expected: { type: "retry" },
  },
  { name: "any other error is tried again", thrown: new Error("reset"), expected: { type: "retry" } },
  {
    name: "an error with another code is tried again",
    thrown: Object.assign(new Error("reset"), { code: "ECONNRESET" }),
    expected: { type: "retry" },
  },
  { name: "what is no error becomes one and is tried again", thrown: "oops", expected: { type: "retry" } },
];

describe("what a function throws", () => {
  for (const { name, thrown, expected } of cases) {
    test(name, () => {
      const { error, ...outcome } = outcomeOf(thrown) as { error: Error };
      assert.deepEqual(outcome, expected);
      assert.equal(error.message, thrown instanceof Error ? thrown.message : "oops");
    });
  }
});
