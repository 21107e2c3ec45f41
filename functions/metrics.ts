/**
 * The metrics of a process of functions, made from what its subscriptions count anyway when somebody asks. No library for it: prom-client takes
 * 21 MB and a quarter of a second to load, which a function that sleeps until its case occurs should not pay.
 */
import type { MetricFamily } from "#contract";
import type { Backlog, SubscriptionStatus, TimerBacklog } from "#kit";

/** A subscription, and what waits for it in NATS; `undefined` while NATS does not say. */
export interface MeasuredSubscription {
  readonly status: SubscriptionStatus;
  readonly backlog: Backlog | undefined;
  /** And what waits for its time there; `undefined` also where nothing ever does. */
  readonly timers: TimerBacklog | undefined;
}

type Read = (subscription: MeasuredSubscription) => number | undefined;

const COUNTERS: readonly (readonly [string, string, Read])[] = [
  ["matched", "Events that the filter matched.", ({ status }) => status.matched],
  ["runs", "Tries of the function, first and further ones.", ({ status }) => status.runs],
  ["retries", "Failed tries that are tried again.", ({ status }) => status.retried],
  ["undecided", "Events for which an expression of the filter had no value.", ({ status }) => status.undecided],
  ["silenced", "Events that a silence held back.", ({ status }) => status.silenced],
  [
    "delayed",
    "Matching events that were stored to wait (for, debounce, batch, or over the limit of throttle).",
    ({ status }) => status.waiting,
  ],
  [
    "overrun_objects",
    "Objects of which events were dropped before they were read.",
    ({ status }) => status.overrunObjects,
  ],
];

const GAUGES: readonly (readonly [string, string, Read])[] = [
  [
    "pending_events",
    "Events that are not delivered yet, of the partitions of this process.",
    ({ backlog }) => backlog?.pending,
  ],
  ["unfinished_events", "Events that are delivered and not finished.", ({ backlog }) => backlog?.unfinished],
  [
    "oldest_waiting_seconds",
    "Age of the oldest event that waits or is not finished; 0 without one.",
    ({ backlog }) => backlog?.oldestSeconds,
  ],
  ["waiting_events", "Events that wait for their time.", ({ timers }) => timers?.waiting],
  ["due_events", "What was due and is not finished; with batch and throttle wake-ups.", ({ timers }) => timers?.due],
  ["events_at_risk", "Unread events of which the next change drops one.", ({ status }) => status.eventsAtRisk],
  ["partitions_held", "Partitions that this process works on.", ({ status }) => status.partitions.held.length],
  ["partitions", "Partitions of the subscription.", ({ status }) => status.partitions.count],
  ["failing", "1 while the subscription cannot run, else 0.", ({ status }) => Number(status.state === "failing")],
];

/** All families of the process; `connected`: to NATS. */
export function functionFamilies(
  subscriptions: readonly MeasuredSubscription[],
  connected: boolean,
): readonly MetricFamily[] {
  const outcomes = subscriptions.flatMap(({ status: { name: subscription, done, skipped, deadLetters } }) => [
    { labels: { subscription, outcome: "done" }, value: done },
    { labels: { subscription, outcome: "skipped" }, value: skipped },
    { labels: { subscription, outcome: "dead_letter" }, value: deadLetters },
  ]);
  const dropped = subscriptions.flatMap(({ status: { name: subscription, dropped: by } }) =>
    Object.entries(by).map(([key, value]) => ({ labels: { subscription, by: key }, value })),
  );
  const family = (type: "counter" | "gauge", name: string, help: string, read: Read): MetricFamily => ({
    ...{ name: `cr_reactor_subscription_${name}${type === "counter" ? "_total" : ""}`, help, type },
    samples: subscriptions.flatMap((each) => {
      const value = read(each);
      return value === undefined ? [] : [{ labels: { subscription: each.status.name }, value }];
    }),
  });
  return [
    {
      name: "cr_reactor_subscription_events_total",
      help: "Events that ended, by how.",
      type: "counter",
      samples: outcomes,
    },
    {
      name: "cr_reactor_subscription_dropped_total",
      help: "Matching events that were left out, by what left them out; they are among the skipped.",
      type: "counter",
      samples: dropped,
    },
    ...COUNTERS.map(([name, help, read]) => family("counter", name, help, read)),
    ...GAUGES.map(([name, help, read]) => family("gauge", name, help, read)),
    single("cr_reactor_nats_connected", "1 while connected to NATS, else 0.", Number(connected)),
    ...processFamilies(),
  ];
}

/** As every exporter names them. */
function processFamilies(): readonly MetricFamily[] {
  const { user, system } = process.cpuUsage();
  const { rss, heapUsed } = process.memoryUsage();
  return [
    single(
      "process_cpu_seconds_total",
      "Time that the processor worked for this process.",
      (user + system) / 1e6,
      "counter",
    ),
    single("process_resident_memory_bytes", "Memory of this process.", rss),
    single("process_start_time_seconds", "When this process started.", Date.now() / 1000 - process.uptime()),
    single("nodejs_heap_size_used_bytes", "Heap that is used.", heapUsed),
  ];
}

function single(name: string, help: string, value: number, type: "counter" | "gauge" = "gauge"): MetricFamily {
  return { name, help, type, samples: [{ labels: {}, value }] };
}
