/** The cluster of the kit is a real one: it survives the loss of a server, and the server that comes back has what it missed. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { connectJetStream } from "../../bridge/nats/jetstream.ts";
import { needNatsCluster } from "./shared-kube.ts";
import { until } from "./until.ts";

interface Info {
  readonly state: { readonly messages: number };
  readonly cluster: { readonly leader?: string; readonly replicas?: readonly { readonly current: boolean }[] };
}

test("three NATS servers keep a stream when the one that leads it is killed, and complete it when it is back", async (t) => {
  const cluster = await needNatsCluster(t);
  if (cluster === undefined) return;
  const jetStream = await connectJetStream({ servers: [...cluster.urls] }, "test");
  t.after(() => jetStream.close());
  const create = { name: "ALL", subjects: ["all.>"], storage: "file", num_replicas: 3 };
  await until(() =>
    jetStream.api("STREAM.CREATE.ALL", create).then(
      () => true,
      () => false,
    ),
  );
  const info = () => jetStream.api<Info>("STREAM.INFO.ALL").catch(() => undefined);
  const publish = () =>
    jetStream.publish("all.a", "x", {}).then(
      () => true,
      () => false,
    );
  await until(publish);
  const { leader = "" } = (await info())?.cluster ?? {};
  const killed = cluster.node(leader);
  await killed.kill();
  const takenOver = async () => ![undefined, "", leader].includes((await info())?.cluster.leader);
  await until(takenOver, { waitMsMax: 60_000, what: "another server leads the stream" });
  await until(publish);
  await killed.restart();
  await cluster.untilReady();
  const isComplete = async () => (await info())?.cluster.replicas?.every(({ current }) => current) === true;
  await until(isComplete, { waitMsMax: 60_000, what: "all three have the stream" });
  assert.equal((await info())?.cluster.replicas?.length, 2);
  assert.ok(((await info())?.state.messages ?? 0) >= 2);
  assert.throws(() => cluster.node("nobody"), /no server "nobody"; there are test-/);
});
