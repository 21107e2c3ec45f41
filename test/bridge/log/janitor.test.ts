import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { until } from "../../kit/until.ts";
import { AT_ONCE_DAYS, keyOf, NEVER_MS, openScene } from "../janitor-scene.ts";

/** `a` was created, changed and deleted; `b` lives; both are behind the checkpoint. */
async function withDeleted(t: TestContext) {
  const scene = await openScene(t);
  if (scene === undefined) return undefined;
  await scene.change("added", "a");
  await scene.change("modified", "a");
  await scene.change("added", "b");
  await scene.change("modified", "b");
  await scene.change("deleted", "a");
  await scene.idle();
  return scene;
}

const OFTEN = { sweepEveryMs: 30 };

describe("an object that was deleted some days ago", () => {
  test("leaves the log in two steps: what is before its deletion, and later the deletion; who lives keeps all", async (t) => {
    const scene = await withDeleted(t);
    if (scene === undefined) return;
    await scene.moveOn();
    const stop = scene.start(AT_ONCE_DAYS, { ...OFTEN, settleMs: NEVER_MS });
    await scene.untilTexts("a", "deleted 5");
    await scene.afterSweeps();
    assert.deepEqual(await scene.texts("a"), ["deleted 5"], "the second step waits");
    stop();
    scene.start(AT_ONCE_DAYS, { ...OFTEN, settleMs: 0 });
    await scene.untilTexts("a");
    await until(() => scene.store.get(keyOf("a")) === undefined);
    assert.deepEqual(await scene.texts("b"), ["created 3", "updated 4"]);
    assert.match(
      (await scene.metrics.expose()).text,
      /cr_reactor_events_trimmed_total\{resource="databases\.demo\.example\.com",reason="deleted"\} 3/,
    );
  });

  const stays: readonly {
    name: string;
    deletedDays?: number;
    prepare: (scene: NonNullable<Awaited<ReturnType<typeof openScene>>>) => Promise<unknown>;
    release?: (scene: NonNullable<Awaited<ReturnType<typeof openScene>>>) => Promise<unknown>;
  }[] = [
    { name: "it was not that long ago", deletedDays: 7, prepare: (scene) => scene.moveOn() },
    {
      name: "a subscription has not read its deletion",
      prepare: async (scene) => {
        await scene.moveOn();
        await scene.subscribe("slow", "cr.>");
      },
      release: (scene) => scene.readAll("slow"),
    },
    {
      name: "its deletion is the witness of the next start",
      prepare: (scene) => scene.save(),
      release: (scene) => scene.moveOn(),
    },
    {
      name: "the watch would be resumed before its deletion",
      prepare: async (scene) => {
        await scene.moveOn();
        await scene.save("4");
      },
      release: (scene) => scene.save(),
    },
    { name: "there is no checkpoint yet", prepare: async () => undefined, release: (scene) => scene.moveOn() },
  ];
  for (const { name, deletedDays = AT_ONCE_DAYS, prepare, release } of stays) {
    test(`stays as long as ${name}`, async (t) => {
      const scene = await withDeleted(t);
      if (scene === undefined) return;
      await prepare(scene);
      scene.start(deletedDays, { ...OFTEN, settleMs: 0 });
      await scene.afterSweeps();
      assert.deepEqual(await scene.texts("a"), ["created 1", "updated 2", "deleted 5"]);
      await release?.(scene);
      if (release !== undefined) await scene.untilTexts("a");
    });
  }

  test("is not held by a subscription that waits for something rare, nor by one that is not durable", async (t) => {
    const scene = await withDeleted(t);
    if (scene === undefined) return;
    await scene.moveOn();
    await scene.subscribe("rare", "cr.*.*.*.*.*.*.*.*.Exploded.*");
    await scene.jetStream.api("CONSUMER.CREATE.CR_EVENTS.passing", {
      stream_name: "CR_EVENTS",
      config: { name: "passing", ack_policy: "explicit", inactive_threshold: 60e9 },
    });
    scene.start(AT_ONCE_DAYS, { ...OFTEN, settleMs: 0 });
    await scene.untilTexts("a");
  });

  test("and is created again while it is removed: its creation stays, told once", async (t) => {
    const scene = await openScene(t);
    if (scene === undefined) return;
    const names = Array.from({ length: 200 }, (_, i) => `db-${i}`);
    for (const type of ["added", "deleted"] as const) for (const name of names) await scene.change(type, name);
    await scene.moveOn();
    scene.start(AT_ONCE_DAYS, { sweepEveryMs: 1, settleMs: 0 });
    await until(async () => (await scene.texts("db-0")).length === 0 || (await scene.texts("db-100")).length < 2);
    for (const name of names) await scene.change("added", name, `second-${name}`);
    await scene.idle();
    await scene.save();
    await scene.afterSweeps();
    for (const name of names) {
      const texts = await scene.texts(name);
      const created = texts.filter((text) => text.startsWith("created"));
      assert.equal(created.filter((text) => Number(text.split(" ")[1]) > 401).length, 1, `${name}: ${created}`);
    }
  });
});

describe("a purge that a killed NATS forgot", () => {
  const rows = [
    {
      name: "after the first step",
      settleMs: NEVER_MS,
      left: ["deleted 5"],
      undone: ["created 1", "updated 2", "deleted 5"],
    },
    { name: "after the second step", settleMs: 0, left: [], undone: ["deleted 5"] },
  ];
  for (const { name, settleMs, left, undone } of rows) {
    for (const restarts of [false, true]) {
      test(`${name}${restarts ? ", with a new start" : ""}, tells no deletion again, and a new creation once`, async (t) => {
        const scene = await withDeleted(t);
        if (scene === undefined) return;
        await scene.moveOn();
        if (settleMs === 0) {
          const stopFirst = scene.start(AT_ONCE_DAYS, OFTEN);
          await scene.untilTexts("a", "deleted 5");
          stopFirst();
        }
        await scene.copyStore("copy");
        const stop = scene.start(AT_ONCE_DAYS, { ...OFTEN, settleMs });
        await scene.untilTexts("a", ...left);
        if (settleMs === 0) await until(() => scene.store.get(keyOf("a")) === undefined);
        stop();
        await scene.restoreStore("copy");
        assert.deepEqual(await scene.texts("a"), undone);
        if (restarts) await scene.startOver();
        await scene.change("added", "a", "second-a");
        await scene.idle();
        assert.deepEqual(await scene.texts("a"), [...undone, `created ${scene.version}`]);
      });
    }
  }

  test("by kill -9 right after it: whatever it kept, an object has its deletion or nothing at all", async (t) => {
    const scene = await openScene(t);
    if (scene === undefined) return;
    const names = Array.from({ length: 300 }, (_, i) => `db-${i}`);
    for (const type of ["added", "modified", "deleted"] as const)
      for (const name of names) await scene.change(type, name);
    await scene.moveOn();
    const stop = scene.start(AT_ONCE_DAYS, { sweepEveryMs: 10 });
    const last = names.at(-1) ?? "";
    await until(async () => (await scene.texts(last)).length === 1);
    stop();
    await scene.whileDown(() => undefined, "SIGKILL");
    await scene.startOver();
    for (const name of names) {
      assert.match((await scene.texts(name)).at(-1) ?? "", /deleted/, name);
      await scene.change("added", name, `second-${name}`);
    }
    await scene.idle();
    for (const name of names) {
      const texts = await scene.texts(name);
      assert.equal(texts.filter((text) => text.startsWith("deleted")).length, 1, `${name}: ${texts}`);
      assert.equal(texts.filter((text) => text.startsWith("created")).length >= 1, true);
      assert.match(texts.at(-1) ?? "", /created/);
    }
  });
});
