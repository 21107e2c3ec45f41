/** The function whose speed is measured: one remembered step, which does nothing, so that what is left is ours. */
import { z } from "zod";
import type { FunctionDefinition } from "#kit";

export default {
  name: "act",
  description: "Runs one step.",
  config: z.object({}),
  async run({ step }) {
    await step("act", () => "done");
  },
} satisfies FunctionDefinition;
