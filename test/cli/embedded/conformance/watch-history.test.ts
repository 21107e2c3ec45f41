/**
 * A watch and time: where the server's history begins and ends, how a watch is ended and what is told before, and what becomes of
 * it when its kind goes away. Source: Kubernetes API concepts, "410 Gone responses", "Watch bookmarks"; KEP-956.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { gemCrd, gemPath } from "./gem-crd.ts";
import { isNewer, versionOf } from "./reading.ts";
import { conform } from "./target.ts";
import { brief, conformReading, openDatabases, openWatch } from "./watching.ts";
import { uniqueName } from "./widget.ts";

conformReading("a watch from the past", [
  {
    name: "is answered 200, and tells 410 Expired and ends when the history does not go back so far",
    async run({ watch }) {
      for (const query of [{}, { allowWatchBookmarks: "true" }, { timeoutSeconds: "30" }]) {
        const { rest } = await watch({ resourceVersion: "1", ...query });
        const [event, ...more] = await rest();
        assert.ok(event && more.length === 0);
        assert.equal(event.type, "ERROR");
        const { message, ...status } = event.object;
        assert.match(message, /^too old resource version: 1 \(\d+\)$/);
        const expected = { kind: "Status", apiVersion: "v1", status: "Failure", reason: "Expired", code: 410 };
        assert.deepEqual(status, { ...expected, metadata: {} });
      }
    },
  },
  {
    name: "can be resumed from any event of another watch",
    async run({ create, patch, remove, version, watch }) {
      const resourceVersion = await version();
      await create("one");
      await patch("one", { spec: { replicas: 2 } });
      await remove("one");
      await create("two");
      const { next } = await watch({ resourceVersion });
      const events = [await next(), await next(), await next(), await next()];
      for (const [index, { object }] of events.entries()) {
        const rest = events.slice(index + 1).map(brief);
        const resumed = await watch({ resourceVersion: versionOf(object) });
        assert.deepEqual(await resumed.briefs(rest.length), rest);
      }
    },
  },
]);

conformReading("a watch from the future", [
  {
    name: "says nothing of it, and passes over what is written before that version",
    async run({ create, version, watch }) {
      const resourceVersion = String(BigInt(await version()) + 10n); // others write to this server, too
      const { next } = await watch({ resourceVersion });
      let first = await create("a-0");
      assert.ok(!isNewer(versionOf(first), resourceVersion));
      for (let count = 1; !isNewer(versionOf(first), resourceVersion); count++) first = await create(`a-${count}`);
      assert.deepEqual(await next(), { type: "ADDED", object: first });
    },
  },
]);

conformReading("a watch with a timeout", [
  {
    name: "is ended by the server in a clean way, without a bookmark that nobody asked for",
    async run({ create, version, watch }) {
      const { rest } = await watch({ resourceVersion: await version(), timeoutSeconds: "1" });
      await create("one");
      assert.deepEqual((await rest()).map(brief), ["ADDED one"]);
    },
  },
  {
    name: "tells in a last bookmark how far its kind has come, also when nothing that it selects was written",
    async run({ create, version, watch }) {
      const query = { allowWatchBookmarks: "true", timeoutSeconds: "3", resourceVersion: await version() };
      const whole = await watch(query);
      const selected = await watch({ ...query, fieldSelector: "metadata.name=other" });
      const one = await create("one");
      const [[first, ...bookmarks], others] = await Promise.all([whole.rest(), selected.rest()]);
      assert.deepEqual(first, { type: "ADDED", object: one });
      for (const events of [bookmarks, others]) {
        const bookmark = events.at(-1) ?? { type: "none", object: one };
        const resourceVersion = versionOf(bookmark.object);
        const object = { kind: "Database", apiVersion: "demo.example.com/v1", metadata: { resourceVersion } };
        assert.deepEqual(bookmark, { type: "BOOKMARK", object });
        assert.ok(!isNewer(versionOf(one), resourceVersion));
        assert.deepEqual(new Set(events.map(brief)), new Set(["BOOKMARK"]));
      }
    },
  },
]);

conform("a watch of a kind", (open) => {
  test("that is deleted tells the deletion of each object, and ends", async (t) => {
    const target = await open(t);
    if (target === undefined) return;
    const group = `${uniqueName("gone")}.example.com`;
    const crd = gemCrd(group);
    await target.client.applyCrd(crd);
    const { namespace } = await openDatabases(t, target);
    const path = gemPath(group, "v1", namespace);
    for (const name of ["a", "b", "c"])
      await target.client.create(path, { apiVersion: `${group}/v1`, kind: "Gem", metadata: { name } });
    const { briefs, rest } = await openWatch(t, target, path);
    assert.deepEqual((await briefs(3)).toSorted(), ["ADDED a", "ADDED b", "ADDED c"]);
    await target.client.delete(`/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${crd.metadata.name}`);
    assert.deepEqual((await rest()).map(brief).toSorted(), ["DELETED a", "DELETED b", "DELETED c"]);
  });
});
