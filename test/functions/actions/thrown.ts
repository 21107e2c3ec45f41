/** What a failed call says about itself, for tests: how it is treated, and every word that could reach a log. */
import { outcomeOf } from "../../../functions/kit/outcome.ts";

/** How a failure is treated, with its sentence. */
export interface Failure {
  readonly treated: "retry" | "dead-letter";
  readonly afterMs: number | undefined;
  readonly message: string;
  /** The error and its causes with all their fields and stacks. */
  readonly words: string;
}

/** Runs a call that is to fail. Throws when it does not. */
export async function failureOf(call: () => Promise<unknown>): Promise<Failure> {
  try {
    await call();
  } catch (error) {
    const outcome = outcomeOf(error);
    if (outcome.type !== "retry" && outcome.type !== "dead-letter") throw error;
    const afterMs = outcome.type === "retry" ? outcome.afterMs : undefined;
    return { treated: outcome.type, afterMs, message: outcome.error.message, words: wordsOf(outcome.error) };
  }
  throw new Error("the call was to fail, and succeeded");
}

function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const fields = Object.getOwnPropertyNames(error).map((name) => {
    const value: unknown = Reflect.get(error, name);
    return value instanceof Error
      ? wordsOf(value)
      : `${name}: ${typeof value === "object" ? JSON.stringify(value) : String(value)}`;
  });
  return fields.join("\n");
}
