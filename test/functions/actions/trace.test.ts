/** What actions ask others is told as spans, without what is secret, and carries the context. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { httpRequest } from "../../../functions/actions/http-client.ts";
import { createKubeClients } from "../../../functions/actions/kube/kube-client.ts";
import { asCall } from "../../../functions/kit/running-call.ts";
import { openEmbedded } from "../../kit/embedded-kube.ts";
import { startReceiver } from "../../kit/webhook-server.ts";
import { recordSpans } from "../kit/trace/recorded-spans.ts";
import { sampleEvent } from "./sample-event.ts";

const context = { traceId: "c".repeat(32), spanId: "d".repeat(16), isSampled: true, state: "vendor=1" };

/** Runs it as a function's call would be. */
function inCall(work: () => Promise<unknown>) {
  const { tracing, spans } = recordSpans();
  const call = { subscription: "test", eventId: "1", attempt: 1, trace: { context, tracing } };
  return { spans, done: asCall(call, work) };
}

describe("a request", () => {
  test("is a span that names the host and the status, and its headers name the span", async (t) => {
    const receiver = await startReceiver(() => ({ status: 202 }));
    t.after(() => receiver.stop());
    const url = `${receiver.origin}/services/hunter2?key=hunter3`;
    const { spans, done } = inCall(() => httpRequest({ url, method: "POST", headers: { "x-api-key": "hunter4" } }));
    await done;
    const [span] = spans;
    assert.deepEqual(span?.told, {
      ...{ "http.request.method": "POST", "url.scheme": "http", "server.address": "127.0.0.1" },
      ...{ "server.port": Number(new URL(url).port), "http.response.status_code": 202 },
      "cr_reactor.idempotency_key": undefined,
    });
    assert.deepEqual([span?.name, span?.kind, span?.parent, span?.isEnded], ["POST", "client", context, true]);
    const { traceparent, tracestate } = receiver.requests[0]?.headers ?? {};
    assert.equal(traceparent, `00-${context.traceId}-${span?.context.spanId}-01`);
    assert.equal(tracestate, undefined, "the span's own, which has none here");
  });

  test("without spans hands on the context of the event", async (t) => {
    const receiver = await startReceiver(() => ({ status: 200 }));
    t.after(() => receiver.stop());
    const call = { subscription: "test", eventId: "1", attempt: 1, trace: { context, tracing: undefined } };
    await asCall(call, () => httpRequest({ url: receiver.origin, method: "GET" }));
    const { traceparent, tracestate } = receiver.requests[0]?.headers ?? {};
    assert.deepEqual([traceparent, tracestate], [`00-${context.traceId}-${context.spanId}-01`, "vendor=1"]);
  });

  test("outside of a call carries nothing", async (t) => {
    const receiver = await startReceiver(() => ({ status: 200 }));
    t.after(() => receiver.stop());
    await httpRequest({ url: receiver.origin, method: "GET" });
    assert.equal(receiver.requests[0]?.headers["traceparent"], undefined);
  });

  test("that is refused is a span that failed, by its status", async (t) => {
    const receiver = await startReceiver(() => ({ status: 403 }));
    t.after(() => receiver.stop());
    const { spans, done } = inCall(() => httpRequest({ url: receiver.origin, method: "POST" }));
    await assert.rejects(done);
    assert.match(spans[0]?.failure ?? "", /^403: .* refused the request \(HTTP 403\)/);
  });
});

test("requests to the API server are spans of their kind, whatever the objects' names", async (t) => {
  const { kubeconfigPath } = await openEmbedded(t);
  const event = sampleEvent({ op: "created", after: {} });
  const clients = createKubeClients();
  const place = { apiVersion: "v1", plural: "configmaps", namespace: "default", name: "one" };
  const { spans, done } = inCall(async () => {
    const { signal } = new AbortController();
    const client = clients({ kubeconfig: kubeconfigPath }, { event, subscription: "test", signal });
    await client.get(place);
    await client.create(place, { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "one" } });
    await client.kind("v1", "ConfigMap");
  });
  await done;
  assert.deepEqual(
    spans.map(({ name, kind }) => `${kind} ${name}`),
    [
      "client GET /api/v1/namespaces/{namespace}/configmaps/{name}",
      "client POST /api/v1/namespaces/{namespace}/configmaps",
      "client GET /api/v1",
    ],
  );
});
