/**
 * Whether a process of `cr-reactor run` does its work, for /readyz: it is told apart by subscription, and nothing is restarted for it. A
 * process that stands by for others, or waits for the first bridge, is ready.
 */
import type { Readiness } from "#contract";
import type { SubscriptionState, SubscriptionStatus } from "#kit";

/** What readiness is told from. */
export interface FunctionsState {
  /** `undefined` before the first connection to NATS. */
  readonly connected: boolean | undefined;
  readonly subscriptions: readonly Pick<SubscriptionStatus, "name" | "state" | "partitions" | "edit" | "lastError">[];
  /** Told to stop. */
  readonly stopping: boolean;
}

/** States in which a subscription gets what is its own. */
const WELL: readonly SubscriptionState[] = ["running", "standby", "waiting"];

/** Ready while NATS is connected and at least one subscription is well: one that fails does not take the others away. */
export function readinessOf({ connected, subscriptions, stopping }: FunctionsState): Readiness {
  return {
    ready: connected === true && !stopping && subscriptions.some(({ state }) => WELL.includes(state)),
    details: {
      nats: connected === true ? "connected" : "disconnected",
      subscriptions: Object.fromEntries(
        subscriptions.map(({ name, state, partitions, edit, lastError }) => [
          name,
          {
            state,
            partitions: `${partitions.held.length} of ${partitions.count} held`,
            ...(edit && { edit: edit.waitsFor }),
            ...(state === "failing" && lastError !== undefined && { error: lastError }),
          },
        ]),
      ),
    },
  };
}
