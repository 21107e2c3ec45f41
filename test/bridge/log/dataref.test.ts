import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { connect } from "nats";
import { beforeOf } from "../../../bridge/event/change.ts";
import {
  MalformedEventError,
  parseEnvelope,
  parseSent,
  type ReferringEnvelope,
} from "../../../bridge/event/envelope.ts";
import { BlobLostError } from "../../../bridge/log/blob.ts";
import { blobOf, openEnvelope } from "../../../bridge/log/dataref.ts";
import { openEventLog } from "../../../bridge/log/event-log.ts";
import type { JetStream } from "../../../bridge/nats/jetstream.ts";
import { blobsStream, ensureStream, eventsStream, StreamSettings } from "../../../bridge/nats/stream.ts";
import { until } from "../../kit/until.ts";
import { bucketMessages, eventAbout, filler, keyOf, largeObject, startLargeRig } from "../large-event.ts";

const { signal } = new AbortController();
const created = eventAbout("created", largeObject("1", filler(1_400_000, "one")));
const updated = eventAbout("updated", largeObject("2", filler(1_400_000, "two")), created.after);
const ORDERS = keyOf(created);

/** The chunk at this position of the only blob. */
async function chunkAt(jetStream: JetStream, seq: number) {
  const query = { seq, next_by_subj: "$O.CR_BLOBS.C.>" };
  const { message } = await jetStream.api<{ message: { seq: number; subject: string } }>(
    "STREAM.MSG.GET.OBJ_CR_BLOBS",
    query,
  );
  return message;
}

describe("an event that is larger than a message may be", () => {
  for (const [name, options] of [
    ["1 MB", {}],
    ["64 KB", { config: "max_payload: 64KB" }],
  ] as const) {
    test(`is stored whole with a max_payload of ${name}: attributes in the log, data in the object store`, async (t) => {
      const rig = await startLargeRig(t, options);
      if (rig === undefined) return;
      const { jetStream, log, sink } = rig;
      assert.ok(Buffer.byteLength(updated.payload) > 4_000_000);
      await sink.publish(ORDERS, created, 0, signal);
      assert.deepEqual(await sink.publish(ORDERS, updated, 1, signal), { type: "stored", sequence: 2 });
      const sent = (await log.eventAt(2))?.envelope as ReferringEnvelope;
      const { data, ...attributes } = parseEnvelope(updated.payload);
      const { dataref, ...sentAttributes } = sent;
      assert.deepEqual({ ...sentAttributes }, attributes);
      assert.match(
        dataref,
        /^nats:\/CR_BLOBS\/cr\.c\.demo_example_com\.Database\.shop\.orders\/uid-orders\.2\/[\w-]{43}$/,
      );
      const whole = await openEnvelope(jetStream, sent);
      assert.deepEqual(whole, { ...attributes, data });
      assert.deepEqual(beforeOf("updated", whole.data)?.["spec"], created.after.object["spec"]);
      assert.deepEqual((await log.stateAfter(sent))?.object, updated.after.object);
    });
  }

  test("is in the object store as any client of NATS reads it", async (t) => {
    const rig = await startLargeRig(t);
    if (rig === undefined) return;
    await rig.sink.publish(ORDERS, created, 0, signal);
    const connection = await connect({ servers: rig.nats.url });
    t.after(() => connection.close());
    const store = await connection.jetstream().views.os("CR_BLOBS");
    const name = blobOf(String((await rig.log.eventAt(1))?.envelope?.["dataref"])) ?? "";
    const blob = await store.getBlob(name);
    assert.deepEqual(JSON.parse(Buffer.from(blob ?? []).toString("utf8")), parseEnvelope(created.payload).data);
    assert.deepEqual(
      (await store.list()).map((info) => [info.name, info.size]),
      [[name, blob?.length]],
    );
  });

  test("begins where the message with its headers is one byte too large", async (t) => {
    const rig = await startLargeRig(t, { config: "max_payload: 64KB" });
    if (rig === undefined) return;
    const { jetStream, log, sink } = rig;
    const sized = (length: number) => eventAbout("created", largeObject("1", "x".repeat(length), `db-${length}`));
    // Grown byte by byte over the limit, which the headers, some 300 bytes, are part of.
    const lengths = Array.from({ length: 300 }, (_, index) => index + 60_000).map(
      (length) => length + 65_536 - 450 - sized(60_000).payload.length,
    );
    for (const length of lengths) {
      const event = sized(length);
      await sink.publish(keyOf(event), event, 0, signal);
    }
    assert.deepEqual(rig.troubles, []);
    const envelopes = await Promise.all(lengths.map(async (_, index) => (await log.eventAt(index + 1))?.envelope));
    const whole = envelopes.filter((envelope) => envelope?.data !== undefined).length;
    assert.ok(whole > 5 && whole < 295, `${whole} of ${lengths.length} are whole`);
    assert.ok(envelopes.slice(0, whole).every((envelope) => envelope?.data !== undefined));
    assert.equal(await bucketMessages(jetStream), (lengths.length - whole) * 3);
  });

  test("is stored once, however often it is published, and leaves nothing else behind", async (t) => {
    const rig = await startLargeRig(t);
    if (rig === undefined) return;
    const { jetStream, sink } = rig;
    await sink.publish(ORDERS, created, 0, signal);
    const messages = await bucketMessages(jetStream);
    assert.deepEqual(await sink.publish(ORDERS, created, 0, signal), { type: "stored", sequence: 1 });
    assert.equal(await bucketMessages(jetStream), messages);
    const others = await Promise.all([1, 2, 3].map(() => sink.publish(ORDERS, updated, 1, signal)));
    assert.ok(others.every(({ type }) => type === "stored"));
    await until(async () => (await bucketMessages(jetStream)) > messages);
    const names = await jetStream.api<{ state: { subjects: object } }>("STREAM.INFO.OBJ_CR_BLOBS", {
      subjects_filter: "$O.CR_BLOBS.C.>",
    });
    assert.equal(Object.keys(names.state.subjects).length, 2, "the chunks of one blob for each event");
  });

  test("is published after a kill between blob and event, with the blob that is there", async (t) => {
    const rig = await startLargeRig(t);
    if (rig === undefined) return;
    const { jetStream } = rig;
    const killed = openEventLog({
      ...jetStream,
      payloadBytesMax: jetStream.payloadBytesMax,
      publish: (subject, ...rest) =>
        subject.startsWith("$O.") ? jetStream.publish(subject, ...rest) : Promise.reject(new Error("killed")),
    });
    await assert.rejects(killed.append(ORDERS, created, 0), /killed/);
    const messages = await bucketMessages(jetStream);
    assert.ok(messages > 10);
    assert.equal(await rig.log.lastEvent(ORDERS), undefined, "the blob is there before the event");
    assert.deepEqual(await rig.sink.publish(ORDERS, created, 0, signal), { type: "stored", sequence: 1 });
    assert.equal(await bucketMessages(jetStream), messages);
  });

  test("waits while the bucket is full, says so, and goes on when there is room", async (t) => {
    const rig = await startLargeRig(t, {}, { blobsBytesMax: 500_000 });
    if (rig === undefined) return;
    const { jetStream, sink, troubles } = rig;
    const publishing = sink.publish(ORDERS, created, 0, signal);
    await until(() => troubles.length > 1);
    assert.match(troubles[0] ?? "", /maximum bytes exceeded.*\$O\.CR_BLOBS/);
    const { config } = await jetStream.api<{ config: object }>("STREAM.INFO.OBJ_CR_BLOBS");
    await jetStream.api("STREAM.UPDATE.OBJ_CR_BLOBS", { ...config, max_bytes: 10_000_000 });
    assert.deepEqual(await publishing, { type: "stored", sequence: 1 });
    const sent = (await rig.log.eventAt(1))?.envelope;
    assert.ok(sent && (await openEnvelope(jetStream, sent)).data.object);
  });
});

describe("opening an event", () => {
  const damages = [
    {
      name: "whose blob is gone",
      damage: (jetStream: JetStream) => jetStream.api("STREAM.PURGE.OBJ_CR_BLOBS"),
      problem: /blob .* is not in the bucket CR_BLOBS/,
    },
    {
      name: "whose bucket is gone",
      damage: (jetStream: JetStream) => jetStream.api("STREAM.DELETE.OBJ_CR_BLOBS"),
      problem: /is not in the bucket CR_BLOBS/,
    },
    {
      name: "of which a chunk is gone",
      damage: async (jetStream: JetStream) =>
        jetStream.api("STREAM.MSG.DELETE.OBJ_CR_BLOBS", { seq: (await chunkAt(jetStream, 3)).seq }),
      problem: /is broken: \d+ of \d+ bytes, 10 of 11 chunks/,
    },
    {
      name: "of which a chunk is another",
      damage: async (jetStream: JetStream) => {
        const { seq, subject } = await chunkAt(jetStream, 11);
        await jetStream.api("STREAM.MSG.DELETE.OBJ_CR_BLOBS", { seq });
        const size = JSON.stringify(parseEnvelope(created.payload).data);
        await jetStream.publish(subject, "x".repeat(Buffer.byteLength(size) % (128 * 1024)), {});
      },
      problem: /is broken: (\d+) of \1 bytes, 11 of 11 chunks, or another digest/,
    },
  ];
  for (const { name, damage, problem } of damages) {
    test(`${name} says so, and gives no part of it`, async (t) => {
      const rig = await startLargeRig(t);
      if (rig === undefined) return;
      await rig.sink.publish(ORDERS, created, 0, signal);
      await damage(rig.jetStream);
      const sent = (await rig.log.eventAt(1))?.envelope;
      assert.ok(sent);
      await assert.rejects(openEnvelope(rig.jetStream, sent), (error) => {
        assert.ok(error instanceof BlobLostError);
        assert.match(error.message, problem);
        return true;
      });
    });
  }

  test("whose data is elsewhere is none of ours", async (t) => {
    const rig = await startLargeRig(t);
    if (rig === undefined) return;
    const { data: _, ...attributes } = JSON.parse(created.payload) as { data: unknown };
    const sent = parseSent(JSON.stringify({ ...attributes, dataref: "https://example.com/data" }));
    await assert.rejects(openEnvelope(rig.jetStream, sent), MalformedEventError);
  });
});

test("a bucket with an age limit is refused: the log may name the oldest blob", async (t) => {
  const rig = await startLargeRig(t);
  if (rig === undefined) return;
  const { config } = await rig.jetStream.api<{ config: object }>("STREAM.INFO.OBJ_CR_BLOBS");
  await rig.jetStream.api("STREAM.UPDATE.OBJ_CR_BLOBS", { ...config, max_age: 3_600 * 1e9 });
  await assert.rejects(ensureStream(rig.jetStream, blobsStream(StreamSettings.parse({}))), /has max_age/);
  assert.deepEqual(await ensureStream(rig.jetStream, eventsStream(StreamSettings.parse({}))), []);
});
