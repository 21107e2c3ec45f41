import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { eventTrace, parseTraceparent, toTraceparent, traceFields } from "../../../bridge/trace/trace-context.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const SPAN = "b7ad6b7169203331";
const read = { traceId: TRACE, spanId: SPAN, isSampled: true };

describe("a traceparent", () => {
  const rows = [
    { name: "of the specification", text: `00-${TRACE}-${SPAN}-01`, expected: read },
    { name: "that is not recorded", text: `00-${TRACE}-${SPAN}-00`, expected: { ...read, isSampled: false } },
    { name: "with flags of a later version", text: `00-${TRACE}-${SPAN}-03`, expected: read },
    { name: "of a later version with more in it", text: `cc-${TRACE}-${SPAN}-01-what-else`, expected: read },
    { name: "of version 00 with more in it", text: `00-${TRACE}-${SPAN}-01-what-else`, expected: undefined },
    { name: "of the version that is none", text: `ff-${TRACE}-${SPAN}-01`, expected: undefined },
    { name: "with a trace of zeros", text: `00-${"0".repeat(32)}-${SPAN}-01`, expected: undefined },
    { name: "with a span of zeros", text: `00-${TRACE}-${"0".repeat(16)}-01`, expected: undefined },
    { name: "in capitals", text: `00-${TRACE.toUpperCase()}-${SPAN}-01`, expected: undefined },
    { name: "with a line break behind it", text: `00-${TRACE}-${SPAN}-01\r\nx: y`, expected: undefined },
    { name: "that is too short", text: `00-${TRACE}-${SPAN}`, expected: undefined },
    { name: "that is not there", text: undefined, expected: undefined },
  ];
  for (const { name, text, expected } of rows)
    test(`${name} is ${expected ? "read" : "none"}`, () => assert.deepEqual(parseTraceparent(text), expected));

  test("is written as it was read", () => {
    const text = `00-${TRACE}-${SPAN}-01`;
    assert.equal(toTraceparent(parseTraceparent(text) ?? assert.fail()), text);
  });
});

describe("a tracestate", () => {
  const rows = [
    { name: "of a vendor", state: "vendor=t61rcWkgMzE", isKept: true },
    { name: "that would break a header", state: "vendor=1\r\nx-evil: 1", isKept: false },
    { name: "that is longer than anybody has to keep", state: `v=${"x".repeat(512)}`, isKept: false },
    { name: "that is no text", state: 7, isKept: false },
  ];
  for (const { name, state, isKept } of rows) {
    test(`${name} is ${isKept ? "handed on" : "left out"}`, () => {
      const { state: kept } = parseTraceparent(`00-${TRACE}-${SPAN}-01`, state) ?? {};
      assert.equal(kept, isKept ? state : undefined);
    });
  }
});

describe("the trace of an event", () => {
  const id = "6f1a7d0e-77f5-4a2b-9b3f-2f1d8f1f0a11.4711";

  test("is the same on every try and in every process, recorded or not", () => {
    const [recorded, not] = [eventTrace(id, () => true), eventTrace(id, () => false)];
    assert.deepEqual({ ...recorded, isSampled: false }, not);
    assert.deepEqual(
      eventTrace(id, () => true),
      recorded,
    );
    assert.deepEqual(parseTraceparent(toTraceparent(recorded)), recorded);
  });

  test("is another one for another event", () => {
    assert.notEqual(eventTrace(`${id}1`, () => true).traceId, eventTrace(id, () => true).traceId);
  });

  test("stands in a line of the log by OpenTelemetry's names", () => {
    assert.deepEqual(traceFields(read), { trace_id: TRACE, span_id: SPAN });
    assert.deepEqual(traceFields(undefined), {});
  });
});
