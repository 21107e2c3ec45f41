import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { until } from "../kit/until.ts";
import { startSharingScene } from "./sharing-scene.ts";

const PATIENT = { waitMsMax: 60_000 };
const failed = { when: { phase: { to: "Failed" } } };
const failedOrReady = { when: { phase: { to: ["Failed", "Ready"] } }, partitions: 4 };

describe("a filter is edited while events flow", () => {
  test("a rolling update from one process to two: behind its place in the log the new filter counts, before it the old one", async (t) => {
    const scene = await startSharingScene(t);
    if (scene === undefined) return;
    const old = await scene.startProcess(failed);
    scene.keepPublishing();
    await until(() => scene.begun().length > 50, PATIENT);
    await scene.startProcess(failedOrReady);
    await old.kill("SIGTERM");
    await scene.startProcess(failedOrReady);
    const readRecord = async () => {
      const query = { last_by_subj: "$KV.CR_SUBSCRIPTIONS.subscription.ledger" };
      const { message } = await scene.jetStream.api<{ message: { data: string } }>(
        "STREAM.MSG.GET.KV_CR_SUBSCRIPTIONS",
        query,
      );
      return JSON.parse(Buffer.from(message.data, "base64").toString("utf8"));
    };
    await until(async () => (await readRecord()).current.partitions === 4, PATIENT);
    const { current } = await readRecord();
    await until(async () => JSON.stringify(await scene.shares()) === "[2,2]", PATIENT);
    const count = scene.begun().length;
    await until(() => scene.begun().length > count + 200, PATIENT);
    await scene.stopPublishing();
    const place = current.from.upToSequence;
    const expected = scene.published.filter(({ phase, sequence }) => sequence > place || phase === "Failed");
    const tags = (events: readonly { object: string; number: number }[]) =>
      events.map(({ object, number }) => `${object} ${number}`).toSorted();
    await until(() => scene.begun().length >= expected.length, PATIENT);
    assert.deepEqual(tags(scene.begun()), tags(expected));
    scene.assertOrder();
  });
});
