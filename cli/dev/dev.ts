/**
 * `cr-reactor dev`: functions while they are written. They are loaded anew when something is saved, run with events as they would be in life,
 * and for each one it is shown whether its filter took it, what its steps did, how it ended, and what it would have sent: nothing leaves the
 * process without `--send`. It needs no NATS; tries are not repeated, and what waits (`for`, `batch`) is told, not waited for.
 */
import { dirname } from "node:path";
import { parseEnvelope } from "#contract";
import { renderChange } from "../change-text.ts";
import { paint, print, report, stopSignal } from "../terminal.ts";
import { renderDelivery } from "./delivery-text.ts";
import type { Delivery, DevSubscription } from "./dev-message.ts";
import { type LiveSource, type LiveSourceOptions, openCluster, openEmbedded, readEvents } from "./event-source.ts";
import { functionFiles } from "./function-file.ts";
import { startFunctions } from "./functions-process.ts";
import { watchSaving } from "./saving.ts";
import type { WorkerOptions } from "./worker.ts";

/** The options of the command. */
export interface DevOptions extends Omit<WorkerOptions, "paths"> {
  readonly recorded?: string;
  readonly context?: string;
  readonly kubeconfig?: string;
  readonly namespace?: string;
  readonly manifests?: readonly string[];
  /** Ends after so many events. */
  readonly count?: number;
  readonly json?: true;
}

/**
 * Runs until Ctrl-C, or `count` events. Throws FileError, MalformedEventError, ManifestError or KubeconfigError; what is wrong with a function is
 * shown, and waits for it to be saved.
 */
export async function devCommand(paths: readonly string[], options: DevOptions): Promise<void> {
  const { subscriptions, recorded, count, json } = options;
  const ended = new AbortController();
  const signal = AbortSignal.any([stopSignal(), ended.signal]);
  await using cleanup = new AsyncDisposableStack();
  if (subscriptions === undefined) functionFiles(paths);
  let events = recorded === undefined ? [] : await readEvents(recorded);
  let newest: string | undefined;
  let shown = 0;

  const run = async (payload: string) => {
    const deliveries = await functions.run(payload);
    if (signal.aborted) return;
    show(payload, deliveries, json);
    if (deliveries.some(({ outcome }) => outcome !== "skipped")) newest = payload;
    if (++shown === count) ended.abort();
  };
  const runAll = async (payloads: readonly string[]) => {
    for (const payload of payloads) if (!signal.aborted) await run(payload);
  };
  const live: LiveSourceOptions = {
    signal,
    onEvent: run,
    onProblem: (problem) => report(`${paint("yellow", "interrupted:", process.stderr)} ${problem}`),
    ...(options.namespace !== undefined && { namespace: options.namespace }),
  };
  const source = recorded === undefined ? await openSource(options, live, cleanup) : undefined;

  const functions = startFunctions(
    { ...options, paths },
    {
      onLoaded: (loaded, problems) => {
        tellLoaded(loaded, problems);
        if (source !== undefined) void follow(source, loaded);
      },
      onEnded: (how) =>
        report(`${paint("red", "ended:", process.stderr)} the functions' process (${how}). Mend it, and save.`),
    },
  );
  cleanup.defer(() => functions.stop());
  report(source === undefined ? `the ${events.length} events of ${recorded}, again after each save` : source.title);
  const stopWatching = watchSaving(watchedPaths(paths, options), async () => {
    report(paint("dim", "saved: loading again", process.stderr));
    functions.restart();
    if (recorded !== undefined) events = await readEvents(recorded).catch(() => events);
    // What was really sent is not sent again.
    void runAll(recorded !== undefined ? events : newest === undefined || options.send ? [] : [newest]);
  });
  cleanup.defer(stopWatching);
  void runAll(events);
  if (!signal.aborted) await new Promise((done) => signal.addEventListener("abort", done, { once: true }));
}

async function openSource(
  { context, kubeconfig, manifests = [] }: DevOptions,
  live: LiveSourceOptions,
  cleanup: AsyncDisposableStack,
): Promise<LiveSource> {
  if (context === undefined && kubeconfig === undefined) return await openEmbedded(manifests, live, cleanup);
  return await openCluster({ ...(context && { context }), ...(kubeconfig && { kubeconfig }) }, live, cleanup);
}

/** One after the other: two functions of one kind would define it twice. */
async function follow(source: LiveSource, loaded: readonly DevSubscription[]): Promise<void> {
  for (const kind of loaded) {
    try {
      const plural = await source.watch(kind);
      if (plural !== undefined) report(`watching ${plural}`);
    } catch (error) {
      report(`${paint("yellow", "not watched:", process.stderr)} ${(error as Error).message}`);
    }
  }
}

function watchedPaths(paths: readonly string[], { subscriptions, recorded }: DevOptions): readonly string[] {
  const named = subscriptions === undefined ? paths : [subscriptions, dirname(subscriptions)];
  return [...named, ...(recorded === undefined ? [] : [recorded])];
}

function tellLoaded(loaded: readonly DevSubscription[], problems: readonly string[]): void {
  for (const problem of problems) report(`${paint("red", "not loaded:", process.stderr)} ${problem}`);
  for (const { name, functionName, kind, apiVersion } of loaded) {
    const by = name === functionName ? "" : ` (${functionName})`;
    report(`${paint("green", "loaded:", process.stderr)} ${name}${by} for ${kind} of ${apiVersion}`);
  }
}

function show(payload: string, deliveries: readonly Delivery[], json: true | undefined): void {
  const event = parseEnvelope(payload);
  if (json) {
    print(JSON.stringify({ event, deliveries }));
    return;
  }
  print(renderChange(event));
  if (deliveries.length === 0) print(paint("dim", "  no function is loaded"));
  for (const delivery of deliveries) print(renderDelivery(delivery));
}
