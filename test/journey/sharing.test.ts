import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ServerProcess } from "../kit/server-process.ts";
import { until } from "../kit/until.ts";
import { startSharingScene } from "./sharing-scene.ts";

const PATIENT = { waitMsMax: 90_000 };

describe("2, then 5, then 1 processes share a subscription", () => {
  test("while events flow, one of them dies and one is paused: nothing is lost, and each object's events begin in order", async (t) => {
    const scene = await startSharingScene(t);
    if (scene === undefined) return;
    const processes: ServerProcess[] = [];
    const start = async () => processes.push(await scene.startProcess({ partitions: 16 }));
    const isShared = (...expected: number[]) =>
      until(async () => JSON.stringify(await scene.shares()) === JSON.stringify(expected), PATIENT);
    await Promise.all([start(), start()]);
    scene.keepPublishing();
    await isShared(8, 8);
    await Promise.all([start(), start(), start()]);
    await isShared(3, 3, 3, 3, 4);
    await until(() => new Set(scene.begun().map(({ pid }) => pid)).size === 5, PATIENT);
    const [dead, paused, ...others] = processes;
    process.kill(paused?.pid ?? 0, "SIGSTOP");
    await dead?.kill("SIGKILL");
    // Both are declared gone, and what they had out comes again.
    await isShared(5, 5, 6);
    const count = scene.begun().length;
    process.kill(paused?.pid ?? 0, "SIGCONT");
    await isShared(4, 4, 4, 4);
    await until(() => scene.begun().length > count + 100, PATIENT);
    await Promise.all([paused, ...others.slice(1)].map((each) => each?.kill("SIGTERM")));
    await isShared(16);
    await scene.stopPublishing();
    await until(
      () => new Set(scene.begun().map(({ object, number }) => `${object} ${number}`)).size === scene.published.length,
      PATIENT,
    );
    scene.assertOrder();
    assert.match(paused?.logTail() ?? "", /the functions have stopped/);
  });
});
