/** `cr-reactor record` as people run it: what it writes is what testFunction reads, and has nothing secret in it. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { z } from "zod";
import { beforeOf } from "../../bridge/event/change.ts";
import { opOf, parseEnvelope } from "../../bridge/event/envelope.ts";
import { defineFunction } from "../../functions/kit/define.ts";
import { testFunction } from "../../functions/kit/testing/test-function.ts";
import { startRig } from "../functions/kit/delivery/rig.ts";
import { created, type DatabaseFields, deleted, updated } from "../functions/kit/event-factory.ts";
import { createDataFolder } from "../kit/data-folder.ts";
import { runCli } from "./run-cli.ts";

const PASSWORD = "correct-horse-battery";
const SECRETS = [PASSWORD, "hunter2", "s3cr3t-in-url", "eyJhbGciOiJIUzI1NiJ9", "another-password"];

const spec = (replicas: number, password = PASSWORD) => ({
  replicas,
  adminPassword: password,
  secretName: "orders-credentials",
  env: [
    { name: "DB_PASSWORD", value: "hunter2" },
    { name: "LEVEL", value: "info" },
  ],
  url: "postgres://app:s3cr3t-in-url@db.prod.svc/orders",
  args: [`--password=${password}`, "--verbose"],
  team: "orders-team",
});
const fields = (replicas: number, phase: string, password?: string): DatabaseFields => ({
  phase,
  spec: spec(replicas, password),
  status: {
    message: `login with ${password ?? PASSWORD} failed`,
    jwt: "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2ln",
  },
  metadata: { ownerReferences: [{ apiVersion: "v1", kind: "Shop", name: "corner", uid: "uid-shop-corner" }] },
});

async function startScene(t: TestContext) {
  const rig = await startRig(t);
  if (rig === undefined) return undefined;
  const folder = createDataFolder("record");
  t.after(() => folder.remove());
  await rig.publish(
    created(fields(3, "Running")),
    updated(fields(3, "Running"), fields(5, "Failed")),
    updated(fields(5, "Failed"), fields(5, "Failed", "another-password")),
    deleted(fields(5, "Failed", "another-password")),
    created({ name: "users", namespace: "dev", phase: "Pending" }),
  );
  const output = join(folder.path, "fixtures");
  return {
    ...rig,
    output,
    record: (...args: string[]) => runCli(["record", ...args, "-o", output], { url: rig.nats.url }),
    events: (file: string) =>
      readFileSync(join(output, file), "utf8")
        .trimEnd()
        .split("\n")
        .map((line) => parseEnvelope(line)),
  };
}

const scaled = defineFunction({
  name: "scaled",
  description: "Says that a database failed.",
  config: z.object({}),
  subscription: { apiVersion: "demo.example.com/v1", kind: "Database", when: { phase: { to: "Failed" } } },
  run: async ({ object, before }) =>
    `${object.metadata.name}: ${JSON.stringify(before?.["spec"]) !== JSON.stringify(object["spec"])}`,
});

describe("record", () => {
  test("writes files that testFunction runs as they are, without what looks secret", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const { code, out, err } = await scene.record("--since", "1h");
    assert.equal(code, 0, err);
    const file = join(scene.output, "database-prod-orders.ndjson");
    assert.equal(
      out,
      `${join(scene.output, "database-dev-users.ndjson")}  1 event\n${file}  4 events\n`
        .split("\n")
        .filter(Boolean)
        .toReversed()
        .join("\n")
        .concat("\n"),
    );
    assert.match(err, /Redacted: spec\.adminPassword, .*spec\.env\[0\]\.value.*Look before you commit them\./);
    const text = readFileSync(file, "utf8");
    for (const secret of SECRETS) assert.ok(!text.includes(secret), secret);
    for (const kept of ["orders-credentials", "--verbose", '"info"', "orders-team"])
      assert.ok(text.includes(kept), kept);
    const results = await testFunction(scaled).recorded(file);
    assert.deepEqual(
      results.map(({ outcome, note }) => [outcome, note]),
      [
        ["skipped", undefined],
        ["done", "orders: true"],
        ["skipped", undefined],
        ["skipped", undefined],
      ],
    );
    const [first, second, third] = scene.events("database-prod-orders.ndjson");
    assert.ok(first && second && third);
    assert.deepEqual(
      beforeOf(opOf(second), second.data)?.["spec"],
      first.data.object["spec"],
      "a change fits the state before",
    );
    const marks = [second, third].map(({ data }) => (data.object["spec"] as { adminPassword: string }).adminPassword);
    assert.match(marks.join(" "), /^\(redacted \d+\) \(redacted \d+\)$/);
    assert.notEqual(marks[0], marks[1], "another password is another mark");
    assert.ok(
      third.data.patch?.some(({ path }) => path === "/spec/adminPassword"),
      "and its change is told",
    );
  });

  test("gives other names with --anonymous, the same ones everywhere", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const { code } = await scene.record(
      "Database",
      "--namespace",
      "prod",
      "--since",
      "1h",
      "--anonymous",
      "--redact",
      "spec.team",
    );
    assert.equal(code, 0);
    assert.deepEqual(readdirSync(scene.output), ["database-namespace-1-database-1.ndjson"]);
    const events = scene.events("database-namespace-1-database-1.ndjson");
    for (const event of events) {
      const { metadata, spec } = event.data.object as unknown as {
        metadata: { uid: string; ownerReferences: { name: string; uid: string }[] };
        spec: { team: string; url: string; secretName: string };
      };
      assert.deepEqual([event.name, event.namespace, event.kind], ["database-1", "namespace-1", "Database"]);
      assert.match(event.subject, /^\/apis\/demo\.example\.com\/v1\/namespaces\/namespace-1\/databases\/database-1$/);
      assert.ok(event.id.startsWith(`${metadata.uid}.`));
      assert.equal(metadata.ownerReferences[0]?.name, "shop-1");
      assert.match(spec.team, /^\(redacted/);
      assert.equal(spec.secretName, "database-1-credentials");
    }
    assert.doesNotMatch(JSON.stringify(events), /uid-|corner|\bprod\b/);
    assert.equal(
      (await testFunction(scaled).recorded(join(scene.output, "database-namespace-1-database-1.ndjson")))[1]?.outcome,
      "done",
    );
  });

  test("takes the filter of subscriptions and a number, and overwrites nothing unasked", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const failed = ["--filter", "{ phase: { to: Failed } }", "--since", "1h"];
    assert.equal((await scene.record(...failed)).code, 0);
    assert.equal(scene.events("database-prod-orders.ndjson").length, 1);
    const again = await scene.record(...failed);
    assert.equal(again.code, 1);
    assert.match(again.err, /database-prod-orders\.ndjson is there already: --force overwrites it/);
    const json = JSON.parse((await scene.record("--since", "1h", "--count", "2", "--force", "--json")).out);
    assert.deepEqual([json.files.length, json.files[0].events], [1, 2]);
    const none = await scene.record("Widget", "--since", "1h");
    assert.deepEqual([none.code, none.out], [0, ""]);
    assert.match(none.err, /No such event: nothing was written/);
  });

  const mistakes: { name: string; args: string[]; problem: RegExp }[] = [
    { name: "no folder", args: ["Database"], problem: /required option '-o, --output <folder>'/ },
    { name: "a path that is none", args: ["-o", "x", "--redact", "a[b"], problem: /option '--redact': / },
  ];
  for (const { name, args, problem } of mistakes) {
    test(`${name} ends with exit code 2 and says what to do`, async () => {
      const { code, err } = await runCli(["record", ...args]);
      assert.equal(code, 2, err);
      assert.match(err, problem);
    });
  }

  test("a filter that is none is told with its place", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const { code, err } = await scene.record("--filter", "{ phse: { to: Failed } }", "--since", "1h");
    assert.equal(code, 2);
    assert.match(err, /--filter:1:3 phse: unknown key \(did you mean "phase"\?\)/);
  });
});
