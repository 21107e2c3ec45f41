/**
 * What the embedded API server does on demand or by itself that the suite of cases cannot ask a real one for: a history that is
 * forgotten, restarts, backups, watchers that do not read; and the controllers that a kube-apiserver alone has not.
 */
import assert from "node:assert/strict";
import { get as httpGet } from "node:http";
import { connect } from "node:net";
import { describe, type TestContext, test } from "node:test";
import { type EmbeddedKubeOptions, startEmbeddedKube } from "../../../cli/embedded/embedded.ts";
import { database, databasePath } from "../../kit/database-crd.ts";
import { openEmbedded } from "../../kit/embedded-kube.ts";
import { until } from "../../kit/until.ts";
import { gemCrd, gemPath } from "./gem-crd.ts";
import { accepted, namesOf, type Query, read, refused, versionOf } from "./reading.ts";
import type { Target } from "./target.ts";
import { brief, openWatch } from "./watching.ts";

const LIST = databasePath("default");
const CONFIG_MAPS = "/api/v1/namespaces/default/configmaps";
const NAMESPACE = "/api/v1/namespaces/doomed";
/** More than the kernel takes for a client that does not read, on any system. */
const UNREAD_WRITES = 60;
const BIG = "x".repeat(900_000);

/** The server, and a hand on Databases in `default`. */
async function openScene(t: TestContext, options?: EmbeddedKubeOptions) {
  const stage = await openEmbedded(t, options);
  const { server, client, kubeconfigPath } = stage;
  const target: Target = { name: "embedded", url: server.url, token: "", caPem: "", client, kubeconfigPath };
  return {
    server,
    client,
    target,
    restart: stage.restart,
    create: (name: string, namespace = "default") => client.create(databasePath(namespace), database(name, namespace)),
    label: (name: string, label: string) =>
      client.patch(databasePath("default", name), { metadata: { labels: { label } } }),
    list: (query?: Query) => read(target, LIST, query),
    watch: (query?: Query, path = LIST) => openWatch(t, target, path, query),
  };
}

describe("a compacted history", () => {
  test("is told a watch from before as 410 Expired, as its only event", async (t) => {
    const { server, create, watch } = await openScene(t);
    const resourceVersion = versionOf(await create("a"));
    await create("b");
    server.compact();
    const { rest } = await watch({ resourceVersion });
    assert.deepEqual((await rest()).map(brief), ["ERROR 410 Expired"]);
  });

  test("keeps a watch that is open, and one that resumes from the newest version", async (t) => {
    const { server, create, watch } = await openScene(t);
    const resourceVersion = versionOf(await create("a"));
    const open = await watch({ resourceVersion });
    server.compact();
    const resumed = await watch({ resourceVersion });
    await create("b");
    for (const { briefs } of [open, resumed]) assert.deepEqual(await briefs(1), ["ADDED b"]);
  });

  test("ends the pages of a list with 410 Expired, and a token that goes on with what is there now", async (t) => {
    const { server, create, list, client } = await openScene(t);
    for (const name of ["a", "b", "c"]) await create(name);
    const first = accepted(await list({ limit: "1" }));
    await client.delete(databasePath("default", "b"));
    const last = versionOf(await create("d"));
    server.compact();
    const answer = await list({ limit: "1", continue: String(first.metadata["continue"]) });
    const { code, reason } = refused({ ...answer, body: { ...answer.body, metadata: { name: "" } } });
    assert.deepEqual([code, reason], [410, "Expired"]);
    const rest = await list({ continue: String(answer.body.metadata["continue"]) });
    assert.deepEqual(namesOf(rest), ["c", "d"]);
    assert.equal(accepted(rest).metadata.resourceVersion, last);
  });

  test("cannot be listed at exactly a version of it", async (t) => {
    const { server, create, list } = await openScene(t);
    const resourceVersion = versionOf(await create("a"));
    await create("b");
    const query = { resourceVersion, resourceVersionMatch: "Exact" };
    assert.deepEqual(namesOf(await list(query)), ["a"]);
    server.compact();
    const { code, reason, message } = refused(await list(query));
    const expected = "The resourceVersion for the provided list is too old.";
    assert.deepEqual([code, reason, message], [410, "Expired", expected]);
  });
});

describe("a restart", () => {
  test("cuts the watches, forgets the history and keeps the objects", async (t) => {
    const { restart, create, watch, list } = await openScene(t);
    const resourceVersion = versionOf(await create("a"));
    const newest = versionOf(await create("b"));
    const { next } = await watch({ resourceVersion: newest });
    await restart();
    await assert.rejects(next(), { code: "UND_ERR_SOCKET" });
    const whole = await list();
    assert.deepEqual([namesOf(whole), accepted(whole).metadata.resourceVersion], [["a", "b"], newest]);
    assert.deepEqual((await (await watch({ resourceVersion })).rest()).map(brief), ["ERROR 410 Expired"]);
  });
});

describe("a restored backup", () => {
  test("takes objects and resourceVersion back, and cuts the watches", async (t) => {
    const { server, create, label, client, list, watch } = await openScene(t);
    await create("changed");
    await create("deleted");
    const backup = await label("changed", "before");
    await label("changed", "after");
    await create("created");
    await client.delete(databasePath("default", "deleted"));
    const { next } = await watch({ resourceVersion: String(server.resourceVersion) });
    server.restore(Number(versionOf(backup)));
    await assert.rejects(next(), { code: "UND_ERR_SOCKET" });
    const whole = await list();
    assert.deepEqual(namesOf(whole), ["changed", "deleted"]);
    assert.equal(accepted(whole).metadata.resourceVersion, versionOf(backup));
    assert.deepEqual(accepted(whole)["items"][0].metadata.labels, { label: "before" });
  });

  test("gives the versions again that were given before, and a watch from them passes over what is written meanwhile", async (t) => {
    const { server, create, watch, restart } = await openScene(t);
    const backup = server.resourceVersion;
    await create("lost-1");
    await create("lost-2");
    server.restore(backup);
    await restart();
    const { next } = await watch({ resourceVersion: String(backup + 2) });
    const versions = [];
    for (const name of ["a", "b", "c"]) versions.push(Number(versionOf(await create(name))));
    assert.deepEqual(versions, [backup + 1, backup + 2, backup + 3]);
    assert.equal(brief(await next()), "ADDED c");
  });

  test("takes kinds back as well, and they can come again in another form", async (t) => {
    const { server, client, restart } = await openScene(t);
    const group = "gems.example.com";
    const backup = server.resourceVersion;
    await client.applyCrd(gemCrd(group));
    await client.list(gemPath(group, "v1", "default"));
    server.restore(backup);
    await restart();
    await assert.rejects(client.list(gemPath(group, "v1", "default")), { status: 404 });
    const crd = gemCrd(group);
    await client.applyCrd({ ...crd, spec: { ...crd.spec, versions: crd.spec.versions.slice(0, 1) } });
    const served = await client.get<{ versions: { version: string }[] }>(`/apis/${group}`);
    assert.deepEqual(
      served.versions.map(({ version }) => version),
      crd.spec.versions.slice(0, 1).map(({ name }) => name),
    );
  });

  test("cannot be older than the history, or newer than all", async (t) => {
    const { server, create } = await openScene(t);
    await create("a");
    server.compact();
    const { resourceVersion } = server;
    for (const version of [resourceVersion - 1, resourceVersion + 1])
      assert.throws(() => server.restore(version), { name: "RangeError", message: /no way back to \d+/ });
    assert.equal(server.resourceVersion, resourceVersion);
  });
});

describe("bookmarks", () => {
  test("come as often as it is told, with the newest version of all kinds, and only to who allows them", async (t) => {
    const { client, create, watch, server } = await openScene(t, { bookmarkMs: 5 });
    const resourceVersion = versionOf(await create("a"));
    const allowing = await watch({ resourceVersion, allowWatchBookmarks: "true" });
    const other = await watch({ resourceVersion });
    await client.create(CONFIG_MAPS, { metadata: { name: "elsewhere" } });
    const newest = String(server.resourceVersion);
    let bookmark = await allowing.next();
    while (bookmark.object.metadata.resourceVersion !== newest) bookmark = await allowing.next();
    assert.equal(brief(bookmark), "BOOKMARK");
    await create("b");
    assert.deepEqual(await other.briefs(1), ["ADDED b"]);
  });
});

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
    slow.on("data", (chunk: Buffer) => (bytes += chunk.length));
    slow.on("error", () => undefined);
    await new Promise((resolve) => slow.once("close", resolve));
    assert.ok(bytes < (UNREAD_WRITES * BIG.length) / 2, `${bytes} bytes were kept for it`);
  });

  test("gets what it begins with as a whole, whatever its size", async (t) => {
    const { server, client, watch } = await openScene(t, limit);
    const start = String(server.resourceVersion);
    const names = ["a", "b", "c", "d", "e", "f", "g", "h"];
    for (const name of names) await client.create(CONFIG_MAPS, { metadata: { name }, data: { big: BIG } });
    const initial = { sendInitialEvents: "true", resourceVersionMatch: "NotOlderThan", allowWatchBookmarks: "true" };
    for (const query of [{ resourceVersion: start }, { resourceVersion: "" }, initial]) {
      const { next } = await watch(query, CONFIG_MAPS);
      const told = [];
      while (told.at(-1) !== "ADDED h") told.push(brief(await next()));
      assert.deepEqual(
        told.filter((event) => !event.includes("kube-root-ca")),
        names.map((name) => `ADDED ${name}`),
      );
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
