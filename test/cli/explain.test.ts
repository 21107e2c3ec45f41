/** `cr-reactor explain` on recorded events: what a subscription means, and why an event does or does not match. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { stringify } from "yaml";
import { ensureStream, SCHEMAS_BUCKET, StreamSettings, schemasStream } from "../../bridge/nats/stream.ts";
import { kindSchemaKey } from "../../bridge/schema/kind-schema.ts";
import { reduceSchema } from "../../bridge/schema/kind-schema-reduction.ts";
import { distanceOf } from "../../cli/explain-events.ts";
import type { Explanation } from "../../functions/kit/kit.ts";
import { addSilence } from "../../functions/kit/silence/silence-bucket.ts";
import { startRig } from "../functions/kit/delivery/rig.ts";
import { created, deleted, type TestEvent, updated } from "../functions/kit/event-factory.ts";
import { databaseCrd } from "../kit/database-crd.ts";

const CLI = join(import.meta.dirname, "../../cli/main.ts");
const database = {
  apiVersion: "demo.example.com/v1",
  kind: "Database",
  function: "notify-slack",
  config: { webhookUrl: { env: "X" } },
};

async function explain(...args: readonly string[]) {
  const env = { ...process.env, NO_COLOR: "1", NATS_URL: "nats://127.0.0.1:1" };
  const child = spawn(process.execPath, [CLI, "explain", ...args], { env });
  const [out = "", err = ""] = await Promise.all(
    [child.stdout, child.stderr].map(async (stream) => (await Array.fromAsync(stream)).join("")),
  );
  const code = child.exitCode ?? (await new Promise<number | null>((resolve) => child.once("close", resolve)));
  return { code, out, err };
}

function subscriptionsFile(
  t: TestContext,
  subscriptions: readonly object[],
  servers: readonly string[] = [],
  silences: readonly object[] = [],
): string {
  const folder = mkdtempSync(join(tmpdir(), "cr-reactor-explain-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "subscriptions.yaml");
  writeFileSync(file, stringify({ ...(servers.length > 0 && { nats: { servers } }), silences, subscriptions }));
  return file;
}

/** A log in which orders failed, and others did not; and what the kind has. */
async function openScene(t: TestContext, when: object, more: object = {}, silences: readonly object[] = []) {
  const rig = await startRig(t);
  if (rig === undefined) return undefined;
  const events: readonly TestEvent[] = [
    created({ name: "orders", phase: "Running" }),
    created({ name: "carts", phase: "Pending", namespace: "stage" }),
    updated({ name: "orders", phase: "Running" }, { name: "orders", phase: "Failed" }),
    updated(
      { name: "carts", phase: "Pending", namespace: "stage" },
      { name: "carts", phase: "Failed", namespace: "stage" },
    ),
    deleted({ name: "carts", phase: "Failed", namespace: "stage" }),
  ];
  await rig.publish(...events);
  await ensureStream(rig.jetStream, schemasStream(StreamSettings.parse({})));
  const [version] = databaseCrd.spec.versions;
  const schema = {
    version: 1,
    cluster: "lab",
    apiVersion: "demo.example.com/v1",
    kind: "Database",
    plural: "databases",
    namespaced: true,
    phases: ["status.phase"],
    schema: reduceSchema(version?.schema.openAPIV3Schema),
  };
  const key = kindSchemaKey({ cluster: "lab", group: "demo.example.com", version: "v1", kind: "Database" });
  await rig.jetStream.publish(`$KV.${SCHEMAS_BUCKET}.${key}`, JSON.stringify(schema), {});
  const file = subscriptionsFile(t, [{ ...database, name: "failed", when, ...more }], [rig.nats.url], silences);
  return { events, rig, explained: (...args: readonly string[]) => explain("failed", "-s", file, ...args) };
}

const FAILED_IN_PROD = { all: [{ phase: { to: "Failed" } }, { namespaces: ["prod"] }] };

describe("cr-reactor explain", () => {
  test("says when the function is called, and by what that nothing is told apart", async (t) => {
    const more = { throttle: { max: 5, per: "1m", by: "spec.teem" } };
    const scene = await openScene(t, { phase: { to: "Failed" } }, more);
    if (scene === undefined) return;
    const { code, out } = await scene.explained();
    assert.equal(code, 1);
    assert.match(out, /The function is called\n {2}for at most 5 within 1m by spec\.teem; the others wait in NATS/);
    assert.match(out, /✖ throttle\.by: spec\.teem is not in Database .*, so it tells nothing apart/);
  });

  test("says what a subscription means, which events match, and why others nearly do", async (t) => {
    const scene = await openScene(t, FAILED_IN_PROD);
    if (scene === undefined) return;
    const { code, out, err } = await scene.explained();
    assert.equal(code, 0, err);
    assert.match(out, /^failed runs notify-slack\n/);
    assert.match(out, /Filter\n {2}apiVersion: demo\.example\.com\/v1\n {2}kind: Database\n {2}when:\n {4}all:/);
    assert.match(out, /NATS decides\n {2}cr\.\*\.demo_example_com\.Database\.prod\.\*\./);
    assert.match(out, /Schema\n {2}✔ nothing is mistaken, as the cluster lab has the kind/);
    assert.match(out, /Events 1 of all 5 events of the kind match\n✔ #3 .*prod\/orders/);
    const [, missed = ""] = out.split("✖ #4");
    assert.match(
      missed,
      /stage\/carts.*\n {4}✖ all\n {6}✔ phase to Failed: the phase went Pending → Failed\n {6}✖ .*prod.*stage/,
    );
    const order = [...out.matchAll(/#(\d)/g)].map(([, sequence]) => sequence).join("");
    assert.equal(order, "34152", "matches first, then the nearest, the newest of them first");
  });

  test("--count limits the events, --json says the same for machines", async (t) => {
    const scene = await openScene(t, FAILED_IN_PROD);
    if (scene === undefined) return;
    const [found] = JSON.parse((await scene.explained("--count", "2", "--json")).out) as [Record<string, unknown>];
    const { events, ...rest } = found as { events: { sequence: number; id: string; matched: boolean }[] };
    assert.deepEqual(
      events.map(({ sequence, matched }) => [sequence, matched]),
      [
        [3, true],
        [4, false],
      ],
    );
    assert.equal(events[0]?.id, scene.events[2]?.envelope.id);
    const { name, function: function_, scanned, whole, matched, schema } = rest as Record<string, unknown>;
    assert.deepEqual(
      { name, function_, scanned, whole, matched, schema },
      {
        name: "failed",
        function_: "notify-slack",
        scanned: 5,
        whole: true,
        matched: 1,
        schema: { clusters: ["lab"], mistakes: [] },
      },
    );
  });

  test("--event explains one event, by its sequence or its id", async (t) => {
    const scene = await openScene(t, FAILED_IN_PROD);
    if (scene === undefined) return;
    for (const wanted of ["5", scene.events[4]?.envelope.id ?? ""]) {
      const { code, out } = await scene.explained("--event", wanted);
      assert.equal(code, 0);
      assert.match(out, /✖ #5 .*deleted/);
      assert.match(out, /an object that is gone enters no phase/);
    }
    const missing = await scene.explained("--event", "77");
    assert.deepEqual([missing.code, missing.err], [1, "error: the log has no event with the sequence 77\n"]);
    assert.match(
      (await scene.explained("--event", "no-such.1")).err,
      /none of the newest events of Database has the id no-such\.1/,
    );
  });

  test("says which events open an incident and which resolve it", async (t) => {
    const scene = await openScene(t, { phase: { to: "Failed" } }, { resolve: { phase: { to: "Running" } } });
    if (scene === undefined) return;
    const opening = await scene.explained("--event", "3");
    assert.match(opening.out, /\n {4}✔ when: opens an incident, or goes on with it\n {6}✔ phase to Failed: /);
    assert.match(opening.out, /\n {4}✖ resolve: resolves the incident that is open, if one is\n/);
    const resolving = await scene.explained("--event", "5");
    assert.match(
      resolving.out,
      /\n {4}✖ when: opens [\s\S]*\n {4}✔ resolve: resolves [\s\S]*✔ op deleted: it was deleted/,
    );
    assert.match(resolving.out, /\.deleted\.\*/);
  });

  test("says which silences are in front of it, and which cannot work", async (t) => {
    const window = { cron: "0 2 * * *", zone: "UTC", for: "1m" };
    const asked = { annotation: "example.com/quiet", reason: "as they say" };
    const scene = await openScene(t, FAILED_IN_PROD, {}, [
      { name: "nightly", window, subscriptions: "other" },
      { name: "muted", ...asked },
      { name: "muted-namespaces", ...asked, of: "namespace" },
    ]);
    if (scene === undefined) return;
    const ends = new Date(Date.now() + 3_600_000).toISOString();
    const made = {
      version: 1,
      reason: "a move",
      by: "me",
      begins: new Date(0).toISOString(),
      ends,
      summary: false,
    } as const;
    const id = await addSilence(scene.rig.jetStream, made, new AbortController().signal);
    const { code, out } = await scene.explained();
    assert.equal(code, 0);
    const lines = out.slice(out.indexOf("\nSilences\n")).split("\n").slice(2, 6);
    assert.deepEqual(lines, [
      `  ! ${id} holds its events back now, those that it is about: a move`,
      "  ✔ muted holds back where an annotation or a label says so: as they say",
      "  ! muted-namespaces no bridge captures Namespaces, so it silences nothing: add { apiVersion: v1, kind: Namespace } to the bridge's resources: as they say",
      "",
    ]);
  });

  test("a path that the kind does not have is told, with exit code 1", async (t) => {
    const scene = await openScene(t, { field: { path: "spec.replcas" } });
    if (scene === undefined) return;
    const { code, out } = await scene.explained();
    assert.equal(code, 1);
    assert.match(
      out,
      /✖ when\.field: spec\.replcas is not in Database demo\.example\.com\/v1 \(did you mean "spec\.replicas"\?\), so it never holds/,
    );
  });

  test("a log without events is no trouble: the bridge has just started", async (t) => {
    const rig = await startRig(t);
    if (rig === undefined) return;
    const file = subscriptionsFile(t, [{ ...database, name: "failed", when: { phase: {} } }], [rig.nats.url]);
    const { code, out, err } = await explain("failed", "-s", file);
    assert.deepEqual([code, err], [0, ""]);
    assert.match(out, /0 events of the kind match\n {2}there is none in the log/);
  });

  test("a NATS that does not answer is said, and the rest all the same", async (t) => {
    const file = subscriptionsFile(t, [{ ...database, name: "failed", when: FAILED_IN_PROD }], ["nats://127.0.0.1:1"]);
    const { code, out } = await explain("failed", "-s", file);
    assert.equal(code, 0);
    assert.match(out, /NATS decides\n {2}cr\./);
    assert.match(out, /--offline leaves it out$/m);
    assert.equal((await explain("failed", "-s", file, "--event", "3")).code, 1);
  });

  test("a filter that can never match has exit code 1, also offline", async (t) => {
    const file = subscriptionsFile(t, [
      { ...database, name: "never", when: { all: [{ created: true }, { deleted: true }] } },
    ]);
    const { code, out } = await explain("never", "-s", file, "--offline");
    assert.equal(code, 1);
    assert.match(out, /✖ nothing: its parts exclude each other/);
  });

  test("a function's own subscription needs no file", async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "cr-reactor-explain-"));
    t.after(() => rmSync(folder, { recursive: true }));
    const path = join(folder, "mine.ts");
    const zod = join(import.meta.dirname, "../../node_modules/zod/index.js");
    const door = join(import.meta.dirname, "../../functions/door.ts");
    writeFileSync(
      path,
      `import { defineFunction, defineKind } from ${JSON.stringify(door)};
import { z } from ${JSON.stringify(zod)};
const Database = defineKind({ apiVersion: "demo.example.com/v1", kind: "Database", schema: z.object({ spec: z.object({ replicas: z.number() }) }) });
export default defineFunction({ name: "mine", description: "Mine.", config: z.strictObject({ needed: z.string() }), resource: Database,
  when: Database.field({ path: "spec.replicas", increased: true }), async run() {} });
`,
    );
    const { code, out, err } = await explain(path, "--offline");
    assert.equal(code, 0, err);
    assert.match(out, /^mine\n/);
    assert.match(out, /field:\n {6}path: spec\.replicas\n {6}increased: true/);
  });

  const mistakes = [
    { name: "no name", args: [], code: 2, expected: /missing required argument 'name'/ },
    { name: "an unknown function", args: ["notfy-slack"], code: 2, expected: /did you mean "notify-slack"/ },
    {
      name: "a function that needs a file",
      args: ["notify-slack"],
      code: 2,
      expected: /does not say what it reacts to/,
    },
    { name: "too many events", args: ["x", "--count", "5000"], code: 2, expected: /Expected at most 1000/ },
    {
      name: "an event without NATS",
      args: ["x", "--offline", "--event", "1"],
      code: 2,
      expected: /cannot be used with option/,
    },
  ];
  for (const { name, args, code, expected } of mistakes) {
    test(`${name}: what to do`, async () => {
      const found = await explain(...args);
      assert.equal(found.code, code);
      assert.match(found.err, expected);
    });
  }
});

describe("how far an event is from matching", () => {
  const leaf = (holds: Explanation["holds"]): Explanation => ({
    type: "clause",
    holds,
    wanted: "",
    found: "",
    parts: [],
  });
  const node = (type: "all" | "any" | "not", holds: boolean, ...parts: Explanation[]): Explanation => ({
    type,
    holds,
    wanted: type,
    found: "",
    parts,
  });
  const rows = [
    { name: "it matches", explanation: node("all", true, leaf(true)), expected: 0 },
    {
      name: "each part of all counts",
      explanation: node("all", false, leaf(false), leaf(true), leaf("undecided")),
      expected: 2,
    },
    {
      name: "the nearest part of any counts",
      explanation: node("any", false, node("all", false, leaf(false), leaf(false)), leaf(false)),
      expected: 1,
    },
    { name: "not is one", explanation: node("not", false, node("all", true, leaf(true), leaf(true))), expected: 1 },
  ];
  for (const { name, explanation, expected } of rows) test(name, () => assert.equal(distanceOf(explanation), expected));
});
