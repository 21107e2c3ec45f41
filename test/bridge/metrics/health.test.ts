import assert from "node:assert/strict";
import { get } from "node:http";
import { describe, test } from "node:test";
import { serveHealth } from "../../../bridge/metrics/health.ts";
import { createMetrics } from "../../../bridge/metrics/metrics.ts";

async function serve(ready: boolean) {
  const metrics = createMetrics();
  metrics.published("databases.demo.example.com", { op: "updated", changed: ["spec"], gap: false, ms: 3 });
  const readiness = () => ({ ready, details: { nats: ready ? "connected" : "disconnected" } });
  const health = await serveHealth({ host: "127.0.0.1", port: 0, readiness, metrics: metrics.expose });
  const get = (path: string) => fetch(`http://127.0.0.1:${health.port}${path}`);
  return { health, get };
}

describe("the health endpoints", () => {
  test("are live while the process runs, ready only when it does its work, and say why not", async (t) => {
    for (const ready of [true, false]) {
      const { health, get } = await serve(ready);
      t.after(() => health.close());
      assert.equal((await get("/livez")).status, 200);
      const readyz = await get("/readyz?verbose");
      assert.equal(readyz.status, ready ? 200 : 503);
      assert.deepEqual(await readyz.json(), { ready, nats: ready ? "connected" : "disconnected" });
    }
  });

  test("give Prometheus what was published, by resource and kind of event", async (t) => {
    const { health, get } = await serve(true);
    t.after(() => health.close());
    const metrics = await get("/metrics");
    assert.match(metrics.headers.get("content-type") ?? "", /text\/plain/);
    assert.match(
      await metrics.text(),
      /cr_reactor_events_published_total\{resource="databases\.demo\.example\.com",op="updated"\} 1/,
    );
  });

  test("tell the status to this machine, but not to a page in its browser, and with a token to whoever has it", async (t) => {
    process.env["TEST_STATUS_TOKEN"] = "correct-horse";
    const readiness = () => ({ ready: true, details: {} });
    const status = () => ({ objects: 1 });
    const common = { host: "127.0.0.1", port: 0, readiness, status };
    const [open, guarded] = await Promise.all([
      serveHealth(common),
      serveHealth({ ...common, token: { env: "TEST_STATUS_TOKEN" } }),
    ]);
    t.after(() => Promise.all([open.close(), guarded.close()]));
    const ask = (port: number, headers: Record<string, string> = {}) =>
      new Promise<number | undefined>((resolve, reject) => {
        get({ host: "127.0.0.1", port, path: "/status", headers }, ({ statusCode }) => resolve(statusCode)).on(
          "error",
          reject,
        );
      });
    assert.equal(await ask(open.port), 200);
    assert.equal(await ask(open.port, { host: `evil.example.com:${open.port}` }), 403);
    assert.equal(await ask(guarded.port), 401);
    assert.equal(await ask(guarded.port, { authorization: "Bearer correct-hors" }), 401);
    assert.equal(await ask(guarded.port, { authorization: "Bearer correct-horse" }), 200);
  });

  test("name themselves to who asks for something else", async (t) => {
    const { health, get } = await serve(true);
    t.after(() => health.close());
    const answer = await get("/");
    assert.equal(answer.status, 404);
    assert.match(await answer.text(), /\/livez, \/readyz or \/metrics/);
  });

  test("on a port that is taken say which setting to change", async (t) => {
    const { health } = await serve(true);
    t.after(() => health.close());
    const taken = {
      host: "127.0.0.1",
      port: health.port,
      readiness: () => ({ ready: true, details: {} }),
      metrics: createMetrics().expose,
    };
    await assert.rejects(serveHealth(taken), /set health\.port to a free port/);
  });
});
