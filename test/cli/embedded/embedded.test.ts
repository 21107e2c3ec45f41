/**
 * What the embedded API server does that the suite of cases cannot ask a real one for: it gets rid of watchers that do not read,
 * keeps pages in a browser out, and does the work of the controllers that a kube-apiserver alone has not.
 */
import assert from "node:assert/strict";
import crypto from "node:crypto";
import { get as httpGet } from "node:http";
import { syncBuiltinESMExports } from "node:module";
import { connect } from "node:net";
import { describe, test } from "node:test";
import { startEmbeddedKube } from "../../../cli/embedded/embedded.ts";
import { databasePath } from "../../kit/database-crd.ts";
import { until } from "../../kit/until.ts";
import { read, versionOf } from "./conformance/reading.ts";
import { brief } from "./conformance/watching.ts";
import { openScene } from "./embedded-scene.ts";

const LIST = databasePath("default");
const CONFIG_MAPS = "/api/v1/namespaces/default/configmaps";
const NAMESPACE = "/api/v1/namespaces/doomed";
/** More than the kernel takes for a client that does not read, on any system. */
const UNREAD_WRITES = 60;
const BIG = "x".repeat(900_000);

describe("a watcher that does not read", () => {
  const limit = { unreadBytesMax: 4_000_000 };

  test("is cut off instead of growing the server, and the others miss nothing", async (t) => {
    const { server, client, watch } = await openScene(t, limit);
    const { resourceVersion } = server;
    const { port } = new URL(server.url);
    const slow = connect(Number(port), "127.0.0.1");
    t.after(() => slow.destroy());
    slow.write(
      `GET ${CONFIG_MAPS}?watch=1&resourceVersion=${resourceVersion} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\n\r\n`,
    );
    await new Promise((resolve) => slow.once("readable", resolve)); // its head, so it watches
    const other = await watch({ resourceVersion: String(resourceVersion) }, CONFIG_MAPS);
    for (let count = 0; count < UNREAD_WRITES; count++) {
      await client.create(CONFIG_MAPS, { metadata: { name: `big-${count}` }, data: { big: BIG } });
      assert.equal(brief(await other.next()), `ADDED big-${count}`);
    }
    let bytes = 0;
    let isClosed = false;
    slow.on("data", (chunk: Buffer) => (bytes += chunk.length));
    slow.on("error", () => undefined);
    slow.once("close", () => (isClosed = true));
    await until(() => isClosed, { what: "the slow watcher to be cut off" });
    assert.ok(bytes < (UNREAD_WRITES * BIG.length) / 2, `${bytes} bytes were kept for it`);
  });

  test("gets what it begins with as a whole, whatever its size, and what comes while it reads that", async (t) => {
    const { server, client, watch } = await openScene(t, limit);
    const start = String(server.resourceVersion);
    const names = Array.from({ length: UNREAD_WRITES / 2 }, (_, index) => `big-${index + 10}`);
    for (const name of names) await client.create(CONFIG_MAPS, { metadata: { name }, data: { big: BIG } });
    const initial = { sendInitialEvents: "true", resourceVersionMatch: "NotOlderThan", allowWatchBookmarks: "true" };
    for (const query of [initial, { resourceVersion: "" }, { resourceVersion: start }]) {
      const { next } = await watch(query, CONFIG_MAPS);
      await client.create(CONFIG_MAPS, { metadata: { name: "late" } });
      const told: string[] = [];
      while (told.at(-1) !== "ADDED late") told.push(brief(await next()));
      const big = told.filter((event) => event.includes("big-"));
      assert.deepEqual(
        big,
        names.map((name) => `ADDED ${name}`),
      );
      await client.delete(`${CONFIG_MAPS}/late`);
    }
  });
});

describe("a page in a browser", () => {
  const rows: readonly {
    readonly name: string;
    readonly headers: Record<string, string>;
    readonly expected: number;
  }[] = [
    { name: "has nothing to do with a plain client", headers: {}, expected: 200 },
    { name: "of this machine may ask", headers: { origin: "http://localhost:3000" }, expected: 200 },
    { name: "of another site may not", headers: { origin: "https://evil.example.com" }, expected: 403 },
    { name: "of no site may not", headers: { origin: "null" }, expected: 403 },
    { name: "under a name that points here may not", headers: { host: "evil.example.com" }, expected: 403 },
    { name: "under a name that looks like here may not", headers: { host: "127.0.0.1.example.com" }, expected: 403 },
    { name: "by another name of this machine may ask", headers: { host: "localhost:8001" }, expected: 200 },
  ];
  for (const { name, headers, expected } of rows) {
    test(name, async (t) => {
      const { server } = await openScene(t);
      for (const path of ["/api", LIST, `${LIST}?watch=1&timeoutSeconds=1`]) {
        const status = await new Promise((resolve, reject) => {
          const sent = httpGet(server.url + path, { headers }, ({ statusCode }) => {
            resolve(statusCode);
            sent.destroy();
          });
          sent.once("error", reject);
        });
        assert.equal(status, expected, path);
      }
    });
  }
});

describe("the server", () => {
  test("goes on when it is asked for a path that reads as a host", async (t) => {
    const { target, list } = await openScene(t);
    for (const path of ["//", "//[", "///x"]) assert.ok((await read(target, target.url + path)).status < 500, path);
    assert.equal((await list()).status, 200);
  });

  test("is stopped although watches are open, and more than once", async (t) => {
    const { server, watch, create } = await openScene(t);
    const { next } = await watch({ resourceVersion: versionOf(await create("a")) });
    await Promise.all([server.stop(), server.stop()]);
    await assert.rejects(next(), { code: "UND_ERR_SOCKET" });
    await assert.rejects(fetch(server.url), ({ cause }) => cause.code === "ECONNREFUSED");
  });

  test("says which port is taken, and what to do", async (t) => {
    const { server } = await openScene(t);
    const port = Number(new URL(server.url).port);
    await assert.rejects(startEmbeddedKube({ port }), {
      code: "CANNOT_LISTEN",
      message: `the embedded API server cannot listen on 127.0.0.1:${port}: address already in use: choose another port, or none for any that is free`,
    });
  });
});

test("a generated name that is taken is drawn anew, and told after eight draws", async (t) => {
  const { client } = await openScene(t);
  const draws = [1, 1, 2, 1, 1, 1, 1, 1, 1, 1, 1, 3];
  const { mock } = t.mock.method(crypto, "randomBytes", (size: number) => Buffer.alloc(size, draws.shift()));
  syncBuiltinESMExports();
  t.after(() => {
    mock.restore();
    syncBuiltinESMExports();
  });
  const create = () => client.create(CONFIG_MAPS, { metadata: { generateName: "one-" } });
  const names = [(await create()).metadata.name, (await create()).metadata.name];
  assert.deepEqual(names, ["one-ccccc", "one-ddddd"]);
  await assert.rejects(create(), /configmaps "one-ccccc" already exists/);
  assert.deepEqual(draws, [3]);
});

describe("a namespace that is deleted", () => {
  test("is emptied and goes, and its neighbours stay", async (t) => {
    const { client, create } = await openScene(t);
    for (const name of ["doomed", "spared"]) {
      await client.createNamespace(name);
      await create("a", name);
      await client.create(`/api/v1/namespaces/${name}/configmaps`, { metadata: { name: "b" } });
    }
    const answer = await client.delete(NAMESPACE);
    assert.equal(answer["status"].phase, "Terminating");
    await client.waitFor(NAMESPACE, (namespace) => namespace === undefined);
    for (const path of [databasePath("doomed", "a"), `${NAMESPACE}/configmaps/b`])
      await assert.rejects(client.get(path), { status: 404 });
    assert.equal((await client.list(databasePath("spared"))).length, 1);
    await client.createNamespace("doomed");
    assert.deepEqual(await client.list(databasePath("doomed")), []);
  });

  test("is held by the finalizer of an object in it, takes nothing new meanwhile, and goes with it", async (t) => {
    const { client, create, watch } = await openScene(t);
    await client.createNamespace("doomed");
    const held = databasePath("doomed", "held");
    const { resourceVersion = "" } = (await create("held", "doomed")).metadata;
    await client.patch(held, { metadata: { finalizers: ["example.com/hold"] } });
    await create("free", "doomed");
    const { briefs } = await watch({ resourceVersion }, databasePath("doomed"));
    await client.delete(NAMESPACE);
    assert.deepEqual(await briefs(4), ["MODIFIED held", "ADDED free", "DELETED free", "MODIFIED held"]);
    assert.equal((await client.get(NAMESPACE))["status"].phase, "Terminating");
    await assert.rejects(create("late", "doomed"), { status: 403, reason: "Forbidden" });
    await client.patch(held, { metadata: { finalizers: null } });
    assert.deepEqual(await briefs(1), ["DELETED held"]);
    await client.waitFor(NAMESPACE, (namespace) => namespace === undefined);
  });
});

test("generated names differ, however many are asked for at once", async (t) => {
  const { client } = await openScene(t);
  const made = await Promise.all(
    Array.from({ length: 100 }, () => client.create(CONFIG_MAPS, { metadata: { generateName: "many-" } })),
  );
  const names = new Set(made.map(({ metadata }) => metadata.name));
  assert.equal(names.size, 100);
  for (const name of names) assert.match(name, /^many-[a-z0-9]{5}$/);
});
