/** `cr-reactor replay` as people run it, on a real nats-server, with subscriptions in this process and in processes that are killed. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { pathToFileURL } from "node:url";
import { waitingReplays } from "../../functions/kit/delivery/replay.ts";
import { PermanentError } from "../../functions/kit/outcome.ts";
import { type Run, type StartOptions, startRig } from "../functions/kit/delivery/rig.ts";
import { replicasOf, updated } from "../functions/kit/event-factory.ts";
import { startFunctionProcess } from "../journey/function-process.ts";
import { createDataFolder } from "../kit/data-folder.ts";
import { until } from "../kit/until.ts";
import { runCli } from "./run-cli.ts";

const scaled = (name: string, replicas: number) =>
  updated({ name, spec: { replicas: replicas - 1 } }, { name, spec: { replicas } });

/** Six events of two objects, and a subscription that is through with them. */
async function startScene(t: TestContext, run: Run, options: StartOptions = {}) {
  const rig = await startRig(t);
  if (rig === undefined) return undefined;
  for (const replicas of [1, 2, 3]) await rig.publish(scaled("a", replicas), scaled("b", replicas));
  const running = rig.start(run, options);
  await until(() => running.status().state === "running");
  await rig.untilAcked();
  await until(async () => {
    const info = await rig.jetStream
      .api<{ num_waiting: number }>("CONSUMER.INFO.CR_RETRIES.cr-test")
      .catch(() => undefined);
    return (info?.num_waiting ?? 0) > 0;
  });
  return { ...rig, running, replay: (...args: string[]) => runCli(["replay", ...args], { url: rig.nats.url }) };
}

describe("replay", () => {
  test("says with --dry-run which events would run and which steps are done, and changes nothing", async (t) => {
    const effects: string[] = [];
    const scene = await startScene(
      t,
      async ({ step, object }) => {
        if (replicasOf(object) > 1) await step("tell", () => void effects.push(object.metadata.name));
      },
      { when: { names: "a" } },
    );
    if (scene === undefined) return;
    assert.equal(effects.length, 2);
    const { code, out, err } = await scene.replay("test", "--from", "1h", "--dry-run");
    assert.deepEqual([code, err], [0, "3 events would run. Nothing was changed.\n"]);
    const lines = out.trimEnd().split("\n");
    assert.equal(lines.length, 3);
    assert.match(lines[0] ?? "", /^#1 {2}2026-01-01 .* updated +Database prod\/a$/);
    assert.match(lines[2] ?? "", /^#5 .* Database prod\/a {2}done already: tell$/);
    const json = (await scene.replay("test", "--from", "3", "--to", "4", "--dry-run", "--json")).out.trimEnd();
    assert.deepEqual([JSON.parse(json).sequence, JSON.parse(json).stepsDone], [3, ["tell"]]);
    assert.equal(effects.length, 2);
    assert.equal(scene.running.status().done, 3);
  });

  test("runs them at a pace and in order, without the steps that are done, unless --again says so", async (t) => {
    const effects: string[] = [];
    const ran: string[] = [];
    const scene = await startScene(t, async ({ step, object, replay }) => {
      const { name } = object.metadata;
      if (replay !== undefined) ran.push(`${name}${replicasOf(object)}`);
      await step("tell", () => void effects.push(name));
    });
    if (scene === undefined) return;
    const { code, out, err } = await scene.replay("test", "--from", "1h", "--rate", "500");
    assert.equal(code, 0, err);
    assert.match(out, /^✔ 6 events replayed to test \(run [0-9a-f]{8}\)\n$/);
    assert.match(err, /^6 events to replay to test\. Run [0-9a-f]{8}\.\n$/);
    const of = (name: string) => ran.filter((each) => each.startsWith(name));
    assert.deepEqual([of("a"), of("b"), effects.length], [["a1", "a2", "a3"], ["b1", "b2", "b3"], 6]);
    const again = await scene.replay("test", "--from", "5", "--again", "--json");
    const { run } = JSON.parse(again.out);
    assert.deepEqual(
      { ...JSON.parse(again.out), run: "" },
      {
        ...{ subscription: "test", run: "", again: true, ordered: 2, waiting: 0, deadLetters: [], stopped: false },
      },
    );
    assert.equal(effects.length, 8);
    assert.equal((await scene.replay("test", "--from", "5", "--again", run)).code, 0);
    assert.equal(effects.length, 8, "a run that goes on repeats nothing");
  });

  test("says what failed, and where to look", async (t) => {
    let isOpen = true;
    const scene = await startScene(t, async ({ object }) => {
      if (!isOpen && object.metadata.name === "b") throw new PermanentError("no such channel");
    });
    if (scene === undefined) return;
    isOpen = false;
    const { code, out } = await scene.replay("test", "--from", "5");
    assert.equal(code, 1);
    assert.match(out, /✖ #6 failed, and is dead letter 1 now: no such channel\n✔ 1 event replayed to test/);
  });

  test("leaves what waits to the next process, refuses another one beside it, and can be called off", async (t) => {
    const scene = await startScene(t, async () => undefined);
    if (scene === undefined) return;
    await scene.running.stop();
    const { code, out, err } = await scene.replay("test", "--from", "3", "--to", "4");
    assert.deepEqual([code, out], [0, "! 2 events not run yet: kept for 30 days\n"]);
    assert.match(err, /no process runs test now/);
    const second = await scene.replay("test", "--from", "1h");
    assert.equal(second.code, 1);
    assert.match(
      second.err,
      /a replay of test is under way \(run [0-9a-f]{8}, 2 events left\): let it end, or call it off/,
    );
    assert.equal((await scene.replay("test", "--cancel")).out, "2 events called off\n");
    assert.equal((await waitingReplays(scene.jetStream, "test")).size, 0);
  });

  test("leaves out what the subscription is not through with", async (t) => {
    const gate = Promise.withResolvers<undefined>();
    const scene = await startScene(t, async ({ object }) => {
      if (replicasOf(object) === 4) await gate.promise;
    });
    if (scene === undefined) return;
    await scene.publish(scaled("a", 4));
    await until(async () => (await scene.consumer()).num_ack_pending === 1);
    const { err } = await scene.replay("test", "--from", "6", "--dry-run");
    gate.resolve(undefined);
    assert.match(err, /^1 event would run; 1 event not, because the subscription is not through with them/);
  });

  test("repeats nothing and keeps the order when its processes are killed in the middle", async (t) => {
    const rig = await startRig(t);
    if (rig === undefined) return;
    const folder = createDataFolder("replay");
    t.after(() => folder.remove());
    const file = join(folder.path, "ledger");
    writeFileSync(file, "");
    const replicas = Array.from({ length: 12 }, (_, index) => index + 1);
    for (const each of replicas) await rig.publish(scaled("a", each), scaled("b", each), scaled("c", each));
    const config = {
      nats: { servers: [rig.nats.url] },
      subscriptions: [
        {
          ...{ name: "test", function: "./tell.ts", apiVersion: "demo.example.com/v1", kind: "Database", start: "all" },
          config: { file },
        },
      ],
    };
    const files = { "tell.ts": TELL };
    const lines = () => readFileSync(file, "utf8").trimEnd().split("\n").filter(Boolean);
    const first = await startFunctionProcess(t, { config, files });
    await until(() => lines().length === 2 * 36);
    await rig.untilAcked();
    writeFileSync(file, "");
    const replaying = runCli(["replay", "test", "--from", "1", "--again"], { url: rig.nats.url });
    await until(() => lines().length >= 20);
    await first.kill("SIGKILL");
    await startFunctionProcess(t, { config, files });
    const { code, out, err } = await replaying;
    const run = /Run (\w+)\./.exec(err)?.[1] ?? "";
    if (out.includes("not run yet")) await until(async () => (await waitingReplays(rig.jetStream, "test")).size === 0);
    assert.equal(code, 0, out + err);
    const effects = lines().filter((line) => line.startsWith("effect"));
    for (const name of ["a", "b", "c"]) {
      const own = lines().flatMap((line) => (line.startsWith(`begun ${name} `) ? [Number(line.split(" ")[2])] : []));
      assert.deepEqual([...new Set(own)], replicas, `${name} in order, whatever was begun twice`);
      assert.deepEqual(
        own,
        own.toSorted((one, other) => one - other),
        `${name} is never overtaken`,
      );
    }
    const keys = effects.map((line) => line.split(" ")[1]);
    assert.ok(keys.every((key) => key?.endsWith(`/tell@${run}`)));
    assert.equal(new Set(keys).size, 36);
    assert.ok(keys.length - 36 <= 3, "only what was in the receiver's hands when the process was killed");
  });

  const mistakes: { name: string; args: string[]; problem: RegExp }[] = [
    { name: "no beginning", args: ["test"], problem: /say where to begin: --from 2h/ },
    { name: "a place that is none", args: ["test", "--from", "-1"], problem: /Expected a time .*how long ago/ },
    { name: "a rate that is none", args: ["test", "--from", "1", "--rate", "0"], problem: /Expected events a second/ },
    { name: "two meanings", args: ["test", "--from", "1", "--cancel"], problem: /'--cancel' cannot be used with/ },
  ];
  for (const { name, args, problem } of mistakes) {
    test(`${name} ends with exit code 2 and says what to do`, async () => {
      const { code, err } = await runCli(["replay", ...args]);
      assert.equal(code, 2);
      assert.match(err, problem);
    });
  }

  test("of a subscription that never ran names those that did", async (t) => {
    const scene = await startScene(t, async () => undefined);
    if (scene === undefined) return;
    const { code, err } = await scene.replay("tets", "--from", "1h");
    assert.equal(code, 2);
    assert.match(
      err,
      /no process has run a subscription "tets" on this NATS \(did you mean "test"\?\): there are test/,
    );
  });
});

/** A user's function: says when it begins, and has one effect in a step. */
const TELL = `
import { appendFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { defineFunction } from ${JSON.stringify(pathToFileURL(join(import.meta.dirname, "../../functions/door.ts")).href)};
import { z } from ${JSON.stringify(import.meta.resolve("zod"))};

export default defineFunction({
  name: "tell",
  description: "Writes down what it does.",
  config: z.strictObject({ file: z.string() }),
  async run({ object, config, step, replay }) {
    const tell = (text: string) => appendFileSync(config.file, text + "\\n");
    tell("begun " + object.metadata.name + " " + (object.spec as { replicas: number }).replicas);
    await step("tell", async ({ idempotencyKey }) => {
      tell("effect " + idempotencyKey);
      if (replay !== undefined) await sleep(20);
    });
  },
});
`;
