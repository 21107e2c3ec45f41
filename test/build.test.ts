/**
 * What `npm run build` makes, and what the Dockerfile makes of it: its steps are run here without Docker, in a folder that holds exactly
 * what .dockerignore lets through, and the image is entered with chroot as the user it names (plainly, where the tests do not run as
 * root). Instead of the base image's node and libraries it gets this machine's.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cpSync, existsSync, globSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join, posix } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { parseEnvelope } from "../bridge/envelope.ts";
import { type Build, build } from "../build.ts";
import { created } from "./functions/kit/event-factory.ts";
import { startRig } from "./functions/kit/rig.ts";
import { createDataFolder } from "./kit/data-folder.ts";
import { database, databasePath } from "./kit/database-crd.ts";
import { startServer } from "./kit/server-process.ts";
import { needNats, sharedKube, uniqueNamespace } from "./kit/shared-kube.ts";

const ROOT = join(import.meta.dirname, "..");
const VERSION = (JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { version: string }).version;
const run = promisify(execFile);

const folder = createDataFolder("build");
const dist = join(folder.path, "dist");
let built: Build;

before(async () => {
  built = await build(dist);
});
after(() => folder.remove());

describe("the bundles", () => {
  const cli = (...args: string[]) => run(process.execPath, [join(dist, "cr-reactor.js"), ...args]);

  test("start, and each command tells about itself", async () => {
    assert.equal((await cli("--version")).stdout, `${VERSION}\n`);
    for (const command of ["bridge", "run", "tail", "schema", "demo"])
      assert.match((await cli(command, "--help")).stdout, new RegExp(`^Usage: cr-reactor ${command} `));
  });

  test("show an event of a real stream", async (t) => {
    const rig = await startRig(t);
    if (rig === undefined) return;
    const event = created({ phase: "Failed" });
    await rig.publish(event);
    const { stdout } = await cli("tail", "--since", "1h", "--count", "1", "--json", "--server", rig.nats.url);
    assert.deepEqual(parseEnvelope(stdout), event.envelope);
  });

  const apart = [
    {
      file: "bridge.js",
      has: /node_modules\/@kubernetes\/client-node\//,
      not: /^functions\/|node_modules\/(commander)\//,
    },
    {
      file: "functions.js",
      has: /^functions\/main\.ts$/,
      not: /^bridge\/(main|reflector|api-server)\.ts$|node_modules\/(@kubernetes\/client-node|undici|cloudevents|prom-client)\//,
    },
    { file: "index.js", has: /^functions\/kit\/define\.ts$/, not: /^(cli|bridge\/main|functions\/main)|client-node\// },
    {
      file: "cr-reactor.js",
      has: /node_modules\/commander\//,
      not: /^(bridge|functions)\/|node_modules\/(?!commander)/,
    },
  ];
  for (const { file, has, not } of apart) {
    test(`${file} loads nothing at once that belongs to another`, () => {
      const inputs = built.inputsOf(file);
      assert.ok(inputs.some((path) => has.test(path)));
      assert.deepEqual(
        inputs.filter((path) => not.test(path)),
        [],
      );
    });
  }

  test("go along with the licenses of what is in them", () => {
    const licenses = readFileSync(join(dist, "THIRD-PARTY-LICENSES.txt"), "utf8");
    for (const name of ["zod", "nats", "@kubernetes/client-node", "pino"])
      assert.match(licenses, new RegExp(`^${name} \\d\\S+ \\((MIT|Apache-2.0)\\)\n\n.*licen`, "mi"));
  });
});

interface Stage {
  readonly from: string;
  readonly steps: readonly { readonly instruction: string; readonly argument: string }[];
}

function parseDockerfile(text: string): Stage[] {
  const lines = text
    .replaceAll("\\\n", " ")
    .split("\n")
    .filter((line) => !/^\s*(#|$)/.test(line));
  const steps = lines.map((line) => {
    const [, instruction = "", argument = ""] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? [];
    return { instruction, argument };
  });
  const starts = steps.flatMap(({ instruction }, index) => (instruction === "FROM" ? [index] : []));
  return starts.map((start, index) => {
    return { from: steps[start]?.argument ?? "", steps: steps.slice(start + 1, starts[index + 1]) };
  });
}

/** Runs the steps of the stage that builds, below `work`. */
async function runBuildStage({ steps }: Stage, work: string): Promise<void> {
  const allowed = readFileSync(join(ROOT, ".dockerignore"), "utf8")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"));
  assert.equal(allowed.shift(), "*", "the context is what is named");
  const context = allowed.map((line) => line.replace(/^!/, ""));
  const env = {
    ...process.env,
    PATH: [dirname(process.execPath), process.env["PATH"]].join(delimiter), // the base image's node is Node 24
    npm_config_prefer_offline: "true",
  };
  let cwd = work;
  for (const { instruction, argument } of steps) {
    if (instruction === "WORKDIR") {
      cwd = join(work, argument);
      mkdirSync(cwd, { recursive: true });
    } else if (instruction === "RUN") await run("/bin/sh", ["-c", argument], { cwd, env });
    else if (instruction === "COPY") {
      const [target = "", ...sources] = argument.split(" ").toReversed();
      for (const source of sources[0] === "." ? context : sources) {
        assert.ok(context.includes(source), `.dockerignore keeps ${source} out`);
        cpSync(join(ROOT, source), join(cwd, target, source), { recursive: true });
      }
    } else assert.fail(`no step of this kind is known here: ${instruction}`);
  }
}

describe("the image", { skip: process.platform === "linux" ? false : "is built on Linux only" }, () => {
  const work = join(folder.path, "stage");
  const image = join(folder.path, "image");
  const [buildStage, finalStage] = parseDockerfile(readFileSync(join(ROOT, "Dockerfile"), "utf8"));
  const last = (instruction: string) =>
    finalStage?.steps.findLast((step) => step.instruction === instruction)?.argument ?? "";
  const isRoot = process.getuid?.() === 0;
  /** How a path in the image is called by what runs in it. */
  const inside = (path: string) => (isRoot ? path : join(image, path));

  /** The entrypoint with these arguments, for a process that sees nothing but the image. */
  const entrypoint = (...args: string[]): [string, string[]] => {
    const [program = "", ...rest] = (JSON.parse(last("ENTRYPOINT")) as string[]).map(inside);
    const user = last("USER");
    return isRoot
      ? ["chroot", ["--userspec", user, "--groups", "", image, program, ...rest, ...args]]
      : [program, [...rest, ...args]];
  };
  const enter = (...args: string[]) => run(...entrypoint(...args), { env: { PATH: process.env["PATH"] } });

  before(async () => {
    assert.ok(buildStage && finalStage);
    await runBuildStage(buildStage, work);
    for (const { argument } of finalStage.steps.filter(({ instruction }) => instruction === "COPY")) {
      const [, source = "", target = ""] = /^--from=build (\S+) (\S+)$/.exec(argument) ?? assert.fail(argument);
      cpSync(join(work, source), join(image, target), { recursive: true, verbatimSymlinks: true });
    }
    mkdirSync(join(image, "etc/cr-reactor")); // where a container runtime mounts what it adds
    writeFileSync(join(image, "etc/hosts"), "127.0.0.1 localhost\n");
    await run("chmod", ["-R", "a-w", image]);
  });
  after(() => run("chmod", ["-R", "u+w", image])); // or it cannot be removed

  test("comes from Docker Hub's names alone", () => {
    assert.match(buildStage?.from ?? "", /^node:24-\w+-slim AS build$/);
    assert.equal(finalStage?.from, "scratch");
  });

  test("has the same bundles that this folder builds", () => {
    const files = globSync("*.{js,txt}", { cwd: dist }).toSorted();
    assert.deepEqual(globSync("*", { cwd: join(image, "app/dist") }).toSorted(), files);
    for (const file of files)
      assert.ok(readFileSync(join(dist, file)).equals(readFileSync(join(image, "app/dist", file))), file);
  });

  test("has no shell, no package manager, and nothing that its user may change", () => {
    const paths = globSync("**/*", { cwd: image }).filter((path) => !statSync(join(image, path)).isDirectory());
    const known =
      /^(app\/(dist\/[\w.-]+|package\.json|LICENSE)|etc\/[\w-]+(\.conf)?|lib\S*\/\S+\.so[\d.]*|usr\/local\/bin\/node)$/;
    assert.deepEqual(
      paths.filter((path) => !known.test(path)),
      [],
    );
    assert.ok(paths.length > 20);
    assert.equal(existsSync(join(image, "bin")), false);
    assert.match(last("USER"), /^(?!0)\d+:(?!0)\d+$/);
  });

  test("runs without anything from outside, on a read-only file system", async () => {
    const listing = () => globSync("**/*", { cwd: image }).map((path) => [path, statSync(join(image, path)).mtimeMs]);
    const before = listing();
    assert.equal((await enter("--version")).stdout, `${VERSION}\n`);
    const byDefault = await enter(...(JSON.parse(last("CMD")) as string[]));
    assert.match(byDefault.stdout, /^Usage: cr-reactor /);
    assert.deepEqual(listing(), before);
  });

  test("captures changes of a real API server and shows them", async (t) => {
    const kube = await sharedKube(t);
    const nats = kube && (await needNats(t));
    if (kube === undefined || nats === undefined) return;
    const namespace = await uniqueNamespace(kube);
    const server = `nats://localhost:${nats.port}`;
    const config = {
      cluster: "image",
      resources: [{ apiVersion: "demo.example.com/v1", kind: "Database", namespaces: [namespace] }],
      nats: { servers: [server] },
      kubernetes: { kubeconfig: inside("/etc/cr-reactor/kubeconfig") },
      health: { host: "127.0.0.1", port: 0 },
    };
    await run("chmod", ["u+w", join(image, "etc/cr-reactor")]);
    writeFileSync(join(image, "etc/cr-reactor/bridge.yaml"), JSON.stringify(config));
    writeFileSync(join(image, "etc/cr-reactor/kubeconfig"), kube.kubeconfig());
    const [command, args] = entrypoint("bridge", "--config", inside("/etc/cr-reactor/bridge.yaml"));
    const bridge = await startServer({
      name: "the image's bridge",
      command,
      args: () => args,
      folder: createDataFolder("image-bridge"),
      isReady: /compared with the log/,
      stopMsMax: 15_000,
    });
    t.after(() => bridge.stop());
    await kube.client.create(databasePath(namespace), database("orders", namespace));
    const { stdout } = await enter("tail", "--since", "1h", "--count", "1", "--json", "--server", server);
    assert.equal(parseEnvelope(stdout).subject, posix.join("/", databasePath(namespace, "orders")));
  });
});
