/** `cr-reactor dev` as people run it: a process of the command line, with functions that are written meanwhile. */
import assert from "node:assert/strict";
import { appendFileSync, renameSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { connectApiServer } from "../../../bridge/kube/api-server.ts";
import { updated } from "../../functions/kit/event-factory.ts";
import { createDataFolder } from "../../kit/data-folder.ts";
import { spawnOwned } from "../../kit/owned-child.ts";
import { until } from "../../kit/until.ts";

const ROOT = join(import.meta.dirname, "../../..");
const CLI = join(ROOT, "cli/main.ts");
const DATABASES = "/apis/demo.example.com/v1/namespaces/default/databases";
const failed = () => updated({ name: "orders", phase: "Running" }, { name: "orders", phase: "Failed" });

/** A function that runs this when a Database fails. */
const functionThat = (body: string, name = "page-oncall") => `
import { connect } from "node:net";
import { z } from "${ROOT}/node_modules/zod/index.js";
import { defineFunction, phase } from "${ROOT}/functions/door.ts";
export default defineFunction({
  name: "${name}",
  description: "Pages whoever is on call.",
  config: z.object({}),
  subscription: { apiVersion: "demo.example.com/v1", kind: "Database", when: phase({ to: "Failed" }) },
  async run({ object, step, log }) { ${body} },
});
`;

/** A folder, and `dev` in it. */
function openFolder(t: TestContext) {
  const folder = createDataFolder("dev");
  t.after(() => folder.remove());
  const write = (name: string, text: string) => writeFileSync(join(folder.path, name), text);
  return {
    path: folder.path,
    write,
    record: (...events: readonly { readonly envelope: object }[]) =>
      write("recorded.ndjson", events.map(({ envelope }) => `${JSON.stringify(envelope)}\n`).join("")),
    start(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
      const child = spawnOwned(process.execPath, [CLI, "dev", ...args], {
        cwd: folder.path,
        env: { ...process.env, NO_COLOR: "1", ...env },
      });
      const dev = { out: "", err: "" };
      child.stdout.on("data", (chunk) => (dev.out += chunk));
      child.stderr.on("data", (chunk) => (dev.err += chunk));
      const closed = new Promise<number | null>((resolve) => child.once("close", resolve));
      t.after(() => child.kill("SIGKILL"));
      const says = (what: RegExp) =>
        until(() => what.test(dev.out + dev.err) || child.exitCode !== null, { what: String(what), waitMsMax: 60_000 });
      return {
        dev,
        closed,
        async says(what: RegExp) {
          await says(what);
          assert.match(dev.out + dev.err, what);
        },
        stop: () => child.kill("SIGINT"),
      };
    },
  };
}

interface Shown {
  readonly deliveries: readonly {
    readonly subscription: string;
    readonly outcome: string;
    readonly error?: string;
    readonly unsent: readonly { readonly method: string; readonly url: string; readonly body: string }[];
  }[];
}

describe("dev", () => {
  test("runs a function with what is done to the embedded API server, and again when it is saved", async (t) => {
    const { path, write, start } = openFolder(t);
    const page = `await step("page", () => fetch("https://oncall.example.com/page", { method: "POST", body: object.metadata.name }).then(() => "x"));`;
    write("page-oncall.ts", functionThat(`${page} return "paged";`));
    const { dev, says, stop, closed } = start([]);
    await says(/watching databases\.demo\.example\.com/);
    const kubeconfig = /KUBECONFIG=(\S+)/.exec(dev.err)?.[1] ?? assert.fail(dev.err);
    const apiServer = await connectApiServer({ kubeconfig });
    t.after(() => apiServer.close());
    const change = (path: string, method: "POST" | "PATCH", body: object) =>
      apiServer.json(path, {
        method,
        body,
        ...(method === "PATCH" && { contentType: "application/merge-patch+json" }),
      });
    const metadata = { name: "orders", namespace: "default" };
    const object = { apiVersion: "demo.example.com/v1", kind: "Database", metadata, status: { phase: "Running" } };
    await change(DATABASES, "POST", object);
    await says(/page-oncall skipped[\s\S]*✖ phase to Failed: the phase went none → Running/);
    await change(`${DATABASES}/orders`, "PATCH", { status: { phase: "Failed" } });
    await says(/✔ page-oncall done: paged/);
    await says(/step page: ran "x"\n +not sent: POST https:\/\/oncall\.example\.com\/page\n +orders/);

    // As editors save: in place, or by another file that takes the place.
    write("page-oncall.ts", functionThat(`return "rang";`));
    await says(/page-oncall done: rang/);
    appendFileSync(join(path, "page-oncall.ts"), "this is no TypeScript");
    await says(/not loaded: .*page-oncall\.ts:\d+: Expected/);
    write("next.tmp", functionThat(`process.exit(3);`));
    renameSync(join(path, "next.tmp"), join(path, "page-oncall.ts"));
    await says(/ended: the functions' process \(exit code 3\)\. Mend it, and save\./);
    const loads = () => dev.err.split("loaded: page-oncall").length;
    const before = loads();
    write("page-oncall.ts", functionThat("for (;;);"));
    await until(() => loads() > before);
    write("page-oncall.ts", functionThat(`return "wrote";`));
    await says(/page-oncall done: wrote/);
    stop();
    assert.equal(await closed, 0, dev.err);
  });

  test("runs the events of a recorded file, and ends after as many as one wants", async (t) => {
    const { write, record, start } = openFolder(t);
    write("page-oncall.ts", functionThat(`return object.metadata.name;`));
    write("mistaken.ts", functionThat(`throw new Error("it went wrong");`, "mistaken"));
    record(failed(), updated({ name: "carts", spec: { replicas: 1 } }, { name: "carts", spec: { replicas: 2 } }));
    const { dev, closed } = start([".", "--recorded", "recorded.ndjson", "--count", "2", "--json"]);
    assert.equal(await closed, 0, dev.err);
    const [first, second] = dev.out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Shown);
    const told = (shown: Shown | undefined) =>
      shown?.deliveries.map(({ subscription, outcome, error }) => [subscription, outcome, ...(error ? [error] : [])]);
    assert.deepEqual(told(first), [
      ["mistaken", "retry", "it went wrong"],
      ["page-oncall", "done"],
    ]);
    assert.deepEqual(told(second), [
      ["mistaken", "skipped"],
      ["page-oncall", "skipped"],
    ]);
  });

  test("lets nothing out of the process, by whatever way, before it is told to", async (t) => {
    const requests: string[] = [];
    const server = createServer((request, response) => {
      requests.push(`${request.method} ${request.url}`);
      response.end("{}");
    }).listen(0, "127.0.0.1");
    t.after(() => server.close());
    await until(() => server.listening);
    const { port } = server.address() as AddressInfo;
    const { write, record, start } = openFolder(t);
    record(failed());
    const token = "a-token-that-is-secret";
    const send = `await fetch("http://127.0.0.1:${port}/hooks/T0000000000000000000000", { method: "POST", headers: { authorization: "Bearer ${token}" }, body: "${token}" });`;
    const dial = `await new Promise((done, fail) => { const socket = connect(${port}, "127.0.0.1"); socket.on("connect", done).on("error", fail); socket.end("GET /dialled HTTP/1.0\\r\\n\\r\\n"); });`;
    write("page-oncall.ts", functionThat(`${send} ${dial}`));
    const args = ["--recorded", "recorded.ndjson", "--count", "1", "--json"];
    const quiet = start(args);
    assert.equal(await quiet.closed, 0, quiet.dev.err);
    const [delivery] = (JSON.parse(quiet.dev.out) as Shown).deliveries;
    assert.deepEqual(delivery?.unsent, [
      { method: "POST", url: `http://127.0.0.1:${port}/hooks/…`, body: "…" },
      { method: "CONNECT", url: `127.0.0.1:${port}`, body: "" },
    ]);
    assert.match(delivery?.error ?? "", /nothing was sent to 127\.0\.0\.1:\d+: that needs --send/);
    assert.ok(!quiet.dev.out.includes(token));
    assert.deepEqual(requests, []);
    const sending = start([...args, "--send"]);
    assert.equal(await sending.closed, 0, sending.dev.err);
    await until(() => requests.length === 2);
    assert.deepEqual(requests, ["POST /hooks/T0000000000000000000000", "GET /dialled"]);
  });

  const file = (name: string, config: string) => `subscriptions:
  - name: ${name}
    function: ${name}
    apiVersion: demo.example.com/v1
    kind: Database
    when: { phase: { to: Failed } }
    resolve: { phase: { to: Running } }
    config: ${config}
`;
  const builtIn = [
    { name: "notify-slack", config: "{ webhookUrl: { env: SECRET_URL } }", sent: ["POST"] },
    { name: "notify-slack", config: '{ botToken: { env: SECRET }, channel: "#ops" }', sent: ["POST"] },
    { name: "notify-pagerduty", config: "{ routingKey: { env: SECRET } }", sent: ["POST"] },
    { name: "notify-teams", config: "{ webhookUrl: { env: SECRET_URL } }", sent: ["POST"] },
    { name: "notify-discord", config: "{ webhookUrl: { env: SECRET_URL } }", sent: ["POST"] },
    { name: "notify-alertmanager", config: "{ url: http://alertmanager.example.com:9093 }", sent: ["POST"] },
    {
      name: "open-ticket",
      config: "{ target: { type: github, repository: acme/ops, token: { env: SECRET } } }",
      sent: ["GET", "POST"],
    },
    {
      name: "open-ticket",
      config: "{ target: { type: gitlab, project: acme/ops, token: { env: SECRET } } }",
      sent: ["GET", "POST"],
    },
  ];
  for (const { name, config, sent } of builtIn) {
    test(`shows what ${name} with ${config} would send, to its end`, async (t) => {
      const { write, record, start } = openFolder(t);
      record(failed());
      write("subscriptions.yaml", file(name, config));
      const args = ["-s", "subscriptions.yaml", "--recorded", "recorded.ndjson", "--count", "1", "--json"];
      const secret = "0123456789abcdef0123456789abcdef";
      const { dev, closed } = start(args, {
        SECRET: secret,
        SECRET_URL: `https://hooks.example.com/services/${secret}`,
      });
      assert.equal(await closed, 0, dev.err);
      const [delivery] = (JSON.parse(dev.out || "{}") as Shown).deliveries ?? assert.fail(dev.err);
      assert.deepEqual([delivery?.outcome, delivery?.error], ["done", undefined]);
      assert.deepEqual([...new Set(delivery?.unsent.map(({ method }) => method))], sent);
      assert.ok(delivery?.unsent.some(({ body }) => body.includes("orders")));
      assert.ok(!dev.out.includes(secret) && !dev.err.includes(secret));
    });
  }

  const mistakes = [
    { name: "a path that is not there", args: ["nowhere"], expected: /nowhere does not exist/ },
    { name: "a recorded file that is none", args: ["--recorded", "page-oncall.ts"], expected: /page-oncall\.ts/ },
    {
      name: "two sources",
      args: ["--recorded", "x", "--context", "y"],
      expected: /'--recorded <file>' cannot be used with option '--context <name>'/,
    },
  ];
  for (const { name, args, expected } of mistakes) {
    test(`says what is wrong about ${name}`, async (t) => {
      const { write, start } = openFolder(t);
      write("page-oncall.ts", functionThat(""));
      const { dev, closed } = start(args);
      assert.notEqual(await closed, 0);
      assert.match(dev.err, expected);
    });
  }

  test("is told where functions are missing", async (t) => {
    const { write, start, record } = openFolder(t);
    record(failed());
    write("other.ts", "export {};");
    const { says, stop } = start(["--recorded", "recorded.ndjson"]);
    await says(/not loaded: no file of \. calls defineFunction/);
    await says(/no function is loaded/);
    write("page-oncall.ts", functionThat(`return "found";`));
    await says(/page-oncall done: found/);
    stop();
  });
});
