/** A function for journeys: writes down with what it is called, and when. */
import { appendFileSync } from "node:fs";
import { z } from "zod";
import { defineFunction } from "#kit";

export default defineFunction({
  name: "time",
  description: "Writes down with what it is called.",
  config: z.object({ file: z.string() }),
  batches: true,
  async run({ events = [], heldSince, subscription, config }) {
    const call = { subscription, names: events.map(({ name }) => name), heldSince, atMs: Date.now() };
    appendFileSync(config.file, `${JSON.stringify(call)}\n`);
  },
});
