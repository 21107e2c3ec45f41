/** The beginning of a watch that is told to stop before it has read the log: without a NATS and an API server. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { pino } from "pino";
import { type CaptureOptions, capture } from "../../../bridge/capture/capture.ts";
import { watchedResource } from "../../../bridge/capture/resource.ts";
import type { Checkpoint } from "../../../bridge/log/checkpoint.ts";
import { createMetrics } from "../../../bridge/metrics/metrics.ts";

test("a watch that is told to stop while it reads the log does not take what it has not read for lost", async () => {
  const settings = { apiVersion: "demo.example.com/v1", kind: "Database", phase: "status.phase", ignore: [] };
  const resource = watchedResource("test", settings, { plural: "databases", namespaced: true }, undefined);
  const newest = { sequence: 3, id: "uid-a.7" };
  const about = { version: 1, settingsHash: resource.settingsHash, resourceVersion: "7", epoch: 1 } as const;
  const checkpoint: Checkpoint = { ...about, ...newest, savedAt: "2026-01-01T00:00:00Z" };
  const data = Buffer.from(JSON.stringify(checkpoint)).toString("base64");
  const stop = new AbortController();
  const lines: string[] = [];
  const parts = {
    apiServer: {},
    jetStream: { connected: true, api: async () => ({ message: { data } }), onConnection: () => () => undefined },
    // The newest event has replaced the one that the checkpoint names, and is not read any more.
    log: {
      readIndex: () => {
        stop.abort();
        return ReadableStream.from([]);
      },
      eventAt: async () => undefined,
    },
    logger: pino({}, { write: (line: string) => lines.push(line) }),
    metrics: createMetrics(),
  };
  await capture({
    ...(parts as unknown as CaptureOptions),
    ...{ resource, stateBytesMax: 0, afterLoss: false, epochMin: 1, isNewKind: false, deletedDays: 7 },
    schedule: { everyMs: 0, graceMs: 0 },
    onState: () => undefined,
    signal: stop.signal,
    deadline: stop.signal,
  });
  assert.deepEqual(lines, []);
});
