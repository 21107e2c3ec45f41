/**
 * Watches one resource and writes nothing anywhere: reflector → decide → seal, as the bridge goes, with memory in the place of the
 * log. What it yields is what the bridge would publish — ids, patches, transitions, actors — as long as it runs; it remembers
 * nothing of the time before, and nothing when it ends. Only Secrets differ: their values are redacted.
 *
 * Memory: 0.8 KB for every object (measured), and the last states within a limit, the least recently changed going first. A change
 * of an object whose state went is told without its patch, as a first sight with a gap (`existing`, `gap: true`), and its state is kept
 * again from then on; its deletion, where a list reveals it, tells its name alone.
 */
import { randomBytes } from "node:crypto";
import type { BackoffOptions } from "./backoff.ts";
import { type WatchedResource, watchedResource } from "./capture/resource.ts";
import type { Envelope } from "./event/envelope.ts";
import { type ApiRequest, type ApiServer, ApiStatusError } from "./kube/api-server.ts";
import type { ServedResource } from "./kube/discovery.ts";
import { type ReflectorState, reflect } from "./kube/reflector.ts";
import { createStore, type Store } from "./log/store.ts";
import { createObserver } from "./observer.ts";

export { parsePhaseSource } from "./event/transitions.ts";

/** What is watched, and whom to tell. */
export interface ObserveOptions {
  readonly apiServer: ApiServer;
  readonly resource: WatchedResource;
  /** Only objects of this name. Default: all. */
  readonly name?: string;
  /** Yield the objects that were there at first, too. Default: false. */
  readonly existing?: boolean;
  readonly signal: AbortSignal;
  readonly onState: (state: ObserverState) => void;
  /** Heap for the last states, in bytes. Default: 256 MiB. */
  readonly stateBytesMax?: number;
  /** Default: client-go's. */
  readonly backoff?: BackoffOptions;
}

/** What it is doing. `objects` are known; the states of `stateless` of them are beyond the limit. */
export type ObserverState =
  | { readonly type: "listing" | "watching"; readonly objects: number; readonly stateless: number }
  | Extract<ReflectorState, { readonly type: "waiting" }>;

/** The API server does not let this user watch the resource; `problem` names what is missing. */
export class RefusedError extends Error {
  readonly code = "REFUSED";
  override readonly name = "RefusedError";
}

/**
 * 63,000 objects of 1.5 KB (measured; they take 150 MB, because what is counted is the larger event). With the entries of as many
 * objects again it stays below the heap that V8 gives itself on a machine with 2 GB (a quarter of the memory).
 */
export const STATE_BYTES_MAX = 256 * 1024 ** 2;
/** As in the configuration. */
const CLUSTER_LENGTH_MAX = 63;

/**
 * Yields the changes until `signal` aborts. Throws RefusedError when the resource may not be read from the start; what happens
 * later is waited out, and told through `onState`.
 */
export async function* observe(options: ObserveOptions): AsyncGenerator<Envelope, void, void> {
  const refused = new AbortController();
  const signal = AbortSignal.any([options.signal, refused.signal]);
  const { apiServer, lastRefusal } = noticingRefusals(options.apiServer);
  const store = createStore(options.stateBytesMax ?? STATE_BYTES_MAX);
  let complete = false;
  let stateless = 0;
  const onState = (state: ReflectorState) => {
    if (state.type === "paused") return; // whoever reads the changes knows best that nobody does
    if (state.type !== "waiting") return options.onState({ type: state.type, objects: store.size, stateless });
    const refusal = complete ? undefined : lastRefusal();
    if (refusal === undefined) return options.onState(state);
    refused.abort(new RefusedError(state.problem, { cause: refusal }));
  };
  const observer = createObserver({ ...options, apiServer, store, signal, onState });
  for await (const event of reflect({ ...options, apiServer, signal, onState })) {
    for await (const { op, payload } of observer(event, !complete)) {
      const wasThere = op === "existing" && event.type === "initial" && !complete;
      if (!wasThere || options.existing) yield JSON.parse(payload) as Envelope;
    }
    if (event.type !== "listed") continue;
    complete = true;
    stateless = countStateless(store);
  }
  refused.signal.throwIfAborted();
}

function countStateless(store: Store): number {
  let stateless = 0;
  for (const [key] of store.entries()) stateless += store.stateOf(key) === undefined ? 1 : 0;
  return stateless;
}

/** Lets through every request, and keeps in mind whether the last answer was that this user may not. */
function noticingRefusals(apiServer: ApiServer) {
  let refusal: ApiStatusError | undefined;
  const notice = async <T>(answer: Promise<T>): Promise<T> => {
    try {
      const value = await answer;
      refusal = undefined;
      return value;
    } catch (error) {
      refusal = error instanceof ApiStatusError && [401, 403].includes(error.status) ? error : undefined;
      throw error;
    }
  };
  const noticing: ApiServer = {
    ...apiServer,
    open: (path, request) => notice(apiServer.open(path, request)),
    json: <T>(path: string, request?: ApiRequest) => notice(apiServer.json<T>(path, request)),
  };
  return { apiServer: noticing, lastRefusal: () => refusal };
}

/** What a resource is watched with when there is no configuration. */
export interface ObservedSettings {
  /** The kubeconfig's context: the cluster is named after it. */
  readonly context: string;
  /** Left out: all namespaces, or a cluster-scoped kind. */
  readonly namespace?: string;
  /** A path, or `condition:Ready`; left out: where the kind has it. */
  readonly phase?: string | undefined;
}

/** Joins the settings with what discovery found. Throws an Error when the phase is neither a path nor a condition. */
export function observedResource(served: ServedResource, settings: ObservedSettings): WatchedResource {
  const { context, namespace, phase } = settings;
  return watchedResource(clusterNameOf(context), { ...served, phase }, served, namespace, {
    redactionKeys: { current: randomBytes(32) }, // nothing is kept, so nothing has to be recognised later
  });
}

/** A context's name by the configuration's rule for clusters: `a-z`, `0-9` and `-`, at most 63. What is cut is the beginning. */
export function clusterNameOf(context: string): string {
  const plain = context.toLowerCase().replace(/[^a-z0-9]+/g, "-");
  return plain.slice(-CLUSTER_LENGTH_MAX).replace(/^-+|-+$/g, "") || "cluster";
}
