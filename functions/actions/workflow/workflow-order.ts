/**
 * What starting a workflow takes, whatever the target: its name, which is the same on every try, what it is about, and its parameters.
 */
import type { FunctionContext, Json } from "#kit";

/** One workflow to be started. */
export interface WorkflowOrder {
  /** Its name: a DNS label (RFC 1123), the same on every try. */
  readonly id: string;
  /** The event that it is about, without its data. */
  readonly event: Readonly<Record<string, string | null>>;
  readonly parameters: Readonly<Record<string, Json>>;
  /** The function's call. */
  readonly call: Pick<FunctionContext<unknown>, "event" | "subscription" | "idempotencyKey" | "signal">;
}

/** How it came out. */
export type Started = "started" | "already started";

/** The parameters as text, for those who know nothing else: a value that is no text as JSON. What is not there is left out, so that defaults hold. */
export function textParameters({
  parameters,
}: Pick<WorkflowOrder, "parameters">): readonly (readonly [string, string])[] {
  return Object.entries(parameters).flatMap(([name, value]) =>
    value === null ? [] : [[name, asText(value)] as const],
  );
}

/** A value as text. */
export function asText(value: Json): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
