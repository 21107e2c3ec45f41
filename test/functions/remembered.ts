/** An incident and the memory of steps as functions see them, kept in the process, for tests of what a function does with them. */
import type { FunctionContext, Incident, Json } from "../../functions/kit/kit.ts";
import { createProcessMemory } from "../../functions/kit/step/process-memory.ts";
import { createSteps } from "../../functions/kit/step/step.ts";
import type { StepMemory } from "../../functions/kit/step/step-memory.ts";
import { sampleContext } from "./actions/sample-event.ts";

/** What survives from one try, and from one event, to the next. */
export interface Remembered {
  readonly receipts: Record<string, Json>;
  readonly steps: StepMemory;
}

/** Remembers nothing yet. */
export function remembersNothing(): Remembered {
  return { receipts: {}, steps: createProcessMemory() };
}

/** What an incident is told about one event. */
export type IncidentStage = Pick<Incident, "type"> & Partial<Pick<Incident, "key" | "openedAt" | "updateCount">>;

/** A context whose incident and steps remember. */
export function rememberingContext<Config>(
  event: FunctionContext<unknown>["event"],
  config: Config,
  { receipts, steps: memory }: Remembered,
  stage?: IncidentStage,
  signal: AbortSignal = new AbortController().signal,
): FunctionContext<Config> {
  const context = sampleContext(event, config);
  const { subscription, log } = context;
  const incident: Incident | undefined = stage && {
    key: `${subscription}/${event.data.object.metadata.uid}/1`,
    openedAt: "2026-03-04T04:00:00Z",
    openedBy: "the first",
    updateCount: 0,
    ...stage,
    // As of when the event came: what is remembered during a try is seen by the next one.
    receipts: { ...receipts },
    remember: async (name, receipt) => {
      receipts[name] = receipt;
    },
  };
  const { step } = createSteps({ memory, subscription, eventId: event.id, log, signal });
  return { ...context, incident, step, signal };
}
