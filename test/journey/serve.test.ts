/**
 * Functions over HTTP, as a platform has them: a process of `cr-reactor serve`, events from the official SDK, and everything that happens
 * to a process. What they do is the same as over NATS.
 */
import assert from "node:assert/strict";
import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { CloudEvent, emitterFor, httpTransport, Mode } from "cloudevents";
import { stringify } from "yaml";
import { startRig } from "../functions/kit/delivery/rig.ts";
import { type TestEvent, updated } from "../functions/kit/event-factory.ts";
import { createDataFolder } from "../kit/data-folder.ts";
import { type ServerProcess, startServer } from "../kit/server-process.ts";
import { until } from "../kit/until.ts";
import { type Receiver, startReceiver } from "../kit/webhook-server.ts";

const CLI = join(import.meta.dirname, "../../cli/main.ts");
const STRUCTURED = { "content-type": "application/cloudevents+json" };
/** A process that was killed in a step holds its claim for a while. */
const PATIENCE = { waitMsMax: 120_000 };
const scaled = (name: string, replicas: number) =>
  updated({ name, spec: { replicas: replicas - 1 } }, { name, spec: { replicas } });

/** Calls the endpoint in a step; the names of the objects say what goes wrong. */
const FUNCTION = `
import { z } from ${JSON.stringify(import.meta.resolve("zod"))};
import { defineFunction, PermanentError } from ${JSON.stringify(import.meta.resolve("../../functions/door.ts"))};
export default defineFunction({
  name: "call",
  description: "Calls an endpoint.",
  config: z.strictObject({ url: z.string() }),
  async run({ object, before, config, step, signal }) {
    const { name } = object.metadata;
    if (name === "refused") throw new PermanentError("never this one");
    if (name === "rejects") void Promise.reject(new Error("nobody awaits this"));
    if (name === "throws") setTimeout(() => { throw new Error("from a timer"); });
    if (name === "rejects" || name === "throws") await new Promise(() => undefined);
    const replicas = [before?.spec.replicas, object.spec.replicas];
    await step("call", async ({ idempotencyKey }) => {
      const headers = { "idempotency-key": idempotencyKey };
      const response = await fetch(config.url, { method: "POST", body: JSON.stringify({ name, replicas }), headers, signal });
      if (!response.ok) throw new Error("the endpoint answered " + response.status);
    });
    return "called about " + name;
  },
});
`;

interface Scene {
  readonly endpoint: Receiver;
  /** What the endpoint was told: name, replicas before and after, and the idempotency key. */
  told(): readonly unknown[];
  start(command: "run" | "serve", settings?: object): Promise<ServerProcess & { readonly url: string }>;
}

async function startScene(t: TestContext): Promise<Scene> {
  const endpoint = await startReceiver(() => ({ status: 200 }));
  t.after(() => endpoint.stop());
  return {
    endpoint,
    told: () =>
      endpoint.requests.map(({ body, headers }) => {
        const { name, replicas } = JSON.parse(body) as { name: string; replicas: unknown[] };
        return [name, ...replicas, headers["idempotency-key"]];
      }),
    async start(command, settings = { serve: { port: 0 } }) {
      const folder = createDataFolder(command);
      writeFileSync(join(folder.path, "call.ts"), FUNCTION);
      const entry = (name: string) => ({
        ...{ name, function: "./call.ts", apiVersion: "demo.example.com/v1", kind: "Database", start: "all" },
        config: { url: endpoint.origin },
      });
      const file = join(folder.path, "subscriptions.yaml");
      const subscriptions = command === "run" ? [entry("call")] : [entry("call"), entry("other")];
      writeFileSync(file, stringify({ subscriptions, ...settings }));
      const started = await startServer({
        name: `cr-reactor ${command}`,
        command: process.execPath,
        args: () => [CLI, command, "--subscriptions", file],
        folder,
        isReady: command === "run" ? /"msg":"consumer / : /"listening for CloudEvents"/,
        stopMsMax: 20_000,
      });
      t.after(() => started.stop());
      return Object.defineProperty(started, "url", {
        get: () => [...started.logTail().matchAll(/"url":"([^"]+)"/g)].at(-1)?.[1],
      }) as ServerProcess & { readonly url: string };
    },
  };
}

async function post(url: string, event: TestEvent, headers: Record<string, string> = {}) {
  const response = await fetch(url, { method: "POST", body: event.payload, headers: { ...STRUCTURED, ...headers } });
  return { status: response.status, text: await response.text() };
}

/** As a broker does: again and again, on each new connection, until the event is through. */
async function sendUntilThrough(url: () => string, event: TestEvent): Promise<void> {
  await until(async () => {
    const answer = await post(`${url()}/call`, event).catch(() => undefined);
    return answer?.status === 204;
  }, PATIENCE);
}

describe("functions over HTTP", () => {
  test("take what the official SDK sends, in both modes, and what they do is the same as over NATS", async (t) => {
    const rig = await startRig(t);
    if (rig === undefined) return;
    const events = [scaled("orders", 1), scaled("orders", 2), scaled("users", 7)];
    const overNats = await startScene(t);
    await overNats.start("run", { nats: { servers: [rig.nats.url] } });
    for (const event of events) await rig.publish(event);
    await rig.untilAcked("call");
    for (const mode of [Mode.STRUCTURED, Mode.BINARY]) {
      const overHttp = await startScene(t);
      const { url } = await overHttp.start("serve");
      const emit = emitterFor(httpTransport(`${url}/call`), { mode });
      for (const { envelope } of events) await emit(new CloudEvent({ ...envelope }));
      assert.deepEqual([...overHttp.told()].sort(), [...overNats.told()].sort(), mode);
      assert.equal(overHttp.told().length, events.length);
    }
  });

  test("answer with what became of the event", async (t) => {
    const scene = await startScene(t);
    const { url } = await scene.start("serve");
    assert.equal((await post(`${url}/call`, scaled("orders", 1))).status, 204);
    const refused = await post(`${url}/call`, scaled("refused", 1));
    assert.equal(refused.status, 422);
    assert.match(refused.text, /never this one/);
    scene.endpoint.next({ status: 500 });
    const event = scaled("orders", 2);
    assert.equal((await post(`${url}/call`, event)).status, 503);
    assert.equal((await post(`${url}/call`, event)).status, 204);
    const lost = await post(url, event);
    assert.equal(lost.status, 404);
    assert.match(lost.text, /\/call or \/other/);
  });

  test("ask for the token, and take a new one without a restart", async (t) => {
    const scene = await startScene(t);
    const folder = createDataFolder("token");
    t.after(() => folder.remove());
    const file = join(folder.path, "token");
    writeFileSync(file, "first\n");
    const { url } = await scene.start("serve", { serve: { port: 0, auth: { type: "token", token: { file } } } });
    const statusWith = async (token: string) =>
      (await post(`${url}/call`, scaled("orders", 1), { authorization: `Bearer ${token}` })).status;
    assert.deepEqual([await statusWith("first"), await statusWith("second")], [204, 401]);
    writeFileSync(`${file}.new`, "second\n");
    renameSync(`${file}.new`, file);
    assert.deepEqual([await statusWith("first"), await statusWith("second")], [401, 204]);
  });

  test("let what runs come to its end when they are told to stop", async (t) => {
    const scene = await startScene(t);
    const serving = await scene.start("serve");
    const { url } = serving;
    scene.endpoint.next("hang");
    const running = post(`${url}/call`, scaled("orders", 1)).catch((error) => error);
    await scene.endpoint.until(() => scene.endpoint.requests.length === 1, "the call", 60_000);
    const stopped = serving.kill("SIGTERM");
    await until(async () => (await fetch(`${url}/readyz`)).status === 503);
    assert.equal((await post(`${url}/call`, scaled("users", 1))).status, 503);
    await scene.endpoint.stop();
    await stopped;
    // The function was not cut off: it saw its call break, and its sender is told to come again.
    assert.equal((await running).status, 503);
    assert.deepEqual(serving.lastExit, { code: 0, signal: null });
  });

  test("killed at any time, run each event when its sender comes again; with NATS no step that is through runs twice", async (t) => {
    const rig = await startRig(t);
    if (rig === undefined) return;
    const scene = await startScene(t);
    const serving = await scene.start("serve", { serve: { port: 0 }, nats: { servers: [rig.nats.url] } });
    const events = Array.from({ length: 6 }, (_, index) => scaled(`object-${index % 2}`, index + 1));
    let isOver = false;
    const sending = (async () => {
      for (const event of events) await sendUntilThrough(() => serving.url, event);
      isOver = true;
    })();
    for (let calls = 1; calls <= 3 && !isOver; calls++) {
      await until(() => isOver || scene.endpoint.requests.length >= calls, PATIENCE);
      await serving.kill();
      await serving.restart();
    }
    await sending;
    const told = scene.told() as [string, number, number, string][];
    const keys = [...new Set(told.map(([, , , key]) => key))];
    assert.deepEqual(
      keys,
      events.map(({ envelope }) => `call/${envelope.id}/call`),
    );
    // One more for each kill, at most: it may fall between the call and its record.
    assert.ok(told.length <= events.length + 3, String(told.length));
    // What was through before the kill is remembered, although another process has it now.
    const before = scene.endpoint.requests.length;
    for (const event of events) assert.equal((await post(`${serving.url}/call`, event)).status, 204);
    assert.equal(scene.endpoint.requests.length, before);
  });

  for (const [name, origin] of [
    ["rejects", "unhandledRejection"],
    ["throws", "uncaughtException"],
  ] as const) {
    test(`a function that ${name} where nobody catches ends the process, which says whose event it was`, async (t) => {
      const scene = await startScene(t);
      const serving = await scene.start("serve");
      const event = scaled(name, 1);
      await assert.rejects(post(`${serving.url}/call`, event));
      await until(() => serving.lastExit !== undefined);
      assert.deepEqual(serving.lastExit, { code: 1, signal: null });
      const line = JSON.parse(
        serving
          .logTail()
          .split("\n")
          .find((each) => each.includes('"fatal"')) ?? "{}",
      );
      assert.deepEqual(
        [line.origin, line.subscription, line.eventId, line.attempt, line.running],
        [origin, "call", event.envelope.id, 1, ["call", "other"]],
      );
    });
  }

  test("over NATS such a function ends its process too", async (t) => {
    const rig = await startRig(t);
    if (rig === undefined) return;
    const scene = await startScene(t);
    const running = await scene.start("run", { nats: { servers: [rig.nats.url] } });
    await rig.publish(scaled("rejects", 1));
    await until(() => running.lastExit !== undefined);
    assert.deepEqual(running.lastExit, { code: 1, signal: null });
    assert.match(running.logTail(), /subscription \\"call\\" let an error go/);
  });
});
