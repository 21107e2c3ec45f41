/**
 * What the environment says of telemetry, by OpenTelemetry's own variables. Nothing is told unless an endpoint, or `otlp` as the exporter, is
 * named. What the exporters read themselves (endpoints, headers, timeouts, compression, certificates) is not read here; values are never quoted,
 * because endpoints and headers may hold credentials.
 * Source: OpenTelemetry specification, "Environment Variable Specification" and "OTLP Exporter Configuration".
 */

/** The environment, or a part of it. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** How spans and metrics are sent. */
export type OtlpProtocol = "http/protobuf" | "http/json";

/** What is told, and how; `undefined`: nothing of it. */
export interface TelemetrySettings {
  readonly traces: TraceSettings | undefined;
  readonly metrics: MetricSettings | undefined;
  /** What is wrong in the environment, as sentences: it is passed over, and the process runs. */
  readonly problems: readonly string[];
  /** Texts that no line of the log may have. */
  readonly secrets: readonly string[];
}

/** Of spans. */
export interface TraceSettings {
  readonly protocol: OtlpProtocol;
  readonly sampler: SamplerSettings;
  /** Between two exports; default 5,000. */
  readonly delayMs: number;
}

/** Of metrics. */
export interface MetricSettings {
  readonly protocol: OtlpProtocol;
  /** Between two exports; default 60,000. */
  readonly intervalMs: number;
}

/** Which traces that begin here are recorded, and whether others' decision goes before it. */
export interface SamplerSettings {
  /** From 0 to 1. */
  readonly ratio: number;
  readonly isParentBased: boolean;
}

const ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT";
/** A second is the least that makes sense: each of them is a request. */
const INTERVAL_MS_MIN = 100;

const SAMPLERS: Readonly<Record<string, (ratio: number) => SamplerSettings>> = {
  always_on: () => ({ ratio: 1, isParentBased: false }),
  always_off: () => ({ ratio: 0, isParentBased: false }),
  traceidratio: (ratio) => ({ ratio, isParentBased: false }),
  parentbased_always_on: () => ({ ratio: 1, isParentBased: true }),
  parentbased_always_off: () => ({ ratio: 0, isParentBased: true }),
  parentbased_traceidratio: (ratio) => ({ ratio, isParentBased: true }),
};

/** Reads them; an empty value is none. */
export function readTelemetrySettings(environment: Environment): TelemetrySettings {
  const problems: string[] = [];
  const read = (name: string) => environment[name]?.trim() || undefined;
  const isDisabled = read("OTEL_SDK_DISABLED")?.toLowerCase() === "true";
  const protocolOf = (signal: "TRACES" | "METRICS") => {
    if (isDisabled || !isWanted(signal, read, problems)) return undefined;
    return readProtocol(signal, read, problems);
  };
  const traces = protocolOf("TRACES");
  const metrics = protocolOf("METRICS");
  const milliseconds = (name: string, otherwise: number) => readMilliseconds(name, otherwise, read, problems);
  return {
    traces: traces && {
      protocol: traces,
      sampler: readSampler(read, problems),
      delayMs: milliseconds("OTEL_BSP_SCHEDULE_DELAY", 5_000),
    },
    metrics: metrics && { protocol: metrics, intervalMs: milliseconds("OTEL_METRIC_EXPORT_INTERVAL", 60_000) },
    problems,
    secrets: secretsIn(environment),
  };
}

type Read = (name: string) => string | undefined;

/** A general endpoint is for both; an unreadable one is for none, because the exporter would take its own default. */
function isWanted(signal: "TRACES" | "METRICS", read: Read, problems: string[]): boolean {
  const named = read(`OTEL_${signal}_EXPORTER`);
  if (named !== undefined && named !== "otlp") {
    if (named !== "none") problems.push(`OTEL_${signal}_EXPORTER: only otlp and none are known: nothing is told`);
    return false;
  }
  const name = read(`OTEL_EXPORTER_OTLP_${signal}_ENDPOINT`) ? `OTEL_EXPORTER_OTLP_${signal}_ENDPOINT` : ENDPOINT;
  const endpoint = read(name);
  if (endpoint === undefined) return named === "otlp";
  if (/^https?:$/.test(URL.parse(endpoint)?.protocol ?? "")) return true;
  problems.push(`${name}: is no http or https URL, such as http://collector:4318: nothing is told`);
  return false;
}

function readProtocol(signal: "TRACES" | "METRICS", read: Read, problems: string[]): OtlpProtocol {
  const named = read(`OTEL_EXPORTER_OTLP_${signal}_PROTOCOL`) ?? read("OTEL_EXPORTER_OTLP_PROTOCOL");
  if (named === "http/json" || named === "http/protobuf") return named;
  if (named !== undefined)
    problems.push("OTEL_EXPORTER_OTLP_PROTOCOL: only http/protobuf and http/json are known: http/protobuf is used");
  return "http/protobuf";
}

function readSampler(read: Read, problems: string[]): SamplerSettings {
  const name = read("OTEL_TRACES_SAMPLER") ?? "parentbased_always_on";
  const text = read("OTEL_TRACES_SAMPLER_ARG");
  const ratio = text === undefined ? 1 : Number(text);
  const isRatio = ratio >= 0 && ratio <= 1;
  if (name.endsWith("ratio") && !isRatio)
    problems.push("OTEL_TRACES_SAMPLER_ARG: is no number from 0 to 1: everything is sampled");
  const make = Object.hasOwn(SAMPLERS, name) ? SAMPLERS[name] : undefined;
  if (make === undefined)
    problems.push(`OTEL_TRACES_SAMPLER: known are ${Object.keys(SAMPLERS).join(", ")}: parentbased_always_on is used`);
  return (make ?? SAMPLERS["parentbased_always_on"])?.(isRatio ? ratio : 1) ?? { ratio: 1, isParentBased: true };
}

function readMilliseconds(name: string, otherwise: number, read: Read, problems: string[]): number {
  const text = read(name);
  if (text === undefined) return otherwise;
  const ms = Number(text);
  if (Number.isInteger(ms) && ms >= INTERVAL_MS_MIN && ms < 2 ** 31) return ms;
  problems.push(`${name}: is no number of milliseconds from ${INTERVAL_MS_MIN} on: ${otherwise} is used`);
  return otherwise;
}

/** The values of headers, as they are written and as they are sent, and what stands before the @ of an endpoint. */
function secretsIn(environment: Environment): readonly string[] {
  const found = Object.entries(environment).flatMap(([name, value = ""]) => {
    if (/^OTEL_EXPORTER_OTLP_([A-Z]+_)?HEADERS$/.test(name)) {
      const values = value.split(",").map((pair) => pair.slice(pair.indexOf("=") + 1).trim());
      return [...values, ...values.map(decoded)].flatMap((text) => [text, ...text.split(/\s+/)]);
    }
    if (!/^OTEL_EXPORTER_OTLP_([A-Z]+_)?ENDPOINT$/.test(name)) return [];
    const { username = "", password = "" } = URL.parse(value) ?? {};
    return [username, password, decoded(username), decoded(password)];
  });
  return [...new Set(found)].filter((text) => text.length >= SECRET_CHARS_MIN).sort((a, b) => b.length - a.length);
}

/** Shorter ones are words such as Bearer or Basic. */
const SECRET_CHARS_MIN = 7;

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
