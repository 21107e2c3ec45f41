/**
 * Functions: one process of `cr-reactor run`, bundled, and events that wait in the log. How many a second go through filter, function, step and
 * acknowledgement; a fleet of subscriptions in the process of which each wants one event in a hundred; how soon a process that is started
 * because of an event has acted, and how much memory it has when there is nothing to do. Ours alone: nobody else has these parts.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { stringify } from "yaml";
import { pathSet } from "../../../bridge/event/path-set.ts";
import { type ObservedState, seal } from "../../../bridge/event/seal.ts";
import { parsePhaseSource } from "../../../bridge/event/transitions.ts";
import type { JetStream } from "../../../bridge/nats/jetstream.ts";
import { unlessMissing } from "../../../bridge/nats/jetstream-error.ts";
import { EVENTS_STREAM, ensureStream, eventsStream, StreamSettings } from "../../../bridge/nats/stream.ts";
import { createDataFolder } from "../../kit/data-folder.ts";
import { spawnOwned } from "../../kit/owned-child.ts";
import { until } from "../../kit/until.ts";
import { grouped } from "../measure.ts";
import { objectAt } from "../object.ts";
import { resetStreams } from "../peer/peer.ts";
import { cpuUsOf, residentBytes } from "../process-meter.ts";
import type { Scenario, Stage } from "../scenario.ts";
import { openWakeUp } from "../wake-up.ts";

const SIZES = { quick: { events: 2_000, idleMs: 1_000 }, full: { events: 20_000, idleMs: 10_000 } } as const;
/** Each subscription of the fleet wants one of them. */
const OBJECTS = 100;
const FLEET = 50;
const WAKE_UPS = 3;
const BYTES = 2 * 1024;
const MIB = 1024 ** 2;
const DRAIN_MS_MAX = 10 * 60_000;
const FUNCTION = join(import.meta.dirname, "../acting-function.ts");

interface Subscription {
  readonly name: string;
  readonly when: object;
}

/** The scenario. */
export const functions: Scenario = {
  name: "functions",
  about: "events a second through filter, step and acknowledgement; a fleet; waking up; memory of an idle process",
  needs: "our bundle",
  async open(stage) {
    const { events, idleMs } = SIZES[stage.size];
    return {
      async round({ tell }) {
        await resetStreams(stage.jetStream, []);
        await publishEvents(stage.jetStream, events);
        // Which objects it wants is decided in the process, which kinds of change by NATS.
        const one: Subscription = { name: "every", when: { op: ["created", "updated"], names: ["orders-*"] } };
        const alone = await consumed(stage, [one], events);
        tell(`one subscription, ${grouped(events)} events`, "rate", "events/s", "us", alone.rate);
        tell(`one subscription, ${grouped(events)} events`, "CPU", "µs CPU/event", "us", alone.cpuUs);
        const fleet = Array.from({ length: FLEET }, (_, index): Subscription => {
          return { name: `fleet-${index}`, when: { op: ["created", "updated"], names: [`orders-${index}`] } };
        });
        const many = await consumed(stage, fleet, (events / OBJECTS) * FLEET);
        const work = `${FLEET} subscriptions, each 1 % of ${grouped(events)} events`;
        tell(work, "rate", "events/s", "us", many.rate);
        tell(work, "CPU", "µs CPU/event", "us", many.cpuUs);
        tell(work, "RSS", "MiB", "us", many.rssBytes / MIB);
        await resetStreams(stage.jetStream, []);
        await using wakeUp = await openWakeUp(stage.nats, stage.jetStream, stage.bundle);
        await wakeUp.run(); // the first one writes the compile cache
        for (let index = 0; index < WAKE_UPS; index++)
          tell("run, from zero", "wake-up", "ms", "us", await wakeUp.run());
        for (let index = 0; index < WAKE_UPS; index++)
          tell("serve, from zero", "wake-up", "ms", "us", await wakeUp.serve());
        await wakeUp.run({}, async (pid) => {
          await sleep(idleMs);
          tell("one subscription", "idle RSS", "MiB", "us", residentBytes(pid, "VmRSS") / MIB);
        });
      },
      async [Symbol.asyncDispose]() {},
    };
  },
};

/** As the bridge would, without a fence. */
async function publishEvents(jetStream: JetStream, events: number): Promise<void> {
  await ensureStream(jetStream, eventsStream(StreamSettings.parse({ eventsPerSubjectMax: events })));
  const context = {
    ...{ cluster: "bench", group: "demo.example.com", version: "v1", plural: "databases", kind: "Database" },
    ...{
      phase: parsePhaseSource("status.phase"),
      ignored: pathSet(["metadata.resourceVersion", "metadata.generation"]),
    },
  };
  const states = new Map<number, ObservedState>();
  const publishing: Promise<unknown>[] = [];
  for (let number = 0; number < events; number++) {
    const [index, change] = [number % OBJECTS, Math.floor(number / OBJECTS)];
    const object = objectAt(index, change, BYTES);
    const before = states.get(index);
    const op = before === undefined ? "created" : "updated";
    const { resourceVersion } = object.metadata;
    const sealed = seal(context, { op, object, before, resourceVersion, gap: false, seenAtMs: Date.now() });
    if (sealed === undefined) throw new Error("every change changes something");
    states.set(index, sealed.after);
    const headers = { "content-type": "application/cloudevents+json", "Nats-Msg-Id": sealed.id };
    publishing.push(jetStream.publish(sealed.subject, sealed.payload, headers));
  }
  await Promise.all(publishing);
}

/** Runs the subscriptions in one process until they have handled so many events. */
async function consumed({ nats, jetStream, bundle }: Stage, subscriptions: readonly Subscription[], expected: number) {
  await using cleanup = new AsyncDisposableStack();
  const folder = createDataFolder("bench-functions");
  cleanup.defer(folder.remove);
  const file = join(folder.path, "subscriptions.yaml");
  const shared = { function: FUNCTION, apiVersion: "demo.example.com/v1", kind: "Database", start: "all" };
  const entries = subscriptions.map((each) => ({ ...each, ...shared }));
  writeFileSync(file, stringify({ nats: { servers: [nats.url] }, subscriptions: entries }));
  const args = [join(bundle, "cr-reactor.js"), "run", "--subscriptions", file];
  const child = spawnOwned(process.execPath, args, { cwd: folder.path });
  const pid = child.pid ?? 0;
  let said = "";
  for (const output of [child.stdout, child.stderr])
    output.on("data", (chunk: Buffer) => {
      said = `${said}${chunk}`.slice(-2_000);
    });
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  cleanup.defer(() => {
    child.kill("SIGTERM");
    return ended;
  });
  const seen: { handled: number; atMs: number; cpuUs: number }[] = [];
  const isDone = async () => {
    const handled = await handledBy(jetStream, subscriptions);
    if (child.exitCode !== null) throw new Error(`cr-reactor run has ended: ${said}`);
    if (handled > 0) seen.push({ handled, atMs: performance.now(), cpuUs: cpuUsOf(pid) });
    return handled >= expected;
  };
  await until(isDone, { waitMsMax: DRAIN_MS_MAX, pollMs: 20, what: `${expected} events are handled: ${said}` });
  const [first, last] = [seen[0], seen.at(-1)];
  if (first === undefined || last === undefined || last.handled === first.handled)
    throw new Error("it was too fast to be measured: take more events");
  const count = last.handled - first.handled;
  const rate = (count / (last.atMs - first.atMs)) * 1000;
  return { rate, cpuUs: (last.cpuUs - first.cpuUs) / count, rssBytes: residentBytes(pid, "VmRSS") };
}

interface ConsumerInfo {
  readonly name: string;
  readonly ack_floor: { readonly consumer_seq: number };
}

/** Events that are acknowledged without a hole before them, of all subscriptions. */
async function handledBy(jetStream: JetStream, subscriptions: readonly Subscription[]): Promise<number> {
  const infos = subscriptions.map(({ name }) =>
    unlessMissing("consumer", jetStream.api<ConsumerInfo>(`CONSUMER.INFO.${EVENTS_STREAM}.cr-${name}`)),
  );
  return (await Promise.all(infos)).reduce((sum, info) => sum + (info?.ack_floor.consumer_seq ?? 0), 0);
}
