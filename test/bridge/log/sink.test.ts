import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { pathSet } from "../../../bridge/event/path-set.ts";
import { type ObservedState, type SealContext, type SealedEvent, seal } from "../../../bridge/event/seal.ts";
import type { KubeObject } from "../../../bridge/kube/kube-object.ts";
import { type EventLog, knownAfter, openEventLog } from "../../../bridge/log/event-log.ts";
import { createSink, type Sink } from "../../../bridge/log/sink.ts";
import type { KnownObject } from "../../../bridge/log/store.ts";
import { objectPart } from "../../../bridge/log/subject.ts";
import { createLogger } from "../../../bridge/logger.ts";
import { connectJetStream, type JetStream } from "../../../bridge/nats/jetstream.ts";
import { ensureStream, eventsStream, StreamSettings } from "../../../bridge/nats/stream.ts";
import { needNats } from "../../kit/shared-kube.ts";

const context: SealContext = {
  cluster: "c",
  group: "demo.example.com",
  version: "v1",
  plural: "databases",
  kind: "Database",
  phase: { type: "path", segments: ["status", "phase"] },
  ignored: pathSet(["/metadata/resourceVersion"]),
};
const { signal } = new AbortController();

function database(resourceVersion: string, replicas: unknown, name = "orders"): KubeObject {
  return {
    apiVersion: "demo.example.com/v1",
    kind: "Database",
    metadata: { name, namespace: "shop", uid: `uid-${name}`, resourceVersion },
    spec: { replicas },
  };
}

function event(op: "created" | "updated" | "deleted", object: KubeObject, before?: ObservedState): SealedEvent {
  const sealed = seal(context, {
    op,
    object,
    before,
    resourceVersion: object.metadata.resourceVersion,
    gap: false,
    seenAtMs: 0,
  });
  assert.ok(sealed);
  return sealed;
}

const created = event("created", database("1", 3));
const updated = event("updated", database("2", 5), created.after);
const ORDERS = objectPart(created.subject);

interface Rig {
  readonly nats: NonNullable<Awaited<ReturnType<typeof needNats>>>;
  readonly jetStream: JetStream;
  readonly log: EventLog;
  readonly sink: Sink;
  readonly troubles: string[];
}

async function rig(t: TestContext, settings: Partial<StreamSettings> = {}): Promise<Rig | undefined> {
  const nats = await needNats(t);
  if (nats === undefined) return undefined;
  const jetStream = await connectJetStream({ servers: [nats.url] }, "t");
  t.after(() => jetStream.close());
  await ensureStream(jetStream, eventsStream({ ...StreamSettings.parse({}), ...settings }));
  const log = openEventLog(jetStream);
  const troubles: string[] = [];
  const sink = createSink(jetStream, log, createLogger("test", "silent"), (error) => troubles.push(error.message));
  return { nats, jetStream, log, sink, troubles };
}

describe("publishing an event", () => {
  test("stores it behind the one it was computed from", async (t) => {
    const { sink, log } = (await rig(t)) ?? {};
    if (!sink || !log) return;
    assert.deepEqual(await sink.publish(ORDERS, created, 0, signal), { type: "stored", sequence: 1 });
    assert.deepEqual(await sink.publish(ORDERS, updated, 1, signal), { type: "stored", sequence: 2 });
    const last = await log.lastEvent(ORDERS);
    assert.equal(last?.envelope?.id, "uid-orders.2");
    assert.deepEqual(last?.envelope && (await log.stateAfter(last.envelope))?.object["spec"], { replicas: 5 });
  });

  test("again is the same event: it is stored once, however late the repetition", async (t) => {
    const { sink, jetStream } = (await rig(t)) ?? {};
    if (!sink || !jetStream) return;
    await sink.publish(ORDERS, created, 0, signal);
    assert.deepEqual(await sink.publish(ORDERS, created, 0, signal), { type: "stored", sequence: 1 });
    const { state } = await jetStream.api<{ state: { messages: number } }>("STREAM.INFO.CR_EVENTS");
    assert.equal(state.messages, 1);
  });

  test("from a stale state is refused, and the log's newer event is handed back", async (t) => {
    const { sink } = (await rig(t)) ?? {};
    if (!sink) return;
    await sink.publish(ORDERS, created, 0, signal);
    await sink.publish(ORDERS, updated, 1, signal);
    const zombie = await sink.publish(ORDERS, event("updated", database("2", 4), created.after), 0, signal);
    assert.equal(zombie.type, "stored", "the same object version is the same event");
    const stale = await sink.publish(ORDERS, event("deleted", database("3", 4)), 1, signal);
    assert.ok(stale.type === "conflict" && stale.last?.envelope?.id === "uid-orders.2");
  });

  test("behind an event that the log does not have is refused, and nothing is handed back", async (t) => {
    const { sink } = (await rig(t)) ?? {};
    if (!sink) return;
    assert.deepEqual(await sink.publish(ORDERS, updated, 17, signal), { type: "conflict", last: undefined });
  });

  test("that somebody has removed from the log is stored again at once, and known by its id to the next start", async (t) => {
    const { sink, log, jetStream } = (await rig(t)) ?? {};
    if (!sink || !log || !jetStream) return;
    await sink.publish(ORDERS, created, 0, signal);
    await sink.publish(ORDERS, updated, 1, signal);
    await jetStream.api("STREAM.MSG.DELETE.CR_EVENTS", { seq: 2 });
    assert.deepEqual(await sink.publish(ORDERS, updated, 1, signal), { type: "stored", sequence: 3 });
    const [entry] = await Array.fromAsync(log.readIndex(`${ORDERS}.updated.>`, signal));
    assert.deepEqual(entry?.event, { uid: "uid-orders", resourceVersion: "2", absence: undefined });
  });

  test("of another object never stands in the way, also when its name begins alike", async (t) => {
    const { sink } = (await rig(t)) ?? {};
    if (!sink) return;
    for (const [index, name] of ["orders", "orders-2", "orders.2", "order"].entries()) {
      const other = event("created", database("1", 3, name));
      assert.deepEqual(await sink.publish(objectPart(other.subject), other, 0, signal), {
        type: "stored",
        sequence: index + 1,
      });
    }
  });

  test("survives NATS being killed and coming back: stored once, none lost", async (t) => {
    const { nats, sink, jetStream, troubles } = (await rig(t)) ?? {};
    if (!nats || !sink || !jetStream || !troubles) return;
    const events = Array.from({ length: 200 }, (_, i) => event("created", database("1", 3, `db-${i}`)));
    const publishing = Promise.all(events.map((sealed) => sink.publish(objectPart(sealed.subject), sealed, 0, signal)));
    await nats.kill();
    await nats.restart();
    const results = await publishing;
    assert.ok(results.every(({ type }) => type === "stored"));
    const { state } = await jetStream.api<{ state: { messages: number } }>("STREAM.INFO.CR_EVENTS");
    assert.equal(state.messages, 200);
    assert.ok(troubles.length > 0);
  });

  test("waits while the stream is full, and goes on when there is room", async (t) => {
    const { sink, jetStream, troubles } = (await rig(t, { eventsBytesMax: 20_000 })) ?? {};
    if (!sink || !jetStream || !troubles) return;
    const big = (i: number) => event("created", database("1", "x".repeat(9_000), `db-${i}`));
    const waiting = Promise.all([0, 1, 2].map((i) => sink.publish(objectPart(big(i).subject), big(i), 0, signal)));
    const { promise: full, resolve } = Promise.withResolvers<void>();
    const poll = setInterval(() => troubles.length > 0 && resolve(), 5);
    await full.finally(() => clearInterval(poll));
    assert.match(troubles[0] ?? "", /maximum bytes exceeded/);
    const { config } = await jetStream.api<{ config: object }>("STREAM.INFO.CR_EVENTS");
    await jetStream.api("STREAM.UPDATE.CR_EVENTS", { ...config, max_bytes: 10_000_000 });
    assert.ok((await waiting).every(({ type }) => type === "stored"));
  });

  test("ends when it is told to stop", async (t) => {
    const { nats, sink } = (await rig(t)) ?? {};
    if (!nats || !sink) return;
    await nats.kill();
    const stop = new AbortController();
    const publishing = assert.rejects(sink.publish(ORDERS, created, 0, stop.signal), { name: "AbortError" });
    stop.abort();
    await publishing;
  });
});

describe("the index of the log", () => {
  test("has the newest event of every object, with uid, version, sequence and whether it is gone", async (t) => {
    const { sink, log } = (await rig(t)) ?? {};
    if (!sink || !log) return;
    await sink.publish(ORDERS, created, 0, signal);
    await sink.publish(ORDERS, updated, 1, signal);
    const other = event("created", database("3", 1, "users"));
    await sink.publish(objectPart(other.subject), other, 0, signal);
    const gone = event("deleted", database("4", 1, "users"), other.after);
    await sink.publish(objectPart(other.subject), gone, 3, signal);
    const index = new Map(
      (await Array.fromAsync(log.readIndex("cr.c.demo_example_com.Database.*.>", signal))).map((entry) => [
        entry.object,
        { object: entry.object, sequence: entry.sequence, event: entry.event },
      ]),
    );
    assert.deepEqual(
      [...index.values()],
      [
        { object: ORDERS, sequence: 2, event: { uid: "uid-orders", resourceVersion: "2", absence: undefined } },
        {
          object: objectPart(other.subject),
          sequence: 4,
          event: { uid: "uid-users", resourceVersion: "4", absence: "deleted" },
        },
      ],
    );
    assert.deepEqual(await Array.fromAsync(log.readIndex("cr.c.demo_example_com.Other.*.>", signal)), []);
  });

  test("sees a message that is not ours, and keeps what it knew: the next event stands behind it", async (t) => {
    const { sink, log, jetStream } = (await rig(t)) ?? {};
    if (!sink || !log || !jetStream) return;
    await sink.publish(ORDERS, created, 0, signal);
    await jetStream.publish(`${ORDERS}.updated.by.somebody.else`, "{junk", {});
    const entries = await Array.fromAsync(log.readIndex(`${ORDERS}.>`, signal));
    const known = entries.reduce<KnownObject | undefined>(knownAfter, undefined);
    assert.deepEqual(known, { uid: "uid-orders", resourceVersion: "1", sequence: 1, fence: 2, absence: undefined });
    const refused = await sink.publish(ORDERS, updated, 1, signal);
    assert.ok(refused.type === "conflict" && refused.last?.envelope === undefined && refused.last?.sequence === 2);
    assert.deepEqual(await sink.publish(ORDERS, updated, known?.fence ?? 0, signal), { type: "stored", sequence: 3 });
  });

  test("leaves no consumer behind", async (t) => {
    const { sink, log, jetStream } = (await rig(t)) ?? {};
    if (!sink || !log || !jetStream) return;
    await sink.publish(ORDERS, created, 0, signal);
    await Array.fromAsync(log.readIndex("cr.>", signal));
    const { total } = await jetStream.api<{ total: number }>("CONSUMER.NAMES.CR_EVENTS");
    assert.equal(total, 0);
  });
});
