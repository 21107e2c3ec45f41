/**
 * What the bridge tells of itself as Kubernetes Events: whatever it counts that a person who looks at the cluster would want to know. It stands
 * before the metrics and hears what they hear, from the one that captures alone.
 *
 * The sentences are made of names that the configuration and the API server's kinds have: never of an object, never of an error's own text.
 */
import type { CaptureState } from "../capture/capture.ts";
import type { EventRecorder, KubeEvent } from "../kube/event-recorder.ts";
import type { ProblemReason, WatchProblem } from "../kube/problem.ts";
import type { Metrics } from "./metrics.ts";

type Recovery = Parameters<Metrics["recovered"]>[1];

const LOG = "CR_EVENTS";

/** Reasons of Events about a watch that cannot go on. `undefined`: the look for kinds tells it, or the kind has left as its events say. */
const WATCH_REASONS: Readonly<Record<ProblemReason, string | undefined>> = {
  forbidden: "WatchForbidden",
  unauthorized: "WatchUnauthorized",
  "not-found": undefined,
  "not-served": "KindMissing",
  silent: "WatchSilent",
  other: "WatchFailed",
};

const RECOVERIES: Readonly<Record<Recovery, readonly [reason: string, note: string]>> = {
  "log-lost": [
    "LogLost",
    "NATS has lost events that it had acknowledged: everything is compared with the log, and published again where it differs",
  ],
  rewound: ["HistoryRewound", "etcd was restored from a backup: everything is listed and compared with the log"],
};

/** The metrics, with a recorder that hears of what is worth an Event. */
export function tellingEvents(metrics: Metrics, { record }: EventRecorder): Metrics {
  const troubled = new Set<string>();
  const warn = (reason: string, action: string, about: string, note: string) =>
    record({ type: "Warning", reason, action, about, note: `${about}: ${note}` });
  let isFull = false;
  return {
    ...metrics,
    state(resource, state) {
      metrics.state(resource, state);
      for (const event of watchEvents(resource, state, troubled)) record(event);
    },
    forget(resource) {
      metrics.forget(resource);
      troubled.delete(resource);
    },
    published(resource, event) {
      metrics.published(resource, event);
      if (event.gap)
        warn("GapPublished", "Publish", resource, "states may have been missed; events with gap say the net change");
    },
    differed(resource, kind) {
      metrics.differed(resource, kind);
      warn(
        "LogDiffered",
        "Verify",
        resource,
        "the log differed from the cluster; what was missing is published, and the bridge's log says what it was",
      );
    },
    recovered(resource, cause) {
      metrics.recovered(resource, cause);
      const [reason, note] = RECOVERIES[cause];
      warn(reason, "Recover", resource, note);
    },
    waitingForRoom(events) {
      metrics.waitingForRoom(events);
      if (isFull === events > 0) return;
      isFull = events > 0;
      if (isFull)
        warn(
          "LogFull",
          "Publish",
          LOG,
          `full: capture waits, nothing is lost; give it more room (nats stream edit ${LOG} --max-bytes=…)`,
        );
      else
        record({
          type: "Normal",
          reason: "LogHasRoom",
          action: "Publish",
          about: LOG,
          note: `${LOG} has room again: capture goes on`,
        });
    },
  };
}

/** Each failed try is told, so that an Event lasts as long as its trouble. */
function* watchEvents(resource: string, state: CaptureState, troubled: Set<string>): Generator<KubeEvent> {
  const about = { action: "Watch", about: resource } as const;
  switch (state.type) {
    case "waiting": {
      const reason = WATCH_REASONS[state.reason];
      if (reason === undefined) return;
      troubled.add(resource);
      return yield { type: "Warning", reason, ...about, note: noteOf(resource, state) };
    }
    case "listing":
      if (state.expired)
        yield {
          type: "Normal",
          reason: "WatchExpired",
          ...about,
          note: `${resource}: the API server has no history from where the watch was: everything is listed and compared`,
        };
      return;
    case "watching":
      if (troubled.delete(resource))
        yield { type: "Normal", reason: "WatchRestored", ...about, note: `${resource} is watched` };
      return;
    case "starting":
    case "paused":
      return;
    default:
      return state satisfies never;
  }
}

function noteOf(resource: string, { reason, problem }: WatchProblem): string {
  return reason === "other" ? `${resource} cannot be watched: the bridge's log says why` : problem;
}
