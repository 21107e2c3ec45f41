/**
 * What the Dockerfile makes: its steps are run here without Docker, in a folder that holds exactly what .dockerignore lets through, and
 * the image is entered with chroot as the user it names (plainly, where the tests do not run as root). Instead of the base image's
 * node and libraries it gets this machine's.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cpSync, existsSync, globSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { parseAllDocuments } from "yaml";
import { parseEnvelope } from "../bridge/event/envelope.ts";
import { build } from "../build.ts";
import { createDataFolder } from "./kit/data-folder.ts";
import { database, databasePath } from "./kit/database-crd.ts";
import type { KubeAccess } from "./kit/kube-access.ts";
import type { KubeObject } from "./kit/kube-client.ts";
import { startServer } from "./kit/server-process.ts";
import { mintUser, needNats, sharedKube, uniqueNamespace } from "./kit/shared-kube.ts";

const ROOT = join(import.meta.dirname, "..");
const VERSION = (JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { version: string }).version;
const run = promisify(execFile);

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
  const folder = createDataFolder("image");
  const work = join(folder.path, "stage");
  const image = join(folder.path, "image");
  const [buildStage, finalStage] = parseDockerfile(readFileSync(join(ROOT, "Dockerfile"), "utf8"));
  const last = (instruction: string) =>
    finalStage?.steps.findLast((step) => step.instruction === instruction)?.argument ?? "";
  const isRoot = process.getuid?.() === 0;
  /** How a path in the image is called by what runs in it. */
  const inside = (path: string) => (isRoot ? path : join(image, path));

  /** A command of the image, for a process that sees nothing but the image. */
  const enter = ([program = "", ...args]: readonly string[]): [string, string[]] =>
    isRoot ? ["chroot", ["--userspec", last("USER"), "--groups", "", image, program, ...args]] : [program, [...args]];
  const entrypoint = (JSON.parse(last("ENTRYPOINT")) as string[]).map(inside);
  const runInside = (...command: readonly string[]) =>
    run(...enter(command), { env: { PATH: process.env["PATH"] } }).then(({ stdout }) => stdout);
  const cli = (...args: string[]) => runInside(...entrypoint, ...args);

  before(async () => {
    assert.ok(buildStage && finalStage);
    await runBuildStage(buildStage, work);
    for (const { argument } of finalStage.steps.filter(({ instruction }) => instruction === "COPY")) {
      const [, source = "", target = ""] = /^--from=build (\S+) (\S+)$/.exec(argument) ?? assert.fail(argument);
      cpSync(join(work, source), join(image, target), { recursive: true, verbatimSymlinks: true });
    }
    for (const path of ["etc/cr-reactor", "app/functions"]) mkdirSync(join(image, path)); // where users put theirs
    writeFileSync(join(image, "app/functions/mine.js"), 'import { phase } from "cr-reactor"; console.log(phase());');
    writeFileSync(join(image, "etc/hosts"), "127.0.0.1 localhost\n");
    await run("chmod", ["-R", "a-w", image]);
  });
  after(async () => {
    await run("chmod", ["-R", "u+w", image]); // or it cannot be removed
    folder.remove();
  });

  test("comes from Docker Hub's names alone", () => {
    assert.match(buildStage?.from ?? "", /^node:24-\w+-slim AS build$/);
    assert.equal(finalStage?.from, "scratch");
  });

  test("has the bundles that another folder builds, byte for byte", async () => {
    const dist = join(folder.path, "dist");
    await build(dist);
    const files = globSync("*.{js,txt}", { cwd: dist }).toSorted();
    assert.deepEqual(globSync("*", { cwd: join(image, "app/dist") }).toSorted(), files);
    for (const file of files)
      assert.ok(readFileSync(join(dist, file)).equals(readFileSync(join(image, "app/dist", file))), file);
  });

  test("has no shell, no package manager, and nothing that its user may change", () => {
    const paths = globSync("**/*", { cwd: image }).filter((path) => !statSync(join(image, path)).isDirectory());
    const known =
      /^(app\/(dist\/[\w.-]+|functions\/mine\.js|package\.json|LICENSE)|etc\/[\w-]+(\.conf)?|lib\S*\/\S+\.so[\d.]*|usr\/local\/bin\/node)$/;
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
    assert.equal(await cli("--version"), `${VERSION}\n`);
    assert.match(await cli(...(JSON.parse(last("CMD")) as string[])), /^Usage: cr-reactor /);
    assert.deepEqual(listing(), before);
  });

  test("has the package for functions that are added to it", async () => {
    assert.equal(await runInside(entrypoint[0] ?? "", inside("/app/functions/mine.js")), "{ phase: {} }\n");
  });

  test("captures changes of a real API server with the rights of the manifests, and shows them", async (t) => {
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
    const token = await tokenWithRights(kube, namespace);
    writeFileSync(join(image, "etc/cr-reactor/kubeconfig"), kube.kubeconfig().replaceAll(kube.adminToken, token));
    const [command, args] = enter([...entrypoint, "bridge", "--config", inside("/etc/cr-reactor/bridge.yaml")]);
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
    const shown = await cli("tail", "--since", "1h", "--count", "1", "--json", "--server", server);
    assert.equal(parseEnvelope(shown).subject, databasePath(namespace, "orders"));
  });
});

/** Of a user that may do what the manifests let the bridge do, and nothing else. */
async function tokenWithRights(kube: KubeAccess, namespace: string): Promise<string> {
  const access = readFileSync(join(ROOT, "manifests/base/bridge-access.yaml"), "utf8");
  const objects = parseAllDocuments(access).map((each) => each.toJS() as KubeObject);
  const role = objects.find(({ kind }) => kind === "ClusterRole") ?? assert.fail("no ClusterRole");
  const { user, token } = await mintUser(kube, namespace);
  const rights = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}`;
  const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "bridge" };
  const subjects = [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: user }];
  await kube.client.create(`${rights}/roles`, { metadata: { name: "bridge" }, rules: role["rules"] });
  await kube.client.create(`${rights}/rolebindings`, { metadata: { name: "bridge" }, roleRef, subjects });
  return token;
}
