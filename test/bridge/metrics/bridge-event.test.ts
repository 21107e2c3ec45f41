import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { KubeEvent } from "../../../bridge/kube/event-recorder.ts";
import type { ProblemReason } from "../../../bridge/kube/problem.ts";
import { tellingEvents } from "../../../bridge/metrics/bridge-event.ts";
import { createMetrics, type Metrics } from "../../../bridge/metrics/metrics.ts";

const R = "databases.demo.example.com";
const SECRET = "hunter2";
const waiting = (reason: ProblemReason, attempt = 1) =>
  ({ type: "waiting", reason, problem: `${R}: ${SECRET}`, attempt }) as const;
const event = { op: "updated", changed: [], ms: 1 } as const;

const rows: readonly { name: string; happens: (metrics: Metrics) => void; told: readonly string[] }[] = [
  {
    name: "a watch that may not read, each time, and that it may again, once",
    happens(metrics) {
      for (const attempt of [1, 2]) metrics.state(R, waiting("forbidden", attempt));
      metrics.state(R, { type: "listing" });
      for (const type of ["watching", "paused", "watching"] as const) metrics.state(R, { type });
    },
    told: ["Warning WatchForbidden", "Warning WatchForbidden", "Normal WatchRestored"],
  },
  {
    name: "credentials that are not accepted, and silence",
    happens(metrics) {
      metrics.state(R, waiting("unauthorized"));
      metrics.state(R, waiting("silent"));
      metrics.state(R, { type: "watching" });
    },
    told: ["Warning WatchUnauthorized", "Warning WatchSilent", "Normal WatchRestored"],
  },
  {
    name: "any other trouble only when it lasts",
    happens(metrics) {
      for (const attempt of [1, 2, 3, 4]) metrics.state(R, waiting("other", attempt));
      metrics.state(R, { type: "watching" });
      for (const attempt of [1, 2, 3, 4, 5]) metrics.state(R, waiting("other", attempt));
      metrics.state(R, { type: "watching" });
    },
    told: ["Warning WatchFailed", "Normal WatchRestored"],
  },
  {
    name: "a kind that is not there, and nothing of a watch whose kind has left",
    happens(metrics) {
      metrics.state(R, { type: "watching" });
      metrics.state(R, waiting("not-found"));
      metrics.forget(R);
      metrics.state("Database", waiting("not-served"));
      metrics.state("Database", { type: "watching" });
      metrics.forget("Database");
    },
    told: ["Warning KindMissing", "Normal WatchRestored"],
  },
  {
    name: "nothing of a watch that begins, and of one that stops in trouble no recovery",
    happens(metrics) {
      for (const type of ["starting", "listing", "watching"] as const) metrics.state(R, { type });
      metrics.state(R, waiting("forbidden"));
      metrics.forget(R);
      metrics.state(R, { type: "watching" });
    },
    told: ["Warning WatchForbidden"],
  },
  {
    name: "a history that is gone",
    happens: (metrics) => metrics.state(R, { type: "listing", expired: true }),
    told: ["Normal WatchExpired"],
  },
  {
    name: "gaps, and no other events",
    happens(metrics) {
      metrics.published(R, { ...event, gap: false });
      metrics.published(R, { ...event, gap: true });
    },
    told: ["Warning GapPublished"],
  },
  {
    name: "a log that differed, was lost, or is behind a restored etcd",
    happens(metrics) {
      metrics.differed(R, "missing");
      metrics.recovered(R, "log-lost");
      metrics.recovered(R, "rewound");
    },
    told: ["Warning LogDiffered", "Warning LogLost", "Warning HistoryRewound"],
  },
  {
    name: "a full log once, however many events wait, and its room",
    happens(metrics) {
      for (const events of [1, 2, 1, 0, 0]) metrics.waitingForRoom(events);
    },
    told: ["Warning LogFull", "Normal LogHasRoom"],
  },
];

describe("the bridge tells as Kubernetes Events", () => {
  for (const { name, happens, told } of rows) {
    test(name, () => {
      const events: KubeEvent[] = [];
      happens(tellingEvents(createMetrics(), { record: (each) => events.push(each) }));
      assert.deepEqual(
        events.map(({ type, reason }) => `${type} ${reason}`),
        told,
      );
      for (const { note, about, reason } of events) {
        assert.ok(note.startsWith(about) || about === "Database", note);
        assert.ok(note.length < 341, "fits the API server's limit in any script");
        // These are made by the bridge itself, of the configuration and the kinds.
        const isOwnText = reason === "WatchForbidden" || reason === "KindMissing";
        assert.equal(note.includes(SECRET), isOwnText, note);
      }
    });
  }

  test("and counts as before", async () => {
    const metrics = tellingEvents(createMetrics(), { record: () => undefined });
    metrics.state(R, waiting("forbidden"));
    metrics.waitingForRoom(2);
    metrics.differed(R, "missing");
    metrics.recovered(R, "rewound");
    metrics.published(R, { ...event, gap: true });
    const { text } = await metrics.expose();
    for (const line of [
      `cr_reactor_watch_live{resource="${R}"} 0`,
      `cr_reactor_watch_problem{resource="${R}",reason="forbidden"} 1`,
      "cr_reactor_waiting_for_room 2",
      `cr_reactor_differences_total{resource="${R}",kind="missing"} 1`,
      `cr_reactor_recoveries_total{resource="${R}",cause="rewound"} 1`,
      `cr_reactor_gaps_total{resource="${R}"} 1`,
    ])
      assert.ok(text.includes(`${line}\n`), line);
    metrics.state(R, waiting("silent"));
    assert.doesNotMatch((await metrics.expose()).text, /reason="forbidden"/);
    metrics.state(R, { type: "watching" });
    assert.doesNotMatch((await metrics.expose()).text, /cr_reactor_watch_problem\{/);
  });
});
