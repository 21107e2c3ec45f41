import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { until } from "../../kit/until.ts";
import { keyOf, openScene } from "../janitor-scene.ts";

type Scene = NonNullable<Awaited<ReturnType<typeof openScene>>>;

const OFTEN = { lookEveryMs: 30 };
const NEVER_DAYS = 365;
const KILOBYTE = "x".repeat(1_000);
const settings = { eventsPerSubjectMax: 100_000 };

async function fill(scene: Scene) {
  const { config, state } = await scene.jetStream.api<{ config: object; state: { bytes: number; messages: number } }>(
    "STREAM.INFO.CR_EVENTS",
  );
  return { config, ...state };
}

/** Sets the log's limit so that it is as full as this. */
async function limitTo(scene: Scene, percent: number) {
  const { config, bytes } = await fill(scene);
  const max_bytes = Math.ceil((100 * bytes) / percent);
  await scene.jetStream.api("STREAM.UPDATE.CR_EVENTS", { ...config, max_bytes });
  return max_bytes;
}

/** Quiet objects, and one with many changes after its creation. */
async function withHotObject(t: TestContext, quiet: readonly string[], changes: number) {
  const scene = await openScene(t, settings);
  if (scene === undefined) return undefined;
  for (const type of ["added", "modified"] as const)
    for (const name of quiet) await scene.change(type, name, undefined, KILOBYTE);
  await scene.change("added", "hot", undefined, KILOBYTE);
  for (let i = 0; i < changes; i++) {
    await scene.change("modified", "hot", undefined, KILOBYTE);
    await scene.idle();
  }
  await scene.moveOn();
  return scene;
}

const warnings = (scene: Scene) => scene.lines.filter(({ msg }) => String(msg).includes("% full"));

describe("a log that is nearly full", () => {
  test("loses the older events of a hot object, and none of 2,000 quiet ones beside it", async (t) => {
    const quiet = Array.from({ length: 2_000 }, (_, i) => `quiet-${i}`);
    const scene = await withHotObject(t, quiet, 2_000);
    if (scene === undefined) return;
    const bytesMax = await limitTo(scene, 85);
    scene.start(NEVER_DAYS, OFTEN);
    await until(async () => (await fill(scene)).bytes <= 0.7 * bytesMax);
    await scene.afterSweeps();
    const index = await scene.jetStream.api<{ state: { subjects: Record<string, number> } }>("STREAM.INFO.CR_EVENTS", {
      subjects_filter: "cr.>",
    });
    const counts = Object.entries(index.state.subjects).filter(([subject]) => subject.includes(".quiet-"));
    assert.equal(counts.length, 4_000);
    assert.ok(counts.every(([, count]) => count === 1));
    const told = scene.lines.filter(({ msg }) => String(msg).startsWith("the log was nearly full"));
    assert.equal(told.length, 1, "in one line");
    assert.deepEqual(warnings(scene), []);
    const hot = await scene.texts("hot");
    assert.equal(hot.at(-1), `updated ${scene.version - 1}`);
    assert.equal(Number(told[0]?.["events"]), 2_001 - hot.length);
  });

  test("keeps the last event of every object, and says so when no more can be removed", async (t) => {
    const names = Array.from({ length: 50 }, (_, i) => `db-${i}`);
    const scene = await withHotObject(t, names, 100);
    if (scene === undefined) return;
    const gone = names.slice(0, 10);
    for (const name of gone) await scene.change("deleted", name);
    await scene.moveOn();
    await limitTo(scene, 400);
    scene.start(NEVER_DAYS, OFTEN);
    await until(() => warnings(scene).length > 0);
    await scene.afterSweeps();
    const [warning, ...more] = warnings(scene);
    assert.deepEqual(more, [], "not at every look");
    assert.match(
      String(warning?.["msg"]),
      /of each object, what is left is its last event.*nats stream edit CR_EVENTS/,
    );
    for (const name of [...names, "hot"]) {
      const texts = await scene.texts(name);
      assert.equal(texts.length, 1, `${name}: ${texts}`);
      assert.match(texts[0] ?? "", gone.includes(name) ? /^deleted/ : /^updated/);
      assert.equal((await scene.log.lastEvent(keyOf(name)))?.sequence, scene.store.get(keyOf(name))?.sequence);
    }
    await limitTo(scene, 10);
    await scene.change("modified", "hot");
    await scene.idle();
    assert.deepEqual((await scene.texts("hot")).at(-1), `updated ${scene.version}`, "its fence is still there");
  });

  test("keeps what a subscription has not read, names it once with what to do, and lets go when it has", async (t) => {
    const scene = await withHotObject(t, ["quiet"], 100);
    if (scene === undefined) return;
    await scene.subscribe("held", "cr.*.*.Database.>");
    await scene.subscribe("rare", "cr.*.*.Nothing.>");
    const bytesMax = await limitTo(scene, 90);
    const { messages } = await fill(scene);
    scene.start(NEVER_DAYS, OFTEN);
    await until(() => warnings(scene).length > 0);
    await scene.afterSweeps();
    assert.equal((await fill(scene)).messages, messages);
    assert.equal(warnings(scene).length, 1);
    assert.match(
      String(warnings(scene)[0]?.["msg"]),
      new RegExp(
        `90 % full.*consumer held has read up to sequence 0 and has ${messages} events to go.*nats consumer rm CR_EVENTS held.*streams\\.eventsBytesMax.*nats stream edit CR_EVENTS`,
      ),
    );
    await scene.readAll("held");
    await until(async () => (await fill(scene)).bytes <= 0.7 * bytesMax);
    assert.deepEqual(await scene.texts("quiet"), ["created 1", "updated 2"]);
  });

  test("that has lost events is left alone: what memory calls older may be an object's last", async (t) => {
    const scene = await withHotObject(t, ["quiet"], 10);
    if (scene === undefined) return;
    await scene.copyStore("older");
    for (let i = 0; i < 30; i++) {
      await scene.change("modified", "hot", undefined, KILOBYTE);
      await scene.idle();
    }
    await scene.moveOn();
    scene.start(NEVER_DAYS, OFTEN);
    await scene.restoreStore("older");
    const { messages } = await fill(scene);
    await limitTo(scene, 95);
    await until(() => scene.jetStream.connected);
    await scene.afterSweeps();
    assert.equal((await fill(scene)).messages, messages);
    assert.equal((await scene.texts("hot")).length, 11);
  });
});
