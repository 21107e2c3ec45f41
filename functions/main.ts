/**
 * Runs functions: reads which subscriptions there are, loads only the functions they name, checks everything, connects to NATS, and
 * keeps every subscription going by itself until it is told to stop. What is wrong at start is told at once, with the
 * subscription's name and line; later one subscription's trouble never stops another.
 */
import { dirname, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { z } from "zod";
import {
  awaitJetStream,
  didYouMean,
  type JetStream,
  type Logger,
  logConnection,
  NatsSettings,
  parseYamlConfig,
  type Readiness,
  renderMetrics,
  resolveNatsSettings,
  serveHealth,
  type Telemetry,
} from "#contract";
import {
  type Binding,
  backlogOfPartitions,
  bind,
  createMembership,
  type FunctionDefinition,
  ownSubscription,
  parseSubscriptions,
  type Subscription,
  SubscriptionError,
  type SubscriptionStatus,
  type SubscriptionsFile,
  subscribe,
  timersOfPartitions,
  watchSchemas,
  watchSilences,
} from "#kit";
import { readinessOf } from "./health.ts";
import { functionFamilies, type MeasuredSubscription } from "./metrics.ts";

/** Names of functions, and how to load each: nothing that no subscription uses is loaded. */
export type FunctionRegistry = Readonly<Record<string, () => Promise<{ readonly default: unknown }>>>;

/** The functions that come with cr-reactor. */
export const BUILT_IN_FUNCTIONS: FunctionRegistry = {
  annotate: () => import("./annotate.ts"),
  "apply-manifest": () => import("./apply-manifest.ts"),
  "audit-log": () => import("./audit-log.ts"),
  "open-ticket": () => import("./open-ticket.ts"),
  "notify-alertmanager": () => import("./notify-alertmanager.ts"),
  "notify-discord": () => import("./notify-discord.ts"),
  "notify-email": () => import("./notify-email.ts"),
  "notify-pagerduty": () => import("./notify-pagerduty.ts"),
  "notify-teams": () => import("./notify-teams.ts"),
  "notify-slack": () => import("./notify-slack.ts"),
  "record-event": () => import("./record-event.ts"),
  relay: () => import("./relay.ts"),
  rollback: () => import("./rollback.ts"),
  "trigger-workflow": () => import("./trigger-workflow.ts"),
};

/** What to run, and with what. */
export interface RunFunctionsOptions {
  /**
   * The subscriptions: a file's text (its name is for errors, and what paths start from), or already read. Left out: each selected
   * function runs with the subscription it brings along.
   */
  readonly subscriptions?: { readonly text: string; readonly fileName: string } | SubscriptionsFile;
  /** Default: the built-in ones. */
  readonly functions?: FunctionRegistry;
  /** Names of subscriptions or functions; left out: every subscription. */
  readonly select?: readonly string[];
  /** Goes before the file's. */
  readonly nats?: NatsSettings;
  readonly log: Logger;
  /** Where spans and metrics are sent; its owner closes it. Default: nowhere. */
  readonly telemetry?: Telemetry;
  /** Aborts to stop: running tries may end, then `done` resolves. */
  readonly signal: AbortSignal;
}

/** Functions that run. */
export interface RunningFunctions {
  /** Resolves when everything has drained after `signal` aborted. */
  readonly done: Promise<void>;
  /** Where /livez, /readyz, /metrics and /status are; `undefined` unless the file asks for them. */
  readonly healthPort: number | undefined;
  status(): { readonly connected: boolean; readonly subscriptions: readonly RunningStatus[] };
}

/** How a subscription is doing, and what can never hold in its filter. */
export interface RunningStatus extends SubscriptionStatus {
  readonly mistakes: readonly string[];
}

/**
 * Starts functions. A NATS that cannot be reached yet is waited for. Throws ConfigError, SubscriptionError, NatsUnusableError, or what keeps
 * the health port from being used; resolves once all of them are started.
 */
export async function runFunctions(options: RunFunctionsOptions): Promise<RunningFunctions> {
  const { log, signal, telemetry } = options;
  const bindings = await bindAll(options);
  let status: RunningFunctions["status"] | undefined;
  let measure: Measure | undefined;
  const health = await openHealth(
    options,
    () => status?.(),
    async () => (await measure?.()) ?? [],
  );
  const nats = resolveNatsSettings(options.nats ?? fileOf(options)?.nats ?? NatsSettings.parse({}));
  const onWait = (error: Error) => log.warn(error.message);
  const jetStream = await awaitJetStream(nats, "cr-reactor functions", { signal, onWait }).catch(async (error) => {
    await health?.close();
    throw error;
  });
  logConnection(jetStream, log, MEANWHILE);
  const membership = createMembership(jetStream, { log });
  const silences = watchSilences(jetStream, { settings: fileOf(options)?.silences, log, signal });
  const subscribing = { log, tracing: telemetry?.tracing, signal, membership, silences };
  const subscriptions = bindings.map((binding) => subscribe(jetStream, binding, subscribing));
  const selections = bindings.map(({ subscription }) => subscription);
  const schemas = watchSchemas(jetStream, selections, { log, signal });
  const statusOf = (status: SubscriptionStatus) => ({ ...status, mistakes: schemas.mistakesOf(status.name) });
  const drained = async () => {
    await Promise.all(subscriptions.map(({ done }) => done));
    await membership.close();
    await jetStream.close();
    await health?.close();
  };
  status = () => ({
    connected: jetStream.connected,
    subscriptions: subscriptions.map(({ status }) => statusOf(status())),
  });
  const measureAll = () => Promise.all(subscriptions.map(async (each) => await measured(jetStream, each.status())));
  measure = measureAll;
  telemetry?.measure(async () => functionFamilies(await measureAll(), jetStream.connected));
  return { done: drained(), healthPort: health?.port, status };
}

/** What is logged while NATS is away. */
export const MEANWHILE = "what runs goes on, and what it ends with is told when NATS is back";

/** Listens before NATS is there, or a process that waits for it would be taken for dead. */
async function openHealth(
  options: RunFunctionsOptions,
  status: () => ReturnType<RunningFunctions["status"]> | undefined,
  measure: Measure,
): Promise<{ readonly port: number; close(): Promise<void> } | undefined> {
  const settings = fileOf(options)?.health;
  if (settings === undefined) return undefined;
  const readiness = () => {
    const { connected, subscriptions = [] } = status() ?? {};
    return readinessOf({ connected, subscriptions, stopping: options.signal.aborted });
  };
  const metrics = async (accept?: string) =>
    renderMetrics(functionFamilies(await measure(), status()?.connected === true), accept);
  return await serveHealth({
    ...settings,
    readiness,
    metrics,
    status: async () => await statusNow(readiness, measure),
  });
}

type Measure = () => Promise<readonly MeasuredSubscription[]>;

/** While NATS is away nobody knows what waits there. */
async function measured(jetStream: JetStream, status: SubscriptionStatus): Promise<MeasuredSubscription> {
  if (!jetStream.connected) return { status, backlog: undefined, timers: undefined };
  const { name, partitions } = status;
  const [backlog, timers] = await Promise.all([
    backlogOfPartitions(jetStream, name, partitions).catch(() => undefined),
    timersOfPartitions(jetStream, name, partitions).catch(() => undefined),
  ]);
  return { status, backlog, timers };
}

/** The answer at /status. */
async function statusNow(readiness: () => Readiness, measure: Measure): Promise<object> {
  const subscriptions = (await measure()).map(({ status, backlog, timers }) => ({
    ...status,
    ...(backlog && { backlog }),
    ...(timers && { timers }),
  }));
  return { ready: readiness().ready, subscriptions };
}

/** The subscriptions that are meant, without what only runs them: no settings are checked. Throws ConfigError or SubscriptionError. */
export async function findSubscriptions(
  options: Pick<RunFunctionsOptions, "subscriptions" | "functions" | "select">,
): Promise<readonly Subscription[]> {
  const { functions = BUILT_IN_FUNCTIONS, select } = options;
  const file = fileOf(options);
  if (file !== undefined) return selected(file.subscriptions, select);
  return await loadOwn(functions, select ?? [], ownSubscription);
}

/** Everything that can be checked without NATS. Throws ConfigError or SubscriptionError. */
export async function bindAll(
  options: Pick<RunFunctionsOptions, "subscriptions" | "functions" | "select">,
): Promise<readonly Binding[]> {
  const { subscriptions: source, functions = BUILT_IN_FUNCTIONS, select } = options;
  const file = fileOf(options);
  if (file === undefined)
    return await loadOwn(functions, select ?? [], (definition) => bind(ownSubscription(definition), definition));
  const directory = source !== undefined && "text" in source ? dirname(resolve(source.fileName)) : process.cwd();
  const found = await Promise.all(
    selected(file.subscriptions, select).map(async (subscription) => {
      return { subscription, loaded: await load(subscription, functions, directory) };
    }),
  );
  if (source !== undefined && "text" in source) checkInPlace(file, found, source);
  return found.map(({ subscription, loaded }) => {
    if ("problem" in loaded) throw new SubscriptionError(`subscription "${subscription.name}": ${loaded.problem}`);
    return bind(subscription, loaded.definition);
  });
}

/** The subscriptions file of these options. Throws ConfigError. */
export function fileOf({
  subscriptions: source,
}: Pick<RunFunctionsOptions, "subscriptions">): SubscriptionsFile | undefined {
  return source !== undefined && "text" in source ? parseSubscriptions(source.text, source.fileName) : source;
}

async function loadOwn<T>(
  functions: FunctionRegistry,
  names: readonly string[],
  use: (definition: FunctionDefinition) => T,
): Promise<readonly T[]> {
  if (names.length === 0) throw new SubscriptionError("nothing to run: name functions, or give a subscriptions file");
  return await Promise.all(
    names.map(async (name) => {
      const loaded = await load({ function: name }, functions, process.cwd());
      if ("problem" in loaded) throw new SubscriptionError(loaded.problem);
      return use(loaded.definition);
    }),
  );
}

/** The subscriptions that are named, or whose function is; each name must find one. */
function selected(
  subscriptions: readonly Subscription[],
  names: readonly string[] | undefined,
): readonly Subscription[] {
  if (names === undefined || names.length === 0) return subscriptions;
  for (const name of names) {
    if (subscriptions.some((each) => each.name === name || each.function === name)) continue;
    const known = subscriptions.flatMap((each) => [each.name, each.function]);
    throw new SubscriptionError(
      `no subscription is called "${name}" or uses a function of that name${didYouMean(name, known)}: add one to the subscriptions file`,
    );
  }
  return subscriptions.filter((each) => names.includes(each.name) || names.includes(each.function));
}

type Loaded = { readonly definition: FunctionDefinition } | { readonly problem: string };

async function load(
  { function: name }: Pick<Subscription, "function">,
  functions: FunctionRegistry,
  directory: string,
): Promise<Loaded> {
  const isPath = /^\.{0,2}\//.test(name);
  const module = Object.hasOwn(functions, name) ? functions[name] : undefined;
  if (module === undefined && !isPath) {
    const known = Object.keys(functions);
    return {
      problem: `there is no function "${name}"${didYouMean(name, known)}: known are ${known.join(", ")}; your own is named by its path, such as ./my-function.ts`,
    };
  }
  try {
    const loaded: { readonly default?: unknown } = await (module ?? (() => importPath(resolve(directory, name))))();
    if (isDefinition(loaded.default)) return { definition: loaded.default };
    return {
      problem: `the default export of "${name}" is no function definition: write export default defineFunction({ … })`,
    };
  } catch (error) {
    return { problem: `the function "${name}" cannot be loaded: ${loadProblem(error, resolve(directory, name))}` };
  }
}

/** Node says where a mistake in the syntax is only above the stack, and names our own file as the one that asks for a missing one. */
function loadProblem(error: unknown, path: string): string {
  if (!(error instanceof Error)) return String(error);
  if ("url" in error && error.url === pathToFileURL(path).href) return `${path} does not exist`;
  const place = error instanceof SyntaxError ? /^(?:file:)?\S.*:\d+(?=\n)/.exec(error.stack ?? "")?.[0] : undefined;
  if (place === undefined) return error.message;
  return `${place.startsWith("file:") ? fileURLToPath(place) : place}: ${error.message}`;
}

async function importPath(path: string): Promise<{ readonly default?: unknown }> {
  return (await import(pathToFileURL(path).href)) as { readonly default?: unknown };
}

function isDefinition(value: unknown): value is FunctionDefinition {
  const { name, config, run } = (value ?? {}) as Partial<Record<keyof FunctionDefinition, unknown>>;
  return typeof name === "string" && typeof run === "function" && config instanceof z.ZodType;
}

/** Reads the file once more with each function's own schema in its place, so that an error names the line. Throws ConfigError. */
function checkInPlace(
  file: SubscriptionsFile,
  found: readonly { readonly subscription: Subscription; readonly loaded: Loaded }[],
  source: { readonly text: string; readonly fileName: string },
): void {
  const entries = file.subscriptions.map(({ name }) => {
    const loaded = found.find((each) => each.subscription.name === name)?.loaded;
    if (loaded === undefined) return z.any();
    if ("problem" in loaded) return z.looseObject({ function: z.never({ error: loaded.problem }) });
    return z.looseObject({ config: loaded.definition.config.prefault({} as never) });
  });
  const [first, ...rest] = entries;
  if (first === undefined) return;
  parseYamlConfig(z.looseObject({ subscriptions: z.tuple([first, ...rest]) }), source.text, source.fileName);
}
