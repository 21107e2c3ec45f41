/** What `dev` and the process of its functions say to each other. */
import type { Json } from "#contract";

/** To the functions: an event, or one of before that they should know of. */
export interface DevEvent {
  readonly type: "event" | "past";
  /** The event's JSON. */
  readonly payload: string;
}

/** From the functions. */
export type DevReport =
  | {
      readonly type: "loaded";
      readonly subscriptions: readonly DevSubscription[];
      readonly problems: readonly string[];
    }
  | { readonly type: "delivered"; readonly deliveries: readonly Delivery[] };

/** A subscription that is ready. */
export interface DevSubscription {
  readonly name: string;
  readonly functionName: string;
  readonly apiVersion: string;
  readonly kind: string;
}

/** What became of one event in one subscription. */
export interface Delivery {
  readonly subscription: string;
  readonly outcome: "done" | "skipped" | "silenced" | "retry" | "dead-letter";
  /** What the function returned. */
  readonly note?: string | undefined;
  /** Why it was skipped. */
  readonly reason?: string | undefined;
  readonly error?: string | undefined;
  readonly steps: readonly { readonly name: string; readonly type: string; readonly result?: Json | undefined }[];
  /** What was not sent; without secrets. */
  readonly unsent: readonly Unsent[];
  readonly logs: readonly Readonly<Record<string, unknown>>[];
  readonly ms: number;
}

/** A request that was not sent; `CONNECT` is any other connection. */
export interface Unsent {
  readonly method: string;
  readonly url: string;
  readonly body: string;
}
