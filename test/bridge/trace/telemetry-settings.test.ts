import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Environment, readTelemetrySettings } from "../../../bridge/trace/telemetry-settings.ts";

const ENDPOINT = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector:4318" };

describe("telemetry is", () => {
  const rows: readonly { name: string; environment: Environment; traces: boolean; metrics: boolean }[] = [
    { name: "off in an environment that says nothing", environment: {}, traces: false, metrics: false },
    { name: "on with an endpoint", environment: ENDPOINT, traces: true, metrics: true },
    { name: "off with an empty one", environment: { OTEL_EXPORTER_OTLP_ENDPOINT: " " }, traces: false, metrics: false },
    {
      name: "off when the SDK is disabled",
      environment: { ...ENDPOINT, OTEL_SDK_DISABLED: "TRUE" },
      traces: false,
      metrics: false,
    },
    {
      name: "spans alone with their endpoint",
      environment: { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "http://c:4318/v1/traces" },
      traces: true,
      metrics: false,
    },
    {
      name: "metrics alone with theirs",
      environment: { OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: "http://c:4318/v1/metrics" },
      traces: false,
      metrics: true,
    },
    {
      name: "metrics alone without an exporter of spans",
      environment: { ...ENDPOINT, OTEL_TRACES_EXPORTER: "none" },
      traces: false,
      metrics: true,
    },
    {
      name: "spans alone without an exporter of metrics",
      environment: { ...ENDPOINT, OTEL_METRICS_EXPORTER: "none" },
      traces: true,
      metrics: false,
    },
    {
      name: "on by name, at the usual address",
      environment: { OTEL_TRACES_EXPORTER: "otlp" },
      traces: true,
      metrics: false,
    },
    {
      name: "off for an exporter that is not known",
      environment: { ...ENDPOINT, OTEL_METRICS_EXPORTER: "prometheus" },
      traces: true,
      metrics: false,
    },
    {
      name: "off for an endpoint that is none",
      environment: { OTEL_EXPORTER_OTLP_ENDPOINT: "collector:4317" },
      traces: false,
      metrics: false,
    },
  ];
  for (const { name, environment, traces, metrics } of rows) {
    test(name, () => {
      const settings = readTelemetrySettings(environment);
      assert.deepEqual([settings.traces !== undefined, settings.metrics !== undefined], [traces, metrics]);
    });
  }
});

describe("spans are sampled", () => {
  const rows = [
    { name: "all, unless others decided, by default", sampler: {}, expected: { ratio: 1, isParentBased: true } },
    {
      name: "in part",
      sampler: { OTEL_TRACES_SAMPLER: "parentbased_traceidratio", OTEL_TRACES_SAMPLER_ARG: "0.1" },
      expected: { ratio: 0.1, isParentBased: true },
    },
    {
      name: "in part, whatever others decided",
      sampler: { OTEL_TRACES_SAMPLER: "traceidratio", OTEL_TRACES_SAMPLER_ARG: "0.25" },
      expected: { ratio: 0.25, isParentBased: false },
    },
    {
      name: "all, whatever others decided",
      sampler: { OTEL_TRACES_SAMPLER: "always_on" },
      expected: { ratio: 1, isParentBased: false },
    },
    { name: "none", sampler: { OTEL_TRACES_SAMPLER: "always_off" }, expected: { ratio: 0, isParentBased: false } },
  ];
  for (const { name, sampler, expected } of rows) {
    test(name, () => {
      const { traces, problems } = readTelemetrySettings({ ...ENDPOINT, ...sampler });
      assert.deepEqual([traces?.sampler, problems], [expected, []]);
    });
  }
});

describe("a mistake in the environment is told, without its value, and passed over:", () => {
  const rows: readonly { variable: string; value: string }[] = [
    { variable: "OTEL_EXPORTER_OTLP_ENDPOINT", value: "hunter2:4317" },
    { variable: "OTEL_EXPORTER_OTLP_PROTOCOL", value: "grpc" },
    { variable: "OTEL_TRACES_EXPORTER", value: "zipkin" },
    { variable: "OTEL_TRACES_SAMPLER", value: "jaeger_remote" },
    { variable: "OTEL_TRACES_SAMPLER", value: "constructor" },
    { variable: "OTEL_BSP_SCHEDULE_DELAY", value: "5s" },
    { variable: "OTEL_METRIC_EXPORT_INTERVAL", value: "-1" },
  ];
  for (const { variable, value } of rows) {
    test(`${variable}=${value}`, () => {
      const { problems } = readTelemetrySettings({ ...ENDPOINT, [variable]: value });
      assert.equal(problems[0]?.startsWith(`${variable}: `), true, problems.join());
      assert.ok(!problems.join().includes(value) || value === "grpc");
    });
  }

  test("a ratio that is none", () => {
    const sampler = { OTEL_TRACES_SAMPLER: "traceidratio", OTEL_TRACES_SAMPLER_ARG: "10%" };
    const { traces, problems } = readTelemetrySettings({ ...ENDPOINT, ...sampler });
    assert.equal(traces?.sampler.ratio, 1);
    assert.match(problems.join(), /OTEL_TRACES_SAMPLER_ARG/);
  });
});

test("what is secret is known in each form in which it could be quoted", () => {
  const { secrets } = readTelemetrySettings({
    OTEL_EXPORTER_OTLP_HEADERS: "authorization=Bearer%20first-secret,x-tenant=tenant1",
    OTEL_EXPORTER_OTLP_TRACES_HEADERS: "x-api-key=second-secret",
    OTEL_EXPORTER_OTLP_ENDPOINT: "https://me:third%21secret@collector:4318",
  });
  for (const secret of [
    "Bearer first-secret",
    "first-secret",
    "Bearer%20first-secret",
    "tenant1",
    "second-secret",
    "third!secret",
    "third%21secret",
  ])
    assert.ok(secrets.includes(secret), secret);
  assert.ok(!secrets.includes("Bearer"), "a word that everybody uses is none");
});
