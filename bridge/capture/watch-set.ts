/**
 * The watches that run: those that are asked for now. One that is asked for no more is stopped, one whose kind is read in another version
 * is stopped and, when it has ended, started anew; no two ever run for the same objects.
 */
import { groupOf } from "../kube/kube-object.ts";
import type { WantedWatch } from "./selection.ts";

/** The set. */
export interface WatchSet {
  /** Starts and stops, so that what runs is what is wanted. Tells whether any is wanted no more. */
  reconcile(wanted: readonly WantedWatch[]): boolean;
  /** Rejects with the first error that ended a watch; never resolves. */
  readonly failed: Promise<never>;
  /** Resolves when every watch has ended. */
  ended(): Promise<void>;
}

/** Runs a watch until `signal` aborts. */
export type RunWatch = (wanted: WantedWatch, signal: AbortSignal) => Promise<void>;

interface Running {
  readonly version: string;
  readonly stop: AbortController;
  readonly ended: Promise<void>;
}

/** Makes an empty set; all watches stop when `signal` aborts. */
export function createWatchSet(run: RunWatch, signal: AbortSignal): WatchSet {
  const running = new Map<string, Running>();
  const { promise: failed, reject } = Promise.withResolvers<never>();
  failed.catch(() => undefined); // whoever waits for it hears of it
  const start = (key: string, wanted: WantedWatch, before: Promise<void> | undefined) => {
    const stop = new AbortController();
    const until = AbortSignal.any([signal, stop.signal]);
    const ended = (async () => {
      await before;
      if (!until.aborted) await run(wanted, until);
    })();
    ended.catch(reject);
    const entry: Running = { version: wanted.resource.apiVersion, stop, ended };
    running.set(key, entry);
    const forget = () => running.get(key) === entry && stop.signal.aborted && running.delete(key);
    ended.then(forget, forget);
  };
  return {
    reconcile(wanted) {
      let isOneGone = false;
      const byKey = new Map(wanted.map((each) => [keyOf(each), each]));
      for (const [key, { stop }] of running) {
        if (byKey.has(key) || stop.signal.aborted) continue;
        stop.abort();
        isOneGone = true;
      }
      for (const [key, each] of byKey) {
        const current = running.get(key);
        if (current?.version === each.resource.apiVersion && !current.stop.signal.aborted) continue;
        current?.stop.abort();
        start(key, each, current?.ended);
      }
      return isOneGone;
    },
    failed,
    async ended() {
      await Promise.all([...running.values()].map((each) => each.ended));
    },
  };
}

/** The same objects, in whatever version. */
function keyOf({ resource, namespace }: WantedWatch): string {
  return [groupOf(resource.apiVersion), resource.plural, namespace ?? "*"].join("/");
}
