import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { connectJetStream } from "../../bridge/nats/jetstream.ts";
import { ensureStream, eventsStream, StreamSettings } from "../../bridge/nats/stream.ts";
import { eventAbout, keyOf, largeObject, startLargeRig } from "../bridge/large-event.ts";
import { updated } from "../functions/kit/event-factory.ts";
import { needNats } from "../kit/shared-kube.ts";

const CLI = join(import.meta.dirname, "../../cli/main.ts");

/** Runs the command line to its end. */
async function cli(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const child = spawn(process.execPath, [CLI, ...args], {
    env: { ...process.env, NO_COLOR: "1", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [out, err] = await Promise.all(
    [child.stdout, child.stderr].map(async (stream) => (await Array.fromAsync(stream)).join("")),
  );
  const code = child.exitCode ?? (await new Promise<number | null>((resolve) => child.once("close", resolve)));
  return { code, out: out ?? "", err: err ?? "" };
}

function temporaryFile(t: TestContext, name: string, text: string): string {
  const folder = mkdtempSync(join(tmpdir(), "cr-reactor-cli-"));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, name), text);
  return join(folder, name);
}

describe("the command line", () => {
  for (const command of [
    "",
    "bridge",
    "run",
    "explain",
    "serve",
    "new",
    "tail",
    "doctor",
    "verify",
    "schema",
    "types",
    "api-server",
    "demo",
    "dev",
    "dead-letters",
  ]) {
    test(`${command || "cr-reactor"} --help explains itself with an example`, async () => {
      const { code, out } = await cli([...(command ? [command] : []), "--help"]);
      assert.equal(code, 0);
      assert.match(out, /Usage: cr-reactor/);
      assert.match(out, /\$ cr-reactor /);
    });
  }

  test("ends in peace when its reader has seen enough", async () => {
    const child = spawn(process.execPath, [CLI, "schema", "event"], { stdio: ["ignore", "pipe", "pipe"] });
    child.stdout.destroy();
    const closed = new Promise<number | null>((resolve) => child.once("close", resolve));
    assert.equal((await Array.fromAsync(child.stderr)).join(""), "");
    assert.equal(await closed, 0);
  });

  const mistakes = [
    { name: "an unknown command", args: ["tial"], expected: /unknown command 'tial'[\s\S]*Did you mean tail/ },
    {
      name: "an unknown option",
      args: ["tail", "--jsn"],
      expected: /unknown option '--jsn'[\s\S]*Did you mean --json/,
    },
    { name: "a missing option", args: ["bridge"], expected: /required option '-c, --config <file>'/ },
    {
      name: "a duration without a unit",
      args: ["tail", "--since", "10"],
      expected: /Expected a number and a unit: 30s, 10m, 2h or 7d/,
    },
    { name: "a count that is none", args: ["tail", "--count", "0"], expected: /whole number of at least 1/ },
  ];
  for (const { name, args, expected } of mistakes) {
    test(`${name} ends with exit code 2 and says what to do`, async () => {
      const { code, err } = await cli(args);
      assert.equal(code, 2);
      assert.match(err, expected);
      assert.doesNotMatch(err, /\n\s+at /, "no stack");
    });
  }

  test("a configuration file that does not exist is named", async () => {
    const { code, err } = await cli(["bridge", "--config", "nowhere.yaml"]);
    assert.deepEqual([code, err.trim()], [2, "error: nowhere.yaml does not exist: check the path"]);
  });

  test("mistakes in a configuration file come with file, line and field, all at once", async (t) => {
    const file = temporaryFile(t, "bridge.yaml", "cluster: Dev\nresource: []\n");
    const { code, err } = await cli(["bridge", "--config", file]);
    assert.equal(code, 2);
    assert.match(err, /bridge\.yaml:1:10 cluster: expected/);
    assert.match(err, /bridge\.yaml:2:1 resource: unknown key \(did you mean "resources"\?\)/);
  });

  test("no cluster to be found ends the bridge with where to say it, at once", async (t) => {
    const file = temporaryFile(
      t,
      "bridge.yaml",
      "cluster: dev\nresources: [{ apiVersion: demo.example.com/v1, kind: Database }]\nhealth: { port: 0 }\n",
    );
    const { code, err } = await cli(["bridge", "--config", file], { HOME: "/nowhere", KUBECONFIG: "" });
    assert.equal(code, 1);
    assert.match(err, /error: no kubeconfig was found: set KUBECONFIG or kubernetes\.kubeconfig/);
  });

  test("an unknown function is named with its line and the known ones", async (t) => {
    const file = temporaryFile(
      t,
      "subs.yaml",
      "subscriptions:\n  - { name: a, function: notify-slak, apiVersion: v1, kind: Pod }\n",
    );
    const { code, err } = await cli(["run", "--subscriptions", file]);
    assert.equal(code, 2);
    assert.match(err, /subs\.yaml:2:\d+ .*"notify-slak".*did you mean "notify-slack"/);
  });

  test("run without a file runs what is named, and says so when nothing is", async (t) => {
    const { code, err } = await cli(["run"]);
    assert.deepEqual([code, err], [2, "error: nothing to run: name functions, or give a subscriptions file\n"]);
    const kit = JSON.stringify(import.meta.resolve("../../functions/kit/kit.ts"));
    const zod = JSON.stringify(import.meta.resolve("zod"));
    const path = temporaryFile(
      t,
      "own.ts",
      `import { defineFunction } from ${kit}; import { z } from ${zod};
       export default defineFunction({ name: "own", description: "", config: z.object({ url: z.url() }),
         subscription: { apiVersion: "v1", kind: "Pod" }, run: async () => {} });`,
    );
    const own = await cli(["run", path]);
    assert.equal(own.code, 2, "it was looked at, and needs a setting");
    assert.match(own.err, /function "?own"?.*url|subscription "own".*url/);
  });

  test("a name that no subscription has is a mistake of the command", async (t) => {
    const entry = "{ name: a, function: audit-log, apiVersion: v1, kind: Pod }";
    const file = temporaryFile(t, "subs.yaml", `subscriptions: [${entry}]\n`);
    const { code, err } = await cli(["run", "audit-lgo", "--subscriptions", file]);
    assert.equal(code, 2);
    assert.match(err, /no subscription is called "audit-lgo".*did you mean "audit-log"/);
  });

  test("a mistake in the syntax of a function is told with its line", async (t) => {
    const path = temporaryFile(t, "broken.ts", "const a = 1;\nexport default { a;\n");
    const file = temporaryFile(
      t,
      "subs.yaml",
      `subscriptions: [{ name: a, function: ${path}, apiVersion: v1, kind: Pod }]\n`,
    );
    const { code, err } = await cli(["run", "--subscriptions", file]);
    assert.equal(code, 2);
    assert.ok(err.includes(`"${path}" cannot be loaded: ${path}:2: `), err);
  });

  test("serve ends when its port is taken, also with a NATS that it is connected to", async (t) => {
    const nats = await needNats(t);
    if (nats === undefined) return;
    const other = createServer().listen(0, "127.0.0.1");
    t.after(() => other.close());
    await once(other, "listening");
    const file = temporaryFile(
      t,
      "subs.yaml",
      "subscriptions: [{ name: a, function: audit-log, apiVersion: v1, kind: Pod, config: { target: { type: stdout } } }]\n",
    );
    const port = String((other.address() as AddressInfo).port);
    const { code, err } = await cli(["serve", "-s", file, "--port", port], { NATS_URL: nats.url });
    assert.equal(code, 1, err);
    assert.match(err, /cannot listen on 127\.0\.0\.1, port \d+ .*choose another with --host and --port/);
  });

  test("NATS that is not there is said where it was looked for", async () => {
    const { code, err } = await cli(["tail"], { NATS_URL: "nats://user:hunter2@127.0.0.1:1" });
    assert.equal(code, 1);
    assert.match(err, /no connection to NATS at nats:\/\/127\.0\.0\.1:1/);
    assert.doesNotMatch(err, /hunter2/);
  });

  test("an unknown schema is told with the known ones", async () => {
    const { code, err } = await cli(["schema", "brige"]);
    assert.equal(code, 2);
    assert.match(err, /ask for bridge, subscriptions, change, event/);
  });

  for (const what of ["bridge", "subscriptions", "change", "event"]) {
    test(`schema ${what} prints a JSON Schema`, async () => {
      const { code, out } = await cli(["schema", what]);
      assert.equal(code, 0);
      assert.match((JSON.parse(out) as { $schema: string }).$schema, /2020-12/);
    });
  }
});

describe("tail", () => {
  test("without a log says how to get one", async (t) => {
    const nats = await needNats(t);
    if (nats === undefined) return;
    const { code, err } = await cli(["tail"], { NATS_URL: nats.url });
    assert.equal(code, 1);
    assert.match(err, /no stream CR_EVENTS on this NATS: start the bridge first/);
  });

  test("shows what changed from what to what, for people and as JSON, and only the kind that was asked for", async (t) => {
    const nats = await needNats(t);
    if (nats === undefined) return;
    const jetStream = await connectJetStream({ servers: [nats.url] }, "t");
    t.after(() => jetStream.close());
    await ensureStream(jetStream, eventsStream(StreamSettings.parse({})));
    const changed = updated({ phase: "Running", spec: { replicas: 3 } }, { phase: "Failed", spec: { replicas: 5 } });
    await jetStream.publish(changed.subject, changed.payload, {});
    const options = ["--since", "1h", "--count", "1"];
    for (const kind of ["Database", "databases", "database", "Database.demo.example.com"]) {
      const { code, out } = await cli(["tail", kind, ...options], { NATS_URL: nats.url });
      assert.equal(code, 0);
      assert.match(out, /updated +Database \S+\/orders +Running → Failed/);
      assert.match(out, /~ spec\.replicas: 3 → 5/);
    }
    const { out } = await cli(["tail", "--json", ...options], { NATS_URL: nats.url });
    assert.equal(out.trim(), changed.payload);
  });

  test("shows an event whose data is in the object store as any other, and says when it is lost", async (t) => {
    const rig = await startLargeRig(t);
    if (rig === undefined) return;
    const large = eventAbout("created", largeObject("1", "x".repeat(1_400_000)));
    await rig.log.append(keyOf(large), large, 0);
    const small = updated({ phase: "Running", spec: { replicas: 3 } }, { phase: "Failed", spec: { replicas: 5 } });
    const tail = (...args: string[]) =>
      cli(["tail", "--since", "1h", "--count", "1", ...args], { NATS_URL: rig.nats.url });
    assert.deepEqual(JSON.parse((await tail("--json")).out), JSON.parse(large.payload));
    assert.match((await tail()).out, /created +Database shop\/orders +none → Running/);
    await rig.jetStream.api("STREAM.PURGE.OBJ_CR_BLOBS");
    await rig.jetStream.publish(small.subject, small.payload, {});
    const { out, err } = await tail();
    assert.match(err, /an event on cr\.c\.\S+ cannot be shown: blob \S+ is not in the bucket CR_BLOBS/);
    assert.match(out, /updated/);
  });
});
