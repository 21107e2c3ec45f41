/** What a LIST shows and as of when, and what is refused. Source: Kubernetes API concepts, "Semantics for get and list". */
import assert from "node:assert/strict";
import { test } from "node:test";
import { databasePath } from "../../../kit/database-crd.ts";
import type { KubeObject } from "../../../kit/kube-client.ts";
import { type Answer, accepted, badRequest, invalidOptions, isNewer, namesOf, refused, versionOf } from "./reading.ts";
import { conform } from "./target.ts";
import { conformReading, openDatabases } from "./watching.ts";
import { uniqueName } from "./widget.ts";

conformReading("a list", [
  {
    name: "of nothing has no items, and still a kind and a resourceVersion",
    async run({ target, namespace, list }) {
      const paths = [databasePath(namespace), databasePath("there-is-no-such-namespace")];
      for (const path of [...paths, `/api/v1/namespaces/${namespace}/configmaps`]) {
        const { apiVersion, kind, items, metadata } = accepted(await list({}, path));
        const expected = path.startsWith("/api/v1") ? ["v1", "ConfigMapList"] : ["demo.example.com/v1", "DatabaseList"];
        assert.deepEqual([apiVersion, kind, items], [...expected, []], target.name);
        assert.match(metadata.resourceVersion ?? "", /^\d+$/);
      }
    },
  },
  {
    name: "names kind and apiVersion on each item of a custom kind, and on none of a built-in one",
    async run({ target, namespace, create, list }) {
      const path = `/api/v1/namespaces/${namespace}/configmaps`;
      await create("one");
      await target.client.create(path, { metadata: { name: "one" } });
      const identity = async (of?: string) => {
        const items: KubeObject[] = accepted(await list({}, of))["items"];
        return items.map(({ apiVersion, kind, metadata }) => ({ apiVersion, kind, name: metadata.name }));
      };
      assert.deepEqual(await identity(), [{ apiVersion: "demo.example.com/v1", kind: "Database", name: "one" }]);
      assert.deepEqual(await identity(path), [{ apiVersion: undefined, kind: undefined, name: "one" }]);
    },
  },
  {
    name: "is in the order of names",
    async run({ create, names }) {
      for (const name of ["z", "b", "a.b", "a-b", "a0", "a"]) await create(name);
      assert.deepEqual(await names(), ["a", "a-b", "a.b", "a0", "b", "z"]);
    },
  },
  {
    name: "shows an object as reading it does, and is at least as new",
    async run({ target, create, patch, list, path }) {
      await create("one");
      await patch("one", { status: { phase: "Running" } }, "status");
      const answer = accepted(await list());
      const one = await target.client.get(path("one"));
      assert.deepEqual(answer["items"], [one]);
      assert.ok(!isNewer(versionOf(one), versionOf(answer)));
    },
  },
  {
    name: "may be asked to be pretty",
    async run({ create, list }) {
      await create("one");
      const [pretty, plain] = [await list({ pretty: "true" }), await list({ pretty: "false" })];
      assert.deepEqual(pretty.body["items"], plain.body["items"]);
      assert.deepEqual(namesOf(pretty), ["one"]);
    },
  },
  {
    name: "shows the newest state, unless exactly an older one is asked for",
    async run({ create, remove, patch, list }) {
      await create("gone");
      await create("one");
      const resourceVersion = versionOf(accepted(await list()));
      await remove("gone");
      await patch("one", { spec: { replicas: 5 } });
      await create("two");
      const shown = (answer: Answer) =>
        accepted(answer)["items"].map(({ metadata, spec }: KubeObject) => `${metadata.name} ${spec.replicas}`);
      const [before, now] = [
        ["gone 1", "one 1"],
        ["one 5", "two 1"],
      ];
      const exact = await list({ resourceVersion, resourceVersionMatch: "Exact" });
      assert.deepEqual([shown(exact), versionOf(exact.body)], [before, resourceVersion]);
      const limited = await list({ resourceVersion, limit: "10" });
      assert.deepEqual([shown(limited), versionOf(limited.body)], [before, resourceVersion], "limit means exactly");
      for (const query of [
        {},
        { resourceVersion: "" },
        { resourceVersion: "0" },
        { resourceVersion },
        { resourceVersion, resourceVersionMatch: "NotOlderThan" },
        { resourceVersion: "0", resourceVersionMatch: "NotOlderThan" },
        { resourceVersion: "1", resourceVersionMatch: "NotOlderThan" },
      ]) {
        const answer = await list(query);
        assert.deepEqual(shown(answer), now, JSON.stringify(query));
        assert.ok(isNewer(versionOf(answer.body), resourceVersion), JSON.stringify(query));
      }
    },
  },
  {
    name: "of the future is 504 with the cause ResourceVersionTooLarge and a second to wait",
    async run({ list }) {
      const resourceVersion = "99999999999";
      const queries = [{}, { resourceVersionMatch: "NotOlderThan" }, { resourceVersionMatch: "Exact" }, { limit: "1" }];
      for (const answer of await Promise.all(queries.map((query) => list({ resourceVersion, ...query })))) {
        const { message, ...rest } = refused(answer);
        assert.match(message, /^Timeout: Too large resource version: 99999999999, current: \d+$/);
        assert.deepEqual(rest, {
          code: 504,
          reason: "Timeout",
          details: {
            causes: [{ reason: "ResourceVersionTooLarge", message: "Too large resource version" }],
            retryAfterSeconds: 1,
          },
        });
        assert.equal(answer.headers["retry-after"], "1");
      }
    },
  },
]);

const onMatch = (reason: "FieldValueForbidden" | "FieldValueNotSupported", message: string) => ({
  reason,
  message,
  field: "resourceVersionMatch",
});
const NEEDS_VERSION = onMatch(
  "FieldValueForbidden",
  "Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided",
);
const NO_SUCH_MATCH = onMatch(
  "FieldValueNotSupported",
  'Unsupported value: "Newest": supported values: "Exact", "NotOlderThan", ""',
);
const refusals = [
  {
    name: "a match without a resourceVersion",
    query: { resourceVersionMatch: "Exact" },
    expected: invalidOptions(NEEDS_VERSION),
  },
  {
    name: "a match with an empty resourceVersion",
    query: { resourceVersion: "", resourceVersionMatch: "NotOlderThan" },
    expected: invalidOptions(NEEDS_VERSION),
  },
  {
    name: "an unknown match",
    query: { resourceVersion: "5", resourceVersionMatch: "Newest" },
    expected: invalidOptions(NO_SUCH_MATCH),
  },
  {
    name: "two faults at once",
    query: { resourceVersionMatch: "Newest" },
    expected: invalidOptions(NEEDS_VERSION, NO_SUCH_MATCH),
  },
  {
    name: 'exactly "0"',
    query: { resourceVersion: "0", resourceVersionMatch: "Exact" },
    expected: invalidOptions(
      onMatch("FieldValueForbidden", 'Forbidden: resourceVersionMatch "exact" is forbidden for resourceVersion "0"'),
    ),
  },
  {
    name: "initial events",
    query: { sendInitialEvents: "true" },
    expected: invalidOptions({
      reason: "FieldValueForbidden",
      message: "Forbidden: sendInitialEvents is forbidden for list",
      field: "sendInitialEvents",
    }),
  },
  {
    name: "a resourceVersion that is no number",
    query: { resourceVersion: "abc" },
    expected: badRequest(
      'invalid resource version: resourceVersion: Invalid value: "abc": strconv.ParseUint: parsing "abc": invalid syntax',
    ),
  },
  {
    name: "a negative resourceVersion",
    query: { resourceVersion: "-5", resourceVersionMatch: "Exact" },
    expected: badRequest(
      'invalid resource version: resourceVersion: Invalid value: "-5": strconv.ParseUint: parsing "-5": invalid syntax',
    ),
  },
  {
    name: "a limit that is no number",
    query: { limit: "ten" },
    expected: badRequest('strconv.ParseInt: parsing "ten": invalid syntax'),
  },
  {
    name: "a limit that is no whole number",
    query: { limit: "1.5" },
    expected: badRequest('strconv.ParseInt: parsing "1.5": invalid syntax'),
  },
  {
    name: "an empty limit",
    query: { limit: "" },
    expected: badRequest('strconv.ParseInt: parsing "": invalid syntax'),
  },
];

conform("a list is refused", (open) => {
  for (const { name, query, expected } of refusals) {
    test(`for ${name}`, async (t) => {
      const target = await open(t);
      if (target === undefined) return;
      assert.deepEqual(refused(await (await openDatabases(t, target)).list(query)), expected);
    });
  }

  test("for a kind that is not served", async (t) => {
    const target = await open(t);
    if (target === undefined) return;
    const { list } = await openDatabases(t, target);
    for (const watch of ["false", "true"]) {
      assert.equal(
        (await list({ watch }, `/apis/demo.example.com/v1/namespaces/${uniqueName("x")}/nothings`)).status,
        404,
      );
      assert.equal((await list({ watch }, "/apis/demo.example.com/v2/databases")).status, 404);
      assert.equal((await list({ watch }, "/apis/nobody.example.com/v1/databases")).status, 404);
      assert.equal((await list({ watch }, "/api/v1/nothings")).status, 404);
    }
  });
});
