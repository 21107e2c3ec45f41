/**
 * `cr-reactor verify`: compares the objects of a cluster with what the log says of them, resource by resource of the bridge's
 * configuration, and names what differs. It only reads, unless `--repair` tells it to publish what is missing, which it does as the bridge
 * would and behind the same fence. A bridge that runs at the same time is given the time to catch up.
 */
import { connectJetStream, didYouMean, type JetStream, parseYamlConfig, resolveNatsSettings } from "#contract";
import { BridgeConfig } from "../bridge/config.ts";
import { hasEventLog, InspectionError, inspect, type WantedWatch, wantedWatches } from "../bridge/inspection.ts";
import type { ApiServer } from "../bridge/kube/api-server.ts";
import { createLogger } from "../bridge/logger.ts";
import { clusterError, openCluster } from "./cluster.ts";
import { count } from "./doctor/check.ts";
import { readTextFile } from "./file.ts";
import { failure, paint, print, progress, stopSignal } from "./terminal.ts";
import { isWhole, renderInspection, type Verified } from "./verify-text.ts";

/** The options of the command. */
export interface VerifyOptions {
  readonly config: string;
  readonly repair?: true;
  readonly resource?: string;
  readonly json?: true;
  /** Seconds. */
  readonly wait?: number;
}

/** It cannot be begun: the message says why, and what to do. */
class VerifyError extends Error {
  readonly code = "VERIFY";
}

const EXIT_DIFFERENT = 1;
const EXIT_IMPOSSIBLE = 2;
/** In all, before what differs counts: a bridge that runs is milliseconds behind, under load seconds. */
const WAIT_SECONDS = 6;
/** What differs is looked at so often. */
const LOOKS = 3;

/**
 * Prints what it found, and ends the process: 0 when nothing differs, or everything that did is repaired; 1 when something differs; 2 when
 * something could not be compared.
 */
export async function verifyCommand(options: VerifyOptions): Promise<void> {
  const signal = stopSignal();
  let code: number;
  try {
    const verified = await verifyAll(options, signal);
    code = Math.max(...verified.map(exitCodeOf));
    if (options.json) print(JSON.stringify({ ok: code === 0, resources: verified }, null, 2));
    else print(summaryOf(verified, code));
  } catch (error) {
    signal.throwIfAborted();
    failure(error);
    code = EXIT_IMPOSSIBLE;
  }
  // A server that does not answer would keep the process for its own timeouts.
  process.stdout.write("", () => process.exit(code));
}

async function verifyAll(options: VerifyOptions, signal: AbortSignal): Promise<readonly Verified[]> {
  const config = parseYamlConfig(BridgeConfig, await readTextFile(options.config), options.config);
  const entries = entriesOf(config, options.resource);
  await using cleanup = new AsyncDisposableStack();
  const apiServer = await openCluster(config.kubernetes);
  cleanup.defer(() => apiServer.close());
  const jetStream = await connectJetStream(resolveNatsSettings(config.nats), "cr-reactor verify");
  cleanup.defer(() => jetStream.close());
  if (!(await hasEventLog(jetStream)))
    throw new VerifyError(
      `there is no stream CR_EVENTS on this NATS: start the bridge first (cr-reactor bridge --config ${options.config})`,
    );
  const verified: Verified[] = [];
  const chosen = { ...config, resources: entries };
  for await (const each of verifyEntries({ config: chosen, apiServer, jetStream, options, signal })) {
    verified.push(each);
    if (!options.json) for (const line of renderInspection(each, options.repair === true)) print(line);
  }
  return verified;
}

function entriesOf({ resources }: BridgeConfig, wanted: string | undefined): BridgeConfig["resources"] {
  if (wanted === undefined) return resources;
  const found = resources.filter(({ kind }) => kind === "*" || isNamed(kind, wanted));
  if (found.length > 0) return found;
  const kinds = [...new Set(resources.map(({ kind }) => kind))];
  throw new VerifyError(
    `the configuration has no resource of kind "${wanted}"${didYouMean(wanted, kinds)}: it has ${kinds.join(", ")}`,
  );
}

function isNamed(kind: string, name: string): boolean {
  return kind.toLowerCase() === name.toLowerCase();
}

interface VerifyContext {
  readonly config: BridgeConfig;
  readonly apiServer: ApiServer;
  readonly jetStream: JetStream;
  readonly options: VerifyOptions;
  readonly signal: AbortSignal;
}

/** Each namespace is a watch of its own, as in the bridge. */
async function* verifyEntries(context: VerifyContext): AsyncGenerator<Verified, void, void> {
  const { config, apiServer, signal } = context;
  const selection = await wantedWatches(apiServer, config, signal).catch((error: unknown) => {
    signal.throwIfAborted();
    throw clusterError(apiServer, error);
  });
  for (const { apiVersion, kind } of selection.missing) {
    const title = `${kind} of ${apiVersion}`;
    const problem = `${title} is not served: apply its CustomResourceDefinition, or check apiVersion and kind`;
    yield { title, problem };
  }
  for (const wanted of selection.watches) {
    const { resource: named } = context.options;
    if (named === undefined || isNamed(wanted.resource.kind, named)) yield await verifyWatch(context, wanted);
  }
}

async function verifyWatch(context: VerifyContext, wanted: WantedWatch): Promise<Verified> {
  const { options } = context;
  const { apiVersion, kind } = wanted.resource;
  const title = `${kind} of ${apiVersion}`;
  const where = wanted.namespace === undefined ? title : `${title} in ${wanted.namespace}`;
  const shown = showProgress(where, options);
  const asked = inspect({
    ...context,
    wanted,
    logger: createLogger("verify", "warn"),
    repairs: options.repair === true,
    graceMs: ((options.wait ?? WAIT_SECONDS) * 1_000) / LOOKS,
    onListed: shown.listed,
  });
  return await asked
    .catch((error: unknown) => {
      if (!(error instanceof InspectionError)) throw error;
      return { title: where, problem: error.message };
    })
    .finally(shown.end);
}

/** On a terminal, how far the list is. */
function showProgress(title: string, { json }: VerifyOptions) {
  const show = (text: string) => void (json ?? progress(text));
  show(title);
  return {
    listed: (objects: number) => show(`${title}: ${count(objects, "object")} listed, comparing`),
    end: () => show(""),
  };
}

function exitCodeOf(verified: Verified): number {
  if ("problem" in verified) return EXIT_IMPOSSIBLE;
  return isWhole(verified) ? 0 : EXIT_DIFFERENT;
}

function summaryOf(verified: readonly Verified[], code: number): string {
  const repaired = verified.flatMap((each) => ("problem" in each ? [] : each.differences)).length;
  switch (code) {
    case 0:
      return paint(
        "green",
        repaired > 0 ? "Everything that differed is repaired." : "The log has what the cluster has.",
      );
    case EXIT_IMPOSSIBLE:
      return paint("red", "Not everything could be compared.");
    default:
      return paint("red", "The log differs from the cluster.");
  }
}
