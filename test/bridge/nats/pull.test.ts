import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { connectJetStream } from "../../../bridge/nats/jetstream.ts";
import { RequestLostError } from "../../../bridge/nats/jetstream-error.ts";
import { ConsumerGoneError, type Delivered, pull } from "../../../bridge/nats/pull.ts";
import { follow, read } from "../../../bridge/nats/reader.ts";
import { ensureStream, eventsStream, StreamSettings } from "../../../bridge/nats/stream.ts";
import { needNats } from "../../kit/shared-kube.ts";
import { until } from "../../kit/until.ts";

const CONSUMER = { name: "c", durable_name: "c", ack_policy: "explicit", ack_wait: 30e9, max_ack_pending: -1 };

async function rig(t: TestContext) {
  const nats = await needNats(t);
  if (nats === undefined) return undefined;
  const jetStream = await connectJetStream({ servers: [nats.url] }, "t");
  t.after(() => jetStream.close());
  await ensureStream(jetStream, eventsStream(StreamSettings.parse({})));
  const stop = new AbortController();
  t.after(() => stop.abort());
  return {
    nats,
    jetStream,
    stop,
    publish: (count: number, from = 0) =>
      Promise.all(
        Array.from({ length: count }, (_, i) =>
          jetStream.publish(`cr.c.g.K.ns.n${from + i}.created._._._.00`, String(from + i), {}),
        ),
      ),
    createConsumer: () => jetStream.api("CONSUMER.CREATE.CR_EVENTS.c", { stream_name: "CR_EVENTS", config: CONSUMER }),
  };
}

const text = ({ message }: Delivered) => Buffer.from(message.data).toString();

describe("pulling messages", () => {
  test("gives each once and in order, many more than are asked for at a time, with what the server knows of it", async (t) => {
    const { jetStream, stop, publish, createConsumer } = (await rig(t)) ?? {};
    if (!jetStream || !stop || !publish || !createConsumer) return;
    await publish(100);
    await createConsumer();
    const seen: Delivered[] = [];
    for await (const delivered of pull(jetStream, {
      stream: "CR_EVENTS",
      consumer: "c",
      demandMax: 7,
      signal: stop.signal,
    })) {
      seen.push(delivered);
      if (delivered.pendingCount === 0) break;
    }
    assert.deepEqual(
      seen.map(text),
      Array.from({ length: 100 }, (_, i) => String(i)),
    );
    assert.deepEqual(
      [seen[41]?.streamSequence, seen[41]?.consumerSequence, seen[41]?.deliveryCount, seen[41]?.pendingCount],
      [42, 42, 1, 58],
    );
  });

  test("asks for no more than is wanted: a reader that stops leaves the rest with the server", async (t) => {
    const { jetStream, stop, publish, createConsumer } = (await rig(t)) ?? {};
    if (!jetStream || !stop || !publish || !createConsumer) return;
    await publish(100);
    await createConsumer();
    for await (const _ of pull(jetStream, { stream: "CR_EVENTS", consumer: "c", demandMax: 5, signal: stop.signal }))
      break;
    const { num_pending, num_ack_pending } = await jetStream.api<{ num_pending: number; num_ack_pending: number }>(
      "CONSUMER.INFO.CR_EVENTS.c",
    );
    assert.ok(num_ack_pending <= 5, "it may have left before the server had given it all five");
    assert.equal(num_pending + num_ack_pending, 100);
  });

  test("goes on by itself after NATS was killed and came back", async (t) => {
    const { nats, jetStream, stop, publish, createConsumer } = (await rig(t)) ?? {};
    if (!nats || !jetStream || !stop || !publish || !createConsumer) return;
    await createConsumer();
    const seen: string[] = [];
    const pulling = (async () => {
      for await (const delivered of pull(jetStream, { stream: "CR_EVENTS", consumer: "c", signal: stop.signal })) {
        seen.push(text(delivered));
        await jetStream.request(delivered.ackSubject, "+ACK");
      }
    })();
    await publish(3);
    await until(() => seen.length === 3);
    await nats.kill();
    await nats.restart();
    await jetStream.whenConnected(AbortSignal.timeout(60_000));
    await publish(3, 3);
    await until(() => seen.length >= 6);
    stop.abort();
    await pulling;
    assert.deepEqual([...new Set(seen)], ["0", "1", "2", "3", "4", "5"]);
  });

  test("says so when its connection is closed for good, instead of waiting for ever", async (t) => {
    const { jetStream, stop, createConsumer } = (await rig(t)) ?? {};
    if (!jetStream || !stop || !createConsumer) return;
    await createConsumer();
    const first = pull(jetStream, { stream: "CR_EVENTS", consumer: "c", signal: stop.signal }).next();
    await jetStream.close();
    await assert.rejects(first, RequestLostError);
    const timers = () => process.getActiveResourcesInfo().filter((each) => each === "Timeout").length;
    const before = timers();
    await assert.rejects(pull(jetStream, { stream: "CR_EVENTS", consumer: "c", signal: stop.signal }).next());
    assert.equal(timers(), before, "nothing is left that would keep a process");
  });

  test("says so when its consumer is deleted, instead of waiting for ever", async (t) => {
    const { jetStream, stop, publish, createConsumer } = (await rig(t)) ?? {};
    if (!jetStream || !stop || !publish || !createConsumer) return;
    await createConsumer();
    const pulling = assert.rejects(async () => {
      for await (const _ of pull(jetStream, { stream: "CR_EVENTS", consumer: "c", signal: stop.signal })) {
        await jetStream.api("CONSUMER.DELETE.CR_EVENTS.c");
      }
    }, ConsumerGoneError);
    await publish(1);
    await pulling;
  });

  test("ends when it is told to stop, also while nothing comes", async (t) => {
    const { jetStream, stop, createConsumer } = (await rig(t)) ?? {};
    if (!jetStream || !stop || !createConsumer) return;
    await createConsumer();
    const pulling = Array.fromAsync(pull(jetStream, { stream: "CR_EVENTS", consumer: "c", signal: stop.signal }));
    stop.abort();
    assert.deepEqual(await pulling, []);
  });
});

describe("reading the log as it is", () => {
  test("ends when what was left of it is purged meanwhile", async (t) => {
    const { jetStream, stop, publish } = (await rig(t)) ?? {};
    if (!jetStream || !stop || !publish) return;
    await publish(2_000); // more than is asked for at once
    const seen: string[] = [];
    const reading = { filter_subjects: ["cr.>"], deliver_policy: "all" } as const;
    for await (const delivered of read(jetStream, reading, stop.signal, false)) {
      if (seen.push(text(delivered)) === 1) await jetStream.api("STREAM.PURGE.CR_EVENTS");
    }
    assert.ok(seen.length < 2_000, "the purge came before the end");
  });
});

describe("following the log", () => {
  test("misses nothing and repeats nothing when NATS is killed in the middle", async (t) => {
    const { nats, jetStream, stop, publish } = (await rig(t)) ?? {};
    if (!nats || !jetStream || !stop || !publish) return;
    const seen: string[] = [];
    const following = (async () => {
      for await (const delivered of follow(
        jetStream,
        { filter_subjects: ["cr.>"], deliver_policy: "all" },
        stop.signal,
      ))
        seen.push(text(delivered));
    })();
    await publish(50);
    await until(() => seen.length === 50);
    await nats.kill();
    await nats.restart();
    await jetStream.whenConnected(AbortSignal.timeout(60_000));
    await publish(50, 50);
    await until(() => seen.length >= 100);
    stop.abort();
    await following;
    assert.deepEqual(
      seen,
      Array.from({ length: 100 }, (_, i) => String(i)),
    );
  });
});
