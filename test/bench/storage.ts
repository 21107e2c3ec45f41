/**
 * `node test/bench/storage.ts`: how much room the log takes. It publishes the events of many objects through the bridge's own
 * way (difference, CloudEvent, fence) into a real nats-server, and prints bytes per million events: as JSON, and on disk.
 * The objects are of a size and a randomness that custom resources have; every second change is one of status, else of spec.
 */
import { hash } from "node:crypto";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ignoring } from "../../bridge/diff.ts";
import { openEventLog } from "../../bridge/event-log.ts";
import { connectJetStream } from "../../bridge/jetstream.ts";
import type { KubeObject } from "../../bridge/kube-object.ts";
import { NatsSettings } from "../../bridge/nats-settings.ts";
import { type ObservedState, type SealContext, seal } from "../../bridge/seal.ts";
import { EVENTS_STREAM, ensureStream, eventsStream, StreamSettings } from "../../bridge/stream.ts";
import { objectSubject } from "../../bridge/subject.ts";
import { parsePhaseSource } from "../../bridge/transitions.ts";
import { startNats } from "../kit/nats-server.ts";

const HELP = `Usage: node test/bench/storage.ts [--objects 5000] [--changes 20] [--kilobytes 2]

Publishes the changes of so many objects of that size and prints the room they take.
`;

const CONTEXT: SealContext = {
  cluster: "bench",
  group: "demo.example.com",
  version: "v1",
  plural: "databases",
  kind: "Database",
  phase: parsePhaseSource("status.phase"),
  ignored: ignoring(["metadata.resourceVersion", "metadata.generation"]),
};
const PHASES = ["Provisioning", "Running", "Failed"];
/** As many as the bridge has in flight. */
const AT_ONCE = 256;

const { values } = parseArgs({
  options: {
    objects: { type: "string", default: "5000" },
    changes: { type: "string", default: "20" },
    kilobytes: { type: "string", default: "2" },
    help: { type: "boolean", default: false },
  },
});
if (values.help) process.stdout.write(HELP);
else await measure(Number(values.objects), Number(values.changes), Number(values.kilobytes) * 1024);

async function measure(objects: number, changes: number, objectBytes: number): Promise<void> {
  await using nats = await startNats();
  const jetStream = await connectJetStream(NatsSettings.parse({ servers: [nats.url] }), "bench");
  await ensureStream(jetStream, eventsStream(StreamSettings.parse({ eventsBytesMax: 8 * 1024 ** 3 })));
  const log = openEventLog(jetStream);
  let events = 0;
  let payloadBytes = 0;

  const live = async (index: number) => {
    let before: ObservedState | undefined;
    let fence = 0;
    for (let change = 0; change <= changes; change++) {
      const object = objectAt(index, change, objectBytes);
      const sealed = seal(CONTEXT, {
        op: before === undefined ? "created" : "updated",
        object,
        before,
        resourceVersion: object.metadata.resourceVersion,
        gap: false,
        seenAtMs: Date.now(),
      });
      if (sealed === undefined) throw new Error("every change changes something");
      const key = objectSubject({ ...CONTEXT, namespace: object.metadata.namespace ?? "", name: object.metadata.name });
      fence = (await log.append(key, sealed, fence)).seq;
      events++;
      payloadBytes += sealed.payload.length;
      before = sealed.after;
    }
  };
  const workers = Array.from({ length: AT_ONCE }, async (_, first) => {
    for (let index = first; index < objects; index += AT_ONCE) await live(index);
  });
  await Promise.all(workers);
  const { state } = await jetStream.api<{ state: { bytes: number } }>(`STREAM.INFO.${EVENTS_STREAM}`);
  await jetStream.close();
  const diskBytes = bytesBelow(nats.storeDir);
  const perMillion = (bytes: number) => `${(((bytes / events) * 1e6) / 1024 ** 3).toFixed(2)} GiB`;
  process.stdout.write(
    `${events} events of ${objects} objects of ${objectBytes / 1024} KB\n` +
      `  an event          ${Math.round(payloadBytes / events)} bytes of JSON\n` +
      `  a million events  ${perMillion(state.bytes)} as the stream's limit counts, ${perMillion(diskBytes)} on disk (s2)\n` +
      `  an object         ${Math.round(diskBytes / objects)} bytes on disk with its ${changes + 1} events\n`,
  );
}

/** An object of about this size after so many changes: an operator's usual mixture of words, numbers, hashes and conditions. */
function objectAt(index: number, change: number, bytes: number): KubeObject {
  const id = hash("sha256", String(index), "hex");
  const since = new Date(1_700_000_000_000 + change * 60_000).toISOString();
  const object = {
    apiVersion: "demo.example.com/v1",
    kind: "Database",
    metadata: {
      name: `orders-${index}`,
      namespace: `team-${index % 50}`,
      uid: `${id.slice(0, 8)}-${id.slice(8, 12)}-4${id.slice(13, 16)}-8${id.slice(17, 20)}-${id.slice(20, 32)}`,
      resourceVersion: String(1_000_000 + index * 1_000 + change),
      generation: 1 + Math.ceil(change / 2),
      creationTimestamp: "2026-11-20T08:00:00Z",
      labels: { "app.kubernetes.io/name": "orders", "app.kubernetes.io/part-of": "shop", team: `team-${index % 50}` },
    },
    spec: {
      engine: "postgres",
      version: "17",
      replicas: 1 + (Math.ceil(change / 2) % 9),
      settings: settingsOf(id, bytes),
    },
    status: {
      phase: PHASES[Math.floor(change / 2) % PHASES.length],
      observedGeneration: 1 + Math.floor(change / 2),
      conditions: [
        { type: "Ready", status: change % 4 < 2 ? "True" : "False", reason: "Checked", lastTransitionTime: since },
        { type: "BackedUp", status: "True", reason: "Scheduled", lastTransitionTime: "2026-11-20T08:00:00Z" },
      ],
    },
  };
  return object as KubeObject;
}

/** About one value in three is random, as image digests, addresses and tokens' names are. */
function settingsOf(id: string, bytes: number): Readonly<Record<string, string>> {
  const entries = Math.max(0, Math.round((bytes - 1_000) / 52));
  return Object.fromEntries(
    Array.from({ length: entries }, (_, index) => [
      `parameter-${index}`,
      index % 3 === 0 ? hash("sha256", `${id}${index}`, "hex").slice(0, 32) : `value of parameter ${index} by default`,
    ]),
  );
}

function bytesBelow(folder: string): number {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}
