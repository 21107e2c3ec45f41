/**
 * Functions that sleep are woken when, and only when, there is something for them: what KEDA's scaler asks a real nats-server, and what it
 * makes of the answer. It has no processes while the lag is 0, and one as soon as it is more.
 * Source: KEDA, pkg/scalers/nats_jetstream_scaler.go: `/jsz?acc=…&consumers=true&config=true`, lag = num_pending + num_ack_pending, active
 * above activationLagThreshold; a missing consumer is an error, and with an error nothing is scaled down.
 */
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { z } from "zod";
import { unlessMissing } from "../../bridge/nats/jetstream-error.ts";
import { type Rig, startRig, until } from "../functions/kit/delivery/rig.ts";
import { created, updated } from "../functions/kit/event-factory.ts";

const Consumer = z.object({ name: z.string(), num_pending: z.int(), num_ack_pending: z.int() });
const Answer = z.object({
  account_details: z.array(
    z.object({
      name: z.string(),
      stream_detail: z
        .array(z.object({ name: z.string(), consumer_detail: z.array(Consumer).default([]) }))
        .default([]),
    }),
  ),
});
/** Without accounts in its configuration nats-server has this one. */
const ACCOUNT = "$G";

/** As the scaler computes it; `missing` is its error. */
async function lagOf({ nats }: Rig, consumer: string, streamName = "CR_EVENTS"): Promise<number | "missing"> {
  const query = new URLSearchParams({ acc: ACCOUNT, consumers: "true", config: "true" });
  const { account_details } = Answer.parse(await (await fetch(`${nats.monitorUrl}/jsz?${query}`)).json());
  const streams = account_details.filter(({ name }) => name === ACCOUNT).flatMap(({ stream_detail }) => stream_detail);
  const stream = streams.find(({ name }) => name === streamName);
  const found = stream?.consumer_detail.find(({ name }) => name === consumer);
  return found === undefined ? "missing" : found.num_pending + found.num_ack_pending;
}

const FAILED = { when: { phase: { to: "Failed" } } };
const SCALED = { when: { field: { path: "spec.replicas" } } };
const failing = (name: string) => updated({ name, phase: "Running" }, { name, phase: "Failed" });
const scaling = (name: string) => updated({ name, spec: { replicas: 1 } }, { name, spec: { replicas: 2 } });

/** Its consumers are made, and nobody runs it any more. */
async function fallenAsleep(t: TestContext, more: Parameters<Rig["start"]>[1] = FAILED) {
  const rig = await startRig(t);
  if (rig === undefined) return undefined;
  const seen: string[] = [];
  const start = (options = more) =>
    rig.start(async ({ object }) => {
      seen.push(object.metadata.name);
    }, options);
  const first = start();
  await until(() => first.status().state === "running");
  await first.stop();
  return { rig, seen, start };
}

describe("a subscription without processes", () => {
  test("has no lag while nothing matches, and one as soon as something does; woken, it is done with it", async (t) => {
    const asleep = await fallenAsleep(t);
    if (asleep === undefined) return;
    const { rig, seen, start } = asleep;
    await rig.publish(scaling("a"), created({ name: "b", phase: "Running" }));
    assert.equal(await lagOf(rig, "cr-test"), 0);
    await rig.publish(failing("c"));
    await until(async () => (await lagOf(rig, "cr-test")) === 1);
    const woken = start();
    await until(async () => (await lagOf(rig, "cr-test")) === 0);
    assert.deepEqual(seen, ["c"]);
    await woken.stop();
    await rig.publish(failing("d"));
    await until(async () => (await lagOf(rig, "cr-test")) === 1);
  });

  test("keeps its consumer for as long as it sleeps, also when NATS starts again", async (t) => {
    const asleep = await fallenAsleep(t);
    if (asleep === undefined) return;
    const { rig } = asleep;
    assert.equal((await rig.consumer()).config["inactive_threshold"] ?? 0, 0);
    assert.equal((await rig.consumer()).config["durable_name"], "cr-test");
    await rig.nats.kill();
    await rig.nats.restart();
    assert.equal(await lagOf(rig, "cr-test"), 0);
    await until(() => rig.jetStream.connected);
    await rig.publish(failing("a"));
    await until(async () => (await lagOf(rig, "cr-test")) === 1);
  });

  test("is not put to sleep while a try waits, and is woken for what a killed process had in hand", async (t) => {
    const rig = await startRig(t);
    if (rig === undefined) return;
    let tries = 0;
    const run = async () => {
      tries++;
      throw new Error("the receiver is away");
    };
    const limits = { retry: { firstMs: 600_000, maxMs: 600_000, resetAfterMs: 600_000 } };
    const running = rig.start(run, { ...FAILED, limits });
    await until(() => running.status().state === "running");
    await rig.publish(failing("a"));
    await until(() => tries === 1);
    await until(async () => (await lagOf(rig, "cr-test")) === 1);
    await running.stop();
    await until(async () => (await lagOf(rig, "cr-test")) === 1);
    const woken = rig.start(async () => {}, FAILED);
    await until(async () => (await lagOf(rig, "cr-test")) === 0);
    await woken.stop();
  });

  test("is woken by its filter of before until a process has read the edit, and by the new one from then on", async (t) => {
    const asleep = await fallenAsleep(t);
    if (asleep === undefined) return;
    const { rig, seen, start } = asleep;
    await rig.publish(scaling("too early"));
    assert.equal(await lagOf(rig, "cr-test"), 0);
    // What KEDA's cron trigger does.
    const looking = start(SCALED);
    await until(async () => {
      const found = await unlessMissing("consumer", rig.consumer()); // an edit makes another one in its place
      const { "cr-generation": generation } = (found?.config["metadata"] ?? {}) as Readonly<Record<string, string>>;
      return generation === "2" && looking.status().state === "running";
    });
    await looking.stop();
    await rig.publish(failing("a"));
    assert.equal(await lagOf(rig, "cr-test"), 0);
    await rig.publish(scaling("b"));
    await until(async () => (await lagOf(rig, "cr-test")) === 1);
    const woken = start(SCALED);
    await until(async () => (await lagOf(rig, "cr-test")) === 0);
    assert.deepEqual(seen, ["b"]);
    await woken.stop();
  });

  for (const { waits, more } of [
    { waits: "for", more: { for: "2s" } },
    { waits: "debounce", more: { debounce: "2s" } },
    { waits: "batch", more: { batch: { window: "2s" }, batches: true } },
  ] as const) {
    test(`with ${waits} is woken when what it waits for is due`, async (t) => {
      const asleep = await fallenAsleep(t, { ...FAILED, ...more });
      if (asleep === undefined) return;
      const { rig, seen, start } = asleep;
      assert.equal(await lagOf(rig, "cr-test", "CR_TIMERS"), 0);
      await rig.publish(failing("a"));
      // However slow this machine is, it does not carry out what is due meanwhile.
      const limits = { retry: { firstMs: 600_000, maxMs: 600_000, resetAfterMs: 600_000 } };
      const refuse = async () => {
        throw new Error("not yet");
      };
      const noting = rig.start(refuse, { ...FAILED, ...more, limits });
      await until(async () => (await lagOf(rig, "cr-test")) === 0);
      await noting.stop();
      await until(async () => (await lagOf(rig, "cr-test", "CR_TIMERS")) === 1);
      assert.deepEqual([await lagOf(rig, "cr-test"), seen], [0, []]);
      const woken = start();
      await until(async () => (await lagOf(rig, "cr-test", "CR_TIMERS")) === 0);
      assert.deepEqual(seen, ["a"]);
      await woken.stop();
    });
  }

  test("with partitions has the lag of each in its own consumer, and under the old name nothing", async (t) => {
    const asleep = await fallenAsleep(t, { ...FAILED, partitions: 2 });
    if (asleep === undefined) return;
    const { rig } = asleep;
    assert.equal(await lagOf(rig, "cr-test"), "missing");
    await rig.publish(...["a", "b", "c", "d", "e", "f", "g", "h"].map(failing));
    let lags: readonly (number | "missing")[] = [];
    await until(async () => {
      lags = await Promise.all(["cr-test_0of2", "cr-test_1of2"].map((name) => lagOf(rig, name)));
      return Number(lags[0]) + Number(lags[1]) === 8;
    });
    assert.ok(lags.every((lag) => Number(lag) > 0));
  });
});
