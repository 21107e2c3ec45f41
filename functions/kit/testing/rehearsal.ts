/**
 * Runs a bound function on one event after the other without NATS, by the code that does it in life: the filter, the steps, the incident, the
 * failures and their tries. Everything is in memory, and time is counted instead of waited for.
 */
import { type Envelope, parseEnvelope } from "#contract";
import { createRecordingLogger } from "../../../bridge/fixture.ts";
import { deliveryLimits } from "../delivery/delivery-limits.ts";
import { settle } from "../delivery/settle.ts";
import { createSlots } from "../delivery/slots.ts";
import type { Explanation } from "../filter/clause.ts";
import type { Matcher } from "../filter/match.ts";
import type { Incident } from "../incident/incident.ts";
import { createProcessIncidents } from "../incident/process-memory.ts";
import { createProcessMemory } from "../step/process-memory.ts";
import type { Binding } from "../subscription.ts";
import { recordSteps, type TestedStep } from "./tested-step.ts";

/** What became of one event. */
export interface TestResult {
  /** `retry`: the try failed, and would be followed by another. */
  readonly outcome: "done" | "skipped" | "retry" | "dead-letter";
  /** What the function returned. */
  readonly note: string | undefined;
  /** Why it was skipped: a sentence, and below it each part of the filter with what was found, as `cr-reactor explain` prints it. */
  readonly reason: string | undefined;
  /** Why it is tried again or given up: what the function threw last. */
  readonly error: Error | undefined;
  /** Tries; 0 when the function was not called. */
  readonly attempts: number;
  /** The waits between them, and the one that a `retry` would be followed by; as short as they can be, in life up to twice as long. */
  readonly waitsMs: readonly number[];
  /** The steps of all tries, in the order in which they ended. */
  readonly steps: readonly TestedStep[];
  /** What the function was told about the object's incident, with the receipts that it remembered; `undefined`: the subscription names no `resolve`. */
  readonly incident: Omit<Incident, "remember"> | undefined;
  /** What was logged: the fields, with `level` and `msg`. */
  readonly logs: readonly Readonly<Record<string, unknown>>[];
  /** The event itself. */
  readonly event: Envelope;
}

/** What is rehearsed. */
export interface RehearsalOptions {
  readonly binding: Binding;
  /** Whether failures are tried again as in life; else there is one try. */
  readonly retries: boolean;
  /** When it begins. */
  readonly now: Date;
  /** What the function was told about the incident in the last run; default nothing. */
  readonly incidentTold?: () => Incident | undefined;
}

/** One history of events. */
export interface Rehearsal {
  /** Epoch milliseconds, by its own clock. */
  readonly nowMs: number;
  /** Runs an event, as its JSON. Sent a second time it is the same event, whose steps are remembered. Throws MalformedEventError. */
  run(payload: string): Promise<TestResult>;
  /** Takes an event for one of before, without running it. Throws MalformedEventError. */
  past(payload: string): void;
  advance(ms: number): void;
}

/** A function that ignores its signal ends a test soon. */
const GRACE_MS = 100;

/** Begins with no event and nothing remembered. */
export function createRehearsal({ binding, retries, now, incidentTold }: RehearsalOptions): Rehearsal {
  const memory = createProcessMemory();
  /** All events so far, which is the log here. */
  const log: Envelope[] = [];
  const incidentMemory = {
    ...createProcessIncidents(),
    async *history({ id, data }: Envelope) {
      const earlier = log.slice(
        0,
        log.findIndex((event) => event.id === id),
      );
      yield* earlier.filter((event) => event.data.object.metadata.uid === data.object.metadata.uid);
    },
  };
  let clockMs = now.getTime();

  const past = (payload: string) => {
    const event = parseEnvelope(payload);
    if (!log.some(({ id }) => id === event.id)) log.push(event);
    return event;
  };
  const run = async (payload: string): Promise<TestResult> => {
    const event = past(payload);
    const logs: Record<string, unknown>[] = [];
    const errors: Error[] = [];
    const waitsMs: number[] = [];
    const steps: TestedStep[] = [];
    const settled = await settle(
      { message: { ...NO_MESSAGE, subject: event.subject, data: Buffer.from(payload) }, deliveryCount: 1 },
      1,
      {
        ...{ jetStream: undefined, binding, graceMs: GRACE_MS, random: () => 0, warned: new Set<string>() },
        ...{ slots: createSlots(1)(), running: new Set<AbortController>(), stopping: new AbortController().signal },
        ...{ stepMemory: recordSteps(memory, steps), incidentMemory },
        log: createRecordingLogger((line) => logs.push(JSON.parse(line) as Record<string, unknown>)),
        retry: deliveryLimits(binding.subscription.concurrency).retry,
        onRetry: (error) => errors.push(error),
        onUndecided: () => undefined,
        async wait(waitMs) {
          waitsMs.push(waitMs);
          if (retries) clockMs += waitMs;
          return retries;
        },
      },
    );
    const incident = incidentTold?.();
    return {
      outcome: settled === undefined || settled.type === "waiting" ? "retry" : settled.type,
      note: settled?.type === "done" ? settled.note : undefined,
      reason: settled?.type === "skipped" ? [settled.reason, ...whyNot(binding.matcher, event)].join("\n") : undefined,
      error: settled === undefined ? errors.at(-1) : settled.type === "dead-letter" ? settled.error : undefined,
      attempts: settled?.attempts ?? errors.length,
      ...{ waitsMs, steps, logs, event },
      incident: incident === undefined ? undefined : told(incident),
    };
  };
  return {
    get nowMs() {
      return clockMs;
    },
    run,
    past,
    advance(ms) {
      clockMs += ms;
    },
  };
}

function whyNot(matcher: Matcher, event: Envelope): readonly string[] {
  try {
    return explained(matcher.explain(event));
  } catch {
    return []; // it looks at more than matching does, and something there contradicts itself
  }
}

const MARKS = { true: "✔", false: "✖", undecided: "?" } as const;

/** A line for each part of the filter, with what was found where something was asked. */
function explained({ holds, wanted, found, parts }: Explanation): string[] {
  const below = parts.flatMap(explained).map((line) => `  ${line}`);
  return [`${MARKS[`${holds}`]} ${wanted}${found && `: ${found}`}`, ...below];
}

/** As it is when the event has ended. */
function told({ remember: _, ...incident }: Incident): Omit<Incident, "remember"> {
  return incident;
}

/** The parts of a NATS message that an event in a test has not. */
const NO_MESSAGE = { reply: undefined, status: 0, description: "", header: () => undefined };
