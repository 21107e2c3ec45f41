/**
 * The metrics of /metrics, sent as OTLP from time to time: the same families, read at that moment, under the same names; nothing is counted
 * twice. Counters and histograms are cumulative since the process started, as Prometheus has them.
 * Source: OpenTelemetry metrics data model; "Prometheus and OpenMetrics Compatibility" (units; names that have their unit and `_total` keep them).
 */
import { type HrTime, ValueType } from "@opentelemetry/api";
import type { Resource } from "@opentelemetry/resources";
import {
  AggregationTemporality,
  type DataPoint,
  DataPointType,
  type Histogram,
  type MetricData,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import type { MetricFamily, Sample } from "../metrics/exposition.ts";
import type { ReadFamilies } from "./telemetry.ts";
import type { MetricSettings } from "./telemetry-settings.ts";

/** Where metrics go, until it is closed. */
export interface PushedMetrics {
  /** Once. */
  measure(read: ReadFamilies): void;
  /** Sends them a last time. */
  close(): Promise<void>;
}

/** Of one request: what a collector takes at once (4 MB) is some ten thousand points. */
const POINTS_MAX = 5_000;

/** Opens them. The exporter reads its endpoint, headers and limits from the environment itself. */
export async function openMetrics(
  { protocol, intervalMs }: MetricSettings,
  resource: Resource,
  version: string,
): Promise<PushedMetrics> {
  const { OTLPMetricExporter } = await (protocol === "http/json"
    ? import("@opentelemetry/exporter-metrics-otlp-http")
    : import("@opentelemetry/exporter-metrics-otlp-proto"));
  const reader = new PeriodicExportingMetricReader({
    exporter: new OTLPMetricExporter(),
    exportIntervalMillis: intervalMs,
    maxExportBatchSize: POINTS_MAX,
  });
  const scope = { name: "cr-reactor", version };
  let isMeasured = false;
  return {
    measure(read) {
      isMeasured = true;
      reader.setMetricProducer({
        async collect() {
          try {
            const metrics = toMetricData(await read(), performance.timeOrigin, Date.now());
            return { resourceMetrics: { resource, scopeMetrics: [{ scope, metrics }] }, errors: [] };
          } catch (error) {
            return { resourceMetrics: { resource, scopeMetrics: [] }, errors: [error] };
          }
        },
      });
    },
    close: async () => (isMeasured ? await reader.shutdown() : undefined),
  };
}

/** The families as OTLP has them; those without a sample are left out. */
export function toMetricData(families: readonly MetricFamily[], startedAtMs: number, nowMs: number): MetricData[] {
  const times = { startTime: hrTime(startedAtMs), endTime: hrTime(nowMs) };
  return families.flatMap((family) => (family.samples.length === 0 ? [] : [metricOf(family, times)]));
}

type Times = Pick<DataPoint<number>, "startTime" | "endTime">;

function metricOf({ name, help: description, type, samples }: MetricFamily, times: Times): MetricData {
  const descriptor = { name, description, unit: unitOf(name), valueType: ValueType.DOUBLE };
  const common = { descriptor, aggregationTemporality: AggregationTemporality.CUMULATIVE };
  const points = () => samples.map(({ labels, value }) => ({ ...times, attributes: labels, value }));
  switch (type) {
    case "counter":
      return { ...common, dataPointType: DataPointType.SUM, isMonotonic: true, dataPoints: points() };
    case "gauge":
      return { ...common, dataPointType: DataPointType.GAUGE, dataPoints: points() };
    case "histogram":
      return { ...common, dataPointType: DataPointType.HISTOGRAM, dataPoints: histogramPoints(samples, times) };
    default:
      return type satisfies never;
  }
}

/** By UCUM, where the name says it: what comes in and goes out as Prometheus keeps its name. */
function unitOf(name: string): string {
  const base = name.replace(/_total$/, "");
  if (base.endsWith("_seconds")) return "s";
  return /_bytes(_max)?$/.test(base) ? "By" : "";
}

/** Prometheus' buckets hold what is in those before them too. */
function histogramPoints(samples: readonly Sample[], times: Times): DataPoint<Histogram>[] {
  const series = Map.groupBy(samples, ({ labels: { le: _, ...labels } }) => JSON.stringify(labels));
  return [...series].map(([key, of]) => {
    const single = (suffix: string) => of.find((sample) => sample.suffix === suffix)?.value ?? 0;
    const buckets = of
      .filter(({ suffix }) => suffix === "_bucket")
      .map(({ labels, value }) => ({ bound: boundOf(labels["le"]), value }))
      .sort((a, b) => a.bound - b.bound);
    const counts = buckets.map(({ value }, index) => value - (buckets[index - 1]?.value ?? 0));
    const boundaries = buckets.map(({ bound }) => bound).filter(Number.isFinite);
    const value = { buckets: { boundaries, counts }, sum: single("_sum"), count: single("_count") };
    return { ...times, attributes: JSON.parse(key) as Sample["labels"], value };
  });
}

function boundOf(le: string | number | undefined): number {
  return le === "+Inf" ? Number.POSITIVE_INFINITY : Number(le);
}

function hrTime(ms: number): HrTime {
  return [Math.floor(ms / 1_000), Math.round((ms % 1_000) * 1e6)];
}
