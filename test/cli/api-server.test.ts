/** `cr-reactor api-server` as people run it: a process of the command line, and the bridge's own client on the kubeconfig that it names. */
import assert from "node:assert/strict";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { parse, stringify } from "yaml";
import { connectApiServer } from "../../bridge/kube/api-server.ts";
import { startEmbeddedKube } from "../../cli/embedded/embedded.ts";
import { createDataFolder } from "../kit/data-folder.ts";
import { database, databaseCrd, databasePath } from "../kit/database-crd.ts";
import { spawnOwned } from "../kit/owned-child.ts";
import { until } from "../kit/until.ts";

const CLI = join(import.meta.dirname, "../../cli/main.ts");

/** A folder for the files of one test. */
function folderOf(t: TestContext) {
  const folder = createDataFolder("api-server");
  t.after(() => folder.remove());
  return {
    path: folder.path,
    file(name: string, text: string) {
      writeFileSync(join(folder.path, name), text);
      return join(folder.path, name);
    },
  };
}

/** Starts the command; what it wrote so far is in `out` and `err`. */
function start(t: TestContext, args: readonly string[], cwd: string) {
  const child = spawnOwned(process.execPath, [CLI, "api-server", ...args], {
    cwd,
    env: { ...process.env, NO_COLOR: "1", TMPDIR: cwd },
  });
  const told = { out: "", err: "" };
  child.stdout.on("data", (chunk) => (told.out += chunk));
  child.stderr.on("data", (chunk) => (told.err += chunk));
  const closed = new Promise<number | null>((resolve) => child.once("close", resolve));
  t.after(() => child.kill("SIGKILL"));
  return {
    told,
    closed,
    /** Resolves with the kubeconfig when it listens; throws when it ended before. */
    async listening() {
      await until(() => told.out.includes("Ctrl-C") || child.exitCode !== null, { what: "the server to listen" });
      assert.equal(child.exitCode, null, told.err);
      return /export KUBECONFIG=(\S+)/.exec(told.out)?.[1] ?? "";
    },
    /** Its exit code, after the signal. */
    async end(signal: NodeJS.Signals = "SIGINT") {
      child.kill(signal);
      return await closed;
    },
  };
}

/** Runs the command to its end. */
async function run(t: TestContext, args: readonly string[], cwd: string) {
  const { closed, told } = start(t, args, cwd);
  const code = await closed;
  assert.doesNotMatch(told.err, /\n\s+at /, "no stack");
  return { code, ...told };
}

describe("api-server", () => {
  test("--help explains itself with an example", async (t) => {
    const { code, out } = await run(t, ["--help"], folderOf(t).path);
    assert.equal(code, 0);
    assert.match(out, /Usage: cr-reactor api-server[\s\S]*nothing is kept[\s\S]*\$ cr-reactor api-server crd\.yaml/);
  });

  test("serves what its files have, to whoever takes its kubeconfig, and takes that away at Ctrl-C", async (t) => {
    const { path, file } = folderOf(t);
    const files = [
      file("a-database.yaml", stringify(database("orders", "default"))),
      file("crd.yaml", stringify(databaseCrd)),
    ];
    const server = start(t, files, path);
    const kubeconfig = await server.listening();
    assert.match(server.told.out, /listens at http:\/\/127\.0\.0\.1:\d+, with 2 objects of yours/);
    const apiServer = await connectApiServer({ kubeconfig });
    t.after(() => apiServer.close());
    const list = await apiServer.json<{ items: { metadata: { name: string } }[] }>(databasePath("default"));
    assert.deepEqual(
      list.items.map(({ metadata }) => metadata.name),
      ["orders"],
    );
    assert.equal(await server.end(), 0);
    assert.deepEqual([existsSync(dirname(kubeconfig)), server.told.err], [false, ""]);
  });

  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    test(`writes the kubeconfig where it is told, for its owner alone, and ends at ${signal} although somebody watches`, async (t) => {
      const { path } = folderOf(t);
      const server = start(t, ["--kubeconfig", "my.kubeconfig"], path);
      const kubeconfig = await server.listening();
      assert.equal(kubeconfig, join(path, "my.kubeconfig"));
      assert.equal(parse(readFileSync(kubeconfig, "utf8"))["current-context"], "embedded");
      assert.equal(statSync(kubeconfig).mode & 0o777, 0o600);
      const apiServer = await connectApiServer({ kubeconfig });
      t.after(() => apiServer.close());
      const watch = await apiServer.open("/api/v1/namespaces", { query: { watch: "true" } });
      watch.on("error", () => undefined);
      assert.equal(await server.end(signal), 0);
      assert.equal(existsSync(kubeconfig), false);
    });
  }

  test("listens on the port that it is told, and writes over a kubeconfig that it left behind", async (t) => {
    const { path } = folderOf(t);
    const args = ["--kubeconfig", "my.kubeconfig"];
    const first = start(t, args, path);
    const url = () => /http:\S+\d/.exec(first.told.out)?.[0] ?? "";
    await first.listening();
    await first.end("SIGKILL");
    assert.ok(existsSync(join(path, "my.kubeconfig")));
    const second = start(t, [...args, "--port", new URL(url()).port], path);
    await second.listening();
    assert.ok(second.told.out.includes(url()));
    assert.equal(await second.end(), 0);
    assert.equal(existsSync(join(path, "my.kubeconfig")), false);
  });

  test("leaves a kubeconfig alone that somebody else wrote meanwhile", async (t) => {
    const { path, file } = folderOf(t);
    const server = start(t, ["--kubeconfig", "my.kubeconfig"], path);
    const kubeconfig = await server.listening();
    file("my.kubeconfig", "mine");
    assert.equal(await server.end(), 0);
    assert.equal(readFileSync(kubeconfig, "utf8"), "mine");
  });
});

describe("api-server does not start, and says why,", () => {
  const rows: readonly {
    readonly name: string;
    readonly files: Readonly<Record<string, string>>;
    readonly args: readonly string[];
    readonly code: number;
    readonly expected: RegExp;
  }[] = [
    {
      name: "with an object of an unknown kind: file, object and reason",
      files: { "orders.yaml": stringify(database("orders", "default")) },
      args: ["orders.yaml"],
      code: 2,
      expected:
        /^error: orders\.yaml: Database default\/orders: demo\.example\.com\/v1 Database is no kind that is served here: load its CustomResourceDefinition as well\n$/,
    },
    {
      name: "with an object that breaks its schema",
      files: {
        "crd.yaml": stringify(databaseCrd),
        "orders.yaml": stringify({ ...database("orders", "default"), spec: { engine: "oracle" } }),
      },
      args: ["crd.yaml", "orders.yaml"],
      code: 2,
      expected:
        /^error: orders\.yaml: Database default\/orders: .* spec\.engine: Unsupported value: "oracle": supported values: "postgres", "mysql"\n$/,
    },
    {
      name: "with what is no YAML: file and line",
      files: { "broken.yaml": "kind: [\n" },
      args: ["broken.yaml"],
      code: 2,
      expected: /^error: broken\.yaml: .* at line \d/,
    },
    {
      name: "with a file that is not there",
      files: {},
      args: ["nowhere.yaml"],
      code: 2,
      expected: /^error: nowhere\.yaml does not exist: check the path\n$/,
    },
    {
      name: "with a kubeconfig that is somebody else's, and leaves it alone",
      files: { config: "mine" },
      args: ["--kubeconfig", "config"],
      code: 1,
      expected:
        /^error: config is there already, and not from `cr-reactor api-server`: name another file with --kubeconfig, or leave it out\n$/,
    },
    {
      name: "with a kubeconfig in a folder that is not there",
      files: {},
      args: ["--kubeconfig", "nowhere/config"],
      code: 1,
      expected: /^error: the kubeconfig cannot be written: .*nowhere\/config/,
    },
    {
      name: "with a port that is none",
      files: {},
      args: ["--port", "70000"],
      code: 2,
      expected: /Expected a port: 1 to 65535/,
    },
  ];
  for (const { name, files, args, code, expected } of rows) {
    test(name, async (t) => {
      const { path, file } = folderOf(t);
      for (const [each, text] of Object.entries(files)) file(each, text);
      const ended = await run(t, args, path);
      assert.match(ended.err, expected);
      assert.deepEqual([ended.code, ended.out], [code, ""]);
      for (const [each, text] of Object.entries(files)) assert.equal(readFileSync(join(path, each), "utf8"), text);
    });
  }

  test("on a port that is taken", async (t) => {
    await using taken = await startEmbeddedKube();
    const { port } = new URL(taken.url);
    const { code, err } = await run(t, ["--port", port], folderOf(t).path);
    assert.equal(code, 1);
    assert.match(
      err,
      /^error: the embedded API server cannot listen on 127\.0\.0\.1:\d+: address already in use: choose/,
    );
  });
});
