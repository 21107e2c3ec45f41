import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { z } from "zod";
import { type MetricFamily, renderMetrics } from "../../../bridge/metrics/exposition.ts";
import { numberOf, ObjectMetricLists } from "../../../bridge/metrics/object-metric.ts";

const FAMILIES: readonly MetricFamily[] = [
  { name: "a_total", help: "Of a \\ and\na line.", type: "counter", samples: [{ labels: { x: 'q"\\\n' }, value: 1 }] },
  {
    name: "b",
    help: "B.",
    type: "histogram",
    samples: [
      { suffix: "_bucket", labels: { le: "+Inf" }, value: 2 },
      { suffix: "_sum", labels: {}, value: Number.POSITIVE_INFINITY },
      { suffix: "_count", labels: {}, value: 2 },
    ],
  },
  { name: "none", help: "Left out.", type: "gauge", samples: [] },
];

describe("the text of metrics", () => {
  test("is Prometheus' own unless OpenMetrics is preferred", () => {
    const { text, contentType } = renderMetrics(FAMILIES);
    assert.match(contentType, /^text\/plain; version=0\.0\.4/);
    assert.equal(
      text,
      '# HELP a_total Of a \\\\ and\\na line.\n# TYPE a_total counter\na_total{x="q\\"\\\\\\n"} 1\n' +
        '# HELP b B.\n# TYPE b histogram\nb_bucket{le="+Inf"} 2\nb_sum +Inf\nb_count 2\n',
    );
  });

  test("in OpenMetrics tells the unit that a name ends with", () => {
    const of = (name: string, type: MetricFamily["type"]) => ({
      name,
      help: "",
      type,
      samples: [{ labels: {}, value: 1 }],
    });
    const families = [
      of("a_seconds", "gauge"),
      of("b_seconds_total", "counter"),
      of("c_bytes_max", "gauge"),
      of("seconds", "gauge"),
    ];
    const { text } = renderMetrics(families, "application/openmetrics-text");
    assert.deepEqual(text.match(/# UNIT .*/g), ["# UNIT a_seconds seconds", "# UNIT b_seconds seconds"]);
    assert.doesNotMatch(renderMetrics(families).text, /UNIT/);
  });

  test("in OpenMetrics names a counter's family without _total, and ends with EOF", () => {
    const { text, contentType } = renderMetrics(FAMILIES, "application/openmetrics-text; version=1.0.0");
    assert.match(contentType, /^application\/openmetrics-text; version=1\.0\.0/);
    assert.match(text, /^# TYPE a counter\na_total\{/m);
    assert.match(text, /\n# EOF\n$/);
  });

  for (const { name, accept, open } of [
    { name: "nothing", accept: "", open: false },
    { name: "anything", accept: "*/*", open: false },
    { name: "a browser", accept: "text/html,application/xhtml+xml", open: false },
    {
      name: "Prometheus 2",
      accept:
        "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
      open: true,
    },
    { name: "text before OpenMetrics", accept: "text/plain, application/openmetrics-text;q=0.3", open: false },
    { name: "OpenMetrics refused", accept: "application/openmetrics-text;q=0", open: false },
  ]) {
    test(`for a scraper that accepts ${name} is ${open ? "OpenMetrics" : "text"}`, () => {
      assert.equal(/EOF/.test(renderMetrics(FAMILIES, accept).text), open);
    });
  }
});

describe("a configured metric reads", () => {
  for (const [value, expected] of [
    [3, 3],
    [true, 1],
    ["False", 0],
    ["500m", 0.5],
    ["2Gi", 2 * 1024 ** 3],
    ["2026-11-21T00:00:00Z", 1_795_219_200],
    ["ready", undefined],
    [null, undefined],
    [{ a: 1 }, undefined],
    [undefined, undefined],
  ] as const) {
    test(`${JSON.stringify(value)} as ${expected}`, () => assert.equal(numberOf(value), expected));
  }
});

describe("the configuration of metrics", () => {
  const path = "spec.replicas";
  for (const { name, metrics, problem } of [
    {
      name: "the same name twice",
      metrics: [
        { name: "a", path },
        { name: "a", path },
      ],
      problem: /is there already/,
    },
    {
      name: "a label that is set already",
      metrics: [{ name: "a", path, labels: { namespace: path } }],
      problem: /are set already/,
    },
    { name: "a name that is none", metrics: [{ name: "A-b", path }], problem: /expected a metric's name/ },
    { name: "a path that cannot be read", metrics: [{ name: "a", path: "spec..x" }], problem: /write it as/ },
  ]) {
    test(`refuses ${name}`, () => {
      const parsed = z.strictObject(ObjectMetricLists).safeParse({ metrics });
      assert.match(parsed.error?.issues[0]?.message ?? "", problem);
    });
  }
});
