/**
 * `cr-reactor tail --direct`: changes of one kind on one's own cluster, without NATS, a bridge, or anything installed. It only gets,
 * lists and watches; what it knows is in memory and gone at the end. Changes go to standard output, what it is doing to standard
 * error. Values of Secrets are redacted, because a terminal is no place for them.
 */
import { type ApiServer, ApiStatusError, connectApiServer, KubeconfigError } from "../bridge/kube/api-server.ts";
import { findResource, ResourceNameError, type ServedResource } from "../bridge/kube/discovery.ts";
import { type ObserverState, observe, observedResource, parsePhaseSource, RefusedError } from "../bridge/observe.ts";
import { renderChange } from "./change-text.ts";
import { count as counted, reasonOf } from "./doctor/check.ts";
import { paint, print, report, stopSignal } from "./terminal.ts";

/** The options of the command. */
export interface TailDirectOptions {
  readonly context?: string;
  readonly kubeconfig?: string;
  readonly namespace?: string;
  readonly name?: string;
  readonly phase?: string;
  readonly existing?: true;
  readonly count?: number;
  readonly json?: true;
}

/** The API server cannot be reached, or does not say what it serves. */
class ClusterError extends Error {
  readonly code = "CLUSTER";
}

/** As in the bridge's configuration. */
const PHASE_DEFAULT = "status.phase";

/**
 * Runs until Ctrl-C, or `count` changes. `usage` ends the command with what is wrong about it. Throws KubeconfigError, ClusterError,
 * ResourceNameError, or RefusedError when the kind may not be watched.
 */
export async function tailDirectCommand(
  kind: string | undefined,
  options: TailDirectOptions,
  usage: (problem: string) => never,
): Promise<void> {
  const { phase = PHASE_DEFAULT } = options;
  if (kind === undefined) usage("option '--direct' needs a kind, such as: cr-reactor tail deployments --direct");
  try {
    parsePhaseSource(phase);
  } catch (error) {
    usage(`option '--phase': ${(error as Error).message}`);
  }
  const signal = stopSignal();
  await using cleanup = new AsyncDisposableStack();
  try {
    const apiServer = await connect(options);
    cleanup.defer(() => apiServer.close());
    report(`context ${apiServer.context} (${apiServer.url})`);
    const served = await askFor(kind, apiServer, signal);
    if (!served.namespaced && options.namespace !== undefined)
      usage(`option '--namespace': ${served.plural} are not in namespaces: leave it out`);
    await show(apiServer, served, { ...options, phase }, signal);
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

async function connect({ context, kubeconfig }: TailDirectOptions): Promise<ApiServer> {
  try {
    return await connectApiServer({ ...(context && { context }), ...(kubeconfig && { kubeconfig }) });
  } catch (error) {
    if (error instanceof KubeconfigError) throw error;
    throw new ClusterError(`the kubeconfig cannot be used: ${reasonOf(error)}. Check: kubectl config view`, {
      cause: error,
    });
  }
}

async function askFor(kind: string, apiServer: ApiServer, signal: AbortSignal): Promise<ServedResource> {
  try {
    return await findResource(apiServer, kind, signal);
  } catch (error) {
    if (error instanceof ResourceNameError || signal.aborted) throw error;
    const { context, url } = apiServer;
    const next = `kubectl --context ${context} cluster-info`;
    const problem =
      error instanceof ApiStatusError && error.status === 401
        ? `${url} does not accept the credentials of the context ${context} (401): renew them, then check`
        : `the API server at ${url} does not say what it serves: ${reasonOf(error)}. Check`;
    throw new ClusterError(`${problem}: ${next}`, { cause: error });
  }
}

async function show(
  apiServer: ApiServer,
  served: ServedResource,
  options: TailDirectOptions & { readonly phase: string },
  signal: AbortSignal,
): Promise<void> {
  const { namespace, name, existing = false, count, json } = options;
  const resource = observedResource(served, {
    context: apiServer.context,
    phase: options.phase,
    ...(namespace !== undefined && { namespace }),
  });
  const title = [resource.plural, resource.group].filter(Boolean).join(".");
  const scope = served.namespaced ? ` in ${namespace ?? "every namespace"}` : "";
  report(`watching ${title}${scope}${name === undefined ? "" : ` named ${name}`}; nothing is written`);
  if (title === "secrets") report("values are redacted: you see that one changed, not what it is");
  const changes = observe({ apiServer, resource, existing, signal, onState: createTeller(), ...(name && { name }) });
  let shown = 0;
  try {
    for await (const envelope of changes) {
      print(json ? JSON.stringify(envelope) : renderChange(envelope));
      if (++shown === count) return;
    }
  } catch (error) {
    if (!(error instanceof RefusedError) || !served.namespaced || namespace !== undefined) throw error;
    throw new RefusedError(`${error.message}. Or watch a namespace that you may read: -n <namespace>`, {
      cause: error,
    });
  }
}

/** Says on standard error what changes for the person who waits: the beginning, a connection lost, and back again. */
function createTeller(): (state: ObserverState) => void {
  let begun = false;
  let problem: string | undefined;
  return (state) => {
    switch (state.type) {
      case "listing":
        return;
      case "waiting":
        if (state.problem !== problem) report(`${paint("yellow", "interrupted:", process.stderr)} ${state.problem}`);
        problem = state.problem;
        return;
      case "watching": {
        const objects = state.objects.toLocaleString("en");
        if (!begun) report(`${objects} there now. Ctrl-C ends it.`);
        else if (problem !== undefined) report(`back again: ${objects} there now`);
        if (!begun && state.stateless > 0) report(limitText(state.stateless));
        begun = true;
        problem = undefined;
        return;
      }
      default:
        return state satisfies never;
    }
  };
}

function limitText(stateless: number): string {
  return `${counted(stateless, "object")} beyond the memory limit: the first change of each is shown without its patch`;
}
