import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { deadLettersStream } from "../../../bridge/nats/function-stream.ts";
import { connectJetStream } from "../../../bridge/nats/jetstream.ts";
import { JetStreamApiError } from "../../../bridge/nats/jetstream-error.ts";
import {
  checkpointsStream,
  ensureStream,
  eventsStream,
  StreamMismatchError,
  StreamSettings,
} from "../../../bridge/nats/stream.ts";
import { needNats } from "../../kit/shared-kube.ts";

const settings = StreamSettings.parse({});

async function connected(t: Parameters<typeof needNats>[0]) {
  const nats = await needNats(t);
  if (nats === undefined) return undefined;
  const jetStream = await connectJetStream({ servers: [nats.url] }, "t");
  t.after(() => jetStream.close());
  return jetStream;
}

describe("the streams", () => {
  test("are created, and found unchanged by the next start", async (t) => {
    const jetStream = await connected(t);
    if (jetStream === undefined) return;
    for (const definition of [eventsStream(settings), deadLettersStream(settings), checkpointsStream(settings)]) {
      assert.deepEqual(await ensureStream(jetStream, definition), []);
      assert.deepEqual(await ensureStream(jetStream, definition), []);
    }
  });

  test("are created once by processes that start together", async (t) => {
    const jetStream = await connected(t);
    if (jetStream === undefined) return;
    const remarks = await Promise.all(Array.from({ length: 5 }, () => ensureStream(jetStream, eventsStream(settings))));
    assert.deepEqual(remarks.flat(), []);
  });

  test("that are there with other limits are told about, and left alone", async (t) => {
    const jetStream = await connected(t);
    if (jetStream === undefined) return;
    await ensureStream(jetStream, eventsStream(settings));
    const remarks = await ensureStream(jetStream, eventsStream({ ...settings, eventsBytesMax: 1_000_000 }));
    assert.equal(remarks.length, 1);
    assert.match(
      remarks[0] ?? "",
      /CR_EVENTS has max_bytes 4294967296, the configuration says 1000000.*nats stream edit/,
    );
    const { config } = await jetStream.api<{ config: { max_bytes: number } }>("STREAM.INFO.CR_EVENTS");
    assert.equal(config.max_bytes, 4 * 1024 ** 3);
  });

  const unsafe = [
    {
      name: "an age limit, after which a replay would be accepted",
      change: { max_age: 3_600 * 1e9 },
      field: /max_age/,
    },
    { name: "discarding what is old", change: { discard: "old" }, field: /discard/ },
    { name: "a limit on the number of messages", change: { max_msgs: 10 }, field: /max_msgs/ },
    { name: "subjects of somebody else", change: { subjects: ["cr.*.*.>"] }, field: /subjects/ },
  ];
  for (const { name, change, field } of unsafe) {
    test(`with ${name} are refused: a guarantee would not hold`, async (t) => {
      const jetStream = await connected(t);
      if (jetStream === undefined) return;
      const definition = eventsStream(settings);
      await jetStream.api("STREAM.CREATE.CR_EVENTS", { ...definition.config, duplicate_window: 1e9, ...change });
      await assert.rejects(
        ensureStream(jetStream, definition),
        (error) => error instanceof StreamMismatchError && field.test(error.message),
      );
    });
  }

  test("that another stream's subjects stand in the way of cannot be created, and the server says why", async (t) => {
    const jetStream = await connected(t);
    if (jetStream === undefined) return;
    await jetStream.api("STREAM.CREATE.OTHER", { name: "OTHER", subjects: ["cr.>"], storage: "memory" });
    await assert.rejects(
      ensureStream(jetStream, eventsStream(settings)),
      (error) => error instanceof JetStreamApiError && /overlap/.test(error.message),
    );
  });
});
