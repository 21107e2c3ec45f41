/** Reads the JSON of an answer that arrived. */
import type { z } from "zod";

/** Reads an answer that arrived with a success. An Error that is tried again: what was asked for may have happened. */
export function readAnswer<Schema extends z.ZodType>(schema: Schema, body: unknown, who: string): z.output<Schema> {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  throw new Error(
    `${who} answered with a success that cannot be read: it broke off, or something in between changed it`,
  );
}

/** `undefined` when it is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
