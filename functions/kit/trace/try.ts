/**
 * One try of a function as it is told: each line of the log about it names the event and its trace, and where spans are wanted it is a span
 * of the event's trace, below its publishing. An event that is skipped is no try.
 * Source: OpenTelemetry's semantic conventions for messaging ("process") and for CloudEvents; W3C Trace Context.
 */
import {
  destinationOf,
  eventAttributes,
  type Logger,
  parseTraceparent,
  type SentEnvelope,
  type Span,
  type TraceContext,
  type Tracing,
  traceFields,
} from "#contract";
import type { Outcome } from "../outcome.ts";
import type { CallTrace } from "../running-call.ts";
import type { Binding } from "../subscription.ts";

/** A try that was begun. */
export interface Try {
  /** 1 at first. */
  readonly number: number;
  readonly log: Logger;
  readonly trace: CallTrace;
  run<T>(work: () => T): T;
  /** `isLast`: the event is tried no more, so that a failure is a dead letter. Default: others decide about that. */
  end(outcome: Outcome | { readonly type: "waiting" | "silenced" }, isLast?: boolean): void;
}

/** What is tried, and for whom. */
export interface TryOptions {
  readonly binding: Pick<Binding, "subscription" | "functionName">;
  readonly log: Logger;
  /** Left out: spans are not wanted. */
  readonly tracing?: Tracing | undefined;
  /** Of the request that brought the event. */
  readonly hop?: TraceContext | undefined;
}

/** A link each, and what a collector takes of one span. */
const LINKS_MAX = 100;

/** Begins it; `fields` are those of its lines besides the event's id. With `batch`, `events` are all of the call. */
export function beginTry(
  { event, events = [event] }: { readonly event: SentEnvelope; readonly events?: readonly SentEnvelope[] },
  number: number,
  fields: Readonly<Record<string, unknown>>,
  { binding, log, tracing, hop }: TryOptions,
): Try {
  const origin = traceOf(event);
  const span = tracing && begin(tracing, { event, events, origin, hop, binding, number });
  const context = span?.context ?? parentOf(origin, hop);
  return {
    number,
    log: log.child({ ...fields, id: event.id, attempt: number, ...traceFields(context) }),
    trace: { context, tracing },
    run: (work) => (span === undefined ? work() : span.run(work)),
    end(outcome, isLast = false) {
      if (span === undefined) return;
      span.set({ "cr_reactor.outcome": outcome.type === "retry" && isLast ? "dead-letter" : outcome.type });
      if ("error" in outcome) span.fail(outcome.error);
      span.end();
    },
  };
}

/** Where an event's trace began; `undefined` where its attribute is none. */
export function traceOf(event: Pick<SentEnvelope, "traceparent"> & { readonly tracestate?: unknown }) {
  return parseTraceparent(event.traceparent, event.tracestate);
}

function begin(
  tracing: Tracing,
  of: {
    readonly event: SentEnvelope;
    readonly events: readonly SentEnvelope[];
    readonly origin: TraceContext | undefined;
    readonly hop: TraceContext | undefined;
    readonly number: number;
    readonly binding: TryOptions["binding"];
  },
): Span {
  const { event, events, origin, hop, number } = of;
  const { subscription, functionName } = of.binding;
  const parent = parentOf(origin, hop);
  const others = events.slice(1).map(traceOf);
  return tracing.begin({
    name: `process ${destinationOf(event)}`,
    kind: "consumer",
    parent,
    links: [hop === parent ? undefined : hop, ...others].filter((link) => link !== undefined).slice(0, LINKS_MAX),
    attributes: {
      "messaging.operation.name": "process",
      "messaging.operation.type": "process",
      "messaging.consumer.group.name": subscription.name,
      ...eventAttributes(event),
      ...(events.length > 1 && { "messaging.batch.message_count": events.length }),
      "cr_reactor.function": functionName,
      "cr_reactor.attempt": number,
    },
  });
}

/** The trace is the event's; a request that belongs to it says whose part this is. */
function parentOf(origin: TraceContext | undefined, hop: TraceContext | undefined): TraceContext | undefined {
  return origin === undefined || hop?.traceId === origin.traceId ? (hop ?? origin) : origin;
}
