/** What the API server refuses, and what becomes of it: another try, a dead letter with the next step, or the caller's decision. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { createKubeClients, type KubePlace } from "../../../../functions/actions/kube/kube-client.ts";
import { createDataFolder } from "../../../kit/data-folder.ts";
import { startKubeProxy } from "../../../kit/kube-proxy.ts";
import type { Fault } from "../../../kit/misbehaviour.ts";
import { sharedKube, uniqueNamespace } from "../../../kit/shared-kube.ts";
import { sampleEvent } from "../sample-event.ts";
import { failureOf } from "../thrown.ts";

async function openScene(t: TestContext) {
  const kube = await sharedKube(t);
  if (kube === undefined) return undefined;
  const namespace = await uniqueNamespace(kube);
  const proxy = await startKubeProxy(kube);
  t.after(() => proxy.stop());
  const kubeconfig = join(createDataFolder("kubeconfig").path, "config");
  writeFileSync(kubeconfig, proxy.kubeconfig());
  const event = sampleEvent({ op: "created", after: {} });
  const open = (signal = new AbortController().signal) =>
    createKubeClients()({ kubeconfig }, { event, subscription: "test", signal });
  const place: KubePlace = { apiVersion: "v1", plural: "configmaps", namespace, name: "one" };
  const map = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "one" } };
  return { kube, namespace, proxy, open, place, map };
}

const status = (code: number, reason: string, message: string, headers = {}): Fault => ({
  status: code,
  headers: { "content-type": "application/json", ...headers },
  body: JSON.stringify({ kind: "Status", status: "Failure", code, reason, message }),
});

describe("a request that the API server does not answer with success", () => {
  const rows: { name: string; fault: Fault; treated: string; afterMs?: number; says: RegExp }[] = [
    {
      name: "429 with a time",
      fault: status(429, "TooManyRequests", "busy", { "retry-after": "7" }),
      treated: "retry",
      afterMs: 7_000,
      says: /429 TooManyRequests\): busy/,
    },
    { name: "503", fault: status(503, "ServiceUnavailable", "starting"), treated: "retry", says: /503/ },
    { name: "502 of a proxy, with a page", fault: { status: 502, body: "<html>" }, treated: "retry", says: /502/ },
    { name: "504", fault: status(504, "Timeout", "etcd"), treated: "retry", says: /504/ },
    {
      name: "a quota that is used up",
      fault: status(403, "Forbidden", 'pods "x" is forbidden: exceeded quota: q'),
      treated: "retry",
      says: /exceeded quota/,
    },
    {
      name: "an admission webhook's no",
      fault: status(403, "Forbidden", 'admission webhook "policy.example" denied the request: no'),
      treated: "dead-letter",
      says: /admission webhook "policy\.example" denied the request: no$/,
    },
    {
      name: "a namespace that is going",
      fault: status(403, "Forbidden", "unable to create new content in namespace x because it is being terminated"),
      treated: "dead-letter",
      says: /because it is being terminated$/,
    },
    {
      name: "400",
      fault: status(400, "BadRequest", "no such field"),
      treated: "dead-letter",
      says: /400 BadRequest\): no such field/,
    },
    { name: "a success without its answer", fault: "empty-answer", treated: "retry", says: /is not JSON/ },
    { name: "an answer that is cut off", fault: "cut-answer", treated: "retry", says: /./ },
    { name: "a connection that breaks", fault: "reset", treated: "retry", says: /cannot be reached, or broke off/ },
  ];
  for (const { name, fault, treated, afterMs, says } of rows) {
    test(`${name} is a ${treated}`, async (t) => {
      const scene = await openScene(t);
      if (scene === undefined) return;
      scene.proxy.next(fault);
      const failure = await failureOf(() => scene.open().create(scene.place, scene.map));
      assert.match(failure.message, says);
      assert.deepEqual([failure.treated, failure.afterMs], [treated, afterMs]);
    });
  }

  test("401 is asked once more with credentials that are read again", async (t) => {
    const scene = await openScene(t);
    if (scene === undefined) return;
    scene.proxy.next(status(401, "Unauthorized", "Unauthorized"));
    assert.equal(await scene.open().create(scene.place, scene.map), "created");
    scene.proxy.next(status(401, "Unauthorized", "Unauthorized"));
    scene.proxy.next(status(401, "Unauthorized", "Unauthorized"));
    const failure = await failureOf(() => scene.open().create(scene.place, scene.map));
    assert.equal(failure.treated, "retry");
    assert.match(failure.message, /Renew the token or kubeconfig$/);
  });

  test("an answer that was lost is found again", async (t) => {
    const scene = await openScene(t);
    if (scene === undefined) return;
    scene.proxy.next("lose-answer");
    assert.equal((await failureOf(() => scene.open().create(scene.place, scene.map))).treated, "retry");
    assert.equal(await scene.open().create(scene.place, scene.map), "exists");
  });

  test("a patch whose precondition does not hold any more is told to the caller", async (t) => {
    const scene = await openScene(t);
    if (scene === undefined) return;
    const client = scene.open();
    await client.create(scene.place, scene.map);
    const found = await client.get(scene.place);
    const { resourceVersion } = found?.metadata ?? {};
    const patch = { metadata: { resourceVersion }, data: { a: "b" } };
    assert.equal(await client.patch(scene.place, patch), "patched");
    assert.equal(await client.patch(scene.place, { ...patch, data: { a: "c" } }), "changed");
    assert.equal(await client.patch({ ...scene.place, name: "two" }, patch), "gone");
    assert.equal(await client.get({ ...scene.place, name: "two" }), undefined);
  });

  test("a call that is cancelled ends", async (t) => {
    const scene = await openScene(t);
    if (scene === undefined) return;
    const stopping = new AbortController();
    scene.proxy.next("hang");
    const asked = failureOf(() => scene.open(stopping.signal).get(scene.place));
    stopping.abort();
    assert.equal((await asked).treated, "retry");
  });

  for (const name of ["..", "a/b", "a%2Fb", "", ".hidden", "a b"]) {
    test(`the name ${JSON.stringify(name)} leads nowhere else`, async (t) => {
      const scene = await openScene(t);
      if (scene === undefined) return;
      const failure = await failureOf(() => scene.open().get({ ...scene.place, name }));
      assert.equal(failure.treated, "dead-letter");
      assert.deepEqual(scene.proxy.answers, []);
    });
  }
});
