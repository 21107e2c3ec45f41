/**
 * `node test/bench/storage.ts`: how much room the log takes. It publishes the events of many objects through the bridge's own
 * way (difference, CloudEvent, fence) into a real nats-server, and prints bytes per million events: as JSON, and on disk; and
 * what the server has in memory for them.
 */
import { parseArgs } from "node:util";
import { z } from "zod";
import { pathSet } from "../../bridge/event/path-set.ts";
import { type ObservedState, type SealContext, seal } from "../../bridge/event/seal.ts";
import { parsePhaseSource } from "../../bridge/event/transitions.ts";
import { openEventLog } from "../../bridge/log/event-log.ts";
import { objectSubject } from "../../bridge/log/subject.ts";
import { connectJetStream } from "../../bridge/nats/jetstream.ts";
import { NatsSettings } from "../../bridge/nats/nats-settings.ts";
import { EVENTS_STREAM, ensureStream, eventsStream, StreamSettings } from "../../bridge/nats/stream.ts";
import { type NatsServer, startNats } from "../kit/nats-server.ts";
import { objectAt } from "./object.ts";
import { bytesBelow } from "./process-meter.ts";

const HELP = `Usage: node test/bench/storage.ts [--objects 5000] [--changes 20] [--kilobytes 2] [--compression none]

Publishes the changes of so many objects of that size and prints the room they take.
`;

const CONTEXT: SealContext = {
  cluster: "bench",
  group: "demo.example.com",
  version: "v1",
  plural: "databases",
  kind: "Database",
  phase: parsePhaseSource("status.phase"),
  ignored: pathSet(["metadata.resourceVersion", "metadata.generation"]),
};
/** As many as the bridge has in flight. */
const AT_ONCE = 256;

const { values } = parseArgs({
  options: {
    objects: { type: "string", default: "5000" },
    changes: { type: "string", default: "20" },
    kilobytes: { type: "string", default: "2" },
    compression: { type: "string", default: "none" },
    help: { type: "boolean", default: false },
  },
});
if (values.help) process.stdout.write(HELP);
else await measure(Number(values.objects), Number(values.changes), Number(values.kilobytes) * 1024);

async function measure(objects: number, changes: number, objectBytes: number): Promise<void> {
  await using nats = await startNats();
  const jetStream = await connectJetStream(NatsSettings.parse({ servers: [nats.url] }), "bench");
  await ensureStream(
    jetStream,
    eventsStream(StreamSettings.parse({ eventsBytesMax: 8 * 1024 ** 3, compression: values.compression })),
  );
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
  const loadedBytes = await memoryOf(nats);
  await nats.restart();
  const restartedBytes = await memoryOf(nats);
  const diskBytes = bytesBelow(nats.storeDir);
  const perMillion = (bytes: number) => `${(((bytes / events) * 1e6) / 1024 ** 3).toFixed(2)} GiB`;
  process.stdout.write(
    `${events} events of ${objects} objects of ${objectBytes / 1024} KB\n` +
      `  an event          ${Math.round(payloadBytes / events)} bytes of JSON\n` +
      `  a million events  ${perMillion(state.bytes)} as the stream's limit counts, ${perMillion(diskBytes)} on disk (${values.compression})\n` +
      `  an object         ${Math.round(diskBytes / objects)} bytes on disk with its ${changes + 1} events\n` +
      `  nats-server       ${megabytes(loadedBytes)} when they are stored, ${megabytes(restartedBytes)} after a restart\n`,
  );
}

/** What the server says that it has in memory. */
async function memoryOf({ monitorUrl }: NatsServer): Promise<number> {
  return z.object({ mem: z.number() }).parse(await (await fetch(`${monitorUrl}/varz`)).json()).mem;
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1024 ** 2)} MiB`;
}
