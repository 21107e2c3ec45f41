/**
 * What the bucket of steps holds: `<subscription>.<event id>.<step>`, and under it whether the step runs, or how it ended.
 */
import { z } from "zod";
import { encodeToken, STEPS_BUCKET } from "#contract";
import type { StepKey } from "./step-memory.ts";

/** The bucket's stream. */
export const STEPS_STREAM = `KV_${STEPS_BUCKET}`;

/** What a key holds; nothing when it was released. */
export const StepRecord = z.discriminatedUnion("state", [
  z.object({ state: z.literal("running"), holder: z.string() }),
  z.object({ state: z.literal("done"), holder: z.string(), result: z.json().optional() }),
  z.object({ state: z.literal("unusable"), holder: z.string(), problem: z.string() }),
]);
export type StepRecord = z.infer<typeof StepRecord>;

/** The key's subject: its tokens are encoded reversibly. */
export function subjectOf({ subscription, eventId, step }: StepKey): string {
  return `$KV.${STEPS_BUCKET}.${encodeToken(subscription)}.${encodeToken(eventId)}.${encodeToken(step)}`;
}

/** Throws an Error that names the key, for what is no record. */
export function parseRecord(subject: string, text: string): StepRecord | undefined {
  if (text === "") return undefined;
  try {
    return StepRecord.parse(JSON.parse(text));
  } catch (cause) {
    const key = subject.slice(`$KV.${STEPS_BUCKET}.`.length);
    throw new Error(
      `what is remembered of this step cannot be read: look with nats kv get ${STEPS_BUCKET} ${key}; removed, the step is run again`,
      { cause },
    );
  }
}
