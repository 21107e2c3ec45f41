/**
 * What the steps of a function did in a test.
 */
import type { Json } from "#contract";
import type { StepMemory } from "../step/step-memory.ts";

/** `ran` and gave this; its result was `remembered` from before, so it did not run; it ran and `failed`, so the next try runs it again. */
export type TestedStep =
  | { readonly name: string; readonly type: "ran" | "remembered"; readonly result: Json | undefined }
  | { readonly name: string; readonly type: "failed" };

/** A memory that tells what it is asked. */
export function recordSteps(memory: StepMemory, steps: TestedStep[]): StepMemory {
  return {
    async claim(key, options) {
      const { step: name } = key;
      const claimed = await memory.claim(key, options);
      if ("type" in claimed) {
        if (claimed.type === "done") steps.push({ name, type: "remembered", result: claimed.result });
        return claimed;
      }
      return {
        lost: claimed.lost,
        async record(end) {
          if (end.type === "done") steps.push({ name, type: "ran", result: end.result });
          else steps.push({ name, type: "failed" });
          return await claimed.record(end);
        },
        async release() {
          steps.push({ name, type: "failed" });
          await claimed.release();
        },
      };
    },
  };
}
