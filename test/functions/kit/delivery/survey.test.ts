/** What NATS says of subscriptions: what waits, since when, who works, and what was given up. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { surveySubscriptions } from "../../../../functions/kit/delivery/survey.ts";
import { PermanentError } from "../../../../functions/kit/outcome.ts";
import * as event from "../event-factory.ts";
import { door, startRig, until } from "./rig.ts";

const updates = (name: string, count: number) =>
  Array.from({ length: count }, (_, i) =>
    event.updated({ name, spec: { replicas: i } }, { name, spec: { replicas: i + 1 } }),
  );

describe("the survey of subscriptions", () => {
  test("is empty where no functions have run", async (t) => {
    const rig = await startRig(t);
    if (rig === undefined) return;
    assert.deepEqual(await surveySubscriptions(rig.jetStream), []);
  });

  test("tells what waits and that somebody works, then that nothing waits, then that nobody works", async (t) => {
    const rig = await startRig(t);
    if (rig === undefined) return;
    const gate = door();
    const running = rig.start(async () => gate.passed, { limits: { heldMax: 1, overrunLookMs: 20 } });
    await until(() => running.status().state === "running");
    const survey = async () => (await surveySubscriptions(rig.jetStream))[0];
    await rig.publish(...updates("hot", 30));
    await until(async () => (await survey())?.backlog.unfinished === 1);
    const busy = await survey();
    assert.deepEqual(
      [busy?.name, busy?.attended, busy?.partitions, busy?.backlog.pending, busy?.deadLetters],
      ["test", 1, 1, 29, 0],
    );
    assert.ok((busy?.backlog.oldestSeconds ?? 0) > 0);
    await until(() => running.status().eventsAtRisk === 30); // of 32 that are kept
    gate.open();
    await until(() => running.status().done === 30);
    await until(() => running.status().eventsAtRisk === 0);
    const { matched, runs } = running.status();
    assert.deepEqual([matched, runs], [30, 30]);
    await until(async () => (await survey())?.backlog.oldestSeconds === 0);
    await running.stop();
    await rig.publish(...updates("hot", 1));
    await until(async () => (await survey())?.attended === 0);
    assert.equal((await survey())?.backlog.pending, 1);
  });

  test("counts the dead letters of each subscription", async (t) => {
    const rig = await startRig(t);
    if (rig === undefined) return;
    const running = rig.start(async () => {
      throw new PermanentError("no");
    });
    await until(() => running.status().state === "running");
    await rig.publish(...updates("a", 2));
    await until(() => running.status().deadLetters === 2);
    assert.equal((await surveySubscriptions(rig.jetStream))[0]?.deadLetters, 2);
  });
});
