/** Kubernetes Events about a process, on both API servers: what people see is asked for with another client, in both of their API groups. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, type TestContext, test } from "node:test";
import { type ApiServer, ApiStatusError, connectApiServer } from "../../../bridge/kube/api-server.ts";
import { createEventRecorder, type EventRecorderOptions } from "../../../bridge/kube/event-recorder.ts";
import type { KubeEvent } from "../../../bridge/kube/event-series.ts";
import { mintBridge } from "../../cli/checking.ts";
import { openEmbedded } from "../../kit/embedded-kube.ts";
import type { KubeClient } from "../../kit/kube-client.ts";
import { needKubectl, sharedKube, uniqueNamespace } from "../../kit/shared-kube.ts";
import { until } from "../../kit/until.ts";

const EVENT: KubeEvent = {
  type: "Warning",
  reason: "WatchForbidden",
  action: "Watch",
  about: "databases.demo.example.com",
  note: "databases.demo.example.com may not be read",
};
const POD = { name: "bridge-7d4b9c-x2x4z", uid: "11111111-2222-3333-4444-555555555555" };
const MINUTE_MS = 60_000;

interface Cluster {
  readonly client: KubeClient;
  readonly kubeconfigPath: string;
  readonly namespace: string;
}

const CLUSTERS: Readonly<Record<string, (t: TestContext) => Promise<Cluster | undefined>>> = {
  "the embedded API server": async (t) => {
    const { client, kubeconfigPath } = await openEmbedded(t);
    await client.createNamespace("cr-reactor");
    return { client, kubeconfigPath, namespace: "cr-reactor" };
  },
  "a real API server": async (t) => {
    const kube = await sharedKube(t);
    if (kube === undefined) return undefined;
    return { client: kube.client, kubeconfigPath: kube.kubeconfigPath, namespace: await uniqueNamespace(kube) };
  },
};

/** A recorder whose waits end when the test says so. */
function startRecorder(t: TestContext, apiServer: Pick<ApiServer, "json">, namespace: string, uid = POD.uid) {
  const stop = new AbortController();
  t.after(() => stop.abort());
  const told: string[] = [];
  let nowMs = Date.now();
  let waiting: { readonly ms: number; readonly end: () => void }[] = [];
  const wait: EventRecorderOptions["wait"] = (ms) => new Promise<void>((end) => waiting.push({ ms, end }));
  const recorder = createEventRecorder({
    ...{ apiServer, pod: { ...POD, uid, namespace }, signal: stop.signal, nowMs: () => nowMs, wait },
    onProblem: (problem) => told.push(problem),
    onOutcome: (outcome) => told.push(outcome),
  });
  return {
    told,
    stop: () => stop.abort(),
    record: (times = 1, event = EVENT) => {
      for (let each = 0; each < times; each++) recorder.record(event);
    },
    /** Lets the time pass, and everything that waits go on. */
    pass(ms: number) {
      nowMs += ms;
      const ended = waiting;
      waiting = [];
      for (const { end } of ended) end();
    },
    waits: () => waiting.map(({ ms }) => ms),
    tells: (count: number) => until(() => told.length >= count, { what: `${count} of ${told}` }),
  };
}

for (const [title, open] of Object.entries(CLUSTERS)) {
  describe(`an Event on ${title}`, () => {
    test("is about the Pod, counts what happens again, and comes back when it has expired", async (t) => {
      const cluster = await open(t);
      if (cluster === undefined) return;
      const { client, kubeconfigPath, namespace } = cluster;
      const apiServer = await connectApiServer({ kubeconfig: kubeconfigPath });
      t.after(() => apiServer.close());
      const { record, tells, pass } = startRecorder(t, apiServer, namespace);
      const events = () => client.list(`/apis/events.k8s.io/v1/namespaces/${namespace}/events`);
      record();
      await tells(1);
      const [first] = await events();
      assert.ok(first);
      const { metadata, eventTime, ...rest } = first;
      const regarding = { apiVersion: "v1", kind: "Pod", namespace, ...POD };
      for (const [field, value] of Object.entries({
        ...{ type: "Warning", reason: "WatchForbidden", action: "Watch", note: EVENT.note, regarding },
        ...{ reportingController: "cr-reactor.dev/bridge", reportingInstance: POD.name, series: undefined },
      }))
        assert.deepEqual(rest[field], value, field);
      assert.match(String(eventTime), /^\d{4}-.*\.\d{6}Z$/);
      record(4);
      await tells(2);
      await until(async () => (await events())[0]?.["series"]?.count >= 2);
      record(5);
      pass(6 * MINUTE_MS);
      await tells(3);
      const [again, ...more] = await events();
      assert.equal(again?.["series"].count, 10);
      assert.deepEqual(more, []);
      // As kubectl describe asks.
      const query = `involvedObject.uid=${POD.uid},involvedObject.name=${POD.name},reportingComponent=cr-reactor.dev/bridge`;
      const seen = await client.list(
        `/api/v1/namespaces/${namespace}/events?fieldSelector=${encodeURIComponent(query)}`,
      );
      assert.deepEqual(
        seen.map(({ metadata: { name }, ...each }) => [name, each["message"]]),
        [[metadata.name, EVENT.note]],
      );
      record();
      await tells(4);
      assert.equal((await events()).length, 2);
      for (const { metadata: each } of await events())
        await client.delete(`/apis/events.k8s.io/v1/namespaces/${namespace}/events/${each.name}`);
      record();
      await tells(5);
      assert.deepEqual(
        (await events()).map(({ series }) => series.count),
        [2],
      );
    });
  });
}

test("kubectl describe shows the Event at its Pod", async (t) => {
  const kube = await sharedKube(t);
  const kubectl = kube && (await needKubectl(t));
  if (kube === undefined || kubectl === undefined) return;
  const namespace = await uniqueNamespace(kube);
  await kube.client.create(`/api/v1/namespaces/${namespace}/serviceaccounts`, { metadata: { name: "default" } });
  const { metadata } = await kube.client.create(`/api/v1/namespaces/${namespace}/pods`, {
    metadata: { name: POD.name },
    spec: { automountServiceAccountToken: false, containers: [{ name: "bridge", image: "cr-reactor" }] },
  });
  const apiServer = await connectApiServer({ kubeconfig: kube.kubeconfigPath });
  t.after(() => apiServer.close());
  const { record, tells } = startRecorder(t, apiServer, namespace, metadata.uid);
  record();
  await tells(1);
  const args = ["--kubeconfig", kube.kubeconfigPath, "describe", "pod", POD.name, "--namespace", namespace];
  const { stdout, stderr } = spawnSync(kubectl, args, { encoding: "utf8" });
  assert.match(stdout, /Warning +WatchForbidden .* databases\.demo\.example\.com may not be read/, stderr);
});

describe("what keeps an Event from being written", () => {
  test("a missing permission is told once, holds up nobody, and when it is given Events are written", async (t) => {
    const kube = await sharedKube(t);
    if (kube === undefined) return;
    const namespace = await uniqueNamespace(kube);
    const { kubeconfigPath, apply } = await mintBridge(t, kube, namespace);
    const apiServer = await connectApiServer({ kubeconfig: kubeconfigPath });
    t.after(() => apiServer.close());
    const { record, tells, told, pass } = startRecorder(t, apiServer, namespace);
    const other = { ...EVENT, about: "caches.demo.example.com" };
    record();
    record(1, other);
    await tells(3);
    const rule = /^forbidden \(403\)\. Add this rule to a Role .*\["events\.k8s\.io"\].*\["create", "patch"\]/;
    assert.deepEqual(
      told.map((each) => each.replace(rule, "the rule").replace(/}$/, "")),
      ["failed", "the rule", "failed"],
    );
    const role = { name: "bridge-events", namespace };
    const rules = '[{ apiGroups: ["events.k8s.io"], resources: ["events"], verbs: ["create", "patch"] }]';
    await apply(
      `{ apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: ${JSON.stringify(role)}, rules: ${rules} }\n---\n{ apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: ${JSON.stringify(role)}, roleRef: { apiGroup: rbac.authorization.k8s.io, kind: Role, name: bridge-events }, subjects: [{ kind: ServiceAccount, name: bridge, namespace: cr-reactor }] }`,
    );
    await until(() => {
      pass(5 * MINUTE_MS); // each try has its token
      record();
      return told.includes("written");
    });
    record(1, other);
    await until(async () => (await kube.client.list(`/api/v1/namespaces/${namespace}/events`)).length === 2);
    assert.equal(told.filter((each) => rule.test(each)).length, 1);
  });

  for (const { name, failures, waits, said } of [
    { name: "an API server that is away is asked again every 10 s", failures: 2, waits: [10_000], said: ["written"] },
    { name: "one that stays away is given up", failures: 99, waits: [10_000], said: ["failed", "away"] },
    { name: "one that has too much to do is asked when it says", failures: 1, waits: [30_000], said: ["written"] },
  ]) {
    test(name, async (t) => {
      let asked = 0;
      const error = waits[0] === 30_000 ? new ApiStatusError(429, "TooManyRequests", "", 30_000) : new Error("away");
      const apiServer: Pick<ApiServer, "json"> = {
        async json<T>() {
          if (++asked <= failures) throw error;
          return {} as T;
        },
      };
      const { record, told, pass, waits: waiting } = startRecorder(t, apiServer, "ns");
      record();
      for (let tries = 0; told.length < said.length && tries < 20; tries++) {
        await until(() => told.length > 0 || waiting().length === 2);
        if (told.length === 0) assert.deepEqual(waiting().slice(-1), waits);
        pass(1);
      }
      assert.deepEqual(told, said);
      assert.ok(asked <= 12);
    });
  }

  test("an answer that is lost makes no second Event", async (t) => {
    const { client, kubeconfigPath } = await openEmbedded(t);
    await client.createNamespace("cr-reactor");
    const apiServer = await connectApiServer({ kubeconfig: kubeconfigPath });
    t.after(() => apiServer.close());
    let isLost = false;
    const losing: Pick<ApiServer, "json"> = {
      async json<T>(...asked: Parameters<ApiServer["json"]>) {
        const answer = await apiServer.json<T>(...asked);
        if (isLost) return answer;
        isLost = true;
        throw new Error("the answer was lost");
      },
    };
    const { record, tells, pass, waits } = startRecorder(t, losing, "cr-reactor");
    record();
    await until(() => waits().includes(10_000));
    record();
    pass(1);
    await tells(2);
    const events = await client.list("/apis/events.k8s.io/v1/namespaces/cr-reactor/events");
    assert.deepEqual(
      events.map(({ series }) => series.count),
      [2],
    );
  });

  test("after its end nothing is recorded", async (t) => {
    const apiServer: Pick<ApiServer, "json"> = { json: () => assert.fail("asked") };
    const { record, told, stop } = startRecorder(t, apiServer, "ns");
    stop();
    record();
    assert.deepEqual(told, []);
  });
});
