import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { MetricFamily } from "../../../bridge/metrics/exposition.ts";
import { toMetricData } from "../../../bridge/trace/otlp-metrics.ts";

const STARTED_MS = 1_790_000_000_250;
const NOW_MS = STARTED_MS + 60_000;
const times = { startTime: [1_790_000_000, 250_000_000], endTime: [1_790_000_060, 250_000_000] };
const CUMULATIVE = 1;

const family = (name: string, type: MetricFamily["type"], samples: MetricFamily["samples"]): MetricFamily => ({
  ...{ name, type, samples },
  help: "What is counted.",
});
const of = (...families: readonly MetricFamily[]) => toMetricData(families, STARTED_MS, NOW_MS);

describe("of a family, OTLP has", () => {
  test("a counter as a sum since the start that only grows", () => {
    const [metric] = of(family("cr_reactor_gaps_total", "counter", [{ labels: { resource: "a" }, value: 3 }]));
    assert.deepEqual(metric, {
      descriptor: { name: "cr_reactor_gaps_total", description: "What is counted.", unit: "", valueType: 1 },
      aggregationTemporality: CUMULATIVE,
      dataPointType: 3,
      isMonotonic: true,
      dataPoints: [{ ...times, attributes: { resource: "a" }, value: 3 }],
    });
  });

  test("a histogram with what is in each bucket, and no longer in those before", () => {
    const bucket = (le: string, value: number) => ({ suffix: "_bucket", labels: { resource: "a", le }, value });
    const samples = [
      ...[bucket("0.1", 2), bucket("+Inf", 9), bucket("1", 5)],
      { suffix: "_sum", labels: { resource: "a" }, value: 12.5 },
      { suffix: "_count", labels: { resource: "a" }, value: 9 },
    ];
    const [metric] = of(family("cr_reactor_publish_seconds", "histogram", samples));
    const value = { buckets: { boundaries: [0.1, 1], counts: [2, 3, 4] }, sum: 12.5, count: 9 };
    assert.deepEqual(metric?.dataPoints, [{ ...times, attributes: { resource: "a" }, value }]);
  });

  test("each series of a histogram by itself", () => {
    const series = (resource: string, count: number) => [
      { suffix: "_bucket", labels: { resource, le: "+Inf" }, value: count },
      { suffix: "_sum", labels: { resource }, value: count },
      { suffix: "_count", labels: { resource }, value: count },
    ];
    const [metric] = of(family("x_seconds", "histogram", [...series("a", 1), ...series("b", 2)]));
    assert.deepEqual(
      metric?.dataPoints.map(({ attributes }) => attributes),
      [{ resource: "a" }, { resource: "b" }],
    );
  });

  test("nothing without a sample", () => assert.deepEqual(of(family("x", "gauge", [])), []));
});

describe("the unit comes from the name:", () => {
  const rows = [
    { name: "process_cpu_seconds_total", unit: "s" },
    { name: "cr_reactor_checkpoint_lag_seconds", unit: "s" },
    { name: "cr_reactor_log_bytes", unit: "By" },
    { name: "cr_reactor_log_bytes_max", unit: "By" },
    { name: "cr_reactor_objects", unit: "" },
  ];
  for (const { name, unit } of rows) {
    test(`${name} is in ${unit || "no unit"}`, () => {
      const [metric] = of(family(name, "gauge", [{ labels: {}, value: 1 }]));
      assert.equal(metric?.descriptor.unit, unit);
      assert.equal(metric?.descriptor.name, name);
    });
  }
});
