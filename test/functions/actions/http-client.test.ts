import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createServer, request as forward } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, test } from "node:test";
import { promisify } from "node:util";
import { type HttpRequest, httpRequest } from "../../../functions/actions/http-client.ts";
import type { Fault } from "../../kit/misbehaviour.ts";
import { startReceiver } from "../../kit/webhook-server.ts";
import { failureOf } from "./thrown.ts";

const NOW_MS = Date.parse("2026-03-04T05:06:07Z");

/** One call to a receiver that meets the fault. */
async function call(fault: Fault, request: Partial<HttpRequest> = {}) {
  await using receiver = await startReceiver(() => ({ status: 200, body: "ok" }));
  receiver.next(fault);
  return await httpRequest({
    url: `${receiver.origin}/secret-path`,
    method: "POST",
    body: "{}",
    now: () => NOW_MS,
    ...request,
  });
}

describe("an answer", () => {
  test("within 200 to 299 is success, with its text", async () => {
    const { status, text, truncated } = await call({ status: 204 });
    assert.deepEqual({ status, text, truncated }, { status: 204, text: "", truncated: false });
  });

  test("with an accepted status is success", async () => {
    const { status } = await call({ status: 409 }, { acceptedStatuses: [409] });
    assert.equal(status, 409);
  });

  const failures: { name: string; fault: Fault; treated: string; afterMs?: number; message: RegExp }[] = [
    {
      name: "429 with Retry-After in seconds waits that long",
      fault: { status: 429, headers: { "retry-after": "30" } },
      treated: "retry",
      afterMs: 30_000,
      message: /HTTP 429/,
    },
    {
      name: "503 with Retry-After as a date waits until then",
      fault: { status: 503, headers: { "retry-after": "Wed, 04 Mar 2026 05:08:07 GMT" } },
      treated: "retry",
      afterMs: 120_000,
      message: /HTTP 503/,
    },
    {
      name: "a Retry-After of a day is an hour",
      fault: { status: 429, headers: { "retry-after": "86400" } },
      treated: "retry",
      afterMs: 3_600_000,
      message: /HTTP 429/,
    },
    {
      name: "a Retry-After of nothing, or in the past, is a second",
      fault: { status: 429, headers: { "retry-after": "0" } },
      treated: "retry",
      afterMs: 1_000,
      message: /HTTP 429/,
    },
    {
      name: "a Retry-After that cannot be read leaves the wait to us",
      fault: { status: 429, headers: { "retry-after": "soon" } },
      treated: "retry",
      message: /HTTP 429/,
    },
    { name: "429 alone is tried again", fault: { status: 429 }, treated: "retry", message: /HTTP 429/ },
    { name: "408 is tried again", fault: { status: 408 }, treated: "retry", message: /HTTP 408/ },
    { name: "425 is tried again", fault: { status: 425 }, treated: "retry", message: /HTTP 425/ },
    { name: "500 is tried again", fault: { status: 500 }, treated: "retry", message: /HTTP 500/ },
    {
      name: "400 is final",
      fault: { status: 400 },
      treated: "dead-letter",
      message: /compare what this function sends/,
    },
    {
      name: "401 is final and points at the token",
      fault: { status: 401 },
      treated: "dead-letter",
      message: /check the token/,
    },
    {
      name: "404 is final and points at the URL",
      fault: { status: 404 },
      treated: "dead-letter",
      message: /check the URL/,
    },
    {
      name: "a redirect is not followed",
      fault: { status: 302, headers: { location: "http://169.254.169.254/" } },
      treated: "dead-letter",
      message: /HTTP 302.*configure the final URL/,
    },
    {
      name: "a broken connection is tried again",
      fault: "reset",
      treated: "retry",
      message: /broke off before it answered \((ECONNRESET|UND_ERR_SOCKET)\)/,
    },
  ];
  for (const { name, fault, treated, afterMs, message } of failures) {
    test(name, async () => {
      const failure = await failureOf(() => call(fault));
      assert.equal(failure.treated, treated);
      assert.equal(failure.afterMs, afterMs);
      assert.match(failure.message, message);
      assert.match(failure.message, /127\.0\.0\.1:\d+/, "the sentence names the host");
      assert.doesNotMatch(failure.words, /secret-path/);
    });
  }

  test("that never comes is a timeout, tried again", async () => {
    const failure = await failureOf(() => call("hang", { timeoutMs: 50 }));
    assert.equal(failure.treated, "retry");
    assert.match(failure.message, /did not answer within 50 ms/);
    assert.doesNotMatch(failure.words, /secret-path/);
  });

  test("is not waited for after a cancellation", async () => {
    const failure = await failureOf(() => call("hang", { signal: AbortSignal.abort() }));
    assert.equal(failure.treated, "retry");
    assert.match(failure.message, /was cancelled/);
  });

  test("of any length is read up to the limit", async () => {
    const { text, truncated } = await call({ status: 200, body: "x".repeat(1_000_000) }, { responseBytesMax: 1_000 });
    assert.deepEqual([text.length, truncated], [1_000, true]);
  });

  const afterAll: { name: string; fault: Fault; treated?: string; status?: number; truncated?: boolean }[] = [
    { name: "that is lost after all was done is tried again", fault: "lose-answer", treated: "retry" },
    { name: "that a proxy lost is tried again", fault: "fail-answer", treated: "retry" },
    { name: "without a body is success", fault: "empty-answer", status: 200, truncated: false },
    { name: "whose body breaks off is success", fault: "cut-answer", status: 200, truncated: true },
    { name: "whose body stalls is success after the time for it", fault: "stall-answer", status: 200, truncated: true },
  ];
  for (const { name, fault, treated, status, truncated } of afterAll) {
    test(name, async () => {
      const answer = call(fault, { timeoutMs: fault === "stall-answer" ? 2_000 : 60_000 });
      if (treated !== undefined) assert.equal((await failureOf(() => answer)).treated, treated);
      else assert.deepEqual([(await answer).status, (await answer).truncated], [status, truncated]);
    });
  }
});

describe("a request", () => {
  test("carries its idempotency key, headers and body", async () => {
    await using receiver = await startReceiver(() => ({ status: 200 }));
    const headers = { "content-type": "application/json" };
    await httpRequest({ url: receiver.origin, method: "POST", body: "{}", headers, idempotencyKey: "databases/1.2" });
    const sent = receiver.requests[0];
    assert.equal(sent?.body, "{}");
    assert.equal(sent?.headers["idempotency-key"], "databases/1.2");
    assert.equal(sent?.headers["content-type"], "application/json");
  });

  const lengths = [
    { method: "POST", body: undefined, length: "0" },
    { method: "POST", body: "\u00e4", length: "2" },
    { method: "DELETE", body: "{}", length: "2" },
    { method: "GET", body: undefined, length: undefined },
  ] as const;
  for (const { method, body, length } of lengths) {
    test(`says how long its body is: ${method} with ${body === undefined ? "none" : `${length} bytes`}`, async () => {
      await using receiver = await startReceiver(() => ({ status: 200 }));
      await httpRequest({ url: receiver.origin, method, ...(body !== undefined && { body }) });
      const sent = receiver.requests[0];
      assert.equal(sent?.headers["content-length"], length);
      assert.equal(sent?.headers["transfer-encoding"], undefined);
      assert.equal(sent?.body, body ?? "");
    });
  }

  test("leaves out the line break behind a header's value, and sends a header once", async () => {
    await using receiver = await startReceiver(() => ({ status: 200 }));
    const headers = { Authorization: "Bearer t\n", "User-Agent": "mine" };
    await httpRequest({ url: receiver.origin, method: "GET", headers });
    const sent = receiver.requests[0];
    assert.equal(sent?.headers["authorization"], "Bearer t");
    assert.equal(sent?.headers["user-agent"], "mine");
  });

  test("to nobody is tried again and says why", async () => {
    const receiver = await startReceiver(() => ({ status: 200 }));
    await receiver.stop();
    const failure = await failureOf(() => httpRequest({ url: `${receiver.origin}/secret-path`, method: "GET" }));
    assert.equal(failure.treated, "retry");
    assert.match(failure.message, /cannot be reached.*ECONNREFUSED/);
    assert.doesNotMatch(failure.words, /secret-path/);
  });

  const unusable: { name: string; request: Partial<HttpRequest>; message: RegExp }[] = [
    { name: "a URL that is none", request: { url: "hooks.example/s3cret" }, message: /cannot be read/ },
    { name: "another scheme", request: { url: "file:///etc/s3cret" }, message: /neither http nor https/ },
    { name: "credentials in the URL", request: { url: "https://user:s3cret@hooks.example/" }, message: /credentials/ },
    ...[
      "169.254.169.254",
      "0xa9fea9fe",
      "2852039166",
      "[fe80::1]",
      "[::ffff:169.254.169.254]",
      "metadata.google.internal",
    ].map((host) => ({
      name: `the address ${host}`,
      request: { url: `http://${host}/latest/s3cret` },
      message: /link-local address, where no receiver is/,
    })),
    {
      name: "a header with a line break",
      request: { headers: { authorization: "Bearer s3cret\nx: y" } },
      message: /the header authorization/,
    },
    {
      name: "a header outside Latin-1",
      request: { headers: { authorization: "Bearer s3cret…" } },
      message: /the header authorization/,
    },
    { name: "a body of more than 1 MiB", request: { body: "s3cret".repeat(200_000) }, message: /1200000 bytes/ },
  ];
  for (const { name, request, message } of unusable) {
    test(`with ${name} is refused unsent, and the refusal does not quote it`, async () => {
      // Sent, it would be tried again: nobody has that name.
      const failure = await failureOf(() => httpRequest({ url: "https://hooks.invalid/", method: "POST", ...request }));
      assert.equal(failure.treated, "dead-letter");
      assert.match(failure.message, message);
      assert.doesNotMatch(failure.words, /s3cret/);
    });
  }
});

describe("a proxy of the environment", () => {
  /** Calls from a process with this environment, by way of a proxy that leads every name to one receiver. */
  async function callFrom(environment: Record<string, string>): Promise<{ output: string; asked: string[] }> {
    await using receiver = await startReceiver(() => ({ status: 200, body: "hello" }));
    const asked: string[] = [];
    const proxy = createServer((request, response) => {
      const { url = "", method = "", headers } = request;
      asked.push(url);
      const onward = forward(receiver.origin, { method, headers, path: "/x" }, (answer) => {
        response.writeHead(answer.statusCode ?? 502);
        answer.pipe(response);
      });
      request.pipe(onward);
    });
    await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
    const address = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    const script = `import { httpRequest } from "./functions/actions/http-client.ts";
      const call = httpRequest({ url: "http://receiver.invalid/x", method: "POST", body: "{}" });
      call.then(({ text }) => console.log(text), ({ message }) => console.log(message));`;
    const env = { ...process.env, HTTP_PROXY: address, HTTPS_PROXY: address, NO_PROXY: "", ...environment };
    const options = { env, cwd: join(import.meta.dirname, "../../..") };
    try {
      const { stdout } = await promisify(execFile)(
        process.execPath,
        ["--input-type=module", "--eval", script],
        options,
      );
      return { output: stdout.trim(), asked };
    } finally {
      proxy.closeAllConnections();
      proxy.close();
    }
  }

  test("is used when NODE_USE_ENV_PROXY=1 says so", async () => {
    const { output, asked } = await callFrom({ NODE_USE_ENV_PROXY: "1" });
    assert.deepEqual({ output, asked }, { output: "hello", asked: ["http://receiver.invalid/x"] });
  });

  test("is not used for the hosts of NO_PROXY", async () => {
    const { output, asked } = await callFrom({ NODE_USE_ENV_PROXY: "1", NO_PROXY: ".invalid" });
    assert.match(output, /^receiver\.invalid cannot be reached/);
    assert.deepEqual(asked, []);
  });
});
