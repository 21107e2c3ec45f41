/** `cr-reactor history` as people run it, on a real nats-server: an object's life, what functions did about it, and what is not known. */
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { objectPart } from "../../bridge/log/subject.ts";
import { PermanentError } from "../../functions/kit/outcome.ts";
import { startRig } from "../functions/kit/delivery/rig.ts";
import {
  created,
  type DatabaseFields,
  deleted,
  existing,
  type TestEvent,
  updated,
} from "../functions/kit/event-factory.ts";
import { until } from "../kit/until.ts";
import { runCli } from "./run-cli.ts";

const at = (seconds: number) => Date.UTC(2026, 0, 1, 12, 0, seconds);

/** A log in which each event names the one before of its object, as the bridge publishes. */
async function startLog(t: TestContext, { eventsPerSubjectMax = 32 } = {}) {
  const rig = await startRig(t, { eventsPerSubjectMax });
  if (rig === undefined) return undefined;
  const last = new Map<string, number>();
  return {
    ...rig,
    async append(...events: readonly TestEvent[]) {
      for (const { subject, payload, envelope } of events) {
        const object = objectPart(subject);
        const { seq } = await rig.jetStream.publish(subject, payload, {
          "Nats-Msg-Id": envelope.id,
          "Nats-Expected-Last-Subject-Sequence": String(last.get(object) ?? 0),
          "Nats-Expected-Last-Subject-Sequence-Subject": `${object}.>`,
        });
        last.set(object, seq);
      }
    },
    history: (...args: string[]) => runCli(["history", ...args], { url: rig.nats.url }),
  };
}

const state = (phase: string, seconds: number, { metadata, ...more }: DatabaseFields = {}): DatabaseFields => ({
  phase,
  seenAtMs: at(seconds),
  metadata: { creationTimestamp: "2026-01-01T12:00:00Z", ...metadata },
  ...more,
});

/** Created, running, failed; the second number is when. */
const life = () => [
  created(state("Pending", 0, { spec: { replicas: 3 } })),
  updated(state("Pending", 0), state("Running", 12)),
  updated(state("Running", 12, { spec: { replicas: 3 } }), state("Running", 60, { spec: { replicas: 5 } })),
  updated(state("Running", 12, { spec: { replicas: 5 } }), state("Failed", 90, { spec: { replicas: 5 } })),
];

describe("history", () => {
  test("tells changes, phases, and what each function did", async (t) => {
    const scene = await startLog(t);
    if (scene === undefined) return;
    const steps = scene.start(
      async ({ step, incident }) => {
        await step("post", () => ({ channel: "C1", permalink: "https://chat.example.com/p/1" }));
        await incident?.remember("thread", { ts: "17.1" });
      },
      { name: "failed", when: { phase: { to: "Failed" } }, resolve: { phase: { to: "Running" } } },
    );
    const refusing = scene.start(
      async () => {
        throw new PermanentError("no such \u001b[31mchannel");
      },
      { name: "refusing", when: { phase: { to: "Failed" } } },
    );
    const silent = scene.start(async () => undefined, { name: "silent", when: { field: { path: "spec.replicas" } } });
    await scene.append(...life());
    await until(() => steps.status().done === 1 && refusing.status().deadLetters === 1 && silent.status().done === 1);
    for (const name of ["failed", "refusing", "silent"]) await scene.untilAcked(name);
    const { code, out } = await scene.history("Database/prod/orders");
    assert.equal(code, 0);
    for (const expected of [
      /^Database prod\/orders {2}demo\.example\.com\/v1 in lab$/m,
      /^phases: Pending .* → Running .* → Failed for \d+ d/m,
      /^The log has all of it\.$/m,
      /^#1 {2}2026-01-01 12:00:00\.000 {2}created +Database prod\/orders {2}none → Pending/m,
      /^ {2}~ spec\.replicas: 3 → 5\n {4}→ silent \(test-function\) {2}asked for it, and left nothing to tell$/m,
      /^#4 .*Running → Failed/m,
      /^ {4}→ failed \(test-function\) {2}post \d\d:\d\d:\d\d {2}\{"channel":"C1"\} {2}https:\/\/chat\.example\.com\/p\/1$/m,
      /^ {4}→ failed \(test-function\) {2}incident opened {2}thread \{"ts":"17\.1"\}$/m,
      /^ {4}✖ refusing \(test-function\) {2}dead letter 1: no such .*channel$/m,
    ])
      assert.match(out, expected);
    assert.ok(!out.includes("\u001b"), "nothing drives the terminal");
    const json = JSON.parse((await scene.history("database", "orders", "-n", "prod", "--json")).out);
    assert.deepEqual(
      json.events.map(({ sequence, deeds }: { sequence: number; deeds: { type: string }[] }) => [
        sequence,
        deeds.map(({ type }) => type).toSorted(),
      ]),
      [
        [1, []],
        [2, []],
        [3, ["matched"]],
        [4, ["dead-letter", "incident", "step"]],
      ],
    );
    assert.deepEqual(
      json.phases.map(({ phase, isNow }: { phase: string; isNow: boolean }) => [phase, isNow]),
      [
        ["Pending", false],
        ["Running", false],
        ["Failed", true],
      ],
    );
  });

  test("shows the object as it was, and says when it was not there", async (t) => {
    const scene = await startLog(t);
    if (scene === undefined) return;
    await scene.append(...life(), deleted(state("Failed", 120, { spec: { replicas: 5 } })));
    const rows: { point: string; out: RegExp; err: RegExp; code: number }[] = [
      { point: "2026-01-01T12:00:30Z", out: /replicas: 3\nstatus:\n {2}phase: Running$/m, err: /^as of #2 /m, code: 0 },
      { point: "3", out: /replicas: 5\nstatus:\n {2}phase: Running$/m, err: /^as of #3 /m, code: 0 },
      { point: "-2", out: /phase: Failed$/m, err: /^as of #4 /m, code: 0 },
      { point: "-1", out: /^$/, err: /not there: it was deleted at 2026-01-01T12:02:00\.000Z \(#5\)/, code: 1 },
      { point: "2026-01-01T11:59:59Z", out: /^$/, err: /not there: it was created at .* \(#1\)/, code: 1 },
      { point: "77", out: /^$/, err: /#77 is no event of this object: the log has 5 of it, #1 to #5/, code: 1 },
    ];
    for (const { point, out, err, code } of rows) {
      const run = await scene.history("Database/prod/orders", "--at", point);
      assert.deepEqual([run.code, point], [code, point], run.err);
      assert.match(run.out, out, point);
      assert.match(run.err, err, point);
    }
    const { out } = await scene.history("Database/prod/orders", "--at", "3", "-o", "json");
    assert.equal(JSON.parse(out).spec.replicas, 5);
  });

  test("says what is different between two points, as a patch and as YAML", async (t) => {
    const scene = await startLog(t);
    if (scene === undefined) return;
    await scene.append(...life());
    const { code, out } = await scene.history("Database/prod/orders", "--diff", "1", "-1");
    assert.equal(code, 0);
    assert.match(
      out,
      /^ {2}~ spec\.replicas: 3 → 5\n {2}~ status\.phase: "Pending" → "Failed"\n\n--- #1 .*\n\+\+\+ #4 /,
    );
    assert.match(
      out,
      /^@@ -\d+,\d+ \+\d+,\d+ @@\n(?: .*\n)+- {2}replicas: 3\n\+ {2}replicas: 5\n status:\n- {2}phase: Pending\n\+ {2}phase: Failed$/m,
    );
    assert.doesNotMatch(out, /resourceVersion/);
    const same = await scene.history("Database/prod/orders", "--diff", "-1", "4");
    assert.deepEqual([same.code, same.out, same.err], [0, "", "nothing is different\n"]);
    const json = JSON.parse((await scene.history("Database/prod/orders", "--diff", "1", "3", "--json")).out);
    assert.equal(json.patch.length, 2);
  });

  test("says what the log has lost, what was before it, and that another object has the name", async (t) => {
    const scene = await startLog(t, { eventsPerSubjectMax: 2 });
    if (scene === undefined) return;
    const replicas = (from: number, seconds: number) =>
      updated(
        state("Running", 0, { spec: { replicas: from } }),
        state("Running", seconds, { spec: { replicas: from + 1 } }),
      );
    await scene.append(existing(state("Running", 0, { spec: { replicas: 1 } })));
    for (const each of [1, 2, 3, 4]) await scene.append(replicas(each, each * 10));
    const again = { metadata: { uid: "uid-2", creationTimestamp: "2026-01-01T12:01:30Z" }, seenAtMs: at(90) };
    await scene.append(
      deleted(state("Running", 80, { spec: { replicas: 5 } })),
      created({ phase: "Pending", ...again }),
    );
    const { out } = await scene.history("Database/orders");
    assert.match(out, /^It was there before the bridge: what was before is not known\.$/m);
    assert.match(out, /⋯ events are missing here: .*\n#4 /);
    assert.match(out, /⋯ another object of this name \(its uid is another one\)\n#7 /);
    assert.equal(out.match(/events are missing/g)?.length, 1);
    const { err } = await scene.history("Database/orders", "--at", "2026-01-01T12:00:15Z");
    assert.match(err, /what happened between #1 and #4 is not all in the log/);
    await scene.jetStream.api("STREAM.PURGE.CR_EVENTS", { seq: 5 });
    const purged = await scene.history("Database/orders");
    assert.match(purged.out, /^The log has no more than this: what was before #5 is gone from it\.$/m);
    const before = await scene.history("Database/orders", "--at", "2026-01-01T12:00:15Z");
    assert.match(before.err, /the log begins later: this is how it was right before #5/);
    assert.match(before.out, /replicas: 4/);
  });

  test("asks which of several objects is meant, and says when there is none", async (t) => {
    const scene = await startLog(t);
    if (scene === undefined) return;
    await scene.append(created({}), created({ namespace: "stage" }), created({ name: "alone", namespace: "" }));
    const several = await scene.history("Database/orders");
    assert.equal(several.code, 1);
    assert.match(several.err, /means several objects: .*prod\/orders in lab, .*stage\/orders in lab; say which/);
    assert.equal((await scene.history("databases/stage/orders")).code, 0);
    assert.match((await scene.history("Database.demo.example.com/alone")).out, /^Database alone /);
    const none = await scene.history("Database/prod/users");
    assert.deepEqual([none.code, none.out], [1, ""]);
    assert.match(none.err, /the log has nothing of Database prod\/users: it is not watched/);
  });

  const mistakes: { name: string; args: string[]; problem: RegExp }[] = [
    {
      name: "a kind alone",
      args: ["Database"],
      problem: /is a kind alone: say which object, such as Database\/prod\/orders/,
    },
    { name: "an object named twice", args: ["Database/orders", "users"], problem: /names the object twice/ },
    {
      name: "two namespaces",
      args: ["Database/prod/orders", "-n", "dev"],
      problem: /is in prod, and --namespace says dev/,
    },
    { name: "too many parts", args: ["a/b/c/d"], problem: /too many parts/ },
    {
      name: "a point that is none",
      args: ["Database/orders", "--at", "soon"],
      problem: /Expected a sequence \(1042\), an id/,
    },
    { name: "one point", args: ["Database/orders", "--diff", "1"], problem: /'--diff' needs two points/ },
  ];
  for (const { name, args, problem } of mistakes) {
    test(`${name} ends with exit code 2 and says what to do`, async () => {
      const { code, err } = await runCli(["history", ...args]);
      assert.equal(code, 2);
      assert.match(err, problem);
    });
  }
});
