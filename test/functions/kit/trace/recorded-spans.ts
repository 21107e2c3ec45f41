/** A Tracing that keeps what it is told, and numbers its spans. */
import type { TraceContext } from "../../../../bridge/trace/trace-context.ts";
import type { SpanAttributes, SpanStart, Tracing } from "../../../../bridge/trace/tracing.ts";

/** A span, as it was told so far. */
export interface RecordedSpan extends SpanStart {
  readonly context: TraceContext;
  readonly told: Record<string, SpanAttributes[string]>;
  failure?: string;
  isEnded: boolean;
}

/** Starts with no spans. */
export function recordSpans(): { readonly tracing: Tracing; readonly spans: readonly RecordedSpan[] } {
  const spans: RecordedSpan[] = [];
  const tracing: Tracing = {
    isSampled: () => true,
    record: () => undefined,
    begin(start) {
      const spanId = String(spans.length + 1).padStart(16, "0");
      const context = { traceId: start.parent?.traceId ?? "f".repeat(32), spanId, isSampled: true };
      const span: RecordedSpan = { ...start, context, told: { ...start.attributes }, isEnded: false };
      spans.push(span);
      return {
        context,
        run: (work) => work(),
        set: (attributes) => void Object.assign(span.told, attributes),
        fail: (error, type = error.name) => {
          span.failure ??= `${type}: ${error.message}`;
        },
        end: () => {
          span.isEnded = true;
        },
      };
    },
  };
  return { tracing, spans };
}
