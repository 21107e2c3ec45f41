/**
 * Runs a function for its tests: with changes that are written down or were recorded, the settings checked, the filter applied, steps
 * remembered, failures tried again, all by the code that does it in life, and without NATS. Time is not waited for: what lies between
 * two tries, or between two changes, is counted. It needs no test runner and works with any.
 */
import type { z } from "zod";
import type { Envelope } from "#contract";
import { createFixture, type FixtureObject } from "../../../bridge/fixture.ts";
import { type FunctionDefinition, ownSelection } from "../define.ts";
import type { Selection } from "../filter/filter.ts";
import type { Incident } from "../incident/incident.ts";
import type { SilenceSetting } from "../silence/silence.ts";
import { bind, ownSubscription, type Subscription } from "../subscription.ts";
import { readRecorded } from "./recorded.ts";
import { createRehearsal, type TestResult } from "./rehearsal.ts";

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
  /** The silences of a subscriptions file, by the test's clock. */
  readonly silences?: readonly z.input<typeof SilenceSetting>[];
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
  /** Lets time pass, and resolves to what came of the events that were due within it, in the order in which they were. */
  advance(ms: number): Promise<readonly TestResult[]>;
}

const BEGIN = new Date("2026-01-01T00:00:00Z");
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
  const rehearsal = createRehearsal({
    binding,
    retries,
    now,
    isTimed: true,
    incidentTold: () => incident,
    silences: options.silences,
  });

  const run = (payload: string) => {
    incident = undefined;
    return rehearsal.run(payload);
  };
  const runFixture = (change: Parameters<typeof fixture.event>[0]) =>
    run(JSON.stringify(fixture.event(change, rehearsal.nowMs)));
  return {
    created: async (object) => await runFixture({ op: "created", object }),
    updated: async (before, after) => await runFixture({ op: "updated", before, object: after }),
    deleted: async (object) => await runFixture({ op: "deleted", object }),
    existing: async (object) => await runFixture({ op: "existing", object }),
    event: async (event) => await run(typeof event === "string" ? event : JSON.stringify(event)),
    async recorded(file) {
      const results: TestResult[] = [];
      for (const text of await readRecorded(file)) results.push(await run(text));
      return results;
    },
    advance(ms) {
      incident = undefined;
      return rehearsal.advance(ms);
    },
  };
}

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
