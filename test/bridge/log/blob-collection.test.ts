import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import type { SealedEvent } from "../../../bridge/event/seal.ts";
import { BlobLostError, putBlob } from "../../../bridge/log/blob.ts";
import { collectBlobs } from "../../../bridge/log/blob-collection.ts";
import { blobOf, openEnvelope } from "../../../bridge/log/dataref.ts";
import { openEventLog } from "../../../bridge/log/event-log.ts";
import { objectPart } from "../../../bridge/log/subject.ts";
import { timersStream } from "../../../bridge/nats/function-stream.ts";
import { connectJetStream, type JetStream } from "../../../bridge/nats/jetstream.ts";
import { ensureStream } from "../../../bridge/nats/stream.ts";
import { bucketMessages, eventAbout, filler, keyOf, largeObject, startLargeRig } from "../large-event.ts";

const { signal } = new AbortController();
const HOUR_MS = 3_600_000;
/** As if everything that is there now had been there for two hours. */
const later = () => Date.now() + 2 * HOUR_MS;
const NOTHING = { blobs: 0, removed: 0, bytes: 0, unfinished: 0 };

/** A large event in each version of an object, each computed from the one before. */
function history(name: string, count: number): SealedEvent[] {
  const events = [eventAbout("created", largeObject("1", filler(100_000, `${name} 1`), name))];
  for (let version = 2; version <= count; version++) {
    const object = largeObject(String(version), filler(100_000, `${name} ${version}`), name);
    events.push(eventAbout("updated", object, events.at(-1)?.after));
  }
  return events;
}

async function rig(t: TestContext, eventsPerSubjectMax = 32) {
  const started = await startLargeRig(t, { config: "max_payload: 64KB" }, { eventsPerSubjectMax });
  if (started === undefined) return undefined;
  const { jetStream, sink, log } = started;
  return {
    ...started,
    async publish(events: readonly SealedEvent[]) {
      for (const event of events) {
        const last = await log.lastEvent(keyOf(event));
        await sink.publish(keyOf(event), event, last?.sequence ?? 0, signal);
      }
    },
    collect: (options: { now?: () => number; removalsMax?: number } = {}) =>
      collectBlobs({ jetStream, signal, now: later, ...options }),
  };
}

/** Every event of the log with its data, or throws. */
async function openAll(jetStream: JetStream, sequences: readonly number[]): Promise<void> {
  for (const sequence of sequences) {
    const sent = (await openEventLog(jetStream).eventAt(sequence))?.envelope;
    assert.ok(sent && (await openEnvelope(jetStream, sent)).data.object);
  }
}

/** The log's connection, on which publishing an event ends as if the process had been killed before it. */
const withoutEvents = (jetStream: JetStream): JetStream => ({
  ...jetStream,
  publish: (subject, ...rest) =>
    subject.startsWith("$O.") ? jetStream.publish(subject, ...rest) : Promise.reject(new Error("killed")),
});

describe("collecting blobs", () => {
  test("removes those whose events the log pushed out, and no other", async (t) => {
    const started = await rig(t, 2);
    if (started === undefined) return;
    const { jetStream, publish, collect } = started;
    await publish(history("orders", 5)); // one created, and of four updates the last two
    await publish(history("users", 2));
    const { blobs, removed, bytes, unfinished } = await collect();
    assert.deepEqual({ blobs, removed, unfinished }, { blobs: 7, removed: 2, unfinished: 0 });
    assert.ok(bytes > 600_000);
    await openAll(jetStream, [1, 4, 5, 6, 7]);
    assert.equal((await collect()).removed, 0);
  });

  test("removes what was purged from the log, down to the last byte", async (t) => {
    const started = await rig(t);
    if (started === undefined) return;
    const { jetStream, publish, collect } = started;
    await publish(history("orders", 3));
    await jetStream.api("STREAM.PURGE.CR_EVENTS");
    assert.equal((await collect()).removed, 3);
    assert.equal(await bucketMessages(jetStream), 0);
  });

  test("leaves what is young: its event may be about to come", async (t) => {
    const started = await rig(t);
    if (started === undefined) return;
    const { jetStream, collect, publish } = started;
    const [created] = history("orders", 1);
    assert.ok(created);
    await assert.rejects(openEventLog(withoutEvents(jetStream)).append(keyOf(created), created, 0), /killed/);
    assert.deepEqual(await collect({ now: Date.now }), { ...NOTHING, blobs: 1 });
    await publish([created]);
    await openAll(jetStream, [1]);
  });

  test("leaves an old one that was stored again while it looked: its event is about to come after all", async (t) => {
    const started = await rig(t);
    if (started === undefined) return;
    const { jetStream, publish } = started;
    const [created] = history("orders", 1);
    assert.ok(created);
    await assert.rejects(openEventLog(withoutEvents(jetStream)).append(keyOf(created), created, 0), /killed/);
    const slow: JetStream = {
      ...jetStream,
      connected: true,
      async api<T>(call: string, body?: unknown) {
        if (call.startsWith("STREAM.MSG.DELETE")) await publish([created]);
        return await jetStream.api<T>(call, body);
      },
    };
    assert.equal((await collectBlobs({ jetStream: slow, signal, now: later })).removed, 0);
    await openAll(jetStream, [1]);
  });

  test("removes a refused event's blob and keeps the one that the log has", async (t) => {
    const started = await rig(t);
    if (started === undefined) return;
    const { jetStream, sink, publish, collect } = started;
    const [created, updated] = history("orders", 2);
    assert.ok(created && updated);
    await publish([created, updated]);
    const stale = eventAbout("deleted", largeObject("9", filler(100_000, "stale")), created.after);
    assert.equal((await sink.publish(keyOf(stale), stale, 1, signal)).type, "conflict");
    const { blobs, removed } = await collect();
    assert.deepEqual({ blobs, removed }, { blobs: 3, removed: 1 });
    await openAll(jetStream, [1, 2]);
  });

  test("removes the chunks that a crash left without a name, once they are old", async (t) => {
    const started = await rig(t);
    if (started === undefined) return;
    const { jetStream, publish, collect } = started;
    await publish(history("orders", 1));
    const whole = await bucketMessages(jetStream);
    const crashed = {
      ...jetStream,
      payloadBytesMax: 65_536,
      publish: dieAtMeta(jetStream),
      api: noCleaning(jetStream),
    };
    await assert.rejects(putBlob(crashed, "cr.c.g.K.ns.n/uid.1/digest", Buffer.alloc(200_000)), /killed/);
    assert.ok((await bucketMessages(jetStream)) > whole);
    assert.equal((await collect({ now: Date.now })).unfinished, 0);
    assert.equal((await collect()).unfinished, 1);
    assert.equal(await bucketMessages(jetStream), whole);
    await openAll(jetStream, [1]);
  });

  test("keeps what a dead letter of the object refers to", async (t) => {
    const started = await rig(t);
    if (started === undefined) return;
    const { jetStream, log, publish, collect } = started;
    const [created] = history("orders", 1);
    assert.ok(created);
    await publish([created]);
    const sent = (await log.eventAt(1))?.envelope;
    await jetStream.publish(`crdead.some-subscription.${created.subject}`, JSON.stringify(sent), {});
    await jetStream.api("STREAM.PURGE.CR_EVENTS");
    assert.equal((await collect()).removed, 0);
    assert.ok(sent && (await openEnvelope(jetStream, sent)));
    await jetStream.api("STREAM.PURGE.CR_DEAD_LETTERS");
    assert.equal((await collect()).removed, 1);
    await assert.rejects(openEnvelope(jetStream, sent), BlobLostError);
  });

  for (const waits of ["wait.s", "due.s.1", "member.s.all"]) {
    test(`keeps what an event refers to that waits: ${waits}`, async (t) => {
      const started = await rig(t);
      if (started === undefined) return;
      const { jetStream, log, publish, collect } = started;
      const [created] = history("orders", 1);
      assert.ok(created);
      await publish([created]);
      const sent = (await log.eventAt(1))?.envelope;
      await ensureStream(jetStream, timersStream({ replicas: 1 }));
      const subject = `crtimer.${waits}.${objectPart(created.subject)}.00`;
      await jetStream.publish(subject, JSON.stringify(sent), {});
      await jetStream.api("STREAM.PURGE.CR_EVENTS");
      assert.equal((await collect()).removed, 0);
      await jetStream.api("STREAM.PURGE.CR_TIMERS");
      assert.equal((await collect()).removed, 1);
    });
  }

  test("keeps the blob of an event that was published again under the same id", async (t) => {
    const started = await rig(t);
    if (started === undefined) return;
    const { jetStream, log, publish, collect } = started;
    const [created] = history("orders", 1);
    assert.ok(created);
    await publish([created]);
    const sent = JSON.stringify((await log.eventAt(1))?.envelope);
    await jetStream.api("STREAM.PURGE.CR_EVENTS");
    await jetStream.publish(created.subject, sent, { "Nats-Msg-Id": `${created.id}~1` });
    assert.equal((await collect()).removed, 0);
    await openAll(jetStream, [2]);
  });

  test("removes nothing of an object whose events it read from a copy that is behind", async (t) => {
    const started = await rig(t);
    if (started === undefined) return;
    const { jetStream, publish } = started;
    await publish(history("orders", 2));
    const behind: JetStream = {
      ...jetStream,
      connected: true,
      api: (call, body) => jetStream.api(call, call === "CONSUMER.CREATE.CR_EVENTS" ? withoutUpdates(body) : body),
    };
    assert.equal((await collectBlobs({ jetStream: behind, signal, now: later })).removed, 0);
    await openAll(jetStream, [1, 2]);
  });

  test("removes no more at once than it is told to, and the rest the next time", async (t) => {
    const started = await rig(t);
    if (started === undefined) return;
    const { jetStream, publish, collect } = started;
    await publish(history("orders", 4));
    await jetStream.api("STREAM.PURGE.CR_EVENTS");
    assert.equal((await collect({ removalsMax: 3 })).removed, 3);
    assert.equal((await collect({ removalsMax: 3 })).removed, 1);
  });

  test("leaves alone what is not ours, and does nothing without a bucket", async (t) => {
    const started = await rig(t);
    if (started === undefined) return;
    const { nats, jetStream, collect, publish } = started;
    await publish(history("orders", 1));
    const meta = { name: "holiday.jpg", bucket: "CR_BLOBS", nuid: "abc", size: 3, chunks: 1, digest: "", mtime: "" };
    await jetStream.publish("$O.CR_BLOBS.C.abc", "jpg", {});
    await jetStream.publish(`$O.CR_BLOBS.M.${Buffer.from(meta.name).toString("base64url")}`, JSON.stringify(meta), {});
    assert.deepEqual(await collect(), { ...NOTHING, blobs: 2 });
    await jetStream.publish("$O.CR_BLOBS.C.def", "of a blob whose meta we do not understand", {});
    await jetStream.publish("$O.CR_BLOBS.M.bWF5YmU=", "{}", {});
    assert.deepEqual(await collect(), { ...NOTHING, blobs: 2 });
    const name = blobOf(String((await started.log.eventAt(1))?.envelope?.["dataref"]));
    assert.match(name ?? "", /^cr\.c\./);
    await jetStream.api("STREAM.DELETE.OBJ_CR_BLOBS");
    const other = await connectJetStream({ servers: [nats.url] }, "t");
    t.after(() => other.close());
    assert.deepEqual(await collectBlobs({ jetStream: other, signal }), NOTHING);
  });
});

const dieAtMeta =
  (jetStream: JetStream): JetStream["publish"] =>
  (subject, ...rest) =>
    subject.includes(".M.") ? Promise.reject(new Error("killed")) : jetStream.publish(subject, ...rest);

const noCleaning =
  (jetStream: JetStream): JetStream["api"] =>
  (call, body) =>
    call.startsWith("STREAM.PURGE") ? Promise.reject(new Error("killed")) : jetStream.api(call, body);

/** The reading of the log's events, on a copy that has heard of no update. */
function withoutUpdates(body: unknown) {
  const { config, ...request } = body as { readonly config: { readonly filter_subjects: readonly string[] } };
  const filter_subjects = config.filter_subjects.map((subject) => subject.replace(/>$/, "created.>"));
  return { ...request, config: { ...config, filter_subjects } };
}
