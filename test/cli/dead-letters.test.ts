/** `cr-reactor dead-letters` as people run it, on a real nats-server, with a subscription that gave up on events. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { deadLettersStream } from "../../bridge/nats/function-stream.ts";
import { ensureStream, eventsStream, StreamSettings } from "../../bridge/nats/stream.ts";
import { PermanentError } from "../../functions/kit/outcome.ts";
import { type Run, type StartOptions, startRig } from "../functions/kit/delivery/rig.ts";
import * as event from "../functions/kit/event-factory.ts";
import { spawnOwned } from "../kit/owned-child.ts";
import { until } from "../kit/until.ts";

const CLI = join(import.meta.dirname, "../../cli/main.ts");

/** Runs the command to its end. */
async function run(args: readonly string[], url = "nats://127.0.0.1:1") {
  const env = { ...process.env, NO_COLOR: "1", NATS_URL: url };
  const child = spawnOwned(process.execPath, [CLI, "dead-letters", ...args], { env });
  const closed = new Promise<number | null>((resolve) => child.once("close", resolve));
  const [out = "", err = ""] = await Promise.all(
    [child.stdout, child.stderr].map(async (stream) => (await Array.fromAsync(stream)).join("")),
  );
  assert.doesNotMatch(out + err, /\n\s+at /, "no stack");
  return { code: await closed, out, err };
}

const failed = (name: string, namespace = "prod") =>
  event.updated({ name, namespace, phase: "Running" }, { name, namespace, phase: "Failed" });

const refuse: Run = async ({ step }) => {
  await step("open", () => "T-1");
  throw new PermanentError("no such channel \u001b[31m#ops", { cause: new Error("HTTP 404") });
};

/** A stream with three letters: two of `test`, one of `other`. */
async function startScene(t: TestContext) {
  const rig = await startRig(t);
  if (rig === undefined) return undefined;
  await rig.publish(failed("orders"), failed("users", "dev"));
  for (const [name, select, letters] of [
    ["test", {}, 2],
    ["other", { when: { namespaces: ["dev"] } }, 1],
  ] satisfies readonly [string, StartOptions, number][]) {
    const running = rig.start(refuse, { name, ...select, concurrency: 1 });
    await until(() => running.status().deadLetters === letters);
    await rig.untilAcked(name);
    await running.stop();
  }
  return { ...rig, cli: (...args: string[]) => run(args, rig.nats.url) };
}

describe("dead-letters list", () => {
  test("shows what was given up, oldest first, for people and for scripts", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const { code, out, err } = await scene.cli("list");
    assert.equal(code, 0);
    const [head = "", first = "", ...rest] = out.trimEnd().split("\n");
    assert.match(head, /^ID\s+WHEN \(UTC\)\s+SUBSCRIPTION\s+OBJECT\s+TRIES\s+REASON$/);
    assert.match(
      first,
      /^1\s+\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\s+test\s+Database prod\/orders\s+1\s+no such channel .*#ops$/,
    );
    assert.ok(!out.includes("\u001b"), "nothing drives the terminal");
    assert.equal(rest.length, 2);
    assert.match(err, /3 dead letters\. Look at one: cr-reactor dead-letters show 1/);
    const lines = (await scene.cli("list", "--json")).out.trimEnd().split("\n");
    const letters = lines.map((line) => JSON.parse(line));
    assert.deepEqual(
      letters.map(({ id, subscription, attempts, error, causes }) => [id, subscription, attempts, error, causes]),
      [
        [1, "test", 1, "PermanentError", "Error: HTTP 404"],
        [2, "test", 1, "PermanentError", "Error: HTTP 404"],
        [3, "other", 1, "PermanentError", "Error: HTTP 404"],
      ],
    );
  });

  const filters: { name: string; args: string[]; ids: number[] }[] = [
    { name: "a subscription", args: ["--subscription", "other"], ids: [3] },
    { name: "a namespace", args: ["--namespace", "dev"], ids: [2, 3] },
    { name: "a kind, however it is written", args: ["--kind", "database", "-n", "prod"], ids: [1] },
    { name: "a kind that none is of", args: ["--kind", "Widget"], ids: [] },
    { name: "a time", args: ["--since", "1h"], ids: [1, 2, 3] },
  ];
  test("can be narrowed to", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    for (const { name, args, ids } of filters) {
      await t.test(name, async () => {
        const { out, code } = await scene.cli("list", "--json", ...args);
        const found = out.split("\n").filter(Boolean);
        assert.deepEqual([code, found.map((line) => JSON.parse(line).id)], [0, ids]);
      });
    }
  });
});

describe("dead-letters show", () => {
  test("tells the reason with its causes, the tries, the steps that were done, where it is, and the change", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const { code, out } = await scene.cli("show", "1");
    assert.equal(code, 0);
    for (const expected of [
      /^Dead letter 1 .* Database prod\/orders$/m,
      /subscription +test \(function test-function\)/,
      /reason +PermanentError: no such channel .*#ops/,
      /caused by +Error: HTTP 404/,
      /tried +once, from 20\d\d-.*Z to 20\d\d-.*Z/,
      /steps +open done/,
      /letter +CR_DEAD_LETTERS, sequence 1/,
      /event +CR_EVENTS, sequence 1, cr\.lab\./,
      /id +uid-prod-orders\.\d+/,
      /Running → Failed/,
      /→ cr-reactor dead-letters retry 1, or drop 1/,
    ])
      assert.match(out, expected);
    assert.ok(!out.includes("\u001b"));
    const shown = JSON.parse((await scene.cli("show", "1", "--json")).out);
    assert.equal(shown.event.phase, "Failed");
    assert.deepEqual(shown.steps, [{ step: "open", state: "done" }]);
  });

  test("says so when there is none of that number, or its event is none", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const absent = await scene.cli("show", "99");
    assert.deepEqual([absent.code, absent.out], [1, ""]);
    assert.match(absent.err, /there is no dead letter 99: it was dropped, tried again with success, or/);
    await scene.publish({ subject: failed("broken").subject, payload: "{ not json" });
    const running = scene.start(refuse);
    await until(() => running.status().deadLetters === 1);
    const { code, out } = await scene.cli("show", "4");
    assert.equal(code, 0);
    assert.match(out, /tried +never: it was refused before/);
    assert.match(out, /The event cannot be shown: the message is not JSON/);
  });
});

describe("dead-letters retry", () => {
  test("says what became of each: succeeded, failed again, or is not there", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const ran: string[] = [];
    scene.start(async ({ object }) => {
      ran.push(object.metadata.name);
      if (object.metadata.name === "users") throw new PermanentError("still no channel");
    });
    await until(async () => (await scene.jetStream.api<{ total: number }>("CONSUMER.NAMES.CR_RETRIES")).total > 0);
    const { code, out, err } = await scene.cli("retry", "1", "2", "99");
    assert.equal(code, 1);
    const again = await scene.cli("retry", "4", "--json");
    assert.deepEqual(
      [again.code, JSON.parse(again.out)],
      [1, { id: 4, result: "replaced", by: 5, reason: "still no channel" }],
    );
    assert.match(out, /✔ 1: succeeded\n✖ 2: failed again, and is dead letter 4 now: still no channel/);
    assert.match(err, /there is no dead letter 99/);
    assert.deepEqual(ran.toSorted(), ["orders", "users", "users"]);
    const { out: left } = await scene.cli("list", "--json");
    assert.deepEqual(
      left
        .trimEnd()
        .split("\n")
        .map((line) => [JSON.parse(line).id, JSON.parse(line).retryOf]),
      [
        [3, undefined],
        [5, 4],
      ],
    );
  });

  test("of all letters of a subscription leaves those of others alone", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    scene.start(async () => undefined);
    await until(async () => (await scene.jetStream.api<{ total: number }>("CONSUMER.NAMES.CR_RETRIES")).total > 0);
    const { code, out } = await scene.cli("retry", "--all", "--subscription", "test", "--wait", "30");
    assert.deepEqual([code, out], [0, "✔ 1: succeeded\n✔ 2: succeeded\n"]);
    assert.match((await scene.cli("list", "--json")).out, /^\{"id":3,/);
  });

  test("waits for a process that is not there yet, and says so", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const { code, out, err } = await scene.cli("retry", "1");
    assert.deepEqual([code, out], [0, ""]);
    assert.match(err, /1 order not carried out yet: kept for 30 days; no process runs test now/);
    assert.match((await scene.cli("show", "1")).out, /retry +ordered: it waits for a process/);
    const running = scene.start(async () => undefined);
    await until(() => running.status().done === 1);
  });
});

describe("dead-letters drop", () => {
  test("removes what is named, and only with a yes", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const unasked = await scene.cli("drop", "1");
    assert.equal(unasked.code, 2);
    assert.match(unasked.err, /nobody can be asked here: .* say --yes/);
    const { code, out } = await scene.cli("drop", "1", "3", "--yes");
    assert.deepEqual([code, out], [0, "2 dead letters dropped.\n"]);
    assert.equal((await scene.cli("drop", "1", "--yes")).code, 1);
    assert.match((await scene.cli("list", "--json")).out, /^\{"id":2,[^\n]*\n$/);
    assert.equal((await scene.cli("drop", "--all", "--subscription", "test", "--yes")).out, "1 dead letter dropped.\n");
  });
});

describe("dead-letters", () => {
  const mistakes: { name: string; args: string[]; problem: RegExp }[] = [
    { name: "a number that is none", args: ["show", "x"], problem: /Expected a number of the list/ },
    { name: "nothing to try again", args: ["retry"], problem: /say which: their numbers/ },
    { name: "all of everything", args: ["retry", "--all"], problem: /'--all' needs --subscription/ },
    { name: "numbers and all", args: ["drop", "1", "--all", "--subscription", "x"], problem: /not both/ },
    { name: "a filter beside numbers", args: ["retry", "1", "--since", "1h"], problem: /'--since' needs --all/ },
  ];
  for (const { name, args, problem } of mistakes) {
    test(`${name} ends with exit code 2 and says what to do`, async () => {
      const { code, err } = await run(args);
      assert.equal(code, 2);
      assert.match(err, problem);
    });
  }

  test("without NATS, or without the stream, says what to do", async (t) => {
    const unreachable = await run(["list"]);
    assert.equal(unreachable.code, 1);
    assert.match(unreachable.err, /no connection to NATS at nats:\/\/127\.0\.0\.1:1/);
    const rig = await startRig(t, { withLog: false });
    if (rig === undefined) return;
    for (const args of [["list"], ["show", "1"], ["retry", "1"], ["drop", "1", "--yes"]]) {
      const { code, err } = await run(args, rig.nats.url);
      assert.equal(code, 1, args[0] ?? "");
      assert.match(err, /there is no stream CR_DEAD_LETTERS on this NATS|there is no dead letter 1/);
    }
  });

  test("an event that was too large for its letter is tried again from the log, and told when it is gone", async (t) => {
    const rig = await startRig(t);
    if (rig === undefined) return;
    const { jetStream } = rig;
    await ensureStream(jetStream, eventsStream(StreamSettings.parse({})));
    await ensureStream(jetStream, deadLettersStream(StreamSettings.parse({})));
    const large = event.created({ name: "large", spec: { text: "x".repeat(1_035_000) } });
    await rig.publish(large);
    const running = rig.start(async ({ attempt }) => {
      if (attempt === 1 && running.status().deadLetters === 0) throw new PermanentError("no");
    });
    await until(() => running.status().deadLetters === 1);
    await rig.untilAcked();
    assert.match((await run(["show", "1"], rig.nats.url)).out, /Database prod\/large/);
    assert.equal((await run(["retry", "1"], rig.nats.url)).out, "✔ 1: succeeded\n");
    await running.stop();
    await rig.publish(large);
    const again = rig.start(refuse);
    await until(() => again.status().deadLetters === 1);
    await rig.untilAcked();
    await jetStream.api("STREAM.PURGE.CR_EVENTS");
    const { code, err } = await run(["retry", "2"], rig.nats.url);
    assert.equal(code, 1);
    assert.match(err, /dead letter 2 cannot be tried again: its event was too large/);
    assert.match((await run(["show", "2"], rig.nats.url)).out, /and the log has it no more/);
  });
});
