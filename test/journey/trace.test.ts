/**
 * Tracing as a user has it: the real bridge and functions, told by OpenTelemetry's own variables where the collector is. A change is one
 * trace, from its publishing to the request that a receiver gets; and what is switched off costs nothing and still hands the trace on.
 */
import assert from "node:assert/strict";
import { beforeEach, describe, type TestContext, test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { eventTrace } from "../../bridge/trace/trace-context.ts";
import { startRig } from "../functions/kit/delivery/rig.ts";
import { created, updated } from "../functions/kit/event-factory.ts";
import { database, databasePath } from "../kit/database-crd.ts";
import { withFreePorts } from "../kit/free-port.ts";
import { type CollectedSpan, type OtlpCollector, startOtlpCollector } from "../kit/otlp-collector.ts";
import type { ServerProcess } from "../kit/server-process.ts";
import { until } from "../kit/until.ts";
import { type Receiver, startReceiver } from "../kit/webhook-server.ts";
import { startFunctionProcess } from "./function-process.ts";
import { startCommand, startJourney } from "./rig.ts";

const PATIENCE = { waitMsMax: 60_000 };
const QUICK = { OTEL_BSP_SCHEDULE_DELAY: "100", OTEL_METRIC_EXPORT_INTERVAL: "500" };

/** As a user has it, who depends on OpenTelemetry's API. */
const OWN_FUNCTION = `
import { defineFunction } from ${JSON.stringify(import.meta.resolve("../../functions/door.ts"))};
import { trace } from ${JSON.stringify(import.meta.resolve("@opentelemetry/api"))};
import { z } from ${JSON.stringify(import.meta.resolve("zod"))};

export default defineFunction({
  name: "own",
  description: "Tells a span of its own.",
  config: z.strictObject({}),
  async run({ step }) {
    await step("compute", async () => {
      await trace.getTracer("mine").startActiveSpan("my own work", async (span) => span.end());
    });
  },
});
`;

/** Our processes get the environment of this one. */
function setEnvironment(variables: Readonly<Record<string, string>>): void {
  for (const name of Object.keys(process.env)) if (/^OTEL_|^LOG_LEVEL$/.test(name)) delete process.env[name];
  Object.assign(process.env, variables);
}

beforeEach(() => setEnvironment({}));

async function startCollector(
  t: TestContext,
  variables: Readonly<Record<string, string>> = {},
): Promise<OtlpCollector> {
  const collector = await startOtlpCollector();
  t.after(() => collector.stop());
  const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint, OTEL_EXPORTER_OTLP_PROTOCOL: "http/json" };
  setEnvironment({ ...QUICK, ...endpoint, ...variables });
  return collector;
}

async function openReceiver(t: TestContext): Promise<Receiver> {
  const receiver = await startReceiver(() => ({ status: 200 }));
  t.after(() => receiver.stop());
  return receiver;
}

const relayTo = (name: string, url: string) => ({
  ...{ name, function: "relay", apiVersion: "demo.example.com/v1", kind: "Database", start: "all" },
  config: { url, mode: "binary" },
});

const startRelay = (t: TestContext, natsUrl: string, url: string, port = 0) => {
  const settings = { nats: { servers: [natsUrl] }, health: { host: "127.0.0.1", port } };
  const config = { ...settings, subscriptions: [relayTo("relay", url)] };
  return startCommand(t, "run", "--subscriptions", config, /"consumer created"/);
};

/** The lines of a process that have these fields. */
function linesOf(process_: ServerProcess, fields: Readonly<Record<string, unknown>>): Record<string, unknown>[] {
  const lines = process_
    .logTail()
    .split("\n")
    .flatMap((line) => {
      const json = /\{.*\}/.exec(line)?.[0];
      return json === undefined ? [] : [JSON.parse(json) as Record<string, unknown>];
    });
  return lines.filter((line) => Object.entries(fields).every(([name, value]) => line[name] === value));
}

const parentOf = (spans: readonly CollectedSpan[], { traceId, parentSpanId }: CollectedSpan) =>
  spans.find((each) => each.traceId === traceId && each.spanId === parentSpanId);

describe("a change", () => {
  test("is one trace: published, delivered, each try, its step, and the request that the receiver gets", async (t) => {
    const collector = await startCollector(t, {
      LOG_LEVEL: "debug",
      OTEL_RESOURCE_ATTRIBUTES: "deployment.environment.name=lab",
    });
    const journey = await startJourney(t);
    if (journey === undefined) return;
    const { kube, namespace, slack } = journey;
    const bridge = await journey.startBridge();
    const functions = await journey.startFunctions();
    await kube.client.create(databasePath(namespace), database("orders", namespace));
    slack.next({ status: 500 });
    await kube.client.patch(
      databasePath(namespace, "orders"),
      { status: { phase: "Failed" } },
      { subresource: "status" },
    );
    await slack.waitForMessages(1, { timeoutMs: 60_000 });

    const isPost = ({ kind, attributes }: CollectedSpan) =>
      kind === "client" && attributes["http.response.status_code"] === 200;
    const post = await collector.span(isPost, "the span of the request that Slack took");
    const { spans } = collector;
    const process_ = () => parentOf(spans, parentOf(spans, post) ?? post);
    await until(() => process_() !== undefined, { what: "the spans around it", ...PATIENCE });
    const failed = (await journey.events()).find(({ phase }) => phase === "Failed");
    const trace = eventTrace(failed?.id ?? "", () => true);
    const publish = await collector.span(({ spanId }) => spanId === trace.spanId, "the span of its publishing");

    assert.equal(failed?.traceparent, `00-${trace.traceId}-${trace.spanId}-01`);
    assert.deepEqual(
      [post, parentOf(spans, post), process_(), publish].map((span) => [
        span?.traceId,
        span?.service,
        span?.name,
        span?.kind,
      ]),
      [
        [trace.traceId, "cr-reactor-functions", "POST", "client"],
        [trace.traceId, "cr-reactor-functions", "step post", "internal"],
        [trace.traceId, "cr-reactor-functions", "process cr.test.demo_example_com.Database.>", "consumer"],
        [trace.traceId, "cr-reactor-bridge", "publish cr.test.demo_example_com.Database.>", "producer"],
      ],
    );
    assert.equal(parentOf(spans, process_() as CollectedSpan), publish);
    assert.ok(!publish.parentSpanId, "the trace begins with the change");
    assert.ok(BigInt(publish.startTimeUnixNano) <= BigInt(post.startTimeUnixNano));

    const tries = spans.filter(({ traceId, kind }) => traceId === trace.traceId && kind === "consumer");
    assert.deepEqual(
      tries.map(({ attributes, status }) => [
        attributes["cr_reactor.attempt"],
        attributes["cr_reactor.outcome"],
        status.code,
      ]),
      [
        [1, "retry", 2],
        [2, "done", 0],
      ],
    );
    const sent = slack.requests.map(({ headers }) => headers["traceparent"]);
    assert.equal(sent.at(-1), `00-${trace.traceId}-${post.spanId}-01`);
    assert.deepEqual(
      sent.map((each) => String(each).split("-")[1]),
      sent.map(() => trace.traceId),
    );

    const ids = { id: failed?.id, trace_id: trace.traceId };
    const [published] = linesOf(bridge, { ...ids, msg: "published" });
    assert.equal(published?.["span_id"], trace.spanId);
    const [done] = linesOf(functions, { ...ids, msg: "done", subscription: "database-failed" });
    assert.equal(done?.["span_id"], process_()?.spanId);
    assert.equal(linesOf(functions, { ...ids, msg: "failed; trying again after a while" }).length, 1);

    const attributes = { ...publish.attributes };
    delete attributes["messaging.message.body.size"];
    assert.deepEqual(attributes, {
      ...{ "messaging.operation.name": "publish", "messaging.operation.type": "send", "messaging.system": "nats" },
      "messaging.destination.name": `cr.test.demo_example_com.Database.${namespace}.orders`,
      "messaging.destination.template": "cr.test.demo_example_com.Database.>",
      "messaging.message.id": failed?.id,
      "cloudevents.event_id": failed?.id,
      "cloudevents.event_source": "/clusters/test",
      "cloudevents.event_type": "dev.cr-reactor.resource.updated",
      "cloudevents.event_subject": `/apis/demo.example.com/v1/namespaces/${namespace}/databases/orders`,
      "cloudevents.event_spec_version": "1.0",
      ...{ "k8s.cluster.name": "test", "k8s.namespace.name": namespace },
      "cr_reactor.object.api_version": "demo.example.com/v1",
      ...{
        "cr_reactor.object.kind": "Database",
        "cr_reactor.object.name": "orders",
        "cr_reactor.object.phase": "Failed",
      },
      "cr_reactor.gap": false,
    });
    const resource = collector.resources.get("cr-reactor-bridge");
    assert.equal(resource?.["deployment.environment.name"], "lab");
    assert.equal(resource?.["k8s.cluster.name"], "test");
    assert.match(String(resource?.["service.instance.id"]), /^[0-9a-f-]{36}$/);
  });

  test("that is relayed stays one trace: its own attribute is handed on as it is, and the header names the hop", async (t) => {
    const collector = await startCollector(t, { OTEL_TRACES_SAMPLER: "always_on" });
    const rig = await startRig(t);
    if (rig === undefined) return;
    const end = await openReceiver(t);
    const serving = { serve: { port: 0 }, subscriptions: [relayTo("last", end.origin)] };
    const served = await startCommand(t, "serve", "--subscriptions", serving, /"listening for CloudEvents"/);
    const url = /"url":"([^"]+)"/.exec(served.logTail())?.[1] ?? "";
    await startRelay(t, rig.nats.url, url);
    const event = created({ name: "orders" });
    await rig.publish(event);
    await end.until(() => end.requests.length === 1, "the event to arrive", 60_000);
    const { traceId, spanId } = eventTrace(event.envelope.id, () => false);
    const spansOf = () => collector.spans.filter((span) => span.traceId === traceId);
    await until(() => spansOf().length === 4, { what: "two deliveries and two requests", ...PATIENCE });
    const [request] = end.requests;
    const chain: string[] = [];
    for (let at = String(request?.headers["traceparent"]).split("-")[2]; at !== spanId; ) {
      const span = spansOf().find((each) => each.spanId === at);
      assert.ok(span, `the span ${at} is told; so far: ${chain.join(", ")}`);
      chain.push(`${span.kind} ${span.attributes["messaging.consumer.group.name"] ?? ""}`.trim());
      at = span.parentSpanId ?? "";
    }
    assert.deepEqual(chain, ["client", "consumer last", "client", "consumer relay"]);
    assert.equal(request?.headers["ce-traceparent"], event.envelope.traceparent);
  });

  test("that is part of a batch is linked from the one call", async (t) => {
    const collector = await startCollector(t, { OTEL_TRACES_SAMPLER: "always_on" });
    const rig = await startRig(t);
    if (rig === undefined) return;
    const end = await openReceiver(t);
    const batch = { ...relayTo("relay", end.origin), batch: { window: "5s" } };
    const config = { nats: { servers: [rig.nats.url] }, subscriptions: [batch] };
    const events = [created({ name: "orders" }), created({ name: "users" })];
    await rig.publish(...events);
    await startCommand(t, "run", "--subscriptions", config, /"consumer created"/);
    await end.until(() => end.requests.length === 1, "the batch to arrive", 60_000);
    const span = await collector.span(
      ({ attributes }) => attributes["messaging.batch.message_count"] === 2,
      "the call",
    );
    const [first, second] = events.map(({ envelope }) => eventTrace(envelope.id, () => false));
    assert.deepEqual([span.traceId, span.parentSpanId], [first?.traceId, first?.spanId]);
    assert.deepEqual(span.links, [{ traceId: second?.traceId, spanId: second?.spanId }]);
  });

  test("is told in protobuf unless JSON is asked for", async (t) => {
    const collector = await startCollector(t, { OTEL_TRACES_SAMPLER: "always_on", OTEL_EXPORTER_OTLP_PROTOCOL: "" });
    const rig = await startRig(t);
    if (rig === undefined) return;
    const end = await openReceiver(t);
    await startRelay(t, rig.nats.url, end.origin);
    const event = created({ name: "orders" });
    await rig.publish(event);
    const { traceId } = eventTrace(event.envelope.id, () => false);
    const told = () => collector.requests.find(({ path }) => path === "/v1/traces");
    await until(() => told() !== undefined, { what: "spans", ...PATIENCE });
    assert.equal(told()?.headers["content-type"], "application/x-protobuf");
    for (const part of [Buffer.from(traceId, "hex"), "process cr.lab.demo_example_com.Database.>"])
      assert.ok(told()?.body.includes(part));
  });

  test("has the spans in it that a function tells by OpenTelemetry's own API", async (t) => {
    const collector = await startCollector(t, { OTEL_TRACES_SAMPLER: "always_on" });
    const rig = await startRig(t);
    if (rig === undefined) return;
    const entry = {
      name: "own",
      function: "./own.ts",
      apiVersion: "demo.example.com/v1",
      kind: "Database",
      start: "all",
    };
    const config = { nats: { servers: [rig.nats.url] }, subscriptions: [entry] };
    await startFunctionProcess(t, { config, files: { "own.ts": OWN_FUNCTION } });
    await rig.publish(created({ name: "orders" }));
    const own = await collector.span(({ name }) => name === "my own work", "the function's own span");
    const step = await collector.span(({ name }) => name === "step compute", "the step around it");
    assert.deepEqual([own.traceId, own.parentSpanId], [step.traceId, step.spanId]);
  });
});

describe("without a collector", () => {
  test("nothing is sent, and the receiver gets the trace of the change all the same", async (t) => {
    const rig = await startRig(t);
    if (rig === undefined) return;
    const end = await openReceiver(t);
    const functions = await startRelay(t, rig.nats.url, end.origin);
    const event = created({ name: "orders" });
    await rig.publish(event);
    await end.until(() => end.requests.length === 1, "the event to arrive", 60_000);
    assert.equal(end.requests[0]?.headers["traceparent"], event.envelope.traceparent);
    await until(() => linesOf(functions, { msg: "done" }).length === 1, PATIENCE);
    assert.equal(linesOf(functions, { msg: "done" })[0]?.["trace_id"], event.envelope.traceparent?.split("-")[1]);
    assert.doesNotMatch(functions.logTail(), /telemetry/);
  });

  test("the header is left out when OTEL_PROPAGATORS says none", async (t) => {
    setEnvironment({ OTEL_PROPAGATORS: "none" });
    const rig = await startRig(t);
    if (rig === undefined) return;
    const end = await openReceiver(t);
    await startRelay(t, rig.nats.url, end.origin);
    await rig.publish(created({ name: "orders" }));
    await end.until(() => end.requests.length === 1, "the event to arrive", 60_000);
    assert.equal(end.requests[0]?.headers["traceparent"], undefined);
  });

  test("that was promised, events go on, it is told why, and the process ends soon", async (t) => {
    const collector = await startOtlpCollector();
    await collector.stop();
    setEnvironment({ ...QUICK, OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint, OTEL_TRACES_SAMPLER: "always_on" });
    const rig = await startRig(t);
    if (rig === undefined) return;
    const end = await openReceiver(t);
    const functions = await startRelay(t, rig.nats.url, end.origin);
    await rig.publish(created({ name: "orders" }), updated({ name: "orders" }, { name: "orders", phase: "Failed" }));
    await end.until(() => end.requests.length === 2, "the events to arrive", 60_000);
    await until(
      () => /"reason":"[^"]*ECONNREFUSED.*spans or metrics may be missing/.test(functions.logTail()),
      PATIENCE,
    );
    await functions.kill("SIGTERM");
    assert.match(functions.logTail(), /the collector does not answer: what was not sent yet is lost/);
    assert.deepEqual(functions.lastExit, { code: 0, signal: null });
  });
});

describe("sampling", () => {
  const rows = [
    {
      name: "of none is told in the event, so that nobody after it records it either",
      argument: "0",
      isSampled: false,
    },
    { name: "of all is told in the event", argument: "1", isSampled: true },
  ];
  for (const { name, argument, isSampled } of rows) {
    test(name, async (t) => {
      const collector = await startCollector(t, {
        OTEL_TRACES_SAMPLER: "parentbased_traceidratio",
        OTEL_TRACES_SAMPLER_ARG: argument,
      });
      const journey = await startJourney(t);
      if (journey === undefined) return;
      const { kube, namespace, nats } = journey;
      const end = await openReceiver(t);
      const bridge = await journey.startBridge();
      const functions = await startRelay(t, nats.url, end.origin);
      await kube.client.create(databasePath(namespace), database("orders", namespace));
      await end.until(() => end.requests.length === 1, "the event to arrive", 60_000);
      for (const each of [functions, bridge]) await each.kill("SIGTERM"); // what waits is sent
      const flags = isSampled ? "01" : "00";
      const headers = ["traceparent", "ce-traceparent"].map((header) => String(end.requests[0]?.headers[header]));
      assert.deepEqual(
        headers.map((header) => header.split("-").at(-1)),
        [flags, flags],
      );
      assert.deepEqual(
        collector.spans.map(({ kind }) => kind).sort(),
        isSampled ? ["client", "consumer", "producer"] : [],
      );
    });
  }
});

describe("metrics by OTLP", () => {
  test("are those of /metrics, by the same names, of the bridge and of the functions", async (t) => {
    const collector = await startCollector(t, { OTEL_TRACES_EXPORTER: "none" });
    const journey = await startJourney(t);
    if (journey === undefined) return;
    const { kube, namespace, nats } = journey;
    const end = await openReceiver(t);
    const bridge = await journey.startBridge();
    const bridgePort = Number(/"port":(\d+)/.exec(bridge.logTail())?.[1]);
    const functionsPort = await withFreePorts(1, async ([port = 0]) => {
      await startRelay(t, nats.url, end.origin, port);
      return port;
    });
    await kube.client.create(databasePath(namespace), database("orders", namespace));
    await end.until(() => end.requests.length === 1, "the event to arrive", 60_000);
    const services = [
      { service: "cr-reactor-bridge", port: bridgePort },
      { service: "cr-reactor-functions", port: functionsPort },
    ];
    for (const { service, port } of services) {
      const told = () => [
        ...new Set(collector.metrics.flatMap((each) => (each.service === service ? [each.name] : []))),
      ];
      const scraped = async () => {
        const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
        return [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name);
      };
      await until(async () => isDeepStrictEqual(told().sort(), (await scraped()).sort()), {
        ...{ what: `${service} to tell the names of /metrics`, ...PATIENCE },
      });
    }
    const newest = (name: string) => collector.metrics.findLast((each) => each.name === name);
    // What was told last may be from before the event.
    const published = () =>
      newest("cr_reactor_events_published_total")?.sum?.dataPoints.map(({ asDouble, attributes }) => [
        asDouble,
        attributes["op"],
      ]);
    await until(() => isDeepStrictEqual(published(), [[1, "created"]]), { what: "the event is counted", ...PATIENCE });
    assert.equal(newest("cr_reactor_events_published_total")?.sum?.isMonotonic, true);
    const pointOf = () => newest("cr_reactor_publish_seconds")?.histogram?.dataPoints[0];
    await until(() => Number(pointOf()?.count) === 1, { what: "how long it took is told", ...PATIENCE });
    const point = pointOf();
    assert.equal(newest("cr_reactor_publish_seconds")?.unit, "s");
    assert.equal(
      (point?.bucketCounts ?? []).reduce((sum: number, each) => sum + Number(each), 0),
      1,
    );
    assert.equal(point?.bucketCounts?.length, (point?.explicitBounds?.length ?? 0) + 1);
    assert.equal(newest("process_resident_memory_bytes")?.unit, "By");
    assert.deepEqual(collector.spans, []);
  });
});
