/**
 * The project's own reader on both servers: what the bridge is built on behaves the same, so a demo or a function that works on
 * the embedded server works on a cluster.
 */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { resourcePath, watchedResource } from "../../../../bridge/capture/resource.ts";
import { type ApiServer, ApiStatusError, connectApiServer } from "../../../../bridge/kube/api-server.ts";
import { discover } from "../../../../bridge/kube/discovery.ts";
import { type ReflectorState, reflect, type WatchEvent } from "../../../../bridge/kube/reflector.ts";
import { conform } from "./target.ts";
import { conformReading, type Databases } from "./watching.ts";

const KIND = { apiVersion: "demo.example.com/v1", kind: "Database" };
const EVENT_MS_MAX = 60_000;

async function connect(t: TestContext, { target }: Pick<Databases, "target">): Promise<ApiServer> {
  const apiServer = await connectApiServer({ kubeconfig: target.kubeconfigPath });
  t.after(() => apiServer.close());
  return apiServer;
}

interface Reading {
  /** The next events without bookmarks, each in two words. */
  next(count: number): Promise<string[]>;
  /** The newest version that an event, a list or a bookmark had. */
  version(): string;
  readonly states: readonly ReflectorState[];
  /** Ends the reader as a shutdown does. */
  stop(): Promise<void>;
}

async function read(t: TestContext, databases: Databases, resumeFrom?: string): Promise<Reading> {
  const stop = new AbortController();
  t.after(() => stop.abort());
  const apiServer = await connect(t, databases);
  const found = await discover(apiServer, KIND.apiVersion, KIND.kind, stop.signal);
  assert.deepEqual(found, { plural: "databases", namespaced: true });
  const settings = { ...KIND, phase: "status.phase", ignore: [] };
  const resource = watchedResource("c", settings, found, databases.namespace);
  assert.equal(resourcePath(resource), databases.path());
  const states: ReflectorState[] = [];
  const events = reflect({
    apiServer,
    resource,
    signal: stop.signal,
    onState: (state) => states.push(state),
    ...(resumeFrom !== undefined && { resumeFrom }),
  });
  let version = "";
  const one = async (): Promise<WatchEvent> => {
    const late = setTimeout(() => stop.abort(), EVENT_MS_MAX);
    const { value } = await events.next().finally(() => clearTimeout(late));
    assert.ok(value, `the reader told no event within ${EVENT_MS_MAX / 1000} s: ${JSON.stringify(states)}`);
    return value;
  };
  return {
    states,
    version: () => version,
    async next(count) {
      const told: string[] = [];
      while (told.length < count) {
        const event = await one();
        if ("resourceVersion" in event) version = event.resourceVersion;
        if ("object" in event) version = event.object.metadata.resourceVersion;
        if (event.type !== "bookmark")
          told.push("object" in event ? `${event.type} ${event.object.metadata.name}` : event.type);
      }
      return told;
    },
    async stop() {
      stop.abort();
      await events.return();
    },
  };
}

conformReading("the bridge's reader", [
  {
    name: "streams the list and goes on with the changes",
    async run(databases, t) {
      const { create, patch, remove } = databases;
      await create("a");
      await create("b");
      const { next, states } = await read(t, databases);
      assert.deepEqual(await next(4), ["listing", "initial a", "initial b", "listed"]);
      await patch("a", { status: { phase: "Running" } }, "status");
      await create("c");
      await remove("a");
      assert.deepEqual(await next(3), ["modified a", "added c", "deleted a"]);
      assert.deepEqual(
        states.map(({ type }) => type),
        ["listing", "watching"],
      );
    },
  },
  {
    name: "resumes where it was stopped, with nothing lost and nothing twice",
    async run(databases, t) {
      const { create, patch, remove } = databases;
      await create("a");
      const first = await read(t, databases);
      await first.next(3);
      await patch("a", { spec: { replicas: 2 } });
      assert.deepEqual(await first.next(1), ["modified a"]);
      await first.stop();
      await patch("a", { spec: { replicas: 3 } });
      await create("b");
      await remove("a");
      const second = await read(t, databases, first.version());
      assert.deepEqual(await second.next(3), ["modified a", "added b", "deleted a"]);
      assert.deepEqual(
        second.states.map(({ type }) => type),
        ["watching"],
      );
    },
  },
  {
    name: "lists again when the server has forgotten where it was",
    async run(databases, t) {
      const { create, patch } = databases;
      await create("a");
      const { next, states } = await read(t, databases, "1");
      assert.deepEqual(await next(3), ["listing", "initial a", "listed"]);
      await patch("a", { spec: { replicas: 2 } });
      assert.deepEqual(await next(1), ["modified a"]);
      assert.ok(
        states.every(({ type }) => type !== "waiting"),
        JSON.stringify(states),
      );
    },
  },
]);

conform("the bridge's connection", (open) => {
  test("finds a kind by its name, and says that an unknown one is not there", async (t) => {
    const target = await open(t);
    if (target === undefined) return;
    const apiServer = await connect(t, { target });
    const { signal } = new AbortController();
    const rows = [
      { apiVersion: "v1", kind: "ConfigMap", expected: { plural: "configmaps", namespaced: true } },
      { apiVersion: "v1", kind: "Namespace", expected: { plural: "namespaces", namespaced: false } },
      { apiVersion: "coordination.k8s.io/v1", kind: "Lease", expected: { plural: "leases", namespaced: true } },
      { apiVersion: "demo.example.com/v1", kind: "Nothing", expected: undefined },
      { apiVersion: "demo.example.com/v9", kind: "Database", expected: undefined },
      { apiVersion: "nobody.example.com/v1", kind: "Database", expected: undefined },
    ];
    for (const { apiVersion, kind, expected } of rows)
      assert.deepEqual(await discover(apiServer, apiVersion, kind, signal), expected, `${apiVersion} ${kind}`);
  });

  test("learns of a refusal its status, reason, message and when to come again", async (t) => {
    const target = await open(t);
    if (target === undefined) return;
    const apiServer = await connect(t, { target });
    const refusal = async (path: string, query: Record<string, string> = {}) => {
      const error: unknown = await apiServer.json(path, { query }).catch((reason: unknown) => reason);
      assert.ok(error instanceof ApiStatusError, String(error));
      const { status, reason, retryAfterMs } = error;
      return { status, reason, retryAfterMs };
    };
    const missing = await refusal("/api/v1/namespaces/there-is-no-such-namespace");
    assert.deepEqual(missing, { status: 404, reason: "NotFound", retryAfterMs: 0 });
    const future = await refusal("/api/v1/namespaces", { resourceVersion: "99999999999" });
    assert.deepEqual(future, { status: 504, reason: "Timeout", retryAfterMs: 1000 });
  });
});
