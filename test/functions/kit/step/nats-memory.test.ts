/** The memory of steps on a real nats-server: who may run a step, what is kept, and what an outage does to it. */
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { createLogger } from "#contract";
import type { JetStream } from "../../../../bridge/nats/jetstream.ts";
import { RequestLostError, unlessMissing } from "../../../../bridge/nats/jetstream-error.ts";
import { PermanentError } from "../../../../functions/kit/outcome.ts";
import { createNatsMemory } from "../../../../functions/kit/step/nats-memory.ts";
import { createSteps } from "../../../../functions/kit/step/step.ts";
import type { StepLimits } from "../../../../functions/kit/step/step-limits.ts";
import { until } from "../../../kit/until.ts";
import { startRig } from "../delivery/rig.ts";
import { created } from "../event-factory.ts";

const QUICK: StepLimits = { renewMs: 20, silenceMs: 200, lookMs: 5 };
/** Nobody takes anything over. */
const PATIENT: StepLimits = { ...QUICK, silenceMs: 3_600_000 };
/** As a process that is stopped: it gives no sign of life. */
const MUTE: StepLimits = { ...QUICK, renewMs: 3_600_000 };

async function startScene(t: TestContext, options: Parameters<typeof startRig>[1] = {}) {
  const rig = await startRig(t, options);
  if (rig === undefined) return undefined;
  const { jetStream } = rig;
  return {
    ...rig,
    /** A try in a process of its own, as far as its memory is concerned. */
    try(limits: StepLimits, signal = new AbortController().signal, over: JetStream = jetStream) {
      const lines: string[] = [];
      const log = createLogger("test", "silent");
      const told = Object.assign(Object.create(log), {
        child: () => told,
        warn: (_: object, text?: string) => lines.push(text ?? String(_)),
      }) as typeof log;
      const memory = createNatsMemory(over, limits);
      const { step } = createSteps({ memory, subscription: "orders", eventId: "uid-1.7", log: told, signal });
      return { step, lines };
    },
    async record(key = "orders.uid-1_7.open") {
      const query = { last_by_subj: `$KV.CR_STEPS.${key}` };
      const asked = jetStream.api<{ message: { data?: string } }>("STREAM.MSG.GET.KV_CR_STEPS", query);
      const data = (await unlessMissing("message", asked))?.message.data;
      return data === undefined ? undefined : JSON.parse(Buffer.from(data, "base64").toString());
    },
    /** How often the key was written, as the sequence of the bucket. */
    writes: async () =>
      (await jetStream.api<{ state: { last_seq: number } }>("STREAM.INFO.KV_CR_STEPS")).state.last_seq,
  };
}

/** A connection whose answers to publishing get lost as long as `isLossy` says so: the message is stored. */
const losing = (jetStream: JetStream, isLossy: () => boolean): JetStream =>
  Object.create(jetStream, {
    publish: {
      async value(...args: Parameters<JetStream["publish"]>) {
        const ack = await jetStream.publish(...args);
        if (isLossy()) throw new RequestLostError("the connection broke");
        return ack;
      },
    },
  });

describe("a step's memory in NATS", () => {
  test("keeps a result for whoever comes next, in a bucket that is made when it is needed", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const { config } = await scene.jetStream.api<{ config: object }>("STREAM.INFO.CR_EVENTS");
    assert.ok(config);
    assert.deepEqual(await scene.try(PATIENT).step("open", () => ({ ticket: "T-1" })), { ticket: "T-1" });
    assert.deepEqual(await scene.try(PATIENT).step("open", () => ({ ticket: "T-2" })), { ticket: "T-1" });
    const { holder, ...record } = await scene.record();
    assert.deepEqual(record, { state: "done", result: { ticket: "T-1" } });
    assert.match(holder, /^[0-9a-f-]{36}\/1$/);
    const bucket = await scene.jetStream.api<{ config: { max_age: number } }>("STREAM.INFO.KV_CR_STEPS");
    assert.equal(bucket.config.max_age, 30 * 86_400e9);
  });

  test("of concurrent tries of two processes one runs, and both get its result", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const gate = Promise.withResolvers<string>();
    let runs = 0;
    const open = () => {
      runs++;
      return gate.promise;
    };
    const all = Array.from({ length: 8 }, () => scene.try(PATIENT).step("open", open));
    await until(() => runs > 0);
    const renewed = await scene.writes();
    await until(async () => (await scene.writes()) > renewed + 2, { what: "the claim is renewed" });
    gate.resolve("T-1");
    assert.deepEqual(
      await Promise.all(all),
      all.map(() => "T-1"),
    );
    assert.equal(runs, 1);
  });

  test("a holder that shows no sign of life is taken over, and does not record over the other's result", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const gate = Promise.withResolvers<string>();
    const mute = scene.try(MUTE);
    const first = mute.step("open", () => gate.promise);
    await until(async () => (await scene.record().catch(() => undefined))?.state === "running");
    const second = scene.try(QUICK);
    assert.equal(await second.step("open", () => "T-2"), "T-2");
    assert.match(second.lines.join(), /no sign of life: taken over/);
    gate.resolve("T-1");
    assert.equal(await first, "T-2");
    assert.match(mute.lines.join(), /not recorded over another's/);
    assert.equal((await scene.record()).result, "T-2");
  });

  test("a holder that lost its claim is told so", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    let reason: unknown;
    const first = scene.try({ ...QUICK, renewMs: 600 }).step(
      "open",
      ({ signal }) =>
        new Promise<string>((_, reject) =>
          signal.addEventListener("abort", () => {
            reason = signal.reason;
            reject(signal.reason);
          }),
        ),
    );
    first.catch(() => undefined);
    await until(async () => (await scene.record().catch(() => undefined))?.state === "running");
    assert.equal(await scene.try(QUICK).step("open", () => "T-2"), "T-2");
    await assert.rejects(first, /was taken over by another try/);
    assert.match(String(reason), /was taken over/);
    assert.equal((await scene.record()).result, "T-2");
  });

  test("a holder whose signal aborted is renewed no longer, but still records what it did in time", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const stop = new AbortController();
    const gate = Promise.withResolvers<string>();
    const late = scene.try(QUICK, stop.signal).step("open", () => gate.promise);
    await until(async () => (await scene.record().catch(() => undefined))?.state === "running");
    stop.abort(new Error("the time is up"));
    gate.resolve("T-1");
    assert.equal(await late, "T-1");
    assert.equal(await scene.try(QUICK).step("open", () => "T-2"), "T-1");
  });

  test("a failed step is free at once", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    await assert.rejects(
      scene.try(PATIENT).step("open", () => Promise.reject(new Error("no"))),
      /no/,
    );
    assert.equal(await scene.try(PATIENT).step("open", () => "T-1"), "T-1");
  });

  test("answers of NATS that get lost leave one claim and one result", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    let answers = 0;
    const lossy = losing(await scene.connect(), () => ++answers % 2 === 1);
    let runs = 0;
    const open = () => `T-${++runs}`;
    assert.equal(await scene.try(PATIENT, undefined, lossy).step("open", open), "T-1");
    assert.equal(await scene.try(PATIENT).step("open", open), "T-1");
  });

  test("NATS that is killed while a step runs does not cost its result", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const gate = Promise.withResolvers<string>();
    const first = scene.try(QUICK).step("open", () => gate.promise);
    await until(async () => (await scene.record().catch(() => undefined))?.state === "running");
    const waiting = scene.try(PATIENT).step("open", () => "T-2");
    await scene.nats.kill();
    gate.resolve("T-1");
    await scene.nats.restart();
    assert.equal(await first, "T-1");
    assert.equal(await waiting, "T-1");
  });

  test("NATS that stays away ends the step with the try's time, and says why", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const stop = new AbortController();
    const gate = Promise.withResolvers<string>();
    const tried = scene.try(QUICK, stop.signal);
    const first = tried.step("open", () => gate.promise);
    await until(async () => (await scene.record().catch(() => undefined))?.state === "running");
    await scene.nats.kill();
    gate.resolve("T-1");
    await until(() => tried.lines.length > 0);
    stop.abort(new Error("the time is up"));
    await assert.rejects(first, /step "open": NATS did not take it in time/);
    await scene.nats.restart();
  });

  test("a bucket that was wiped under a step takes its result all the same; steps of before run again", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    await scene.try(PATIENT).step("before", () => "B-1");
    const gate = Promise.withResolvers<string>();
    const first = scene.try({ ...PATIENT, renewMs: 3_600_000 }).step("open", () => gate.promise);
    await until(async () => (await scene.record().catch(() => undefined))?.state === "running");
    await scene.jetStream.api("STREAM.DELETE.KV_CR_STEPS");
    gate.resolve("T-1");
    assert.equal(await first, "T-1");
    assert.equal(await scene.try(PATIENT).step("open", () => "T-2"), "T-1");
    assert.equal(await scene.try(PATIENT).step("before", () => "B-2"), "B-2");
  });

  test("a result that this NATS takes in no message is told, and the effect is not repeated", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const small: JetStream = Object.create(scene.jetStream, { payloadBytesMax: { value: 2_000 } });
    let effects = 0;
    const open = () => {
      effects++;
      return "x".repeat(2_000);
    };
    for (let tried = 0; tried < 2; tried++)
      await assert.rejects(
        scene.try(PATIENT, undefined, small).step("open", open),
        (error: Error) => error instanceof PermanentError && /more than this NATS takes/.test(error.message),
      );
    assert.equal(effects, 1);
  });

  test("a key that somebody wrote by hand is told, with the command to look at it", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    await scene.try(PATIENT).step("other", () => 1);
    await scene.jetStream.publish("$KV.CR_STEPS.orders.uid-1_7.open", "by hand", {});
    const run = scene.try(PATIENT).step("open", () => 1);
    await assert.rejects(run, /nats kv get CR_STEPS orders\.uid-1_7\.open/);
  });
});

describe("a function without steps", () => {
  test("makes no bucket, and asks NATS for none", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const calls: string[] = [];
    const watched: JetStream = Object.create(scene.jetStream, {
      api: {
        value: (call: string, body?: unknown) => {
          calls.push(call);
          return scene.jetStream.api(call, body);
        },
      },
    });
    await scene.publish(created({}));
    const running = scene.start(async () => undefined, { jetStream: watched });
    await until(() => running.status().done === 1);
    assert.deepEqual(
      calls.filter((call) => call.includes("CR_STEPS")),
      [],
    );
  });
});
