/**
 * What the bridge tells of itself as Kubernetes Events: of what it counts, whatever a person who looks at the cluster would want to know. It
 * stands before the metrics and hears what they hear, so it is the one that captures that tells.
 *
 * The sentences are made of names that the configuration and the API server's kinds have: never of an object, never of an error's own text.
 */
import type { CaptureState } from "../capture/capture-state.ts";
import type { EventRecorder, KubeEvent } from "../kube/event-recorder.ts";
import type { ProblemReason } from "../kube/problem.ts";
import type { Metrics } from "./metrics.ts";

const LOG = "CR_EVENTS";

/** The sentence goes on behind the name of what it is about. */
const EVENTS = {
  WatchForbidden: ["Warning", "Watch", "may not be read"],
  WatchUnauthorized: ["Warning", "Watch", "the API server does not accept the credentials"],
  WatchSilent: ["Warning", "Watch", "the API server was silent, and the connection is given up"],
  WatchFailed: ["Warning", "Watch", "cannot be watched; the bridge's log says why"],
  KindMissing: ["Warning", "Watch", "is not served"],
  WatchExpired: [
    "Normal",
    "Watch",
    "the API server has no history from where the watch was; all is listed and compared",
  ],
  WatchRestored: ["Normal", "Watch", "is watched"],
  GapPublished: ["Warning", "Publish", "states may have been missed; events with gap say the net change"],
  LogDiffered: [
    "Warning",
    "Verify",
    "the log differed from the cluster; what it lacked is published, and the bridge's log says what",
  ],
  LogLost: [
    "Warning",
    "Recover",
    "NATS has lost events that it had acknowledged; what the log lacks is published again",
  ],
  HistoryRewound: ["Warning", "Recover", "etcd was restored from a backup; all is listed and compared"],
  LogFull: [
    "Warning",
    "Publish",
    "is full; capture waits, nothing is lost: give it more room (nats stream edit CR_EVENTS --max-bytes=…)",
  ],
  LogHasRoom: ["Normal", "Publish", "has room again; capture goes on"],
} as const satisfies Record<string, readonly [KubeEvent["type"], action: string, sentence: string]>;
type Reason = keyof typeof EVENTS;

/** Of a watch that waits. Nothing: the look for kinds tells of it, or the kind is gone, and its events say so. */
const WATCH_REASONS: Readonly<Record<ProblemReason, Reason | undefined>> = {
  forbidden: "WatchForbidden",
  unauthorized: "WatchUnauthorized",
  "not-found": undefined,
  "not-served": "KindMissing",
  silent: "WatchSilent",
  other: "WatchFailed",
};
/** An API server that starts again fails a few tries of every watch: no news. */
const OTHER_ATTEMPTS_MIN = 5;
/** Their problem has more to say, such as the rule that is missing, and nothing that is not in the configuration. */
const TOLD_IN_FULL: ReadonlySet<Reason> = new Set(["WatchForbidden", "KindMissing"]);

const RECOVERY_REASONS: Readonly<Record<Parameters<Metrics["recovered"]>[1], Reason>> = {
  "log-lost": "LogLost",
  rewound: "HistoryRewound",
};

/** The metrics, with a recorder that hears of what is worth an Event. */
export function tellingEvents(metrics: Metrics, { record }: EventRecorder): Metrics {
  const troubled = new Set<string>();
  let isFull = false;
  const tell = (reason: Reason, about: string, note?: string) => {
    const [type, action, sentence] = EVENTS[reason];
    record({ type, reason, action, about, note: note ?? `${about}: ${sentence}` });
  };
  return {
    ...metrics,
    state(resource, state) {
      metrics.state(resource, state);
      const reason = reasonOf(state, troubled.has(resource));
      if (reason === undefined) return;
      if (state.type === "waiting") troubled.add(resource);
      if (state.type === "watching") troubled.delete(resource);
      tell(reason, resource, state.type === "waiting" && TOLD_IN_FULL.has(reason) ? state.problem : undefined);
    },
    forget(resource) {
      metrics.forget(resource);
      troubled.delete(resource);
    },
    published(resource, event) {
      metrics.published(resource, event);
      if (event.gap) tell("GapPublished", resource);
    },
    differed(resource, kind) {
      metrics.differed(resource, kind);
      tell("LogDiffered", resource);
    },
    recovered(resource, cause) {
      metrics.recovered(resource, cause);
      tell(RECOVERY_REASONS[cause], resource);
    },
    waitingForRoom(events) {
      metrics.waitingForRoom(events);
      if (isFull === events > 0) return;
      isFull = events > 0;
      tell(isFull ? "LogFull" : "LogHasRoom", LOG);
    },
  };
}

/** Each failed try is told, so that an Event lasts as long as its trouble. */
function reasonOf(state: CaptureState, isTroubled: boolean): Reason | undefined {
  switch (state.type) {
    case "waiting":
      if (state.reason === "other" && state.attempt < OTHER_ATTEMPTS_MIN) return undefined;
      return WATCH_REASONS[state.reason];
    case "listing":
      return state.expired && "WatchExpired";
    case "watching":
      return isTroubled ? "WatchRestored" : undefined;
    case "starting":
    case "paused":
      return undefined;
    default:
      return state satisfies never;
  }
}
