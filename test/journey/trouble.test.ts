import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { createDataFolder } from "../kit/data-folder.ts";
import { database, databaseCrd, databasePath } from "../kit/database-crd.ts";
import { kubeconfigText } from "../kit/kube-access.ts";
import { mintUser, needKube } from "../kit/shared-kube.ts";
import { until } from "../kit/until.ts";
import { databases, startJourney } from "./rig.ts";

const EFFECT = { timeoutMs: 60_000 };

/** The port of the health endpoints, from the log. */
const portOf = (log: string) => Number(/"port":(\d+)/.exec(log)?.[1]);
const readyz = async (log: string) => {
  const response = await fetch(`http://127.0.0.1:${portOf(log)}/readyz`);
  return { status: response.status, body: await response.text() };
};

describe("when something is missing or wrong", () => {
  test("a CustomResourceDefinition that is not there yet is waited for, said so, and then captured", async (t) => {
    const journey = await startJourney(t);
    if (journey === undefined) return;
    const { kube, namespace } = journey;
    const kind = "Gadget";
    const crd = structuredClone(databaseCrd);
    Object.assign(crd.metadata, { name: `gadgets.${namespace}.example.com` });
    Object.assign(crd.spec, {
      group: `${namespace}.example.com`,
      names: { kind, listKind: "GadgetList", plural: "gadgets", singular: "gadget" },
    });
    const resources = [{ apiVersion: `${namespace}.example.com/v1`, kind }, databases(namespace)];
    const bridge = await journey.startBridge(
      { resources },
      /Gadget of .* is not served: waiting for its CustomResourceDefinition/,
    );
    await until(async () => (await readyz(bridge.logTail())).status === 200, {
      what: "the other resource is captured meanwhile",
    });
    assert.match((await readyz(bridge.logTail())).body, /waiting for its CustomResourceDefinition/);
    await kube.client.applyCrd(crd);
    await kube.client.create(`/apis/${namespace}.example.com/v1/namespaces/${namespace}/gadgets`, {
      apiVersion: `${namespace}.example.com/v1`,
      kind,
      metadata: { name: "one" },
      spec: { engine: "mysql" },
    });
    await until(async () => (await journey.events()).some((event) => event.kind === kind), { waitMsMax: 60_000 });
  });

  test("namespaces of a kind that is in none are told, and the kind is watched once", async (t) => {
    const journey = await startJourney(t);
    if (journey === undefined) return;
    const namespaces = ["default", "kube-system"];
    const bridge = await journey.startBridge(
      { resources: [{ apiVersion: "v1", kind: "Namespace", namespaces }] },
      /Namespace is cluster-scoped: its namespaces count for nothing/,
    );
    await until(async () => (await readyz(bridge.logTail())).status === 200);
    await until(async () => {
      const { watches } = JSON.parse((await readyz(bridge.logTail())).body) as { watches: Record<string, unknown> };
      return Object.keys(watches).length === 1;
    });
  });

  test("a missing permission is told as the RBAC rule that grants it, and granting it is enough", async (t) => {
    const journey = await startJourney(t);
    if (journey === undefined) return;
    const { kube, namespace } = journey;
    const { user, token } = await mintUser(kube, namespace);
    const folder = createDataFolder("kubeconfig");
    t.after(() => folder.remove());
    const kubeconfig = join(folder.path, "kubeconfig");
    writeFileSync(
      kubeconfig,
      kubeconfigText({ url: kube.url, caPem: kube.caPem, tokens: { minted: token } }, "minted"),
    );
    const bridge = await journey.startBridge({ kubernetes: { kubeconfig } }, /forbidden \(403\)/);
    assert.match(
      bridge.logTail().replaceAll("\\", ""),
      /forbidden \(403\)\. Add this rule to the Role in test-\w+: \{apiGroups: \["demo\.example\.com"\], resources: \["databases"\], verbs: \["get", "list", "watch"\]\}/,
    );
    const rbac = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}`;
    const rules = [{ apiGroups: ["demo.example.com"], resources: ["databases"], verbs: ["get", "list", "watch"] }];
    await kube.client.create(`${rbac}/roles`, { metadata: { name: "bridge" }, rules });
    await kube.client.create(`${rbac}/rolebindings`, {
      metadata: { name: "bridge" },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "bridge" },
      subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: user }],
    });
    await kube.client.create(databasePath(namespace), database("orders", namespace));
    await until(async () => (await journey.events()).length === 1, { waitMsMax: 60_000 });
    assert.ok(!bridge.logTail().includes(token), "no token in the log");
  });

  test("a malformed message on the stream becomes a dead letter with its reason, and the rest goes on", async (t) => {
    const journey = await startJourney(t);
    if (journey === undefined) return;
    const { kube, namespace, slack } = journey;
    await journey.startBridge();
    await journey.startFunctions();
    const jetStream = await journey.connect();
    await jetStream.publish(
      `cr.test.demo_example_com.Database.${namespace}.bad.updated._.status.Failed.00`,
      "{not json",
      {},
    );
    await kube.client.create(databasePath(namespace), database("orders", namespace));
    await kube.client.patch(
      databasePath(namespace, "orders"),
      { status: { phase: "Failed" } },
      { subresource: "status" },
    );
    await slack.waitForMessages(1, EFFECT);
    await until(
      async () =>
        (await jetStream.api<{ state: { messages: number } }>("STREAM.INFO.CR_DEAD_LETTERS")).state.messages === 1,
    );
    const { message } = await jetStream.api<{ message: { data: string; hdrs: string } }>(
      "STREAM.MSG.GET.CR_DEAD_LETTERS",
      { seq: 1 },
    );
    assert.equal(Buffer.from(message.data, "base64").toString(), "{not json");
    assert.match(Buffer.from(message.hdrs, "base64").toString(), /Cr-Reason: .*not JSON/);
  });

  const answers = [
    { name: "429 with Retry-After", fault: { status: 429, headers: { "retry-after": "1" } } },
    { name: "500", fault: { status: 500 } },
    { name: "nothing", fault: "reset" },
  ] as const;
  for (const { name, fault } of answers) {
    test(`Slack answering ${name} is tried again until it takes the message, once`, async (t) => {
      const journey = await startJourney(t);
      if (journey === undefined) return;
      const { kube, namespace, slack } = journey;
      await journey.startBridge();
      await journey.startFunctions();
      slack.next(fault);
      await kube.client.create(databasePath(namespace), database("orders", namespace));
      await kube.client.patch(
        databasePath(namespace, "orders"),
        { status: { phase: "Failed" } },
        { subresource: "status" },
      );
      await slack.waitForMessages(1, EFFECT);
      await journey.untilIdle();
      assert.deepEqual([slack.messages.length, slack.requests.length], [1, 2]);
    });
  }

  test("wrong NATS credentials end the bridge with a sentence that says what to check", async (t) => {
    const journey = await startJourney(t, { nats: { auth: { user: "bridge", password: "right" } } });
    if (journey === undefined) return;
    await assert.rejects(journey.startBridge(), /refused the credentials: check user and password/);
  });
});

describe("when the API server's history is gone", () => {
  test("after its restart the list is compared with the log: the net change comes with a gap, nothing false", async (t) => {
    const kube = await needKube(t);
    if (kube === undefined) return;
    await kube.client.applyCrd(databaseCrd);
    const journey = await startJourney(t, { kube });
    if (journey === undefined) return;
    const { namespace } = journey;
    const bridge = await journey.startBridge();
    for (const name of ["quiet", "changed", "removed", "replaced"])
      await kube.client.create(databasePath(namespace), database(name, namespace));
    await until(async () => (await journey.events()).length === 4);
    await bridge.kill("SIGKILL");
    await kube.client.patch(databasePath(namespace, "changed"), { spec: { replicas: 2 } });
    await kube.client.patch(databasePath(namespace, "changed"), { spec: { replicas: 7 } });
    await kube.client.delete(databasePath(namespace, "removed"));
    await kube.client.delete(databasePath(namespace, "replaced"));
    await kube.client.create(databasePath(namespace), database("replaced", namespace));
    await kube.client.create(databasePath(namespace), database("born", namespace));
    await kube.restart();
    await bridge.restart();
    await until(async () => (await journey.events()).length >= 9, { waitMsMax: 60_000 });
    const events = (await journey.events()).slice(4);
    assert.deepEqual(events.map(({ name, type, data }) => `${name} ${type.split(".").at(-1)} ${data.gap}`).toSorted(), [
      "born created true",
      "changed updated true",
      "removed deleted true",
      "replaced created true",
      "replaced deleted true",
    ]);
    const changed = events.find(({ name }) => name === "changed");
    assert.deepEqual(changed?.data.patch, [{ op: "replace", path: "/spec/replicas", value: 7, oldValue: 1 }]);
    assert.ok(
      events.find(({ name, type }) => name === "removed" && type.endsWith("deleted"))?.data.object["spec"],
      "the last known object",
    );
  });

  test("a server without streaming lists is listed in pages, all the same", async (t) => {
    const kube = await needKube(t, { featureGates: { WatchList: false } });
    if (kube === undefined) return;
    await kube.client.applyCrd(databaseCrd);
    const journey = await startJourney(t, { kube });
    if (journey === undefined) return;
    for (const name of ["one", "two"])
      await kube.client.create(databasePath(journey.namespace), database(name, journey.namespace));
    await journey.startBridge();
    await kube.client.delete(databasePath(journey.namespace, "two"));
    await until(async () => (await journey.events()).length === 3);
    assert.deepEqual((await journey.events()).map(({ name, type }) => `${name} ${type.split(".").at(-1)}`).toSorted(), [
      "one existing",
      "two deleted",
      "two existing",
    ]);
  });
});
