/**
 * The trace of the running call: parts of it (a step, a request) become spans of their own where spans are wanted, and what goes out to others
 * carries the context, wanted or not, so that a receiver's spans belong to the trace of the change.
 * Source: W3C Trace Context; OpenTelemetry's OTEL_PROPAGATORS.
 */
import { type Span, type SpanStart, type TraceContext, toTraceparent } from "#contract";
import { asCall, runningCall } from "../running-call.ts";

/** A part of the call, while it runs. */
export interface Part {
  /** Of its span, or where there is none of the event: what goes along with a request. */
  readonly context: TraceContext | undefined;
  readonly span: Pick<Span, "set" | "fail"> | undefined;
}

const NO_PART: Part = { context: undefined, span: undefined };

/** Does the work as a span of the running call; outside of one, and where spans are not wanted, it only does the work. */
export async function asPart<T>(start: Omit<SpanStart, "parent">, work: (part: Part) => Promise<T> | T): Promise<T> {
  const call = runningCall();
  const { context, tracing } = call?.trace ?? {};
  if (call === undefined || tracing === undefined)
    return await work(context === undefined ? NO_PART : { context, span: undefined });
  const span = tracing.begin({ ...start, parent: context });
  const trace = { context: span.context, tracing };
  try {
    return await span.run(() => asCall({ ...call, trace }, () => work({ context: span.context, span })));
  } catch (error) {
    span.fail(error as Error);
    throw error;
  } finally {
    span.end();
  }
}

/** The headers that hand the context on; none where OTEL_PROPAGATORS does not name `tracecontext`, as its default does. */
export function traceHeaders(context: TraceContext | undefined): Readonly<Record<string, string>> {
  if (context === undefined || !propagates()) return {};
  return { traceparent: toTraceparent(context), ...(context.state && { tracestate: context.state }) };
}

function propagates(): boolean {
  const named = process.env["OTEL_PROPAGATORS"]?.trim();
  return !named || named.split(",").some((each) => each.trim() === "tracecontext");
}
