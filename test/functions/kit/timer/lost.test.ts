/** CR_TIMERS that lost what it had: deleted, purged, or restored from an older copy. What the log still tells waits again. */
import assert from "node:assert/strict";
import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { type Run, type StartOptions, startRig, until } from "../delivery/rig.ts";
import { replicasOf } from "../event-factory.ts";
import { createHistory } from "./history.ts";
import { holdDue } from "./hold-due.ts";

const FAILED = { phase: { to: "Failed" } };
/** What waits is looked at so often that a test sees it. */
const LOOKED = { overrunLookMs: 200 };

async function startScene(t: TestContext) {
  const rig = await startRig(t);
  if (rig === undefined) return undefined;
  const seen: string[] = [];
  const note: Run = async ({ object, events = [] }) =>
    void seen.push(
      events.length > 1 ? events.map(({ name }) => name).join("+") : `${object.metadata.name} ${replicasOf(object)}`,
    );
  return {
    ...rig,
    seen,
    start: (options: StartOptions) => rig.start(note, { when: FAILED, limits: LOOKED, batches: true, ...options }),
    failed: (...names: string[]) => names.map((name) => createHistory(name).moved("Failed")),
    /** The note has been renewed twice from now on. */
    async untilNoted() {
      const note = async () => {
        const asked = rig.jetStream.api<{ message: { seq: number } }>("STREAM.MSG.GET.KV_CR_SUBSCRIPTIONS", {
          last_by_subj: "$KV.CR_SUBSCRIPTIONS.timers.test.cr-test",
        });
        return (await asked).message.seq;
      };
      for (let renewed = 0; renewed < 3; renewed++) {
        const before = await note();
        await until(async () => (await note()) > before);
      }
    },
    lose: () => rig.jetStream.api("STREAM.DELETE.CR_TIMERS"),
  };
}
type Scene = NonNullable<Awaited<ReturnType<typeof startScene>>>;

describe("what waits is found again in the log", () => {
  const rows: readonly {
    readonly name: string;
    readonly options: StartOptions;
    readonly lose: (scene: Scene) => Promise<unknown>;
  }[] = [
    { name: "for, deleted", options: { for: "5s" }, lose: ({ lose }) => lose() },
    { name: "for, purged", options: { for: "5s" }, lose: ({ jetStream }) => jetStream.api("STREAM.PURGE.CR_TIMERS") },
    { name: "debounce, deleted", options: { debounce: "5s" }, lose: ({ lose }) => lose() },
  ];
  for (const { name, options, lose } of rows) {
    for (const isRunning of [true, false]) {
      test(`${name}, while a process ${isRunning ? "runs" : "sleeps"}`, async (t) => {
        const scene = await startScene(t);
        if (scene === undefined) return;
        const first = scene.start(options);
        await scene.publish(...scene.failed("a", "b"));
        await until(() => first.status().waiting === 2);
        await scene.untilAcked();
        if (!isRunning) await first.stop();
        await lose(scene);
        if (!isRunning) scene.start(options);
        await until(() => scene.seen.length === 2);
        assert.deepEqual(scene.seen.toSorted(), ["a 1", "b 1"]);
      });
    }
  }

  test("what was told before the loss is not told again, and what came due meanwhile is told", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const options = { for: "3s", includeExisting: true };
    const first = scene.start(options);
    await scene.publish(createHistory("told").existing("Failed", Date.now() - 3_600_000));
    await until(() => scene.seen.length === 1);
    await scene.untilNoted();
    await holdDue(scene.jetStream);
    await scene.publish(...scene.failed("waits"));
    const dueMs = Date.now() + 3_000;
    await until(() => first.status().waiting === 2);
    await scene.untilAcked();
    await first.stop();
    await scene.lose();
    await until(() => Date.now() > dueMs);
    const second = scene.start(options);
    await until(() => second.status().done === 1);
    assert.deepEqual(scene.seen, ["told 1", "waits 1"]);
  });

  test("restored from an older copy, what began to wait since then does again", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const options = { for: "12s" };
    const first = scene.start(options);
    await scene.publish(...scene.failed("old"));
    await until(() => first.status().waiting === 1);
    await scene.untilNoted();
    const folder = join(scene.nats.storeDir, "jetstream/$G/streams/CR_TIMERS");
    const copy = join(scene.nats.storeDir, "copy");
    await first.stop();
    await scene.nats.kill("SIGTERM");
    cpSync(folder, copy, { recursive: true });
    await scene.nats.restart();
    await scene.jetStream.whenConnected(AbortSignal.timeout(60_000));
    const second = scene.start(options);
    await scene.publish(...scene.failed("new"));
    await until(() => second.status().waiting === 1);
    await scene.untilAcked();
    await scene.untilNoted();
    await second.stop();
    await scene.nats.kill("SIGTERM");
    rmSync(folder, { recursive: true });
    cpSync(copy, folder, { recursive: true });
    await scene.nats.restart();
    await scene.jetStream.whenConnected(AbortSignal.timeout(60_000));
    scene.start(options);
    await until(() => scene.seen.length === 2);
    assert.deepEqual(scene.seen.toSorted(), ["new 1", "old 1"]);
  });

  test("a batch that is waiting", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const options = { batch: { window: "3s" } };
    const first = scene.start(options);
    await until(() => first.status().state === "running");
    await scene.untilNoted();
    await holdDue(scene.jetStream);
    await scene.publish(...scene.failed("a", "b"));
    await until(() => first.status().waiting === 2);
    await scene.untilAcked();
    await scene.lose();
    // One call, or two of one each, where finding them again took longer than the window.
    const names = () => scene.seen.flatMap((call) => call.split("+")).map((each) => each.split(" ")[0]);
    await until(() => names().length === 2);
    assert.deepEqual(names().toSorted(), ["a", "b"]);
  });

  test("what throttle holds back, and what it let through since nothing waited last once more", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const options = { throttle: { max: 1, per: "4s" } };
    const first = scene.start(options);
    await until(() => first.status().state === "running");
    await scene.untilNoted();
    await holdDue(scene.jetStream);
    await scene.publish(...scene.failed("a", "b"));
    await until(() => first.status().waiting === 1);
    await scene.untilAcked();
    await scene.lose();
    await until(() => new Set(scene.seen).size === 2);
  });

  test("what count has counted", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const options = { count: { min: 3, within: "1h" } };
    const a = createHistory("a");
    const flap = () => [a.moved("Failed"), a.moved("Running")];
    const first = scene.start(options);
    await scene.publish(...flap(), ...flap());
    await until(() => first.status().skipped === 2);
    await scene.untilAcked();
    await first.stop();
    await scene.lose();
    const second = scene.start(options);
    await scene.publish(...flap());
    await until(() => second.status().done === 1);
    assert.deepEqual(scene.seen, ["a 5"]);
  });
});
