/**
 * What a watch shows of a kind: the objects that a selector selects, in the version of its path, as whole objects, as metadata
 * only, or as the rows of a table. Source: Kubernetes API concepts, "Efficient detection of changes", "Receiving resources as
 * Tables"; KEP-2334 (partial metadata).
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject } from "../../../kit/kube-client.ts";
import { gemCrd, gemPath } from "./gem-crd.ts";
import { accepted, isNewer, read, versionOf } from "./reading.ts";
import { conform } from "./target.ts";
import { brief, conformReading, openDatabases, openWatch, type WatchEvent } from "./watching.ts";

const METADATA = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io";
const METADATA_LIST = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io";
const TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
const PARTIAL = { kind: "PartialObjectMetadata", apiVersion: "meta.k8s.io/v1" };

conformReading("a watch under a selector", [
  {
    name: "tells an object that comes into the selection as ADDED, and one that leaves it as DELETED in its last selected state",
    async run({ create, patch, remove, version, watch }) {
      const resourceVersion = await version();
      const { next } = await watch({ resourceVersion, labelSelector: "tier=front" });
      await create("one", { tier: "back" });
      const entered = await patch("one", { metadata: { labels: { tier: "front" } } });
      const changed = await patch("one", { spec: { replicas: 2 } });
      const left = await patch("one", { metadata: { labels: { tier: "back" } }, spec: { replicas: 3 } });
      await patch("one", { spec: { replicas: 4 } });
      const back = await patch("one", { metadata: { labels: { tier: "front" } } });
      await remove("one");
      assert.deepEqual(await next(), { type: "ADDED", object: entered });
      assert.deepEqual(await next(), { type: "MODIFIED", object: changed });
      const lastSelected = { ...changed, metadata: { ...changed.metadata, resourceVersion: versionOf(left) } };
      assert.deepEqual(await next(), { type: "DELETED", object: lastSelected });
      assert.deepEqual(await next(), { type: "ADDED", object: back });
      const { type, object } = await next();
      assert.deepEqual([type, object.metadata.labels], ["DELETED", { tier: "front" }]);
      assert.ok(isNewer(versionOf(object), versionOf(back)));
    },
  },
  {
    name: "replays a past the same way",
    async run({ create, patch, remove, version, watch }) {
      const resourceVersion = await version();
      await create("one", { tier: "front" });
      await patch("one", { metadata: { labels: { tier: "back" } } });
      await create("two", { tier: "back" });
      await patch("one", { metadata: { labels: { tier: "front" } } });
      await remove("one");
      await remove("two");
      const { briefs } = await watch({ resourceVersion, labelSelector: "tier=front" });
      assert.deepEqual(await briefs(4), ["ADDED one", "DELETED one", "ADDED one", "DELETED one"]);
    },
  },
  {
    name: "by name follows one object",
    async run({ create, patch, remove, watch }) {
      await create("one");
      await create("two");
      const { briefs } = await watch({ fieldSelector: "metadata.name=one" });
      await patch("two", { spec: { replicas: 2 } });
      await patch("one", { spec: { replicas: 2 } });
      await remove("two");
      await remove("one");
      await create("one");
      assert.deepEqual(await briefs(4), ["ADDED one", "MODIFIED one", "DELETED one", "ADDED one"]);
    },
  },
]);

/** An event without the parts that differ from run to run. */
function partial({ type, object }: WatchEvent) {
  const { kind, apiVersion, metadata, ...rest } = object;
  return { type, kind, apiVersion, name: metadata.name, labels: metadata.labels, fields: Object.keys(rest) };
}

conformReading("metadata only", [
  {
    name: "is what a list shows on request",
    async run({ target, path, create }) {
      const { metadata } = await create("one", { a: "b" });
      const answer = accepted(await read(target, path(), {}, METADATA_LIST));
      assert.deepEqual([answer.kind, answer.apiVersion], ["PartialObjectMetadataList", "meta.k8s.io/v1"]);
      assert.deepEqual(answer["items"], [{ ...PARTIAL, metadata }]);
      versionOf(answer);
      const object = accepted(await read(target, path("one"), {}, METADATA));
      assert.deepEqual(object, { ...PARTIAL, metadata });
    },
  },
  {
    name: "is what a watch shows on request, also in its bookmarks",
    async run({ create, patch, remove, watch }) {
      const { metadata } = await create("one", { a: "b" });
      const { next } = await watch({ allowWatchBookmarks: "true" }, { accept: METADATA });
      assert.deepEqual(await next(), { type: "ADDED", object: { ...PARTIAL, metadata } });
      const bookmark = await next();
      assert.equal(brief(bookmark), "BOOKMARK initial-events-end");
      assert.deepEqual([bookmark.object.kind, bookmark.object.apiVersion], [PARTIAL.kind, PARTIAL.apiVersion]);
      await patch("one", { spec: { replicas: 2 } });
      await remove("one");
      const expected = { ...PARTIAL, name: "one", labels: { a: "b" }, fields: [] };
      assert.deepEqual(partial(await next()), { type: "MODIFIED", ...expected });
      assert.deepEqual(partial(await next()), { type: "DELETED", ...expected });
    },
  },
]);

/** The cells of the one row of a table, and the name in its object. */
function row({ type, object }: WatchEvent) {
  const [{ cells, object: of }] = object["rows"];
  return { type, kind: object.kind, apiVersion: object.apiVersion, cells, of: of?.kind, name: of?.metadata.name };
}

conformReading("a table", [
  {
    name: "comes from a watch one row at a time, its columns with the first row only",
    async run({ create, patch, remove, watch }) {
      await create("one");
      const { next } = await watch({ allowWatchBookmarks: "true" }, { accept: TABLE });
      const first = await next();
      const columns: readonly { name: string }[] = first.object["columnDefinitions"];
      assert.deepEqual(
        columns.map(({ name }) => name),
        ["Name", "Phase", "Replicas", "Engine"],
      );
      const table = { kind: "Table", apiVersion: "meta.k8s.io/v1", of: "PartialObjectMetadata", name: "one" };
      assert.deepEqual(row(first), { type: "ADDED", ...table, cells: ["one", null, 1, "postgres"] });
      const { type, object: bookmark } = await next();
      assert.deepEqual([type, bookmark.kind], ["BOOKMARK", "Table"]);
      versionOf(bookmark);
      const changed = await patch("one", { status: { phase: "Running" } }, "status");
      const second = await next();
      assert.deepEqual(row(second), { type: "MODIFIED", ...table, cells: ["one", "Running", 1, "postgres"] });
      assert.deepEqual([second.object["columnDefinitions"], versionOf(second.object)], [null, versionOf(changed)]);
      await remove("one");
      assert.deepEqual(row(await next()), { type: "DELETED", ...table, cells: ["one", "Running", 1, "postgres"] });
    },
  },
  {
    name: "has rows with the object, or without one, as it is asked for",
    async run({ create, watch }) {
      const one = await create("one");
      const whole = await watch({ includeObject: "Object" }, { accept: TABLE });
      assert.deepEqual((await whole.next()).object["rows"][0].object, one);
      const none = await watch({ includeObject: "None" }, { accept: TABLE });
      assert.deepEqual((await none.next()).object["rows"][0].object, null);
    },
  },
]);

const GROUP = "watch-view.example.com";

conform("a kind of two versions", (open) => {
  test("is shown by each list and watch in the version of its path", async (t) => {
    const target = await open(t);
    if (target === undefined) return;
    await target.client.applyCrd(gemCrd(GROUP));
    const { namespace } = await openDatabases(t, target);
    const gem = { apiVersion: `${GROUP}/v2`, kind: "Gem", metadata: { name: "one" }, spec: { color: "red" } };
    const watches = { v1: await watchOf("v1"), v2: await watchOf("v2") };
    await target.client.create(gemPath(GROUP, "v2", namespace), gem);
    for (const version of ["v1", "v2"] as const) {
      const listed: readonly KubeObject[] = await target.client.list(gemPath(GROUP, version, namespace));
      assert.deepEqual(
        listed.map(({ apiVersion, spec }) => ({ apiVersion, spec })),
        [{ apiVersion: `${GROUP}/${version}`, spec: { color: "red" } }],
      );
    }
    await target.client.delete(gemPath(GROUP, "v1", namespace, "one"));
    for (const [version, { next }] of Object.entries(watches)) {
      const events = [await next(), await next(), await next()];
      assert.deepEqual(
        events.map(({ type, object }) => `${type} ${object.apiVersion} ${object.kind}`),
        ["BOOKMARK", "ADDED", "DELETED"].map((type) => `${type} ${GROUP}/${version} Gem`),
      );
    }

    async function watchOf(version: "v1" | "v2") {
      assert.ok(target);
      return await openWatch(t, target, gemPath(GROUP, version, namespace), { allowWatchBookmarks: "true" });
    }
  });

  test("is watched by a field that its definition makes selectable", async (t) => {
    const target = await open(t);
    if (target === undefined) return;
    await target.client.applyCrd(gemCrd(GROUP));
    const { namespace } = await openDatabases(t, target);
    const [all, one] = [gemPath(GROUP, "v1", namespace), gemPath(GROUP, "v1", namespace, "one")];
    const { briefs } = await openWatch(t, target, all, { fieldSelector: "spec.color=red" });
    await target.client.create(all, { apiVersion: `${GROUP}/v1`, kind: "Gem", metadata: { name: "one" } });
    await target.client.patch(one, { spec: { color: "red" } });
    await target.client.patch(one, { spec: { carat: 2 } });
    await target.client.patch(one, { spec: { color: "blue" } });
    await target.client.delete(one);
    await target.client.create(all, {
      apiVersion: `${GROUP}/v1`,
      kind: "Gem",
      metadata: { name: "two" },
      spec: { color: "red" },
    });
    assert.deepEqual(await briefs(4), ["ADDED one", "MODIFIED one", "DELETED one", "ADDED two"]);
  });
});
