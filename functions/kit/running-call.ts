/**
 * Which call of a function the running code belongs to, also in what it started and did not wait for: an error that comes out of
 * nowhere (a rejected promise nobody awaited, a throw in a timer) is told with the subscription and the event it came from.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import type { TraceContext, Tracing } from "#contract";

/** What a call, or a part of it, hands on to those that it asks something. */
export interface CallTrace {
  /** `undefined`: the event's traceparent is none. */
  readonly context: TraceContext | undefined;
  /** `undefined`: spans are not wanted. */
  readonly tracing: Tracing | undefined;
}

/** One call, as it is told. */
export interface RunningCall {
  readonly subscription: string;
  readonly eventId: string;
  readonly attempt: number;
  /** Left out: its requests hand nothing on. */
  readonly trace?: CallTrace | undefined;
}

/** A key to Node's own state, and no state itself. */
const storage = new AsyncLocalStorage<RunningCall>();

/** Runs the call so that what comes out of it can be told apart. */
export function asCall<T>(call: RunningCall, run: () => T): T {
  return storage.run(call, run);
}

/** The call that the running code belongs to; `undefined` when it belongs to none. */
export function runningCall(): RunningCall | undefined {
  return storage.getStore();
}
