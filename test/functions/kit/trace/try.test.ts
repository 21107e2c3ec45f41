import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createRecordingLogger } from "../../../../bridge/logger.ts";
import { parseTraceparent, type TraceContext } from "../../../../bridge/trace/trace-context.ts";
import type { Outcome } from "../../../../functions/kit/outcome.ts";
import { beginTry } from "../../../../functions/kit/trace/try.ts";
import { created } from "../event-factory.ts";
import { recordSpans } from "./recorded-spans.ts";

const event = created({ name: "orders" }).envelope;
const origin = parseTraceparent(event.traceparent) ?? assert.fail();
const hopOf = (traceId: string): TraceContext => ({ traceId, spanId: "a".repeat(16), isSampled: true });
const elsewhere = hopOf("b".repeat(32));
const sameTrace = hopOf(origin.traceId);

function begin(over: { hop?: TraceContext; traceparent?: string } = {}, told = { ...event }) {
  const { tracing, spans } = recordSpans();
  const lines: Record<string, unknown>[] = [];
  const log = createRecordingLogger((line) => lines.push(JSON.parse(line) as Record<string, unknown>));
  const binding = { subscription: { name: "database-failed" }, functionName: "notify-slack" } as never;
  if ("traceparent" in over) told.traceparent = over.traceparent;
  const tried = beginTry({ event: told }, 2, { subject: "cr.x" }, { binding, log, tracing, ...over });
  return { tried, span: spans[0] ?? assert.fail(), lines };
}

describe("a try is part of", () => {
  const rows = [
    { name: "the trace of its event", given: {}, parent: origin, links: [] },
    {
      name: "the request that brought it, when that is of the same trace",
      given: { hop: sameTrace },
      parent: sameTrace,
      links: [],
    },
    {
      name: "the trace of its event, linked to a request of another",
      given: { hop: elsewhere },
      parent: origin,
      links: [elsewhere],
    },
    {
      name: "the request, when the event has no trace",
      given: { hop: elsewhere, traceparent: "none" },
      parent: elsewhere,
      links: [],
    },
    { name: "a trace of its own, when nobody has one", given: { traceparent: "none" }, parent: undefined, links: [] },
  ];
  for (const { name, given, parent, links } of rows) {
    test(name, () => {
      const { span } = begin(given);
      assert.deepEqual([span.parent, span.links], [parent, links]);
    });
  }
});

describe("a try that ends", () => {
  const error = new Error("Slack is away");
  const rows: { name: string; outcome: Outcome; isLast?: boolean; told: string; failure?: string }[] = [
    { name: "done has no failure", outcome: { type: "done" }, told: "done" },
    { name: "skipped has none either", outcome: { type: "skipped", reason: "no incident" }, told: "skipped" },
    {
      name: "with a failure is tried again",
      outcome: { type: "retry", error },
      told: "retry",
      failure: "Error: Slack is away",
    },
    {
      name: "with its last failure is a dead letter",
      outcome: { type: "retry", error },
      isLast: true,
      told: "dead-letter",
      failure: "Error: Slack is away",
    },
    {
      name: "refused for good is a dead letter",
      outcome: { type: "dead-letter", error },
      told: "dead-letter",
      failure: "Error: Slack is away",
    },
  ];
  for (const { name, outcome, isLast, told, failure } of rows) {
    test(name, () => {
      const { tried, span } = begin();
      tried.end(outcome, isLast);
      assert.deepEqual([span.told["cr_reactor.outcome"], span.failure, span.isEnded], [told, failure, true]);
    });
  }
});

test("a line about a try names the event, the try and its span", () => {
  const { tried, span, lines } = begin();
  tried.log.info("hello");
  const { id, attempt, subject, trace_id, span_id } = lines[0] ?? {};
  assert.deepEqual([id, attempt, subject], [event.id, 2, "cr.x"]);
  assert.deepEqual([trace_id, span_id], [origin.traceId, span.context.spanId]);
});

test("somebody else's partition key makes no name without end", () => {
  const { span } = begin({}, { ...event, partitionkey: "x".repeat(10_000) });
  assert.ok(span.name.length < 400);
});
