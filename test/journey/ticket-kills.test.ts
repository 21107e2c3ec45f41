/**
 * Tickets under fire: a real process of `cr-reactor run` with `open-ticket` from a subscriptions file, on a real nats-server that keeps
 * incidents and steps, is killed at each point around a ticket's effects, and at random moments. GitHub's look-alike ends with one
 * ticket for each incident, in its true last state, and with no comment twice.
 */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { stringify } from "yaml";
import { startRig } from "../functions/kit/delivery/rig.ts";
import { type TestEvent, updated } from "../functions/kit/event-factory.ts";
import { createDataFolder } from "../kit/data-folder.ts";
import { startGitHub } from "../kit/github-server.ts";
import { createRandom } from "../kit/random.ts";
import { startServer } from "../kit/server-process.ts";
import { until } from "../kit/until.ts";
import { armKill, type KillPoint } from "./kill-point.ts";

const ROOT = join(import.meta.dirname, "../..");
const PRELOAD = join(import.meta.dirname, "kill-point-preload.ts");
const OBJECTS = ["db-0", "db-1", "db-2"];
/** A killed process' events come again after two seconds, and a busy machine takes its time to start the next one. */
const WAIT_MS_MAX = 120_000;

/** Each object fails, changes, recovers and fails again; the events of all are interleaved. */
function changes(): TestEvent[] {
  const phases = ["Running", "Failed", "Failed", "Running", "Failed"];
  return phases.slice(1).flatMap((phase, index) =>
    OBJECTS.map((name) => {
      const before = { name, phase: phases[index] ?? "", spec: { replicas: index } };
      return updated(before, { name, phase, spec: { replicas: index + 1 } });
    }),
  );
}

async function startScene(t: TestContext) {
  const rig = await startRig(t);
  if (rig === undefined) return undefined;
  const github = await startGitHub();
  t.after(() => github.stop());
  const target = { type: "github", repository: github.repository, apiUrl: github.origin, token: { file: "token" } };
  const config = {
    nats: { servers: [rig.nats.url] },
    subscriptions: [
      {
        ...{
          name: "tickets",
          function: "open-ticket",
          apiVersion: "demo.example.com/v1",
          kind: "Database",
          start: "all",
        },
        ...{ when: { cel: "object.status.phase == 'Failed'" }, resolve: { phase: { to: "Running" } } },
        ...{ attempts: 20, config: { target, commentEveryMinutes: 0, reopenWithinHours: 0 } },
      },
    ],
  };
  const folder = createDataFolder("functions");
  writeFileSync(join(folder.path, "token"), github.token);
  writeFileSync(join(folder.path, "subscriptions.yaml"), stringify(config));
  const args = ["--import", PRELOAD, join(ROOT, "cli/main.ts"), "run", "--subscriptions", "subscriptions.yaml"];
  const start = () =>
    startServer({
      ...{ name: "cr-reactor run", command: process.execPath, args: () => args, folder },
      ...{ isReady: /"consumer (created|kept|updated)"/, stopMsMax: 10_000 },
    });
  const isIdle = async () => {
    const { num_ack_pending, num_pending } = await rig.consumer("tickets");
    return num_ack_pending + num_pending === 0;
  };
  const check = () => {
    const states = github.issues.map(({ state, state_reason }) => `${state} ${state_reason}`).toSorted();
    const expected = [...OBJECTS.map(() => "closed completed"), ...OBJECTS.map(() => "open null")];
    assert.deepEqual(states, expected, "two incidents an object: the first is over, the second is not");
    const markers = github.comments.map(({ issue, body }) => `${issue} ${body.split("\n").at(-1)}`);
    assert.equal(new Set(markers).size, markers.length, "no comment is there twice");
    assert.equal(markers.length, OBJECTS.length * 2, "one for the update and one for the recovery");
  };
  return { ...rig, github, folder: folder.path, start, isIdle, check };
}

describe("a process with open-ticket that is killed", { concurrency: 4 }, () => {
  const points: readonly KillPoint[] = [
    "before-record:open",
    "recorded:open",
    "before-record:comment",
    "before-record:close",
  ];
  for (const point of points) {
    test(`at ${point} leaves one ticket an incident`, async (t) => {
      const scene = await startScene(t);
      if (scene === undefined) return;
      await scene.publish(...changes());
      armKill(scene.folder, point, 2);
      const functions = await scene.start();
      t.after(() => functions.stop());
      await until(() => functions.pid === undefined, {
        waitMsMax: WAIT_MS_MAX,
        what: `the process is killed at ${point}`,
      });
      assert.equal(functions.lastExit?.signal, "SIGKILL");
      await functions.restart();
      await until(scene.isIdle, { waitMsMax: WAIT_MS_MAX, what: "every event is acknowledged" });
      scene.check();
    });
  }

  test("again and again while it calls leaves one ticket an incident", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const random = createRandom(8);
    await scene.publish(...changes());
    const functions = await scene.start();
    t.after(() => functions.stop());
    for (let kill = 0; kill < 3 && !(await scene.isIdle()); kill++) {
      const calls = scene.github.requests.length + Math.floor(random.between(2, 9));
      const isReached = async () => scene.github.requests.length >= calls || (await scene.isIdle());
      await until(isReached, { waitMsMax: WAIT_MS_MAX, what: "it calls" });
      await functions.kill();
      await functions.restart();
    }
    await until(scene.isIdle, { waitMsMax: WAIT_MS_MAX, what: "every event is acknowledged" });
    scene.check();
  });
});
