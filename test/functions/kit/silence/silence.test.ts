/** Silences in front of a subscription, on a real nats-server. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { findLetter, orderRetry } from "../../../../functions/kit/delivery/dead-letter-box.ts";
import { PermanentError } from "../../../../functions/kit/outcome.ts";
import type { Silence } from "../../../../functions/kit/silence/silence.ts";
import { endSilence } from "../../../../functions/kit/silence/silence-bucket.ts";
import { until } from "../delivery/rig.ts";
import * as event from "../event-factory.ts";
import { createHistory } from "../timer/history.ts";
import { holdDue } from "../timer/hold-due.ts";
import { failed, idOf, startScene } from "./silence-scene.ts";

const HOUR_MS = 3_600_000;

describe("a silence", () => {
  test("holds back what it is about, counts it, and lets through the rest", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const running = scene.start();
    const id = await scene.silence({ when: { namespaces: "prod" } });
    const other = failed("a", { namespace: "dev" });
    const quiet = createHistory("b");
    await scene.publish(quiet.moved("Failed", { namespace: "prod" }), other);
    await scene.publish(quiet.moved("Failed", { namespace: "prod", phase: "Running" }));
    await scene.publish(quiet.moved("Failed", { namespace: "prod" }));
    await until(() => running.status().silenced === 2);
    await scene.untilAcked();
    assert.deepEqual(scene.ids(), [idOf(other)]);
    const [held] = await scene.heldBack(id);
    assert.ok(held);
    assert.deepEqual([held.subscription, held.events, held.objects], ["test", 2, 1]);
    assert.deepEqual([held.last[0]?.name, held.last[0]?.namespace, held.last[0]?.events], ["b", "prod", 2]);
    assert.ok(running.lines.some(({ msg, silence }) => msg === "held back by a silence" && silence === id));
  });

  const scopes: readonly { name: string; wish: Partial<Silence>; isQuiet: boolean }[] = [
    { name: "of this subscription", wish: { subscriptions: "te*" }, isQuiet: true },
    { name: "of another subscription", wish: { subscriptions: ["other"] }, isQuiet: false },
    { name: "of this kind", wish: { kind: "Database", apiVersion: "demo.example.com/v1" }, isQuiet: true },
    { name: "of another kind", wish: { kind: "Gadget" }, isQuiet: false },
    { name: "of another cluster", wish: { cluster: "elsewhere" }, isQuiet: false },
    { name: "that is not yet", wish: { begins: new Date(Date.now() + HOUR_MS).toISOString() }, isQuiet: false },
    { name: "whose expression has no value", wish: { when: { cel: "object.spec.nowhere > 1" } }, isQuiet: false },
  ];
  for (const { name, wish, isQuiet } of scopes) {
    test(`${name} ${isQuiet ? "holds back" : "holds back nothing"}`, async (t) => {
      const scene = await startScene(t);
      if (scene === undefined) return;
      await scene.silence(wish);
      const running = scene.start();
      await scene.publish(failed("a"));
      await until(() => running.status().silenced + running.status().done === 1);
      assert.equal(running.status().silenced, Number(isQuiet));
    });
  }

  test("that is made while processes run is known to all of them", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const processes = [
      scene.start({ partitions: 2 }),
      scene.start({ partitions: 2, jetStream: await scene.connect() }),
    ];
    await until(() => processes.every((each) => each.status().partitions.held.length === 1));
    await scene.silence();
    await scene.publish(...Array.from({ length: 20 }, (_, i) => failed(`o${i}`)));
    await until(() => processes.reduce((sum, each) => sum + each.status().silenced, 0) === 20);
    assert.deepEqual(scene.calls, []);
    assert.ok(processes.every((each) => each.status().silenced > 0));
  });

  test("that is over is over, and what it held back is not run then", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const running = scene.start();
    const id = await scene.silence();
    await scene.publish(failed("a"));
    await until(() => running.status().silenced === 1);
    await endSilence(scene.jetStream, id, "me");
    await scene.untilAcked();
    const loud = createHistory("loud");
    await until(async () => {
      await scene.publish(loud.moved(loud.phase() === "Failed" ? "Running" : "Failed"));
      return running.status().done > 0;
    });
    assert.ok(scene.calls.every(({ names }) => names[0] === "loud"));
  });

  test("holds back nothing of a subscription that is not silenceable, nor a dead letter that somebody tries again", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    await scene.silence();
    const deaf = scene.start({ silenceable: false, attempts: 1 }, async () => {
      throw new PermanentError("no");
    });
    const event = failed("a");
    await scene.publish(event);
    await until(() => deaf.status().deadLetters === 1);
    await scene.untilAcked();
    await deaf.stop();
    const found = await findLetter(scene.jetStream, 1);
    assert.ok(found);
    await orderRetry(scene.jetStream, found);
    scene.start();
    await until(() => scene.calls.length === 1);
    assert.deepEqual(scene.ids(), [idOf(event)]);
  });

  test("holds back the events that it is about of a batch, and the rest is one call", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const batch = { batch: { window: "1s", max: 10 }, batches: true } as const;
    const first = scene.start(batch);
    const id = await scene.silence({ when: { names: "quiet*" } });
    const release = await holdDue(scene.jetStream);
    await scene.publish(failed("quiet1"), failed("a"), failed("quiet2"), failed("b"));
    await until(() => first.status().waiting === 4);
    await release();
    await until(() => first.status().done + first.status().silenced === 4);
    assert.deepEqual(
      scene.calls.map(({ names }) => names),
      [["a", "b"]],
    );
    assert.deepEqual([first.status().done, first.status().silenced], [2, 2]);
    await first.stop();
    const failing = scene.start(batch, async () => {
      throw new PermanentError("no");
    });
    await scene.publish(failed("quiet3"), failed("c"));
    await until(() => failing.status().deadLetters + failing.status().silenced === 2);
    assert.deepEqual(
      (await scene.deadLetters()).map(({ subject }) => subject.split(".")[7]),
      ["c"],
    );
    assert.equal((await scene.heldBack(id))[0]?.objects, 3);
  });

  test("is asked when a state has held for its time", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const running = scene.start({ for: "1s" });
    const release = await holdDue(scene.jetStream);
    await scene.publish(failed("a"));
    await until(() => running.status().waiting === 1);
    await scene.silence();
    await release();
    await until(() => running.status().silenced === 1);
    assert.deepEqual(scene.calls, []);
  });
});

describe("what the object or its namespace asks for", () => {
  const KEY = "cr-reactor.dev/silence";
  const rows: readonly { name: string; setting: object; fields: event.DatabaseFields; isQuiet: boolean }[] = [
    {
      name: "an annotation that says true",
      setting: { annotation: KEY },
      fields: { annotations: { [KEY]: "true" } },
      isQuiet: true,
    },
    {
      name: "one that says until when",
      setting: { annotation: KEY },
      fields: { annotations: { [KEY]: "2126-01-01T00:00:00+02:00" } },
      isQuiet: true,
    },
    {
      name: "one that said until when",
      setting: { annotation: KEY },
      fields: { annotations: { [KEY]: "2026-01-01T00:00:00Z" } },
      isQuiet: false,
    },
    {
      name: "one that says false",
      setting: { annotation: KEY },
      fields: { annotations: { [KEY]: "false" } },
      isQuiet: false,
    },
    {
      name: "one that says something else",
      setting: { annotation: KEY },
      fields: { annotations: { [KEY]: "2h" } },
      isQuiet: false,
    },
    {
      name: "one of another key",
      setting: { annotation: KEY },
      fields: { annotations: { quiet: "true" } },
      isQuiet: false,
    },
    { name: "a label that says true", setting: { label: KEY }, fields: { labels: { [KEY]: "true" } }, isQuiet: true },
    {
      name: "an annotation where a label is asked for",
      setting: { label: KEY },
      fields: { annotations: { [KEY]: "true" } },
      isQuiet: false,
    },
  ];
  for (const { name, setting, fields, isQuiet } of rows) {
    test(`${name} ${isQuiet ? "silences" : "silences nothing"}`, async (t) => {
      const scene = await startScene(t);
      if (scene === undefined) return;
      const running = scene.start({ silences: [{ name: "asked-for", ...setting }] });
      await scene.publish(failed("a", fields));
      await until(() => running.status().silenced + running.status().done === 1);
      assert.equal(running.status().silenced, Number(isQuiet));
    });
  }

  test("is the namespace's, as the log has it by now; one that is not captured is warned about once", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const running = scene.start({ silences: [{ name: "asked-for", annotation: KEY, of: "namespace" }] });
    await scene.publish(failed("a", { namespace: "unknown" }), failed("b", { namespace: "unknown" }));
    await until(() => running.status().done === 2);
    assert.equal(running.lines.filter(({ msg }) => /does not know the namespace/.test(msg)).length, 1);
    const space = (annotations: Record<string, string>) => ({
      kind: "Namespace",
      apiVersion: "/v1",
      name: "prod",
      namespace: "",
      annotations,
    });
    await scene.publish(event.created(space({})), failed("c", { namespace: "prod" }));
    await until(() => running.status().done === 3);
    await scene.publish(event.updated(space({}), space({ [KEY]: "true" })), failed("d", { namespace: "prod" }));
    await until(() => running.status().silenced === 1);
    await scene.publish(event.deleted(space({ [KEY]: "true" })), failed("e", { namespace: "prod" }));
    await until(() => running.status().done === 4);
  });
});
