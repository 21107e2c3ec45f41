/**
 * An object's incidents as a function is told of them, for tests of functions: the memory of receipts and of steps stands in for NATS, may
 * be lost at any time, and a failed call is tried again as a delivery would, on a clock that the test owns.
 */
import type { TestContext } from "node:test";
import { createLogger, type Envelope, type Json } from "#contract";
import type { FunctionDefinition } from "../../functions/kit/define.ts";
import type { Incident } from "../../functions/kit/incident/incident.ts";
import { outcomeOf } from "../../functions/kit/outcome.ts";
import { createProcessMemory } from "../../functions/kit/step/process-memory.ts";
import { createSteps } from "../../functions/kit/step/step.ts";
import { type SampleState, sampleEvent } from "./actions/sample-event.ts";

/** What one event of an object does to its incident. */
export type IncidentType = Incident["type"];

/** One object and what is remembered of it. */
export interface IncidentRun {
  /** The next event. Tried until it is done; resolves to the note, or to the dead letter's sentence. */
  event(type: IncidentType, options?: { readonly laterMs?: number; readonly after?: SampleState }): Promise<string>;
  /** NATS lost what it knew: all of it by default. */
  forget(what?: "all" | "steps" | "receipts"): void;
  /** Only what actions remembered. */
  receipts(): Readonly<Record<string, Json>>;
  readonly key: string;
}

/** How an incident's events are delivered. */
export interface IncidentRunOptions {
  /** Asked before each try: what NATS lost, or a kill kept from being recorded. */
  readonly loses?: () => "all" | "steps" | "receipts" | undefined;
  /** Asked before and after a receipt is stored: whether the process is killed there. */
  readonly dies?: () => boolean;
  /** Tries of one event; default 40. */
  readonly triesMax?: number;
  readonly uid?: string;
}

const TRY_PAUSE_MS = 1_000;
const STATES: Readonly<Record<IncidentType, { readonly before: string; readonly after: string }>> = {
  opened: { before: "Running", after: "Failed" },
  updated: { before: "Failed", after: "Failed" },
  resolved: { before: "Failed", after: "Running" },
};

/** Stops the clock at a time and moves it only by what is waited for. Timers stay real. */
export function ownClock(t: TestContext, startMs = Date.parse("2026-03-04T05:06:07Z")): void {
  t.mock.timers.enable({ apis: ["Date"], now: startMs });
}

function advance(t: TestContext, ms: number): void {
  t.mock.timers.setTime(Date.now() + ms);
}

/** Starts with an object that has no incident yet. `t` must have its own clock. */
export function incidentRun(
  t: TestContext,
  definition: FunctionDefinition,
  config: object,
  options: IncidentRunOptions = {},
): IncidentRun {
  const { uid = "5f1d7a52-0c3e-4d1b-9a70-3f2f2c1b0a99", triesMax = 40 } = options;
  const parsed = definition.config.parse(config);
  let memory = createProcessMemory();
  let number = 0;
  let sequence = 100;
  let receipts: Record<string, Json> = {};
  let previous: Incident["previous"];
  let open = { openedAt: "", openedBy: "", updateCount: 0 };
  const keyOf = () => `databases/${open.openedBy}`;
  const forget = (what: "all" | "steps" | "receipts" = "all") => {
    if (what !== "receipts") memory = createProcessMemory();
    if (what === "steps") return;
    receipts = {};
    if (previous) previous = { ...previous, receipts: {} };
  };
  const mayDie = () => {
    if (options.dies?.()) throw new Error("killed");
  };

  const begin = (type: IncidentType, event: Envelope) => {
    // An opening that became a dead letter is an incident all the same.
    if (type === "opened" || number === 0) {
      number++;
      receipts = {};
      open = { openedAt: event.time, openedBy: event.id, updateCount: 0 };
    }
    if (type === "updated") open.updateCount++;
  };
  const tryOnce = async (type: IncidentType, event: Envelope, attempt: number): Promise<string | undefined> => {
    const log = createLogger("test", "silent");
    const { signal } = new AbortController();
    const steps = createSteps({ memory, subscription: "databases", eventId: event.id, log, signal });
    const incident: Incident = {
      key: keyOf(),
      type,
      ...open,
      ...(previous && { previous }),
      get receipts() {
        return { ...receipts };
      },
      async remember(name, receipt) {
        mayDie();
        receipts[name] = structuredClone(receipt);
        mayDie();
      },
    };
    const note = await definition.run({
      event,
      object: event.data.object,
      before: null,
      change: event.data,
      config: parsed,
      subscription: "databases",
      attempt,
      idempotencyKey: `databases/${event.id}`,
      incident,
      step: steps.step,
      log,
      signal,
    } as never);
    await steps.end();
    return note ?? undefined;
  };

  return {
    forget,
    receipts: () => receipts,
    get key() {
      return keyOf();
    },
    async event(type, { laterMs = 60_000, after } = {}) {
      advance(t, laterMs);
      sequence++;
      const event = { ...incidentEvent(type, uid, sequence, after), time: new Date().toISOString() };
      begin(type, event);
      for (let attempt = 1; attempt <= triesMax; attempt++) {
        const lost = options.loses?.();
        if (lost) forget(lost);
        try {
          const note = await tryOnce(type, event, attempt);
          if (type === "resolved") previous = { key: keyOf(), resolvedAt: event.time, receipts: { ...receipts } };
          return note ?? "";
        } catch (error) {
          const outcome = outcomeOf(error);
          if (outcome.type === "dead-letter") return `dead letter: ${outcome.error.message}`;
          if (outcome.type !== "retry") throw error;
          advance(t, outcome.afterMs ?? TRY_PAUSE_MS);
        }
      }
      throw new Error(`${triesMax} tries were not enough`);
    },
  };
}

function incidentEvent(type: IncidentType, uid: string, sequence: number, after: SampleState = {}): Envelope {
  const { before, after: phase } = STATES[type];
  const event = sampleEvent({
    before: { metadata: { uid }, spec: { size: sequence }, status: { phase: before } },
    after: {
      spec: { size: sequence + 1 },
      ...after,
      metadata: { uid, ...after.metadata },
      status: { phase, ...(after.status as object) },
    },
  });
  return { ...event, id: `${uid}.${sequence}` };
}
