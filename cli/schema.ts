/** `cr-reactor schema`: the JSON Schemas (draft 2020-12) of what people write and of what they receive. */
import { z } from "zod";
import { Change, Envelope } from "#contract";
import { SubscriptionsFile } from "#kit";
import { BridgeConfig } from "../bridge/config.ts";
import { print } from "./terminal.ts";

const SCHEMAS: Readonly<Record<string, { readonly schema: z.ZodType; readonly io: "input" | "output" }>> = {
  bridge: { schema: BridgeConfig, io: "input" },
  subscriptions: { schema: SubscriptionsFile, io: "input" },
  change: { schema: Change, io: "output" },
  event: { schema: Envelope, io: "output" },
};

/** There is no such schema. */
class UnknownSchemaError extends Error {
  readonly code = "UNKNOWN_SCHEMA";
}

/** Prints the schema. Throws UnknownSchemaError. */
export function schemaCommand(what: string): void {
  const entry = SCHEMAS[what];
  if (entry === undefined)
    throw new UnknownSchemaError(`there is no schema "${what}": ask for ${Object.keys(SCHEMAS).join(", ")}`);
  print(JSON.stringify(z.toJSONSchema(entry.schema, { io: entry.io }), null, 2));
}
