/** Histories of the embedded API server that a real one shows when it likes: compacted, forgotten in a restart, gone back to a backup. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { databasePath } from "../../kit/database-crd.ts";
import { gemCrd, gemPath } from "./conformance/gem-crd.ts";
import { accepted, namesOf, refused, versionOf } from "./conformance/reading.ts";
import { brief } from "./conformance/watching.ts";
import { openScene } from "./embedded-scene.ts";

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
    await client.create("/api/v1/namespaces/default/configmaps", { metadata: { name: "elsewhere" } });
    const newest = String(server.resourceVersion);
    let bookmark = await allowing.next();
    while (bookmark.object.metadata.resourceVersion !== newest) bookmark = await allowing.next();
    assert.equal(brief(bookmark), "BOOKMARK");
    await create("b");
    assert.deepEqual(await other.briefs(1), ["ADDED b"]);
  });
});
