/**
 * WATCH from a known resourceVersion: exactly what is written later, in order, each as one line that arrives at once; and how a
 * watch is refused. Source: Kubernetes API concepts, "Efficient detection of changes".
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { databasePath } from "../../../kit/database-crd.ts";
import { accepted, invalidOptions, isNewer, refused, versionOf } from "./reading.ts";
import { conform } from "./target.ts";
import { conformReading, openDatabases } from "./watching.ts";

conformReading("a watch from a resourceVersion", [
  {
    name: "tells exactly what was written later, in order, and goes on",
    async run({ create, patch, remove, version, watch }) {
      await create("old");
      const resourceVersion = await version();
      const written = [
        await patch("old", { spec: { replicas: 2 } }),
        await create("new"),
        await patch("old", { status: { phase: "Running" } }, "status"),
        await patch("new", { metadata: { labels: { a: "b" } } }),
      ];
      await remove("old");
      const { next } = await watch({ resourceVersion });
      for (const object of written) {
        const { type, object: told } = await next();
        assert.equal(type, object.metadata.resourceVersion === versionOf(written[1] ?? object) ? "ADDED" : "MODIFIED");
        assert.deepEqual(told, object);
      }
      assert.equal((await next()).type, "DELETED");
      const again = await create("old");
      assert.deepEqual(await next(), { type: "ADDED", object: again });
    },
  },
  {
    name: "tells of a deletion the last state, under a resourceVersion of its own",
    async run({ create, remove, patch, version, watch }) {
      const { next } = await watch({ resourceVersion: await version() });
      await create("one");
      const last = await patch("one", { status: { phase: "Failed" } }, "status");
      await remove("one");
      await next();
      await next();
      const { type, object } = await next();
      assert.equal(type, "DELETED");
      assert.ok(isNewer(versionOf(object), versionOf(last)));
      assert.deepEqual(object, { ...last, metadata: { ...last.metadata, resourceVersion: versionOf(object) } });
    },
  },
  {
    name: "tells of a deletion that waits for a finalizer first that it is wanted, then that it is done",
    async run({ create, remove, patch, version, watch }) {
      await create("one");
      await patch("one", { metadata: { finalizers: ["demo.example.com/hold"] } });
      const { next } = await watch({ resourceVersion: await version() });
      await remove("one");
      const wanted = await next();
      await patch("one", { metadata: { finalizers: null } });
      const done = await next();
      assert.deepEqual([wanted.type, done.type], ["MODIFIED", "DELETED"]);
      assert.match(String(wanted.object.metadata["deletionTimestamp"]), /^\d{4}-.*Z$/);
      assert.equal(done.object.metadata["deletionTimestamp"], wanted.object.metadata["deletionTimestamp"]);
    },
  },
  {
    name: "is silent about a write that changes nothing",
    async run({ create, patch, version, watch, target, path }) {
      const one = await create("one");
      const { next } = await watch({ resourceVersion: await version() });
      const same = await patch("one", { spec: { replicas: 1 } });
      await target.client.replace(path("one"), same);
      assert.equal(versionOf(same), versionOf(one));
      const changed = await patch("one", { spec: { replicas: 2 } });
      assert.deepEqual(await next(), { type: "MODIFIED", object: changed });
    },
  },
  {
    name: "keeps to its namespace, or sees all of them",
    async run({ target, namespace, create, version, watch }) {
      const other = `${namespace}-other`;
      await target.client.createNamespace(other);
      const resourceVersion = await version();
      const [here, everywhere] = [
        await watch({ resourceVersion }),
        await watch({ resourceVersion }, { path: databasePath() }),
      ];
      const body = { apiVersion: "demo.example.com/v1", kind: "Database", metadata: { name: "there" } };
      await target.client.create(databasePath(other), { ...body, spec: { engine: "mysql" } });
      await create("here");
      assert.deepEqual(await here.briefs(1), ["ADDED here"]);
      const own: string[] = [];
      while (own.length < 2) {
        const { object } = await everywhere.next();
        if (object.metadata.namespace?.startsWith(namespace)) own.push(object.metadata.name);
      }
      assert.deepEqual(own, ["there", "here"]);
    },
  },
  {
    name: "keeps to its kind",
    async run({ target, namespace, create, version, watch }) {
      const { briefs } = await watch({ resourceVersion: await version() });
      await target.client.create(`/api/v1/namespaces/${namespace}/configmaps`, { metadata: { name: "map" } });
      await create("one");
      assert.deepEqual(await briefs(1), ["ADDED one"]);
    },
  },
  {
    name: "of a built-in kind names kind and apiVersion on each object",
    async run({ target, namespace, version, watch }) {
      const path = `/api/v1/namespaces/${namespace}/configmaps`;
      const { next } = await watch({ resourceVersion: await version() }, { path });
      await target.client.create(path, { metadata: { name: "one" }, data: { a: "b" } });
      const { object } = await next();
      assert.deepEqual([object.apiVersion, object.kind, object["data"]], ["v1", "ConfigMap", { a: "b" }]);
    },
  },
  {
    name: "is one JSON document a line, without an end",
    async run({ create, version, watch }) {
      const { headers, briefs } = await watch({ resourceVersion: await version() });
      assert.equal(headers["content-type"], "application/json");
      assert.equal(headers["transfer-encoding"], "chunked");
      assert.equal(headers["content-length"], undefined);
      await create("one", { "line-break": "x" });
      assert.deepEqual(await briefs(1), ["ADDED one"]); // nothing is written behind it that could push it out
    },
  },
  {
    name: "keeps line breaks of a text inside its line",
    async run({ patch, create, version, watch }) {
      await create("one");
      const { next } = await watch({ resourceVersion: await version() });
      const message = "first\nsecond\u2028third";
      await patch("one", { status: { message } }, "status");
      assert.equal((await next()).object["status"].message, message);
    },
  },
  {
    name: "is opened by any value of `watch` but 0 and false",
    async run({ create, version, watch, list }) {
      const resourceVersion = await version();
      await create("one");
      for (const value of ["1", "true", "yes"])
        assert.deepEqual(await (await watch({ watch: value, resourceVersion })).briefs(1), ["ADDED one"], value);
      for (const value of ["0", "false"])
        assert.equal(accepted(await list({ watch: value })).kind, "DatabaseList", value);
    },
  },
  {
    name: "of an object's own path is a plain read of it",
    async run({ create, list, path }) {
      const one = await create("one");
      assert.deepEqual(accepted(await list({ watch: "true" }, path("one"))), one);
      assert.equal(refused(await list({ watch: "true" }, path("two"))).reason, "NotFound");
    },
  },
]);

const onMatch = (reason: "FieldValueForbidden" | "FieldValueNotSupported", message: string) => ({
  reason,
  message,
  field: "resourceVersionMatch",
});
const NEEDS_NOT_OLDER = onMatch(
  "FieldValueForbidden",
  "Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
);
const NEEDS_INITIAL = onMatch(
  "FieldValueForbidden",
  "Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
);
const NOT_EXACT = onMatch("FieldValueNotSupported", 'Unsupported value: "Exact": supported values: "NotOlderThan"');
const NOT_NUMBER = 'resourceVersion: Invalid value: "abc": strconv.ParseUint: parsing "abc": invalid syntax';

const refusals = [
  {
    name: "initial events without a match",
    query: { sendInitialEvents: "true", allowWatchBookmarks: "true" },
    expected: invalidOptions(NEEDS_NOT_OLDER),
  },
  {
    name: "no initial events without a match",
    query: { sendInitialEvents: "false", resourceVersion: "5" },
    expected: invalidOptions(NEEDS_NOT_OLDER),
  },
  {
    name: "initial events of exactly one version",
    query: { sendInitialEvents: "true", resourceVersionMatch: "Exact", resourceVersion: "5" },
    expected: invalidOptions(NEEDS_NOT_OLDER, NOT_EXACT),
  },
  {
    name: "a match without a word about initial events",
    query: { resourceVersionMatch: "NotOlderThan", resourceVersion: "5" },
    expected: invalidOptions(NEEDS_INITIAL),
  },
  {
    name: "exactly one version",
    query: { resourceVersionMatch: "Exact", resourceVersion: "5" },
    expected: invalidOptions(NEEDS_INITIAL, NOT_EXACT),
  },
  {
    name: "a resourceVersion that is no number",
    query: { resourceVersion: "abc" },
    expected: { code: 500, message: NOT_NUMBER },
  },
  {
    name: "initial events not older than what is no number",
    query: { sendInitialEvents: "true", resourceVersionMatch: "NotOlderThan", resourceVersion: "abc" },
    expected: { code: 500, message: NOT_NUMBER },
  },
  {
    name: "a timeout that is no number",
    query: { timeoutSeconds: "soon" },
    expected: { code: 400, reason: "BadRequest", message: 'strconv.ParseInt: parsing "soon": invalid syntax' },
  },
];

conform("a watch is refused", (open) => {
  for (const { name, query, expected } of refusals) {
    test(`for ${name}`, async (t) => {
      const target = await open(t);
      if (target === undefined) return;
      const { list } = await openDatabases(t, target);
      assert.deepEqual(refused(await list({ watch: "true", ...query })), expected);
    });
  }
});
