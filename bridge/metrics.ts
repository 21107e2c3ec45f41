/**
 * What the bridge counts, for Prometheus. Labels are resources and kinds of event, never names of objects: their number is
 * bounded by the configuration.
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { Op } from "./change.ts";
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
    leading: (isLeader) => leader.set(isLeader ? 1 : 0),
    expose: async () => ({ text: await registry.metrics(), contentType: registry.contentType }),
  };
}
