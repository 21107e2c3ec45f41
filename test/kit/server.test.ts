/** What the kit promises about a server process, on small fake servers; and about the real nats-server. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { connect } from "nats";
import { createDataFolder, isAlive, sweepDataFolders } from "./data-folder.ts";
import { withFreePorts } from "./free-port.ts";
import { type ServerSpec, ServerStartError, startServer } from "./server-process.ts";
import { needNats } from "./shared-kube.ts";
import { until } from "./until.ts";

const FOREVER = "setInterval(() => {}, 1000);";

function fakeServer(source: string, spec: Partial<ServerSpec> = {}): ServerSpec {
  const folder = createDataFolder("fake");
  return {
    name: "fake-server",
    command: process.execPath,
    args: () => ["--eval", source],
    folder,
    isReady: /^ready$/,
    ...spec,
  };
}

const failures: { name: string; source: string; spec?: Partial<ServerSpec>; expected: RegExp }[] = [
  {
    name: "that ends before it is ready",
    source: `console.error("no port left"); process.exitCode = 3;`,
    expected: /fake-server ended before it was ready \(exit code 3\).*\n.*no port left/s,
  },
  {
    name: "that is killed before it is ready",
    source: `process.kill(process.pid, "SIGKILL"); ${FOREVER}`,
    expected: /ended before it was ready \(SIGKILL\)/,
  },
  {
    name: "that never gets ready",
    source: FOREVER,
    spec: { readyMsMax: 600 },
    expected: /fake-server was not ready within 0\.6 s/,
  },
  {
    name: "whose readiness cannot be asked for",
    source: FOREVER,
    spec: { isReady: () => Promise.reject(new Error("no such host")) },
    expected: /no such host/,
  },
];

for (const { name, source, spec, expected } of failures) {
  test(`a server ${name} is an error with its reason, and nothing of it stays`, async () => {
    const server = fakeServer(source, spec);
    await assert.rejects(startServer(server), expected);
    assert.ok(!existsSync(server.folder.path));
  });
}

const stops: { name: string; source: string; signal?: NodeJS.Signals }[] = [
  { name: "running", source: `console.log("ready"); ${FOREVER}` },
  { name: "paused", source: `console.log("ready"); ${FOREVER}`, signal: "SIGSTOP" },
  { name: "killed", source: `console.log("ready"); ${FOREVER}`, signal: "SIGKILL" },
  { name: "deaf to SIGTERM", source: `process.on("SIGTERM", () => {}); console.log("ready"); ${FOREVER}` },
];

for (const { name, source, signal } of stops) {
  test(`stop() ends a server that is ${name} and removes its folder`, async () => {
    const spec = fakeServer(source, { stopMsMax: 200 });
    const server = await startServer(spec);
    const pid = server.pid ?? 0;
    assert.ok(isAlive(pid));
    if (signal !== undefined) await server.kill(signal);
    await server.stop();
    await server.stop();
    assert.equal(server.pid, undefined);
    assert.ok(!isAlive(pid));
    assert.ok(!existsSync(spec.folder.path));
  });
}

test("a server that ends by itself is known to be down, and with which exit code", async () => {
  await using server = await startServer(fakeServer(`console.log("ready"); setImmediate(() => process.exit(7));`));
  await until(() => server.pid === undefined);
  assert.deepEqual(server.lastExit, { code: 7, signal: null });
});

test("a server's log tail keeps its last 200 lines", async () => {
  await using server = await startServer(
    fakeServer(`for (let i = 1; i <= 300; i++) console.log("line", i); console.log("ready"); ${FOREVER}`),
  );
  const lines = server.logTail().split("\n");
  assert.deepEqual([lines.length, lines[0], server.logTail(2)], [200, "line 102", "line 300\nready"]);
});

const endings: { name: string; source: string; leavesFolder?: boolean }[] = [
  { name: "returns", source: "server.unref();" },
  { name: "calls process.exit()", source: "process.exit(0);" },
  { name: "throws", source: `setImmediate(() => { throw new Error("uncaught"); });` },
  { name: "gets SIGTERM", source: `process.kill(process.pid, "SIGTERM");` },
  { name: "gets SIGINT", source: `process.kill(process.pid, "SIGINT");` },
];
// The kernel's help, for the one end that no process sees.
if (existsSync("/usr/bin/setpriv"))
  endings.push({ name: "gets SIGKILL", source: `process.kill(process.pid, "SIGKILL");`, leavesFolder: true });

for (const { name, source, leavesFolder = false } of endings) {
  test(`a server is gone when the process that started it ${name}`, async () => {
    const child = spawn(process.execPath, [
      "--input-type=module",
      "--eval",
      `
      import { startServer } from ${JSON.stringify(import.meta.resolve("./server-process.ts"))};
      import { createDataFolder } from ${JSON.stringify(import.meta.resolve("./data-folder.ts"))};
      const folder = createDataFolder("fake");
      const args = () => ["--eval", ${JSON.stringify(`console.log("ready"); ${FOREVER}`)}];
      const server = await startServer({ name: "fake", command: process.execPath, args, folder, isReady: /ready/ });
      process.stdout.write(JSON.stringify({ pid: server.pid, path: folder.path }), () => { ${source} });`,
    ]);
    let output = "";
    child.stdout.on("data", (chunk) => {
      output += chunk;
    });
    await new Promise((resolve) => child.once("close", resolve));
    const { pid, path } = JSON.parse(output);
    await until(() => !isAlive(pid));
    assert.equal(existsSync(path), leavesFolder);
    rmSync(path, { recursive: true, force: true });
  });
}

test("a start whose port was taken meanwhile is tried again with another one", async () => {
  const tried: number[] = [];
  const port = await withFreePorts(1, async ([free = 0]) => {
    tried.push(free);
    if (tried.length < 3) throw new ServerStartError(`listen tcp 127.0.0.1:${free}: bind: address already in use`);
    return free;
  });
  assert.deepEqual([tried.length, port], [3, tried[2]]);
  await assert.rejects(
    withFreePorts(1, () => Promise.reject(new Error("bad flag"))),
    /bad flag/,
  );
});

test("stop() waits for the end of a server that keeps nobody alive, also when it is slow to end", async () => {
  const child = spawn(process.execPath, [
    "--input-type=module",
    "--eval",
    `
    import { startServer } from ${JSON.stringify(import.meta.resolve("./server-process.ts"))};
    import { createDataFolder } from ${JSON.stringify(import.meta.resolve("./data-folder.ts"))};
    const source = ${JSON.stringify(`process.on("SIGTERM", () => {}); console.log("ready"); ${FOREVER}`)};
    const spec = { name: "fake", command: process.execPath, args: () => ["--eval", source], isReady: /ready/ };
    const server = await startServer({ ...spec, folder: createDataFolder("fake"), stopMsMax: 100 });
    server.unref();
    await server.stop();
    console.log("stopped");`,
  ]);
  const output = child.stdout.toArray();
  const [code] = await once(child, "close");
  assert.deepEqual([code, (await output).join("")], [0, "stopped\n"]);
});

test("a port that was given away is given to nobody else, also while its server is down", async (t) => {
  const thrown = [0, 0, 0.5];
  t.mock.method(Math, "random", () => thrown.shift() ?? 0.9);
  const given = () => withFreePorts(1, async ([port]) => port);
  assert.notEqual(await given(), await given());
  assert.ok(thrown.length < 2, "the same one was asked for again");
});

test("folders of processes that are gone are swept after an hour, others stay", () => {
  const kept = createDataFolder("kept");
  const gone = kept.path.replace(`-test-${process.pid}-`, "-test-999999999-");
  const sweptPaths = [gone, `${gone}-young`];
  const [old = "", young = ""] = sweptPaths.map((path) => {
    writeFileSync(path, "");
    return path;
  });
  const twoHoursAgo = Date.now() / 1000 - 2 * 60 * 60;
  utimesSync(old, twoHoursAgo, twoHoursAgo);
  utimesSync(kept.path, twoHoursAgo, twoHoursAgo);
  sweepDataFolders();
  assert.deepEqual(
    [old, young, kept.path].map((path) => existsSync(path)),
    [false, true, true],
  );
  rmSync(young);
  kept.remove();
});

test("nats-server keeps its streams and its port over a kill and a restart", async (t) => {
  const nats = await needNats(t);
  if (nats === undefined) return;
  const { url, port, storeDir, pid } = nats;
  const before = await connect({ servers: url, reconnect: false });
  await (await before.jetstreamManager()).streams.add({ name: "KEPT", subjects: ["kept.>"] });
  await before.jetstream().publish("kept.a", "1");
  await nats.kill();
  assert.equal(nats.pid, undefined);
  await nats.restart();
  assert.notEqual(nats.pid, pid);
  assert.deepEqual([nats.url, nats.port, existsSync(join(storeDir, "jetstream"))], [url, port, true]);
  const after = await connect({ servers: url });
  t.after(() => after.close());
  assert.equal((await (await after.jetstreamManager()).streams.info("KEPT")).state.messages, 1);
});

const credentials: { name: string; given: object; isAccepted: boolean }[] = [
  { name: "the right token", given: { token: 't"1' }, isAccepted: true },
  { name: "a wrong token", given: { token: "t2" }, isAccepted: false },
  { name: "no token", given: {}, isAccepted: false },
];

for (const { name, given, isAccepted } of credentials) {
  test(`a nats-server with a token answers ${name} with ${isAccepted ? "a connection" : "a refusal"}`, async (t) => {
    const nats = await needNats(t, { auth: { token: 't"1' } });
    if (nats === undefined) return;
    const connecting = connect({ servers: nats.url, ...given });
    if (isAccepted) await (await connecting).close();
    else await assert.rejects(connecting, /Authorization Violation/i);
  });
}

test("a nats-server with a user takes that user, and further configuration applies", async (t) => {
  const nats = await needNats(t, {
    auth: { user: "u", password: "p" },
    config: "max_payload: 2KB",
    jetstream: "max_file_store: 3MB",
  });
  if (nats === undefined) return;
  await assert.rejects(connect({ servers: nats.url, user: "u", pass: "wrong" }), /Authorization Violation/i);
  const connection = await connect({ servers: nats.url, user: "u", pass: "p" });
  t.after(() => connection.close());
  assert.equal(connection.info?.max_payload, 2048);
  const answer = await fetch(`${nats.monitorUrl}/jsz`);
  assert.equal(((await answer.json()) as { config: { max_storage: number } }).config.max_storage, 3 * 1024 * 1024);
});
