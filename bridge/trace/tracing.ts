/**
 * Spans, as the parts of a process tell them: what is done, for how long, and what of it failed. Whoever tells one knows nothing of
 * OpenTelemetry, which is loaded only where spans are wanted; where they are not, there is no Tracing, and nothing is called.
 */
import type { TraceContext } from "./trace-context.ts";

/** Facts of a span, by OpenTelemetry's names where it has one. Never what may be secret: no path or query of a URL, no header, no content. */
export type SpanAttributes = Readonly<Record<string, string | number | boolean | undefined>>;

/** What a span begins with. */
export interface SpanStart {
  /** Of few kinds: it is what spans are grouped by. */
  readonly name: string;
  /** Default: what happens inside of this process. */
  readonly kind?: "producer" | "consumer" | "client";
  /** Left out: it begins a trace. */
  readonly parent?: TraceContext | undefined;
  /** Others that it has to do with. */
  readonly links?: readonly TraceContext[];
  readonly attributes?: SpanAttributes;
}

/** A span that was begun. */
export interface Span {
  /** What is handed on to those who do a part of it. */
  readonly context: TraceContext;
  /** Does the work as this span's: what it tells by OpenTelemetry's own API is a part of this. */
  run<T>(work: () => T): T;
  set(attributes: SpanAttributes): void;
  /** The first one counts. The message is told, so it must have no secret in it. `type` is of few kinds: an HTTP status; default the code or name of the error. */
  fail(error: Error, type?: string): void;
  end(): void;
}

/** A span that is over, of which others were told before: its ids are given. */
export interface PastSpan extends Omit<SpanStart, "parent" | "links"> {
  readonly context: TraceContext;
  /** Epoch milliseconds. */
  readonly startedAtMs: number;
  readonly endedAtMs: number;
}

/** Where spans are told to. */
export interface Tracing {
  /** Whether a trace of this id that begins here is recorded: the same answer in every process with the same settings. */
  readonly isSampled: (traceId: string) => boolean;
  begin(start: SpanStart): Span;
  /** Tells one that begins its trace and is over. */
  record(span: PastSpan): void;
}

/** What an error is counted as. */
export function errorType(error: Error): string {
  return "code" in error && typeof error.code === "string" ? error.code : error.name;
}
