import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { afterEach, describe, type TestContext, test } from "node:test";
import { type CloudEvent, HTTP } from "cloudevents";
import relay from "../../functions/relay.ts";
import type { ReceivedRequest } from "../kit/misbehaviour.ts";
import { sharedKube } from "../kit/shared-kube.ts";
import { startReceiver } from "../kit/webhook-server.ts";
import { sampleContext, sampleEvent } from "./actions/sample-event.ts";
import { failureOf } from "./actions/thrown.ts";

const failed = sampleEvent({
  before: { spec: { replicas: 3 }, status: { phase: "Running" } },
  after: { spec: { replicas: 3 }, status: { phase: 'Größe "x" 100%' } },
});

/** Runs the function with settings as they stand in YAML. */
function run(settings: object, event = failed) {
  return relay.run(sampleContext(event, relay.config.parse(settings)));
}

async function start(t: TestContext) {
  const receiver = await startReceiver(() => ({ status: 202 }));
  t.after(() => receiver.stop());
  return { receiver, url: `${receiver.origin}/default` };
}

/** The event as the official SDK reads the request. */
function eventIn(request: ReceivedRequest | undefined): CloudEvent<Record<string, unknown>> {
  const event = HTTP.toEvent<Record<string, unknown>>({ headers: request?.headers ?? {}, body: request?.body });
  assert.ok(!Array.isArray(event));
  return event as CloudEvent<Record<string, unknown>>;
}

const SECRETS = ["K_SINK", "K_CE_OVERRIDES", "K_CA_CERTS", "CR_REACTOR_TEST_RELAY"];
afterEach(() => {
  for (const name of SECRETS) delete process.env[name];
});

describe("the receiver gets", () => {
  for (const mode of ["structured", "binary"]) {
    test(`every attribute and the data, ${mode}, as the official SDK reads it`, async (t) => {
      const { receiver, url } = await start(t);
      assert.equal(await run({ url, mode }), `${new URL(url).host} answered 202`);
      const event = eventIn(receiver.requests[0]);
      const { data, ...attributes } = failed;
      for (const [name, value] of Object.entries(attributes)) {
        // The SDK makes a date of `time`, and does not undo percent-encoding (nor do Go's and Knative's).
        const found = String(name === "time" ? new Date(String(event[name])).toISOString() : event[name]);
        const wanted = name === "time" ? new Date(String(value)).toISOString() : String(value);
        assert.equal(mode === "binary" ? decodeURIComponent(found) : found, wanted, name);
      }
      assert.deepEqual(event.data, data);
      assert.equal(receiver.requests[0]?.headers["idempotency-key"], `databases/${failed.id}`);
    });
  }

  test("header values in which only printable ASCII stands, as the binding encodes it", async (t) => {
    const { receiver, url } = await start(t);
    await run({ url, mode: "binary" });
    assert.equal(receiver.requests[0]?.headers["ce-phase"], "Gr%C3%B6%C3%9Fe%20%22x%22%20100%25");
  });

  const types = [
    { op: "created", expected: "dev.knative.apiserver.resource.add" },
    { op: "existing", expected: "dev.knative.apiserver.resource.add" },
    { op: "updated", expected: "dev.knative.apiserver.resource.update" },
    { op: "deleted", expected: "dev.knative.apiserver.resource.delete" },
    { op: "unselected", expected: "dev.knative.apiserver.resource.delete" },
  ] as const;
  for (const { op, expected } of types) {
    test(`${expected} and the object alone for what is ${op}, when it asks as an ApiServerSource's`, async (t) => {
      const { receiver, url } = await start(t);
      const before = op === "created" || op === "existing" ? {} : { before: { spec: { replicas: 1 } } };
      const event = sampleEvent({ op, ...before, after: { spec: { replicas: 2 } } });
      await run({ url, types: "knative", data: "object" }, event);
      const received = eventIn(receiver.requests[0]);
      assert.equal(received.type, expected);
      assert.equal(received.dataschema, undefined);
      assert.deepEqual(received.data, event.data.object);
    });
  }

  test("extensions of the settings, and of the SinkBinding before them, which cannot make it another event", async (t) => {
    const { receiver, url } = await start(t);
    process.env["K_CE_OVERRIDES"] = JSON.stringify({ extensions: { team: "sre", type: "other", zone: "b" } });
    await run({ url, extensions: { team: "data", tier: "gold" } });
    const event = eventIn(receiver.requests[0]);
    assert.deepEqual([event["team"], event["tier"], event["zone"], event.type], ["sre", "gold", "b", failed.type]);
  });

  test("a signature that a receiver of Standard Webhooks can check, the same id on every try", async (t) => {
    const { receiver, url } = await start(t);
    process.env["CR_REACTOR_TEST_RELAY"] = `whsec_${Buffer.from("key of the test").toString("base64")}`;
    await run({ url, signature: { secret: { env: "CR_REACTOR_TEST_RELAY" } } });
    const [request] = receiver.requests;
    assert.ok(request);
    const { headers, body } = request;
    const signed = `${failed.id}.${String(headers["webhook-timestamp"])}.${body}`;
    const expected = createHmac("sha256", "key of the test").update(signed).digest("base64");
    assert.equal(headers["webhook-id"], failed.id);
    assert.equal(headers["webhook-signature"], `v1,${expected}`);
  });

  test("several events of one call as a batch, as the official SDK reads it, with one signature", async (t) => {
    const { receiver, url } = await start(t);
    process.env["CR_REACTOR_TEST_RELAY"] = "key";
    const other = sampleEvent({ op: "created", after: { spec: { replicas: 1 } } });
    const config = relay.config.parse({ url, mode: "binary", signature: { secret: { env: "CR_REACTOR_TEST_RELAY" } } });
    await relay.run({ ...sampleContext(failed, config), events: [failed, other] });
    const [request] = receiver.requests;
    assert.ok(request && receiver.requests.length === 1);
    const events = HTTP.toEvent({ headers: request.headers, body: request.body });
    assert.ok(Array.isArray(events));
    assert.deepEqual(
      events.map(({ id, data }) => [id, data]),
      [failed, other].map(({ id, data }) => [id, data]),
    );
    assert.equal(request.headers["webhook-id"], request.headers["idempotency-key"]);
  });

  test("a token and headers from secrets", async (t) => {
    const { receiver, url } = await start(t);
    process.env["CR_REACTOR_TEST_RELAY"] = "s3cret";
    const secret = { env: "CR_REACTOR_TEST_RELAY" };
    await run({ url, token: secret, headers: { "x-api-key": secret } });
    const headers = receiver.requests[0]?.headers ?? ({} as ReceivedRequest["headers"]);
    assert.deepEqual([headers.authorization, headers["x-api-key"]], ["Bearer s3cret", "s3cret"]);
  });

  test("an event of several megabytes whole", async (t) => {
    const { receiver, url } = await start(t);
    const notes = "n".repeat(1_300_000);
    await run({ url }, sampleEvent({ before: { spec: { notes: "" } }, after: { spec: { notes } } }));
    assert.equal((receiver.requests[0]?.body.length ?? 0) > 2_500_000, true);
  });
});

describe("the sink", () => {
  test("of a SinkBinding is used when the settings name no URL", async (t) => {
    const { receiver, url } = await start(t);
    process.env["K_SINK"] = url;
    await run({});
    assert.equal(receiver.requests.length, 1);
  });

  test("with a certificate of the cluster's own authority is trusted by K_CA_CERTS alone", async (t) => {
    const kube = await sharedKube(t);
    if (kube === undefined) return;
    const folder = join(dirname(kube.kubeconfigPath), "certs");
    const [cert = "", key = ""] = ["apiserver.crt", "apiserver.key"].map((file) =>
      readFileSync(join(folder, file), "utf8"),
    );
    const server = createServer({ cert, key }, (_, response) => response.writeHead(202).end());
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    t.after(() => server.closeAllConnections());
    t.after(() => server.close());
    const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
    assert.equal((await failureOf(async () => run({ url }))).treated, "retry");
    process.env["K_CA_CERTS"] = cert;
    assert.match(String(await run({ url })), /answered 202/);
    assert.match(String(await run({ url })), /answered 202/);
  });
});

describe("an event that the receiver does not take", () => {
  const answers = [
    ...[404, 408, 409, 429, 500, 503].map((status) => ({ status, treated: "retry" })),
    ...[400, 401, 403, 413, 422].map((status) => ({ status, treated: "dead-letter" })),
  ];
  for (const { status, treated } of answers) {
    test(`is a ${treated} at ${status}, as Knative's own senders treat it`, async (t) => {
      const { receiver, url } = await start(t);
      receiver.next({ status });
      assert.equal((await failureOf(async () => run({ url }))).treated, treated);
    });
  }

  for (const fault of ["reset", "lose-answer"] as const) {
    test(`is tried again after a ${fault}`, async (t) => {
      const { receiver, url } = await start(t);
      receiver.next(fault);
      assert.equal((await failureOf(async () => run({ url }))).treated, "retry");
    });
  }

  const mistakes = [
    { name: "without a sink", environment: {}, settings: {}, told: /K_SINK is not set\. Set url, or bind a sink/ },
    {
      name: "with a sink that is none",
      environment: { K_SINK: "broker" },
      settings: {},
      told: /K_SINK is no http or https URL/,
    },
    {
      name: "with overrides that are none",
      environment: { K_CE_OVERRIDES: "{" },
      settings: { url: "http://127.0.0.1:9" },
      told: /K_CE_OVERRIDES is not what a SinkBinding writes/,
    },
  ];
  for (const { name, environment, settings, told } of mistakes) {
    test(`${name} says what to do`, async () => {
      Object.assign(process.env, environment);
      assert.match((await failureOf(async () => run(settings))).message, told);
    });
  }
});

describe("settings are refused", () => {
  const rows = [
    { name: "an extension with a capital letter", settings: { extensions: { Team: "x" } } },
    { name: "an extension that is an attribute", settings: { extensions: { subject: "x" } } },
    { name: "a header of the event", settings: { headers: { "ce-id": "x" } } },
    { name: "a header of the signature", settings: { headers: { "webhook-signature": "x" } } },
    { name: "credentials in the URL", settings: { url: "https://a:b@example.com" } },
  ];
  for (const { name, settings } of rows) {
    test(name, () => assert.equal(relay.config.safeParse(settings).success, false));
  }
});
