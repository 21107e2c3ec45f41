/**
 * Whether the bridge does its work, for /readyz, and what keeps it from it. Nothing is restarted for it: it is for the person who
 * looks, and for alerts on Pods that are not ready.
 */
import type { CaptureState } from "../capture/capture-state.ts";
import type { LeaderState } from "../leader/leader.ts";
import type { JetStream } from "../nats/jetstream.ts";
import type { Readiness } from "./health.ts";

/** What each watch is doing, by its resource. */
export type WatchStates = Map<string, CaptureState>;

/** What readiness is told from. */
export interface BridgeState {
  /** `undefined` before the first connection. */
  readonly jetStream: Pick<JetStream, "connected"> | undefined;
  readonly states: WatchStates;
  readonly leader: LeaderState;
  /** How many events wait because the log is full. */
  readonly waitingForRoom: number;
}

/**
 * Ready while events can be captured: NATS is connected and takes them, and at least one watch is live; or another bridge is known to
 * lead. One missing resource is told, a full log makes unready: then capture is held up until a person acts.
 */
export function readiness({ jetStream, states, leader, waitingForRoom }: BridgeState): Readiness {
  const live = [...states.values()].some((state) => state.type === "watching");
  const nats = jetStream?.connected === true;
  return {
    ready: nats && waitingForRoom === 0 && (live || leader.type === "standby"),
    details: {
      nats: nats ? "connected" : "disconnected",
      ...(waitingForRoom > 0 && { log: `full: ${waitingForRoom} events wait for room in CR_EVENTS` }),
      leaderElection: leader.type === "standby" ? `standby of ${leader.holder}` : leader,
      watches: Object.fromEntries(states),
    },
  };
}
