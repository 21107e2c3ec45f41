/**
 * Where a watch starts: with the objects that are there, with a streaming list that ends in a bookmark, or with nothing but what
 * comes. Source: Kubernetes API concepts, "Semantics for watch", "Streaming lists"; KEP-3157.
 */
import assert from "node:assert/strict";
import { accepted, isNewer, type Query, versionOf } from "./reading.ts";
import { conformReading } from "./watching.ts";

const STREAMING_LIST = { sendInitialEvents: "true", resourceVersionMatch: "NotOlderThan", allowWatchBookmarks: "true" };

conformReading("a watch without a starting point", [
  {
    name: "tells first what is there as ADDED, then what comes",
    async run({ create, patch, watch }) {
      await create("a");
      await create("b");
      const queries: readonly Query[] = [{}, { resourceVersion: "" }, { resourceVersion: "0" }];
      for (const [index, query] of queries.entries()) {
        const { briefs, next } = await watch(query);
        assert.deepEqual((await briefs(2)).toSorted(), ["ADDED a", "ADDED b"], JSON.stringify(query));
        const changed = await patch("b", { spec: { replicas: index + 2 } });
        assert.deepEqual(await next(), { type: "MODIFIED", object: changed });
      }
    },
  },
  {
    name: "of nothing waits for the first object",
    async run({ create, watch }) {
      const { briefs } = await watch();
      await create("one");
      assert.deepEqual(await briefs(1), ["ADDED one"]);
    },
  },
  {
    name: "marks the end of the initial objects for a client that allows bookmarks",
    async run({ create, watch }) {
      await create("a");
      for (const resourceVersion of ["", "0"]) {
        const { briefs } = await watch({ allowWatchBookmarks: "true", resourceVersion });
        assert.deepEqual(await briefs(2), ["ADDED a", "BOOKMARK initial-events-end"], resourceVersion);
      }
    },
  },
]);

conformReading("a streaming list", [
  {
    name: "tells the objects as they are, marks their end with a bookmark, and goes on as a watch",
    async run({ target, path, create, patch, list, watch }) {
      for (const name of ["b", "a"]) await create(name);
      await patch("a", { status: { phase: "Running" } }, "status");
      const { next } = await watch(STREAMING_LIST);
      const initial = [await next(), await next()];
      assert.deepEqual(
        initial.toSorted((x, y) => x.object.metadata.name.localeCompare(y.object.metadata.name)),
        [
          { type: "ADDED", object: await target.client.get(path("a")) },
          { type: "ADDED", object: await target.client.get(path("b")) },
        ],
      );
      const { type, object: bookmark } = await next();
      assert.equal(type, "BOOKMARK");
      const resourceVersion = versionOf(bookmark);
      assert.deepEqual(bookmark, {
        kind: "Database",
        apiVersion: "demo.example.com/v1",
        metadata: { resourceVersion, annotations: { "k8s.io/initial-events-end": "true" } },
      });
      assert.ok(!isNewer(resourceVersion, versionOf(accepted(await list()))));
      assert.ok(initial.every(({ object }) => !isNewer(versionOf(object), resourceVersion)));
      const changed = await patch("b", { spec: { replicas: 2 } });
      assert.deepEqual(await next(), { type: "MODIFIED", object: changed });
    },
  },
  {
    name: "can be resumed from its bookmark",
    async run({ create, watch }) {
      await create("a");
      const first = await watch(STREAMING_LIST);
      await first.next();
      const { object: bookmark } = await first.next();
      await create("b");
      const { briefs } = await watch({ resourceVersion: versionOf(bookmark) });
      assert.deepEqual(await briefs(1), ["ADDED b"]);
    },
  },
  {
    name: "of nothing is the bookmark alone",
    async run({ create, watch }) {
      const { briefs } = await watch(STREAMING_LIST);
      assert.deepEqual(await briefs(1), ["BOOKMARK initial-events-end"]);
      await create("one");
      assert.deepEqual(await briefs(1), ["ADDED one"]);
    },
  },
  {
    name: "of a built-in kind ends in a bookmark of that kind",
    async run({ namespace, watch }) {
      const { next } = await watch(STREAMING_LIST, { path: `/api/v1/namespaces/${namespace}/configmaps` });
      const { type, object } = await next();
      assert.deepEqual([type, object.kind, object.apiVersion], ["BOOKMARK", "ConfigMap", "v1"]);
      const { annotations } = object.metadata;
      assert.deepEqual(annotations, { "k8s.io/initial-events-end": "true" });
      versionOf(object);
    },
  },
  {
    name: "not older than a version shows what is there now",
    async run({ create, remove, version, watch }) {
      await create("gone");
      await create("kept");
      const before = await version();
      await remove("gone");
      for (const resourceVersion of ["1", "0", before]) {
        const { briefs } = await watch({ ...STREAMING_LIST, resourceVersion });
        assert.deepEqual(await briefs(2), ["ADDED kept", "BOOKMARK initial-events-end"], resourceVersion);
      }
    },
  },
  {
    name: "of a client that does not allow bookmarks has no mark at its end",
    async run({ create, watch }) {
      await create("a");
      const { briefs } = await watch({ sendInitialEvents: "true", resourceVersionMatch: "NotOlderThan" });
      assert.deepEqual(await briefs(1), ["ADDED a"]);
      await create("b");
      assert.deepEqual(await briefs(1), ["ADDED b"]);
    },
  },
  {
    name: "under a selector shows what is selected",
    async run({ create, watch }) {
      await create("a", { kept: "yes" });
      await create("b", { kept: "no" });
      const byLabel = await watch({ ...STREAMING_LIST, labelSelector: "kept=yes" });
      assert.deepEqual(await byLabel.briefs(2), ["ADDED a", "BOOKMARK initial-events-end"]);
      const byName = await watch({ ...STREAMING_LIST, fieldSelector: "metadata.name=b" });
      assert.deepEqual(await byName.briefs(2), ["ADDED b", "BOOKMARK initial-events-end"]);
    },
  },
  {
    name: "of the future tells, after the answer has begun, 504 with the cause ResourceVersionTooLarge",
    async run({ watch }) {
      const { rest } = await watch({ ...STREAMING_LIST, resourceVersion: "99999999999" });
      const [event, ...more] = await rest();
      assert.deepEqual([event?.type, more], ["ERROR", []]);
      const { code, reason, details, message } = event?.object ?? { metadata: { name: "" } };
      assert.match(message, /^Timeout: Too large resource version: 99999999999, current: \d+$/);
      assert.deepEqual([code, reason, details.retryAfterSeconds], [504, "Timeout", 1]);
      assert.deepEqual(details.causes, [{ reason: "ResourceVersionTooLarge", message: "Too large resource version" }]);
    },
  },
]);

conformReading("a watch that wants no initial events", [
  {
    name: "tells only what comes, wherever it is told to start",
    async run({ create, watch, version }) {
      await create("a");
      const query = { sendInitialEvents: "false", resourceVersionMatch: "NotOlderThan", allowWatchBookmarks: "true" };
      const starts = [async () => "", async () => "0", version];
      for (const [index, start] of starts.entries()) {
        const { briefs } = await watch({ ...query, resourceVersion: await start() });
        await create(`new-${index}`);
        assert.deepEqual(await briefs(1), [`ADDED new-${index}`]);
      }
    },
  },
]);
