/**
 * Telemetry by OpenTelemetry's SDK, sent as OTLP over HTTP. This file and its two neighbours are the home of its libraries, and are loaded
 * only where somebody wants spans or metrics. What the SDK complains about is told in the process's own log, without credentials.
 */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { DiagLogLevel, diag } from "@opentelemetry/api";
import { detectResources, envDetector, resourceFromAttributes } from "@opentelemetry/resources";
import type { Logger } from "../logger.ts";
import { openMetrics } from "./otlp-metrics.ts";
import { openTraces } from "./otlp-traces.ts";
import type { Telemetry, TelemetryOptions } from "./telemetry.ts";
import type { TelemetrySettings } from "./telemetry-settings.ts";

/** A collector that is away must not hold up a Pod's end. */
const CLOSE_MS_MAX = 3_000;
/** What a collector answers may be a page. */
const REASON_CHARS_MAX = 300;

/** Opens what the settings want. */
export async function openOtlp(settings: TelemetrySettings, options: TelemetryOptions): Promise<Telemetry> {
  tellComplaints(options.log, settings.secrets);
  const resource = resourceFromAttributes({
    "service.name": options.service,
    "service.version": options.version,
    // Processes of one service count for themselves.
    "service.instance.id": randomUUID(),
    ...options.attributes,
  }).merge(detectResources({ detectors: [envDetector] }));
  const traces = settings.traces && (await openTraces(settings.traces, resource, options.version));
  const metrics = settings.metrics && (await openMetrics(settings.metrics, resource, options.version));
  options.log.info({ traces: traces !== undefined, metrics: metrics !== undefined }, "telemetry is sent by OTLP");
  return {
    tracing: traces?.tracing,
    measure: (read) => metrics?.measure(read),
    async close() {
      const closing = Promise.allSettled([traces?.close(), metrics?.close()]);
      const isClosed = await Promise.race([closing.then(() => true), sleep(CLOSE_MS_MAX, false, { ref: false })]);
      if (!isClosed) options.log.warn("the collector does not answer: what was not sent yet is lost");
      diag.disable();
      return isClosed;
    },
  };
}

function tellComplaints(log: Logger, secrets: readonly string[]): void {
  const tell = (message: string, ...details: unknown[]) =>
    log.warn(
      { reason: reasonOf([message, ...details], secrets) },
      "spans or metrics may be missing: so says the collector, or OpenTelemetry's SDK",
    );
  const ignore = () => undefined;
  diag.setLogger(
    { error: tell, warn: tell, info: ignore, debug: ignore, verbose: ignore },
    { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true },
  );
}

/** An error comes as JSON, with its stack. */
function reasonOf(parts: readonly unknown[], secrets: readonly string[]): string {
  const text = parts.map((part) => sentenceOf(part)).join(" ");
  return secrets.reduce((shown, secret) => shown.replaceAll(secret, "***"), text).slice(0, REASON_CHARS_MAX);
}

function sentenceOf(part: unknown): string {
  if (part instanceof Error) return part.message;
  if (typeof part !== "string") return JSON.stringify(part) ?? "";
  if (!part.startsWith("{")) return part;
  try {
    const { message, code, data } = JSON.parse(part) as { message?: string; code?: unknown; data?: string };
    return [message, code, data].filter((each) => each !== undefined && each !== "").join(" ");
  } catch {
    return part;
  }
}
