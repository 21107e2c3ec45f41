/** `cr-reactor silence` as people run it, on a real nats-server, with a subscription that runs. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { startRig } from "../functions/kit/delivery/rig.ts";
import { createHistory } from "../functions/kit/timer/history.ts";
import { spawnOwned } from "../kit/owned-child.ts";
import { until } from "../kit/until.ts";

const CLI = join(import.meta.dirname, "../../cli/main.ts");

/** Runs the command to its end. */
async function run(args: readonly string[], url = "nats://127.0.0.1:1") {
  const env = { ...process.env, NO_COLOR: "1", NATS_URL: url };
  const child = spawnOwned(process.execPath, [CLI, ...args], { env });
  const closed = new Promise<number | null>((resolve) => child.once("close", resolve));
  const [out = "", err = ""] = await Promise.all(
    [child.stdout, child.stderr].map(async (stream) => (await Array.fromAsync(stream)).join("")),
  );
  assert.doesNotMatch(out + err, /\n\s+at /, "no stack");
  return { code: await closed, out, err };
}

async function startScene(t: TestContext) {
  const rig = await startRig(t);
  if (rig === undefined) return undefined;
  const calls: string[] = [];
  const running = rig.start(async ({ event }) => void calls.push(event.name), {
    name: "database-failed",
    when: { phase: { to: "Failed" } },
    silences: [],
  });
  return {
    ...rig,
    calls,
    running,
    cli: (...args: string[]) => run(["silence", ...args], rig.nats.url),
    status: () => run(["status"], rig.nats.url),
  };
}
const failed = (name: string, namespace = "prod") => createHistory(name).moved("Failed", { namespace });

describe("silence", () => {
  test("as one line says it: says what it would have held back, holds back, shows it, and tells it when it is ended", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const { running, cli, calls } = scene;
    await scene.publish(failed("before"), failed("elsewhere", "dev"));
    await until(() => running.status().done === 2);
    const filter = "{kind: Database, phase: {to: Failed}, namespaces: prod}";
    const made = await cli(filter, "--for", "2h", "--reason", "moving the storage", "--by", "me", "--summary");
    assert.equal(made.code, 0, made.err);
    const id = made.out.trim();
    assert.match(id, /^[a-z0-9]{6}$/);
    assert.match(made.err, /held back: database-failed 1 of 2\n/);
    await until(() => running.status().silences.includes(id));
    await scene.publish(failed("orders"), failed("users"), failed("users2", "dev"));
    await until(() => running.status().silenced === 2 && running.status().done === 3);

    const list = await cli("list");
    assert.match(list.out, new RegExp(`^ID +STATE +ENDS \\(UTC\\) +HELD BACK +WHAT +WHY\n${id} +on +20`));
    assert.match(list.out, /2 events of 2 objects, 2 to tell {2}\{ kind: Database, .*moving the storage \(me\)/);
    assert.match((await scene.status()).out, new RegExp(`\n${id} +on .*moving the storage`));
    const shown = await cli("show", id);
    assert.match(
      shown.out,
      /database-failed: 2 events of 2 objects\n.*Database prod\/(orders|users), 1 event, the last is #\d/,
    );
    const json = JSON.parse((await cli("show", id, "--json")).out);
    assert.deepEqual([json.state, json.silence.reason, json.heldBack[0].events], ["on", "moving the storage", 2]);

    const ended = await cli("end", id);
    assert.deepEqual([ended.code, ended.out], [0, `${id}: ended; what it held back is told now\n`]);
    await until(() => running.status().done === 5);
    assert.deepEqual(calls.slice(3).toSorted(), ["orders", "users"]);
    assert.match((await cli("end", id)).out, /it was over already/);
    await until(async () => JSON.parse((await cli("show", id, "--json")).out).heldBack[0].told === 2);
    assert.match((await cli("list")).err, /^0 silences on, 1 known\.\n$/);
    assert.doesNotMatch((await scene.status()).out, new RegExp(id));
  });

  test("takes options instead of a filter, and both together; a try leaves nothing behind", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const { cli } = scene;
    const options = ["--for", "30m", "--reason", "upgrade", "--json"];
    const many = [
      "--subscription",
      "database-*",
      "other",
      "-n",
      "prod",
      "--name",
      "o*",
      "--label",
      "tier=gold",
      "quiet",
    ];
    const tried = await cli(...options, ...many, "--phase", "Failed", "--dry-run");
    assert.equal(tried.code, 0, tried.err);
    const { subscriptions, when } = JSON.parse(tried.out);
    assert.deepEqual(subscriptions, ["database-*", "other"]);
    assert.deepEqual(when, {
      namespaces: ["prod"],
      names: ["o*"],
      labels: { tier: "gold", quiet: "*" },
      phase: { to: ["Failed"] },
    });
    assert.equal((await cli("list", "--json")).out, "");
    const both = JSON.parse(
      (await cli("{op: deleted}", "-n", "dev", "--begins", "2126-01-01T00:00:00Z", ...options)).out,
    );
    assert.deepEqual(both.when, { all: [{ op: "deleted" }, { namespaces: ["dev"] }] });
    assert.deepEqual([both.begins, both.ends], ["2126-01-01T00:00:00.000Z", "2126-01-01T00:30:00.000Z"]);
    assert.equal(JSON.parse((await cli("list", "--json")).out).state, "not yet");
    assert.match((await cli("--all", "--for", "1m", "--reason", "all")).err, /: everything\n/);
  });

  const wrong: readonly { name: string; args: readonly string[]; code: number; problem: RegExp }[] = [
    { name: "nothing to silence", args: ["--for", "2h", "--reason", "x"], code: 2, problem: /say what to silence/ },
    { name: "no time", args: ["--all", "--reason", "x"], code: 2, problem: /--for <duration>' not specified/ },
    { name: "no reason", args: ["--all", "--for", "2h"], code: 2, problem: /--reason <text>' not specified/ },
    { name: "a time too long", args: ["--all", "--for", "31d", "--reason", "x"], code: 2, problem: /at most 30d/ },
    {
      name: "a key that is mistyped",
      args: ["{phse: {to: Failed}}", "--for", "2h", "--reason", "x"],
      code: 2,
      problem: /filter:1:\d+ phse: unknown key \(did you mean "phase"\?\)\n$/,
    },
    {
      name: "a value that is wrong",
      args: ["{kind: Database, phase: {to: 5}}", "--for", "2h", "--reason", "x"],
      code: 2,
      problem: /filter:1:30 phase.to: expected a text or a list/,
    },
    { name: "no map", args: ["Failed", "--for", "2h", "--reason", "x"], code: 2, problem: /expected a map/ },
    { name: "a NATS that is away", args: ["list"], code: 1, problem: /127\.0\.0\.1:1/ },
  ];
  for (const { name, args, code, problem } of wrong) {
    test(`${name} has exit code ${code}, and is said in a sentence`, async () => {
      const result = await run(["silence", ...args]);
      assert.match(result.err, problem);
      assert.equal(result.code, code);
    });
  }

  test("an id that is none has exit code 1, the others are ended", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const { cli } = scene;
    assert.match((await cli("show", "nothing")).err, /there is no silence nothing: it ended more than 7 days ago/);
    const id = (await cli("--all", "--for", "1m", "--reason", "x")).out.trim();
    const ended = await cli("end", "nothing", "a b", id);
    assert.equal(ended.code, 1);
    assert.match(ended.out, new RegExp(`^${id}: ended\n$`));
    assert.match(ended.err, /no silence nothing.*\n.*no silence a b/);
  });
});
