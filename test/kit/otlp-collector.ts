/**
 * A collector of OpenTelemetry: takes OTLP over HTTP as JSON, packed or not, and keeps spans and metrics as flat values. What comes as protobuf
 * is kept as bytes. It refuses what a real one would (another path, another content type).
 * Source: OTLP specification, "OTLP/HTTP"; opentelemetry-proto, JSON encoding (ids in hexadecimal, 64-bit integers as text).
 */
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { gunzipSync } from "node:zlib";
import { z } from "zod";
import { until } from "./until.ts";

const Value = z.union([
  z.object({ stringValue: z.string() }).transform(({ stringValue }) => stringValue),
  z.object({ boolValue: z.boolean() }).transform(({ boolValue }) => boolValue),
  z.object({ intValue: z.union([z.number(), z.string()]) }).transform(({ intValue }) => Number(intValue)),
  z.object({ doubleValue: z.number() }).transform(({ doubleValue }) => doubleValue),
]);
const Attributes = z
  .array(z.object({ key: z.string(), value: Value }))
  .default([])
  .transform(
    (pairs): Record<string, string | number | boolean> =>
      Object.fromEntries(pairs.map(({ key, value }) => [key, value])),
  );
const Nanoseconds = z.string().regex(/^\d{19}$/, "expected nanoseconds since 1970 as text");
const SpanId = z.string().regex(/^[0-9a-f]{16}$/);
const TraceId = z.string().regex(/^[0-9a-f]{32}$/);
const Resource = z.object({ attributes: Attributes });
const KINDS = ["unspecified", "internal", "server", "client", "producer", "consumer"] as const;

const Span = z.object({
  traceId: TraceId,
  spanId: SpanId,
  parentSpanId: z.union([SpanId, z.literal("")]).optional(),
  name: z.string(),
  kind: z.int().transform((number) => KINDS[number] ?? "unspecified"),
  startTimeUnixNano: Nanoseconds,
  endTimeUnixNano: Nanoseconds,
  attributes: Attributes,
  links: z.array(z.object({ traceId: TraceId, spanId: SpanId })).default([]),
  status: z.object({ code: z.int().default(0), message: z.string().optional() }).default({ code: 0 }),
});

const Point = z.object({
  attributes: Attributes,
  startTimeUnixNano: Nanoseconds,
  timeUnixNano: Nanoseconds,
  asDouble: z.number().optional(),
  asInt: z.union([z.number(), z.string()]).optional(),
  count: z.union([z.number(), z.string()]).optional(),
  sum: z.number().optional(),
  bucketCounts: z.array(z.union([z.number(), z.string()])).optional(),
  explicitBounds: z.array(z.number()).optional(),
});
/** 2 is cumulative. */
const Cumulative = z.literal(2);
const Metric = z.object({
  name: z.string(),
  description: z.string().optional(),
  unit: z.string().default(""),
  sum: z
    .object({ aggregationTemporality: Cumulative, isMonotonic: z.boolean(), dataPoints: z.array(Point) })
    .optional(),
  gauge: z.object({ dataPoints: z.array(Point) }).optional(),
  histogram: z.object({ aggregationTemporality: Cumulative, dataPoints: z.array(Point) }).optional(),
});

const Traces = z.object({
  resourceSpans: z.array(z.object({ resource: Resource, scopeSpans: z.array(z.object({ spans: z.array(Span) })) })),
});
const Metrics = z.object({
  resourceMetrics: z.array(
    z.object({ resource: Resource, scopeMetrics: z.array(z.object({ metrics: z.array(Metric) })) }),
  ),
});

/** A span, with the service that told it. */
export type CollectedSpan = z.infer<typeof Span> & { readonly service: string };
/** A metric, with the service that told it. */
export type CollectedMetric = z.infer<typeof Metric> & { readonly service: string };

/** One request as it came. */
export interface CollectedRequest {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** Unpacked. */
  readonly body: Buffer;
}

/** A collector that listens. */
export interface OtlpCollector {
  /** For OTEL_EXPORTER_OTLP_ENDPOINT. */
  readonly endpoint: string;
  readonly requests: readonly CollectedRequest[];
  readonly spans: readonly CollectedSpan[];
  /** Every export adds the metrics of its time. */
  readonly metrics: readonly CollectedMetric[];
  /** Attributes of each service, by its name. */
  readonly resources: ReadonlyMap<string, Readonly<Record<string, string | number | boolean>>>;
  /** Waits for a span. */
  span(is: (span: CollectedSpan) => boolean, what: string): Promise<CollectedSpan>;
  stop(): Promise<void>;
}

const WAIT_MS_MAX = 60_000;

/** Starts it on loopback. `status` is answered to each request, default 200; a refusal quotes the request's headers, as chatty gateways do. */
export async function startOtlpCollector(
  status: (request: CollectedRequest) => number = () => 200,
): Promise<OtlpCollector> {
  const requests: CollectedRequest[] = [];
  const spans: CollectedSpan[] = [];
  const metrics: CollectedMetric[] = [];
  const resources: Map<string, Record<string, string | number | boolean>> = new Map();
  const serviceOf = ({ attributes }: z.infer<typeof Resource>) => {
    const service = String(attributes["service.name"]);
    resources.set(service, attributes);
    return service;
  };
  const take = (path: string, body: Buffer) => {
    const json: unknown = JSON.parse(body.toString("utf8"));
    if (path === "/v1/traces")
      for (const { resource, scopeSpans } of Traces.parse(json).resourceSpans)
        for (const span of scopeSpans.flatMap((each) => each.spans))
          spans.push({ ...span, service: serviceOf(resource) });
    else
      for (const { resource, scopeMetrics } of Metrics.parse(json).resourceMetrics)
        for (const metric of scopeMetrics.flatMap((each) => each.metrics))
          metrics.push({ ...metric, service: serviceOf(resource) });
  };
  let failure: Error | undefined;
  const server = createServer(async (request, response) => {
    const packed = Buffer.concat(await request.toArray());
    const body = request.headers["content-encoding"] === "gzip" ? gunzipSync(packed) : packed;
    const { url: path = "", headers } = request;
    const collected = { path, headers, body };
    requests.push(collected);
    const type = headers["content-type"];
    const isKnown = request.method === "POST" && /^\/v1\/(traces|metrics)$/.test(path);
    const code = isKnown && /^application\/(json|x-protobuf)$/.test(type ?? "") ? status(collected) : 404;
    try {
      if (code === 200 && type === "application/json") take(path, body);
    } catch (error) {
      failure ??= error as Error;
    }
    const answer = code === 200 ? {} : { message: `refused: ${JSON.stringify(headers)}` };
    const text = type === "application/x-protobuf" && code === 200 ? "" : JSON.stringify(answer);
    response.writeHead(code, { "content-type": type ?? "application/json" }).end(text);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    spans,
    metrics,
    resources,
    async span(is, what) {
      await until(
        () => {
          if (failure !== undefined) throw failure;
          return spans.some(is);
        },
        { what, waitMsMax: WAIT_MS_MAX },
      );
      return spans.find(is) as CollectedSpan;
    },
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
