import assert from "node:assert/strict";
import { connect } from "node:net";
import { describe, test } from "node:test";
import { pino } from "pino";
import { PermanentError, RetryAfterError } from "../../../../functions/kit/outcome.ts";
import { receive } from "../../../../functions/kit/serve/receiver.ts";
import { BODY_BYTES_MAX } from "../../../../functions/kit/serve/request-body.ts";
import { until } from "../../../kit/until.ts";
import { door } from "../delivery/rig.ts";
import { created, deleted, replicasOf, updated } from "../event-factory.ts";
import { post, STRUCTURED, sendRaw, startServing } from "./serving.ts";

const event = updated({ phase: "Running" }, { phase: "Failed" });
const scaled = (name: string, replicas: number) =>
  updated({ name, spec: { replicas: replicas - 1 } }, { name, spec: { replicas } });

describe("the outcome of a function is the status of the answer", () => {
  const rows: readonly {
    readonly name: string;
    readonly run: () => Promise<string | undefined>;
    readonly status: number;
    readonly outcome?: string;
    readonly retryAfter?: string;
    readonly detail?: RegExp;
  }[] = [
    { name: "done: 204", run: async () => "a note", status: 204, outcome: "done" },
    {
      name: "an error: 503",
      run: () => Promise.reject(new Error("the ticket system is away")),
      status: 503,
      detail: /ticket system/,
    },
    {
      name: "RetryAfterError: 503 with the time, rounded up",
      run: () => Promise.reject(new RetryAfterError("busy", 1_200)),
      ...{ status: 503, retryAfter: "2", detail: /busy/ },
    },
    {
      name: "PermanentError: 422",
      run: () => Promise.reject(new PermanentError("no such channel")),
      status: 422,
      detail: /no such channel/,
    },
    {
      name: "a very long reason is cut",
      run: () => Promise.reject(new PermanentError("x".repeat(9_000))),
      status: 422,
      detail: /^x{799}…$/,
    },
  ];
  for (const { name, run, status, outcome, retryAfter, detail } of rows) {
    test(name, async (t) => {
      const { url } = await startServing(t, { test: run });
      const answer = await post(url, event.payload);
      assert.equal(answer.status, status);
      assert.equal(answer.outcome, outcome ?? null);
      assert.equal(answer.headers.get("retry-after"), retryAfter ?? null);
      if (detail) assert.match(answer.detail ?? "", detail);
      // Knative would take a CloudEvent in the answer for a reply.
      assert.ok(![...answer.headers.keys()].some((key) => key.startsWith("ce-")));
    });
  }

  test("a function that does not end in time: 503, and its signal is aborted", async (t) => {
    let aborted = false;
    const { url } = await startServing(
      t,
      { test: ({ signal }) => new Promise<undefined>(() => signal.addEventListener("abort", () => (aborted = true))) },
      { timeoutMs: 20 },
    );
    const answer = await post(url, event.payload);
    assert.equal(answer.status, 503);
    assert.match(answer.detail ?? "", /did not end within 0.02 s/);
    assert.ok(aborted);
  });

  test("an event that the filter does not match: 204, and nothing runs", async (t) => {
    const { url, status } = await startServing(
      t,
      { test: () => assert.fail("it ran") },
      { subscription: { when: { phase: { to: "Ready" } } } },
    );
    const answer = await post(url, event.payload);
    assert.deepEqual([answer.status, answer.outcome], [204, "skipped"]);
    assert.equal(status()[0]?.skipped, 1);
  });

  test("another system's event: 204, nothing runs, and one warning says so", async (t) => {
    const { url, lines } = await startServing(t, { test: () => assert.fail("it ran") });
    const foreign = JSON.stringify({ ...event.envelope, type: "com.example.other" });
    for (const _ of [1, 2]) assert.equal((await post(url, foreign)).outcome, "skipped");
    assert.equal(lines.filter(({ msg }) => /are not cr-reactor's/.test(msg)).length, 1);
  });

  test("no event: 400, and the field is named", async (t) => {
    const { url } = await startServing(t, { test: () => assert.fail("it ran") });
    const answer = await post(url, JSON.stringify({ ...event.envelope, kind: "" }));
    assert.equal(answer.status, 400);
    assert.match(answer.detail ?? "", /kind: /);
    assert.equal(answer.headers.get("content-type"), "application/problem+json");
  });

  test("a patch that does not fit its object: 422", async (t) => {
    const { url } = await startServing(
      t,
      { test: () => assert.fail("it ran") },
      { subscription: { when: { field: { path: "spec.a" } } } },
    );
    const patch = [{ op: "replace", path: "/spec/no/such", value: 1, oldValue: 2 }];
    const answer = await post(url, JSON.stringify({ ...event.envelope, data: { ...event.envelope.data, patch } }));
    assert.ok(answer.status === 422 || answer.outcome === "skipped", String(answer.status));
  });

  test("JSON that is nested beyond measure: 400, or what the function says; the process goes on", async (t) => {
    const { url, lines } = await startServing(t, { test: async () => "" });
    const deep = `${'{"a":'.repeat(500_000)}1${"}".repeat(500_000)}`;
    const patch = `[{"op":"replace","path":"/spec/a","value":${deep},"oldValue":1}]`;
    const sent = [
      event.payload.replace(/"patch":\[.*?\](?=,"transitions")/, `"patch":${patch}`),
      event.payload.replace('"spec":{', `"spec":{"deep":${deep},`),
    ];
    for (const body of sent) {
      assert.notEqual(body, event.payload);
      assert.ok([204, 400, 422].includes((await post(url, body)).status));
    }
    assert.ok(!lines.some(({ msg }) => /could not be handled/.test(msg)));
    assert.equal((await post(url, event.payload)).status, 204);
  });

  test("data that is in NATS, for a process without NATS: 400 that says so", async (t) => {
    const { url } = await startServing(t, { test: () => assert.fail("it ran") });
    const { data: _, ...attributes } = event.envelope;
    const answer = await post(url, JSON.stringify({ ...attributes, dataref: "nats:/CR_BLOBS/a/b/c" }));
    assert.equal(answer.status, 400);
    assert.match(answer.detail ?? "", /dataref/);
  });
});

describe("a function over HTTP gets", () => {
  test("what it gets over NATS: event, object, state before, key, and the number of the try", async (t) => {
    const seen: unknown[] = [];
    const { url } = await startServing(t, {
      test: async ({ object, before, idempotencyKey, attempt, subscription }) => {
        seen.push([object.metadata.name, before?.["status"], idempotencyKey, attempt, subscription]);
        if (attempt === 1) throw new Error("not yet");
      },
    });
    assert.equal((await post(url, event.payload)).status, 503);
    assert.equal((await post(url, event.payload)).status, 204);
    const key = `test/${event.envelope.id}`;
    assert.deepEqual(
      seen,
      [1, 2].map((attempt) => ["orders", { phase: "Running" }, key, attempt, "test"]),
    );
  });
});

describe("paths", () => {
  const both = { one: async () => "1", two: async () => "2" };
  test("each subscription has one, and the root is the only one's", async (t) => {
    const several = await startServing(t, both);
    assert.equal((await post(`${several.url}/two?x=1`, event.payload)).status, 204);
    assert.deepEqual(
      several.status().map(({ name, done }) => [name, done]),
      [
        ["one", 0],
        ["two", 1],
      ],
    );
    const lost = await post(several.url, event.payload);
    assert.deepEqual([lost.status, lost.detail], [404, "nothing is subscribed here: send to /one or /two"]);
    const single = await startServing(t, { one: both.one });
    assert.equal((await post(`${single.url}/one`, event.payload)).status, 204);
    assert.equal((await post(`${single.url}/`, event.payload)).status, 204);
    assert.equal((await post(`${single.url}/constructor`, event.payload)).status, 404);
  });

  test("other methods are refused with the one that is allowed", async (t) => {
    const { url } = await startServing(t, { test: async () => "" });
    for (const method of ["GET", "PUT", "OPTIONS", "DELETE"]) {
      const response = await fetch(url, { method });
      assert.deepEqual([response.status, response.headers.get("allow")], [405, "POST"], method);
    }
  });

  test("probes are answered", async (t) => {
    const { url } = await startServing(t, { livez: async () => "" });
    for (const path of ["/livez", "/readyz"]) {
      assert.equal((await fetch(url + path)).status, 200);
      assert.equal((await fetch(url + path, { method: "HEAD" })).status, 200);
    }
    assert.equal((await post(`${url}/livez`, event.payload)).outcome, "done");
  });
});

describe("order", () => {
  test("two events of one object never run at once and keep their order; other objects do not wait", async (t) => {
    const [first, other] = [door(), door()];
    const runs: string[] = [];
    const { url } = await startServing(t, {
      test: async ({ object }) => {
        const name = `${object.metadata.name}${replicasOf(object)}`;
        runs.push(`${name} begins`);
        if (name === "a1") await first.passed;
        if (name === "b1") other.open();
        runs.push(`${name} ends`);
      },
    });
    const a1 = post(url, scaled("a", 1).payload);
    await until(() => runs.length === 1);
    const a2 = post(url, scaled("a", 2).payload);
    const b1 = post(url, scaled("b", 1).payload);
    await other.passed;
    assert.equal((await b1).status, 204);
    first.open();
    await Promise.all([a1, a2]);
    assert.deepEqual(
      runs.filter((run) => run.startsWith("a")),
      ["a1 begins", "a1 ends", "a2 begins", "a2 ends"],
    );
  });

  test("a failed event does not hold up the next one of its object: the sender decides", async (t) => {
    const { url } = await startServing(t, {
      test: async ({ object }) => {
        if (replicasOf(object) === 1) throw new Error("no");
      },
    });
    assert.equal((await post(url, scaled("a", 1).payload)).status, 503);
    assert.equal((await post(url, scaled("a", 2).payload)).status, 204);
  });

  test("concurrency is kept to", async (t) => {
    const gate = door();
    let running = 0;
    let most = 0;
    const { url } = await startServing(
      t,
      {
        test: async () => {
          most = Math.max(most, ++running);
          await gate.passed;
          running--;
        },
      },
      { subscription: { concurrency: 2 } },
    );
    const posts = Array.from({ length: 8 }, (_, i) => post(url, scaled(`o${i}`, 1).payload));
    await until(() => most === 2);
    gate.open();
    assert.deepEqual(
      (await Promise.all(posts)).map(({ status }) => status),
      Array(8).fill(204),
    );
    assert.equal(most, 2);
  });
});

describe("a sender that goes away", () => {
  test("does not end what runs, and gets its outcome when it comes again", async (t) => {
    const gate = door();
    let runs = 0;
    const { url, status, lines } = await startServing(t, {
      test: async ({ signal }) => {
        runs++;
        await gate.passed;
        assert.equal(signal.aborted, false);
      },
    });
    const impatient = new AbortController();
    const lost = post(url, event.payload, STRUCTURED, impatient.signal);
    await until(() => runs === 1);
    impatient.abort();
    await assert.rejects(lost);
    await until(() => lines.some(({ msg }) => /no longer waits/.test(msg)));
    const again = post(url, event.payload);
    gate.open();
    assert.equal((await again).outcome, "done");
    assert.equal(runs, 1);
    assert.equal(status()[0]?.done, 1);
  });

  test("before its turn came has begun nothing", async (t) => {
    const gate = door();
    const runs: number[] = [];
    const { url, lines } = await startServing(t, {
      test: async ({ object }) => {
        runs.push(replicasOf(object));
        await gate.passed;
      },
    });
    const first = post(url, scaled("a", 1).payload);
    await until(() => runs.length === 1);
    const impatient = new AbortController();
    const second = post(url, scaled("a", 2).payload, STRUCTURED, impatient.signal);
    await until(() => lines.filter(({ msg }) => msg === "received").length === 2);
    impatient.abort();
    await assert.rejects(second);
    await until(() => lines.some(({ msg }) => /no longer waits/.test(msg)));
    gate.open();
    assert.equal((await first).status, 204);
    assert.equal((await post(url, scaled("a", 3).payload)).status, 204);
    assert.deepEqual(runs, [1, 3]);
  });

  test("an event that was answered runs again when it is sent again", async (t) => {
    let runs = 0;
    const { url } = await startServing(t, { test: async () => void runs++ });
    await post(url, event.payload);
    await post(url, event.payload);
    assert.equal(runs, 2);
  });
});

describe("limits", () => {
  test("a body that is too large: 413, announced or not", async (t) => {
    const { url } = await startServing(t, { test: async () => "" });
    const large = Buffer.alloc(BODY_BYTES_MAX + 1, " ");
    assert.equal((await post(url, large)).status, 413);
    const stream = new ReadableStream({
      start(controller) {
        for (let sent = 0; sent < large.length; sent += 65_536) controller.enqueue(new Uint8Array(65_536));
        controller.close();
      },
    });
    const response = await fetch(url, { method: "POST", body: stream, headers: STRUCTURED, duplex: "half" });
    assert.equal(response.status, 413);
    assert.equal((await post(url, event.payload)).status, 204);
  });

  test("more requests than are held at a time: 503, come again", async (t) => {
    const gate = door();
    let runs = 0;
    const test = async () => {
      runs++;
      await gate.passed;
    };
    const { url } = await startServing(t, { test }, { limits: { inHandMax: 1 } });
    const first = post(url, event.payload);
    await until(() => runs === 1);
    const second = await post(url, event.payload);
    assert.deepEqual([second.status, second.headers.get("retry-after")], [503, "1"]);
    gate.open();
    assert.equal((await first).status, 204);
  });

  test("a sender that dawdles is cut off, with headers as with the body", async (t) => {
    const { url } = await startServing(t, { test: async () => "" }, { limits: { requestMs: 50 } });
    assert.match(await sendRaw(url, "POST / HTTP/1.1\r\nHost: x\r\nX-Slow:"), /^(HTTP\/1.1 408 |$)/);
    const head =
      "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/cloudevents+json\r\nContent-Length: 100\r\n\r\n{";
    assert.match(await sendRaw(url, head), /^(HTTP\/1.1 (408|503) |$)/);
    // On a busy machine an ordinary sender is too slow for that limit as well, now and then.
    await until(async () => (await post(url, event.payload).catch(() => undefined))?.status === 204);
  });

  test("headers beyond measure are refused", async (t) => {
    const { url } = await startServing(t, { test: async () => "" });
    const head = `POST / HTTP/1.1\r\nHost: x\r\nX-Large: ${"x".repeat(40_000)}\r\n\r\n`;
    assert.match(await sendRaw(url, head), /^HTTP\/1.1 431 /);
    assert.match(await sendRaw(url, "NONSENSE\r\n\r\n"), /^HTTP\/1.1 400 /);
  });

  test("a connection is used for several events", async (t) => {
    const { url } = await startServing(t, { test: async () => "" });
    const { port } = new URL(url);
    const one = `POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/cloudevents+json\r\nContent-Length: ${Buffer.byteLength(event.payload)}\r\n\r\n${event.payload}`;
    const socket = connect(Number(port), "127.0.0.1", () => socket.write(one + one));
    let received = "";
    socket.setEncoding("utf8").on("data", (chunk) => (received += String(chunk)));
    await until(() => received.match(/HTTP\/1.1 204 /g)?.length === 2);
    socket.destroy();
  });
});

describe("who may send", () => {
  const token = "s3cret-of-the-test";
  process.env["SERVE_TEST_TOKEN"] = token;
  const source = { env: "SERVE_TEST_TOKEN" };
  const rows = [
    { name: "the token", headers: { authorization: `Bearer ${token}` }, status: 204 },
    {
      name: "the token, with another word of the same meaning",
      headers: { authorization: `bearer ${token}` },
      status: 204,
    },
    { name: "another token", headers: { authorization: `Bearer ${token}x` }, status: 401 },
    { name: "another scheme", headers: { authorization: `Basic ${token}` }, status: 401 },
    { name: "nothing", headers: {}, status: 401 },
  ] as const;
  for (const { name, headers, status } of rows) {
    test(`${name}: ${status}`, async (t) => {
      const { url, lines } = await startServing(
        t,
        { test: async () => "" },
        { auth: { type: "token", token: source } },
      );
      const answer = await post(url, event.payload, { ...STRUCTURED, ...headers });
      assert.equal(answer.status, status);
      assert.equal(answer.headers.has("www-authenticate"), status === 401);
      assert.ok(!`${JSON.stringify(lines)}${answer.detail}`.includes(token));
      // A probe knows no token.
      assert.equal((await fetch(`${url}/readyz`)).status, 200);
    });
  }

  test("a header of its own carries the token alone", async (t) => {
    const auth = { type: "token", token: source, header: "X-Webhook-Token" } as const;
    const { url } = await startServing(t, { test: async () => "" }, { auth });
    assert.equal((await post(url, event.payload, { ...STRUCTURED, "x-webhook-token": token })).status, 204);
    assert.equal((await post(url, event.payload, { ...STRUCTURED, authorization: `Bearer ${token}` })).status, 401);
  });

  test("a stranger is not told which paths there are", async (t) => {
    const auth = { type: "token", token: source } as const;
    const { url } = await startServing(t, { one: async () => "", two: async () => "" }, { auth });
    const answer = await post(`${url}/three`, event.payload);
    assert.deepEqual([answer.status, /one|two/.test(answer.detail ?? "")], [401, false]);
    assert.equal(
      (await post(`${url}/three`, event.payload, { ...STRUCTURED, authorization: `Bearer ${token}` })).status,
      404,
    );
  });

  test("a large body of a stranger is not taken, and the stranger is told", async (t) => {
    const { url } = await startServing(t, { test: async () => "" }, { auth: { type: "token", token: source } });
    assert.equal((await post(url, Buffer.alloc(4 * 1024 ** 2, " "))).status, 401);
  });

  test("a secret that is not there is told at the start", async (t) => {
    await assert.rejects(
      startServing(t, { test: async () => "" }, { auth: { type: "token", token: { env: "NO_SUCH" } } }),
      { code: "SECRET_UNREADABLE" },
    );
  });

  test("everybody, on an address that others reach: a warning says so", async (t) => {
    const warned = async (options: object) =>
      (await startServing(t, { test: async () => "" }, options)).lines.some(({ msg }) =>
        /everybody who reaches/.test(msg),
      );
    assert.equal(await warned({}), false);
    assert.equal(await warned({ host: "0.0.0.0" }), true);
    assert.equal(await warned({ host: "0.0.0.0", auth: { type: "token", token: source } }), false);
  });
});

describe("stopping", () => {
  test("what runs may end and is answered; what comes is sent elsewhere; probes fail; then the port is closed", async (t) => {
    const gate = door();
    let runs = 0;
    const test = async () => {
      runs++;
      await gate.passed;
    };
    const serving = await startServing(t, { test }, { limits: { drainMs: 60_000 } });
    const running = post(serving.url, scaled("a", 1).payload);
    await until(() => runs === 1);
    const waiting = post(serving.url, scaled("a", 2).payload);
    serving.stopping.abort();
    assert.equal((await fetch(`${serving.url}/readyz`)).status, 503);
    assert.equal((await fetch(`${serving.url}/livez`)).status, 200);
    const late = await post(serving.url, scaled("b", 1).payload);
    assert.deepEqual([late.status, late.headers.get("connection")], [503, "close"]);
    gate.open();
    assert.equal((await running).status, 204);
    assert.equal((await waiting).status, 503);
    await serving.done;
    await assert.rejects(fetch(serving.url));
    assert.equal(runs, 1);
  });

  test("a function that goes on past the deadline is told to end, and its event is to be sent again", async (t) => {
    let runs = 0;
    const serving = await startServing(
      t,
      {
        test: ({ signal }) => {
          runs++;
          return new Promise<undefined>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
        },
      },
      { limits: { drainMs: 20 } },
    );
    const running = post(serving.url, event.payload);
    await until(() => runs === 1);
    serving.stopping.abort();
    const answer = await running;
    assert.deepEqual([answer.status, answer.detail], [503, "the process stops"]);
    await serving.done;
  });

  test("one that never ends does not keep the process", async (t) => {
    let runs = 0;
    const serving = await startServing(
      t,
      { test: () => new Promise<undefined>(() => runs++) },
      { limits: { drainMs: 20 } },
    );
    const running = post(serving.url, event.payload);
    await until(() => runs === 1);
    serving.stopping.abort();
    await serving.done;
    assert.equal((await running).status, 503);
  });
});

test("a port that is taken is told with what to do", async (t) => {
  const { url } = await startServing(t, { test: async () => "" });
  await assert.rejects(startServing(t, { test: async () => "" }, { port: Number(new URL(url).port) }), {
    code: "LISTEN_FAILED",
    message: /choose another with --host and --port/,
  });
});

test("PORT names the port where nothing else does, as Knative sets it", async (t) => {
  const { url } = await startServing(t, { test: async () => "" });
  const { port } = new URL(url);
  process.env["PORT"] = port;
  t.after(() => delete process.env["PORT"]);
  const options = { log: pino({ enabled: false }), signal: AbortSignal.abort() };
  await assert.rejects(receive([], {}, options), new RegExp(`port ${port} `));
  await (await receive([], { port: 0 }, options)).done;
});

test("creations and deletions come through as well", async (t) => {
  const seen: string[] = [];
  const { url } = await startServing(t, {
    test: async ({ event: { type }, before }) => void seen.push(`${type} ${before === null}`),
  });
  for (const { payload } of [created({}), deleted({})]) await post(url, payload);
  assert.deepEqual(seen, ["dev.cr-reactor.resource.created true", "dev.cr-reactor.resource.deleted false"]);
});
