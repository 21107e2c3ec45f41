/** `throttle`: no more than so many within a time, the others later and in order, on a real nats-server. */
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { getStored } from "../../../../bridge/nats/stored-message.ts";
import { RateRecord } from "../../../../functions/kit/timer/rate-record.ts";
import { type Run, type StartOptions, startRig, until } from "../delivery/rig.ts";
import { replicasOf } from "../event-factory.ts";
import { createHistory } from "./history.ts";

async function startScene(t: TestContext) {
  const rig = await startRig(t);
  if (rig === undefined) return undefined;
  const whats: string[] = [];
  const note: Run = async ({ object }) => void whats.push(`${object.metadata.name} ${replicasOf(object)}`);
  return {
    ...rig,
    whats,
    /** When each event was let through. Its call may begin later, and so closer to the next one's. */
    letThroughAtMs: async () => {
      const stored = await getStored(rig.jetStream, "CR_TIMERS", { last_by_subj: "crtimer.rate.test.*" });
      const { decisions } = RateRecord.parse(JSON.parse(Buffer.from(stored?.data ?? "").toString("utf8")));
      return decisions.filter(({ isRun }) => isRun).map(({ atMs }) => atMs);
    },
    start: (options: StartOptions = {}, run = note) =>
      rig.start(run, { when: { op: "updated" }, throttle: { max: 2, per: "1s" }, ...options }),
    /** What waits, or is due. */
    waiting: async () => {
      const asked = await rig.jetStream.api<{ state: { subjects?: Record<string, number> } }>("STREAM.INFO.CR_TIMERS", {
        subjects_filter: "crtimer.>",
      });
      return Object.keys(asked.state.subjects ?? {}).filter((each) => /^crtimer\.(member|wait|due)/.test(each));
    },
  };
}

/** The most that there were within any stretch of this length. */
function densest(timesMs: readonly number[], withinMs: number): number {
  return Math.max(...timesMs.map((atMs) => timesMs.filter((each) => each >= atMs && each < atMs + withinMs).length));
}

describe("throttle", () => {
  test("runs what is over the limit later, none twice, of each object in order, and leaves nothing", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const [a, b, c] = [createHistory("a"), createHistory("b"), createHistory("c")];
    await scene.publish(...[a, b, a, c, a, b, c, a].map((each) => each.moved("Running")));
    const running = scene.start({ throttle: { max: 3, per: "2s" } });
    await until(() => running.status().done === 8);
    for (const name of ["a", "b", "c"]) {
      const own: string[] = scene.whats.filter((what) => what.startsWith(name));
      assert.deepEqual(own, own.toSorted());
    }
    assert.equal(new Set(scene.whats).size, 8);
    const timesMs = await scene.letThroughAtMs();
    assert.equal(timesMs.length, 8);
    assert.ok(densest(timesMs, 2_000) <= 3, JSON.stringify(timesMs));
    await until(async () => (await scene.waiting()).length === 0);
  });

  test("an event that waits holds up neither the log's consumer nor other groups", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const running = scene.start({
      throttle: { max: 1, per: "1h", by: "metadata.labels.team" },
      limits: { heldMax: 16 },
    });
    const many = Array.from({ length: 40 }, (_, i) =>
      createHistory(`n${i}`).moved("Running", { labels: { team: "noisy" } }),
    );
    await scene.publish(...many);
    await until(() => running.status().waiting === 39);
    await scene.publish(createHistory("calm").moved("Running", { labels: { team: "calm" } }));
    await until(() => scene.whats.includes("calm 1"));
    await scene.untilAcked();
    assert.equal(scene.whats.length, 2);
  });

  test("an object that changes its group does not overtake its own event that waits", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const a = createHistory("a");
    const team = (name: string) => a.moved("Running", { labels: { team: name } });
    const running = scene.start({ throttle: { max: 1, per: "1s", by: "metadata.labels.team" } });
    await scene.publish(team("one"), team("one"), team("two"));
    await until(() => running.status().done === 3);
    assert.deepEqual(scene.whats, ["a 1", "a 2", "a 3"]);
  });

  test("what waits goes on waiting through restarts of the process and of NATS", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const objects = Array.from({ length: 6 }, (_, i) => createHistory(`o${i}`).moved("Running"));
    const first = scene.start({ throttle: { max: 2, per: "2s" } });
    await scene.publish(...objects);
    await until(() => first.status().waiting > 0);
    await scene.untilAcked();
    await first.stop();
    await scene.nats.kill();
    await scene.nats.restart();
    await scene.jetStream.whenConnected(AbortSignal.timeout(60_000));
    scene.start();
    await until(() => new Set(scene.whats).size === 6);
    await until(async () => (await scene.waiting()).length === 0);
    // A killed NATS may have forgotten the newest acknowledgements of those that were run at once.
    assert.deepEqual(
      [...new Set(scene.whats)].toSorted(),
      objects.map(({ envelope }) => `${envelope.name} 1`).toSorted(),
    );
  });

  test("one that fails is tried again in its own time, while others go on", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const [a, b] = [createHistory("a"), createHistory("b")];
    let isDown = true;
    const running = scene.start({ throttle: { max: 1, per: "1s" }, attempts: 1_000 }, async ({ object }) => {
      if (object.metadata.name === "a" && replicasOf(object) === 2 && isDown) throw new Error("not yet");
      scene.whats.push(`${object.metadata.name} ${replicasOf(object)}`);
    });
    await scene.publish(a.moved("Running"), a.moved("Running"), a.moved("Running"), b.moved("Running"));
    await until(() => scene.whats.includes("b 1"));
    isDown = false;
    await until(() => running.status().done === 4);
    assert.deepEqual(
      scene.whats.filter((what) => what.startsWith("a")),
      ["a 1", "a 2", "a 3"],
    );
  });

  test("a process that ends in the middle leaves its event to the next one", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    let begun = 0;
    const hang: Run = async () => {
      if (++begun > 1) await new Promise(() => undefined);
    };
    const first = scene.start({ throttle: { max: 1, per: "1s" }, limits: { drainMs: 0, graceMs: 0 } }, hang);
    const [a, b] = [createHistory("a"), createHistory("b")];
    await scene.publish(a.moved("Running"), b.moved("Running"));
    await until(() => begun === 2);
    await first.stop();
    scene.start({ throttle: { max: 1, per: "1s" } });
    await until(async () => scene.whats.length === 1 && (await scene.waiting()).length === 0);
  });
});
