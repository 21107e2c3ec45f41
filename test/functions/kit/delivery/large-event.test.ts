import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { openEventLog } from "../../../../bridge/log/event-log.ts";
import type { JetStream } from "../../../../bridge/nats/jetstream.ts";
import { blobsStream, ensureStream, StreamSettings } from "../../../../bridge/nats/stream.ts";
import type { FunctionContext } from "../../../../functions/kit/define.ts";
import { eventAbout, filler, keyOf, largeObject } from "../../../bridge/large-event.ts";
import { until } from "../../../kit/until.ts";
import { startRig } from "./rig.ts";

const created = eventAbout("created", largeObject("1", filler(1_400_000, "one")));
const updated = eventAbout("updated", largeObject("2", filler(1_400_000, "two")), created.after);
const KEY = keyOf(created);

async function rig(t: TestContext) {
  const started = await startRig(t);
  if (started === undefined) return undefined;
  const { jetStream } = started;
  await ensureStream(jetStream, blobsStream(StreamSettings.parse({})));
  const log = openEventLog(jetStream);
  await log.append(KEY, created, 0);
  await log.append(KEY, updated, 1);
  const letters = async () =>
    (await jetStream.api<{ state: { messages: number } }>("STREAM.INFO.CR_DEAD_LETTERS").catch(() => undefined))?.state
      .messages ?? 0;
  const letter = () =>
    jetStream.api<{ message: { data?: string; hdrs: string } }>("STREAM.MSG.GET.CR_DEAD_LETTERS", { seq: 1 });
  return { ...started, letters, letter };
}

/** A connection on which `fail` hears of each call first. */
const failing = (jetStream: JetStream, fail: (call: string) => void): JetStream => ({
  ...jetStream,
  connected: true,
  payloadBytesMax: jetStream.payloadBytesMax,
  async api<T>(call: string, body?: unknown) {
    fail(call);
    return await jetStream.api<T>(call, body);
  },
});

describe("an event whose data is in the object store", () => {
  test("is for a function like any other: the filter sees its fields, and it gets object, before and change", async (t) => {
    const started = await rig(t);
    if (started === undefined) return;
    const seen: FunctionContext<unknown>[] = [];
    started.start(
      async (context) => {
        seen.push(context);
      },
      { when: { field: { path: "spec.text" } } },
    );
    await until(() => seen.length === 1);
    const [{ event, object, before, change } = assert.fail()] = seen;
    assert.equal(event.id, "uid-orders.2");
    assert.equal(event["dataref"], undefined);
    assert.deepEqual(object["spec"], updated.after.object["spec"]);
    assert.deepEqual(before?.["spec"], created.after.object["spec"]);
    assert.equal(change.patch?.length, 1);
  });

  test("that cannot be fetched is tried again, and then handled", async (t) => {
    const started = await rig(t);
    if (started === undefined) return;
    let failures = 0;
    const jetStream = failing(await started.connect(), (call) => {
      if (call.includes("OBJ_CR_BLOBS") && failures++ < 2) throw new Error("the disk is on fire");
    });
    const seen: string[] = [];
    const run = started.start(
      async ({ event }) => {
        seen.push(event.id);
      },
      { jetStream, attempts: 4 },
    );
    await until(() => seen.length === 2);
    assert.deepEqual(seen, ["uid-orders.1", "uid-orders.2"]);
    assert.equal(run.status().retried, 2);
    assert.equal(await started.letters(), 0);
  });

  test("that is lost becomes a dead letter that says so, fits, and keeps its attributes", async (t) => {
    const started = await rig(t);
    if (started === undefined) return;
    await started.jetStream.api("STREAM.PURGE.OBJ_CR_BLOBS", { filter: "$O.CR_BLOBS.C.>" });
    let calls = 0;
    started.start(
      async () => {
        calls++;
      },
      { attempts: 2 },
    );
    await until(async () => (await started.letters()) === 2);
    assert.equal(calls, 0);
    const { message } = await started.letter();
    assert.match(Buffer.from(message.hdrs, "base64").toString(), /Cr-Reason: blob .* is broken: 0 of \d+ bytes/);
    assert.match(Buffer.from(message.hdrs, "base64").toString(), /Cr-Attempts: 2\r/);
    const kept = JSON.parse(Buffer.from(message.data ?? "", "base64").toString());
    assert.equal(kept.id, "uid-orders.1");
    assert.match(kept.dataref, /^nats:\/CR_BLOBS\//);
  });

  test("is fetched when NATS is back: that it was away is no try", async (t) => {
    const started = await rig(t);
    if (started === undefined) return;
    const { nats } = started;
    const connection = await started.connect();
    let killed: Promise<unknown> | undefined;
    const jetStream: JetStream = Object.defineProperty(
      failing(connection, (call) => {
        if (call.startsWith("STREAM.MSG.GET.OBJ_CR_BLOBS")) killed ??= nats.kill().then(() => nats.restart());
      }),
      "connected",
      { get: () => connection.connected },
    );
    const seen: string[] = [];
    const run = started.start(
      async ({ event }) => {
        seen.push(event.id);
      },
      { jetStream, attempts: 1, limits: { ackWaitMs: 30_000 } },
    );
    await until(() => seen.includes("uid-orders.2"), { waitMsMax: 60_000 });
    assert.ok(killed);
    assert.equal(run.status().deadLetters, 0);
  });
});
