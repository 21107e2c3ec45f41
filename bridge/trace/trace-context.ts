/**
 * The place of a piece of work in a trace, as it travels: `traceparent` and `tracestate`. That of an event is derived from its id, so that
 * every try to publish it, and every process that hears of it, speaks of the same trace.
 * Source: W3C Trace Context, sections 3.2 (traceparent) and 3.3 (tracestate); CloudEvents' extension Distributed Tracing.
 */
import { hash } from "node:crypto";

/** One span, and the trace that it belongs to. */
export interface TraceContext {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** 16 hexadecimal digits. */
  readonly spanId: string;
  /** Whoever began the trace records it. */
  readonly isSampled: boolean;
  /** What others want to be handed on with it. */
  readonly state?: string;
}

/** As they stand in a line of the log (OpenTelemetry, "Trace Context in non-OTLP Log Formats"). */
export interface TraceFields {
  readonly trace_id?: string;
  readonly span_id?: string;
}

/** Later versions may have more behind the flags, this one may not. */
const TRACEPARENT = /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
/** What every vendor has to hand on. */
const STATE = /^[\x20-\x7e]{1,512}$/;
const SAMPLED = 1;

/** Where the trace of an event begins: the publishing of it. */
export function eventTrace(eventId: string, isSampled: (traceId: string) => boolean): TraceContext {
  const digest = hash("sha256", eventId, "hex");
  const traceId = digest.slice(0, 32);
  return { traceId, spanId: digest.slice(32, 48), isSampled: isSampled(traceId) };
}

/** Reads what somebody sent; `undefined` for what is no traceparent, which begins no trace. A tracestate that is none is left out. */
export function parseTraceparent(traceparent: unknown, tracestate?: unknown): TraceContext | undefined {
  const [, version, traceId, spanId, flags, more] = TRACEPARENT.exec(String(traceparent)) ?? [];
  if (traceId === undefined || spanId === undefined || (version === "00" && more !== undefined)) return undefined;
  const isSampled = (Number.parseInt(flags ?? "", 16) & SAMPLED) === SAMPLED;
  return { traceId, spanId, isSampled, ...(isState(tracestate) && { state: tracestate }) };
}

/** Writes it, in version 00. */
export function toTraceparent({ traceId, spanId, isSampled }: TraceContext): string {
  return `00-${traceId}-${spanId}-${isSampled ? "01" : "00"}`;
}

/** The fields of a line that is about it. */
export function traceFields(context: TraceContext | undefined): TraceFields {
  return context === undefined ? {} : { trace_id: context.traceId, span_id: context.spanId };
}

function isState(text: unknown): text is string {
  return typeof text === "string" && STATE.test(text);
}
