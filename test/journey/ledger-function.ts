/** A function for journeys: writes down which event of which object began and ended in which process, and takes a moment in between. */
import { appendFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { defineFunction, valueAt } from "#kit";

export default defineFunction({
  name: "ledger",
  description: "Writes down what it is called with.",
  config: z.object({ file: z.string(), workMs: z.number().default(5) }),
  async run({ object, config, signal }) {
    const tell = (what: string) =>
      appendFileSync(
        config.file,
        `${what} ${process.pid} ${object.metadata.name} ${valueAt(object, ["spec", "replicas"])}\n`,
      );
    tell("begun");
    await sleep(config.workMs, undefined, { signal });
    tell("ended");
  },
});
