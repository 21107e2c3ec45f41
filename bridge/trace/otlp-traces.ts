/**
 * Spans by OpenTelemetry's SDK: sampled, kept in a queue of bounded size, sent in batches. What a function tells by OpenTelemetry's own API
 * becomes part of the span that is running, because provider and context are registered for the whole process.
 */
import {
  type Attributes,
  context as contexts,
  createTraceState,
  type Link,
  type Span as OtelSpan,
  ROOT_CONTEXT,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  trace,
} from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import type { Resource } from "@opentelemetry/resources";
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  RandomIdGenerator,
  type Sampler,
  SamplingDecision,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import type { SamplerSettings, TraceSettings } from "./telemetry-settings.ts";
import type { TraceContext } from "./trace-context.ts";
import { errorType, type Span, type SpanStart, type Tracing } from "./tracing.ts";

/** Where spans go, until it is closed. */
export interface Traces {
  readonly tracing: Tracing;
  /** Sends what waits. */
  close(): Promise<void>;
}

/** Names are as long as Kubernetes lets them be; what is longer is an error's message. */
const VALUE_CHARS_MAX = 2_048;

const KINDS = { producer: SpanKind.PRODUCER, consumer: SpanKind.CONSUMER, client: SpanKind.CLIENT } as const;

/** Opens them. The exporter reads its endpoint, headers and limits from the environment itself. */
export async function openTraces(settings: TraceSettings, resource: Resource, version: string): Promise<Traces> {
  const { OTLPTraceExporter } = await (settings.protocol === "http/json"
    ? import("@opentelemetry/exporter-trace-otlp-http")
    : import("@opentelemetry/exporter-trace-otlp-proto"));
  const ids = new RandomIdGenerator();
  /** Of the span that is begun right now. */
  let given: TraceContext | undefined;
  const sampler = samplerOf(settings.sampler);
  const provider = new TracerProvider({
    resource,
    sampler,
    spanLimits: { attributeValueLengthLimit: VALUE_CHARS_MAX },
    idGenerator: {
      generateTraceId: () => given?.traceId ?? ids.generateTraceId(),
      generateSpanId: () => given?.spanId ?? ids.generateSpanId(),
    },
    spanProcessors: [
      new BatchSpanProcessor({ exporter: new OTLPTraceExporter(), scheduledDelayMillis: settings.delayMs }),
    ],
  });
  trace.setGlobalTracerProvider(provider);
  contexts.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  const tracer = provider.getTracer("cr-reactor", version);
  const tracing: Tracing = {
    isSampled: (traceId) =>
      sampler.shouldSample(ROOT_CONTEXT, traceId, "", SpanKind.PRODUCER, {}, []).decision ===
      SamplingDecision.RECORD_AND_SAMPLED,
    begin({ name, kind, parent, links = [], attributes = {} }) {
      const around = parent === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, toRemote(parent));
      const options = { ...kindOf(kind), attributes: attributes as Attributes, links: links.map(toLink) };
      return spanOf(tracer.startSpan(name, options, around));
    },
    record({ name, kind, context, attributes = {}, startedAtMs, endedAtMs }) {
      given = context;
      const options = { ...kindOf(kind), attributes: attributes as Attributes, startTime: startedAtMs };
      const span = tracer.startSpan(name, options, ROOT_CONTEXT);
      given = undefined;
      span.end(endedAtMs);
    },
  };
  return {
    tracing,
    async close() {
      await provider.shutdown();
      trace.disable();
      contexts.disable();
    },
  };
}

function samplerOf({ ratio, isParentBased }: SamplerSettings): Sampler {
  const root = new TraceIdRatioBasedSampler(ratio);
  return isParentBased ? new ParentBasedSampler({ root }) : root;
}

function kindOf(kind: SpanStart["kind"]) {
  return { kind: kind === undefined ? SpanKind.INTERNAL : KINDS[kind] };
}

function spanOf(span: OtelSpan): Span {
  const { traceId, spanId, traceFlags, traceState } = span.spanContext();
  const state = traceState?.serialize();
  const isSampled = (traceFlags & TraceFlags.SAMPLED) !== 0;
  let hasFailed = false;
  return {
    context: { traceId, spanId, isSampled, ...(state && { state }) },
    run: (work) => contexts.with(trace.setSpan(contexts.active(), span), work),
    set: (attributes) => void span.setAttributes(attributes as Attributes),
    fail(error, type = errorType(error)) {
      if (hasFailed) return;
      hasFailed = true;
      span.setAttribute("error.type", type);
      span.setStatus({ code: SpanStatusCode.ERROR, message: error.message.slice(0, VALUE_CHARS_MAX) });
    },
    end: () => span.end(),
  };
}

function toRemote({ traceId, spanId, isSampled, state }: TraceContext): SpanContext {
  const traceFlags = isSampled ? TraceFlags.SAMPLED : TraceFlags.NONE;
  return { traceId, spanId, traceFlags, isRemote: true, ...(state && { traceState: createTraceState(state) }) };
}

function toLink(linked: TraceContext): Link {
  return { context: toRemote(linked) };
}
