/**
 * A real nats-server with the log and the bucket, and events that are as large as a test wants them.
 */
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { pathSet } from "../../bridge/event/path-set.ts";
import { type ObservedState, type SealContext, type SealedEvent, seal } from "../../bridge/event/seal.ts";
import type { KubeObject } from "../../bridge/kube/kube-object.ts";
import { openEventLog } from "../../bridge/log/event-log.ts";
import { createSink } from "../../bridge/log/sink.ts";
import { objectPart } from "../../bridge/log/subject.ts";
import { createLogger } from "../../bridge/logger.ts";
import { deadLettersStream } from "../../bridge/nats/function-stream.ts";
import { connectJetStream, type JetStream } from "../../bridge/nats/jetstream.ts";
import { blobsStream, ensureStream, eventsStream, StreamSettings } from "../../bridge/nats/stream.ts";
import type { NatsOptions } from "../kit/nats-server.ts";
import { needNats } from "../kit/shared-kube.ts";

const context: SealContext = {
  cluster: "c",
  group: "demo.example.com",
  version: "v1",
  plural: "databases",
  kind: "Database",
  phase: { type: "path", segments: ["status", "phase"] },
  ignored: pathSet(["/metadata/resourceVersion"]),
};

/** What cannot be compressed away or confused: another text for each seed. */
export function filler(bytes: number, seed = "x"): string {
  return `${seed} å `.repeat(Math.ceil(bytes / (seed.length + 4)));
}

export function largeObject(resourceVersion: string, text: string, name = "orders"): KubeObject {
  return {
    apiVersion: "demo.example.com/v1",
    kind: "Database",
    metadata: { name, namespace: "shop", uid: `uid-${name}`, resourceVersion },
    spec: { text },
    status: { phase: "Running" },
  };
}

export function eventAbout(
  op: "created" | "updated" | "deleted",
  object: KubeObject,
  before?: ObservedState,
): SealedEvent {
  const { resourceVersion } = object.metadata;
  const event = seal(context, { op, object, before, resourceVersion, gap: false, seenAtMs: 0 });
  assert.ok(event);
  return event;
}

export const keyOf = (event: SealedEvent) => objectPart(event.subject);

/** Starts the server; `undefined` where there is none. */
export async function startLargeRig(t: TestContext, options: NatsOptions = {}, settings: Partial<StreamSettings> = {}) {
  const nats = await needNats(t, options);
  if (nats === undefined) return undefined;
  const jetStream = await connectJetStream({ servers: [nats.url] }, "t");
  t.after(() => jetStream.close());
  const streams = { ...StreamSettings.parse({}), ...settings };
  for (const stream of [eventsStream(streams), blobsStream(streams), deadLettersStream(streams)])
    await ensureStream(jetStream, stream);
  const log = openEventLog(jetStream);
  const troubles: string[] = [];
  const sink = createSink(jetStream, log, createLogger("test", "silent"), (error) => troubles.push(error.message));
  return { nats, jetStream, log, sink, troubles, over: (other: JetStream) => openEventLog(other) };
}

/** How many messages the bucket has: chunks and metas. */
export async function bucketMessages(jetStream: JetStream): Promise<number> {
  return (await jetStream.api<{ state: { messages: number } }>("STREAM.INFO.OBJ_CR_BLOBS")).state.messages;
}
