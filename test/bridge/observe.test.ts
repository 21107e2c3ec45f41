/** The observer on the embedded API server, which shows histories on demand; at the end the real bridge and the observer watch the same. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Envelope } from "../../bridge/event/envelope.ts";
import { connectApiServer } from "../../bridge/kube/api-server.ts";
import { clusterNameOf, type ObserverState, observe, observedResource, RefusedError } from "../../bridge/observe.ts";
import type { FaultEffect, FaultedRequest } from "../../cli/embedded/embedded.ts";
import { startJourney } from "../journey/rig.ts";
import { database, databaseCrd, databasePath } from "../kit/database-crd.ts";
import { until } from "../kit/until.ts";
import { databases, listsOf, type Observing, openScene, type Scene } from "./observing.ts";

const refusal = (status: number): FaultEffect => ({ type: "refuse", status, reason: "" });
const ofWatch = ({ isWatch }: FaultedRequest) => isWatch;
const ofStreamingList = ({ query }: FaultedRequest) => query.has("sendInitialEvents");
/** A GET of that Database. */
const ofOne = (name: string) => (request: FaultedRequest) =>
  request.method === "GET" && request.path.endsWith(`/databases/${name}`);

const CRD_PATH = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${databaseCrd.metadata.name}`;
const PATH = "/apis/demo.example.com/v1/databases";

interface History {
  readonly name: string;
  /** What is there, and what is wrong, when the observer starts. */
  readonly given?: (scene: Scene) => Promise<unknown>;
  readonly run: (scene: Scene, observing: Observing) => Promise<unknown>;
  readonly expected: readonly string[];
}

describe("the observer", () => {
  const histories: readonly History[] = [
    {
      name: "tells changes with patch and phase, and not what was there at first",
      given: ({ create }) => create("a", "Running"),
      async run({ create, phase, remove }) {
        await phase("a", "Failed");
        await create("b");
        await remove("a");
      },
      expected: ["updated a replace /status/phase Running → Failed", "created b", "deleted a"],
    },
    {
      name: "tells nothing when only bookkeeping of the API server changed",
      given: ({ create }) => create("a", "Running"),
      run: ({ bookkeeping }) => bookkeeping("a"),
      expected: [],
    },
    {
      name: "tells the net changes with a gap when its version is too old, and deletions by looking for what the list did not have",
      async given({ create }) {
        await create("changed", "Running");
        await create("gone", "Running");
        await create("quiet");
        await create("replaced");
      },
      async run({ outage, create, phase, remove }, { listed }) {
        await outage(async () => {
          await phase("changed", "Provisioning");
          await phase("changed", "Failed");
          await create("born");
          await remove("replaced");
          await create("replaced");
          await remove("gone");
        });
        await listed(2);
      },
      expected: [
        "created born gap",
        "updated changed gap replace /status/phase Running → Failed",
        "deleted replaced gap",
        "created replaced gap",
        "deleted gone gap",
      ],
    },
    {
      name: "does not call deleted what is there after all",
      given: ({ create }) => create("a"),
      async run({ server, outage, bookkeeping }, { asked, listed }) {
        const text = (line: string) => (line.includes('"name":"a"') ? "" : line);
        await outage(async () => {
          await bookkeeping("a");
          server.faults.add({ meets: ofStreamingList, effect: { type: "rewrite", text } });
        });
        await listed(2);
        await until(() => asked().includes(`GET ${databasePath("prod", "a")}`));
      },
      expected: [],
    },
    {
      name: "asks again when it cannot find out whether an object is gone",
      given: ({ create }) => create("a"),
      async run({ server, outage, remove }, { listed, waits }) {
        server.faults.add({ meets: ofOne("a"), effect: refusal(503) });
        await outage(() => remove("a"));
        await listed(2);
        await waits(/503/);
      },
      expected: ["deleted a gap"],
    },
    {
      name: "tells nothing when the first list breaks off and starts over",
      async given({ server, create }) {
        await create("a");
        await create("b");
        const afterBytes = Buffer.byteLength(JSON.stringify(await create("c"))) * 2;
        server.faults.add({ meets: ofStreamingList, effect: { type: "cut", afterBytes } });
      },
      run: async (_, { asked }) => assert.deepEqual(asked(), [`LIST ${PATH}`, `LIST ${PATH}`]),
      expected: [],
    },
    {
      name: "tells of an object created again under its name",
      given: ({ create }) => create("a"),
      async run({ create, remove }) {
        await remove("a");
        await create("a");
      },
      expected: ["deleted a", "created a"],
    },
  ];
  for (const { name, given, run, expected } of histories) {
    test(name, async (t) => {
      const scene = await openScene(t);
      await given?.(scene);
      const observing = await scene.observe();
      await observing.listed(1);
      await run(scene, observing);
      await scene.create("end");
      await observing.tells("created end");
      assert.deepEqual(observing.told(), [...expected, "created end"]);
    });
  }

  test("tells what was there at first when it is asked to", async (t) => {
    const { create, observe } = await openScene(t);
    await create("a");
    const { listed, told } = await observe({ existing: true });
    await listed(1);
    assert.deepEqual(told(), ["existing a"]);
  });

  test("counts what is there, and counts again after a new list", async (t) => {
    const { create, remove, outage, observe } = await openScene(t);
    await create("a");
    await create("b");
    const { listed, states } = await observe();
    await listed(1);
    await outage(() => remove("a"));
    await listed(2);
    const counts = listsOf(states).map(({ objects }) => objects);
    assert.deepEqual(counts, [2, 1]);
  });

  test("of one name keeps the others out of everything", async (t) => {
    const { create, phase, observe } = await openScene(t);
    await create("a");
    await create("b");
    const { listed, tells, told, states } = await observe({ name: "a" });
    await listed(1);
    await phase("b", "Failed");
    await phase("a", "Failed");
    await tells("updated a add /status null → Failed");
    assert.equal(told().length, 1);
    assert.deepEqual(states.at(1), { type: "watching", objects: 1, stateless: 0 });
  });

  test("only gets, lists and watches", async (t) => {
    const { create, remove, outage, observe } = await openScene(t);
    await create("a");
    const { listed, tells, asked } = await observe();
    await listed(1);
    await outage(() => remove("a"));
    await tells("deleted a gap");
    const requests = new Set(asked());
    const looked = `GET ${PATH}`; // whether the history is still the one that was seen
    assert.deepEqual(
      [...requests].toSorted(),
      [`LIST ${PATH}`, `WATCH ${PATH}`, looked, `GET ${databasePath("prod", "a")}`].toSorted(),
    );
  });

  const refused = [
    { status: 401, times: 2, expected: /renew the token/ },
    { status: 403, times: 1, expected: /forbidden \(403\).*verbs: \["get", "list", "watch"\]/ },
  ];
  for (const { status, times, expected } of refused) {
    test(`ends when it is refused from the start (${status})`, async (t) => {
      const { server, observe } = await openScene(t);
      server.faults.add({ meets: ofWatch, times, effect: refusal(status) });
      const { ended } = await observe();
      await assert.rejects(ended, (error) => {
        assert.ok(error instanceof RefusedError);
        assert.match(error.message, expected);
        return true;
      });
    });
  }

  const passing: readonly (Omit<History, "expected"> & { readonly problem: RegExp })[] = [
    {
      name: "is refused later on",
      async run({ server, restart }, { listed }) {
        await listed(1);
        server.faults.add({ meets: ofWatch, effect: refusal(403) });
        await restart();
      },
      problem: /forbidden \(403\)/,
    },
    {
      name: "has no connection",
      given: async ({ server }) => server.faults.add({ meets: ofWatch, effect: { type: "cut", afterBytes: 0 } }),
      run: async () => undefined,
      problem: /other side closed/,
    },
    {
      name: "starts before the CRD is served",
      async given({ client }) {
        await client.delete(CRD_PATH);
        await client.waitFor(CRD_PATH, (object) => object === undefined);
      },
      async run({ client }, { waits }) {
        await waits(/404/);
        await client.applyCrd(databaseCrd);
      },
      problem: /waiting for its CustomResource/,
    },
  ];
  for (const { name, given, run, problem } of passing) {
    test(`says so, waits and goes on when it ${name}`, async (t) => {
      const scene = await openScene(t);
      await given?.(scene);
      const observing = await scene.observe();
      await run(scene, observing);
      await observing.waits(problem);
      await observing.listed(1);
      await scene.create("a");
      await observing.tells("created a");
      assert.deepEqual(observing.told(), ["created a"]);
    });
  }
});

describe("the cluster's name comes from the context", () => {
  const rows = [
    { context: "kind-dev", expected: "kind-dev" },
    { context: "kubernetes-admin@kubernetes", expected: "kubernetes-admin-kubernetes" },
    {
      context: "arn:aws:eks:eu-west-1:123456789012:cluster/Orders",
      expected: "arn-aws-eks-eu-west-1-123456789012-cluster-orders",
    },
    {
      context: `gke_${"project".repeat(9)}_europe-west1-b_prod`,
      expected: "tprojectprojectprojectprojectprojectproject-europe-west1-b-prod",
    },
    { context: "_", expected: "cluster" },
    { context: "", expected: "cluster" },
  ];
  for (const { context, expected } of rows) {
    test(`${context || "none"} is ${expected}`, () => assert.equal(clusterNameOf(context), expected));
  }
});

test("the observer tells what the bridge publishes: the same ids and the same data", async (t) => {
  const journey = await startJourney(t);
  if (journey === undefined) return;
  const { kube, namespace } = journey;
  const one = databasePath(namespace, "one");
  await kube.client.create(databasePath(namespace), database("there", namespace));
  await journey.startBridge();
  const apiServer = await connectApiServer({ kubeconfig: kube.kubeconfigPath });
  t.after(() => apiServer.close());
  const resource = observedResource(databases, { context: "test", namespace, phase: "status.phase" });
  const stop = new AbortController();
  const observed: Envelope[] = [];
  const states: ObserverState[] = [];
  const watching = (async () => {
    const onState = (state: ObserverState) => states.push(state);
    for await (const envelope of observe({ apiServer, resource, signal: stop.signal, existing: true, onState }))
      observed.push(envelope);
  })();
  await until(() => states.some(({ type }) => type === "watching"));

  await kube.client.create(databasePath(namespace), database("one", namespace));
  await kube.client.patch(one, { status: { phase: "Running" } }, { subresource: "status", fieldManager: "operator" });
  await kube.client.patch(one, { spec: { replicas: 3 } }, { fieldManager: "person" });
  await kube.client.patch(one, { metadata: { labels: { team: "a" } } }, { fieldManager: "person" });
  await kube.client.patch(one, { status: { phase: "Failed" } }, { subresource: "status", fieldManager: "operator" });
  await kube.client.delete(one);
  await until(async () => observed.length === 7 && (await journey.events()).length === 7);
  stop.abort();
  await watching;
  assert.deepEqual(observed.map(timeless), (await journey.events()).map(timeless));
});

/** Without what tells when somebody looked: whole seconds of managedFields may make a phase older or younger than that. */
function timeless({ recordedtime: _, time: __, phasesince: ___, data, ...attributes }: Envelope) {
  const { phase } = data.transitions;
  return { ...attributes, data: { ...data, transitions: phase && { from: phase.from, to: phase.to } } };
}
