/**
 * `node test/bench/memory.ts`: how much memory the bridge takes. The bundle runs as a process of its own, on a real nats-server and
 * the embedded API server (which takes 100,000 objects in minutes where etcd takes many more), and is measured from outside: its
 * resident memory at the end of each phase and the most of it during the phase, as Linux counts them (VmRSS, VmHWM).
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { stringify } from "yaml";
import { connectJetStream } from "../../bridge/nats/jetstream.ts";
import { EVENTS_STREAM } from "../../bridge/nats/stream.ts";
import { build } from "../../build.ts";
import { startEmbeddedKube } from "../../cli/embedded/embedded.ts";
import { createDataFolder } from "../kit/data-folder.ts";
import { databasePath } from "../kit/database-crd.ts";
import { kubeClient } from "../kit/kube-client.ts";
import { startNats } from "../kit/nats-server.ts";
import { type ServerProcess, startServer } from "../kit/server-process.ts";
import { until } from "../kit/until.ts";
import { freeCrd, NAMESPACES, objectAt } from "./object.ts";
import { forgetPeak, residentBytes } from "./process-meter.ts";

const HELP = `Usage: node test/bench/memory.ts [--objects 100000] [--kilobytes 2] [--changes 10000] [--away 30] [--idle 15]

Measures the bridge's memory with so many objects of that size: listing them, restarted, while so many of them change, and while
so many change within so many seconds without NATS. A process that was idle for --idle seconds has given back what it is going to.
  --semi-space 16    MiB for V8's young generation (--max-semi-space-size). In a container of up to 4 GiB V8 takes this or less by
                     itself; on a large machine it takes more, which saves time and costs memory
  --bundle <folder>  a build that is there already; without it one is made
`;

/** Requests at once. The embedded API server works in this process: many large ones make it too late for its own idle connections. */
const AT_ONCE = 8;
/** A phase that takes longer has failed. */
const PHASE_MS_MAX = 20 * 60_000;
const PROGRESS_MS = 2_000;
const MIB = 1024 ** 2;
const [LISTED, RESUMED] = [/compared with the log/, /resuming behind the checkpoint/];

const { values } = parseArgs({
  options: {
    objects: { type: "string", default: "100000" },
    kilobytes: { type: "string", default: "2" },
    changes: { type: "string", default: "10000" },
    away: { type: "string", default: "30" },
    idle: { type: "string", default: "15" },
    "semi-space": { type: "string", default: "16" },
    bundle: { type: "string" },
    help: { type: "boolean", default: false },
  },
});
if (values.help) process.stdout.write(HELP);
else await measure(Number(values.objects), Math.min(Number(values.changes), Number(values.objects)));

async function measure(objects: number, changes: number): Promise<void> {
  await using stage = await openStage(Number(values.kilobytes) * 1024);
  const idle = () => sleep(Number(values.idle) * 1000);
  tell("", "seconds", "RSS MiB", "peak MiB");
  const empty = await stage.start("started, nothing to capture", LISTED, "empty");
  await empty.phase("  idle", idle);
  await empty.stop();
  await stage.create(objects);
  const first = await stage.start(`first list: ${objects} objects published`, LISTED);
  await first.phase("  idle", idle);
  await first.stop();
  const bridge = await stage.start("started again: the log's index is read", RESUMED);
  await bridge.phase("  idle", idle);
  await bridge.phase(`${changes} objects change`, () => stage.change(changes).then(stage.published));
  await bridge.phase("  idle", idle);
  await bridge.phase(`${changes} objects change without NATS`, () => stage.changeWithoutNats(changes));
  await bridge.phase("  NATS is back, all is published", stage.reconnect);
  await bridge.stop();
}

/** The servers, a hand on the objects, and how to start the bridge on them. */
async function openStage(objectBytes: number) {
  await using opening = new AsyncDisposableStack();
  const nats = opening.use(await startNats());
  // Its own limit of what a watcher may leave unread must not be what saves the bridge.
  const kube = opening.use(await startEmbeddedKube({ unreadBytesMax: 1024 * MIB }));
  const client = kubeClient({ url: kube.url, token: "", caPem: "" });
  opening.defer(() => client.close());
  const jetStream = await connectJetStream({ servers: [nats.url] }, "bench");
  opening.defer(() => jetStream.close());
  const folder = createDataFolder("memory");
  opening.defer(folder.remove);
  const bundle = values.bundle ?? join(folder.path, "dist");
  if (values.bundle === undefined) await build(bundle);
  const kubeconfig = join(folder.path, "kubeconfig");
  writeFileSync(kubeconfig, kube.kubeconfig());
  const resources = [{ apiVersion: "demo.example.com/v1", kind: "Database" }];
  const health = { host: "127.0.0.1", port: 0 };
  const settings = { resources, nats: { servers: [nats.url] }, kubernetes: { kubeconfig }, health };
  await client.applyCrd(freeCrd());
  for (const name of NAMESPACES) await client.createNamespace(name);
  const opened = opening.move();
  let events = 0;
  let revision = 0;

  const lastSequence = async () =>
    (await jetStream.api<{ state: { last_seq: number } }>(`STREAM.INFO.${EVENTS_STREAM}`)).state.last_seq;
  const change = async (count: number, seconds = 0) => {
    events += count;
    const [startedMs, spec] = [performance.now(), { revision: ++revision }];
    await eachOf(count, "changed", async (index) => {
      const { metadata } = objectAt(index, 0, 0);
      await client.patch(databasePath(metadata.namespace, metadata.name), { spec });
      await sleep(Math.max(0, startedMs + (index / count) * seconds * 1000 - performance.now()));
    });
  };
  const published = async () => {
    const done = async () => (await lastSequence().catch(() => 0)) >= events;
    await until(done, { waitMsMax: PHASE_MS_MAX, pollMs: 200, what: `${events} events` });
  };
  return {
    change,
    published,
    create(count: number) {
      events += count;
      return eachOf(count, "created", async (index) => {
        const { metadata, ...rest } = objectAt(index, 0, objectBytes);
        const { name, namespace, labels } = metadata;
        await client.create(databasePath(namespace), { ...rest, metadata: { name, namespace, labels } });
      });
    },
    async changeWithoutNats(count: number) {
      await nats.kill();
      await change(count, Number(values.away));
    },
    async reconnect() {
      await nats.restart();
      await published();
    },
    /** Captures as `cluster`, which has a checkpoint of its own. */
    async start(what: string, isReady: RegExp, cluster = "bench") {
      const config = join(folder.path, `${cluster}.yaml`);
      writeFileSync(config, stringify({ cluster, ...settings }));
      const showing = setInterval(() => {
        lastSequence().then(
          (done) => showProgress(`${done} of ${events} events published`),
          () => undefined,
        );
      }, PROGRESS_MS);
      const flag = `--max-semi-space-size=${values["semi-space"]}`;
      const args = () => [flag, join(bundle, "cr-reactor.js"), "bridge", "--config", config];
      const spec = { name: "cr-reactor bridge", command: process.execPath, args, isReady, readyMsMax: PHASE_MS_MAX };
      const server = await startServer({ ...spec, folder: createDataFolder("bridge"), stopMsMax: 15_000 });
      clearInterval(showing);
      opened.use(server);
      return measured(server, what);
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

/** Tells what the start took, and how to measure what comes after it. */
function measured(server: ServerProcess, start: string) {
  const pid = server.pid ?? 0;
  const tellMemory = (what: string, ms: number) => {
    tell(
      what,
      (ms / 1000).toFixed(1),
      ...[residentBytes(pid, "VmRSS"), residentBytes(pid, "VmHWM")].map((bytes) => String(Math.round(bytes / MIB))),
    );
  };
  tellMemory(start, server.startMs);
  return {
    async phase(what: string, run: () => Promise<unknown>) {
      forgetPeak(pid);
      const startedMs = performance.now();
      await run();
      tellMemory(what, performance.now() - startedMs);
    },
    stop: server.stop,
  };
}

async function eachOf(count: number, done: string, act: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const showing = setInterval(() => showProgress(`${next} of ${count} objects ${done}`), PROGRESS_MS);
  const workers = Array.from({ length: AT_ONCE }, async () => {
    while (next < count) await act(next++);
  });
  await Promise.all(workers).finally(() => clearInterval(showing));
}

function showProgress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r${text.padEnd(60)}\r`);
  else process.stderr.write(`${text}\n`);
}

function tell(what: string, seconds: string, rss = "", peak = ""): void {
  process.stdout.write(`${what.padEnd(46)}${seconds.padStart(8)}${rss.padStart(9)}${peak.padStart(10)}\n`);
}
