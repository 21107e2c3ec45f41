/**
 * The counters, gauges and histograms of the bridge, with Node's own: one line of help each says what is counted. What they hold is handed on
 * as families, because prom-client writes one of the two formats at a time, and its OpenMetrics renames the counters.
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { MetricFamily } from "./exposition.ts";

/** From less than a network round trip to the time after which something is wrong. */
const PUBLISH_BUCKETS_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5, 30];
/** From a controller that is quick to a phase that is the usual one: a second to a week. */
const PHASE_BUCKETS_SECONDS = [1, 5, 15, 60, 300, 900, 3_600, 14_400, 86_400, 604_800];

/** From one page to the longest that a first list of 100,000 objects was seen to take, and beyond. */
const LIST_BUCKETS_SECONDS = [0.1, 0.5, 1, 5, 15, 60, 300];
const LIST_BUCKETS_ITEMS = [0, 10, 100, 1_000, 10_000, 100_000];

/** Makes them in a registry of their own. */
export function createInstruments() {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const counter = <L extends string>(name: string, help: string, ...labelNames: L[]) =>
    new Counter<L>({ name, help, labelNames, registers });
  const gauge = <L extends string>(name: string, help: string, ...labelNames: L[]) =>
    new Gauge<L>({ name: `cr_reactor_${name}`, help, labelNames, registers });
  const histogram = <L extends string>(name: string, help: string, buckets: number[], ...labelNames: L[]) =>
    new Histogram<L>({ name, help, buckets, labelNames, registers });
  return {
    ...eventInstruments(counter, histogram),
    ...watchInstruments(counter, gauge, histogram),
    ...logInstruments(counter, gauge),
    requests: counter("rest_client_requests_total", "Requests to the API server, by their answer.", "method", "code"),
    kubeEvents: counter(
      "cr_reactor_kube_events_total",
      "Kubernetes Events about the bridge itself: written, left out because there were too many, or failed.",
      "outcome",
    ),
    families: () => familiesIn(registry),
    leader: gauge("is_leader", "1 while this bridge captures, 0 while it stands by for another."),
  };
}

/** All of them. */
export type Instruments = ReturnType<typeof createInstruments>;

type MakeCounter = <L extends string>(name: string, help: string, ...labelNames: L[]) => Counter<L>;
type MakeGauge = <L extends string>(name: string, help: string, ...labelNames: L[]) => Gauge<L>;
type MakeHistogram = <L extends string>(
  name: string,
  help: string,
  buckets: number[],
  ...labelNames: L[]
) => Histogram<L>;

function eventInstruments(counter: MakeCounter, histogram: MakeHistogram) {
  return {
    events: counter("cr_reactor_events_published_total", "Events acknowledged by NATS.", "resource", "op"),
    changes: counter(
      "cr_reactor_changes_total",
      "Published events, by the part that changed: one with two parts counts in both.",
      "resource",
      "op",
      "part",
    ),
    gaps: counter("cr_reactor_gaps_total", "Published events before which states may be missing.", "resource"),
    refusals: counter(
      "cr_reactor_fence_refusals_total",
      "Events that NATS refused, because its newest one of the object is another.",
      "resource",
    ),
    trouble: counter("cr_reactor_publish_retries_total", "Publishes that had to be tried again."),
    publishing: histogram(
      "cr_reactor_publish_seconds",
      "From the difference to the acknowledgement.",
      PUBLISH_BUCKETS_SECONDS,
      "resource",
    ),
    phaseHeld: histogram(
      "cr_reactor_phase_duration_seconds",
      "How long a phase was held that an object has left.",
      PHASE_BUCKETS_SECONDS,
      "resource",
      "phase",
    ),
  };
}

function watchInstruments(counter: MakeCounter, gauge: MakeGauge, histogram: MakeHistogram) {
  return {
    sightings: counter(
      "cr_reactor_watch_events_total",
      "Watch and list events read from the API server.",
      "resource",
      "type",
    ),
    lists: counter("reflector_lists_total", "Lists that were begun.", "resource"),
    listSeconds: histogram(
      "reflector_list_duration_seconds",
      "From the beginning of a list until all of it is read, which goes no faster than it is published.",
      LIST_BUCKETS_SECONDS,
      "resource",
    ),
    listItems: histogram("reflector_items_per_list", "Objects in a list.", LIST_BUCKETS_ITEMS, "resource"),
    watches: counter("reflector_watches_total", "Watches that were established.", "resource"),
    live: gauge("watch_live", "1 while the watch is established, else 0.", "resource"),
    problem: gauge("watch_problem", "1 while the watch waits for this to be over.", "resource", "reason"),
    progressAt: gauge(
      "watch_last_event_timestamp_seconds",
      "When the API server was last heard of in the watch; bookmarks come every minute.",
      "resource",
    ),
    known: gauge("known_objects", "Objects in the bridge's index, tombstones included.", "resource"),
    stateBytes: gauge("state_bytes", "Estimated heap of the states kept in memory.", "resource"),
    inFlight: gauge("in_flight", "Objects being published.", "resource"),
    checkpointLag: gauge(
      "checkpoint_lag_seconds",
      "For how long there has been something read that the checkpoint does not have.",
      "resource",
    ),
    verifications: counter(
      "cr_reactor_verifications_total",
      "Finished comparisons of the cluster with the log.",
      "resource",
    ),
    verifiedAt: gauge(
      "last_verification_timestamp_seconds",
      "When the last comparison of the cluster with the log finished.",
      "resource",
    ),
    differences: counter(
      "cr_reactor_differences_total",
      "Objects about which the log differed from the cluster.",
      "resource",
      "kind",
    ),
    recoveries: counter("cr_reactor_recoveries_total", "Watches that started over by themselves.", "resource", "cause"),
  };
}

function logInstruments(counter: MakeCounter, gauge: MakeGauge) {
  return {
    waiting: gauge("waiting_for_room", "Events that wait because CR_EVENTS is full: above 0, capture is held up."),
    trims: counter(
      "cr_reactor_events_trimmed_total",
      "Events that were removed from CR_EVENTS: of objects that are deleted, or to make room.",
      "resource",
      "reason",
    ),
    logBytes: gauge("log_bytes", "Size of CR_EVENTS."),
    logBytesMax: gauge("log_bytes_max", "Size limit of CR_EVENTS."),
  };
}

async function familiesIn(registry: Registry): Promise<readonly MetricFamily[]> {
  const metrics = await registry.getMetricsAsJSON();
  return metrics.map(({ name, help, type, values }) => ({
    name,
    help,
    // In this form the type is the text, in prom-client's typings a number.
    type: type as unknown as MetricFamily["type"],
    samples: values.map(({ value, labels, ...rest }) => {
      const { metricName = name } = rest as { readonly metricName?: string };
      return { suffix: metricName.slice(name.length), labels: labels as Readonly<Record<string, string>>, value };
    }),
  }));
}
