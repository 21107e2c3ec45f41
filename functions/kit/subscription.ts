/**
 * Which function gets which events, with which settings: `subscriptions.yaml` as a schema, and the binding of one entry to its
 * function. Everything that can be wrong is told here, before the first event.
 */
import { z } from "zod";
import {
  beforeOf,
  type Envelope,
  HealthSettings,
  type KubeObject,
  NatsSettings,
  opIn,
  opOf,
  parseYamlConfig,
} from "#contract";
import { type FunctionContext, type FunctionDefinition, ownSelection } from "./define.ts";
import type { Replay } from "./delivery/replay.ts";
import { Selection } from "./filter/filter.ts";
import { heldStateOf, StatelessFilterError } from "./filter/held-state.ts";
import { compileFilter, type Matcher, type MatchResult } from "./filter/match.ts";
import { planSelection } from "./filter/plan.ts";
import { timesIn } from "./filter/time.ts";
import { followIncident, type Incident, type NoIncident, silenceIncident } from "./incident/incident.ts";
import type { IncidentMemory } from "./incident/incident-memory.ts";
import type { KubeRight, ToldKind } from "./kube-right.ts";
import type { Outcome } from "./outcome.ts";
import { PartitionCount } from "./ownership/partition.ts";
import { asCall, type CallTrace } from "./running-call.ts";
import { ServeSettings } from "./serve/serve-settings.ts";
import { SilenceSettings } from "./silence/silence.ts";
import { createSteps, type Steps } from "./step/step.ts";
import type { StepMemory } from "./step/step-memory.ts";

/** One entry: a durable consumer of its own, scaled and retried on its own. */
export const Subscription = z.strictObject({
  /** Unique on this NATS: the consumer is called `cr-<name>`, and who runs the same name shares the events. */
  name: z
    .string()
    .regex(/^[a-z0-9]+(-[a-z0-9]+)*$/, "expected lower-case words with - between them, such as database-failed")
    .max(64, "expected at most 64 characters"),
  /** The name of a built-in function, or the path of a module (`./my-function.ts`, from the file that says so). */
  function: z.string().min(1, "expected the name of a function, or a path such as ./my-function.ts"),
  ...Selection.shape,
  /**
   * Where a subscription that is new begins: at what comes, at all that is retained, or at what was stored from a time on (RFC 3339);
   * default `now`.
   */
  start: z
    .union([z.enum(["now", "all"]), z.iso.datetime({ offset: true })], {
      error: "expected now, all, or a time such as 2026-11-20T08:00:00Z",
    })
    .default("now"),
  /** How many processes can work on it at the same time, 1 to 64; default 1: one works, the others stand by. */
  partitions: PartitionCount.default(1),
  /** The function's own settings, checked by its schema. */
  config: z.record(z.string(), z.json()).default({}),
  /** Objects whose events are handled at the same time, 1 to 256; default 16. */
  concurrency: z.int().min(1).max(256).default(16),
  /** Tries of one event, after which it is a dead letter; default 8, which takes about four minutes. */
  attempts: z.int().min(1).max(1_000).default(8),
  /** Time for one try, up to an hour; default: the function's, else 30. */
  timeoutSeconds: z.number().positive().max(3_600).optional(),
  /** Whether silences hold its events back; default: as the function says, which is true but for audit-log. */
  silenceable: z.boolean().optional(),
});
export type Subscription = z.infer<typeof Subscription>;

/** The whole file. */
export const SubscriptionsFile = z.strictObject({
  nats: NatsSettings,
  /** How `cr-reactor serve` listens; `run` passes over it. */
  serve: ServeSettings.optional(),
  /** Where `cr-reactor run` serves /livez, /readyz, /metrics and /status, such as `{ port: 8080 }`; left out: nowhere. */
  health: HealthSettings.optional(),
  /** Maintenance windows and the like, in which no function is called. */
  silences: SilenceSettings.optional(),
  subscriptions: z.array(Subscription).min(1, "name at least one subscription").superRefine(refuseSameNames),
});
export type SubscriptionsFile = z.infer<typeof SubscriptionsFile>;

/** A subscription that is ready to run: its settings are checked, and its plan is made. */
export interface Binding {
  readonly subscription: Subscription;
  readonly functionName: string;
  /** What the consumer filters on. */
  readonly subjects: readonly string[];
  /** Which of what comes is asked for. */
  readonly matcher: Matcher;
  readonly timeoutMs: number;
  /** What the function does to the API server with these settings. */
  rights(told: ToldKind): readonly KubeRight[];
  /** Whether silences hold its events back. */
  readonly silenceable: boolean;
  /** Whether the function takes many events at once. */
  readonly batches: boolean;
  /** Whether a silence may hold the event back: not where it resolves an incident that somebody was told of. */
  isHeldBack(call: Pick<FunctionCall, "event" | "match" | "incidentMemory" | "log" | "signal">): Promise<boolean>;
  /** Calls the function once; where the event turns out to be about no incident, it is skipped. */
  run(call: FunctionCall): Promise<Extract<Outcome, { type: "done" | "skipped" }>>;
}

/** What differs from one call of a function to the next. */
interface FunctionCall extends Pick<FunctionContext<unknown>, "event" | "attempt" | "log" | "signal"> {
  /** How the event came out. */
  readonly match: Extract<MatchResult["type"], "matched" | "resolving">;
  /** With `batch`: all that it is called with, the event among them. */
  readonly events?: readonly Envelope[] | undefined;
  /** With `for` or `debounce`: since when what it waited for has held, and the object as it is by now. */
  readonly held?: { readonly since: string | undefined; readonly object: KubeObject } | undefined;
  /** Where the results of its steps are. */
  readonly stepMemory: StepMemory;
  readonly incidentMemory: IncidentMemory;
  /** `cr-reactor replay` brings the event once more. */
  readonly replay?: Replay | undefined;
  readonly trace?: CallTrace | undefined;
}

/** A subscription and its function do not fit together. The message names the subscription and the field. */
export class SubscriptionError extends Error {
  readonly code = "SUBSCRIPTION_INVALID";
  override readonly name = "SubscriptionError";
}

/** A function's own limit for one try, when neither it nor the subscription says one. */
const TIMEOUT_MS_DEFAULT = 30_000;

/** Reads `subscriptions.yaml`. Throws ConfigError, which names line and field. */
export function parseSubscriptions(text: string, fileName: string): SubscriptionsFile {
  return parseYamlConfig(SubscriptionsFile, text, fileName);
}

/** The subscription of a function that says itself what it reacts to. Throws SubscriptionError when it does not, or needs settings. */
export function ownSubscription(definition: FunctionDefinition): Subscription {
  const selection = ownSelection(definition);
  if (selection === undefined) {
    throw new SubscriptionError(
      `function "${definition.name}" does not say what it reacts to: bind it in a subscriptions file (apiVersion, kind, when)`,
    );
  }
  return Subscription.parse({ name: definition.name, function: definition.name, ...selection });
}

/** Joins a subscription with its function. Throws SubscriptionError. */
export function bind<Schema extends z.ZodType>(
  subscription: Subscription,
  definition: FunctionDefinition<Schema>,
): Binding {
  const { name, timeoutSeconds } = subscription;
  const { resource } = definition;
  if (
    resource !== undefined &&
    (resource.kind !== subscription.kind || resource.apiVersion !== subscription.apiVersion)
  ) {
    throw new SubscriptionError(
      `subscription "${name}": the function ${definition.name} is written for ${resource.kind} ${resource.apiVersion}, not for ${subscription.kind} ${subscription.apiVersion}: bind it to that, or write one without resource`,
    );
  }
  const parsed = definition.config.safeParse(subscription.config);
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => `${["config", ...issue.path].join(".")}: ${issue.message}`);
    throw new SubscriptionError(
      `subscription "${name}": the settings do not fit the function ${definition.name}: ${problems.join("; ")}`,
    );
  }
  const config = parsed.data;
  checkFilters(subscription);
  checkTimes(subscription);
  if (subscription.batch !== undefined && definition.batches !== true)
    throw new SubscriptionError(
      `subscription "${name}": batch: the function ${definition.name} takes one event at a time: leave batch out`,
    );
  const { subjects } = planSelection(subscription);
  const matcher = compileFilter(subscription);
  return {
    subscription,
    functionName: definition.name,
    subjects,
    matcher,
    timeoutMs: timeoutSeconds === undefined ? (definition.timeoutMs ?? TIMEOUT_MS_DEFAULT) : timeoutSeconds * 1_000,
    rights: (told) => definition.rights?.(config, told) ?? [],
    silenceable: subscription.silenceable ?? definition.silenceable ?? true,
    batches: definition.batches === true,
    async isHeldBack({ event, match: type, incidentMemory: memory, log, signal }) {
      if (subscription.resolve === undefined) return true;
      const { match, window } = matcher;
      return await silenceIncident(event, { memory, subscription: name, type, match, window, log, signal });
    },
    async run(call) {
      const { event, attempt, log, signal, stepMemory: memory, trace } = call;
      const again = call.replay?.again ? call.replay.run : undefined;
      const incident = await incidentOf(subscription, matcher, call);
      if (incident?.type === "none") return { type: "skipped", reason: incident.reason };
      const steps = createSteps({ memory, subscription: name, eventId: event.id, again, log, signal });
      try {
        const context = contextOf(name, config, call, { steps, incident });
        const running = { subscription: name, eventId: event.id, attempt, trace };
        const note = await asCall(running, () => definition.run(context));
        await steps.end();
        return { type: "done", ...(typeof note === "string" && { note }) };
      } finally {
        await steps.end().catch(() => undefined); // the function's own error is the one to tell
      }
    },
  };
}

/** A filter that nothing can ever match is told before the first event. */
function checkFilters(subscription: Subscription): void {
  const { name, resolve, ...opening } = subscription;
  const refuse = (field: string, problem: string) => {
    throw new SubscriptionError(`subscription "${name}": ${field}: ${problem}`);
  };
  const opens = planSelection(opening).subjects;
  const never = "no event can ever match, because its parts exclude each other (existing needs includeExisting: true)";
  if (opens.length === 0) refuse("when", never);
  if (resolve === undefined) return;
  if (planSelection({ ...opening, when: resolve, includeExisting: true }).subjects.length === 0)
    refuse("resolve", never);
  if (opens.every((subject) => opIn(subject) === "deleted"))
    refuse("when", "an object that is deleted is never in trouble again: leave out resolve, or say what fails");
}

/** `for` is said of what can stay so; what an incident is told of late, or not at all, is said by `for` alone. */
function checkTimes(subscription: Subscription): void {
  const { name, batch, throttle, partitions, resolve } = subscription;
  const named = timesIn(subscription);
  const refuse = (problem: string) => {
    throw new SubscriptionError(`subscription "${name}": ${problem}`);
  };
  if (named.length > 1) refuse(`${named.join(" and ")} exclude each other: keep one`);
  if (resolve !== undefined && named.length > 0 && subscription.for === undefined)
    refuse(`${named[0]}: cannot be said beside resolve: use for, or leave one out`);
  if (batch !== undefined && partitions > 1)
    refuse("batch: what is one call is collected in one place: set partitions to 1");
  if (throttle !== undefined && partitions > 1)
    refuse("throttle: what is too much waits in one place: set partitions to 1");
  if (subscription.for === undefined) return;
  try {
    heldStateOf(subscription.when);
  } catch (error) {
    if (!(error instanceof StatelessFilterError)) throw error;
    throw new SubscriptionError(`subscription "${name}": for: ${error.message}`, { cause: error });
  }
}

/** What the event does to the incident of its object; `undefined` where the subscription has none. */
async function incidentOf(
  { name: subscription, resolve }: Subscription,
  { match, window }: Matcher,
  { event, match: type, incidentMemory: memory, log, signal }: FunctionCall,
): Promise<Incident | NoIncident | undefined> {
  if (resolve === undefined) return undefined;
  return await followIncident(event, { memory, subscription, type, match, window, log, signal });
}

/** `before` costs a copy of the object, so it is computed when it is first asked for. */
function contextOf<Config>(
  subscription: string,
  config: Config,
  { event, held, events, attempt, log, signal, incidentMemory: { history }, replay }: FunctionCall,
  { steps: { step }, incident }: { readonly steps: Steps; readonly incident: Incident | undefined },
): FunctionContext<Config> {
  let before: KubeObject | null | undefined;
  return {
    event,
    attempt,
    log,
    signal,
    step,
    incident,
    history: history && (() => history(event, signal)),
    events: events ?? [event],
    heldSince: held?.since,
    object: held?.object ?? event.data.object,
    get before() {
      before ??= structuredClone(beforeOf(opOf(event), event.data)); // it shares parts with the object, which a function may write to
      return before;
    },
    change: event.data,
    config,
    subscription,
    idempotencyKey: `${subscription}/${event.id}${replay?.again ? `@${replay.run}` : ""}`,
    replay: replay?.run,
  };
}

function refuseSameNames(subscriptions: readonly Subscription[], context: z.RefinementCtx): void {
  const seen = new Set<string>();
  for (const [index, { name }] of subscriptions.entries()) {
    if (seen.has(name)) {
      context.addIssue({
        code: "custom",
        path: [index, "name"],
        message: `"${name}" is the name of another one too: choose another`,
      });
    }
    seen.add(name);
  }
}
