/**
 * Each fault point hits a real bridge where it says, seen from outside: in the log, in the checkpoint, and in what the bridge makes of it
 * when it is started again. The product has no part in it.
 */
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { connectJetStream, parseEnvelope } from "#contract";
import { unlessMissing } from "../../bridge/nats/jetstream-error.ts";
import { read } from "../../bridge/nats/reader.ts";
import { CHECKPOINTS_BUCKET } from "../../bridge/nats/stream.ts";
import { database, databasePath } from "../kit/database-crd.ts";
import { needNats, sharedKube, uniqueNamespace } from "../kit/shared-kube.ts";
import { until } from "../kit/until.ts";
import { startBridge } from "./bridges.ts";
import { arm, type FaultPoint, isArmed } from "./fault-point.ts";

/** A bridge that has captured one Database and saved its checkpoint. */
async function openScene(t: TestContext) {
  const kube = await sharedKube(t);
  const nats = kube && (await needNats(t));
  if (kube === undefined || nats === undefined) return undefined;
  const namespace = await uniqueNamespace(kube);
  const config = {
    cluster: "test",
    resources: [{ apiVersion: "demo.example.com/v1", kind: "Database", namespaces: [namespace] }],
    nats: { servers: [nats.url] },
    kubernetes: { kubeconfig: kube.kubeconfigPath },
  };
  const bridge = await startBridge("bridge", config, (problem) => t.diagnostic(problem));
  t.after(() => bridge[Symbol.asyncDispose]());
  const jetStream = await connectJetStream({ servers: [nats.url] }, "test");
  t.after(() => jetStream.close());
  const ids = async () => {
    const reading = { filter_subjects: ["cr.>"], deliver_policy: "all" } as const;
    const events = await Array.fromAsync(read(jetStream, reading, AbortSignal.timeout(20_000), false));
    return events.map(({ message }) => parseEnvelope(message.data).id);
  };
  const checkpoint = async () => {
    const query = { last_by_subj: `$KV.${CHECKPOINTS_BUCKET}.>` };
    const asked = jetStream.api<{ message: { data: string } }>(`STREAM.MSG.GET.KV_${CHECKPOINTS_BUCKET}`, query);
    const stored = await unlessMissing("message", asked);
    if (stored === undefined) return 0;
    return Number(JSON.parse(Buffer.from(stored.message.data, "base64").toString("utf8")).resourceVersion);
  };
  const { metadata } = await kube.client.create(databasePath(namespace), database("db", namespace));
  const first = { id: `${metadata.uid}.${metadata.resourceVersion}`, version: Number(metadata.resourceVersion) };
  await until(async () => (await checkpoint()) >= first.version, { what: "the checkpoint covers the first event" });
  return {
    bridge,
    jetStream,
    ids,
    checkpoint,
    first,
    async change() {
      const { metadata } = await kube.client.patch(databasePath(namespace, "db"), { spec: { replicas: 9 } });
      return { id: `${metadata.uid}.${metadata.resourceVersion}`, version: Number(metadata.resourceVersion) };
    },
  };
}

const kills: readonly { readonly point: FaultPoint; readonly isLogged: boolean; readonly isSaved: boolean }[] = [
  { point: "before-publish", isLogged: false, isSaved: false },
  { point: "published-unacknowledged", isLogged: true, isSaved: false },
  { point: "acknowledged-unsaved", isLogged: true, isSaved: false },
  { point: "checkpoint-written", isLogged: true, isSaved: true },
];

describe("a bridge that is killed at a fault point", { concurrency: false }, () => {
  for (const { point, isLogged, isSaved } of kills) {
    const left = `${isLogged ? "an event" : "no event"} in the log and ${isSaved ? "its" : "an older"} checkpoint`;
    test(`${point} leaves ${left}, and tells the change once when it is back`, async (t) => {
      const scene = await openScene(t);
      if (scene === undefined) return;
      const { bridge, ids, checkpoint, first } = scene;
      bridge.hold();
      arm(bridge.folder, { point, passes: 1, signal: "SIGKILL" });
      const change = await scene.change();
      await until(() => bridge.pid === undefined, { what: `the bridge is killed at ${point}` });
      assert.equal(bridge.lastExit?.signal, "SIGKILL");
      assert.deepEqual(await ids(), isLogged ? [first.id, change.id] : [first.id]);
      assert.equal((await checkpoint()) >= change.version, isSaved);
      await bridge.restart();
      await until(async () => (await checkpoint()) >= change.version, { what: "the checkpoint covers the change" });
      assert.deepEqual(await ids(), [first.id, change.id]);
    });
  }
});

describe("a bridge that is paused at a fault point", { concurrency: false }, () => {
  for (const point of ["in-a-list", "list-read"] as const) {
    test(`${point} answers nobody, and goes on where it was`, async (t) => {
      const scene = await openScene(t);
      if (scene === undefined) return;
      const { bridge, jetStream, ids, first } = scene;
      await bridge.kill("SIGKILL");
      await jetStream.api(`STREAM.PURGE.KV_${CHECKPOINTS_BUCKET}`); // so that it has to list
      arm(bridge.folder, { point, passes: 1, signal: "SIGSTOP" });
      const restarted = bridge.restart();
      await until(() => !isArmed(bridge.folder), { what: `the bridge comes to ${point}` });
      assert.equal(await bridge.readiness(), undefined);
      await bridge.kill("SIGCONT");
      await restarted;
      assert.equal((await bridge.readiness())?.leaderElection !== undefined, true);
      assert.deepEqual(await ids(), [first.id]);
    });
  }
});

test("no file of the product mentions a fault point", () => {
  const root = join(import.meta.dirname, "../..");
  const files = globSync("{bridge,functions,cli}/**/*.ts", { cwd: root });
  assert.ok(files.length > 100);
  const mentioning = files.filter((file) =>
    /fault[- ]?point|registerHooks|test\/chaos/i.test(readFileSync(join(root, file), "utf8")),
  );
  assert.deepEqual(mentioning, []);
});
