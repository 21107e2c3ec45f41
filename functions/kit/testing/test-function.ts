/**
 * Runs a function for its tests: with changes that are written down or were recorded, the settings checked, the filter applied, steps
 * remembered, failures tried again, all by the code that does it in life, and without NATS. Time is not waited for: what lies between
 * two tries, or between two changes, is counted. It needs no test runner and works with any.
 */
import type { z } from "zod";
import { type Envelope, parseEnvelope } from "#contract";
import { createFixture, createRecordingLogger, type FixtureObject } from "../../../bridge/fixture.ts";
import { type FunctionDefinition, ownSelection } from "../define.ts";
import { deliveryLimits } from "../delivery/delivery-limits.ts";
import { settle } from "../delivery/settle.ts";
import { createSlots } from "../delivery/slots.ts";
import type { Explanation } from "../filter/clause.ts";
import type { Selection } from "../filter/filter.ts";
import type { Matcher } from "../filter/match.ts";
import type { Incident } from "../incident/incident.ts";
import { createProcessIncidents } from "../incident/process-memory.ts";
import { createProcessMemory } from "../step/process-memory.ts";
import { bind, ownSubscription, type Subscription } from "../subscription.ts";
import { readRecorded } from "./recorded.ts";
import { recordSteps, type TestedStep } from "./tested-step.ts";

/** How a function is bound for a test. */
export interface TestFunctionOptions<Schema extends z.ZodType> {
  /** The function's settings, as in a subscriptions file; default none. */
  readonly config?: z.input<Schema>;
  /** What it reacts to; default: what the function says itself. What is named here goes before that. */
  readonly subscription?: Partial<Selection>;
  /** Whether failures are tried again as in life, until it is done or a dead letter; default false: one try. */
  readonly retries?: boolean;
  /** Tries of one event, with `retries`; default 8, as in a subscriptions file. */
  readonly attempts?: number;
  /** Time for one try, in real milliseconds; default: the function's. */
  readonly timeoutMs?: number;
  /** Where the phase is, if not where the bridge looks for one of this kind: a path, or `condition:Ready`. */
  readonly phase?: string;
  /** The name of the cluster; default `test`. */
  readonly cluster?: string;
  /** When it begins; default the first of January 2026, UTC. */
  readonly now?: Date;
}

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

/** A function in its test. Each call is one event; they are remembered as one history. */
export interface FunctionTest {
  /** The object was created. What is left out (apiVersion, kind, uid, …) is filled in. */
  created(object: FixtureObject): Promise<TestResult>;
  /** The object changed: what differs is found out as the bridge does. */
  updated(before: FixtureObject, after: FixtureObject): Promise<TestResult>;
  /** The object was deleted; this is its last state. */
  deleted(last: FixtureObject): Promise<TestResult>;
  /** The object was there before the bridge. */
  existing(object: FixtureObject): Promise<TestResult>;
  /** An event as a whole: an envelope, or its JSON. Sent a second time it is the same event, whose steps are remembered. */
  event(event: Envelope | string): Promise<TestResult>;
  /** The events of a file, as `cr-reactor tail --json` prints them: one a line, or JSON (one, or a list). A path is from the working directory. */
  recorded(file: string | URL): Promise<readonly TestResult[]>;
  /** Lets time pass, for how long a phase has held. */
  advance(ms: number): void;
}

const BEGIN = new Date("2026-01-01T00:00:00Z");
/** A function that ignores its signal ends a test soon. */
const GRACE_MS = 100;

/** Binds a function as a subscription would. Throws SubscriptionError about its settings or what it reacts to. */
export function testFunction<Schema extends z.ZodType>(
  definition: FunctionDefinition<Schema>,
  options: TestFunctionOptions<Schema> = {},
): FunctionTest {
  const { retries = false, cluster = "test", now = BEGIN, phase } = options;
  const subscription = subscriptionOf(definition, options);
  let incident: Incident | undefined;
  const bound = bind(subscription, {
    ...definition,
    run(context) {
      incident = context.incident;
      return definition.run(context);
    },
  });
  const binding = { ...bound, timeoutMs: options.timeoutMs ?? bound.timeoutMs };
  const { apiVersion, kind } = subscription;
  const fixture = createFixture({ apiVersion, kind, cluster: subscription.cluster ?? cluster, phase });
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

  const run = async (event: Envelope, payload: string): Promise<TestResult> => {
    const logs: Record<string, unknown>[] = [];
    const errors: Error[] = [];
    const waitsMs: number[] = [];
    const steps: TestedStep[] = [];
    incident = undefined;
    if (!log.some(({ id }) => id === event.id)) log.push(event);
    const settled = await settle(
      { message: { ...NO_MESSAGE, subject: event.subject, data: Buffer.from(payload) }, deliveryCount: 1 },
      1,
      {
        ...{ jetStream: undefined, binding, graceMs: GRACE_MS, random: () => 0, warned: new Set<string>() },
        ...{ slots: createSlots(1)(), running: new Set<AbortController>(), stopping: new AbortController().signal },
        ...{ stepMemory: recordSteps(memory, steps), incidentMemory },
        log: createRecordingLogger((line) => logs.push(JSON.parse(line) as Record<string, unknown>)),
        retry: deliveryLimits(subscription.concurrency).retry,
        onRetry: (error) => errors.push(error),
        onUndecided: () => undefined,
        async wait(waitMs) {
          waitsMs.push(waitMs);
          if (retries) clockMs += waitMs;
          return retries;
        },
      },
    );
    return {
      outcome: settled === undefined || settled.type === "waiting" ? "retry" : settled.type,
      note: settled?.type === "done" ? settled.note : undefined,
      reason: settled?.type === "skipped" ? [settled.reason, ...whyNot(bound.matcher, event)].join("\n") : undefined,
      error: settled === undefined ? errors.at(-1) : settled.type === "dead-letter" ? settled.error : undefined,
      attempts: settled?.attempts ?? errors.length,
      ...{ waitsMs, steps, logs, event },
      incident: incident === undefined ? undefined : told(incident),
    };
  };
  const runEvent = (event: Envelope) => run(event, JSON.stringify(event));
  const recorded = (text: string) => run(parseEnvelope(text), text);
  return {
    created: async (object) => await runEvent(fixture.event({ op: "created", object }, clockMs)),
    updated: async (before, after) => await runEvent(fixture.event({ op: "updated", before, object: after }, clockMs)),
    deleted: async (object) => await runEvent(fixture.event({ op: "deleted", object }, clockMs)),
    existing: async (object) => await runEvent(fixture.event({ op: "existing", object }, clockMs)),
    event: async (event) => await recorded(typeof event === "string" ? event : JSON.stringify(event)),
    async recorded(file) {
      const results: TestResult[] = [];
      for (const text of await readRecorded(file)) results.push(await recorded(text));
      return results;
    },
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

function subscriptionOf<Schema extends z.ZodType>(
  definition: FunctionDefinition<Schema>,
  { config, subscription, attempts }: TestFunctionOptions<Schema>,
): Subscription {
  const said = ownSelection(definition as unknown as FunctionDefinition);
  const own = { ...said, ...subscription } as Selection;
  const isBound = said !== undefined || subscription !== undefined;
  const plain = { ...definition, ...(isBound && { subscription: own }) } as unknown as FunctionDefinition;
  return {
    ...ownSubscription(plain),
    config: (config ?? {}) as Subscription["config"],
    ...(attempts !== undefined && { attempts }),
  };
}
