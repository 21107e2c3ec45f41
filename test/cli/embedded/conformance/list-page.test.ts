/**
 * Lists in pages: all pages of one list show the version of the first, whatever is written meanwhile.
 * Source: Kubernetes API concepts, "Retrieving large results sets in chunks". That a token expires is a case of the embedded
 * server's own tests, since no client can make the real one forget.
 */
import assert from "node:assert/strict";
import { databasePath } from "../../../kit/database-crd.ts";
import type { KubeObject } from "../../../kit/kube-client.ts";
import {
  type Answer,
  accepted,
  badRequest,
  invalidOptions,
  isNewer,
  namesOf,
  type Query,
  refused,
  versionOf,
} from "./reading.ts";
import { conformReading, type Databases } from "./watching.ts";
import { uniqueName } from "./widget.ts";

interface Page {
  readonly names: readonly string[];
  /** `<namespace>/<name>` */
  readonly ids: readonly string[];
  readonly version: string;
  /** Empty behind the last page. */
  readonly token: string;
  readonly remaining: number | undefined;
}

function pageOf(answer: Answer): Page {
  const { metadata } = accepted(answer);
  const { continue: token = "", remainingItemCount: remaining } = metadata as {
    continue?: string;
    remainingItemCount?: number;
  };
  const items: readonly KubeObject[] = answer.body["items"];
  const ids = items.map(({ metadata: { namespace, name } }) => `${namespace}/${name}`);
  return { names: namesOf(answer), ids, version: versionOf(answer.body), token, remaining };
}

async function allPages({ list }: Databases, query: Query, path?: string): Promise<Page[]> {
  const pages = [pageOf(await list(query, path))];
  for (let token = pages[0]?.token; token; token = pages.at(-1)?.token)
    pages.push(pageOf(await list({ ...query, continue: token }, path)));
  return pages;
}

async function fill({ create }: Databases, labels?: Readonly<Record<string, string>>): Promise<void> {
  for (const name of ["a", "b", "c", "d", "e"]) await create(name, labels);
}

conformReading("a list in pages", [
  {
    name: "counts what is still to come",
    async run(databases) {
      await fill(databases);
      const pages = await allPages(databases, { limit: "2" });
      assert.deepEqual(
        pages.map(({ names, remaining }) => ({ names, remaining })),
        [
          { names: ["a", "b"], remaining: 3 },
          { names: ["c", "d"], remaining: 1 },
          { names: ["e"], remaining: undefined },
        ],
      );
    },
  },
  {
    name: "does not count it under a selector",
    async run(databases) {
      await fill(databases, { kept: "yes" });
      await databases.create("b2", { kept: "no" });
      const pages = await allPages(databases, { limit: "2", labelSelector: "kept=yes" });
      assert.deepEqual(
        pages.map(({ names, remaining }) => ({ names, remaining })),
        [["a", "b"], ["c", "d"], ["e"]].map((names) => ({ names, remaining: undefined })),
      );
    },
  },
  {
    name: "has no page behind the last object",
    async run(databases) {
      await fill(databases);
      for (const limit of ["5", "6", "0", "-1"]) {
        const pages = await allPages(databases, { limit });
        assert.deepEqual([pages.length, pages[0]?.names.length, pages[0]?.remaining], [1, 5, undefined], limit);
      }
    },
  },
  {
    name: "goes on as of its first page while objects come, change and go",
    async run(databases) {
      await fill(databases);
      const { list, create, remove, patch, names } = databases;
      const first = pageOf(await list({ limit: "2" }));
      await create("a2");
      await create("c2");
      await remove("d");
      await remove("a");
      await patch("e", { spec: { replicas: 7 } });
      const second = pageOf(await list({ limit: "2", continue: first.token }));
      const answer = await list({ limit: "2", continue: second.token });
      const third = pageOf(answer);
      assert.deepEqual([second.names, third.names], [["c", "d"], ["e"]]);
      assert.deepEqual([second.version, third.version], [first.version, first.version]);
      assert.equal(answer.body["items"][0].spec.replicas, 1);
      assert.deepEqual(await names(), ["a2", "b", "c", "c2", "e"]);
    },
  },
  {
    name: "gives all the rest when its later pages have no limit",
    async run(databases) {
      await fill(databases);
      const { token } = pageOf(await databases.list({ limit: "2" }));
      assert.deepEqual(pageOf(await databases.list({ continue: token })).names, ["c", "d", "e"]);
    },
  },
  {
    name: "gives the same page twice for the same token",
    async run(databases) {
      await fill(databases);
      const { token } = pageOf(await databases.list({ limit: "2" }));
      const query = { limit: "2", continue: token };
      assert.deepEqual(pageOf(await databases.list(query)), pageOf(await databases.list(query)));
    },
  },
  {
    name: "goes through all namespaces in the order of <namespace>/<name>, where x-b/ comes before x/",
    async run(databases) {
      const mark = uniqueName("mark");
      const { target, namespace, create } = databases;
      for (const name of ["a", "b", "c"]) await create(name, { mark });
      const other = `${namespace}-b`;
      await target.client.createNamespace(other);
      for (const name of ["a", "b"]) {
        const spec = { engine: "mysql" };
        await target.client.create(databasePath(other), { ...kind, metadata: { name, labels: { mark } }, spec });
      }
      const pages = await allPages(databases, { limit: "2", labelSelector: `mark=${mark}` }, databasePath());
      const shown = (id: string) =>
        id.replace(/^(.*)\/(.*)$/, (_, of, name) => `${name} of ${of === other ? "x-b" : "x"}`);
      assert.deepEqual(
        pages.map(({ ids }) => ids.map(shown)),
        [["a of x-b", "b of x-b"], ["a of x", "b of x"], ["c of x"]],
      );
      assert.equal(new Set(pages.map(({ version }) => version)).size, 1);
    },
  },
  {
    name: "starts where it is told: at an older version exactly, or anywhere not older",
    async run(databases) {
      await fill(databases);
      const resourceVersion = pageOf(await databases.list()).version;
      await databases.remove("b");
      const first = pageOf(await databases.list({ limit: "3", resourceVersion, resourceVersionMatch: "Exact" }));
      const second = pageOf(await databases.list({ limit: "3", continue: first.token }));
      assert.deepEqual([first.names, first.remaining, first.version], [["a", "b", "c"], 2, resourceVersion]);
      assert.deepEqual([second.names, second.version], [["d", "e"], resourceVersion]);
      const notOlder = { limit: "3", resourceVersion, resourceVersionMatch: "NotOlderThan" };
      const newest = pageOf(await databases.list(notOlder));
      assert.deepEqual([newest.names, newest.remaining], [["a", "c", "d"], 1]);
      assert.ok(isNewer(newest.version, resourceVersion));
    },
  },
  {
    name: 'comes whole, whatever its limit, at resourceVersion "0"',
    async run(databases) {
      await fill(databases);
      const { names, token } = pageOf(await databases.list({ limit: "2", resourceVersion: "0" }));
      assert.deepEqual([names.length, token], [5, ""]);
    },
  },
  {
    name: 'takes a token with resourceVersion "0", and with no other',
    async run(databases) {
      await fill(databases);
      const { token, version } = pageOf(await databases.list({ limit: "2" }));
      assert.deepEqual(pageOf(await databases.list({ continue: token, resourceVersion: "0" })).names, ["c", "d", "e"]);
      assert.deepEqual(
        refused(await databases.list({ continue: token, resourceVersion: version })),
        badRequest("specifying resource version is not allowed when using continue"),
      );
      const query = { continue: token, resourceVersion: version, resourceVersionMatch: "Exact" };
      const expected = invalidOptions({
        reason: "FieldValueForbidden",
        message: "Forbidden: resourceVersionMatch is forbidden when continue is provided",
        field: "resourceVersionMatch",
      });
      assert.deepEqual(refused(await databases.list(query)), expected);
    },
  },
  {
    name: "refuses a token that it did not give",
    async run({ list }) {
      for (const token of ["nonsense", "e30", Buffer.from('{"v":"x"}').toString("base64url")]) {
        const { message, ...rest } = refused(await list({ limit: "2", continue: token }));
        assert.deepEqual(rest, { code: 400, reason: "BadRequest" });
        assert.match(message, /^invalid continue token: continue key is not valid: /);
      }
    },
  },
]);

const kind = { apiVersion: "demo.example.com/v1", kind: "Database" };
