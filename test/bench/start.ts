/**
 * From the start of a process of functions to its first delivery: `cr-reactor run` out of dist/, with an event waiting in a real
 * nats-server and an endpoint that gets the call; and `cr-reactor serve` until it answers. With and without Node's compile cache.
 *
 *     node test/bench/start.ts [rounds]
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { stringify } from "yaml";
import { connectJetStream } from "../../bridge/nats/jetstream.ts";
import { ensureStream, eventsStream, StreamSettings } from "../../bridge/nats/stream.ts";
import { build } from "../../build.ts";
import { updated } from "../functions/kit/event-factory.ts";
import { createDataFolder } from "../kit/data-folder.ts";
import { startNats } from "../kit/nats-server.ts";
import { startReceiver } from "../kit/webhook-server.ts";

/** Nobody waits longer. */
const TIMEOUT_MS = 30_000;

let subscriptions = 0;
const rounds = Number(process.argv[2] ?? 7);
const folder = createDataFolder("bench-start");
await build(join(folder.path, "dist"));
const nats = await startNats();
const endpoint = await startReceiver(() => ({ status: 200 }));
const jetStream = await connectJetStream({ servers: [nats.url] }, "bench");
await ensureStream(jetStream, eventsStream(StreamSettings.parse({})));
const event = updated({ phase: "Running" }, { phase: "Failed" });
await jetStream.publish(event.subject, event.payload, { "content-type": "application/cloudevents+json" });

/** In turn, so that whatever else the machine does meets both. */
const VARIANTS = [
  { name: "no compile cache", env: { NODE_DISABLE_COMPILE_CACHE: "1" } },
  { name: "compile cache", env: { NODE_COMPILE_CACHE: join(folder.path, "cache") } },
];

try {
  for (const command of ["run", "serve"] as const) {
    const times = VARIANTS.map((): number[] => []);
    for (let round = 0; round <= rounds; round++) {
      for (const [index, { env }] of VARIANTS.entries()) {
        const timeMs = await (command === "run" ? timeRun(env) : timeServe(env));
        if (round > 0) times[index]?.push(timeMs); // the first fills the caches
      }
    }
    for (const [index, { name }] of VARIANTS.entries()) report(`${command}, ${name}`, times[index] ?? []);
  }
} finally {
  await jetStream.close();
  await endpoint.stop();
  await nats.stop();
  folder.remove();
}

function report(name: string, times: readonly number[]): void {
  const sorted = times.toSorted((a, b) => a - b);
  const [fastest = 0, median = 0] = [sorted[0], sorted[Math.floor(sorted.length / 2)]];
  process.stdout.write(`${name}: median ${median.toFixed(0)} ms, fastest ${fastest.toFixed(0)} ms\n`);
}

/** Each round is a subscription of its own, so that the event is new to it. */
async function timeRun(env: Readonly<Record<string, string>>): Promise<number> {
  const before = endpoint.requests.length;
  return await timed("run", env, `bench-${++subscriptions}`, () =>
    endpoint.until(() => endpoint.requests.length > before, "a delivery", TIMEOUT_MS),
  );
}

async function timeServe(env: Readonly<Record<string, string>>): Promise<number> {
  const headers = { "content-type": "application/cloudevents+json" };
  return await timed("serve", env, "serve", async (log) => {
    for await (const line of createInterface({ input: log })) {
      const url = /"url":"([^"]+)"/.exec(line)?.[1];
      if (url === undefined) continue;
      const { status } = await fetch(url, { method: "POST", body: event.payload, headers });
      if (status !== 204) throw new Error(`it answered ${status}`);
      return;
    }
  });
}

async function timed(
  command: "run" | "serve",
  env: Readonly<Record<string, string>>,
  name: string,
  until: (log: Readable) => Promise<void>,
): Promise<number> {
  const file = join(folder.path, "subscriptions.yaml");
  const target = { type: "http", url: endpoint.origin };
  const [apiVersion, kind] = [event.envelope.apiversion, event.envelope.kind];
  const subscription = { name, function: "trigger-workflow", apiVersion, kind, start: "all", config: { target } };
  const servers = command === "run" ? { nats: { servers: [nats.url] } } : { serve: { port: 0 } };
  writeFileSync(file, stringify({ ...servers, subscriptions: [subscription] }));
  const startedAt = performance.now();
  const child = spawn(process.execPath, [join(folder.path, "dist/cr-reactor.js"), command, "--subscriptions", file], {
    env: { ...process.env, ...env, LOG_LEVEL: "info" },
    stdio: ["ignore", "ignore", "pipe"],
  });
  const exited = once(child, "exit");
  await until(child.stderr);

  const timeMs = performance.now() - startedAt;
  child.stderr.resume();
  // Not killed: the compile cache is written when a process ends.
  child.kill("SIGTERM");
  await exited;
  return timeMs;
}
