/**
 * The reflector on real API servers, the same scenarios twice: on a server with streaming lists, and on one without them
 * (`WatchList=false`), which is listed in pages. That one also reads pages from etcd, so that a continue token can expire.
 */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { request } from "undici";
import { watchedResource } from "../../bridge/capture/resource.ts";
import { connectApiServer } from "../../bridge/kube/api-server.ts";
import { type ReflectorState, reflect, type WatchEvent } from "../../bridge/kube/reflector.ts";
import { database, databaseCrd, databasePath } from "../kit/database-crd.ts";
import { recorded } from "../kit/embedded-kube.ts";
import type { EtcdServer } from "../kit/etcd-server.ts";
import type { KubeServer } from "../kit/kube-apiserver.ts";
import { needKube, uniqueNamespace } from "../kit/shared-kube.ts";
import { until } from "../kit/until.ts";

const PAGE = 500;
const WAIT = { waitMsMax: 60_000 };
const CRD = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/databases.demo.example.com";

const servers = [
  { title: "with streaming lists", featureGates: { WatchList: true }, streams: true },
  {
    title: "without streaming lists",
    featureGates: { WatchList: false, ListFromCacheSnapshot: false },
    streams: false,
  },
];

/** A namespace of its own and the reflector in it, which ends with its test. */
async function follow(t: TestContext, kube: KubeServer, start: FollowOptions = {}) {
  const { namespace = await uniqueNamespace(kube), resumeFrom, onEvent = async () => undefined } = start;
  const connection = await connectApiServer({ kubeconfig: kube.kubeconfigPath });
  const { apiServer, requests: asked } = recorded(connection);
  const settings = { apiVersion: "demo.example.com/v1", kind: "Database", phase: "status.phase", ignore: [] };
  const resource = watchedResource("c", settings, { plural: "databases", namespaced: true }, namespace);
  const stop = new AbortController();
  const states: ReflectorState[] = [];
  const told: string[] = [];
  const objects = new Set<string>();
  const run = async () => {
    const options = {
      apiServer,
      resource,
      signal: stop.signal,
      onState: (state: ReflectorState) => states.push(state),
      backoff: { firstMs: 50, maxMs: 500, resetAfterMs: 60_000 },
      ...(resumeFrom !== undefined && { resumeFrom, newestVersion: "0" }),
    };
    for await (const event of reflect(options)) {
      if (event.type === "listing") objects.clear();
      if ("object" in event) {
        const { name } = event.object.metadata;
        told.push(`${event.type} ${name}`);
        if (event.type === "deleted") objects.delete(name);
        else objects.add(name);
      } else told.push(event.type);
      await onEvent(event);
    }
  };
  const following = run();
  t.after(async () => {
    stop.abort();
    await following;
    await connection.close();
  });
  return {
    namespace,
    told,
    /** Without the looks at the history. */
    requests: () => asked.filter(({ query }) => query["limit"] !== "1"),
    problems: () => states.flatMap((state) => (state.type === "waiting" ? [state.problem] : [])),
    tells: (event: string) => until(() => told.includes(event), { ...WAIT, what: `the reflector to tell "${event}"` }),
    /** Waits until what it has told is what there is. */
    agrees: () =>
      until(
        async () => {
          const items = await kube.client.list(databasePath(namespace));
          const names = new Set(items.map(({ metadata }) => metadata.name));
          return names.size === objects.size && [...names].every((name) => objects.has(name));
        },
        { ...WAIT, what: "the reflector to agree with the cluster", pollMs: 100 },
      ),
  };
}

interface FollowOptions {
  readonly namespace?: string;
  readonly resumeFrom?: string;
  readonly onEvent?: (event: WatchEvent) => Promise<void>;
}

/** One more object than a page has. */
async function fill(kube: KubeServer): Promise<string> {
  const namespace = await uniqueNamespace(kube);
  for (let start = 0; start <= PAGE; start += 100) {
    const names = Array.from({ length: Math.min(100, PAGE + 1 - start) }, (_, index) => `many-${1000 + start + index}`);
    await Promise.all(names.map((name) => kube.client.create(databasePath(namespace), database(name, namespace))));
  }
  return namespace;
}

/** Forgets everything but the newest revision. */
async function compact(etcd: EtcdServer): Promise<void> {
  const ask = async (path: string, body: object) => {
    const answer = await request(`${etcd.url}/v3/kv/${path}`, { method: "POST", body: JSON.stringify(body) });
    assert.equal(answer.statusCode, 200);
    return (await answer.body.json()) as { header: { revision: string } };
  };
  const { header } = await ask("range", { key: "YQ==" });
  await ask("compaction", { revision: header.revision, physical: true });
}

/** Runs the work at the first object of the first list, when the rest of the list may still be to come. */
function atFirstObject(work: () => Promise<unknown>) {
  let isDone = false;
  return async ({ type }: WatchEvent) => {
    if (type !== "initial" || isDone) return;
    isDone = true;
    await work();
  };
}

for (const { title, featureGates, streams } of servers)
  test(`the reflector on a server ${title}`, async (t) => {
    const kube = await needKube(t, { featureGates });
    if (kube === undefined) return;
    await kube.client.applyCrd(databaseCrd);
    const create = (namespace: string, name: string) =>
      kube.client.create(databasePath(namespace), database(name, namespace));

    await t.test("tells each of more objects than a page has once, and what changes while it lists", async (t) => {
      const namespace = await fill(kube);
      const work = async () => {
        await kube.client.delete(databasePath(namespace, "many-1500"));
        await create(namespace, "born");
      };
      const { told, requests, problems, tells, agrees } = await follow(t, kube, {
        namespace,
        onEvent: atFirstObject(work),
      });
      await tells("added born");
      await tells("deleted many-1500");
      await agrees();
      const initial = told.filter((event) => event.startsWith("initial "));
      assert.deepEqual([initial.length, new Set(initial).size, problems()], [PAGE + 1, PAGE + 1, []]);
      const asked = requests().map(({ query }) =>
        "sendInitialEvents" in query
          ? "stream"
          : "watch" in query
            ? "watch"
            : `page${query["continue"] ? " more" : ""}`,
      );
      assert.deepEqual(asked, streams ? ["stream"] : ["stream", "page", "page more", "watch"]);
      for (const { query } of requests().filter(({ query }) => "watch" in query))
        assert.ok(Number(query["timeoutSeconds"]) >= 300 && Number(query["timeoutSeconds"]) <= 600, "5 to 10 minutes");
    });

    if (!streams)
      await t.test("starts the list over when etcd has compacted its continue token away", async (t) => {
        const namespace = await fill(kube);
        const work = async () => {
          await kube.client.delete(databasePath(namespace, "many-1000"));
          await compact(kube.etcd);
        };
        const { told, problems, agrees } = await follow(t, kube, { namespace, onEvent: atFirstObject(work) });
        await agrees();
        const kinds = told.map((event) => event.split(" ")[0]);
        // One for the list that could not be streamed, one for the list that expired.
        assert.equal(kinds.filter((kind) => kind === "listing").length, 3);
        assert.equal(kinds.lastIndexOf("listing") + 1 + PAGE, kinds.indexOf("listed"));
        assert.deepEqual(problems(), []);
      });

    await t.test("lists when it is to resume from a version that is too old", async (t) => {
      const namespace = await uniqueNamespace(kube);
      await create(namespace, "a");
      const { told, problems, tells } = await follow(t, kube, { namespace, resumeFrom: "1" });
      await tells("listed");
      assert.deepEqual([told.filter((event) => event !== "listing"), problems()], [["initial a", "listed"], []]);
    });

    await t.test("loses nothing when the API server restarts", async (t) => {
      const { namespace, told, tells, agrees } = await follow(t, kube);
      await tells("listed");
      await create(namespace, "kept");
      await create(namespace, "gone");
      await tells("added gone");
      await kube.restart();
      await kube.client.delete(databasePath(namespace, "gone"));
      await create(namespace, "late");
      await agrees();
      assert.ok(told.includes("deleted gone") || told.lastIndexOf("listing") > told.indexOf("added gone"));
    });

    await t.test(
      "tells the deletions when the definition is deleted, waits for it, and goes on with another schema",
      async (t) => {
        const { namespace, told, problems, tells } = await follow(t, kube);
        await tells("listed");
        await create(namespace, "one");
        await create(namespace, "two");
        await kube.client.delete(CRD);
        await tells("deleted one");
        await tells("deleted two");
        await until(
          () => problems().some((problem) => /not served \(404\): waiting for its Custom/.test(problem)),
          WAIT,
        );
        const crd = structuredClone(databaseCrd);
        Object.assign(crd.spec.versions[0]?.schema.openAPIV3Schema.properties.spec.properties ?? {}, {
          tier: { type: "string" },
        });
        await kube.client.waitFor<undefined>(CRD, (object) => object === undefined);
        await kube.client.applyCrd(crd);
        await kube.client.create(databasePath(namespace), {
          ...database("three", namespace),
          spec: { engine: "mysql", tier: "gold" },
        });
        await until(() => told.some((event) => / three$/.test(event)), WAIT);
      },
    );
  });
