/**
 * The time from the start of a process of functions to what it first does: `run` has called a receiver about an event that waited in NATS, `serve` has
 * answered an event that was posted to it.
 */
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { stringify } from "yaml";
import type { JetStream } from "../../bridge/nats/jetstream.ts";
import { ensureStream, eventsStream, StreamSettings } from "../../bridge/nats/stream.ts";
import { updated } from "../functions/kit/event-factory.ts";
import { createDataFolder } from "../kit/data-folder.ts";
import type { NatsServer } from "../kit/nats-server.ts";
import { type OwnedChild, spawnOwned } from "../kit/owned-child.ts";
import { startReceiver } from "../kit/webhook-server.ts";

/** How the time is measured. */
export interface WakeUp extends AsyncDisposable {
  /** Milliseconds until a new process of `run` has acted; `look` is called with its process id then, before it is stopped. */
  run(env?: NodeJS.ProcessEnv, look?: (pid: number) => Promise<void>): Promise<number>;
  /** Milliseconds until a new process of `serve` has answered. */
  serve(env?: NodeJS.ProcessEnv): Promise<number>;
}

/** Nobody waits longer. */
const TIMEOUT_MS = 30_000;

/** Puts an event into the log, and starts what gets the calls. */
export async function openWakeUp(nats: NatsServer, jetStream: JetStream, bundle: string): Promise<WakeUp> {
  const folder = createDataFolder("bench-wake-up");
  const endpoint = await startReceiver(() => ({ status: 200 }));
  await ensureStream(jetStream, eventsStream(StreamSettings.parse({})));
  const event = updated({ phase: "Running" }, { phase: "Failed" });
  const headers = { "content-type": "application/cloudevents+json" };
  await jetStream.publish(event.subject, event.payload, headers);
  let subscriptions = 0;

  const start = (command: "run" | "serve", name: string, env: NodeJS.ProcessEnv): OwnedChild => {
    const file = join(folder.path, `${command}.yaml`);
    const target = { type: "http", url: endpoint.origin };
    const [apiVersion, kind] = [event.envelope.apiversion, event.envelope.kind];
    const subscription = { name, function: "trigger-workflow", apiVersion, kind, start: "all", config: { target } };
    const servers = command === "run" ? { nats: { servers: [nats.url] } } : { serve: { port: 0 } };
    writeFileSync(file, stringify({ ...servers, subscriptions: [subscription] }));
    const args = [join(bundle, "cr-reactor.js"), command, "--subscriptions", file];
    const child = spawnOwned(process.execPath, args, { env: { ...process.env, ...env, LOG_LEVEL: "info" } });
    child.stdout.resume();
    return child;
  };
  /** Not killed: the compile cache is written when a process ends. */
  const stop = async (child: OwnedChild) => {
    child.stderr.resume();
    const exited = once(child, "exit");
    child.kill("SIGTERM");
    await exited;
  };
  return {
    async run(env = {}, look) {
      const before = endpoint.requests.length;
      const startedAt = performance.now();
      const child = start("run", `bench-${++subscriptions}`, env); // a subscription of its own: the event is new to it
      child.stderr.resume();
      await endpoint.until(() => endpoint.requests.length > before, "a delivery", TIMEOUT_MS);
      const timeMs = performance.now() - startedAt;
      await look?.(child.pid ?? 0);
      await stop(child);
      return timeMs;
    },
    async serve(env = {}) {
      const startedAt = performance.now();
      const child = start("serve", "serve", env);
      for await (const line of createInterface({ input: child.stderr })) {
        const url = /"url":"([^"]+)"/.exec(line)?.[1];
        if (url === undefined) continue;
        const { status } = await fetch(url, { method: "POST", body: event.payload, headers });
        if (status !== 204) throw new Error(`it answered ${status}`);
        break;
      }
      const timeMs = performance.now() - startedAt;
      await stop(child);
      return timeMs;
    },
    async [Symbol.asyncDispose]() {
      await endpoint.stop();
      folder.remove();
    },
  };
}
