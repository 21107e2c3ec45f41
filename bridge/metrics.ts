/**
 * What the bridge counts, for Prometheus. Labels are resources and kinds of event, never names of objects: their number is
 * bounded by the configuration.
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { Op } from "./change.ts";
import type { DifferenceKind } from "./comparison.ts";
import type { WatchEvent } from "./reflector.ts";

/** Where the bridge's parts report to. */
export interface Metrics {
  published(resource: string, op: Op, ms: number): void;
  seen(resource: string, type: WatchEvent["type"]): void;
  watched(resource: string, objects: number, stateBytes: number, inFlight: number): void;
  state(resource: string, live: boolean): void;
  /** Drops what was reported under a provisional name. */
  forget(resource: string): void;
  publishTrouble(): void;
  /** How many events wait because the log is full. */
  waitingForRoom(events: number): void;
  /** Events that the janitor removed from the log. */
  trimmed(resource: string, reason: "deleted" | "room", events: number): void;
  /** How full the log is; the limit may be Infinity. */
  logUsage(bytes: number, bytesMax: number): void;
  /** A comparison of the cluster with the log has finished. */
  verified(resource: string): void;
  /** An object about which they differed. */
  differed(resource: string, kind: DifferenceKind): void;
  /** The watch starts over by itself: NATS has lost events, or etcd was restored. */
  recovered(resource: string, cause: "log-lost" | "rewound"): void;
  /** Whether this process captures, as leader or without leader election. */
  leading(isLeader: boolean): void;
  /** The text exposition format, and its content type. */
  expose(): Promise<{ readonly text: string; readonly contentType: string }>;
}

/** From less than a network round trip to the time after which something is wrong. */
const PUBLISH_BUCKETS_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5, 30];

/** Makes a registry of its own, with Node's process metrics. */
export function createMetrics(): Metrics {
  const registers = [new Registry()];
  const [registry] = registers as [Registry];
  collectDefaultMetrics({ register: registry });
  const resource = ["resource"] as const;
  const events = new Counter({
    name: "cr_reactor_events_published_total",
    help: "Events acknowledged by NATS.",
    labelNames: [...resource, "op"],
    registers,
  });
  const sightings = new Counter({
    name: "cr_reactor_watch_events_total",
    help: "Watch and list events read from the API server.",
    labelNames: [...resource, "type"],
    registers,
  });
  const publishing = new Histogram({
    name: "cr_reactor_publish_seconds",
    help: "From the difference to the acknowledgement.",
    labelNames: resource,
    buckets: PUBLISH_BUCKETS_SECONDS,
    registers,
  });
  const objects = new Gauge({
    name: "cr_reactor_objects",
    help: "Objects known to the bridge, tombstones included.",
    labelNames: resource,
    registers,
  });
  const bytes = new Gauge({
    name: "cr_reactor_state_bytes",
    help: "Estimated heap of the states kept in memory.",
    labelNames: resource,
    registers,
  });
  const flight = new Gauge({
    name: "cr_reactor_in_flight",
    help: "Objects being published.",
    labelNames: resource,
    registers,
  });
  const live = new Gauge({
    name: "cr_reactor_watch_live",
    help: "1 while the watch is established, else 0.",
    labelNames: resource,
    registers,
  });
  const trouble = new Counter({
    name: "cr_reactor_publish_retries_total",
    help: "Publishes that had to be tried again.",
    registers,
  });
  const verifications = new Counter({
    name: "cr_reactor_verifications_total",
    help: "Finished comparisons of the cluster with the log.",
    labelNames: resource,
    registers,
  });
  const verifiedAt = new Gauge({
    name: "cr_reactor_last_verification_timestamp_seconds",
    help: "When the last comparison of the cluster with the log finished.",
    labelNames: resource,
    registers,
  });
  const differences = new Counter({
    name: "cr_reactor_differences_total",
    help: "Objects about which the log differed from the cluster.",
    labelNames: [...resource, "kind"],
    registers,
  });
  const recoveries = new Counter({
    name: "cr_reactor_recoveries_total",
    help: "Watches that started over by themselves.",
    labelNames: [...resource, "cause"],
    registers,
  });
  const waiting = new Gauge({
    name: "cr_reactor_waiting_for_room",
    help: "Events that wait because CR_EVENTS is full: above 0, capture is held up.",
    registers,
  });
  const trims = new Counter({
    name: "cr_reactor_events_trimmed_total",
    help: "Events that were removed from CR_EVENTS: of objects that are deleted, or to make room.",
    labelNames: [...resource, "reason"],
    registers,
  });
  const logBytes = new Gauge({ name: "cr_reactor_log_bytes", help: "Size of CR_EVENTS.", registers });
  const logBytesMax = new Gauge({ name: "cr_reactor_log_bytes_max", help: "Size limit of CR_EVENTS.", registers });
  const leader = new Gauge({
    name: "cr_reactor_is_leader",
    help: "1 while this bridge captures, 0 while it stands by for another.",
    registers,
  });
  return {
    published(name, op, ms) {
      events.inc({ resource: name, op });
      publishing.observe({ resource: name }, ms / 1000);
    },
    seen: (name, type) => sightings.inc({ resource: name, type }),
    watched(name, count, stateBytes, inFlight) {
      objects.set({ resource: name }, count);
      bytes.set({ resource: name }, stateBytes);
      flight.set({ resource: name }, inFlight);
    },
    state: (name, isLive) => live.set({ resource: name }, isLive ? 1 : 0),
    forget: (name) => live.remove({ resource: name }),
    publishTrouble: () => trouble.inc(),
    waitingForRoom: (count) => waiting.set(count),
    trimmed: (name, reason, count) => trims.inc({ resource: name, reason }, count),
    logUsage(used, limit) {
      logBytes.set(used);
      logBytesMax.set(limit);
    },
    verified(name) {
      verifications.inc({ resource: name });
      verifiedAt.set({ resource: name }, Date.now() / 1000);
    },
    differed: (name, kind) => differences.inc({ resource: name, kind }),
    recovered: (name, cause) => recoveries.inc({ resource: name, cause }),
    leading: (isLeader) => leader.set(isLeader ? 1 : 0),
    expose: async () => ({ text: await registry.metrics(), contentType: registry.contentType }),
  };
}
