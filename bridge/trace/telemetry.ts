/**
 * The way out for spans and metrics: OTLP over HTTP, where the environment asks for it. OpenTelemetry's libraries are loaded here and then
 * (with `otlp.ts`), and never where nothing is asked for: a function that sleeps until its case occurs stays small. A collector
 * that is away costs spans, and nothing else: no event waits for it.
 */
import type { Logger } from "../logger.ts";
import type { MetricFamily } from "../metrics/exposition.ts";
import { readTelemetrySettings } from "./telemetry-settings.ts";
import type { Tracing } from "./tracing.ts";

/** Reads the metrics as they are now. */
export type ReadFamilies = () => Promise<readonly MetricFamily[]>;

/** What a process tells, and where to. */
export interface Telemetry {
  /** `undefined`: nobody wants spans. */
  readonly tracing: Tracing | undefined;
  /** Hands these metrics on from now on; where nobody wants them, nothing is ever read. */
  measure(read: ReadFamilies): void;
  /** Sends what waits, for at most three seconds; false: it was not sent, and may be on its way for seconds more. */
  close(): Promise<boolean>;
}

/** Who tells. */
export interface TelemetryOptions {
  /** The service's name, unless OTEL_SERVICE_NAME or OTEL_RESOURCE_ATTRIBUTES names it. */
  readonly service: string;
  readonly version: string;
  /** Further attributes of the resource. */
  readonly attributes?: Readonly<Record<string, string>>;
  readonly log: Logger;
}

const NO_TELEMETRY: Telemetry = { tracing: undefined, measure: () => undefined, close: async () => true };

/** Opens it, as the process's environment says. Never rejects because of the environment: what is wrong there is a line in the log. */
export async function openTelemetry(options: TelemetryOptions): Promise<Telemetry> {
  const settings = readTelemetrySettings(process.env);
  for (const problem of settings.problems) options.log.warn(problem);
  if (settings.traces === undefined && settings.metrics === undefined) return NO_TELEMETRY;
  const { openOtlp } = await import("./otlp.ts");
  return await openOtlp(settings, options);
}
